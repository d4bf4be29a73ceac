//! One try at a request, with its challenge, tokens and redirects.

use std::sync::Mutex;

use reqwest::{Method, Url, header::LOCATION};

use crate::registry::{
    auth::{
        flow::Authorization,
        request::{AuthRequest, LoginProgress},
    },
    header_text, login_server,
    problem::LookupError,
    transport::{
        http_client::{Response, with_response},
        request_spec::RequestSpec,
    },
};

use super::{destination::Destination, host::Host, outcome::AttemptFailure};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

/// The most HTTP requests of one try: redirects, a challenge, and the authorizations tried after it, of a few logins.
const MAX_STEPS: usize = 16;

/// A request in progress.
pub struct Attempt<'a> {
    pub destination: Destination<'a>,
    /// The present repository, which a redirect may have changed.
    repository: String,
    /// Which of its logins were tried.
    logins: Mutex<LoginProgress>,
}

impl<'a> Attempt<'a> {
    pub fn new(host: &'a Host, request_spec: &'a RequestSpec) -> Self {
        Self {
            destination: Destination::new(host, request_spec),
            repository: request_spec.repository.clone(),
            logins: Mutex::default(),
        }
    }

    /// Makes one try: as many HTTP requests as challenge, tokens and redirects take. Sets `authorization` to the last one used.
    pub async fn send(
        &mut self,
        authorization: &mut Authorization,
    ) -> Result<Response, AttemptFailure> {
        let Destination {
            host, request_spec, ..
        } = self.destination;
        let mut url = request_spec.url(&host.origin);
        *authorization = self.authorization().await.map_err(AttemptFailure::Final)?;
        let mut redirects = 0;
        for _ in 0..MAX_STEPS {
            let is_here = self.destination.is_at(&url);
            let request = request_spec.request(&url, authorization.header().filter(|_| is_here));
            let http_client = host.client_to(&url, request_spec.connection);
            let response = http_client.send(request, request_spec.wanted()).await;
            let response = response.map_err(AttemptFailure::at(&url))?;
            match response.status {
                301 | 302 | 303 | 307 | 308 if redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    url = self
                        .redirected(&url, &response)
                        .map_err(AttemptFailure::Final)?;
                    if self.moves_to(&url) {
                        *authorization =
                            self.authorization().await.map_err(AttemptFailure::Final)?;
                    }
                }
                401 | 403 if is_here => {
                    let next = Box::pin(self.next_authorization(authorization, &response)).await;
                    match next.map_err(AttemptFailure::Final)? {
                        Some(next) => *authorization = next,
                        None => return Ok(response),
                    }
                }
                404 if is_here && authorization.login().is_none() => {
                    // Without the login that was refused, a registry may say this of what it hides.
                    return match self.auth_request().logins().refusal.take() {
                        Some(refusal) => Err(AttemptFailure::Final(refusal)),
                        None => Ok(response),
                    };
                }
                // Storage refuses HEAD for a URL that is signed for GET, in words of its own; only GET tells more.
                400..=403 | 405..=407 | 411..=428
                    if !is_here && request_spec.method == Method::HEAD =>
                {
                    return Ok(Response {
                        status: 405,
                        ..response
                    });
                }
                status => {
                    if status < 400 {
                        self.destination.auth().accepted(authorization);
                    }
                    return Ok(response);
                }
            }
        }
        let asked = self.destination.asked(request_spec.verb(), &url);
        let problem = match redirects {
            0 => "it refuses each token that its token service grants".to_owned(),
            _ => "it redirects in a cycle".to_owned(),
        };
        Err(AttemptFailure::Final(LookupError::bad_reply(
            problem, asked,
        )))
    }

    /// Returns the authorization for the registry, as far as is known what it demands.
    pub async fn authorization(&self) -> Result<Authorization, LookupError> {
        let auth = self.destination.auth();
        auth.authorize(&self.auth_request()).await
    }

    /// Returns the authorization to try after a 401 or 403 for `authorization`, or `None` if all have been tried.
    pub async fn next_authorization(
        &self,
        authorization: &Authorization,
        response: &Response,
    ) -> Result<Option<Authorization>, LookupError> {
        let auth = self.destination.auth();
        auth.next(&self.auth_request(), authorization, response)
            .await
    }

    fn auth_request(&self) -> AuthRequest<'_, Destination<'a>> {
        AuthRequest {
            repository: &self.repository,
            access: self.destination.request_spec.access(),
            source: &self.destination,
            logins: &self.logins,
        }
    }

    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, LookupError> {
        let location = header_text(&response.headers, LOCATION).unwrap_or_default();
        let Destination {
            host, request_spec, ..
        } = self.destination;
        let verb = request_spec.verb();
        let problem = match host.guard.redirect(from, location) {
            // Else a registry could change another one with the login for that one.
            Ok(url)
                if !matches!(request_spec.method, Method::GET | Method::HEAD)
                    && !host.is_same_registry(from, &url) =>
            {
                let other = login_server(&url);
                format!("it redirects {verb} to another registry: use `{other}` in its place")
            }
            Ok(url) => return Ok(url),
            Err(forbidden) => format!("it redirects to a forbidden address: {forbidden}"),
        };
        let asked = with_response(self.destination.asked(verb, from), response);
        Err(LookupError::bad_reply(problem, asked))
    }

    /// Follows a redirect, and returns whether it needs another authorization: it may lead to another repository of the same registry, as
    /// with Harbor's proxies, or to another registry, as behind a custom domain. Any other place gets no authorization.
    fn moves_to(&mut self, url: &Url) -> bool {
        let Some(repository) = self.destination.request_spec.repository_in(url) else {
            return false;
        };
        let is_another = repository != self.repository;
        repository.clone_into(&mut self.repository);
        let moves = self.destination.moves_to(url) || is_another;
        if moves {
            self.logins = Mutex::default();
        }
        moves
    }
}
