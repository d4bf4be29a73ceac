//! Looks, decides, runs what is stale, in order; once, or for as long as the process lives.

mod hooks;
mod make;
mod round;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use jiff::SignedDuration;

use crate::{
    error::{Error, Kind, Result},
    store::lock::{self, Lock},
    sys::{
        service::Service,
        signal::{Signal, Stop},
    },
    watch::{Node, rhythm},
};

use super::{
    App,
    check::{CheckAnswer, Loaded, foresee, load},
    credential::all_logins,
    event::{Event, Listener},
    heads::Heads,
    look::{Wanted, look, looking_at},
    run::clean_up_after_the_dead,
};

use hooks::Hooks;
use round::{Told, round};

pub use round::Rounded;

/// Which tags a round looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// All that somebody stands on.
    All,
    /// Those whose time has come.
    Due,
}

/// How it is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// Which tags a round looks at.
    pub looks: Looks,
    /// How long a tag that moved must have been quiet before anything is built on it.
    pub settle: SignedDuration,
    /// How many runs go on side by side, at most.
    pub jobs: usize,
    /// Where the loop takes in webhooks.
    pub listen: Option<SocketAddr>,
    /// The file that metrics are written to after each round.
    pub metrics_file: Option<PathBuf>,
}

/// Says what a round would run, in that order, without running it.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be used.
pub async fn dry_run(app: &App, tell: Listener<'_>) -> Result<(Vec<CheckAnswer>, Rounded)> {
    let mut broken = 0;
    let loaded = load(app, &mut broken, tell)?;
    app.registries_with(all_logins(app, tell)?);
    let nodes: Vec<Node<'_>> = loaded.iter().map(Loaded::node).collect();
    let wanted = Wanted::by(&nodes);
    let heads = Heads::default().of(app, &nodes, true, &Stop::never()).await;
    let mut tags = app.store.tags()?.with_heads(heads);
    let all: Vec<_> = wanted.tags().into_iter().collect();
    tell(looking_at(all.len()));
    look(app, &wanted, all, &mut tags).await?;
    let answers = foresee(nodes, tags, app.clock.now());
    let mut rounded = Rounded::default();
    if broken > 0 {
        rounded.take(Kind::Failed);
    }
    if answers.iter().any(|answer| answer.state == "unknown") {
        rounded.take(Kind::Unknown);
    }
    let mut answers: Vec<CheckAnswer> = answers
        .into_iter()
        .filter(|answer| answer.turn.is_some())
        .collect();
    answers.sort_by_key(|answer| answer.turn);
    Ok((answers, rounded))
}

/// Makes one round.
///
/// # Errors
///
/// [`Kind::Locked`] if another watcher holds the state directory; [`Kind::Failed`] where that cannot be used.
pub async fn once(
    app: &App,
    options: &WatchOptions,
    stop: &Stop,
    tell: Listener<'_>,
) -> Result<Rounded> {
    let _lock = lock_watcher(app)?;
    clean_up_after_the_dead(app, tell).await?;
    let mut told = Told::default();
    let hooks = Hooks::open(app, None, tell)?;
    let mut measured = |event: Event<'_>| {
        hooks.measure_event(&event);
        tell(event);
    };
    let result = round(app, options, stop, &mut told, &mut measured).await;
    hooks.measure_round(&result);
    hooks.write_metrics(options.metrics_file.as_deref(), tell);
    result
}

/// Goes round and round until it is stopped. Errors end a round, not the loop.
///
/// # Errors
///
/// [`Kind::Locked`] if another watcher holds the state directory; [`Kind::Invalid`] or [`Kind::Failed`] where it cannot listen; else how
/// it was stopped.
pub async fn forever(
    app: &App,
    options: &WatchOptions,
    stop: &Stop,
    tell: Listener<'_>,
) -> Result<Rounded> {
    let _lock = lock_watcher(app)?;
    clean_up_after_the_dead(app, tell).await?;
    let mut hooks = Hooks::open(app, options.listen, tell)?;
    let service = Service::ready();
    let mut told = Told::default();
    let mut all = Rounded::default();
    let mut hangup = stop.clone();
    let mut reloaded: Option<App> = None;
    loop {
        let app = reloaded.as_ref().unwrap_or(app);
        let mut due = None;
        let mut measured = |event: Event<'_>| {
            hooks.measure_event(&event);
            tell(event);
        };
        let result = round(app, options, stop, &mut told, &mut measured).await;
        hooks.measure_round(&result);
        hooks.write_metrics(options.metrics_file.as_deref(), tell);
        match result {
            Ok(rounded) => {
                all.rebuilt += rounded.rebuilt;
                due = rounded.next;
            }
            Err(error) => tell(Event::Problem(error)),
        }
        if let Some(signal) = stop.requested() {
            all.worst = Some(signal.kind());
            return Ok(all);
        }
        let sleep = rhythm::nap(due, app.clock.now());
        let next = app.clock.now().saturating_add(sleep);
        let next = next.map_or(String::new(), |t| t.strftime("%H:%M:%SZ").to_string());
        let doing = format!("watching, next look at {next}");
        service.status(&doing);
        tell(Event::Doing(doing));
        let sleep = Duration::try_from(sleep).unwrap_or(Duration::from_secs(1));
        match wait(app, sleep, &hooks, &mut hangup, stop).await {
            Woken::Due => {}
            Woken::Hinted => match hooks.heed(app, tell) {
                Ok(sources) => {
                    let all = sources.iter();
                    all.for_each(|source| told.ask_again(&source.repository));
                }
                Err(error) => tell(Event::Problem(error)),
            },
            Woken::Reload => match app.read_again().and_then(|again| hooks.read_again(again)) {
                Ok(again) => {
                    tell(Event::Note(
                        "read the config file and all tasks again".into(),
                    ));
                    reloaded = Some(again);
                }
                Err(error) => tell(Event::Problem(error)),
            },
            Woken::Stopped(signal) => {
                all.worst = Some(signal.kind());
                return Ok(all);
            }
        }
    }
}

/// Why the loop goes on after a pause.
enum Woken {
    /// Something is due.
    Due,
    /// A webhook came in.
    Hinted,
    /// Everything is to be read again.
    Reload,
    /// It is to end.
    Stopped(Signal),
}

/// Waits until something is due, or until something comes first.
async fn wait(app: &App, pause: Duration, hooks: &Hooks, hangup: &mut Stop, stop: &Stop) -> Woken {
    tokio::select! {
        () = app.clock.sleep(pause) => Woken::Due,
        () = hooks.arrived(&app.clock) => Woken::Hinted,
        () = hangup.reload() => Woken::Reload,
        signal = stop.wait() => Woken::Stopped(signal),
    }
}

fn lock_watcher(app: &App) -> Result<Lock> {
    app.store.prepare()?;
    let path = app.store.layout().watch_lock();
    let Some(mut lock) = lock::try_lock(&path)? else {
        return Err(Error::new(
            Kind::Locked,
            format!(
                "another `acrt task watch` holds `{}`: {}",
                app.store.layout().root().display(),
                lock::note(&path)
            ),
        ));
    };
    lock.write(&format!("pid {}\n", std::process::id()))?;
    Ok(lock)
}
