//! The HTTP server for webhooks and the status page, on a thread of its own: senders get their response at once, whatever the watch loop
//! does.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{ALLOW, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use hyper::{
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::oneshot,
};
use tokio_io_timeout::TimeoutStream;

use crate::{
    error::{Context as _, Error, Kind, Result},
    sys::{clock::Clock, loop_health::LoopHealth, secret::Secret},
};

use super::{
    access::{self, Access},
    body,
    connection_limiter::{ConnectionLimiter, Slot},
    inbox::{Counts, Inbox, Outcome},
    page::{self, Page, PageSource, Peer},
    payload::{self, ParsedWebhook},
    proof::{self, Proof},
};

/// The timeouts of a connection.
const PATIENCE: ClientTimeouts = ClientTimeouts {
    head: Duration::from_secs(5),
    write: Duration::from_secs(10),
    life: Duration::from_secs(60),
};

/// The most requests on one connection.
const REQUESTS: usize = 100;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// How many threads read files for the status page.
const BLOCKING: usize = 2;

/// The pause after a connection could not be accepted, as when file descriptors run out.
const BREATH: Duration = Duration::from_millis(100);

/// The name of the only source where the config file names none.
const ANYBODY: &str = "any";

/// The response for a path without a page.
const NO_PAGE: &str =
    "acrt listens here, and shows no page; to see one: acrt task watch --listen ADDRESS --page\n";

/// Writes the metrics in the format of Prometheus.
pub type MetricsText = Arc<dyn Fn(&Counts) -> String + Send + Sync>;

/// What the server shows besides its responses to webhooks.
#[derive(Clone)]
pub struct Pages {
    /// The metrics; `None` where the server has no watch loop, so that it accepts no webhooks either.
    pub metrics: Option<MetricsText>,
    /// The status page.
    pub page: Option<PageSource>,
    /// The health of the watch loop.
    pub loop_health: LoopHealth,
}

/// A sender of webhooks, with its own path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The secret that the sender must send.
    pub secret: Option<Secret>,
    /// The name in tasks of the registry whose events come here; `None` where the events have that name.
    pub registry: Option<String>,
}

/// All senders, by the last part of their path, `/hooks/NAME`. Without any, every program on this machine may send, to any path.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    named: BTreeMap<String, Source>,
    /// The secret that a reader of the metrics must send.
    metrics: Option<Secret>,
    /// Access to the status page.
    page: Option<Arc<Access>>,
}

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    site: Arc<ServerState>,
    _stop: oneshot::Sender<()>,
}

/// The timeouts for a client.
#[derive(Clone, Copy, Debug)]
struct ClientTimeouts {
    /// The timeout for the head of a request, and for an idle connection.
    head: Duration,
    /// The timeout for the client to take more bytes of a response.
    write: Duration,
    /// The longest life of a connection, whatever happens on it.
    life: Duration,
}

/// The state that all requests share.
struct ServerState {
    /// Whether the server is reachable from this machine only.
    is_local: bool,
    sources: RwLock<Sources>,
    inbox: Inbox,
    pages: Pages,
    clock: Clock,
}

impl ServerState {
    fn sources(&self) -> Sources {
        let sources = self.sources.read();
        sources.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sources {
    /// Sets the senders, and the secret for the metrics, if they need one.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] for a name that cannot be part of a path.
    pub fn new(sources: BTreeMap<String, Source>, metrics: Option<Secret>) -> Result<Self> {
        check_names(sources.keys())?;
        Ok(Self {
            named: sources,
            metrics,
            page: None,
        })
    }

    /// Adds the status page, with its access rules.
    #[must_use]
    pub fn with_page(self, access: Access) -> Self {
        Self {
            page: Some(Arc::new(access)),
            ..self
        }
    }

    fn find(&self, name: Option<&str>, is_local: bool) -> Option<(String, Source)> {
        if self.named.is_empty() {
            return is_local.then(|| (ANYBODY.to_owned(), Source::default()));
        }
        let (name, source) = self.named.get_key_value(name?)?;
        Some((name.clone(), source.clone()))
    }

    /// Returns the counts that a request may see, by the secrets in it: all with that of the metrics, those of a sender with the sender's
    /// secret, and those of senders without a secret. `None` where it may not see the metrics at all.
    fn visible(&self, counts: Counts, headers: &HeaderMap, query: &str) -> Option<Counts> {
        let shows = |secret: &Secret| Proof::of(secret, headers, query) == Proof::Secret;
        if self.metrics.as_ref().is_some_and(shows) {
            return Some(counts);
        }
        let secrets = self.named.values().filter_map(|it| it.secret.as_ref());
        let is_sender = secrets.clone().any(shows);
        let is_wrong = proof::is_shown(headers, query) && secrets.count() > 0;
        if (self.metrics.is_some() || is_wrong) && !is_sender {
            return None;
        }
        Some(counts.only(|name| match self.named.get(name) {
            Some(source) => source.secret.as_ref().is_none_or(shows),
            // A sender that was removed from the config file had a secret, or was any program.
            None => name == ANYBODY,
        }))
    }

    /// Refuses to serve strangers: beyond loopback, every sender needs a secret.
    fn require_secrets_beyond_loopback(&self, address: SocketAddr) -> Result<()> {
        if address.ip().is_loopback() {
            return Ok(());
        }
        if let Some(access) = &self.page
            && !access.requires_authentication()
        {
            return Err(Error::invalid(format!(
                    "cannot show the page on `{address}`, where others than this machine can see it: it names tasks and images, and asks for no token"
                ),
            )
            .hint("give `page.token` in the config file, name its proxy in `page.trustProxy`, or listen on 127.0.0.1"));
        }
        let open = self
            .named
            .iter()
            .find(|(_, source)| source.secret.is_none());
        let problem = match open {
            Some((name, _)) => format!("webhook source `{name}` has no secret"),
            // No senders are configured: the server is there for the status page.
            None if self.named.is_empty() && self.page.is_some() => return Ok(()),
            None if self.named.is_empty() => "no webhook source has a secret".to_owned(),
            None => return Ok(()),
        };
        Err(Error::invalid(format!(
            "cannot listen on `{address}`, where others than this machine can send: {problem}"
        ))
        .hint(
            "give each source under `listen` in the config file a `secret`, or listen on 127.0.0.1",
        ))
    }
}

impl Server {
    /// Begins to listen. With port 0 the system chooses a port.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where strangers could send; [`Kind::Failed`] where the address cannot be used.
    pub fn start(
        address: SocketAddr,
        sources: Sources,
        clock: Clock,
        pages: Pages,
    ) -> Result<Self> {
        sources.require_secrets_beyond_loopback(address)?;
        let cannot = || format!("cannot listen on `{address}`");
        let listener = std::net::TcpListener::bind(address).context(Kind::Failed, cannot)?;
        listener
            .set_nonblocking(true)
            .context(Kind::Failed, cannot)?;
        let bound = listener.local_addr().context(Kind::Failed, cannot)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // Logs are read on other threads, of which a few are enough.
            .max_blocking_threads(BLOCKING)
            .build()
            .context(Kind::Failed, cannot)?;
        let site = Arc::new(ServerState {
            is_local: bound.ip().is_loopback(),
            sources: RwLock::new(sources),
            inbox: Inbox::default(),
            pages,
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
                        // Nothing is sent on this channel: it is dropped with the server.
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

    /// Returns the address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the inbox of hints.
    pub fn inbox(&self) -> &Inbox {
        &self.site.inbox
    }

    /// Replaces the senders from now on.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where strangers could send; then the earlier senders stay.
    pub fn replace(&self, sources: Sources) -> Result<()> {
        sources.require_secrets_beyond_loopback(self.address)?;
        *self
            .site
            .sources
            .write()
            .unwrap_or_else(PoisonError::into_inner) = sources;
        Ok(())
    }
}

async fn serve(listener: std::net::TcpListener, site: Arc<ServerState>) {
    // The listener was prepared for this; it fails only outside of an event loop.
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let clock = site.clock.clone();
    let (router, limiter) = (router(site), ConnectionLimiter::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (router, limiter) = (router.clone(), limiter.clone());
                tokio::spawn(async move {
                    // Where too many wait already, the connection is closed.
                    if let Some(slot) = limiter.enter(peer.ip().into()).await {
                        attend(stream, peer.ip(), Arc::new(slot), router, PATIENCE).await;
                    }
                });
            }
            Err(_) => clock.pause(BREATH).await,
        }
    }
}

/// Serves one connection, until its time limit.
async fn attend(
    stream: impl AsyncRead + AsyncWrite,
    peer: IpAddr,
    slot: Arc<Slot>,
    router: Router,
    patience: ClientTimeouts,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience.write));
    let (router, known) = (TowerToHyperService::new(router), Arc::clone(&slot));
    let count = AtomicUsize::new(0);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Arc::clone(&known));
        request.extensions_mut().insert(Peer(peer));
        let is_last = count.fetch_add(1, Ordering::Relaxed) + 1 >= REQUESTS;
        let answer = router.call(request);
        async move {
            let mut answer = answer.await?;
            if is_last {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // A sender that closed the connection knows that itself.
        _ = connection.as_mut() => return,
        () = slot.cut() => return,
        () = tokio::time::sleep(patience.life) => {}
    }
    connection.as_mut().graceful_shutdown();
    // A response in progress is completed, if that takes no longer than a response may.
    drop(tokio::time::timeout(patience.write, connection).await);
}

/// Refuses a name of a webhook source that cannot be part of a path.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] with the name.
pub fn check_names<'n>(mut names: impl Iterator<Item = &'n String>) -> Result<()> {
    let fits = |name: &String| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        !name.is_empty() && name.bytes().all(is_plain)
    };
    match names.find(|name| !fits(name)) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!(
            "webhook source `{}` must be letters, digits, `.`, `_` or `-`: it is the end of a path",
            name.escape_debug()
        ))),
    }
}

fn router(site: Arc<ServerState>) -> Router {
    let router = Router::new().route("/healthz", get(healthy));
    let router = match &site.pages.metrics {
        None => router,
        Some(_) => router
            .route("/hooks", post(receive_unnamed).options(agree))
            .route("/hooks/{name}", post(receive).options(agree))
            .route("/metrics", get(measured)),
    };
    router.fallback(shown).with_state(site)
}

/// Serves all other paths: the status page, if there is one. It has none below `/hooks`, where a sender may be misspelled.
async fn shown(State(site): State<Arc<ServerState>>, request: Request) -> Response {
    let first = request
        .uri()
        .path()
        .split('/')
        .find(|part| !part.is_empty());
    if first == Some("hooks") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match (&site.pages.page, site.sources().page) {
        (Some(source), Some(access)) => {
            let page = Page {
                source,
                access: &access,
                now: site.clock.now(),
            };
            page::answer(page, request).await
        }
        _ if request.uri().path() == "/" => (StatusCode::NOT_FOUND, NO_PAGE).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Reports whether the watch loop is healthy, and if not, why.
async fn healthy(State(site): State<Arc<ServerState>>) -> Response {
    match site.pages.loop_health.trouble(site.clock.now()) {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn measured(State(site): State<Arc<ServerState>>, uri: Uri, request: Request) -> Response {
    let query = uri.query().unwrap_or_default();
    let Some(counts) = site
        .sources()
        .visible(site.inbox.counts(), request.headers(), query)
    else {
        let way = [(WWW_AUTHENTICATE, "Basic realm=\"acrt\"")];
        return (StatusCode::UNAUTHORIZED, way).into_response();
    };
    let text = site.pages.metrics.as_ref();
    let text = text.map_or_else(String::new, |text| text(&counts));
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// Accepts future events, as the web hook specification of CloudEvents asks before any are sent.
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

async fn receive_unnamed(State(site): State<Arc<ServerState>>, request: Request) -> Response {
    received(&site, None, request).await
}

async fn receive(
    State(site): State<Arc<ServerState>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    received(&site, Some(&name), request).await
}

/// Handles one webhook. A sender with the secret gets a success, whatever it sent: after an error, Docker Distribution repeats the same
/// event for ever and sends no other, and Quay and GitLab give up.
async fn received(site: &ServerState, name: Option<&str>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let found = site.sources().find(name, site.is_local);
    let Some((name, source)) = found else {
        body::discard(&parts.headers, body);
        return StatusCode::NOT_FOUND.into_response();
    };
    let now = site.clock.now();
    let note = |outcome, hints| site.inbox.put(&name, outcome, hints, now);
    if source.secret.is_none()
        && let Some(refusal) = access::refusal_of_website(&parts.headers)
    {
        body::discard(&parts.headers, body);
        return refusal.into_response();
    }
    let proof = source.secret.as_ref().map(|secret| {
        let query = parts.uri.query().unwrap_or_default();
        (secret, Proof::of(secret, &parts.headers, query))
    });
    if let Some((_, Proof::Missing)) = proof {
        note(Outcome::Refused, Vec::new());
        body::discard(&parts.headers, body);
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
    if let (Some(_), Some(slot)) = (&proof, parts.extensions.get::<Arc<Slot>>()) {
        slot.has_proven();
    }
    let json = body::json(&parts.headers, &body)
        .or_else(|| payload::needs_no_body(&parts.headers).then_some(Value::Null));
    let told = json.map(|json| payload::read(&parts.headers, &json, source.registry.as_deref()));
    match told {
        Some(Ok(ParsedWebhook::Hints(hints))) if !hints.is_empty() => {
            note(Outcome::Hinted, hints);
            StatusCode::ACCEPTED.into_response()
        }
        Some(Ok(ParsedWebhook::Hints(_))) => {
            note(Outcome::Ignored, Vec::new());
            StatusCode::OK.into_response()
        }
        Some(Ok(ParsedWebhook::Validation(code))) => {
            note(Outcome::Ignored, Vec::new());
            Json(json!({"validationResponse": code})).into_response()
        }
        None | Some(Err(payload::NotUnderstood)) => {
            note(Outcome::NotUnderstood, Vec::new());
            StatusCode::OK.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

    /// Timeouts that are short enough for a test.
    const SHORT: ClientTimeouts = ClientTimeouts {
        head: Duration::from_millis(200),
        write: Duration::from_millis(200),
        life: Duration::from_millis(600),
    };

    fn site() -> Router {
        let named = [("lan".to_owned(), Source::default())];
        router(Arc::new(ServerState {
            is_local: true,
            sources: RwLock::new(Sources::new(named.into(), None).unwrap()),
            inbox: Inbox::default(),
            pages: Pages {
                metrics: Some(Arc::new(|_| "up 1\n".repeat(1000))),
                page: None,
                loop_health: LoopHealth::new(
                    jiff::Timestamp::UNIX_EPOCH,
                    jiff::SignedDuration::MAX,
                ),
            },
            clock: Clock::System,
        }))
    }

    /// Serves one end of an in-memory connection with a small buffer, and returns how long the other end, `client`, kept it open.
    fn held(client: impl AsyncFnOnce(DuplexStream)) -> Duration {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (theirs, ours) = duplex(256);
            let limiter = ConnectionLimiter::default();
            let address: std::net::IpAddr = [127, 0, 0, 1].into();
            let slot = Arc::new(limiter.enter(address.into()).await.unwrap());
            let begun = Instant::now();
            let served = async {
                attend(ours, address, slot, site(), SHORT).await;
                begun.elapsed()
            };
            tokio::join!(served, client(theirs)).0
        })
    }

    /// Longer than any of the timeouts, for a busy machine, and finite.
    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn client_that_sends_slowly_is_disconnected_at_the_end_of_the_connection_lifetime() {
        let took = held(async |mut client| {
            let mut parts = HEALTH.chunks(HEALTH.len().div_ceil(3)).cycle();
            let mut answer = [0; 1024];
            loop {
                // Always within the timeout for a head.
                let pause = tokio::time::sleep(Duration::from_millis(20));
                tokio::select! {
                    read = client.read(&mut answer) => if !matches!(read, Ok(1..)) {
                        return;
                    },
                    () = pause => if client.write_all(parts.next().unwrap()).await.is_err() {
                        return;
                    },
                }
            }
        });
        assert!(took >= SHORT.life && took < SOON, "{took:?}");
    }

    #[test]
    fn client_that_never_reads_responses_is_disconnected() {
        let took = held(async |mut client| {
            // The pipe is full before all of it is sent.
            let asked = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(64);
            let _ = client.write_all(&asked).await;
        });
        assert!(took < SOON, "{took:?}");
    }

    #[test]
    fn client_that_sends_half_a_request_head_is_disconnected() {
        let took = held(async |mut client| {
            client.write_all(&HEALTH[..20]).await.unwrap();
            let _ = client.read_to_end(&mut Vec::new()).await;
        });
        assert!(took >= SHORT.head && took < SOON, "{took:?}");
    }

    proptest! {
        #[test]
        fn arbitrary_request_gets_a_response_or_is_closed(
            place in 0_usize..160, cut in 0_usize..20, put in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut sent = b"POST /hooks/lan?a=b HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n              d\r\n{\"events\":[]}\r\n0\r\n\r\n".to_vec();
            let place = place.min(sent.len());
            let end = (place + cut).min(sent.len());
            sent.splice(place..end, put);
            let took = held(async |mut client| {
                let _ = client.write_all(&sent).await;
                let _ = client.shutdown().await;
                let _ = client.read_to_end(&mut Vec::new()).await;
            });
            prop_assert!(took < SOON, "{:?}", took);
        }
    }

    fn seen(sources: &Sources, authorization: Option<&str>) -> Option<Vec<String>> {
        let inbox = Inbox::default();
        for name in ["lan", "hub", "open", "gone"] {
            inbox.put(
                name,
                Outcome::Ignored,
                Vec::new(),
                jiff::Timestamp::UNIX_EPOCH,
            );
        }
        let value = authorization.map(|text| {
            let name = axum::http::header::AUTHORIZATION;
            (name, HeaderValue::from_str(text).unwrap())
        });
        let headers = HeaderMap::from_iter(value);
        let counts = sources.visible(inbox.counts(), &headers, "")?;
        assert_eq!(counts.requests.len(), counts.last.len());
        Some(counts.last.into_keys().collect())
    }

    fn sources(metrics: Option<&str>) -> Sources {
        let source = |secret: Option<&str>| Source {
            secret: secret.map(Secret::new),
            registry: None,
        };
        let named = [
            ("lan".to_owned(), source(Some("one"))),
            ("hub".to_owned(), source(Some("two"))),
            ("open".to_owned(), source(None)),
        ];
        Sources::new(named.into(), metrics.map(Secret::new)).unwrap()
    }

    #[test]
    fn metrics_without_a_secret_hide_sources_that_have_one() {
        assert_eq!(seen(&sources(None), None), Some(vec!["open".to_owned()]));
        assert_eq!(seen(&sources(Some("all")), None), None);
        assert_eq!(seen(&Sources::default(), None), Some(vec![]));
    }

    #[test]
    fn metrics_show_the_source_of_a_given_secret_and_all_with_the_metrics_secret() {
        for metrics in [None, Some("all")] {
            let own = vec!["lan".to_owned(), "open".to_owned()];
            assert_eq!(seen(&sources(metrics), Some("Bearer one")), Some(own));
            assert_eq!(seen(&sources(metrics), Some("Bearer wrong")), None);
        }
        let all = seen(&sources(Some("all")), Some("Bearer all")).unwrap();
        assert_eq!(all.len(), 4);
        // A proxy in front may require a login of its own.
        assert!(seen(&Sources::default(), Some("Bearer theirs")).is_some());
    }
}
