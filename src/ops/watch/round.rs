//! One round of the watcher: looks, decides, runs what is to be run, parents first.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{Kind, Result},
    image::Reference,
    ops::{
        App,
        check::{Loaded, load},
        credential::all_logins,
        event::{Event, Listener},
        heads::Heads,
        look::{Wanted, look, looking_at},
        notify,
    },
    store::lock,
    sys::signal::Stop,
    task::{TaskKey, TimerName},
    watch::{Node, Outcome, Round, Tags, Verdict, metrics::RoundMetrics, told},
};

use super::{
    Looks, WatchOptions,
    make::{Made, SharedListener, make},
};

/// What a round came to.
#[derive(Debug, Default)]
pub struct Rounded {
    /// How many tasks were rebuilt.
    pub rebuilt: usize,
    /// The worst of what happened, as an exit code tells it.
    pub worst: Option<Kind>,
    /// When something is due next, as far as that can be told.
    pub next: Option<Timestamp>,
    /// How many tags were looked at because they were due.
    pub(super) looks: usize,
    /// What was measured, once the round was over.
    pub(super) measured: Option<RoundMetrics>,
}

impl Rounded {
    /// Takes in something that happened. A failure is worse than an answer that is missing.
    pub(super) fn take(&mut self, kind: Kind) {
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

    fn add(&mut self, made: &Made) {
        self.rebuilt += usize::from(made.outcome == Outcome::Succeeded);
        if let Some(kind) = made.worst {
            self.take(kind);
        }
    }
}

/// What has been told already, so that a loop says each thing once.
#[derive(Debug, Default)]
pub struct Told {
    verdicts: HashMap<TaskKey, Verdict>,
    heads: Heads,
}

impl Told {
    /// Lets the next round ask the repository that has one of these URLs, however lately it was asked.
    pub fn ask_again(&mut self, urls: &[String]) {
        self.heads.forget(urls);
    }

    fn is_news(&mut self, key: &TaskKey, verdict: &Verdict) -> bool {
        self.verdicts.insert(key.clone(), verdict.clone()).as_ref() != Some(verdict)
    }
}

/// Makes one round.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be used.
pub async fn round(
    app: &App,
    options: &WatchOptions,
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
    let wanted = Wanted::by(&nodes);
    let all = options.looks == Looks::All;
    let heads = told.heads.of(app, &nodes, all, stop).await;
    let mut tags = app.store.tags()?.settling(options.settle).with_heads(heads);
    let due: Vec<Reference> = wanted
        .tags()
        .into_iter()
        .filter(|tag| all || is_due(app, &tags, tag, now))
        .collect();
    tell(looking_at(due.len()));
    rounded.looks = due.len();
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
    let mut work = Work {
        app,
        wanted: &wanted,
        tags,
        round: Round::new(nodes.clone()),
        images: loaded
            .iter()
            .map(|one| (one.task.key(), one.task.stable_images()))
            .collect(),
    };
    let shared = RefCell::new(tell);
    work.run_all(options.jobs, stop, &shared, &mut rounded)
        .await?;
    let tell = shared.into_inner();
    let mut crowd = Crowd::default();
    for (node, verdict, _) in work.round.verdicts() {
        let key = node.task.key();
        let is_news = sum_up(&key, verdict, &mut rounded, told);
        if is_news && crowd.admits(verdict) {
            tell(Event::Decided {
                task: &key,
                verdict,
            });
        }
    }
    crowd.tell_of_the_rest(tell);
    tell_people(app, &loaded, &work.round, stop, tell).await;
    rounded.next = work.next_due();
    let ended = app.clock.now();
    rounded.measured = Some(RoundMetrics::of(&work.round, &work.tags, now, ended));
    Ok(rounded)
}

/// A round while its jobs are made.
struct Work<'a> {
    app: &'a App,
    wanted: &'a Wanted<'a>,
    tags: Tags,
    round: Round<'a>,
    images: HashMap<TaskKey, Vec<Reference>>,
}

impl Work<'_> {
    /// Makes all jobs, as many side by side as `jobs` and the graph allow.
    async fn run_all(
        &mut self,
        jobs: usize,
        stop: &Stop,
        tell: &SharedListener<'_>,
        rounded: &mut Rounded,
    ) -> Result<()> {
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < jobs && stop.requested().is_none() {
                match self.round.next(&self.tags, self.app.clock.now()) {
                    Some(job) => running.push(make(self.app, job, stop, tell)),
                    None => break,
                }
            }
            let Some(made) = running.next().await else {
                break;
            };
            rounded.add(&made);
            if made.outcome == Outcome::Succeeded {
                self.look_again(&made.task).await?;
            }
            self.round.finished(&made.task, made.outcome);
        }
        if let Some(signal) = stop.requested() {
            rounded.take(signal.kind());
        }
        let built_on = self.round.built_on();
        if !built_on.is_empty() {
            self.tags.built_on(&built_on);
            remember(self.app, &self.tags)?;
        }
        Ok(())
    }

    /// Looks at what a run has pushed, if somebody stands on it: that is what the next task is decided by.
    async fn look_again(&mut self, task: &TaskKey) -> Result<()> {
        let images = self.images.get(task).map_or(&[][..], Vec::as_slice);
        if !self.round.is_stood_on(images) {
            return Ok(());
        }
        let stood_on: BTreeSet<Reference> = self.wanted.tags();
        let stood_on = stood_on.into_iter().filter(|tag| images.contains(tag));
        let stood_on: Vec<Reference> = stood_on.collect();
        self.tags.settle(stood_on.iter().cloned());
        look(self.app, self.wanted, stood_on, &mut self.tags).await?;
        remember(self.app, &self.tags)
    }

    fn next_due(&self) -> Option<Timestamp> {
        let records = self.tags.records().values();
        let look = records.filter_map(|record| record.next_look).min();
        let other = self.round.next_due(self.app.clock.now());
        look.into_iter().chain(other).min()
    }
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
        let key = one.task.key();
        // While a run goes on, what is known is that run's; the next round notes it.
        if let Some(_lock) = lock::try_lock(&app.store.layout().task_lock(&key))? {
            let mut known = app.store.known(&key)?;
            known
                .timers
                .extend(names.into_iter().map(|name| (name, now)));
            app.store.save_known(&key, &known)?;
            one.known = known;
        }
    }
    Ok(())
}

/// Tells those of the config file and of the tasks what has changed, if there are any.
async fn tell_people(
    app: &App,
    loaded: &[Loaded],
    round: &Round<'_>,
    stop: &Stop,
    tell: Listener<'_>,
) {
    let config = &app.settings.config;
    let of_task = |one: &Loaded| {
        let trigger = one.task.trigger.base_image_trigger.as_ref();
        !one.task.on_success.is_empty()
            || trigger.is_some_and(|trigger| trigger.update_trigger_payload_type.is_some())
    };
    let nobody = config.notify.is_empty() && config.on_success.is_empty();
    if nobody && !loaded.iter().any(of_task) {
        return;
    }
    let problems: Vec<_> = round
        .verdicts()
        .filter_map(|(node, verdict, _)| match verdict {
            Verdict::Unknown { problems, .. } => Some((node.task.key(), problems.clone())),
            _ => None,
        })
        .collect();
    notify::after_round(app, &problems, stop, tell).await;
}

/// Writes what was seen, if there is anything to remember.
fn remember(app: &App, tags: &Tags) -> Result<()> {
    if tags.records().is_empty() && !app.store.layout().bases().exists() {
        return Ok(());
    }
    app.store.save_tags(tags)
}

/// Tasks that wait for the same registry or repository: a few are told, the others counted, so that one that is down is no flood.
#[derive(Debug, Default)]
struct Crowd(BTreeMap<String, usize>);

impl Crowd {
    /// How many tasks are told one by one that wait for the same answer.
    const FEW: usize = 10;

    /// Tells whether this one is told by itself.
    fn admits(&mut self, verdict: &Verdict) -> bool {
        let Verdict::Unknown { problems, .. } = verdict else {
            return true;
        };
        let Some(problem) = problems.first() else {
            return true;
        };
        let waiting = self.0.entry(told::whose(&problem.subject)).or_default();
        *waiting += 1;
        *waiting <= Self::FEW
    }

    fn tell_of_the_rest(&self, tell: Listener<'_>) {
        for (subject, waiting) in &self.0 {
            if let more @ 1.. = waiting.saturating_sub(Self::FEW) {
                tell(Event::Warning(format!(
                    "{more} more tasks wait for `{subject}`; all of them: acrt task check -o table"
                )));
            }
        }
    }
}

/// Takes what was decided for a task into the result, and tells whether people should know it.
fn sum_up(key: &TaskKey, verdict: &Verdict, rounded: &mut Rounded, told: &mut Told) -> bool {
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
    told.is_news(key, verdict) && worth_telling
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
