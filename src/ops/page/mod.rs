//! The status page. One thread reads the state directory and renders pages, so that neither the loop nor the server waits for it.
//!
//! The queue of that thread is bounded: when it is full, the answer is 503. Event streams and logs are read outside of it.

mod model;
mod renderer;
mod responses;
mod streams;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use jiff::SignedDuration;
use tokio::sync::{oneshot, watch};

use crate::{
    error::{Context as _, Error, Kind, Result},
    listen::{Access, PageRequest, PageResponse, PageSource, Pages, Server, Sources},
    page,
    store::Store,
    sys::{
        clock::Clock,
        loop_health::LoopHealth,
        signal::{Signal, Stop},
    },
};

use super::{App, Event, EventSink, GlobalOptions};

use renderer::PageRenderer;
use responses::{busy, login, whole};

/// How many requests may be in the queue of the thread.
const WAITING: usize = 64;

/// How often the state directory is checked for changes while a stream is open.
const TICK: Duration = Duration::from_millis(500);

enum PageJob {
    Page(PageRequest, oneshot::Sender<PageResponse>),
    /// Read the config file again.
    Reload,
}

/// A handle to the status page and its thread. The thread ends with the last handle.
#[derive(Clone)]
pub struct StatusPage {
    jobs: SyncSender<PageJob>,
    /// The receiver that is cloned for each stream: the number of receivers tells whether a stream is open.
    changes: Arc<watch::Receiver<u64>>,
    store: Store,
    clock: Clock,
}

/// Returns who may see the page, from the config file.
///
/// # Errors
///
/// [`Kind::Invalid`] where a setting is not valid or the token is missing.
pub fn access(app: &App) -> Result<Access> {
    let settings = &app.settings.config.page;
    let token = settings.token.as_ref();
    let token = token.map(|place| place.read("`page.token` in the config file"));
    Access::new(
        token.transpose()?,
        &settings.trust_proxy,
        settings.url.clone(),
    )
}

/// Serves the page at an address without the loop, from the state directory alone, until it is stopped. Changes nothing.
///
/// # Errors
///
/// [`Kind::Invalid`] where the page would be public without a token; [`Kind::Failed`] where the address cannot be
/// bound.
pub async fn serve(
    app: &App,
    address: SocketAddr,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Signal> {
    let page = StatusPage::start(app)?;
    let pages = Pages {
        metrics: None,
        page: Some(page.source()),
        loop_health: LoopHealth::new(app.clock.now(), SignedDuration::MAX),
    };
    let sources = Sources::default().with_page(access(app)?);
    let server = Server::start(address, sources, app.clock.clone(), pages)?;
    events.send(Event::Note(format!(
        "the page is at http://{}",
        server.address()
    )));
    Ok(stop.wait().await)
}

impl StatusPage {
    /// Starts the thread of the page.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where the thread cannot be started; [`Kind::Invalid`] where the config file is not valid.
    pub fn start(app: &App) -> Result<Self> {
        let (jobs, taken) = sync_channel(WAITING);
        let (changed, changes) = watch::channel(0);
        let (ready, started) = sync_channel(1);
        let parts = AppParts {
            global_options: app.global_options.clone(),
            store: app.store.clone(),
            clock: app.clock.clone(),
        };
        std::thread::Builder::new()
            .name("page".into())
            .spawn(move || {
                let renderer = parts.app().map(PageRenderer::new);
                let (renderer, result) = match renderer {
                    Ok(renderer) => (Some(renderer), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                let _ = ready.send(result);
                if let Some(renderer) = renderer {
                    work(renderer, &parts, &taken, &changed);
                }
            })
            .context(Kind::Failed, || {
                "cannot start the thread of the page".to_owned()
            })?;
        let gone = |_| Error::failed("the thread of the page has ended");
        started.recv().map_err(gone)??;
        Ok(Self {
            jobs,
            changes: Arc::new(changes),
            store: app.store.clone(),
            clock: app.clock.clone(),
        })
    }

    /// Requests that the config file is read again.
    pub fn reload(&self) {
        // If the queue is full, the config file is read again with a later request.
        let _ = self.jobs.try_send(PageJob::Reload);
    }

    /// Returns the source that the server gets pages from.
    pub fn source(&self) -> PageSource {
        let page = self.clone();
        Arc::new(move |request| {
            let page = page.clone();
            Box::pin(async move { page.answer(request).await })
        })
    }

    async fn answer(&self, request: PageRequest) -> PageResponse {
        let file = request.path.strip_prefix('/').unwrap_or_default();
        if let Some((_, kind, text)) = page::ASSETS.iter().find(|(name, ..)| *name == file) {
            return whole(200, kind, (*text).to_owned());
        }
        match file {
            "login" => return login(&request),
            "events" => {
                let changes = watch::Receiver::clone(&self.changes);
                return streams::events(changes, &self.store, &self.clock, &request);
            }
            _ => {}
        }
        let log = file
            .strip_prefix("runs/")
            .and_then(|it| it.strip_suffix("/log"));
        if let Some(id) = log.and_then(|id| id.parse().ok()) {
            return streams::log(&self.store, id);
        }
        let (reply, answer) = oneshot::channel();
        match self.jobs.try_send(PageJob::Page(request, reply)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return busy(),
        }
        answer.await.unwrap_or_else(|_| busy())
    }
}

/// What an [`App`] is made of in another thread or process.
struct AppParts {
    global_options: GlobalOptions,
    store: Store,
    clock: Clock,
}

impl AppParts {
    fn app(&self) -> Result<App> {
        Ok(App {
            store: self.store.clone(),
            clock: self.clock.clone(),
            ..App::new(self.global_options.clone())?
        })
    }
}

/// Carries out jobs until the last handle is gone. Notifies open streams of changes.
fn work(
    mut renderer: PageRenderer,
    parts: &AppParts,
    jobs: &Receiver<PageJob>,
    changed: &watch::Sender<u64>,
) {
    renderer.refresh();
    loop {
        match jobs.recv_timeout(TICK) {
            Ok(PageJob::Page(request, reply)) => {
                renderer.refresh();
                // A panic while input from outside is processed becomes an error response.
                let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    renderer.answer(&request)
                }));
                let _ = reply.send(made.unwrap_or_else(|_| busy()));
            }
            Ok(PageJob::Reload) => {
                // An invalid config file is reported by the loop, and changes nothing here.
                if let Ok(app) = parts.app() {
                    renderer = PageRenderer::new(app);
                }
            }
            // The handle itself holds one receiver.
            Err(RecvTimeoutError::Timeout) if changed.receiver_count() > 1 => renderer.refresh(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        changed.send_if_modified(|known| {
            let is_new = *known != renderer.version();
            *known = renderer.version();
            is_new
        });
    }
}
