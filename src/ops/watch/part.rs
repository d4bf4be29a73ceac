//! Whether webhooks concern a few of many tasks, so that only these are read and decided, and all others by the clock.

use std::rc::Rc;

use jiff::Timestamp;

use crate::{
    ops::App,
    watch::{Families, Part, Round, schedule},
};

use super::hooks::Hinted;

/// Fewer tasks than this are all decided whatever comes in: that takes no time.
const WORTHWHILE: usize = 200;

/// What would have changed if there were other tasks, or one depended on something else.
#[derive(Clone, Copy, Debug)]
pub struct TaskState {
    /// The time.
    at: Timestamp,
    /// Another number where a task was made, changed or deleted.
    tasks: u64,
    /// The number of the newest run, less those that this watcher has begun.
    runs: u64,
}

impl TaskState {
    /// Returns the state now; `begun` are the runs that the watcher has begun.
    pub fn now(app: &App, begun: u64) -> Self {
        Self {
            at: app.clock.now(),
            tasks: app.store.tasks_fingerprint(),
            runs: app.store.last_number().saturating_sub(begun),
        }
    }
}

/// What the last round over all tasks has found out.
#[derive(Debug)]
pub struct Whole {
    families: Rc<Families>,
    state: TaskState,
    until: Timestamp,
}

impl Whole {
    /// Takes it from a round that began with `state`, and after which something is due `next`. None where there are few tasks.
    pub fn of(
        app: &App,
        round: &Round<'_>,
        state: TaskState,
        next: Option<Timestamp>,
    ) -> Option<Self> {
        if round.tasks() < WORTHWHILE {
            return None;
        }
        let now = app.clock.now();
        let pause = schedule::time_until_next(next, now);
        Some(Self {
            families: Rc::new(round.families()),
            state,
            until: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
        })
    }

    /// Returns when all tasks are to be decided again.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Returns how many tasks there are.
    pub fn count(&self) -> usize {
        self.families.count()
    }

    /// Returns the tasks that webhooks concern; none where it may be any, or all are to be decided anyway.
    pub fn part_for(&self, app: &App, hinted: &Hinted, begun: u64) -> Option<Part> {
        let now = TaskState::now(app, begun);
        let is_same = now.tasks == self.state.tasks && now.runs <= self.state.runs;
        let is_early = self.state.at <= now.at && now.at < self.until;
        let is_tag = !hinted.everything && hinted.sources.is_empty();
        if is_same && is_early && is_tag {
            self.families.of(&hinted.tags)
        } else {
            None
        }
    }
}
