//! One registry: its address, what was learnt of it, and its connections.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use reqwest::Url;
use tokio::sync::Semaphore;

use crate::{
    registry::{
        auth::flow::Auth,
        credentials::keychain::Keychain,
        login_server,
        memory::{head_trust::HeadTrust, learnt::Memory},
        problem::{FailedRequest, LookupError, LookupFailure},
        transport::{
            http_client::HttpClient,
            limits::{self, RequestLimits},
            url_policy::UrlPolicy,
        },
    },
    sys::{
        aliases::Aliases,
        clock::Clock,
        config::RegistrySettings,
        settings::{self, Settings},
    },
};

/// How many tokens are requested concurrently.
const TOKENS_AT_ONCE: usize = 16;

/// The most other registries that one redirects to.
const MAX_ELSEWHERE: usize = 16;

/// The API host of Docker Hub.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// A registry and what was learnt of it.
pub struct Host {
    /// The login server.
    pub registry: String,
    /// The limits of requests to it.
    pub limits: Arc<RequestLimits>,
    /// Whether its HEAD responses are reliable.
    pub heads: Arc<HeadTrust>,
    pub auth: Auth,
    keychain: Arc<Keychain>,
    /// The authentication of other registries that it redirects to, by their origins.
    elsewhere: Mutex<HashMap<String, Arc<Auth>>>,
    /// The clock of its pauses.
    pub clock: Clock,
    pub origin: Url,
    /// The rules for URLs that it names.
    pub guard: Arc<UrlPolicy>,
    /// The permits for concurrent token requests.
    pub token_slots: Semaphore,
    /// One connection each over HTTP/2; all but the first are used only for very many tags.
    connections: Vec<HttpClient>,
    /// For other servers that the registry names, over TLS: trusts the same authorities as for the registry, and sends no client
    /// certificate.
    foreign: HttpClient,
    /// For those of these servers that have TLS settings of their own in the config file, by their login servers.
    configured: HashMap<String, HttpClient>,
    aliases: Aliases,
}

/// Another registry than the original one. It has its own challenges, and gets only its own login.
pub struct RedirectedRegistry {
    /// Its login server.
    pub registry: String,
    pub auth: Arc<Auth>,
    /// The target of the redirect.
    pub url: Url,
}

impl Host {
    /// Creates a registry from the settings. No connection is opened yet.
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
            let asked = FailedRequest {
                registry: registry.to_owned(),
                ..FailedRequest::default()
            };
            LookupError::unknown(
                LookupFailure::Settings(format!("`{api}` is no host: {problem}")),
                asked,
            )
        })?;
        let host = origin.host_str().unwrap_or_default();
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
                .map(|_| HttpClient::new(&own, tls, Arc::clone(&guard)))
                .collect(),
            configured: configured(settings, &foreign, &guard),
            aliases: settings.aliases(),
            foreign: HttpClient::new(&foreign, true, Arc::clone(&guard)),
            registry: registry.to_owned(),
            clock: clock.clone(),
            origin,
            guard,
            token_slots: Semaphore::new(TOKENS_AT_ONCE),
        })
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Tells whether a URL is of the registry itself: the same scheme, host and port.
    pub fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.origin.origin()
    }

    /// Tells whether two URLs are of one registry, which may have several names.
    pub fn is_same_registry(&self, one: &Url, other: &Url) -> bool {
        let name = |url: &Url| self.aliases.registry(&login_server(url)).into_owned();
        name(one) == name(other)
    }

    /// Returns the registry at `url`, the target of a redirect: it gets the login for that registry, and none where the login could be read
    /// on its way.
    pub fn elsewhere(&self, url: &Url) -> RedirectedRegistry {
        let registry = login_server(url);
        let mut known = self
            .elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let origin = url.origin().ascii_serialization();
        let auth = known.get(&origin).cloned().unwrap_or_else(|| {
            let keychain = Arc::clone(&self.keychain);
            let is_private = url.scheme() == "https" || settings::is_loopback(&registry);
            let auth = Arc::new(if is_private {
                Auth::new(&registry, keychain)
            } else {
                Auth::without_login(&registry, keychain)
            });
            if known.len() >= MAX_ELSEWHERE {
                known.clear();
            }
            known.insert(origin, Arc::clone(&auth));
            auth
        });
        RedirectedRegistry {
            registry,
            auth,
            url: url.clone(),
        }
    }

    /// Returns the connection pool for a URL: only the registry itself gets its client certificate and its relaxed verification, and any
    /// other server those that the config file has for it.
    pub fn client_to(&self, url: &Url, connection: usize) -> &HttpClient {
        let own = self.connections.get(connection % limits::MAX_CONNECTIONS);
        own.filter(|_| self.is_own(url) || url.scheme() == "http")
            .unwrap_or_else(|| {
                let server = login_server(url);
                let configured = self.configured.get(self.aliases.registry(&server).as_ref());
                configured.unwrap_or(&self.foreign)
            })
    }
}

/// Returns the connection pools for servers with TLS settings of their own; `foreign` are the settings for all others.
fn configured(
    settings: &Settings,
    foreign: &RegistrySettings,
    guard: &Arc<UrlPolicy>,
) -> HashMap<String, HttpClient> {
    let aliases = settings.aliases();
    let registries = settings.config.registries.iter();
    let with_tls = registries.filter(|(_, own)| {
        own.ca_file.is_some() || own.client_certificate.is_some() || own.skip_verify
    });
    let clients = with_tls.map(|(name, own)| {
        let server = own.login_server.as_ref().unwrap_or(name);
        let own = RegistrySettings {
            ca_file: own.ca_file.as_ref().or(foreign.ca_file.as_ref()).cloned(),
            ..own.clone()
        };
        let client = HttpClient::new(&own, true, Arc::clone(guard));
        (aliases.registry(server).into_owned(), client)
    });
    clients.collect()
}

/// Returns the hosts, without ports, in the config file: the user vouches for their addresses.
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

/// Returns the hosts, without ports, of the proxies in the environment.
fn proxy_hosts(settings: &Settings) -> HashSet<String> {
    let urls = settings.proxies.iter().filter_map(|proxy| {
        if proxy.contains("://") {
            return Url::parse(proxy).ok();
        }
        Url::parse(&format!("http://{proxy}")).ok()
    });
    urls.filter_map(|url| url.host_str().map(str::to_owned))
        .collect()
}
