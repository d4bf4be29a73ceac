//! Timers of tasks: adds, updates, removes and lists them.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    error::{Error, Kind, Result},
    sys::command::quoted,
    task::{Cron, Status, Task, TaskKey, TimerName, TimerTrigger},
};

use super::{
    App,
    answer::AzTimestamp,
    joined::joined,
    task::{existing, option_of},
};

/// How many future times a list of timers shows.
const COMING: usize = 3;

/// A timer, as given with `--schedule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its name; `None` to derive it from its position.
    pub name: Option<TimerName>,
    pub cron: Cron,
}

/// A timer, with the times at which it fires next.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimerAnswer {
    pub(super) name: TimerName,
    pub(super) schedule: Cron,
    pub(super) status: Status,
    /// The next three times; empty while the timer or its task is disabled.
    pub(super) next_occurrences: Vec<AzTimestamp>,
}

/// Makes the timers of a new task: those without a name are called `t` and their position.
///
/// # Errors
///
/// [`Kind::Invalid`] where two have the same name or the same schedule.
pub fn timers(schedules: Vec<Schedule>, now: Timestamp) -> Result<Vec<TimerTrigger>> {
    let mut timers = Vec::with_capacity(schedules.len());
    for (place, schedule) in (1..).zip(schedules) {
        let name = schedule.name.unwrap_or_else(|| TimerName::of_place(place));
        put(
            &mut timers,
            timer(name, schedule.cron, Status::Enabled, now),
        )?;
    }
    Ok(timers)
}

/// Returns `timers`; those that are the same as in `before` keep the time from which they count.
pub fn as_before(mut timers: Vec<TimerTrigger>, before: &[TimerTrigger]) -> Vec<TimerTrigger> {
    for timer in &mut timers {
        let same = |old: &&TimerTrigger| {
            (&old.name, &old.schedule, old.status) == (&timer.name, &timer.schedule, timer.status)
        };
        if let Some(old) = before.iter().find(same) {
            timer.since = old.since;
        }
    }
    timers
}

/// Lets the timers of a task that is enabled again count from now on: occurrences while it was disabled are not made up for.
pub fn count_anew(before: &Task, task: &mut Task, now: Timestamp) {
    if before.status == Status::Disabled && task.status == Status::Enabled {
        for timer in &mut task.trigger.timer_triggers {
            timer.since = Some(now);
        }
    }
}

/// Adds a timer to a task.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task; [`Kind::Invalid`] if the task has a timer of that name, or one with that schedule.
pub fn add(app: &App, key: &TaskKey, name: TimerName, cron: Cron, status: Status) -> Result<()> {
    let now = app.clock.now();
    change(app, key, |task| {
        put(
            &mut task.trigger.timer_triggers,
            timer(name, cron, status, now),
        )
        .map_err(|error| {
            error.hint(format!(
                "see the timers there are: acrt task timer list {}",
                option_of(app, key)
            ))
        })
    })
}

/// Changes a timer of a task. With a new schedule, or enabled again, it counts from now on.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task or timer.
pub fn update(
    app: &App,
    key: &TaskKey,
    name: &TimerName,
    cron: Option<Cron>,
    status: Option<Status>,
) -> Result<()> {
    let now = app.clock.now();
    change(app, key, |task| {
        let place = place_of(app, task, key, name)?;
        let mut timers = std::mem::take(&mut task.trigger.timer_triggers);
        let old = timers.remove(place);
        let new = timer(
            old.name.clone(),
            cron.unwrap_or_else(|| old.schedule.clone()),
            status.unwrap_or(old.status),
            now,
        );
        let same = new.schedule == old.schedule && new.status == old.status;
        refuse_twin(&timers, &new)?;
        timers.insert(place, if same { old } else { new });
        task.trigger.timer_triggers = timers;
        Ok(())
    })
}

/// Removes a timer from a task.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task or timer.
pub fn remove(app: &App, key: &TaskKey, name: &TimerName) -> Result<()> {
    change(app, key, |task| {
        let place = place_of(app, task, key, name)?;
        task.trigger.timer_triggers.remove(place);
        Ok(())
    })
}

/// Returns the timers of a task, in their order.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task.
pub fn list(app: &App, key: &TaskKey) -> Result<Vec<TimerAnswer>> {
    Ok(answers(&existing(app, key)?, app.clock.now()))
}

pub fn answers(task: &Task, now: Timestamp) -> Vec<TimerAnswer> {
    let answer = |timer: &TimerTrigger| {
        let fires = task.status == Status::Enabled && timer.status == Status::Enabled;
        let next = |time: &Timestamp| timer.schedule.next_after(*time);
        let coming = std::iter::successors(next(&now), next);
        TimerAnswer {
            name: timer.name.clone(),
            schedule: timer.schedule.clone(),
            status: timer.status,
            next_occurrences: coming
                .take(if fires { COMING } else { 0 })
                .map(AzTimestamp)
                .collect(),
        }
    };
    task.trigger.timer_triggers.iter().map(answer).collect()
}

/// Returns the timer of a task that fires next, and when.
pub(super) fn next(task: &Task, now: Timestamp) -> Option<(&TimerName, Timestamp)> {
    let enabled =
        |timer: &&TimerTrigger| task.status == Status::Enabled && timer.status == Status::Enabled;
    let timers = task.trigger.timer_triggers.iter().filter(enabled);
    timers
        .filter_map(|timer| Some((&timer.name, timer.schedule.next_after(now)?)))
        .min_by_key(|(_, time)| *time)
}

fn timer(name: TimerName, schedule: Cron, status: Status, now: Timestamp) -> TimerTrigger {
    TimerTrigger {
        name,
        schedule,
        status,
        since: Some(now),
    }
}

fn put(timers: &mut Vec<TimerTrigger>, new: TimerTrigger) -> Result<()> {
    if timers.iter().any(|timer| timer.name == new.name) {
        return Err(Error::invalid(format!(
            "there is a timer `{}` already",
            new.name
        )));
    }
    refuse_twin(timers, &new)?;
    timers.push(new);
    Ok(())
}

/// Two timers with the same schedule are a mistake: they would always cause one run. ACR refuses them too.
fn refuse_twin(timers: &[TimerTrigger], new: &TimerTrigger) -> Result<()> {
    match timers.iter().find(|timer| timer.schedule == new.schedule) {
        None => Ok(()),
        Some(twin) => Err(Error::invalid(format!(
            "timers `{}` and `{}` have the same schedule `{}`",
            twin.name, new.name, new.schedule
        ))),
    }
}

fn place_of(app: &App, task: &Task, key: &TaskKey, name: &TimerName) -> Result<usize> {
    let mut timers = task.trigger.timer_triggers.iter();
    timers.position(|timer| timer.name == *name).ok_or_else(|| {
        let error = Error::new(
            Kind::NotFound,
            format!("task `{key}` has no timer `{name}`"),
        );
        let known = task.trigger.timer_triggers.iter().map(|timer| &timer.name);
        match joined(known, ", ").as_str() {
            "" => error.hint(format!(
                "add one: acrt task timer add {} --timer-name {} --schedule \"0 3 * * *\"",
                option_of(app, key),
                quoted(&name.to_string())
            )),
            known => error.hint(format!("it has {known}")),
        }
    })
}

fn change(app: &App, key: &TaskKey, make: impl FnOnce(&mut Task) -> Result<()>) -> Result<()> {
    let _lock = app.store.lock_tasks()?;
    let mut task = existing(app, key)?;
    make(&mut task)?;
    app.store.save_task(&task)
}
