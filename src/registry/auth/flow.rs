//! Authentication with one registry: what its first 401 demanded, the token or credential for each request, and what is tried next when
//! that was not enough.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use reqwest::header::HeaderValue;

use crate::{
    image::reference::DOCKER_HUB,
    registry::{
        credentials::{
            credential::{Credential, LoginSource},
            keychain::{FRESH, FoundLogin, Keychain, LoginPlace},
        },
        problem::LookupError,
        transport::{http_client::Response, request_spec::Access},
    },
};

use super::{
    challenge::{self, SelectedChallenge},
    groups::{self, Groups},
    request::{AuthRequest, TokenSource},
    token::{self, Realm, Token, TokenKey, Tokens},
};

/// What is known of a registry's authentication, and the credentials for it.
pub struct Auth {
    registry: String,
    keychain: Arc<Keychain>,
    is_anonymous: bool,
    /// Set by the first challenge: credentials are sent only to the token service that the registry named first, as long as that works.
    scheme: Mutex<Scheme>,
    /// When authorization failed first since it last succeeded.
    failing_since: Mutex<Option<Instant>>,
    /// Repositories that will be requested and have no group yet.
    expected: Mutex<Vec<String>>,
    groups: Mutex<Groups>,
    tokens: Tokens,
    /// Whether token services accept each credential, and requests without one.
    standing: Mutex<HashMap<Option<Credential>, CredentialStatus>>,
}

enum CredentialStatus {
    Good,
    Refused { since: Instant, error: LookupError },
}

#[derive(Clone)]
enum Scheme {
    Unasked,
    /// No authentication was demanded, not even for the API itself.
    Silent,
    Basic,
    Bearer(Arc<Realm>),
}

#[derive(Clone, Default)]
pub enum Authorization {
    #[default]
    Nothing,
    Basic {
        header: HeaderValue,
        credential: Credential,
        login: LoginSource,
    },
    Token {
        token: Arc<Token>,
        /// The key with which it was requested.
        key: TokenKey,
        /// Why its scope was requested.
        breadth: ScopeOrigin,
        /// Whether it has just been granted, so that requesting another one is useless.
        is_new: bool,
        /// Where the credential comes from for which it was granted, if there was one.
        login: Option<LoginSource>,
    },
}

/// Why the scope of a token was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeOrigin {
    /// For all repositories of a group.
    Group,
    /// For one repository.
    Alone {
        /// Because the group's token did not suffice.
        after_group: bool,
    },
    /// Because the challenge named it.
    Challenge,
}

impl Authorization {
    pub fn header(&self) -> Option<&HeaderValue> {
        match self {
            Self::Nothing => None,
            Self::Basic { header, .. } => Some(header),
            Self::Token { token, .. } => Some(token.header()),
        }
    }

    /// Returns where the credential behind it comes from.
    pub fn login(&self) -> Option<&LoginSource> {
        match self {
            Self::Nothing => None,
            Self::Basic { login, .. } => Some(login),
            Self::Token { login, .. } => login.as_ref(),
        }
    }
}

impl Auth {
    /// Returns the state before the first request: nothing is known.
    pub fn new(registry: &str, keychain: Arc<Keychain>) -> Self {
        Self {
            registry: registry.to_owned(),
            keychain,
            is_anonymous: false,
            scheme: Mutex::new(Scheme::Unasked),
            failing_since: Mutex::default(),
            expected: Mutex::default(),
            groups: Mutex::default(),
            tokens: Tokens::default(),
            standing: Mutex::default(),
        }
    }

    /// Returns the same for a registry to which no credential is sent.
    pub fn without_login(registry: &str, keychain: Arc<Keychain>) -> Self {
        Self {
            is_anonymous: true,
            ..Self::new(registry, keychain)
        }
    }

    /// Announces repositories that will be requested, so that some can share a token.
    pub fn expect(&self, repositories: impl IntoIterator<Item = String>) {
        lock(&self.expected).extend(repositories);
    }

    /// Returns the authorization for a request to a repository, as far as is known what the registry demands. Several tasks may have logins
    /// for one repository: if one is refused, the next one is tried, so that no task depends on the login of another.
    pub async fn authorize<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
    ) -> Result<Authorization, LookupError> {
        self.forget_failing_scheme();
        loop {
            match self.authorize_by_login(request).await {
                Err(error) if error.is_refused() => {
                    let mut logins = request.logins();
                    if !logins.pass(Some(error.clone())) {
                        return Err(logins.refusal.take().unwrap_or(error));
                    }
                }
                other => return other,
            }
        }
    }

    async fn authorize_by_login<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
    ) -> Result<Authorization, LookupError> {
        let scheme = lock(&self.scheme).clone();
        match scheme {
            Scheme::Unasked | Scheme::Silent => Ok(Authorization::Nothing),
            Scheme::Basic => self.basic(request).await,
            Scheme::Bearer(realm) if *request.access != Access::Pull => {
                let scopes = lock(&self.groups).to_write(request.repository, request.access);
                let breadth = ScopeOrigin::Alone { after_group: false };
                self.token(request, realm, scopes, breadth).await
            }
            Scheme::Bearer(realm) => {
                let scopes = self.scopes(request)?;
                let breadth = match scopes.len() {
                    0 | 1 => ScopeOrigin::Alone { after_group: false },
                    _ => ScopeOrigin::Group,
                };
                self.token(request, realm, scopes, breadth).await
            }
        }
    }

    /// Returns the authorization to try after a 401 or 403 for `authorization`, or `None` if all have been tried.
    pub async fn next<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
        authorization: &Authorization,
        response: &Response,
    ) -> Result<Option<Authorization>, LookupError> {
        let next = self.next_by_login(request, authorization, response).await;
        let refusal = match next {
            Err(error) if error.is_refused() => Some(error),
            Ok(None) => None,
            other => return other,
        };
        // Docker Hub answers a token with this for what does not exist, too.
        let is_no_refusal =
            self.registry == DOCKER_HUB && matches!(authorization, Authorization::Token { .. });
        let kept = refusal
            .clone()
            .or_else(|| (!is_no_refusal).then(|| request.refused(authorization.login(), response)));
        {
            let mut logins = request.logins();
            if !logins.pass(kept) {
                return match logins.refusal.take().or(refusal) {
                    Some(refusal) => Err(refusal),
                    None => Ok(None),
                };
            }
        }
        self.authorize(request).await.map(Some)
    }

    /// Returns the authorization to try next with the same login, as [`Self::next`].
    async fn next_by_login<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
        authorization: &Authorization,
        response: &Response,
    ) -> Result<Option<Authorization>, LookupError> {
        match authorization {
            Authorization::Nothing if response.status == 401 => {
                self.learn(request, response).await?;
                let authorization = self.authorize(request).await?;
                Ok(Some(authorization)
                    .filter(|authorization| !matches!(authorization, Authorization::Nothing)))
            }
            Authorization::Basic {
                credential, login, ..
            } if response.status == 401 => {
                let error = request.refused(Some(login), response);
                self.refused(Some(credential.clone()), &error);
                self.fails();
                Err(error)
            }
            Authorization::Nothing | Authorization::Basic { .. } => Ok(None),
            Authorization::Token { .. } => self.next_token(request, authorization, response).await,
        }
    }

    /// Returns the next token to try: a new one after an old one, one for the repository alone after that of a group, and at last one for
    /// the scope in the challenge.
    async fn next_token<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
        authorization: &Authorization,
        response: &Response,
    ) -> Result<Option<Authorization>, LookupError> {
        let Authorization::Token {
            token,
            key,
            breadth,
            is_new,
            ..
        } = authorization
        else {
            return Ok(None);
        };
        let demand = challenge::select_challenge(&response.headers);
        let (error, scope) = match &demand {
            Some(SelectedChallenge::Bearer { error, scope, .. }) => {
                (error.as_deref().unwrap_or_default(), scope.clone())
            }
            _ => ("", None),
        };
        let is_stale = response.status == 401
            && !is_new
            && (*breadth != ScopeOrigin::Group || error == "invalid_token");
        let realm = Arc::clone(&key.realm);
        if is_stale {
            self.tokens.forget(key, token).await;
            let scopes = Arc::clone(&key.scopes);
            let mut renewed = self.token(request, realm, scopes, *breadth).await?;
            if let Authorization::Token { is_new, .. } = &mut renewed {
                // Another request may have renewed it, but this one renews a token once.
                *is_new = true;
            }
            return Ok(Some(renewed));
        }
        let (scopes, breadth) = match (breadth, scope) {
            (ScopeOrigin::Group, _) => {
                let alone = groups::alone(request.repository);
                (alone, ScopeOrigin::Alone { after_group: true })
            }
            (ScopeOrigin::Alone { .. }, Some(scope))
                if error == "insufficient_scope" && !key.scopes.contains(&scope) =>
            {
                (Arc::from([scope]), ScopeOrigin::Challenge)
            }
            _ => return self.instead_of_token(request, key, demand).await,
        };
        self.token(request, realm, scopes, breadth).await.map(Some)
    }

    /// Returns the authorization that a registry demands after it has refused every token: user and password, as Harbor does for its list
    /// of repositories. If it names another token service than before, the next request reads its challenge anew.
    async fn instead_of_token<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
        key: &TokenKey,
        demand: Option<SelectedChallenge>,
    ) -> Result<Option<Authorization>, LookupError> {
        match demand {
            Some(SelectedChallenge::Basic) => {
                let basic = self.basic(request).await?;
                if !matches!(basic, Authorization::Nothing) {
                    return Ok(Some(basic));
                }
            }
            Some(SelectedChallenge::Bearer { realm, service, .. }) => {
                let is_known = |url| Realm { url, service } == *key.realm;
                if !request.source.realm(&realm).is_ok_and(is_known) {
                    *lock(&self.scheme) = Scheme::Unasked;
                }
            }
            None => {}
        }
        self.keychain.forget(&self.registry);
        Ok(None)
    }

    /// Records that the registry accepted a credential.
    pub fn accepted(&self, authorization: &Authorization) {
        match authorization {
            Authorization::Basic { credential, .. } => self.works_with(Some(credential.clone())),
            Authorization::Token {
                breadth: ScopeOrigin::Alone { after_group: true },
                ..
            } => lock(&self.groups).refuse(),
            _ => {}
        }
    }

    /// Learns what a 401 without authorization demands. If it has no challenge, as gcr.io's once had none, the API itself is asked.
    async fn learn<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
        response: &Response,
    ) -> Result<(), LookupError> {
        let mut demand = challenge::select_challenge(&response.headers);
        if demand.is_none() && matches!(*lock(&self.scheme), Scheme::Unasked) {
            demand = challenge::select_challenge(&request.source.ping().await);
        }
        let learnt = match demand {
            None => Scheme::Silent,
            Some(SelectedChallenge::Basic) => Scheme::Basic,
            Some(SelectedChallenge::Bearer { realm, service, .. }) => {
                Scheme::Bearer(Arc::new(Realm {
                    url: request.source.realm(&realm)?,
                    service,
                }))
            }
        };
        let mut scheme = lock(&self.scheme);
        let is_kept = match &*scheme {
            Scheme::Unasked | Scheme::Silent => false,
            Scheme::Basic => matches!(learnt, Scheme::Silent),
            Scheme::Bearer(_) => true,
        };
        if !is_kept {
            *scheme = learnt;
            *lock(&self.failing_since) = None;
        }
        Ok(())
    }

    /// Forgets what the registry demands if it has accepted nothing for a while, so that the next request reads its challenge anew: an
    /// outage may have answered in its place, and it may have another token service now.
    fn forget_failing_scheme(&self) {
        let mut failing = lock(&self.failing_since);
        if failing.is_some_and(|since| since.elapsed() >= FRESH) {
            *failing = None;
            *lock(&self.scheme) = Scheme::Unasked;
        }
    }

    fn fails(&self) {
        lock(&self.failing_since).get_or_insert_with(Instant::now);
    }

    fn works_with(&self, credential: Option<Credential>) {
        *lock(&self.failing_since) = None;
        lock(&self.standing).insert(credential, CredentialStatus::Good);
    }

    async fn basic<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
    ) -> Result<Authorization, LookupError> {
        let found = self.login(request).await?;
        let Some(FoundLogin {
            credential, source, ..
        }) = found
        else {
            return Ok(Authorization::Nothing);
        };
        let Credential::Password { username, password } = &credential else {
            return Ok(Authorization::Nothing);
        };
        let header = token::basic(username, password);
        if let Some(refusal) = self.refusal(&Some(credential.clone())) {
            return Err(refusal.shared_with(&request.source.asked()));
        }
        Ok(Authorization::Basic {
            header,
            credential,
            login: source,
        })
    }

    async fn token<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
        realm: Arc<Realm>,
        scopes: Arc<[String]>,
        breadth: ScopeOrigin,
    ) -> Result<Authorization, LookupError> {
        let found = self.login(request).await?;
        let login = found.as_ref().map(|found| found.source.clone());
        let key = TokenKey {
            realm,
            scopes,
            credential: found.map(|found| found.credential),
        };
        if let Some(refusal) = self.refusal(&key.credential) {
            return Err(request.shared(&refusal));
        }
        // Boxed because it is rare: the state of each await makes each of a thousand concurrent looks larger.
        let ask = async || Box::pin(request.source.grant(&key, login.as_ref())).await;
        match self.tokens.get(&key, ask).await {
            Ok((token, is_new)) => {
                self.works_with(key.credential.clone());
                Ok(Authorization::Token {
                    token,
                    key,
                    breadth,
                    is_new,
                    login,
                })
            }
            Err(error) => {
                let is_of_group = breadth == ScopeOrigin::Group;
                let is_refused = match error.asked().status {
                    Some(401) if !is_of_group => true,
                    _ => {
                        let login = login.as_ref();
                        let asked = self.is_refused_altogether(request, &key, login, &error);
                        Box::pin(asked).await
                    }
                };
                let push = lock(&self.groups).to_write(request.repository, &Access::Push);
                if is_refused {
                    self.refused(key.credential, &error);
                } else if *request.access == Access::Delete
                    && error.asked().status == Some(400)
                    && key.scopes != push
                {
                    let granted = Box::pin(self.token(request, key.realm, push, breadth)).await?;
                    lock(&self.groups).refuse_delete();
                    return Ok(granted);
                } else if is_of_group && error.is_of_the_answer() {
                    // The cause may be a single denied repository, or one scope too many.
                    let alone = groups::alone(request.repository);
                    let breadth = ScopeOrigin::Alone { after_group: true };
                    return Box::pin(self.token(request, key.realm, alone, breadth)).await;
                }
                self.fails();
                Err(request.shared(&error))
            }
        }
    }

    /// Returns whether a token service that has refused a token refuses the credential altogether. It may only deny a repository: then it
    /// grants a token without any, as for `docker login`. Many services say 403 or 400 in both cases.
    async fn is_refused_altogether<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
        key: &TokenKey,
        login: Option<&LoginSource>,
        error: &LookupError,
    ) -> bool {
        let is_good = matches!(
            lock(&self.standing).get(&key.credential),
            Some(CredentialStatus::Good)
        );
        if key.credential.is_none() || is_good || !error.is_refused() {
            return false;
        }
        if key.scopes.is_empty() {
            return true;
        }
        let bare = TokenKey {
            scopes: groups::alone(""),
            ..key.clone()
        };
        let ask = async || Box::pin(request.source.grant(&bare, login)).await;
        match self.tokens.get(&bare, ask).await {
            Ok(_) => {
                lock(&self.standing).insert(bare.credential, CredentialStatus::Good);
                false
            }
            Err(error) => error.is_refused(),
        }
    }

    /// Returns why a credential gets no tokens at all, so that a wrong password is not tried for each of many repositories: some services
    /// lock out a client that does that.
    fn refusal(&self, credential: &Option<Credential>) -> Option<LookupError> {
        match lock(&self.standing).get(credential) {
            Some(CredentialStatus::Refused { since, error }) if since.elapsed() < FRESH => {
                Some(error.clone())
            }
            _ => None,
        }
    }

    /// Records that a credential was refused. If it was accepted before, only this repository is denied to it.
    fn refused(&self, credential: Option<Credential>, error: &LookupError) {
        let mut standing = lock(&self.standing);
        if !matches!(standing.get(&credential), Some(CredentialStatus::Good)) {
            self.keychain.forget(&self.registry);
            let refused = CredentialStatus::Refused {
                since: Instant::now(),
                error: error.clone(),
            };
            standing.insert(credential, refused);
        }
    }

    async fn login<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
    ) -> Result<Option<FoundLogin>, LookupError> {
        if self.is_anonymous {
            return Ok(None);
        }
        let from = request.logins().from;
        let found = self
            .keychain
            .find_from(from, &self.registry, request.repository)
            .await;
        let mut logins = request.logins();
        match found {
            Ok(found) => {
                logins.next = found.as_ref().and_then(|found| found.next);
                Ok(found)
            }
            Err(problem) => {
                let refusal = logins.refusal.take();
                Err(refusal.unwrap_or_else(|| request.unreadable(problem)))
            }
        }
    }

    /// Returns the scopes of the repository's group. Only repositories with the same credential share one.
    fn scopes<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
    ) -> Result<Arc<[String]>, LookupError> {
        let expected = std::mem::take(&mut *lock(&self.expected));
        let mut groups = lock(&self.groups);
        if !expected.is_empty() {
            let mut by_login: BTreeMap<Vec<LoginPlace>, Vec<&str>> = BTreeMap::new();
            for repository in &expected {
                let places = self.keychain.places(&self.registry, repository);
                let places = places.map_err(|problem| request.unreadable(problem))?;
                by_login.entry(places).or_default().push(repository);
            }
            for repositories in by_login.into_values() {
                groups.plan(repositories);
            }
        }
        Ok(groups.scopes(request.repository))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use reqwest::{
        Url,
        header::{HeaderMap, WWW_AUTHENTICATE},
    };

    use super::*;
    use crate::{
        registry::{problem::FailedRequest, problem::LookupFailure},
        sys::settings::Settings,
    };

    /// A token service that refuses everybody.
    struct Refusing;

    impl TokenSource for Refusing {
        fn asked(&self) -> FailedRequest {
            FailedRequest::default()
        }

        async fn ping(&self) -> HeaderMap {
            HeaderMap::new()
        }

        fn realm(&self, text: &str) -> Result<Url, LookupError> {
            Ok(text.parse().unwrap())
        }

        async fn grant(
            &self,
            _: &TokenKey,
            login: Option<&LoginSource>,
        ) -> Result<Token, LookupError> {
            let why = LookupFailure::Refused {
                login: login.cloned(),
            };
            let asked = FailedRequest {
                status: Some(401),
                ..FailedRequest::default()
            };
            Err(LookupError::unknown(why, asked))
        }
    }

    #[tokio::test]
    async fn challenge_is_read_again_a_while_after_the_token_service_has_refused_everything() {
        let keychain = Keychain::new(&Settings::default(), Vec::new());
        let auth = Auth::new("r.example", Arc::new(keychain));
        let (access, logins) = (Access::Pull, Mutex::default());
        let request = AuthRequest {
            repository: "base",
            access: &access,
            source: &Refusing,
            logins: &logins,
        };
        let demand = r#"Bearer realm="https://auth.example/""#;
        let response = Response {
            status: 401,
            headers: [(WWW_AUTHENTICATE, demand.parse().unwrap())]
                .into_iter()
                .collect(),
            body: Vec::new(),
            http2: false,
            rest: None,
        };
        for _ in 0..2 {
            let first = auth.authorize(&request).await;
            assert!(matches!(first, Ok(Authorization::Nothing)));
            let next = auth.next(&request, &Authorization::Nothing, &response);
            assert!(next.await.is_err_and(|error| error.is_refused()));
            assert!(auth.authorize(&request).await.is_err(), "asks nobody");
            *lock(&auth.failing_since) = Instant::now().checked_sub(FRESH);
        }
    }
}
