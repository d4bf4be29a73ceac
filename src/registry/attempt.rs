//! One try at a question: the request, and all that challenge, tokens and redirects make of it.

use reqwest::{
    Method, Request, Url,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION},
};

use std::sync::Arc;

use super::{
    auth::{Auth, Authorization},
    error_text::bare,
    host::{Failure, Host, told},
    http_client::{Body, Response},
    manifest,
    problem::{Asked, LookupError, LookupFailure},
    request_spec::{Access, RequestSpec},
};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

/// How many requests one try may take: redirects, a challenge, and the passes that may be tried after it.
const MAX_STEPS: usize = 8;

/// A question on its way: what it needs to get in, and the words for what goes wrong.
pub struct Attempt<'a> {
    /// The registry.
    pub host: &'a Host,
    request_spec: &'a RequestSpec,
    repository: String,
    /// Where a redirect has led to another registry.
    elsewhere: Option<Box<Elsewhere>>,
}

/// Another registry than the one that was asked. It has challenges of its own, and gets no login but its own.
struct Elsewhere {
    registry: String,
    auth: Arc<Auth>,
    url: Url,
}

impl<'a> Attempt<'a> {
    /// Returns a question that is about to be asked.
    pub fn new(host: &'a Host, request_spec: &'a RequestSpec) -> Self {
        Self {
            host,
            request_spec,
            repository: request_spec.repository.clone(),
            elsewhere: None,
        }
    }

    /// Returns the repository in question; another one than was asked for, if the registry redirected us.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns what is to be allowed there.
    pub fn access(&self) -> &Access {
        self.request_spec.access()
    }

    /// Makes one try: as many requests as challenge, tokens and redirects take. `pass` is what got in, or did not.
    ///
    /// # Errors
    ///
    /// Why there is no answer, final or not.
    pub async fn go(&mut self, pass: &mut Authorization) -> Result<Response, Failure> {
        let host = self.host;
        let mut url = host.url_of(self.request_spec);
        *pass = host.auth.pass(self).await.map_err(Failure::Final)?;
        let mut redirects = 0;
        for _ in 0..MAX_STEPS {
            let is_here = self.origin().origin() == url.origin();
            let response = self.send(&url, pass.header().filter(|_| is_here)).await?;
            match response.status {
                301 | 302 | 303 | 307 | 308 if redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    url = self.redirected(&url, &response).map_err(Failure::Final)?;
                    if self.moves_to(&url) {
                        *pass = self.auth().pass(self).await.map_err(Failure::Final)?;
                    }
                }
                401 | 403 if is_here => {
                    let next = Box::pin(self.auth().next(self, pass, &response)).await;
                    match next.map_err(Failure::Final)? {
                        Some(next) => *pass = next,
                        None => return Ok(response),
                    }
                }
                status => {
                    if status < 400 {
                        self.auth().accepted(pass);
                    }
                    return Ok(response);
                }
            }
        }
        let asked = self.asked(self.request_spec.verb(), &url);
        let problem = "it sends us round in circles".to_owned();
        Err(Failure::Final(LookupError::unknown(
            LookupFailure::BadReply(problem),
            asked,
        )))
    }

    async fn send(
        &self,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Failure> {
        let broken = |broken| Failure::TransportError(broken, url.clone());
        let http_client = self.host.client_to(url, self.request_spec.connection);
        http_client.client().map_err(broken)?;
        let mut request = Request::new(self.request_spec.method.clone(), url.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(manifest::ACCEPT));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let mut limit = Body::UpTo(self.request_spec.cap);
        if let Some(more) = &self.request_spec.more {
            request.headers_mut().extend(more.headers.clone());
            if writes(&self.request_spec.method) {
                *request.body_mut() = Some(more.body.clone().into());
            }
            if more.leaves_body {
                limit = Body::Left;
            }
        }
        http_client.send(request, limit).await.map_err(broken)
    }

    /// Asks the API of the registry, and returns the headers of its answer; none, if there is none.
    pub async fn ping(&self) -> HeaderMap {
        let api = RequestSpec::api();
        let ping = Attempt::new(self.host, &api);
        let mut url = self.origin().clone();
        url.set_path(&api.path());
        url.set_query(None);
        match ping.send(&url, None).await {
            Ok(response) => response.headers,
            Err(_) => HeaderMap::new(),
        }
    }

    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, LookupError> {
        let location = response
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let target = self.host.guard.redirect(from, location.unwrap_or_default());
        target.map_err(|forbidden| {
            let problem = format!("it redirects us to where it must not: {forbidden}");
            let asked = self.asked(self.request_spec.verb(), from);
            LookupError::unknown(LookupFailure::BadReply(problem), told(asked, response))
        })
    }

    /// Takes in where a redirect leads, and tells whether something else is needed to enter there: it may be another
    /// repository of the same registry, as of Harbor's proxies, or another registry, as behind names of one's own. Any other
    /// place is not entered, but read as it is.
    fn moves_to(&mut self, url: &Url) -> bool {
        let Some(repository) = self.repository_in(url).map(str::to_owned) else {
            return false;
        };
        let is_another = repository != self.repository;
        self.repository = repository;
        if self.origin().origin() == url.origin() {
            return is_another;
        }
        self.elsewhere = match self.host.is_own(url) {
            true => None,
            false => {
                let (registry, auth) = self.host.auth_elsewhere(url);
                let url = url.clone();
                Some(Box::new(Elsewhere {
                    registry,
                    auth,
                    url,
                }))
            }
        };
        true
    }

    /// Returns the repository in a URL that asks a registry for the same.
    fn repository_in<'u>(&self, url: &'u Url) -> Option<&'u str> {
        // Some registries have their API below a path of their own.
        let (_, path) = url.path().split_once("/v2/")?;
        match self.request_spec.repository.as_str() {
            "" => path.is_empty().then_some(""),
            _ => {
                let repository = path.strip_suffix(self.request_spec.thing.as_str())?;
                repository.strip_suffix('/')
            }
        }
    }

    fn auth(&self) -> &Auth {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(&self.host.auth, |elsewhere| &elsewhere.auth)
    }

    /// Returns where the registry is that is being entered.
    pub fn origin(&self) -> &Url {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(&self.host.origin, |elsewhere| &elsewhere.url)
    }

    /// Returns a failure that befell another question as this one's.
    pub fn shared(&self, error: &LookupError) -> LookupError {
        error.shared_by(&self.request_spec.image)
    }

    /// Says that the login for the registry cannot be read.
    pub fn unreadable(&self, problem: String) -> LookupError {
        LookupError::unknown(LookupFailure::Login(problem), self.asked_first(None))
    }

    /// Says that the registry does not take a login.
    pub fn refused(&self, login: &str, response: &Response) -> LookupError {
        let login = Some(login.to_owned());
        LookupError::unknown(
            LookupFailure::Refused { login },
            told(self.asked_first(None), response),
        )
    }

    /// Returns what was asked of the registry that was entered, before there was any challenge of it.
    pub fn asked_first(&self, status: Option<u16>) -> Asked {
        let asked = match &self.elsewhere {
            Some(elsewhere) => self.asked(self.request_spec.verb(), &elsewhere.url),
            None => self.asked(
                self.request_spec.verb(),
                &self.host.url_of(self.request_spec),
            ),
        };
        Asked { status, ..asked }
    }

    /// Returns what is asked of a place.
    pub fn asked(&self, method: &'static str, url: &Url) -> Asked {
        let elsewhere = self.elsewhere.as_ref();
        let registry = elsewhere.map_or(&self.host.registry, |elsewhere| &elsewhere.registry);
        Asked {
            registry: registry.clone(),
            image: self.request_spec.image.clone(),
            method,
            url: bare(url),
            status: None,
            said: None,
        }
    }
}

/// Tells whether a request has a body, be it an empty one: servers refuse those of this kind without a length.
fn writes(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT)
}
