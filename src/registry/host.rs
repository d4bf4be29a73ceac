//! One registry: where it is, how it is spoken to, and every request to it, from the first try to the last.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Request, Url,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, DATE, HeaderValue, LOCATION, RETRY_AFTER},
};
use tokio::sync::Semaphore;

use crate::sys::{
    clock::Clock,
    settings::{self, RegistrySettings, Settings},
};

use super::{
    auth::{Auth, Pass},
    keychain::{Credential, Keychain},
    limits::Limits,
    manifest,
    problem::{Asked, LookupError, Trouble, bare, server_words},
    question::Question,
    reach::Guard,
    retry::{self, Verdict},
    token::{self, Key, Token},
    wire::{Broken, Reply, Wire, cap},
};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

/// How many requests one try may take: redirects, a challenge, and the passes that may be tried after it.
const MAX_STEPS: usize = 8;

/// Tokens that are asked for at the same time.
const TOKENS_AT_ONCE: usize = 16;

/// The host that speaks the protocol for Docker Hub.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// A registry and what was learnt about it.
pub struct Host {
    /// The login server.
    pub registry: String,
    /// How hard it is asked.
    pub limits: Limits,
    /// How it is entered.
    pub auth: Auth,
    clock: Clock,
    origin: Url,
    guard: Arc<Guard>,
    own: Wire,
    /// For places that the registry sends us to over TLS: trusts as the registry's settings say, and shows no certificate.
    foreign: Wire,
    token_slots: Semaphore,
    /// Whether its answers to HEAD are of no use: not known, without digest, or with a wrong one.
    reads_bodies: AtomicBool,
}

/// A question on its way: what it needs to get in, and the words for what goes wrong.
pub struct Visit<'a> {
    host: &'a Host,
    question: &'a Question,
    repository: String,
}

/// The answer to a question, whatever it says.
pub struct Answer {
    /// The answer.
    pub reply: Reply,
    /// What was asked, for messages.
    pub asked: Asked,
    /// Where the login is kept that was used, if one was.
    pub login: Option<String>,
    /// Whether a token was granted for it.
    pub had_token: bool,
}

/// Why one try has no answer.
enum Failure {
    Broken(Broken, Url),
    Told(LookupError),
}

/// What to do after a try.
enum After {
    Done(Reply),
    Failed(LookupError),
    Again(Duration),
}

impl Host {
    /// Returns a registry as the settings describe it. Nothing is opened yet.
    ///
    /// # Errors
    ///
    /// [`Trouble::Settings`] where its name is no host.
    pub fn new(
        registry: &str,
        settings: &Settings,
        clock: &Clock,
        keychain: Arc<Keychain>,
    ) -> Result<Self, LookupError> {
        let own = settings.registry(registry);
        let tls = !settings.is_plain_http(registry);
        let api = match registry {
            crate::image::reference::DOCKER_HUB => DOCKER_HUB_API,
            other => other,
        };
        let scheme = if tls { "https" } else { "http" };
        let origin = Url::parse(&format!("{scheme}://{api}/")).map_err(|problem| {
            let asked = Asked {
                registry: registry.to_owned(),
                ..Asked::default()
            };
            LookupError::unknown(
                Trouble::Settings(format!("`{api}` is no host: {problem}")),
                asked,
            )
        })?;
        let host = origin.host_str().unwrap_or_default();
        let loopback = settings::is_loopback(host);
        let guard = Arc::new(Guard::new(
            host,
            known_hosts(settings),
            proxy_hosts(settings),
        ));
        let foreign = RegistrySettings {
            ca_file: own.ca_file.clone(),
            ..RegistrySettings::default()
        };
        Ok(Self {
            limits: Limits::new(registry, &own),
            auth: Auth::new(registry, keychain),
            own: Wire::new(&own, tls, loopback, Arc::clone(&guard)),
            foreign: Wire::new(&foreign, true, loopback, Arc::clone(&guard)),
            registry: registry.to_owned(),
            clock: clock.clone(),
            origin,
            guard,
            token_slots: Semaphore::new(TOKENS_AT_ONCE),
            reads_bodies: AtomicBool::new(false),
        })
    }

    /// Tells whether documents must be read because what HEAD says is of no use.
    pub fn reads_bodies(&self) -> bool {
        self.reads_bodies.load(Ordering::Relaxed)
    }

    /// Takes in that what HEAD says is of no use, now and from now on.
    pub fn distrust_heads(&self) {
        self.reads_bodies.store(true, Ordering::Relaxed);
    }

    /// Returns the time by which its pauses count.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Asks until there is an answer, or no more sense in asking.
    ///
    /// # Errors
    ///
    /// Why there is no answer. An answer that is a refusal, or says that something is absent, is no error here.
    pub async fn ask(&self, question: &Question) -> Result<Answer, LookupError> {
        let shared = |told: LookupError| told.shared_by(&question.image);
        let _slot = self.limits.enter(&self.clock).await.map_err(shared)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let mut visit = Visit {
                host: self,
                question,
                repository: question.repository.clone(),
            };
            let mut pass = Pass::Nothing;
            let outcome = visit.go(&mut pass).await;
            let asked = visit.asked_first(None);
            match self.after(outcome, tries, asked.clone()) {
                After::Done(reply) => {
                    self.limits.answered(&reply);
                    return Ok(Answer {
                        asked: told(asked, &reply),
                        reply,
                        login: pass.login().map(str::to_owned),
                        had_token: matches!(pass, Pass::Token { .. }),
                    });
                }
                After::Failed(error) => return Err(error),
                After::Again(pause) => self.clock.sleep(pause).await,
            }
            self.limits.again(&self.clock).await.map_err(shared)?;
        }
    }

    /// Judges a try, and makes the registry be left alone where it asks for that or fails too often.
    fn after(&self, outcome: Result<Reply, Failure>, tries: usize, asked: Asked) -> After {
        match outcome {
            Ok(reply) => {
                let asked_pause = self.asked_pause(&reply);
                match retry::verdict(reply.status, asked_pause) {
                    Verdict::Final => After::Done(reply),
                    Verdict::Limited(pause) => self.limited(pause, tries, told(asked, &reply)),
                    Verdict::Again => match retry::pause(tries) {
                        Some(pause) => After::Again(pause),
                        None => After::Failed(self.limits.failed(self.now(), false, |until| {
                            LookupError::unknown(Trouble::Server { until }, told(asked, &reply))
                        })),
                    },
                }
            }
            Err(Failure::Told(error)) => After::Failed(error),
            Err(Failure::Broken(broken, url)) => self.broken(
                broken,
                tries,
                Asked {
                    url: bare(&url),
                    ..asked
                },
            ),
        }
    }

    fn limited(&self, asked_pause: Option<Duration>, tries: usize, asked: Asked) -> After {
        let pause = asked_pause.or_else(|| retry::pause(tries));
        let until = |pause: Duration| {
            let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::ZERO);
            self.now().saturating_add(pause).unwrap_or(Timestamp::MAX)
        };
        match pause.filter(|pause| *pause <= retry::PATIENCE && retry::pause(tries).is_some()) {
            Some(pause) => {
                self.limits.hold(until(pause), None);
                After::Again(retry::spread(pause))
            }
            None => {
                let until = until(asked_pause.unwrap_or(retry::UNNAMED_PAUSE));
                let error = LookupError::unknown(Trouble::Limited { until }, asked);
                self.limits.hold(until, Some(error.clone()));
                After::Failed(error)
            }
        }
    }

    fn broken(&self, broken: Broken, tries: usize, asked: Asked) -> After {
        let error = match broken {
            Broken::Network(error) => error,
            Broken::Settings(problem) => {
                return After::Failed(LookupError::unknown(Trouble::Settings(problem), asked));
            }
            other => {
                let problem = other.to_string();
                return After::Failed(LookupError::unknown(Trouble::BadReply(problem), asked));
            }
        };
        let trouble = retry::trouble(&error);
        if let Some(pause) = retry::pause(tries).filter(|_| trouble.is_worth(tries)) {
            return After::Again(pause);
        }
        let cause = Arc::new(error);
        let told = |_| LookupError::unknown(Trouble::Network(cause), asked);
        After::Failed(
            self.limits
                .failed(self.now(), trouble.is_of_the_host(), told),
        )
    }

    /// Returns the pause that an answer asks for, counted by the server's own clock where it tells the time.
    fn asked_pause(&self, reply: &Reply) -> Option<Duration> {
        let header = |name| reply.headers.get(name)?.to_str().ok();
        let now = header(DATE)
            .and_then(retry::http_date)
            .unwrap_or_else(|| self.now());
        retry::retry_after(header(RETRY_AFTER)?, now)
    }

    fn url_of(&self, question: &Question) -> Url {
        let mut url = self.origin.clone();
        url.set_path(&question.path());
        url
    }

    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.origin.origin()
    }

    /// Returns the pool for a place: what is not the registry itself gets neither its certificate nor its leniency.
    fn wire_to(&self, url: &Url) -> &Wire {
        match self.is_own(url) || url.scheme() == "http" {
            true => &self.own,
            false => &self.foreign,
        }
    }
}

impl Visit<'_> {
    /// Returns the repository in question; another one than was asked for, if the registry redirected us.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Makes one try: as many requests as challenge, tokens and redirects take. `pass` is what got in, or did not.
    async fn go(&mut self, pass: &mut Pass) -> Result<Reply, Failure> {
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
                    match host
                        .auth
                        .next(self, pass, &reply)
                        .await
                        .map_err(Failure::Told)?
                    {
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
        let wire = self.host.wire_to(url);
        wire.client().map_err(broken)?;
        let mut request = Request::new(self.question.method.clone(), url.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(manifest::ACCEPT));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        wire.send(request, self.question.cap).await.map_err(broken)
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

    /// Checks that the registry may have its tokens granted at `text`.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn realm(&self, text: &str) -> Result<Url, LookupError> {
        let host = self.host;
        host.guard.realm(&host.origin, text).map_err(|forbidden| {
            let problem = format!("it has its tokens granted where it must not: {forbidden}");
            LookupError::unknown(Trouble::BadReply(problem), self.asked_first(Some(401)))
        })
    }

    /// Asks a token service until it answers, or there is no more sense in asking.
    ///
    /// # Errors
    ///
    /// Why there is no token. `login` says where the login is kept that was refused.
    pub async fn grant(&self, key: &Key, login: Option<&str>) -> Result<Token, LookupError> {
        let verb = match key.credential {
            Some(Credential::Identity(_)) => "POST",
            _ => "GET",
        };
        let asked = self.asked(verb, &key.realm.url);
        if let Some(Credential::Token(secret)) = &key.credential {
            return Token::given(secret, Instant::now())
                .map_err(|problem| LookupError::unknown(Trouble::Login(problem), asked));
        }
        if key.credential.is_some() && self.is_overheard(&key.realm.url) {
            let problem = "its token service would get the login over plain http".to_owned();
            return Err(LookupError::unknown(Trouble::BadReply(problem), asked));
        }
        let _slot = self.host.token_slots.acquire().await;
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.ask_for_token(key).await;
            match self.host.after(outcome, tries, asked.clone()) {
                After::Done(reply) => return granted(&reply, asked, login),
                After::Failed(error) => return Err(error),
                After::Again(pause) => self.host.clock.sleep(pause).await,
            }
        }
    }

    async fn ask_for_token(&self, key: &Key) -> Result<Reply, Failure> {
        let url = &key.realm.url;
        let broken = |broken| Failure::Broken(broken, url.clone());
        let wire = self.host.wire_to(url);
        let request = token::request(wire.client().map_err(broken)?, key);
        let request = request.map_err(|error| broken(Broken::Network(error)))?;
        wire.send(request, cap::TOKEN).await.map_err(broken)
    }

    /// Tells whether a login sent to `url` could be read on its way: plain http, and to another machine than
    /// the registry, which the user has chosen to trust, and than this one.
    fn is_overheard(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "http"
            && self.host.origin.host_str() != Some(host)
            && !settings::is_loopback(host)
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
    fn asked_first(&self, status: Option<u16>) -> Asked {
        let asked = self.asked(self.question.verb(), &self.host.url_of(self.question));
        Asked { status, ..asked }
    }

    fn asked(&self, method: &'static str, url: &Url) -> Asked {
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

fn granted(reply: &Reply, asked: Asked, login: Option<&str>) -> Result<Token, LookupError> {
    let asked = told(asked, reply);
    match reply.status {
        200 => Token::parse(&reply.body, Instant::now())
            .map_err(|problem| LookupError::unknown(Trouble::BadReply(problem), asked)),
        400 | 401 | 403 => {
            let login = login.map(str::to_owned);
            Err(LookupError::unknown(Trouble::Refused { login }, asked))
        }
        _ => {
            let problem = "its token service answers with something else than a token".to_owned();
            Err(LookupError::unknown(Trouble::BadReply(problem), asked))
        }
    }
}

/// Adds what was answered.
fn told(asked: Asked, reply: &Reply) -> Asked {
    Asked {
        status: Some(reply.status),
        said: server_words(&reply.headers, &reply.body)
            .filter(|_| reply.status >= 400)
            .map(|(words, _)| words),
        ..asked
    }
}

/// Returns the hosts, without ports, that the config file names: the user vouches for where they are.
fn known_hosts(settings: &Settings) -> HashSet<String> {
    let registries = &settings.config.registries;
    let names = registries
        .iter()
        .flat_map(|(name, settings)| [Some(name), settings.login_server.as_ref()]);
    let urls = names
        .flatten()
        .filter_map(|name| Url::parse(&format!("https://{name}/")).ok());
    urls.filter_map(|url| url.host_str().map(str::to_owned))
        .collect()
}

/// Returns the hosts, without ports, of the proxies that the environment names.
fn proxy_hosts(settings: &Settings) -> HashSet<String> {
    let urls = settings
        .proxies
        .iter()
        .filter_map(|proxy| match proxy.contains("://") {
            true => Url::parse(proxy).ok(),
            false => Url::parse(&format!("http://{proxy}")).ok(),
        });
    urls.filter_map(|url| url.host_str().map(str::to_owned))
        .collect()
}
