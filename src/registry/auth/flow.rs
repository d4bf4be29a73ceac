//! How a registry is entered: what its first 401 taught, which token or login goes with a request,
//! and what is tried next when that was not enough.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use reqwest::header::HeaderValue;

use crate::registry::{
    credentials::{
        credential::Credential,
        keychain::{FRESH, FoundLogin, Keychain, LoginPlace},
    },
    problem::LookupError,
    transport::{http_client::Response, request_spec::Access},
};

use super::{
    challenge::{self, Demand},
    groups::{self, Groups},
    request::{AuthRequest, TokenSource},
    token::{self, Realm, Token, TokenKey, Tokens},
};

/// What one registry wants to be entered with, as far as it is known, and what there is to enter with.
pub struct Auth {
    registry: String,
    keychain: Arc<Keychain>,
    is_anonymous: bool,
    /// The first challenge decides, for as long as this process lasts: a login goes to the service that
    /// the registry named first, and to no other.
    scheme: Mutex<Scheme>,
    /// Repositories that will be asked for, and have no group yet.
    expected: Mutex<Vec<String>>,
    groups: Mutex<Groups>,
    tokens: Tokens,
    /// What token services think of each login, and of none.
    standing: Mutex<HashMap<Option<Credential>, CredentialStatus>>,
}

enum CredentialStatus {
    Good,
    Refused { since: Instant, error: LookupError },
}

#[derive(Clone)]
enum Scheme {
    Unasked,
    /// Nothing was demanded, not even by the API itself.
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
        /// Where it is kept.
        login: String,
    },
    Token {
        token: Arc<Token>,
        /// What it was asked for.
        key: TokenKey,
        /// For whom it was asked.
        breadth: ScopeOrigin,
        /// Whether it was granted only now, so that asking for another is of no use.
        is_new: bool,
        /// Where the login is kept that it was granted to, if it was to one.
        login: Option<String>,
    },
}

/// For whom a token was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeOrigin {
    /// For all repositories of a group.
    Group,
    /// For one repository.
    Alone {
        /// Because the group's token was not enough.
        after_group: bool,
    },
    /// For the scope that the registry itself named.
    Challenge,
}

impl Authorization {
    /// Returns the value of the `Authorization` header.
    pub fn header(&self) -> Option<&HeaderValue> {
        match self {
            Self::Nothing => None,
            Self::Basic { header, .. } => Some(header),
            Self::Token { token, .. } => Some(token.header()),
        }
    }

    /// Returns where the login is kept that stands behind it.
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Basic { login, .. } => Some(login),
            Self::Token { login, .. } => login.as_deref(),
        }
    }
}

impl Auth {
    /// Returns what is known before the first request: nothing.
    pub fn new(registry: &str, keychain: Arc<Keychain>) -> Self {
        Self {
            registry: registry.to_owned(),
            keychain,
            is_anonymous: false,
            scheme: Mutex::new(Scheme::Unasked),
            expected: Mutex::default(),
            groups: Mutex::default(),
            tokens: Tokens::default(),
            standing: Mutex::default(),
        }
    }

    /// Returns the same for a registry that gets no login.
    pub fn without_login(registry: &str, keychain: Arc<Keychain>) -> Self {
        Self {
            is_anonymous: true,
            ..Self::new(registry, keychain)
        }
    }

    /// Takes in which repositories will be asked for, so that some can share a token.
    pub fn expect(&self, repositories: impl IntoIterator<Item = String>) {
        lock(&self.expected).extend(repositories);
    }

    /// Returns what to enter a repository with, as far as is known how.
    pub async fn authorize<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
    ) -> Result<Authorization, LookupError> {
        let scheme = lock(&self.scheme).clone();
        match scheme {
            Scheme::Unasked | Scheme::Silent => Ok(Authorization::Nothing),
            Scheme::Basic => self.basic(request).await,
            Scheme::Bearer(realm) if *request.access != Access::Pull => {
                let scopes = groups::to_write(request.repository, request.access);
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

    /// Returns what to try after a 401 or 403 that came in spite of `authorization`, or nothing if all has been tried.
    pub async fn next<S: TokenSource>(
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
                let error = request.refused(login, response);
                self.refused(Some(credential.clone()), &error);
                Err(error)
            }
            Authorization::Nothing | Authorization::Basic { .. } => Ok(None),
            Authorization::Token { .. } => self.next_token(request, authorization, response).await,
        }
    }

    /// Returns the token to try after one that was not enough: a new one for an old one, one alone for that of
    /// a group, and at last one for the scope that the registry names itself.
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
        let (error, scope) = match challenge::demand(&response.headers) {
            Some(Demand::Bearer { error, scope, .. }) => (error.unwrap_or_default(), scope),
            _ => (String::new(), None),
        };
        let is_stale = response.status == 401
            && !is_new
            && (*breadth != ScopeOrigin::Group || error == "invalid_token");
        let (scopes, breadth) = match (breadth, scope) {
            _ if is_stale => {
                self.tokens.forget(key, token).await;
                (Arc::clone(&key.scopes), *breadth)
            }
            (ScopeOrigin::Group, _) => {
                let alone = groups::alone(request.repository);
                (alone, ScopeOrigin::Alone { after_group: true })
            }
            (ScopeOrigin::Alone { .. }, Some(scope))
                if error == "insufficient_scope" && !key.scopes.contains(&scope) =>
            {
                (Arc::from([scope]), ScopeOrigin::Challenge)
            }
            _ => {
                self.keychain.forget(&self.registry);
                return Ok(None);
            }
        };
        let realm = Arc::clone(&key.realm);
        self.token(request, realm, scopes, breadth).await.map(Some)
    }

    /// Takes in that the registry accepted a login.
    pub fn accepted(&self, authorization: &Authorization) {
        match authorization {
            Authorization::Basic { credential, .. } => {
                lock(&self.standing).insert(Some(credential.clone()), CredentialStatus::Good);
            }
            Authorization::Token {
                breadth: ScopeOrigin::Alone { after_group: true },
                ..
            } => lock(&self.groups).refuse(),
            _ => {}
        }
    }

    /// Takes in what the first 401 demands. Where it demands nothing, as gcr.io's once did, the API itself is asked.
    async fn learn<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
        response: &Response,
    ) -> Result<(), LookupError> {
        let mut demand = challenge::demand(&response.headers);
        if demand.is_none() && matches!(*lock(&self.scheme), Scheme::Unasked) {
            demand = challenge::demand(&request.source.ping().await);
        }
        let learnt = match demand {
            None => Scheme::Silent,
            Some(Demand::Basic) => Scheme::Basic,
            Some(Demand::Bearer { realm, service, .. }) => Scheme::Bearer(Arc::new(Realm {
                url: request.source.realm(&realm)?,
                service,
            })),
        };
        let mut scheme = lock(&self.scheme);
        if matches!(*scheme, Scheme::Unasked | Scheme::Silent) {
            *scheme = learnt;
        }
        Ok(())
    }

    async fn basic<S: TokenSource>(
        &self,
        request: &AuthRequest<'_, S>,
    ) -> Result<Authorization, LookupError> {
        let Some(FoundLogin { credential, place }) = self.login(request).await? else {
            return Ok(Authorization::Nothing);
        };
        let Credential::Password { username, password } = &credential else {
            return Ok(Authorization::Nothing);
        };
        let header = token::basic(username, password);
        if let Some(refusal) = self.refusal(&Some(credential.clone())) {
            return Err(request.shared(&refusal));
        }
        Ok(Authorization::Basic {
            header,
            credential,
            login: place,
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
        let login = found.as_ref().map(|found| found.place.clone());
        let key = TokenKey {
            realm,
            scopes,
            credential: found.map(|found| found.credential),
        };
        if let Some(refusal) = self.refusal(&key.credential) {
            return Err(request.shared(&refusal));
        }
        // Boxed, as all that is rare: what waits inside a look is kept for each of a thousand looks under way.
        let ask = async || Box::pin(request.source.grant(&key, login.as_deref())).await;
        match self.tokens.get(&key, ask).await {
            Ok((token, is_new)) => {
                lock(&self.standing).insert(key.credential.clone(), CredentialStatus::Good);
                Ok(Authorization::Token {
                    token,
                    key,
                    breadth,
                    is_new,
                    login,
                })
            }
            // One repository that is denied, or one scope too many, may be all that is wrong.
            Err(error) if breadth == ScopeOrigin::Group && error.is_of_the_answer() => {
                let alone = groups::alone(request.repository);
                let breadth = ScopeOrigin::Alone { after_group: true };
                Box::pin(self.token(request, key.realm, alone, breadth)).await
            }
            Err(error) => {
                if error.asked().status == Some(401) {
                    self.refused(key.credential, &error);
                }
                Err(request.shared(&error))
            }
        }
    }

    /// Returns why a login gets no tokens at all, so that a wrong password is not tried for each of many repositories:
    /// some services lock out a client that does.
    fn refusal(&self, credential: &Option<Credential>) -> Option<LookupError> {
        match lock(&self.standing).get(credential) {
            Some(CredentialStatus::Refused { since, error }) if since.elapsed() < FRESH => {
                Some(error.clone())
            }
            _ => None,
        }
    }

    /// Takes in that a login was refused. One that was good before is good, only not for that repository.
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
        let found = self.keychain.find(&self.registry, request.repository).await;
        found.map_err(|problem| request.unreadable(problem))
    }

    /// Returns the scopes of the group that the repository is in. Only repositories with the same login share one.
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
