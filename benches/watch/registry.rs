//! A registry that has every repository, each with one tag, and counts its requests.

use std::{
    collections::HashSet,
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use acrt::image::Digest;
use anyhow::Result;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{
        AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER,
        WWW_AUTHENTICATE,
    },
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use reqwest::Url;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    content::{self, Document},
    counts::{Counter, Counts, Kind},
    tokens::{self, Issuer},
};

/// How many streams a connection may have at once, as nginx allows.
pub const STREAMS: u32 = 128;

/// The `Authorization` of the only user, `bench` with the password `bench`.
const BASIC: &str = "Basic YmVuY2g6YmVuY2g=";

/// The authorization of a registry.
#[derive(Clone)]
pub enum Entry {
    /// None.
    Open,
    /// The password.
    Basic,
    /// A token of this issuer.
    Bearer(Arc<Issuer>),
}

/// The properties of a registry.
pub struct Setup {
    /// The TLS of the registry, if it has TLS.
    pub tls: Option<TlsAcceptor>,
    /// Its authorization.
    pub entry: Entry,
    /// Whether its tags name indexes; otherwise manifests.
    pub indexes: bool,
    /// How long it waits before each response.
    pub pause: Duration,
}

/// How a registry reacts to requests for manifests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temper {
    /// It responds.
    #[default]
    Even,
    /// It never responds.
    Hangs,
    /// It responds with a rate limit of an hour.
    Rests,
    /// It refuses the next HEAD.
    RefusesHead,
}

/// A running registry.
pub struct Registry {
    /// Its address, without delay.
    pub address: SocketAddr,
    content: Arc<Content>,
}

struct Content {
    setup: Setup,
    moved: Mutex<HashSet<String>>,
    temper: Mutex<Temper>,
    counter: Arc<Counter>,
}

impl Registry {
    /// Starts a registry in the event loop of `servers`.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub fn start(setup: Setup, servers: &Handle) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let registry = Self {
            address: listener.local_addr()?,
            content: Arc::new(Content {
                setup,
                moved: Mutex::default(),
                temper: Mutex::default(),
                counter: Arc::default(),
            }),
        };
        servers.spawn(accept(listener, Arc::clone(&registry.content)));
        Ok(registry)
    }

    /// Moves the tags of these repositories, and resets all others.
    pub fn move_only(&self, repositories: impl IntoIterator<Item = String>) {
        *self.content.moved() = repositories.into_iter().collect();
    }

    /// Changes how the registry reacts.
    pub fn behave(&self, temper: Temper) {
        *self.content.temper() = temper;
    }

    /// Returns the kinds of all requests since the counts were last taken, in order.
    #[must_use]
    pub fn sequence(&self) -> Vec<Kind> {
        self.content.counter.sequence().clone()
    }

    /// Returns the counts since the last call, after all clients have disconnected.
    #[must_use]
    pub fn asked(&self) -> Counts {
        self.wait_until_left();
        self.content.counter.take()
    }

    /// Returns the time from the first request to the last, of those whose counts have not been taken.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.content.counter.span()
    }

    /// Waits until all connections are closed; with a delay, that is later than the client's end.
    fn wait_until_left(&self) {
        let patience = Instant::now() + Duration::from_secs(2);
        while self.content.counter.open() > 0 && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

async fn accept(listener: TcpListener, content: Arc<Content>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    while let Ok((stream, _)) = listener.accept().await {
        let content = Arc::clone(&content);
        let _ = stream.set_nodelay(true);
        let stream = content.counter.connection(stream);
        tokio::spawn(async move {
            match content.setup.tls.clone() {
                None => serve(stream, content).await,
                // Errors of the connection are ignored: the client may close it at any time.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, content).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, content: Arc<Content>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(STREAMS);
    let service = service_fn(move |request| {
        let content = Arc::clone(&content);
        async move { Ok::<_, Infallible>(content.answer(request).await) }
    });
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Content {
    fn moved(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn temper(&self) -> std::sync::MutexGuard<'_, Temper> {
        self.temper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the image config with this digest, if the repository has one.
    fn config(&self, path: &str) -> Option<Vec<u8>> {
        let (repository, digest) = path.strip_prefix("/v2/")?.rsplit_once("/blobs/")?;
        let moved = self.moved().contains(repository);
        let config = content::config(repository, moved);
        (Digest::of(&config).as_str() == digest).then_some(config)
    }

    fn document(&self, repository: &str) -> Document {
        let moved = self.moved().contains(repository);
        Document::of(repository, moved, self.setup.indexes)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let repository = path
            .strip_prefix("/v2/")
            .and_then(|path| Some(path.rsplit_once("/manifests/")?.0));
        let kind = match (request.method(), repository) {
            (&Method::HEAD, Some(_)) => Kind::Head,
            (&Method::GET, Some(_)) => Kind::Get,
            (&Method::GET, None) if path == "/v2/" => Kind::Ping,
            (&Method::GET, None) if path == "/token" => Kind::Token,
            _ => Kind::Other,
        };
        let _in_flight = self.counter.request(kind);
        if self.setup.pause.is_zero() {
            // Requests that have arrived at the same time are all counted before the first is answered.
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.setup.pause).await;
        }
        if kind == Kind::Token {
            return self.grant(&request);
        }
        if repository.is_some()
            && let Some(refusal) = self.refusal(kind).await
        {
            return refusal;
        }
        if !self.admits(request.headers(), repository) {
            return self.challenge(&request);
        }
        match repository {
            Some(repository) => {
                let document = self.document(repository);
                let length = document.body.len();
                let mut response = match kind {
                    Kind::Head => empty(StatusCode::OK),
                    _ => Response::new(Full::from(document.body)),
                };
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(document.kind));
                headers.insert(CONTENT_LENGTH, length.into());
                headers.insert("docker-content-digest", header(document.digest.to_string()));
                response
            }
            None if kind == Kind::Ping => empty(StatusCode::OK),
            None => match self.config(path) {
                Some(config) => Response::new(Full::from(config)),
                None => empty(StatusCode::NOT_FOUND),
            },
        }
    }

    /// Returns the response of a registry that does not answer normally.
    async fn refusal(&self, kind: Kind) -> Option<Response<Full<Bytes>>> {
        let temper = *self.temper();
        match temper {
            Temper::Even => None,
            Temper::Hangs => std::future::pending().await,
            Temper::Rests => {
                let mut response = empty(StatusCode::TOO_MANY_REQUESTS);
                response.headers_mut().insert(RETRY_AFTER, 3600.into());
                Some(response)
            }
            Temper::RefusesHead => (kind == Kind::Head).then(|| {
                *self.temper() = Temper::Even;
                empty(StatusCode::METHOD_NOT_ALLOWED)
            }),
        }
    }

    fn admits(&self, headers: &HeaderMap, repository: Option<&str>) -> bool {
        let shown = headers.get(AUTHORIZATION);
        let shown = shown.and_then(|shown| shown.to_str().ok());
        match &self.setup.entry {
            Entry::Open => true,
            Entry::Basic => shown == Some(BASIC),
            Entry::Bearer(_) => shown
                .and_then(|shown| shown.strip_prefix("Bearer "))
                .is_some_and(|token| repository.is_none_or(|name| tokens::grants(token, name))),
        }
    }

    fn challenge(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        self.counter.change(|counts| counts.challenges += 1);
        let words = match self.setup.entry {
            Entry::Bearer(_) => {
                // The realm is the address that the client uses: that of the delay, if there is one.
                let named = request
                    .headers()
                    .get(HOST)
                    .and_then(|host| host.to_str().ok());
                let authority = request.uri().authority().map(ToString::to_string);
                let host = authority.or(named.map(str::to_owned));
                format!(
                    "Bearer realm=\"{}://{}/token\",service=\"{}\"",
                    if self.setup.tls.is_some() {
                        "https"
                    } else {
                        "http"
                    },
                    host.unwrap_or_default(),
                    tokens::SERVICE
                )
            }
            _ => "Basic realm=\"bench\"".to_owned(),
        };
        let mut response = empty(StatusCode::UNAUTHORIZED);
        let headers = response.headers_mut();
        headers.insert(WWW_AUTHENTICATE, header(words));
        response
    }

    fn grant(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let Entry::Bearer(issuer) = &self.setup.entry else {
            return empty(StatusCode::NOT_FOUND);
        };
        let query = request.uri().query().unwrap_or_default();
        let Ok(url) = Url::parse(&format!("http://bench/?{query}")) else {
            return empty(StatusCode::BAD_REQUEST);
        };
        let scopes: Vec<String> = url
            .query_pairs()
            .filter(|(name, _)| name == "scope")
            .flat_map(|(_, scopes)| scopes.split(' ').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let count = scopes.len() as u64;
        self.counter
            .change(|counts| counts.most_scopes = counts.most_scopes.max(count));
        match issuer.grant(&scopes) {
            Ok(body) => Response::new(Full::from(body)),
            Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
