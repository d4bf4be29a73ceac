//! One try at a question: the request, and all that challenge, tokens and redirects make of it.

use reqwest::{
    Method, Request, Url,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION},
};

use super::{
    auth::Pass,
    host::{Failure, Host, told},
    manifest,
    problem::{Asked, LookupError, Trouble},
    question::{Access, Question},
    wire::{Body, Reply},
    words::bare,
};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

/// How many requests one try may take: redirects, a challenge, and the passes that may be tried after it.
const MAX_STEPS: usize = 8;

/// A question on its way: what it needs to get in, and the words for what goes wrong.
pub struct Visit<'a> {
    /// The registry.
    pub host: &'a Host,
    question: &'a Question,
    repository: String,
}

impl<'a> Visit<'a> {
    /// Returns a question that is about to be asked.
    pub fn new(host: &'a Host, question: &'a Question) -> Self {
        Self {
            host,
            question,
            repository: question.repository.clone(),
        }
    }

    /// Returns the repository in question; another one than was asked for, if the registry redirected us.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns what is to be allowed there.
    pub fn access(&self) -> &Access {
        self.question.access()
    }

    /// Makes one try: as many requests as challenge, tokens and redirects take. `pass` is what got in, or did not.
    ///
    /// # Errors
    ///
    /// Why there is no answer, final or not.
    pub async fn go(&mut self, pass: &mut Pass) -> Result<Reply, Failure> {
        let host = self.host;
        let mut url = host.url_of(self.question);
        *pass = host.auth.pass(self).await.map_err(Failure::Told)?;
        let mut redirects = 0;
        for _ in 0..MAX_STEPS {
            let is_own = host.is_own(&url);
            let reply = self.send(&url, pass.header().filter(|_| is_own)).await?;
            match reply.status {
                301 | 302 | 303 | 307 | 308 if redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    url = self.redirected(&url, &reply).map_err(Failure::Told)?;
                    if host.is_own(&url) && self.moves_to(&url) {
                        *pass = host.auth.pass(self).await.map_err(Failure::Told)?;
                    }
                }
                401 | 403 if is_own => {
                    let next = Box::pin(host.auth.next(self, pass, &reply)).await;
                    match next.map_err(Failure::Told)? {
                        Some(next) => *pass = next,
                        None => return Ok(reply),
                    }
                }
                status => {
                    if status < 400 {
                        host.auth.accepted(pass);
                    }
                    return Ok(reply);
                }
            }
        }
        let asked = self.asked(self.question.verb(), &url);
        let problem = "it sends us round in circles".to_owned();
        Err(Failure::Told(LookupError::unknown(
            Trouble::BadReply(problem),
            asked,
        )))
    }

    async fn send(&self, url: &Url, authorization: Option<&HeaderValue>) -> Result<Reply, Failure> {
        let broken = |broken| Failure::Broken(broken, url.clone());
        let wire = self.host.wire_to(url, self.question.lane);
        wire.client().map_err(broken)?;
        let mut request = Request::new(self.question.method.clone(), url.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(manifest::ACCEPT));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let mut limit = Body::UpTo(self.question.cap);
        if let Some(more) = &self.question.more {
            request.headers_mut().extend(more.headers.clone());
            if writes(&self.question.method) {
                *request.body_mut() = Some(more.body.clone().into());
            }
            if more.leaves_body {
                limit = Body::Left;
            }
        }
        wire.send(request, limit).await.map_err(broken)
    }

    /// Asks the API of the registry, and returns the headers of its answer; none, if there is none.
    pub async fn ping(&self) -> HeaderMap {
        let api = Question::api();
        let ping = Visit::new(self.host, &api);
        match ping.send(&self.host.url_of(&api), None).await {
            Ok(reply) => reply.headers,
            Err(_) => HeaderMap::new(),
        }
    }

    fn redirected(&self, from: &Url, reply: &Reply) -> Result<Url, LookupError> {
        let location = reply
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let target = self.host.guard.redirect(from, location.unwrap_or_default());
        target.map_err(|forbidden| {
            let problem = format!("it redirects us to where it must not: {forbidden}");
            let asked = self.asked(self.question.verb(), from);
            LookupError::unknown(Trouble::BadReply(problem), told(asked, reply))
        })
    }

    /// Takes in that a redirect leads to another repository of the same registry, as Harbor's proxies do.
    fn moves_to(&mut self, url: &Url) -> bool {
        let path = url.path().strip_prefix("/v2/");
        let repository =
            path.and_then(|path| Some(path.rsplit_once(&format!("/{}", self.question.thing))?.0));
        match repository {
            Some(repository) if repository != self.repository => {
                repository.clone_into(&mut self.repository);
                true
            }
            _ => false,
        }
    }

    /// Returns a failure that befell another question as this one's.
    pub fn shared(&self, error: &LookupError) -> LookupError {
        error.shared_by(&self.question.image)
    }

    /// Says that the login for the registry cannot be read.
    pub fn unreadable(&self, problem: String) -> LookupError {
        LookupError::unknown(Trouble::Login(problem), self.asked_first(None))
    }

    /// Says that the registry does not take a login.
    pub fn refused(&self, login: &str, reply: &Reply) -> LookupError {
        let login = Some(login.to_owned());
        LookupError::unknown(
            Trouble::Refused { login },
            told(self.asked_first(None), reply),
        )
    }

    /// Returns what was asked before there was any challenge or redirect.
    pub fn asked_first(&self, status: Option<u16>) -> Asked {
        let asked = self.asked(self.question.verb(), &self.host.url_of(self.question));
        Asked { status, ..asked }
    }

    /// Returns what is asked of a place.
    pub fn asked(&self, method: &'static str, url: &Url) -> Asked {
        Asked {
            registry: self.host.registry.clone(),
            image: self.question.image.clone(),
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
