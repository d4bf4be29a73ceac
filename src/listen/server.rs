//! The server that takes webhooks in, on a thread of its own: senders get their answer at once, whatever the loop computes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header::ALLOW, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
};

use crate::{
    error::{Context as _, Error, Kind, Result},
    sys::{clock::Clock, secret::Secret},
};

use super::{
    body,
    inbox::{Counts, Inbox, Outcome},
    payload::{self, Told},
    proof::{self, Proof},
};

/// Connections that are served at once; others wait until one of these ends.
const CONNECTIONS: usize = 64;

/// How long a sender may take for the headers of a request, and how long a connection may be idle.
const HEADER_PATIENCE: Duration = Duration::from_secs(5);

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// The pause after a connection that could not be taken, as when there is no file descriptor left.
const BREATH: Duration = Duration::from_millis(100);

/// The name of the only source there is where the config file names none.
const ANYBODY: &str = "any";

/// Writes what is measured, for Prometheus.
pub type MetricsText = Arc<dyn Fn(&Counts) -> String + Send + Sync>;

/// Who sends to one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// What a sender must know.
    pub secret: Option<Secret>,
    /// What tasks call the registry whose events come here; `None` where the events say it.
    pub registry: Option<String>,
}

/// All who may send, by the last part of their path, `/hooks/NAME`. With none, everybody on this machine may, to any path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<String, Source>);

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    site: Arc<Site>,
    _stop: oneshot::Sender<()>,
}

/// What all requests share.
struct Site {
    sources: RwLock<Sources>,
    inbox: Inbox,
    metrics: MetricsText,
    clock: Clock,
}

impl Sources {
    /// Takes up sources.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] for a name that no path can have.
    pub fn new(sources: BTreeMap<String, Source>) -> Result<Self> {
        let fits = |name: &&String| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        match sources.keys().find(|name| !fits(name)) {
            None => Ok(Self(sources)),
            Some(name) => Err(Error::new(
                Kind::Invalid,
                format!(
                    "webhook source `{}` must be letters, digits, `.`, `_` or `-`: it is the end of a path",
                    name.escape_debug()
                ),
            )),
        }
    }

    fn find(&self, name: Option<&str>) -> Option<(String, Source)> {
        if self.0.is_empty() {
            return Some((ANYBODY.to_owned(), Source::default()));
        }
        let (name, source) = self.0.get_key_value(name?)?;
        Some((name.clone(), source.clone()))
    }

    /// Refuses to let in strangers: beyond this machine's loopback, every source needs a secret.
    fn admit_no_strangers(&self, address: SocketAddr) -> Result<()> {
        if address.ip().is_loopback() {
            return Ok(());
        }
        let open = self.0.iter().find(|(_, source)| source.secret.is_none());
        let problem = match open {
            Some((name, _)) => format!("webhook source `{name}` has no secret"),
            None if self.0.is_empty() => "no webhook source has a secret".to_owned(),
            None => return Ok(()),
        };
        Err(Error::new(
            Kind::Invalid,
            format!(
                "cannot listen on `{address}`, where others than this machine can send: {problem}"
            ),
        )
        .hint(
            "give each source under `listen` in the config file a `secret`, or listen on 127.0.0.1",
        ))
    }
}

impl Server {
    /// Begins to listen. With port 0 the machine chooses one.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where strangers could send; [`Kind::Failed`] where the address cannot be had.
    pub fn start(
        address: SocketAddr,
        sources: Sources,
        clock: Clock,
        metrics: MetricsText,
    ) -> Result<Self> {
        sources.admit_no_strangers(address)?;
        let cannot = || format!("cannot listen on `{address}`");
        let listener = std::net::TcpListener::bind(address).context(Kind::Failed, cannot)?;
        listener
            .set_nonblocking(true)
            .context(Kind::Failed, cannot)?;
        let bound = listener.local_addr().context(Kind::Failed, cannot)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(Kind::Failed, cannot)?;
        let site = Arc::new(Site {
            sources: RwLock::new(sources),
            inbox: Inbox::default(),
            metrics,
            clock,
        });
        let (stop, stopped) = oneshot::channel();
        let serving = site.clone();
        std::thread::Builder::new()
            .name("listen".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, serving) => {}
                        // Its sender never sends: it is dropped with the server.
                        _ = stopped => {}
                    }
                });
            })
            .context(Kind::Failed, cannot)?;
        Ok(Self {
            address: bound,
            site,
            _stop: stop,
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where hints come in.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.site.inbox
    }

    /// Lets other sources send from now on.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where strangers could send; then those that were there still may.
    pub fn replace(&self, sources: Sources) -> Result<()> {
        sources.admit_no_strangers(self.address)?;
        *self
            .site
            .sources
            .write()
            .unwrap_or_else(PoisonError::into_inner) = sources;
        Ok(())
    }
}

async fn serve(listener: std::net::TcpListener, site: Arc<Site>) {
    // It was made ready for this, and fails only outside of an event loop.
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let clock = site.clock.clone();
    let router = router(site);
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(slot) = free.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            clock.pause(BREATH).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_PATIENCE)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(stream), service);
            // A sender that breaks off has seen that itself.
            drop(connection.await);
            drop(slot);
        });
    }
}

fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/hooks", post(receive_unnamed).options(agree))
        .route("/hooks/{name}", post(receive).options(agree))
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(measured))
        .with_state(site)
}

async fn measured(State(site): State<Arc<Site>>) -> Response {
    let text = (site.metrics)(&site.inbox.counts());
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// Agrees to be sent events, as the web hook specification of CloudEvents asks before it sends any.
async fn agree(headers: HeaderMap) -> Response {
    let Some(origin) = headers.get("webhook-request-origin") else {
        return ([(ALLOW, "POST")], StatusCode::NO_CONTENT).into_response();
    };
    let origin_allowed = HeaderName::from_static("webhook-allowed-origin");
    let rate = [
        (ALLOW, "POST"),
        (HeaderName::from_static("webhook-allowed-rate"), "*"),
    ];
    ([(origin_allowed, origin.clone())], rate).into_response()
}

async fn receive_unnamed(State(site): State<Arc<Site>>, request: Request) -> Response {
    received(&site, None, request).await
}

async fn receive(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    received(&site, Some(&name), request).await
}

/// Takes in one request. Whoever knows the secret gets an answer of success, whatever was sent: to an error, Docker Distribution sends the
/// same event for ever and no other, and Quay and GitLab give up.
async fn received(site: &Site, name: Option<&str>, request: Request) -> Response {
    let found = site
        .sources
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .find(name);
    let Some((name, source)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let now = site.clock.now();
    let note = |outcome, hints| site.inbox.put(&name, outcome, hints, now);
    let (parts, body) = request.into_parts();
    let proof = source.secret.as_ref().map(|secret| {
        let query = parts.uri.query().unwrap_or_default();
        (secret, Proof::of(secret, &parts.headers, query))
    });
    if let Some((_, Proof::Missing)) = proof {
        note(Outcome::Refused, Vec::new());
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let body = match body::read(&parts.headers, body).await {
        Ok(body) => body,
        Err(status) => {
            note(Outcome::CutShort, Vec::new());
            return status.into_response();
        }
    };
    if let Some((secret, Proof::Signed(signature))) = &proof
        && !proof::is_signed(secret, signature, &body)
    {
        note(Outcome::Refused, Vec::new());
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let told = body::json(&parts.headers, &body)
        .map(|json| payload::read(&parts.headers, &json, source.registry.as_deref()));
    match told {
        Some(Ok(Told::Hints(hints))) if !hints.is_empty() => {
            note(Outcome::Hinted, hints);
            StatusCode::ACCEPTED.into_response()
        }
        Some(Ok(Told::Hints(_))) => {
            note(Outcome::Ignored, Vec::new());
            StatusCode::OK.into_response()
        }
        Some(Ok(Told::Validation(code))) => {
            note(Outcome::Ignored, Vec::new());
            Json(json!({"validationResponse": code})).into_response()
        }
        None | Some(Err(payload::NotUnderstood)) => {
            note(Outcome::NotUnderstood, Vec::new());
            StatusCode::OK.into_response()
        }
    }
}
