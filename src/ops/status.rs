//! The status of all tasks, from what is stored, without asking a registry.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    error::{Kind, Result},
    task::{RunId, RunStatus, TaskName, shared_names},
    watch::{Baseline, Snapshot, State, Tags},
};

use super::{
    App, EventSink,
    answer::AzTimestamp,
    check::{
        CheckAnswer, CheckOptions, ImageAnswer, load_with_tags, look_now, outage_lines,
        simulate_round, worst_of,
    },
    show::with_runs,
    timer::{self, TimerAnswer},
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// The images that it depends on, as its files write them.
    pub(super) depends_on: Vec<String>,
    #[serde(skip)]
    pub(super) images: Vec<ImageAnswer>,
    pub(super) last_run: Option<LastRun>,
    pub(super) name: TaskName,
    pub(super) next: Option<NextEvent>,
    /// The reason of its state, on one line.
    pub(super) reason: String,
    pub(super) registry: String,
    pub state: State,
    #[serde(skip)]
    pub(super) timers: Vec<TimerAnswer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastRun {
    pub(super) run_id: RunId,
    pub(super) status: RunStatus,
    pub(super) time: AzTimestamp,
}

/// The next event of a task that needs no action.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NextEvent {
    /// `retry`, `window`, `timer NAME` or `look`.
    pub(super) what: String,
    pub(super) time: AzTimestamp,
}

#[derive(Debug)]
pub struct StatusReport {
    /// Each task, the worst first.
    pub tasks: Vec<TaskStatus>,
    /// How many tasks are in each state, the worst first.
    pub counts: Vec<(State, usize)>,
    /// When the tags that tasks track were last looked at: the oldest of these looks.
    pub looked: Option<Timestamp>,
    /// The registries and repositories that do not answer, a line for each.
    pub outages: Vec<String>,
    /// The worst state that was found, as the kind that picks the exit code.
    pub worst: Option<Kind>,
}

/// Returns the status of all tasks, or of those of one registry. With `look`, all tags are looked at first.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be used.
pub async fn status(
    app: &App,
    registry: Option<&str>,
    look: bool,
    events: &EventSink<'_>,
) -> Result<StatusReport> {
    let mut broken = 0;
    let (loaded, tags) = if look {
        look_now(app, CheckOptions::default(), &mut broken, events).await?
    } else {
        load_with_tags(app, &mut broken, events)?
    };
    let nodes: Vec<&Snapshot> = loaded.iter().collect();
    let mut tags = with_runs(app, tags, &nodes);
    let registry = registry.map(|name| app.settings.login_server(name));
    let is_shown = |answer: &CheckAnswer| app.is_shown(registry.as_deref(), &answer.registry);
    let broken = (broken > 0).then_some(Kind::Failed);
    let mut report = report(&nodes, &mut tags, is_shown, app.clock.now());
    report.worst = worst_of(report.worst.into_iter().chain(broken));
    Ok(report)
}

/// Returns the status of the tasks that are to be shown, from what is known of tags.
pub(super) fn report(
    nodes: &[&Snapshot],
    tags: &mut Tags,
    is_shown: impl Fn(&CheckAnswer) -> bool,
    now: Timestamp,
) -> StatusReport {
    let both = nodes.iter().map(|node| {
        let task = &node.task;
        ((task.registry.as_str(), &task.name), *node)
    });
    let by_key: HashMap<(&str, &TaskName), &Snapshot> = both.collect();
    let mut answers = simulate_round(nodes.to_vec(), tags, now);
    answers.retain(is_shown);
    let shared = shared_names(nodes.iter().map(|node| node.task.name.clone()));
    let outages = outage_lines(&answers, &shared);
    let mut tasks: Vec<TaskStatus> = answers
        .into_iter()
        .filter_map(|answer| {
            let node = *by_key.get(&(answer.registry.as_str(), &answer.name))?;
            Some(TaskStatus::new(answer, node, tags, now))
        })
        .collect();
    tasks.sort_by_key(|task| Reverse(severity(task.state)));
    let mut counts: BTreeMap<Reverse<(u8, State)>, usize> = BTreeMap::new();
    for task in &tasks {
        *counts.entry(Reverse(severity(task.state))).or_default() += 1;
    }
    let looks = nodes.iter().flat_map(|node| node.followed());
    let looks = looks.filter_map(|(tag, _)| tags.get(tag)?.last_looked);
    let found = tasks.iter().filter_map(|task| task.state.exit());
    StatusReport {
        worst: worst_of(found),
        counts: counts
            .into_iter()
            .map(|(Reverse((_, state)), count)| (state, count))
            .collect(),
        looked: looks.min(),
        outages,
        tasks,
    }
}

/// Returns how severe a state is: more is worse.
fn severity(state: State) -> (u8, State) {
    (state.severity(), state)
}

impl TaskStatus {
    fn new(answer: CheckAnswer, node: &Snapshot, tags: &Tags, now: Timestamp) -> Self {
        let bases = node.baseline.dependencies.iter();
        let mut depends_on: Vec<String> = bases.map(|base| base.image.tagged()).collect();
        depends_on.dedup();
        Self {
            depends_on,
            last_run: last_run(&node.baseline),
            next: next(&answer, node, tags, now),
            name: answer.name,
            registry: answer.registry,
            state: answer.state,
            reason: answer.reason,
            images: answer.images,
            timers: answer.timers,
        }
    }
}

fn last_run(baseline: &Baseline) -> Option<LastRun> {
    let succeeded = baseline.run_id.zip(baseline.pushed_at());
    let failed = baseline.failure.as_ref().map(|it| (it.run_id, it.last));
    let (status, (run_id, time)) = match failed {
        Some(failed) => (RunStatus::Failed, failed),
        None => (RunStatus::Succeeded, succeeded?),
    };
    Some(LastRun {
        run_id,
        status,
        time: AzTimestamp(time),
    })
}

fn next(answer: &CheckAnswer, node: &Snapshot, tags: &Tags, now: Timestamp) -> Option<NextEvent> {
    let looks = node
        .followed()
        .filter_map(|(tag, _)| tags.get(tag)?.next_look);
    let timer = timer::next(&node.task, now).map(|(name, time)| (format!("timer {name}"), time));
    let retry = if answer.waits_for_window {
        "window"
    } else {
        "retry"
    };
    let retry = answer.next_try.map(|time| (retry.to_owned(), time.0));
    let look = looks.min().map(|time| ("look".to_owned(), time));
    let (what, time) = match retry {
        Some(retry) => retry,
        None => [timer, look]
            .into_iter()
            .flatten()
            .min_by_key(|(_, time)| *time)?,
    };
    Some(NextEvent {
        what,
        time: AzTimestamp(time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_orders_failed_before_unknown_and_current_tasks() {
        let mut states = State::ALL;
        states.sort_by_key(|state| Reverse(severity(*state)));
        assert_eq!(states.last(), Some(&State::Current));
        let place = |state| states.iter().position(|it| *it == state);
        assert!(place(State::Failing) < place(State::Unknown));
        assert!(place(State::Unknown) < place(State::Stale));
        assert!(place(State::Stale) < place(State::Disabled));
    }
}
