//! One registry: where it is, how it is spoken to, and every request to it, from the first try to the last.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Url,
    header::{DATE, RETRY_AFTER},
};
use tokio::sync::Semaphore;

use crate::sys::{
    clock::Clock,
    settings::{self, RegistrySettings, Settings},
};

use super::{
    attempt::Attempt,
    auth::{Auth, Authorization},
    canonical,
    error_text::{bare, server_words},
    heads::Heads,
    http_client::{HttpClient, Response, TransportError},
    keychain::Keychain,
    limits::{self, Limits},
    memory::Memory,
    problem::{Asked, LookupError, LookupFailure},
    request_spec::RequestSpec,
    retry::{self, Verdict},
    url_policy::UrlPolicy,
};

/// Tokens that are asked for at the same time.
const TOKENS_AT_ONCE: usize = 16;

/// More registries than any sends us to.
const MAX_ELSEWHERE: usize = 16;

/// The host that speaks the protocol for Docker Hub.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// A registry and what was learnt about it.
pub struct Host {
    /// The login server.
    pub registry: String,
    /// How hard it is asked.
    pub limits: Arc<Limits>,
    /// Whether its answers to HEAD are of use.
    pub heads: Arc<Heads>,
    /// How it is entered.
    pub auth: Auth,
    keychain: Arc<Keychain>,
    /// How other registries are entered that it redirects us to, by their origins.
    elsewhere: Mutex<HashMap<String, Arc<Auth>>>,
    /// The time by which its pauses count.
    pub clock: Clock,
    /// Where it is.
    pub origin: Url,
    /// Where it may send us.
    pub guard: Arc<UrlPolicy>,
    /// The right to ask for one more token at the same time.
    pub token_slots: Semaphore,
    /// One connection each over HTTP/2, and all but the first only for very many tags.
    connections: Vec<HttpClient>,
    /// For places that the registry sends us to over TLS: trusts as the registry's settings say, and shows no certificate.
    foreign: HttpClient,
}

/// The answer to a question, whatever it says.
pub struct Answer {
    /// The answer.
    pub response: Response,
    /// What was asked, for messages.
    pub asked: Asked,
    /// Where the login is kept that was used, if one was.
    pub login: Option<String>,
    /// Whether a token was granted for it.
    pub had_token: bool,
}

/// Why one try has no answer.
pub enum Failure {
    /// An exchange with this place did not come to an end.
    TransportError(TransportError, Url),
    /// What came back is already understood.
    Final(LookupError),
}

/// What to do after a try.
pub enum After {
    /// The answer is there.
    Done(Response),
    /// There will be none.
    Failed(LookupError),
    /// Try again, after this pause.
    Again(Duration),
}

impl Host {
    /// Returns a registry as the settings describe it. Nothing is opened yet.
    ///
    /// # Errors
    ///
    /// [`LookupFailure::Settings`] where its name is no host.
    pub fn new(
        registry: &str,
        settings: &Settings,
        clock: &Clock,
        keychain: Arc<Keychain>,
        memory: &Memory,
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
                LookupFailure::Settings(format!("`{api}` is no host: {problem}")),
                asked,
            )
        })?;
        let host = origin.host_str().unwrap_or_default();
        let loopback = settings::is_loopback(host);
        let guard = Arc::new(UrlPolicy::new(
            host,
            known_hosts(settings),
            proxy_hosts(settings),
        ));
        let foreign = RegistrySettings {
            ca_file: own.ca_file.clone(),
            ..RegistrySettings::default()
        };
        let memory = memory.of(registry, &own);
        Ok(Self {
            limits: memory.limits,
            heads: memory.heads,
            auth: Auth::new(registry, Arc::clone(&keychain)),
            keychain,
            elsewhere: Mutex::default(),
            connections: (0..limits::MAX_CONNECTIONS)
                .map(|_| HttpClient::new(&own, tls, loopback, Arc::clone(&guard)))
                .collect(),
            foreign: HttpClient::new(&foreign, true, loopback, Arc::clone(&guard)),
            registry: registry.to_owned(),
            clock: clock.clone(),
            origin,
            guard,
            token_slots: Semaphore::new(TOKENS_AT_ONCE),
        })
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Asks until there is an answer, or no more sense in asking.
    ///
    /// # Errors
    ///
    /// Why there is no answer. An answer that is a refusal, or says that something is absent, is no error here.
    pub async fn ask(&self, request_spec: &RequestSpec) -> Result<Answer, LookupError> {
        let shared = |told: LookupError| told.shared_by(&request_spec.image);
        let _slot = self.limits.enter(&self.clock).await.map_err(shared)?;
        let answers = self.limits.answers();
        let mut tries = 0;
        loop {
            tries += 1;
            let mut attempt = Attempt::new(self, request_spec);
            let mut pass = Authorization::Nothing;
            let outcome = attempt.go(&mut pass).await;
            let asked = attempt.asked_first(None);
            match self.after(outcome, (tries, answers), asked.clone()) {
                After::Done(response) => {
                    self.limits.answered(&response);
                    return Ok(Answer {
                        asked: told(asked, &response),
                        response,
                        login: pass.login().map(str::to_owned),
                        had_token: matches!(pass, Authorization::Token { .. }),
                    });
                }
                After::Failed(error) => return Err(error),
                After::Again(pause) => self.clock.sleep(pause).await,
            }
            self.limits.again(&self.clock).await.map_err(shared)?;
        }
    }

    /// Judges a try, and makes the registry be left alone where it asks for that or fails too often. `answers` is how many answers there
    /// had been before the first try.
    pub fn after(
        &self,
        outcome: Result<Response, Failure>,
        (tries, answers): (usize, u64),
        asked: Asked,
    ) -> After {
        match outcome {
            Ok(response) => {
                let asked_pause = self.asked_pause(&response);
                match retry::verdict(response.status, asked_pause) {
                    Verdict::Final => After::Done(response),
                    Verdict::Limited(pause) => self.limited(pause, tries, told(asked, &response)),
                    Verdict::Again => match retry::pause(tries) {
                        Some(pause) => After::Again(pause),
                        None => After::Failed(self.limits.failed(
                            (self.now(), answers),
                            false,
                            |until| {
                                LookupError::unknown(
                                    LookupFailure::Server { until },
                                    told(asked, &response),
                                )
                            },
                        )),
                    },
                }
            }
            Err(Failure::Final(error)) => After::Failed(error),
            Err(Failure::TransportError(broken, url)) => self.broken(
                broken,
                (tries, answers),
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
                let error = LookupError::unknown(LookupFailure::Limited { until }, asked);
                self.limits.hold(until, Some(error.clone()));
                After::Failed(error)
            }
        }
    }

    fn broken(
        &self,
        broken: TransportError,
        (tries, answers): (usize, u64),
        asked: Asked,
    ) -> After {
        let error = match broken {
            TransportError::Network(error) => error,
            TransportError::Settings(problem) => {
                return After::Failed(LookupError::unknown(
                    LookupFailure::Settings(problem),
                    asked,
                ));
            }
            other => {
                let problem = other.to_string();
                return After::Failed(LookupError::unknown(
                    LookupFailure::BadReply(problem),
                    asked,
                ));
            }
        };
        let trouble = retry::trouble(&error);
        if let Some(pause) = retry::pause(tries).filter(|_| trouble.is_worth(tries)) {
            return After::Again(pause);
        }
        let cause = Arc::new(error);
        let told = |_| LookupError::unknown(LookupFailure::Network(cause), asked);
        After::Failed(
            self.limits
                .failed((self.now(), answers), trouble.is_of_the_host(), told),
        )
    }

    /// Returns the pause that an answer asks for, counted by the server's own clock where it tells the time.
    fn asked_pause(&self, response: &Response) -> Option<Duration> {
        let header = |name| response.headers.get(name)?.to_str().ok();
        let now = header(DATE)
            .and_then(retry::http_date)
            .unwrap_or_else(|| self.now());
        retry::retry_after(header(RETRY_AFTER)?, now)
    }

    /// Returns the URL of what is asked for.
    pub fn url_of(&self, request_spec: &RequestSpec) -> Url {
        let more = request_spec.more.as_ref();
        if let Some(url) = more.and_then(|more| more.url.clone()) {
            return url;
        }
        let mut url = self.origin.clone();
        url.set_path(&request_spec.path());
        url.set_query(
            more.map(|more| more.query.as_str())
                .filter(|it| !it.is_empty()),
        );
        url
    }

    /// Tells whether a URL is of the registry itself: the same scheme, host and port.
    pub fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.origin.origin()
    }

    /// Returns how the registry at `url` is entered, which this one redirected us to: with the login that there is for that
    /// one, and with none where it could be read on its way.
    pub fn auth_elsewhere(&self, url: &Url) -> (String, Arc<Auth>) {
        let host = url.host_str().unwrap_or_default();
        let name = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let name = canonical(&name).to_owned();
        let mut elsewhere = self
            .elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let origin = url.origin().ascii_serialization();
        if let Some(auth) = elsewhere.get(&origin) {
            return (name, Arc::clone(auth));
        }
        let auth = match url.scheme() == "https" || settings::is_loopback(host) {
            true => Auth::new(&name, Arc::clone(&self.keychain)),
            false => Auth::without_login(&name, Arc::clone(&self.keychain)),
        };
        let auth = Arc::new(auth);
        if elsewhere.len() >= MAX_ELSEWHERE {
            elsewhere.clear();
        }
        elsewhere.insert(origin, Arc::clone(&auth));
        (name, auth)
    }

    /// Returns the pool for a place: what is not the registry itself gets neither its certificate nor its leniency.
    pub fn client_to(&self, url: &Url, connection: usize) -> &HttpClient {
        let own = self.connections.get(connection % limits::MAX_CONNECTIONS);
        own.filter(|_| self.is_own(url) || url.scheme() == "http")
            .unwrap_or(&self.foreign)
    }
}

/// Adds what was answered.
pub fn told(asked: Asked, response: &Response) -> Asked {
    Asked {
        status: Some(response.status),
        said: server_words(&response.headers, &response.body)
            .filter(|_| response.status >= 400)
            .map(|(error_text, _)| error_text),
        ..asked
    }
}

/// Returns the hosts, without ports, that the config file names: the user vouches for where they are.
fn known_hosts(settings: &Settings) -> HashSet<String> {
    let registries = &settings.config.registries;
    let names = registries.iter().flat_map(|(name, own)| {
        std::iter::once(name)
            .chain(&own.login_server)
            .chain(&own.aliases)
    });
    let urls = names.filter_map(|name| Url::parse(&format!("https://{name}/")).ok());
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
