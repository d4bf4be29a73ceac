//! The HTTP interface of `task watch`: webhooks in, metrics out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    error::Result,
    image::Reference,
    listen::{self, Counts, Pages, Server, Source, SourceHint, Sources},
    ops::{
        App, Event, EventSink,
        page::{self, StatusPage},
        recall,
    },
    store::file,
    sys::{clock::Clock, loop_health::LoopHealth},
    task::definition::DEFAULT_TIMEOUT,
    watch::{Tags, hints::HintThrottle, metrics::Metrics, schedule::is_public},
};

use super::{reported::LastReported, round_result::RoundResult};

/// How long the loop waits for further webhooks of a burst after the first one: a push of several tags sends several.
const GATHER: Duration = Duration::from_millis(100);

/// How long after its timeout a run may take to end its builder and to record the result.
const END_OF_BUILDER: SignedDuration = SignedDuration::from_mins(1);

#[derive(Debug, Default)]
pub struct HintedTargets {
    /// The named tags that tasks depend on.
    pub tags: Vec<Reference>,
    /// The named git repositories.
    pub sources: Vec<SourceHint>,
    /// Whether the inbox was full, so that everything counts as named.
    pub everything: bool,
}

/// The webhook server, the metrics and the status page of the loop. Without an address it does not listen.
pub struct Hooks {
    server: Option<Server>,
    hint_throttle: HintThrottle,
    metrics: Arc<Mutex<Metrics>>,
    /// The pulse, which shows whether the loop is alive.
    pub loop_health: LoopHealth,
    page: Option<StatusPage>,
    /// Why the metrics could not be written the last time.
    reported: LastReported,
}

impl Hooks {
    /// Starts to listen at `address`, if there is one, and with `shows_page` serves the status page there.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] where a secret is missing; [`crate::error::Kind::Failed`] where the address cannot be bound.
    pub fn open(
        app: &App,
        address: Option<SocketAddr>,
        shows_page: bool,
        events: &EventSink<'_>,
    ) -> Result<Self> {
        let metrics = Arc::new(Mutex::new(Metrics::default()));
        let loop_health = LoopHealth::new(app.clock.now(), allowed(app));
        let page = if address.is_some() && shows_page {
            Some(StatusPage::start(app)?)
        } else {
            None
        };
        let server = match address {
            None => None,
            Some(address) => {
                let measured = metrics.clone();
                let text = move |counts: &Counts| with_counts(&locked(&measured), counts).text();
                let pages = Pages {
                    metrics: Some(Arc::new(text)),
                    page: page.as_ref().map(StatusPage::source),
                    loop_health: loop_health.clone(),
                };
                let server = Server::start(
                    address,
                    sources(app, page.is_some())?,
                    app.clock.clone(),
                    pages,
                )?;
                events.send(Event::Note(format!(
                    "listening on http://{}",
                    server.address()
                )));
                Some(server)
            }
        };
        Ok(Self {
            server,
            hint_throttle: HintThrottle::default(),
            metrics,
            loop_health,
            page,
            reported: LastReported::default(),
        })
    }

    /// Sets the URL of the status page for notifications, unless the config file has one.
    pub fn with_url(&self, mut app: App) -> App {
        if let (Some(server), Some(_), None) = (&self.server, &self.page, &app.page_url) {
            app.page_url = page_url(server.address());
        }
        app
    }

    /// Applies the senders and secrets of the new config file, and returns the app made of it.
    ///
    /// # Errors
    ///
    /// As [`Hooks::open`]; then the old senders stay allowed.
    pub fn read_again(&self, app: App) -> Result<App> {
        if let Some(server) = &self.server {
            server.replace(sources(&app, self.page.is_some())?)?;
        }
        if let Some(page) = &self.page {
            page.reload();
        }
        self.loop_health.allow(allowed(&app));
        Ok(self.with_url(app))
    }

    /// Waits until a webhook has come in, and a moment longer for the rest of its burst.
    pub async fn arrived(&self, clock: &Clock) {
        let Some(server) = &self.server else {
            return std::future::pending().await;
        };
        server.inbox().arrived().await;
        clock.pause(GATHER).await;
    }

    /// Marks the tags due that webhooks have named, and reports notices about webhooks. Returns what they have named.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory cannot be used.
    pub fn apply_hints(&mut self, app: &App, events: &EventSink<'_>) -> Result<HintedTargets> {
        let Some(server) = &self.server else {
            return Ok(HintedTargets::default());
        };
        let arrivals = server.inbox().take();
        for notice in &arrivals.notices {
            events.send(Event::Warning(said(notice)));
        }
        let (now, mut tags) = (app.clock.now(), recall::tags(app, events)?);
        let mut hinted = HintedTargets {
            everything: arrivals.everything,
            ..HintedTargets::default()
        };
        server.inbox().follow(names(&tags));
        if hinted.everything {
            let pause = |tag: &Reference| pause_of_public(app, tag);
            self.hint_throttle.mark_all_due(&mut tags, pause, now);
        }
        for pushed in &arrivals.images {
            let pushed = app.canonical(pushed);
            let meant = self.hint_throttle.mark_due(&mut tags, &pushed, now);
            hinted.tags.extend(meant);
        }
        hinted.sources.extend(arrivals.sources);
        if hinted.everything || !hinted.tags.is_empty() {
            app.store.note_tags(&mut tags)?;
        }
        Ok(hinted)
    }

    /// Returns a receiver of events that updates the metrics.
    pub fn measure(&self, app: &App) -> impl Fn(&Event<'_>) + use<> {
        let (metrics, loop_health) = (Arc::clone(&self.metrics), self.loop_health.clone());
        let (clock, store) = (app.clock.clone(), app.store.clone());
        move |event| match event {
            Event::Begun { id, task, .. } => {
                let task = store.task(task).ok().flatten();
                let timeout = task.map_or(DEFAULT_TIMEOUT, |task| task.timeout);
                loop_health.run_began(id.to_string(), latest_end(clock.now(), timeout));
            }
            Event::Ended { id, status, .. } => {
                locked(&metrics).run_ended(status);
                loop_health.run_ended(&id.to_string(), clock.now());
            }
            _ => {}
        }
    }

    /// Writes the metrics to a file, if one is configured. A failure is reported, and has no other effect.
    pub fn write_metrics(&mut self, path: Option<&Path>, events: &EventSink<'_>) {
        let Some(path) = path else {
            return;
        };
        let text = locked(&self.metrics).text();
        let failed = file::publish(path, text.as_bytes()).err();
        self.reported
            .report_new(failed.into_iter().collect(), events);
    }

    /// Records the result of a round in the metrics.
    pub fn measure_round(&self, app: &App, result: &Result<RoundResult>) {
        self.loop_health
            .round_ended(app.clock.now(), result.is_ok());
        let mut metrics = locked(&self.metrics);
        match result {
            Ok(round_result) => {
                metrics.round_ended(round_result.measured.clone(), round_result.looks)
            }
            Err(_) => metrics.round_failed(),
        }
    }
}

/// Returns the repositories and tags that tasks depend on, under whatever name of their registry.
fn names(tags: &Tags) -> BTreeSet<(String, String)> {
    let all = tags.records().keys();
    all.map(|image| {
        let tag = image.tag().unwrap_or_default();
        (image.repository().to_owned(), tag.to_owned())
    })
    .collect()
}

/// Returns how long a tag of a public registry must have rested to be looked at because of a webhook that did not name it.
fn pause_of_public(app: &App, tag: &Reference) -> Duration {
    let settings = app.settings.registry(tag.registry());
    let is_public = settings.public.unwrap_or(is_public(tag.registry()));
    if is_public {
        app.settings.config.watch.pause(&settings, true).0
    } else {
        Duration::ZERO
    }
}

/// Returns who may send webhooks, with their secrets, and who may see the page.
fn sources(app: &App, shows_page: bool) -> Result<Sources> {
    let mut sources = BTreeMap::new();
    for (name, settings) in &app.settings.config.listen {
        let what = format!("the secret of webhook source `{}`", name.escape_debug());
        let source = Source {
            secret: settings
                .secret
                .as_ref()
                .map(|place| place.read(&what))
                .transpose()?,
            registry: settings
                .registry
                .as_deref()
                .map(|name| app.settings.login_server(name)),
        };
        sources.insert(name.clone(), source);
    }
    let secret = app.settings.config.metrics.secret.as_ref();
    let secret = secret.map(|place| place.read("the secret of `metrics` in the config file"));
    let sources = Sources::new(sources, secret.transpose()?)?;
    Ok(if shows_page {
        sources.with_page(page::access(app)?)
    } else {
        sources
    })
}

/// Returns how long a round may take, without its runs.
fn allowed(app: &App) -> SignedDuration {
    SignedDuration::from_secs(app.settings.config.watch.round_seconds.into())
}

/// Returns the time at which a run that begins now has ended at the latest, with the time to end its builder.
fn latest_end(now: Timestamp, timeout: u32) -> Timestamp {
    let longest = SignedDuration::from_secs(i64::from(timeout)).saturating_add(END_OF_BUILDER);
    now.saturating_add(longest).unwrap_or(Timestamp::MAX)
}

fn said(notice: &listen::UselessRequest) -> String {
    let why = match notice.outcome {
        listen::Outcome::Refused => "is not authenticated by its secret",
        listen::Outcome::CutShort => {
            "is larger than 1 MiB, takes longer than 10 seconds, or breaks off"
        }
        _ => "is of an unknown kind",
    };
    format!(
        "a webhook for `{}` {why}; if there are more of them, they are only counted",
        notice.source
    )
}

fn with_counts(metrics: &Metrics, counts: &Counts) -> Metrics {
    let requests = counts.requests.iter();
    Metrics {
        webhooks: requests
            .map(|((source, outcome), count)| (source.clone(), outcome.word(), *count))
            .collect(),
        last_webhooks: counts.last.clone().into_iter().collect(),
        ..metrics.clone()
    }
}

fn locked(metrics: &Mutex<Metrics>) -> MutexGuard<'_, Metrics> {
    metrics.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the URL of the page at an address. All addresses (`0.0.0.0`) are none that a reader of a notification could open.
fn page_url(address: SocketAddr) -> Option<String> {
    (!address.ip().is_unspecified()).then(|| format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_at_all_addresses_has_no_url() {
        let url = |address: &str| page_url(address.parse().unwrap());
        assert_eq!(url("[::1]:80").as_deref(), Some("http://[::1]:80"));
        assert_eq!([url("0.0.0.0:80"), url("[::]:80")], [None, None]);
    }
}
