//! Looks, decides, runs what is stale, in order; once, or for as long as the process lives.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{Error, Kind, Result},
    image::Reference,
    store::lock::{self, Lock},
    sys::{service::Service, signal::Stop},
    task::{Cause, RunStatus, Task, TaskKey, TimerName},
    watch::{Node, Outcome, Round, Tags, Verdict, decide::Reasons},
};

use super::{
    App,
    check::{CheckAnswer, Loaded, foresee, load, told},
    credential::all_logins,
    event::{Event, Listener},
    look::{Wanted, look, looking_at},
    run::{clean_up_after_the_dead, run_if_free},
};

/// The longest the loop sleeps: definitions may have changed.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_secs(60);

/// What a round came to.
#[derive(Debug, Default)]
pub struct Rounded {
    /// How many tasks were rebuilt.
    pub rebuilt: usize,
    /// The worst of what happened, as an exit code tells it.
    pub worst: Option<Kind>,
    /// When the next timer fires.
    next_timer: Option<Timestamp>,
}

impl Rounded {
    /// Takes in something that happened. A failure is worse than an answer that is missing.
    fn take(&mut self, kind: Kind) {
        let rank = |kind: Kind| match kind {
            Kind::Interrupted | Kind::Terminated => 3,
            Kind::Unknown => 1,
            Kind::Stale => 0,
            _ => 2,
        };
        if self.worst.is_none_or(|worst| rank(kind) > rank(worst)) {
            self.worst = Some(kind);
        }
    }
}

/// Which tags a round looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    All,
    Due,
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
    let mut tags = app.store.tags()?;
    let all: Vec<Reference> = wanted.tags().into_iter().collect();
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

/// Makes one round over everything, now.
///
/// # Errors
///
/// [`Kind::Locked`] if another watcher holds the state directory; [`Kind::Failed`] where that cannot be used.
pub async fn once(app: &App, stop: &Stop, tell: Listener<'_>) -> Result<Rounded> {
    let _lock = lock_watcher(app)?;
    clean_up_after_the_dead(app, tell).await?;
    let mut told = Told::default();
    round(app, Looks::All, stop, &mut told, tell).await
}

/// Goes round and round until it is stopped. Errors end a round, not the loop.
///
/// # Errors
///
/// [`Kind::Locked`] if another watcher holds the state directory; else how it was stopped.
pub async fn forever(app: &App, stop: &Stop, tell: Listener<'_>) -> Result<Rounded> {
    let _lock = lock_watcher(app)?;
    clean_up_after_the_dead(app, tell).await?;
    let service = Service::ready();
    let mut told = Told::default();
    let mut all = Rounded::default();
    let mut hangup = stop.clone();
    let mut reloaded: Option<App> = None;
    loop {
        let app = reloaded.as_ref().unwrap_or(app);
        let mut next_timer = None;
        match round(app, Looks::Due, stop, &mut told, tell).await {
            Ok(rounded) => {
                all.rebuilt += rounded.rebuilt;
                next_timer = rounded.next_timer;
            }
            Err(error) => tell(Event::Problem(error)),
        }
        if let Some(signal) = stop.requested() {
            all.worst = Some(signal.kind());
            return Ok(all);
        }
        let sleep = until_next(app, next_timer).unwrap_or(LONGEST_SLEEP);
        let next = app.clock.now().saturating_add(sleep);
        let next = next.map_or(String::new(), |t| t.strftime("%H:%M:%SZ").to_string());
        let doing = format!("watching, next look at {next}");
        service.status(&doing);
        tell(Event::Doing(doing));
        let sleep = Duration::try_from(sleep).unwrap_or(Duration::from_secs(1));
        tokio::select! {
            () = app.clock.sleep(sleep) => {}
            () = hangup.reload() => match app.read_again() {
                Ok(again) => {
                    tell(Event::Note("read the config file and all tasks again".into()));
                    reloaded = Some(again);
                }
                Err(error) => tell(Event::Problem(error)),
            },
            signal = stop.wait() => {
                all.worst = Some(signal.kind());
                return Ok(all);
            }
        }
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

/// What has been told already, so that a loop says each thing once.
#[derive(Debug, Default)]
struct Told(HashMap<TaskKey, Verdict>);

impl Told {
    fn is_news(&mut self, key: &TaskKey, verdict: &Verdict) -> bool {
        self.0.insert(key.clone(), verdict.clone()).as_ref() != Some(verdict)
    }
}

async fn round(
    app: &App,
    looks: Looks,
    stop: &Stop,
    told: &mut Told,
    tell: Listener<'_>,
) -> Result<Rounded> {
    let mut rounded = Rounded::default();
    let mut broken = 0;
    let mut loaded = load(app, &mut broken, tell)?;
    app.registries_with(all_logins(app, tell)?);
    if broken > 0 {
        rounded.take(Kind::Failed);
    }
    let now = app.clock.now();
    begin_timers(app, &mut loaded, now)?;
    let nodes: Vec<Node<'_>> = loaded.iter().map(Loaded::node).collect();
    rounded.next_timer = nodes.iter().filter_map(|node| node.next_timer(now)).min();
    let wanted = Wanted::by(&nodes);
    let mut tags = app.store.tags()?;
    let due: Vec<Reference> = wanted
        .tags()
        .into_iter()
        .filter(|tag| looks == Looks::All || is_due(app, &tags, tag, now))
        .collect();
    tell(looking_at(due.len()));
    tokio::select! {
        biased;
        looked = look(app, &wanted, due, &mut tags) => looked?,
        signal = stop.wait() => {
            rounded.take(signal.kind());
            return Ok(rounded);
        }
    }
    tags.keep_only(&wanted.tags());
    remember(app, &tags)?;
    let mut round = Round::new(nodes.clone());
    while let Some(job) = round.next(&tags, app.clock.now()) {
        if let Some(signal) = stop.requested() {
            rounded.take(signal.kind());
            break;
        }
        let Some(task) = nodes
            .iter()
            .map(|node| node.task)
            .find(|task| task.key() == job.task)
        else {
            break;
        };
        let outcome = make(app, task, &job.reasons, stop, &mut rounded, tell).await?;
        round.finished(outcome);
        let images = task.stable_images();
        if outcome == Outcome::Succeeded && round.is_stood_on(&images) {
            let stood_on = wanted.tags().into_iter();
            let stood_on = stood_on.filter(|tag| images.contains(tag)).collect();
            look(app, &wanted, stood_on, &mut tags).await?;
            remember(app, &tags)?;
        }
    }
    for (node, verdict, _) in round.verdicts() {
        sum_up(node, verdict, &mut rounded, told, tell);
    }
    Ok(rounded)
}

/// Notes for timers that nobody has seen before, in definitions written by hand, that they count from now on.
fn begin_timers(app: &App, loaded: &mut [Loaded], now: Timestamp) -> Result<()> {
    for one in loaded {
        let names: Vec<TimerName> = one
            .node()
            .unserved(now)
            .map(|timer| timer.name.clone())
            .collect();
        if names.is_empty() {
            continue;
        }
        one.known
            .timers
            .extend(names.into_iter().map(|name| (name, now)));
        app.store.save_known(&one.task.key(), &one.known)?;
    }
    Ok(())
}

/// Writes what was seen, if there is anything to remember.
fn remember(app: &App, tags: &Tags) -> Result<()> {
    if tags.records().is_empty() && !app.store.layout().bases().exists() {
        return Ok(());
    }
    app.store.save_tags(tags)
}

/// Makes one run, and says how it ended.
async fn make(
    app: &App,
    task: &Task,
    reasons: &Reasons,
    stop: &Stop,
    rounded: &mut Rounded,
    tell: Listener<'_>,
) -> Result<Outcome> {
    let key = task.key();
    let cause = Cause::Triggered(reasons.triggers());
    let why = told(reasons);
    // The log goes into its file; cron must not mail it.
    let mut quiet = |event: Event<'_>| match event {
        Event::Log(_) => {}
        Event::Queued { id, task } => tell(Event::Begun {
            id,
            task,
            why: &why,
        }),
        other => tell(other),
    };
    let finished = match run_if_free(app, &key, &cause, stop, &mut quiet).await {
        Ok(Some(finished)) => finished,
        Ok(None) => {
            tell(Event::Note(format!(
                "task `{key}` is being run already; looked at again in the next round"
            )));
            return Ok(Outcome::Busy);
        }
        Err(error) => {
            rounded.take(error.kind());
            tell(Event::Problem(error));
            return Ok(Outcome::Failed);
        }
    };
    let run = &finished.run;
    if run.status == RunStatus::Succeeded {
        rounded.rebuilt += 1;
        let seconds = match (run.start_time, run.finish_time) {
            (Some(start), Some(end)) => end.duration_since(start).as_secs(),
            _ => 0,
        };
        tell(Event::Rebuilt(format!(
            "{key}: rebuilt, {why}, run {}, {seconds}s",
            run.run_id
        )));
        return Ok(Outcome::Succeeded);
    }
    let kind = match finished.error.as_ref().map(Error::kind) {
        Some(kind @ (Kind::Unknown | Kind::Interrupted | Kind::Terminated)) => kind,
        _ => Kind::Failed,
    };
    rounded.take(kind);
    let error = Error::new(
        kind,
        format!(
            "run `{}` of task `{key}` ended with {}",
            run.run_id, run.status
        ),
    )
    .hint(format!(
        "read its log: acrt task logs --run-id {}",
        run.run_id
    ));
    tell(Event::Problem(match finished.error {
        Some(cause) => error.because(cause),
        None => error,
    }));
    Ok(Outcome::Failed)
}

/// Takes what was decided for a task into the result, and tells what people should know.
fn sum_up(
    node: &Node<'_>,
    verdict: &Verdict,
    rounded: &mut Rounded,
    told: &mut Told,
    tell: Listener<'_>,
) {
    let key = node.task.key();
    match verdict {
        Verdict::Unknown { .. } => rounded.take(Kind::Unknown),
        Verdict::BackingOff { .. } | Verdict::Cycle(_) => rounded.take(Kind::Failed),
        // Whatever it waits for has been taken in already, and may be a run that goes on elsewhere and well.
        _ => {}
    }
    let worth_telling = matches!(
        verdict,
        Verdict::Unknown { .. }
            | Verdict::BackingOff { .. }
            | Verdict::Waiting { .. }
            | Verdict::Cycle(_)
    );
    if told.is_news(&key, verdict) && worth_telling {
        tell(Event::Decided {
            task: &key,
            verdict,
        });
    }
}

/// Tells whether a tag is to be looked at: its time has come, or it was never given one that makes sense.
fn is_due(app: &App, tags: &Tags, tag: &Reference, now: Timestamp) -> bool {
    let Some(next) = tags.get(tag).and_then(|record| record.next_look) else {
        return true;
    };
    let settings = app.settings.registry(tag.registry());
    let public = crate::watch::rhythm::is_public(tag.registry());
    let (_, longest) = app.settings.config.watch.pause(&settings, public);
    let longest = SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX);
    // A clock that was set back must not keep a tag unseen for longer than its rhythm allows.
    next <= now || next > now.saturating_add(longest).unwrap_or(Timestamp::MAX)
}

/// Returns how long it is until something is due, at least a second.
fn until_next(app: &App, next_timer: Option<Timestamp>) -> Result<SignedDuration> {
    let now = app.clock.now();
    let tags = app.store.tags()?;
    let next = tags
        .records()
        .values()
        .filter_map(|record| record.next_look)
        .chain(next_timer)
        .min();
    let until = next.map_or(LONGEST_SLEEP, |next| next.duration_since(now));
    Ok(until.clamp(SignedDuration::from_secs(1), LONGEST_SLEEP))
}
