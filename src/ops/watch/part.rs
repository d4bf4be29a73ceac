//! Decides whether webhooks concern only some of many tasks, so that a round over these is enough.

use std::rc::Rc;

use jiff::Timestamp;

use crate::{
    ops::{App, look::aged},
    watch::{AgedTags, Families, FamilySubset, Round, schedule},
};

use super::hooks::HintedTargets;

/// With fewer tasks than this, a round over all takes no time.
const WORTHWHILE: usize = 200;

/// Values that change when tasks are added, changed or deleted, or their dependencies change.
#[derive(Clone, Copy, Debug)]
pub struct StateFingerprint {
    at: Timestamp,
    /// A fingerprint of the definitions, which changes when a task is created, changed or deleted.
    tasks: u64,
    /// The number of the newest run, minus the runs that this watcher has begun.
    runs: u64,
}

impl StateFingerprint {
    /// Returns the present state; `begun` is the number of runs that the watcher has begun.
    pub fn now(app: &App, begun: u64) -> Self {
        Self {
            at: app.clock.now(),
            tasks: app.store.tasks_fingerprint(),
            runs: app.store.last_number().saturating_sub(begun),
        }
    }
}

/// The result of the last round over all tasks.
#[derive(Debug)]
pub struct LastFullRound {
    pub families: Rc<Families>,
    /// The tags for which a task has a minimum age: rounds over a part of the tasks keep the earlier digests of these too.
    pub aged: AgedTags,
    state: StateFingerprint,
    /// When the next round over all tasks is due.
    pub until: Timestamp,
}

impl LastFullRound {
    /// Keeps the result of a round that began in `state`; `next` is when something is due next. `None` where there are few tasks.
    pub fn of(
        app: &App,
        round: &Round<'_>,
        state: StateFingerprint,
        next: Option<Timestamp>,
    ) -> Option<Self> {
        if round.tasks() < WORTHWHILE {
            return None;
        }
        let now = app.clock.now();
        let pause = schedule::time_until_next(next, now);
        Some(Self {
            families: Rc::new(round.families()),
            aged: aged(round.verdicts().map(|(node, ..)| node)),
            state,
            until: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
        })
    }

    /// Returns the tasks that webhooks concern; `None` where these may be any, or a round over all tasks is needed anyway.
    pub fn part_for(&self, app: &App, hinted: &HintedTargets, begun: u64) -> Option<FamilySubset> {
        let now = StateFingerprint::now(app, begun);
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
