//! Finds out what is stale, and why, without building.

mod answer;
mod mirrors;
mod outage;

use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{Kind, Result},
    image::{Digest, Reference},
    store::tasks::FollowedFiles,
    sys::{clock::ahead, signal::Stop},
    task::{Task, TaskKey},
    watch::{
        AwayBuilder, BaseState, BaseStatus, Baseline, LookErrorKind, Outcome, OutputStatus,
        Problem, ProblemKind, Round, Selection, Snapshot, State, Tags, Verdict,
        backoff::STALLED_AFTER,
        decide::{Move, Reasons},
        graph::Graph,
        round::vertex,
    },
};

use super::{
    App, EventSink,
    answer::{AzTimestamp, resume},
    credential::all_logins,
    heads::{self, Heads},
    joined::joined,
    look::{PendingLooks, TagSubscriptions, aged, looking_at},
    placing, reading, recall, steps, timer,
    why_failed::made_by,
};

pub use answer::{CheckAnswer, ImageAnswer, MirrorAnswer};
use answer::{OutputAnswer, OutputState};
use mirrors::look_at_mirrors;
pub use outage::{brief, outage_lines, outage_text};

/// Reads all tasks with their baselines, and what their files say now where that matters. A task that cannot be used is reported and left
/// out; `broken` counts these.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory itself cannot be read.
pub fn load(app: &App, broken: &mut usize, events: &EventSink<'_>) -> Result<Vec<Snapshot>> {
    let files = app.store.follow()?;
    let count = files.count();
    Ok(snapshots(app, count, read(app, files), broken, events))
}

/// Reads the same, and at the same time the state of tags.
///
/// # Errors
///
/// As [`load`]; [`Kind::Failed`] also where the state of tags cannot be read at the moment.
pub fn load_with_tags(
    app: &App,
    broken: &mut usize,
    events: &EventSink<'_>,
) -> Result<(Vec<Snapshot>, Tags)> {
    let tags = recall::ReadTags::begin(app);
    let loaded = load(app, broken, events)?;
    Ok((loaded, tags.end(app, events)?))
}

/// Reads only these tasks, as [`load`] does. Tasks that no longer exist are left out.
pub fn load_some(
    app: &App,
    keys: &[TaskKey],
    broken: &mut usize,
    events: &EventSink<'_>,
) -> Vec<Snapshot> {
    let followed = app.store.followed_of(keys).into_iter();
    let found = followed.map(|(_, followed)| {
        let (task, baseline) = followed?;
        Ok(Found::new(task, baseline, None))
    });
    snapshots(app, keys.len(), found, broken, events)
}

/// A task, its baseline, and whether its files are as its last run read them.
pub(super) struct Found {
    task: Task,
    baseline: Baseline,
    is_as_read: bool,
    /// Where the file system of its context is, if that does not answer.
    hanging: Option<PathBuf>,
}

impl Found {
    pub(super) fn new(task: Task, baseline: Baseline, definition: Option<(&Path, u64)>) -> Self {
        let hanging = reading::hanging(&task);
        Self {
            is_as_read: hanging.is_some() || reading::is_as_read(&task, &baseline, definition),
            task,
            baseline,
            hanging,
        }
    }
}

/// Reads tasks with their baselines, and checks their files, on all cores.
pub(super) fn read(app: &App, files: FollowedFiles) -> impl Iterator<Item = Result<Found>> + use<> {
    let layout = app.store.layout().clone();
    let found = files.read_with(move |task, baseline, state| {
        let definition = layout.task(&task.key());
        Found::new(task, baseline, Some((&definition, state)))
    });
    found.map(|(_, found)| found)
}

fn snapshots(
    app: &App,
    count: usize,
    found: impl Iterator<Item = Result<Found>>,
    broken: &mut usize,
    events: &EventSink<'_>,
) -> Vec<Snapshot> {
    let mut loaded = Vec::with_capacity(count);
    for found in found {
        match events.report(found) {
            Some(found) => loaded.push(snapshot(app, found)),
            None => *broken += 1,
        }
    }
    set_min_ages(app, &mut loaded);
    placing::add_away(app, &mut loaded, false);
    loaded
}

/// As [`load`], for a person who asks for runs: the bases of tasks that have never run are read from their files too, so that parents run
/// before children.
pub fn load_of(
    app: &App,
    selection: Option<Selection>,
    broken: &mut usize,
    events: &EventSink<'_>,
) -> Result<Vec<Snapshot>> {
    let mut loaded = load(app, broken, events)?;
    if selection.is_some() {
        let new = loaded.iter_mut().filter(|one| !one.baseline.is_tracking());
        for one in new {
            let reading = reading::of_first_run(app, &one.task);
            one.read(reading, |image| app.canonical(image));
        }
    }
    Ok(loaded)
}

/// Returns the minimum age of a task's bases, from the task or else from the config file.
pub(super) fn min_age(app: &App, task: &Task) -> SignedDuration {
    task.min_age.unwrap_or(app.min_age).duration()
}

/// Sets the minimum ages of the bases of these tasks, which push each other's bases.
pub(super) fn set_min_ages(app: &App, all: &mut [Snapshot]) {
    let ages = all.iter().map(|one| min_age(app, &one.task));
    if ages.clone().all(|age| age.is_zero()) {
        return;
    }
    let mut of_makers: HashMap<Reference, SignedDuration> = HashMap::new();
    for (one, age) in all.iter().zip(ages) {
        for image in &one.pushes {
            let least = of_makers.entry(image.clone()).or_insert(age);
            *least = age.min(*least);
        }
    }
    for one in all {
        set_min_ages_of(app, one, |base| of_makers.get(base).copied());
    }
}

/// Sets the minimum age of a task's bases. Bases that are verified may be exempt, and so are those that a task pushes whose own bases are as
/// old: what came from outside has waited there. `of_maker` returns the minimum age of the bases of the task that pushes an image, if one
/// does.
pub(super) fn set_min_ages_of(
    app: &App,
    snapshot: &mut Snapshot,
    mut of_maker: impl FnMut(&Reference) -> Option<SignedDuration>,
) {
    let age = min_age(app, &snapshot.task);
    if age.is_zero() {
        return;
    }
    snapshot.set_min_ages(|base| {
        let has_waited = of_maker(base).is_some_and(|it| it >= age);
        if has_waited || app.verifier.exempts_from_age(base) {
            SignedDuration::ZERO
        } else {
            age
        }
    });
}

/// Gives a task without windows of its own those of the config file.
pub(super) fn set_windows(app: &App, task: &mut Task) {
    if !app.windows.is_empty() {
        task.windows.get_or_insert_with(|| app.windows.clone());
    }
}

/// Combines a task with its baseline, and with what its files say now where that matters. Minimum ages depend on other tasks, and are not
/// set yet.
pub(super) fn snapshot(app: &App, found: Found) -> Snapshot {
    let Found {
        mut task,
        mut baseline,
        is_as_read,
        hanging,
    } = found;
    set_windows(app, &mut task);
    let reading = match hanging {
        Some(point) => Some(reading::of_hanging(&point)),
        None => {
            steps::read::find_pushes(app, &mut task);
            reading::reading(app, &task, &baseline, is_as_read)
        }
    };
    // The files in the baseline have been compared and are not needed any more; there may be ten thousand.
    baseline.files = Vec::new();
    baseline.named = None;
    let canonical = |image: &Reference| app.canonical(image);
    let mut snapshot = Snapshot::new(task, baseline, canonical);
    if let Some(reading) = reading {
        snapshot.read(reading, canonical);
    }
    snapshot
}

#[derive(Debug)]
pub struct CheckReport {
    pub tasks: Vec<CheckAnswer>,
    /// The worst state that was found, as the kind that picks the exit code; `None` if everything is current.
    pub worst: Option<Kind>,
}

/// What is to be checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions<'a> {
    /// Only this task, with the tasks whose images it depends on.
    pub only: Option<&'a TaskKey>,
    /// Whether the images that tasks have pushed are looked at too.
    pub images: bool,
}

/// Looks at every tag now, and returns the state of each task.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be used.
pub async fn check(
    app: &App,
    options: CheckOptions<'_>,
    events: &EventSink<'_>,
) -> Result<CheckReport> {
    let mut broken = 0;
    let (loaded, mut tags) = look_now(app, options, &mut broken, events).await?;
    let nodes: Vec<&Snapshot> = loaded.iter().collect();
    let mut tasks = simulate_round(nodes, &mut tags, app.clock.now());
    if let Some(key) = options.only {
        // Of other tasks, only what keeps this one from being checked matters.
        broken = 0;
        tasks.retain(|answer| answer.key() == *key);
        for task in &mut tasks {
            look_at_mirrors(app, task, &loaded, events).await?;
        }
    }
    let worst = worst(&tasks, broken, options.images);
    Ok(CheckReport { tasks, worst })
}

/// Reads the tasks that are to be checked, and those that matter for them, and looks at every tag and repository now. What was seen is stored.
///
/// # Errors
///
/// As [`check`].
pub(super) async fn look_now(
    app: &App,
    options: CheckOptions<'_>,
    broken: &mut usize,
    events: &EventSink<'_>,
) -> Result<(Vec<Snapshot>, Tags)> {
    let asked = app.clock.now();
    let (mut loaded, mut tags) = load_with_tags(app, broken, events)?;
    let mut others = Vec::new();
    if let Some(key) = options.only {
        // If the requested task is broken, report its own error.
        app.store.task(key)?;
        app.store.baseline(key)?;
        app.store.secrets(key)?;
        others = keep_with_ancestors(&mut loaded, key);
    }
    app.registries_with(all_logins(app, &loaded, broken, events)?);
    tags = tags.remembering(aged(loaded.iter().chain(&others)));
    let nodes: Vec<&Snapshot> = loaded.iter().collect();
    let wanted = subscriptions(app, &nodes, options.images, &tags).shared_with(&others);
    look_at_all(app, &nodes, &wanted, &mut tags, events).await;
    loop {
        let more = keep_makers(&loaded, &mut others, &tags);
        if more.is_empty() {
            break;
        }
        let nodes: Vec<&Snapshot> = more.iter().collect();
        let wanted = subscriptions(app, &nodes, false, &tags);
        let wanted = wanted.shared_with(loaded.iter().chain(&others));
        look_at_all(app, &nodes, &wanted, &mut tags, events).await;
        loaded.extend(more);
    }
    if !loaded.is_empty() {
        recall::keep_tags(app, &tags, events);
        let nodes: Vec<&Snapshot> = loaded.iter().collect();
        heads::keep_answers(app, &nodes, &tags, asked, events);
    }
    Ok((loaded, tags))
}

/// Returns the tags that tasks depend on. Of the images that tasks have pushed, only those are added that were missing the last time, or all
/// with `images`.
pub(super) fn subscriptions(
    app: &App,
    nodes: &[&Snapshot],
    images: bool,
    tags: &Tags,
) -> TagSubscriptions {
    let is_gone = |tag: &Reference| tags.look_error(tag) == Some(LookErrorKind::Absent);
    TagSubscriptions::by(app, nodes).with_outputs(nodes, |tag| images || is_gone(tag))
}

/// Looks at all `wanted` tags, and at the git repositories of these tasks, and waits for all answers.
pub(super) async fn look_at_all(
    app: &App,
    nodes: &[&Snapshot],
    wanted: &TagSubscriptions,
    tags: &mut Tags,
    events: &EventSink<'_>,
) {
    let all: Vec<Reference> = wanted.tags().into_iter().collect();
    events.send(looking_at(all.len()));
    let mut pending = PendingLooks::default();
    let sources = Heads::default().open(app, nodes, true);
    pending.ask_sources(app, sources, app.clock.now(), &Stop::never());
    pending.ask_tags(app, wanted, &all, tags);
    pending.all(app, wanted, tags).await;
}

/// Decides for every task what a round would do, without doing it: every run is assumed to succeed and to change its images.
pub fn simulate_round(nodes: Vec<&Snapshot>, tags: &mut Tags, now: Timestamp) -> Vec<CheckAnswer> {
    let (round, turns) = simulated(nodes, tags, now);
    let makers: LazyCell<HashMap<&Reference, TaskKey>, _> = LazyCell::new(|| {
        let nodes = round.verdicts().map(|(node, ..)| node);
        let pushes = nodes.flat_map(|node| node.pushes.iter().map(|it| (it, node.task.key())));
        pushes.collect()
    });
    let maker = |image: &Reference| makers.get(image).cloned();
    round
        .verdicts()
        .map(|(node, verdict, _)| CheckAnswer {
            turn: turns.get(&node.task.key()).copied(),
            ..CheckAnswer::new(node, verdict, tags, &maker, now)
        })
        .collect()
}

/// Returns the task that pushes an image, if one does.
type Maker<'m> = dyn Fn(&Reference) -> Option<TaskKey> + 'm;

/// Returns a round in which every run is assumed to succeed, and each task's position in the order of the runs, from 0.
pub(super) fn simulated<'n>(
    nodes: Vec<&'n Snapshot>,
    tags: &mut Tags,
    now: Timestamp,
) -> (Round<'n>, BTreeMap<TaskKey, usize>) {
    let mut round = Round::new(nodes);
    let mut turns = BTreeMap::new();
    while let Some(job) = round.next(tags, now) {
        turns.insert(job.task.clone(), turns.len());
        let node = round.node_of(&job.task);
        for image in node.map_or(&[][..], |node| &node.pushes) {
            tags.assume_moved(image.clone());
        }
        round.finished(&job.task, Outcome::Succeeded);
    }
    tags.assume_nothing();
    (round, turns)
}

/// Returns the state of a task in a simulated round: a task that only depends on what a parent's run will change is waiting, not stale.
pub(super) fn state_of(verdict: &Verdict) -> State {
    match verdict {
        Verdict::Stale(reasons) if reasons.depends_on_pending_runs() => State::Waiting,
        other => other.state(),
    }
}

/// Returns the worst of the states: a broken definition, then an unknown answer, then something stale. Pushed images count only with
/// `images`: that the loop could not look at one is no reason to doubt the bases.
fn worst(tasks: &[CheckAnswer], broken: usize, images: bool) -> Option<Kind> {
    let has_unknown_output = images && tasks.iter().any(CheckAnswer::has_unknown_output);
    let states = tasks.iter().filter_map(|task| task.state.exit());
    worst_of(
        states
            .chain((broken > 0).then_some(Kind::Failed))
            .chain(has_unknown_output.then_some(Kind::Unknown)),
    )
}

/// Returns the worst kind: failed, then unknown, then stale.
pub(super) fn worst_of(found: impl Iterator<Item = Kind>) -> Option<Kind> {
    let found: Vec<Kind> = found.collect();
    let order = [Kind::Failed, Kind::Unknown, Kind::Stale];
    order.into_iter().find(|kind| found.contains(kind))
}

/// Keeps a task and those whose images it depends on, directly or not. Returns the others.
pub(super) fn keep_with_ancestors(loaded: &mut Vec<Snapshot>, key: &TaskKey) -> Vec<Snapshot> {
    let vertices: Vec<_> = loaded.iter().map(vertex).collect();
    let graph = Graph::new(&vertices);
    let mut open: Vec<usize> = (0..loaded.len())
        .filter(|n| loaded[*n].task.key() == *key)
        .collect();
    let mut kept: HashSet<usize> = HashSet::new();
    while let Some(n) = open.pop() {
        if kept.insert(n) {
            open.extend(&graph.parents[n]);
        }
    }
    let all = std::mem::take(loaded).into_iter().enumerate();
    let (own, others): (Vec<_>, Vec<_>) = all.partition(|(n, _)| kept.contains(n));
    loaded.extend(own.into_iter().map(|(_, one)| one));
    others.into_iter().map(|(_, one)| one).collect()
}

/// Takes out of `others` the tasks that have pushed the digests which the bases of the `kept` tasks have now, under names that were not
/// declared.
pub(super) fn keep_makers(
    kept: &[Snapshot],
    others: &mut Vec<Snapshot>,
    tags: &Tags,
) -> Vec<Snapshot> {
    let bases = kept.iter().flat_map(|one| one.followed());
    let now: HashSet<&Digest> = bases
        .filter_map(|(tag, _)| tags.get(tag)?.digest.as_ref())
        .collect();
    let is_maker = |one: &mut Snapshot| {
        let mut pushed = one.pushed();
        pushed.any(|(_, _, digest)| now.contains(digest))
    };
    others.extract_if(.., is_maker).collect()
}

impl CheckAnswer {
    fn new(
        node: &Snapshot,
        verdict: &Verdict,
        tags: &Tags,
        maker: &Maker<'_>,
        now: Timestamp,
    ) -> Self {
        let parents = |moves: &[Move]| -> Vec<String> {
            let names: BTreeSet<String> = moves
                .iter()
                .filter(|one| one.to.is_none())
                .filter_map(|one| Some(maker(&one.tag)?.to_string()))
                .collect();
            names.into_iter().collect()
        };
        let waiting_for = match verdict {
            Verdict::Waiting { on, .. } => on.iter().map(ToString::to_string).collect(),
            Verdict::Stale(reasons) | Verdict::OutsideWindow { reasons, .. } => {
                parents(&reasons.moves)
            }
            _ => Vec::new(),
        };
        let state = state_of(verdict);
        let waits = state == State::Waiting && matches!(verdict, Verdict::Stale(_));
        Self {
            name: node.task.name.clone(),
            registry: node.task.registry.clone(),
            state,
            silent: verdict.silence().map_or_else(Vec::new, <[Problem]>::to_vec),
            reason: if waits {
                format!("depends on {}, to be rebuilt first", waiting_for.join(", "))
            } else {
                with_remarks(node, verdict, tags, maker, now)
            },
            evidence: node.baseline.evidence,
            waiting_for,
            next_try: verdict.until().map(AzTimestamp),
            waits_for_window: matches!(verdict, Verdict::OutsideWindow { .. }),
            resume: node.baseline.is_stalled().then(|| resume(&node.task.key())),
            timers: timer::answers(&node.task, now),
            images: images(node, tags, now),
            untracked_images: node.baseline.untracked.clone(),
            output_images: outputs(node, tags, now),
            turn: None,
        }
    }

    pub(super) fn key(&self) -> TaskKey {
        TaskKey {
            registry: self.registry.clone(),
            name: self.name.clone(),
        }
    }

    fn has_unknown_output(&self) -> bool {
        self.output_images
            .iter()
            .any(|image| image.state == OutputState::Unknown)
    }
}

/// Returns the reason of a verdict on one line, with further remarks: the images that are not tracked, the tasks that make missing images,
/// and pushed images that another client has moved.
fn with_remarks(
    node: &Snapshot,
    verdict: &Verdict,
    tags: &Tags,
    maker: &Maker<'_>,
    now: Timestamp,
) -> String {
    let mut parts = vec![reason(&node.task.key(), verdict)];
    if let Verdict::OutsideWindow { until, .. } = verdict {
        parts[0].push_str(&format!(" ({})", ahead(*until, now)));
    }
    if matches!(verdict, Verdict::Current | Verdict::FollowsNothing) {
        parts.extend(node.baseline.untracked.iter().map(ToString::to_string));
    }
    if matches!(verdict, Verdict::FollowsNothing) {
        let baseline = &node.baseline;
        if baseline.dependencies.is_empty() && baseline.untracked.is_empty() {
            parts.push("it depends on no image".to_owned());
        }
        let other = baseline.dependencies.iter();
        parts.extend(other.map(|dependency| {
            let (image, option) = (dependency.image.tagged(), node.task.key().full_option());
            format!("`{image}` does not count for its trigger; to follow it: acrt task update {option} --base-image-trigger-type All")
        }));
    }
    if matches!(verdict, Verdict::Missing { .. }) {
        let gone = node.followed().filter(|(tag, dependency)| {
            matches!(tags.status(tag, dependency), BaseStatus::Missing { .. })
        });
        let makers: BTreeSet<TaskKey> = gone.filter_map(|(tag, _)| maker(tag)).collect();
        parts.extend(makers.iter().map(made_by));
    }
    for (tag, output, pushed) in node.pushed() {
        let image = output.tagged();
        match output_status(node, tag, pushed, tags, now) {
            OutputStatus::Moved(now) if node.baseline.overridden.is_none() => parts.push(format!(
                "`{image}` was pushed as {}, and was moved to {} from elsewhere",
                pushed.short(),
                now.short()
            )),
            OutputStatus::Unknown { why } => {
                parts.push(format!("what became of `{image}` is unknown: {why}"));
            }
            _ => {}
        }
    }
    let evidence = node.baseline.evidence;
    parts.extend(evidence.map(|it| format!("tracking by {it}, not run yet")));
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

fn output_status(
    node: &Snapshot,
    tag: &Reference,
    pushed: &Digest,
    tags: &Tags,
    now: Timestamp,
) -> OutputStatus {
    match node.baseline.pushed_at() {
        Some(pushed_at) => tags.output_status(tag, pushed, pushed_at, now),
        None => OutputStatus::NotLooked,
    }
}

fn outputs(node: &Snapshot, tags: &Tags, now: Timestamp) -> Vec<OutputAnswer> {
    let answers = node.pushed().map(|(tag, output, pushed)| {
        let status = output_status(node, tag, pushed, tags, now);
        let record = tags.get(tag).filter(|_| status != OutputStatus::NotLooked);
        OutputAnswer {
            image: output.tagged(),
            state: match status {
                OutputStatus::NotLooked => OutputState::NotLooked,
                OutputStatus::Current => OutputState::Current,
                OutputStatus::Moved(_) => OutputState::Moved,
                OutputStatus::Missing { .. } => OutputState::Missing,
                OutputStatus::Unknown { .. } => OutputState::Unknown,
            },
            pushed_digest: Some(pushed.clone()),
            current_digest: record.and_then(|record| record.digest.clone()),
            last_looked: record.and_then(|it| it.last_looked).map(AzTimestamp),
        }
    });
    answers.collect()
}

/// Returns the reason of a verdict on one line.
pub fn reason(key: &TaskKey, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Disabled => "the task is disabled".into(),
        Verdict::TriggerOff => "its base image trigger is off".into(),
        Verdict::NeverRun => {
            "no run of its definition has succeeded since it was made or changed, so that nothing is followed".into()
        }
        Verdict::Failing {
            failures,
            run_id,
            why,
            until,
        } => {
            let times = match failures {
                1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            let again = until.map(|until| format!("; tried again at {until:.0}"));
            format!(
                "no run has succeeded, and {times} one failed: run {run_id}: {why}{}",
                again.unwrap_or_default()
            )
        }
        Verdict::Current => String::new(),
        Verdict::FollowsNothing => "nothing that it depends on is followed".into(),
        Verdict::Changed(change) if let Some(source) = &change.source => source.clone(),
        Verdict::Changed(change) => {
            let named = joined(&change.named, ", ");
            let how = if named.is_empty() {
                "what it is built from has changed".to_owned()
            } else if change.added.is_empty() {
                format!(
                    "its files use fewer images than it was built on, or these in another way: {named}"
                )
            } else {
                format!("its files name other images than it was built on: {named}")
            };
            format!("{how}; to build it anew: {}", resume(key))
        }
        Verdict::ImageMissing { images, since } => {
            let images = joined(images.iter().map(|image| format!("`{image}`")), ", ");
            format!(
                "{images} is gone since {since:.0}; to make it again: {}",
                resume(key)
            )
        }
        Verdict::Stale(reasons) => reasons_text(reasons),
        Verdict::Unknown { problems, .. }
        | Verdict::Missing { problems, .. }
        | Verdict::Unverified { problems, .. } => joined(problems.iter().map(said), "; "),
        Verdict::BackingOff {
            reasons,
            until,
            failures,
            run_id,
            why,
        } => {
            let stalled = if *failures >= STALLED_AFTER {
                format!("; stalled, to try it now: {}", resume(key))
            } else {
                String::new()
            };
            format!(
                "{}; failed {failures} in a row, tried again at {until:.0}{stalled}; run {run_id}: {why}",
                reasons_text(reasons)
            )
        }
        Verdict::Canceled { reasons, run_id } => format!(
            "{}; run {run_id} for that was canceled, to run it again: {}",
            reasons_text(reasons),
            resume(key)
        ),
        Verdict::TooYoung { reasons, until } => {
            format!(
                "{}; too young, waits until {until:.0}",
                reasons_text(reasons)
            )
        }
        Verdict::Settling { reasons, until } => {
            format!(
                "{}; waits until {until:.0} for a further move",
                reasons_text(reasons)
            )
        }
        Verdict::OutsideWindow { reasons, until } => format!(
            "{}; waits for its window, opens {}",
            reasons_text(reasons),
            until.strftime("%a %Y-%m-%d %H:%MZ")
        ),
        Verdict::Waiting { on, reasons } => {
            let on = joined(on, ", ");
            if reasons.is_empty() {
                format!("depends on {on}, which is to be rebuilt and was not")
            } else {
                format!("{}; waits for {on}", reasons_text(reasons))
            }
        }
        Verdict::NoBuilder { away, reasons } => {
            let away = joined(away.iter().map(AwayBuilder::said), "; ");
            format!("{away}; to be run for {}", reasons_text(reasons))
        }
        Verdict::Cycle(path) => {
            let names = joined(path.iter().chain(path.first()), " -> ");
            format!("the tasks depend on each other: {names}")
        }
    }
}

fn said(problem: &Problem) -> String {
    let Problem {
        subject, why, kind, ..
    } = problem;
    let since = problem.since.map(|since| format!(" (since {since:.0})"));
    let since = since.unwrap_or_default();
    if *kind == ProblemKind::Files || why.contains(subject.as_str()) {
        format!("{why}{since}")
    } else {
        format!("{subject}: {why}{since}")
    }
}

/// Returns which images moved, from which digest to which, and which timers fired.
pub fn reasons_text(reasons: &Reasons) -> String {
    let Reasons {
        moves,
        timers,
        source,
        change,
        by_hand,
    } = reasons;
    let short = |digest: &Option<Digest>| {
        digest
            .as_ref()
            .map_or("unknown".to_owned(), |digest| digest.short().to_owned())
    };
    let timers = timers
        .iter()
        .map(|fired| format!("timer {} of {:.0}", fired.timer, fired.time));
    let moves = moves.iter().map(|one| match &one.to {
        Some(_) => format!(
            "{} {} -> {}",
            one.base.tagged(),
            short(&one.base.digest),
            short(&one.to)
        ),
        None => format!(
            "{} {} -> to be rebuilt",
            one.base.tagged(),
            short(&one.base.digest)
        ),
    });
    let source = source.iter().map(|source| {
        let branch = source.branch_name.as_deref().unwrap_or("HEAD");
        let commit = source.commit_id.get(..12).unwrap_or(&source.commit_id);
        format!("{} {branch} -> {commit}", source.repository_url)
    });
    let change = change.iter().map(|change| match change.named.as_slice() {
        [] => "what it is built from has changed".to_owned(),
        named => format!("its files name {} now", joined(named, ", ")),
    });
    let by_hand = by_hand.then(|| "asked for by hand".to_owned());
    let all = moves.chain(change).chain(source).chain(timers);
    joined(all.chain(by_hand), ", ")
}

fn images(node: &Snapshot, tags: &Tags, now: Timestamp) -> Vec<ImageAnswer> {
    let followed: BTreeMap<&Reference, BaseStatus> = node
        .followed_by_age()
        .map(|(tag, dependency, age)| (tag, tags.status_at_age(tag, dependency, age, now)))
        .collect();
    let dependencies = node.bases.iter().zip(&node.baseline.dependencies);
    dependencies
        .map(|(tag, dependency)| {
            let record = tag.as_ref().and_then(|tag| tags.get(tag));
            let error = record.and_then(|record| record.error.as_ref());
            let paused = record.filter(|record| record.rests(now));
            ImageAnswer {
                image: dependency.image.tagged(),
                r#type: dependency.kind,
                line: dependency.line,
                state: match tag.as_ref().and_then(|tag| followed.get(tag)) {
                    None => BaseState::NotFollowed,
                    Some(BaseStatus::Current) => BaseState::Current,
                    Some(BaseStatus::Moved(_)) => BaseState::Moved,
                    Some(BaseStatus::TooYoung { .. }) => BaseState::TooYoung,
                    Some(BaseStatus::Unverified { .. }) => BaseState::Unverified,
                    Some(BaseStatus::Missing { .. }) => BaseState::Missing,
                    Some(BaseStatus::Unknown { .. }) => BaseState::Unknown,
                },
                recorded_digest: dependency.image.digest.clone(),
                current_digest: record.and_then(|record| record.digest.clone()),
                first_seen: record.and_then(|it| it.first_seen).map(AzTimestamp),
                last_looked: record.and_then(|it| it.last_looked).map(AzTimestamp),
                next_look: record.and_then(|it| it.next_look).map(AzTimestamp),
                paused_until: paused.and_then(|it| it.not_before).map(AzTimestamp),
                error: error.map(|error| error.message.clone()),
                error_since: error.map(|error| AzTimestamp(error.since)),
                mirror: None,
            }
        })
        .collect()
}
