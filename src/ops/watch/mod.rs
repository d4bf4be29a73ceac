//! The watcher: rounds of looks, decisions and runs, once or in a loop.

mod baseline_update;
mod hooks;
pub mod install;
mod make;
mod options;
mod part;
mod pending_notifications;
mod placement_queue;
mod report_filter;
mod reported;
mod round;
mod round_deadline;
mod round_result;
mod scope;

use std::{rc::Rc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{Error, Kind, Result},
    store::lock::{self, Lock},
    sys::{
        service::Service,
        signal::{Signal, Stop},
    },
    watch::{Snapshot, schedule},
};

use super::{
    App, Event, EventSink,
    check::{CheckAnswer, load_with_tags, look_at_all, simulate_round, subscriptions},
    credential::all_logins,
    look::aged,
};

use hooks::Hooks;
use report_filter::ReportFilter;
use round::Watcher;

pub use crate::watch::Selection;
pub use options::{Looks, WatchOptions};
pub use round_result::RoundResult;
pub use scope::scope;

/// Returns what a round would run, in that order, without running it.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be used.
pub async fn dry_run(app: &App, events: &EventSink<'_>) -> Result<(Vec<CheckAnswer>, RoundResult)> {
    let mut broken = 0;
    let (loaded, mut tags) = load_with_tags(app, &mut broken, events)?;
    app.registries_with(all_logins(app, &loaded, &mut broken, events)?);
    let nodes: Vec<&Snapshot> = loaded.iter().collect();
    tags = tags.remembering(aged(&loaded));
    let wanted = subscriptions(app, &nodes, false, &tags);
    look_at_all(app, &nodes, &wanted, &mut tags, events).await;
    let answers = simulate_round(nodes, &mut tags, app.clock.now());
    let mut round_result = RoundResult::default();
    if broken > 0 {
        round_result.take(Kind::Failed);
    }
    let kinds = answers.iter().filter_map(|answer| answer.state.exit());
    kinds.for_each(|kind| round_result.take(kind));
    let mut answers: Vec<CheckAnswer> = answers
        .into_iter()
        .filter(|answer| answer.turn.is_some())
        .collect();
    answers.sort_by_key(|answer| answer.turn);
    Ok((answers, round_result))
}

/// Runs one round.
///
/// # Errors
///
/// [`Kind::Locked`] if another watcher holds the state directory; [`Kind::Failed`] where the state directory cannot be used.
pub async fn once(
    app: &App,
    options: &WatchOptions,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<RoundResult> {
    let _lock = lock_watcher(app)?;
    app.store.remove_abandoned_files();
    let mut hooks = Hooks::open(app, None, false, events)?;
    let measure = hooks.measure(app);
    let out = events;
    let report_filter = (!options.repeat).then(|| ReportFilter::recall(app, out));
    let report_filter = report_filter.and_then(|recalled| out.report(recalled));
    let events = EventSink::new(|event| {
        measure(&event);
        if report_filter
            .as_ref()
            .is_none_or(|it| it.report_once(&event))
        {
            out.send(event);
        }
    });
    let mut watcher = Watcher::new(options, stop, &events);
    let app = Rc::new(app.read_again()?);
    let round = watcher
        .round(&app, None, None::<std::future::Pending<()>>)
        .await;
    watcher.notifications.send_all().await;
    let result = round.map(|(round_result, _)| round_result);
    drop(watcher);
    hooks.measure_round(&app, &result);
    hooks.write_metrics(options.metrics_file.as_deref(), &events);
    if let Some(report_filter) = report_filter.as_ref().filter(|_| result.is_ok()) {
        for place in report_filter.recovered_places() {
            out.send(Event::AnswersAgain(&place));
        }
        out.report(report_filter.keep(&app, stop, out).await);
    }
    result
}

/// Runs rounds until it is stopped. An error ends a round, not the loop.
///
/// # Errors
///
/// [`Kind::Locked`] if another watcher holds the state directory; [`Kind::Invalid`] or [`Kind::Failed`] where it cannot listen; else the
/// signal that stopped it.
pub async fn forever(
    app: &App,
    options: &WatchOptions,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<RoundResult> {
    let mut lock = lock_watcher(app)?;
    app.store.remove_abandoned_files();
    let mut hooks = Hooks::open(app, options.listen, options.page, events)?;
    let service = Service::ready(hooks.loop_health.clone(), app.clock.clone());
    let measure = hooks.measure(app);
    let events = EventSink::new(|event| {
        measure(&event);
        if let Event::Doing(what) | Event::RunDoing { what, .. } = &event {
            service.status(what);
        }
        events.send(event);
    });
    let mut watcher = Watcher::new(options, stop, &events);
    let mut all = RoundResult::default();
    let mut hangup = stop.clone();
    let mut app = Rc::new(hooks.with_url(app.read_again()?));
    let mut part = None;
    loop {
        let mut due = None;
        hooks.loop_health.turns(app.clock.now());
        let round = match keep_lock(&app, &mut lock) {
            Ok(()) => {
                let early = outside(&app, &hooks, &mut hangup);
                watcher.round(&app, part.take(), Some(early)).await
            }
            Err(error) if error.kind() == Kind::Locked => {
                watcher.finish().await;
                return Err(error);
            }
            Err(error) => Err(error),
        };
        let (result, woken) = match round {
            Ok((round_result, woken)) => (Ok(round_result), woken),
            Err(error) => (Err(error), None),
        };
        hooks.measure_round(&app, &result);
        hooks.write_metrics(options.metrics_file.as_deref(), &events);
        if let Some(round_result) = events.report(result) {
            all.rebuilt += round_result.rebuilt;
            due = round_result.next;
        }
        if let Some(signal) = stop.requested() {
            watcher.finish().await;
            all.worst = Some(signal.kind());
            return Ok(all);
        }
        let woken = match woken {
            Some(woken) => woken,
            None => {
                let sleep = time_to_sleep(&app, due, &watcher);
                let next = app.clock.now().saturating_add(sleep);
                let until = next.as_ref().map_or(Timestamp::MAX, |next| *next);
                hooks.loop_health.sleeps(until);
                let next = next.map_or(String::new(), |t| t.strftime("%H:%M:%SZ").to_string());
                events.send(Event::Doing(format!("watching, next look at {next}")));
                let sleep = Duration::try_from(sleep).unwrap_or(Duration::from_secs(1));
                tokio::select! {
                    () = app.clock.sleep(sleep) => LoopWakeReason::Due,
                    woken = outside(&app, &hooks, &mut hangup) => woken,
                    signal = stop.wait() => LoopWakeReason::Stopped(signal),
                    never = watcher.notifications.send_forever() => match never {},
                }
            }
        };
        match woken {
            LoopWakeReason::Due => {}
            LoopWakeReason::Hinted => {
                if let Some(hinted) = events.report(hooks.apply_hints(&app, &events)) {
                    let all = hinted.sources.iter();
                    all.for_each(|source| watcher.ask_again(&source.repository));
                    if hinted.everything {
                        watcher.heads.forget_all();
                    }
                    part = watcher.part_for(&app, &hinted);
                }
            }
            LoopWakeReason::Reload => {
                let again = app.read_again().and_then(|again| hooks.read_again(again));
                if let Some(again) = events.report(again) {
                    events.send(Event::Note(
                        "read the config file and all tasks again".into(),
                    ));
                    app = Rc::new(again);
                }
            }
            LoopWakeReason::Stopped(signal) => {
                watcher.finish().await;
                all.worst = Some(signal.kind());
                return Ok(all);
            }
        }
    }
}

/// Returns how long the loop sleeps before the next round: not at all while runs or looks are pending, because the next round waits for them.
fn time_to_sleep(app: &App, due: Option<Timestamp>, watcher: &Watcher<'_>) -> SignedDuration {
    if watcher.is_busy() {
        SignedDuration::ZERO
    } else {
        schedule::time_until_next(due, app.clock.now())
    }
}

/// Why the loop continues after a pause.
enum LoopWakeReason {
    Due,
    Hinted,
    /// Read the config file again.
    Reload,
    Stopped(Signal),
}

/// Waits for a webhook or a hangup signal.
async fn outside(app: &App, hooks: &Hooks, hangup: &mut Stop) -> LoopWakeReason {
    tokio::select! {
        () = hooks.arrived(&app.clock) => LoopWakeReason::Hinted,
        () = hangup.reload() => LoopWakeReason::Reload,
    }
}

/// Takes the lock again if another state directory is in the place of the one that was locked, as after a restored backup: else a second
/// watcher could use it too.
fn keep_lock(app: &App, lock: &mut Lock) -> Result<()> {
    if lock.is_in_place() {
        return Ok(());
    }
    let present = app.store.check_present();
    present.map_err(|gone| {
        gone.hint("put it back, and the next round goes on with it; or end this watcher")
    })?;
    *lock = lock_watcher(app)?;
    Ok(())
}

fn lock_watcher(app: &App) -> Result<Lock> {
    app.store.prepare()?;
    let path = app.store.layout().watch_lock();
    let Some(mut lock) = app.store.try_lock(&path)? else {
        return Err(Error::new(
            Kind::Locked,
            format!(
                "another `acrt task watch` holds `{}`: {}",
                app.store.layout().root().display(),
                lock::note(&path)
            ),
        )
        .hint("it runs what is stale by itself; to run one task now: acrt task run NAME"));
    };
    lock.write(&format!("pid {}\n", std::process::id()))?;
    Ok(lock)
}
