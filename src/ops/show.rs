//! Shows task definitions, with the state of each when its tags were last looked at. No registry is asked.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use jiff::Timestamp;

use crate::{
    error::Result,
    image::Reference,
    store::{secrets::Secrets, tasks::FollowedFiles},
    sys::workers,
    task::{Dependency, Task, TaskKey},
    watch::{Baseline, Observation, Snapshot, Tags, Verdict},
};

use super::{
    App, Event, EventSink,
    answer::{LastRecorded, RunAnswer, TaskAnswer},
    check::{
        self, CheckAnswer, Found, keep_makers, keep_with_ancestors, set_min_ages, set_windows,
        simulate_round, simulated, snapshot, state_of,
    },
    heads,
    recall::{self, ReadTags},
    runs::{self, RunFilter},
    task::existing,
};

/// Returns a task.
///
/// # Errors
///
/// [`crate::error::Kind::NotFound`] if there is none; [`crate::error::Kind::Invalid`] if its files cannot be used.
pub fn task(app: &App, key: &TaskKey) -> Result<TaskAnswer> {
    answer_about(app, existing(app, key)?)
}

fn answer_about(app: &App, mut task: Task) -> Result<TaskAnswer> {
    let key = &task.key();
    set_windows(app, &mut task);
    let baseline = app.store.baseline(key)?;
    let last = of(app, &task, &baseline);
    // A secrets file that others can read is reported where it is used.
    let secrets = app.store.secrets(key).unwrap_or_default();
    Ok(TaskAnswer::new(&task, &baseline, last).with_credentials(&secrets))
}

/// Returns a task with the values of its secret arguments.
///
/// # Errors
///
/// As [`task`], and [`crate::error::Kind::Invalid`] where other users can read the file of its secrets.
pub fn with_secrets(app: &App, key: &TaskKey) -> Result<TaskAnswer> {
    let task = existing(app, key)?;
    let secrets = app.store.secrets(key)?;
    let mut answer = answer_about(app, task.clone())?;
    answer.reveal(&task, &secrets);
    Ok(answer)
}

/// Many tasks. They are read, and their states determined, only when they are shown.
pub struct TaskList {
    app: App,
    files: Option<FollowedFiles>,
    /// All tasks: a task may depend on the image of one that is not shown.
    loaded: Vec<Snapshot>,
    /// What is remembered of tags, once they have been read.
    tags: Tags,
    registry: Option<String>,
}

/// Returns all tasks, or those of one registry. What cannot be read is reported and left out.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory itself cannot be read.
pub fn list(app: &App, registry: Option<&str>, events: &EventSink<'_>) -> Result<TaskList> {
    let registry = registry.map(|name| app.settings.login_server(name));
    let mut files = app.store.follow()?;
    for (key, error) in files.take_broken() {
        if app.is_shown(registry.as_deref(), &key.registry) {
            events.send(Event::Problem(error));
        }
    }
    Ok(TaskList {
        app: app.read_again()?,
        files: Some(files),
        loaded: Vec::new(),
        tags: Tags::default(),
        registry,
    })
}

impl TaskList {
    /// Reads the tasks at the first call.
    pub fn load(&mut self) {
        let Some(files) = self.files.take() else {
            return;
        };
        let tags = ReadTags::begin(&self.app);
        self.loaded.reserve_exact(files.count());
        let found = check::read(&self.app, files).filter_map(Result::ok);
        let snapshots = found.map(|found| snapshot(&self.app, found));
        self.loaded.extend(snapshots);
        self.tags = tags.end(&self.app, &EventSink::none()).unwrap_or_default();
    }

    fn is_shown(&self, task: &Task) -> bool {
        self.app.is_shown(self.registry.as_deref(), &task.registry)
    }

    fn shown(&self) -> impl Iterator<Item = &Snapshot> {
        self.loaded.iter().filter(|one| self.is_shown(&one.task))
    }

    /// Returns the tasks that track nothing yet, of those that have been read.
    pub fn never_run(&self) -> impl Iterator<Item = TaskKey> {
        let tasks = self.shown().filter(|one| !one.baseline.is_tracking());
        tasks.map(|one| one.task.key())
    }

    /// Returns the stalled tasks, of those that have been read.
    pub fn stalled(&self) -> impl Iterator<Item = TaskKey> {
        let tasks = self.shown().filter(|one| one.baseline.is_stalled());
        tasks.map(|one| one.task.key())
    }

    /// Calls `show` with the answers about all tasks, some at a time and on all cores. Returns what it makes of them, in order.
    pub fn show<R: Send + 'static>(
        mut self,
        show: impl Fn(Vec<TaskAnswer>) -> R + Send + Sync + 'static,
    ) -> impl Iterator<Item = R> {
        self.load();
        let (loaded, tags) = (mem::take(&mut self.loaded), mem::take(&mut self.tags));
        let states = last_known(&self.app, &loaded, tags);
        let are_shown: Vec<bool> = loaded.iter().map(|one| self.is_shown(&one.task)).collect();
        let keys = self.app.store.keys_with_secrets().unwrap_or_default();
        let with_secrets: HashSet<TaskKey> = keys.into_iter().collect();
        let store = self.app.store.clone();
        let answer = move |(one, last): (Snapshot, LastRecorded)| {
            let key = one.task.key();
            let secrets = if with_secrets.contains(&key) {
                store.secrets(&key).unwrap_or_default()
            } else {
                Secrets::default()
            };
            TaskAnswer::new(&one.task, &one.baseline, last).with_credentials(&secrets)
        };
        let shown = loaded.into_iter().zip(states).zip(are_shown);
        let shown = shown.filter_map(|(one, is_shown)| is_shown.then_some(one));
        workers::in_order(workers::parts(shown), move |part| {
            show(part.into_iter().map(&answer).collect())
        })
    }
}

/// Returns the state of one task when its tags were last looked at.
fn of(app: &App, task: &Task, baseline: &Baseline) -> LastRecorded {
    let all = with_ancestors(app, task, baseline);
    let tags = recall::tags(app, &EventSink::none()).unwrap_or_default();
    let states = last_known(app, &all, tags);
    let both = all.iter().zip(states);
    let mut own = both.filter(|(one, _)| one.task.key() == task.key());
    own.next().map(|(_, last)| last).unwrap_or_default()
}

/// Returns a task with the tasks that make its bases, directly or not.
fn with_ancestors(app: &App, task: &Task, baseline: &Baseline) -> Vec<Snapshot> {
    let key = task.key();
    let mut all = Vec::new();
    // Only a task that depends on images may have to wait for another task.
    if !baseline.dependencies.is_empty() {
        let others = app.store.followed().into_iter().flatten();
        let others =
            others.filter_map(|(other, followed)| (other != key).then_some(followed.ok()?));
        all.extend(others.map(|(mut task, baseline)| {
            super::steps::read::find_pushes(app, &mut task);
            set_windows(app, &mut task);
            Snapshot::new(task, baseline, |image| app.canonical(image))
        }));
    }
    let own = Found::new(task.clone(), baseline.clone(), None);
    all.push(snapshot(app, own));
    set_min_ages(app, &mut all);
    let mut others = keep_with_ancestors(&mut all, &key);
    let tags = recall::tags(app, &EventSink::none()).unwrap_or_default();
    loop {
        let more = keep_makers(&all, &mut others, &tags);
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    all
}

/// Decides the state of a task from what is stored; `None` where it cannot be decided.
///
/// # Errors
///
/// [`crate::error::Kind::NotFound`] if there is none; [`crate::error::Kind::Invalid`] if its files cannot be used.
pub(super) fn verdict_of(app: &App, key: &TaskKey) -> Result<Option<Verdict>> {
    let (task, baseline) = (existing(app, key)?, app.store.baseline(key)?);
    let all = with_ancestors(app, &task, &baseline);
    let nodes: Vec<&Snapshot> = all.iter().collect();
    let mut tags = known(app, &nodes);
    let (round, _) = simulated(nodes, &mut tags, app.clock.now());
    let mut verdicts = round.verdicts();
    let own = verdicts.find(|(node, ..)| node.task.key() == *key);
    Ok(own.map(|(_, verdict, _)| verdict.clone()))
}

/// A task with its state and last runs, without asking a registry.
pub struct TaskDetails {
    /// The state, as `task check` shows it.
    pub check: CheckAnswer,
    /// Its last runs, the newest first.
    pub runs: Vec<RunAnswer>,
}

/// How many runs of a task are shown.
const RUNS: usize = 5;

/// Returns a task with its state and last runs, from what is stored.
pub fn details(app: &App, key: &TaskKey, events: &EventSink<'_>) -> Result<Option<TaskDetails>> {
    let (task, baseline) = (existing(app, key)?, app.store.baseline(key)?);
    let all = with_ancestors(app, &task, &baseline);
    let nodes: Vec<&Snapshot> = all.iter().collect();
    let mut tags = known(app, &nodes);
    let answers = simulate_round(nodes, &mut tags, app.clock.now()).into_iter();
    let filter = RunFilter {
        top: RUNS,
        ..runs::of_task(key)
    };
    let runs = runs::list(app, &filter, events)?;
    let mut own = answers.filter(|answer| answer.key() == *key);
    Ok(own.next().map(|check| TaskDetails { check, runs }))
}

/// Returns the remembered tags of tasks. If they cannot be read, none counts as looked at.
fn known(app: &App, nodes: &[&Snapshot]) -> Tags {
    let known = recall::tags(app, &EventSink::none()).unwrap_or_default();
    with_runs(app, known, nodes)
}

/// Returns the state of each task when its tags were last looked at, by a round or by a run.
fn last_known(app: &App, tasks: &[Snapshot], tags: Tags) -> Vec<LastRecorded> {
    let nodes: Vec<&Snapshot> = tasks.iter().collect();
    let mut tags = with_runs(app, tags, &nodes);
    let looked: Vec<Option<Timestamp>> = nodes
        .iter()
        .map(|node| {
            let looks = node
                .followed()
                .map(|(tag, _)| tags.get(tag).and_then(|record| record.last_looked));
            looks.min().flatten()
        })
        .collect();
    let (round, _) = simulated(nodes, &mut tags, app.clock.now());
    let states = round.decisions().map(|verdict| verdict.map(state_of));
    let both = states.zip(looked);
    both.map(|(state, looked)| LastRecorded { state, looked })
        .collect()
}

/// Adds what is stored of git repositories that have not been asked, and what runs have found out about tags since the last looks at these.
pub(super) fn with_runs(app: &App, mut tags: Tags, nodes: &[&Snapshot]) -> Tags {
    for (git, head) in heads::last_known(app, nodes) {
        if tags.head(&git).is_none() {
            tags.set_head(git, head);
        }
    }
    let mut newest: HashMap<&Reference, (Timestamp, &Dependency)> = HashMap::new();
    for node in nodes {
        // The baseline of an image that existed before any run does not show what its bases were when it was recorded.
        let has_run = node.baseline.run_id.is_some();
        let Some(ran) = node.baseline.recorded.filter(|_| has_run) else {
            continue;
        };
        for (tag, dependency) in node.followed() {
            let looked = tags.get(tag).and_then(|record| record.last_looked);
            let known = newest.get(tag).map(|(time, _)| *time);
            if dependency.image.digest.is_some() && Some(ran) > looked.max(known) {
                newest.insert(tag, (ran, dependency));
            }
        }
    }
    for (tag, (ran, dependency)) in newest {
        if let Some(digest) = dependency.image.digest.clone() {
            let manifests = dependency.manifests.clone();
            tags.observe(
                tag,
                Observation {
                    digest,
                    manifests,
                    created: None,
                },
                ran,
            );
        }
    }
    tags
}
