//! What is stale, and why, without building.

mod mirrors;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, Reference},
    store::secrets::Secrets,
    sys::signal::Stop,
    task::{DependencyKind, Task, TaskKey, TaskName, Untracked},
    watch::{
        Known, Node, Outcome, Round, Standing, Tags, Verdict,
        backoff::STALLED_AFTER,
        decide::{Move, Reasons, followed},
        graph::Graph,
        round::vertex,
    },
};

use super::{
    App,
    answer::{Moment, resume},
    credential::all_logins,
    event::{Event, Listener},
    heads::Heads,
    inputs,
    look::{Wanted, look, looking_at},
    steps,
    timer::{self, TimerAnswer},
};

use mirrors::{MirrorAnswer, look_at_mirrors};

/// A task with all that is known of it.
#[derive(Debug)]
pub struct Loaded {
    /// The definition.
    pub task: Task,
    /// What its last successful run stood on.
    pub known: Known,
    /// What its Dockerfile and definition are now, while it fails.
    pub inputs: Option<Digest>,
}

impl Loaded {
    /// Returns it as a round takes it.
    #[must_use]
    pub fn node(&self) -> Node<'_> {
        Node {
            task: &self.task,
            known: &self.known,
            inputs: self.inputs.as_ref(),
        }
    }
}

/// Reads all tasks. Each one that cannot be used is told, and out by itself; `broken` counts them.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory itself cannot be read.
pub fn load(app: &App, broken: &mut usize, tell: Listener<'_>) -> Result<Vec<Loaded>> {
    let followed = app.store.followed()?;
    let mut loaded = Vec::with_capacity(followed.len());
    for (_, followed) in followed {
        match followed {
            Ok((mut task, known)) => {
                steps::read::find_pushes(app, &mut task);
                let inputs = known.failure.as_ref().and_then(|_| inputs_of(app, &task));
                loaded.push(Loaded {
                    task,
                    known,
                    inputs,
                });
            }
            Err(error) => {
                *broken += 1;
                tell(Event::Problem(error));
            }
        }
    }
    Ok(loaded)
}

fn inputs_of(app: &App, task: &Task) -> Option<Digest> {
    let secrets: Secrets = app.store.secrets(&task.key()).ok()?;
    inputs::survey(app, task, &secrets).ok()?.digest
}

/// What was found out about all tasks.
#[derive(Debug)]
pub struct CheckReport {
    /// Each task.
    pub tasks: Vec<CheckAnswer>,
    /// The worst of what was found, as an exit code tells it; none if everything is current.
    pub worst: Option<Kind>,
}

/// What a task needs, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckAnswer {
    /// Its name.
    pub name: TaskName,
    registry: String,
    /// One of current, stale, unknown, waiting, backing-off, stalled, settling, never-run, disabled, cycle.
    pub state: &'static str,
    /// Why, on one line.
    pub reason: String,
    waiting_for: Vec<String>,
    next_try: Option<Moment>,
    /// The command that tries a stalled task at once.
    resume: Option<String>,
    images: Vec<ImageAnswer>,
    timers: Vec<TimerAnswer>,
    untracked_images: Vec<Untracked>,
    /// When it would be run in a round, counted from 0.
    #[serde(skip)]
    pub turn: Option<usize>,
}

/// An image that a task stands on, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageAnswer {
    image: String,
    r#type: DependencyKind,
    line: usize,
    /// One of current, moved, unknown, not-followed.
    state: &'static str,
    recorded_digest: Option<Digest>,
    current_digest: Option<Digest>,
    first_seen: Option<Moment>,
    last_looked: Option<Moment>,
    next_look: Option<Moment>,
    /// Until when its registry wants to be left alone.
    paused_until: Option<Moment>,
    error: Option<String>,
    error_since: Option<Moment>,
    /// The copy of one's own that the config file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<MirrorAnswer>,
}

/// Looks at every tag now, and says what each task needs; with `only`, that task and those it stands on.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be used.
pub async fn check(app: &App, only: Option<&TaskKey>, tell: Listener<'_>) -> Result<CheckReport> {
    let mut broken = 0;
    let mut loaded = load(app, &mut broken, tell)?;
    if let Some(key) = only {
        // The one asked for is told properly, be it missing or broken.
        super::task::existing(app, key)?;
        app.store.known(key)?;
        broken = 0;
        keep_with_ancestors(&mut loaded, key);
    }
    app.registries_with(all_logins(app, tell)?);
    let nodes: Vec<Node<'_>> = loaded.iter().map(Loaded::node).collect();
    let wanted = Wanted::by(&nodes);
    let heads = Heads::default().of(app, &nodes, true, &Stop::never()).await;
    let mut tags = app.store.tags()?.with_heads(heads);
    let all: Vec<_> = wanted.tags().into_iter().collect();
    tell(looking_at(all.len()));
    look(app, &wanted, all, &mut tags).await?;
    if !loaded.is_empty() {
        app.store.prepare()?;
        app.store.save_tags(&tags)?;
    }
    let mut tasks = foresee(nodes, tags, app.clock.now());
    if let Some(key) = only {
        tasks.retain(|answer| answer.name == key.name && answer.registry == key.registry);
        for task in &mut tasks {
            look_at_mirrors(app, task, &loaded, tell).await?;
        }
    }
    let worst = worst(&tasks, broken);
    Ok(CheckReport { tasks, worst })
}

/// Decides for every task what a round would do, without doing it: every run is taken to succeed and to move its images.
#[must_use]
pub fn foresee(nodes: Vec<Node<'_>>, mut tags: Tags, now: Timestamp) -> Vec<CheckAnswer> {
    let seen = tags.clone();
    let makers: BTreeMap<Reference, TaskKey> = nodes
        .iter()
        .flat_map(|node| {
            let key = node.task.key();
            node.task
                .stable_images()
                .into_iter()
                .map(move |image| (image, key.clone()))
        })
        .collect();
    let images: BTreeMap<TaskKey, Vec<Reference>> = nodes
        .iter()
        .map(|node| (node.task.key(), node.task.stable_images()))
        .collect();
    let mut round = Round::new(nodes);
    let mut turns = BTreeMap::new();
    while let Some(job) = round.next(&tags, now) {
        turns.insert(job.task.clone(), turns.len());
        for image in images.get(&job.task).into_iter().flatten() {
            tags.assume_moved(image.clone());
        }
        round.finished(&job.task, Outcome::Succeeded);
    }
    round
        .verdicts()
        .map(|(node, verdict, _)| CheckAnswer {
            turn: turns.get(&node.task.key()).copied(),
            ..CheckAnswer::new(node, verdict, &seen, &makers, now)
        })
        .collect()
}

/// Returns the worst of what was found: a broken definition before an unknown answer before something stale.
fn worst(tasks: &[CheckAnswer], broken: usize) -> Option<Kind> {
    let any = |states: &[&str]| tasks.iter().any(|task| states.contains(&task.state));
    if broken > 0 || any(&["cycle"]) {
        Some(Kind::Failed)
    } else if any(&["unknown"]) {
        Some(Kind::Unknown)
    } else if any(&["stale", "waiting", "backing-off", "stalled", "settling"]) {
        Some(Kind::Stale)
    } else {
        None
    }
}

fn keep_with_ancestors(loaded: &mut Vec<Loaded>, key: &TaskKey) {
    let vertices: Vec<_> = loaded.iter().map(|one| vertex(&one.node())).collect();
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
    let mut n = 0;
    loaded.retain(|_| {
        n += 1;
        kept.contains(&(n - 1))
    });
}

impl CheckAnswer {
    fn new(
        node: &Node<'_>,
        verdict: &Verdict,
        tags: &Tags,
        makers: &BTreeMap<Reference, TaskKey>,
        now: Timestamp,
    ) -> Self {
        let parents = |moves: &[Move]| -> Vec<String> {
            let names: BTreeSet<String> = moves
                .iter()
                .filter(|one| one.to.is_none())
                .filter_map(|one| Some(makers.get(&one.tag)?.to_string()))
                .collect();
            names.into_iter().collect()
        };
        let waiting_for = match verdict {
            Verdict::Waiting { on, .. } => on.iter().map(ToString::to_string).collect(),
            Verdict::Stale(reasons) => parents(&reasons.moves),
            _ => Vec::new(),
        };
        // What only a parent's run will move is not stale yet: it waits for that run.
        let waits = matches!(verdict, Verdict::Stale(reasons) if reasons.only_will_be());
        Self {
            name: node.task.name.clone(),
            registry: node.task.registry.clone(),
            state: if waits { "waiting" } else { verdict.word() },
            reason: match waits {
                true => format!("stands on {}, to be rebuilt first", waiting_for.join(", ")),
                false => reason(&node.task.key(), verdict),
            },
            waiting_for,
            next_try: verdict.until().map(Moment),
            resume: node.known.is_stalled().then(|| resume(&node.task.key())),
            timers: timer::answers(node.task, now),
            images: images(node, tags, now),
            untracked_images: node.known.untracked.clone(),
            turn: None,
        }
    }
}

/// Says a verdict's reason on one line.
#[must_use]
pub fn reason(key: &TaskKey, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Disabled => "the task is disabled".into(),
        Verdict::TriggerOff => "its base image trigger is off".into(),
        Verdict::NeverRun => "no run has succeeded yet, so that nothing is followed".into(),
        Verdict::Current => String::new(),
        Verdict::Stale(reasons) => told(reasons),
        Verdict::Unknown { problems, .. } => {
            let problems = problems.iter().map(|problem| {
                let since = problem.since.map(|since| format!(" (since {since:.0})"));
                format!(
                    "{}: {}{}",
                    problem.subject,
                    problem.why,
                    since.unwrap_or_default()
                )
            });
            problems.collect::<Vec<_>>().join("; ")
        }
        Verdict::BackingOff {
            reasons,
            until,
            failures,
        } => {
            let stalled = match *failures >= STALLED_AFTER {
                true => format!("; stalled, to try it now: {}", resume(key)),
                false => String::new(),
            };
            format!(
                "{}; failed {failures} in a row, tried again at {until:.0}{stalled}",
                told(reasons)
            )
        }
        Verdict::Settling { reasons, until } => {
            format!(
                "{}; waits until {until:.0} for a further move",
                told(reasons)
            )
        }
        Verdict::Waiting { on, reasons } => {
            let on: Vec<String> = on.iter().map(ToString::to_string).collect();
            let on = on.join(", ");
            match reasons.is_empty() {
                true => format!("stands on {on}, which is to be rebuilt and was not"),
                false => format!("{}; waits for {on}", told(reasons)),
            }
        }
        Verdict::Cycle(path) => {
            let mut names: Vec<String> = path.iter().map(ToString::to_string).collect();
            names.extend(names.first().cloned());
            format!("the tasks stand on each other: {}", names.join(" -> "))
        }
    }
}

/// Says which images moved, from what to what, and which timers fired.
#[must_use]
pub fn told(reasons: &Reasons) -> String {
    let short = |digest: &Option<Digest>| {
        digest
            .as_ref()
            .map_or("unknown".to_owned(), |digest| digest.short().to_owned())
    };
    let timers = reasons
        .timers
        .iter()
        .map(|fired| format!("timer {} of {:.0}", fired.timer, fired.time));
    let moves = reasons.moves.iter().map(|one| match &one.to {
        Some(_) => format!("{} {} -> {}", one.tag, short(&one.from), short(&one.to)),
        None => format!("{} {} -> to be rebuilt", one.tag, short(&one.from)),
    });
    let source = reasons.source.iter().map(|source| {
        let branch = source.branch_name.as_deref().unwrap_or("HEAD");
        let commit = source.commit_id.get(..12).unwrap_or(&source.commit_id);
        format!("{} {branch} -> {commit}", source.repository_url)
    });
    moves
        .chain(source)
        .chain(timers)
        .collect::<Vec<_>>()
        .join(", ")
}

fn images(node: &Node<'_>, tags: &Tags, now: Timestamp) -> Vec<ImageAnswer> {
    let followed: BTreeMap<Reference, Standing> = followed(node)
        .map(|(tag, dependency)| {
            let standing = tags.standing(&tag, dependency);
            (tag, standing)
        })
        .collect();
    node.known
        .dependencies
        .iter()
        .map(|dependency| {
            let tag = crate::watch::decide::tag_of(&dependency.image);
            let record = tag.as_ref().and_then(|tag| tags.get(tag));
            let error = record.and_then(|record| record.error.as_ref());
            ImageAnswer {
                image: dependency.image.tagged(),
                r#type: dependency.kind,
                line: dependency.line,
                state: match tag.as_ref().and_then(|tag| followed.get(tag)) {
                    None => "not-followed",
                    Some(Standing::Current) => "current",
                    Some(Standing::Moved(_)) => "moved",
                    Some(Standing::Unknown { .. }) => "unknown",
                },
                recorded_digest: dependency.image.digest.clone(),
                current_digest: record.and_then(|record| record.digest.clone()),
                first_seen: record.and_then(|record| record.first_seen).map(Moment),
                last_looked: record.and_then(|record| record.last_looked).map(Moment),
                next_look: record.and_then(|record| record.next_look).map(Moment),
                paused_until: record
                    .filter(|record| record.rests(now))
                    .and_then(|record| record.not_before)
                    .map(Moment),
                error: error.map(|error| error.message.clone()),
                error_since: error.map(|error| Moment(error.since)),
                mirror: None,
            }
        })
        .collect()
}

/// Says what `worst` means, for an exit code with a reason.
#[must_use]
pub fn verdict_error(worst: Kind) -> Error {
    let text = match worst {
        Kind::Unknown => "some images could not be looked at",
        Kind::Stale => "something is stale",
        _ => "some tasks cannot be used",
    };
    Error::new(worst, text)
}
