//! The health of the watch loop, for `/healthz` and the service manager. Times are passed in as values.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// The pulse of one loop. Clones share its state.
#[derive(Clone, Debug)]
pub struct LoopHealth(Arc<Mutex<LoopHealthState>>);

#[derive(Debug)]
struct LoopHealthState {
    /// How long a round may go on without a sign of life, not counting its runs.
    allowed: SignedDuration,
    phase: Phase,
    /// Active runs, with the time by which each must have ended.
    runs: BTreeMap<String, Timestamp>,
    /// Whether the last round ended with an error of its own.
    has_failed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A round goes on; it last showed a sign of life at this time.
    Round(Timestamp),
    /// The loop sleeps until this time at the latest.
    Sleep(Timestamp),
}

impl LoopHealth {
    /// Starts with the time before the first round, which counts as part of that round.
    pub fn new(now: Timestamp, allowed: SignedDuration) -> Self {
        Self(Arc::new(Mutex::new(LoopHealthState {
            allowed,
            phase: Phase::Round(now),
            runs: BTreeMap::new(),
            has_failed: false,
        })))
    }

    /// Changes how long a round may go on.
    pub fn allow(&self, allowed: SignedDuration) {
        self.state().allowed = allowed;
    }

    /// Records that a round has begun or still goes on.
    pub fn turns(&self, now: Timestamp) {
        self.state().phase = Phase::Round(now);
    }

    /// Records that a round has begun a run, which must have ended by `until`.
    pub fn run_began(&self, run: String, until: Timestamp) {
        self.state().runs.insert(run, until);
    }

    /// Records that a run has ended.
    pub fn run_ended(&self, run: &str, now: Timestamp) {
        let mut state = self.state();
        state.runs.remove(run);
        if let Phase::Round(_) = state.phase {
            state.phase = Phase::Round(now);
        }
    }

    /// Records that a round has ended, and whether it ended without an error of its own.
    pub fn round_ended(&self, now: Timestamp, is_well: bool) {
        let mut state = self.state();
        state.has_failed = !is_well;
        state.phase = Phase::Round(now);
    }

    /// Records that the loop sleeps until `until` at the latest.
    pub fn sleeps(&self, until: Timestamp) {
        self.state().phase = Phase::Sleep(until);
    }

    /// Returns why the loop is unhealthy; `None` where it is healthy.
    pub fn trouble(&self, now: Timestamp) -> Option<String> {
        let state = self.state();
        let is_over = |time: Timestamp| now.duration_since(time) > state.allowed;
        let late = state.runs.iter().find(|(_, until)| is_over(**until));
        if let Some((run, until)) = late {
            return Some(format!("run {run} should have ended at {until:.0}"));
        }
        match state.phase {
            Phase::Round(sign) if is_over(sign) && state.runs.is_empty() => Some(format!(
                "the current round has made no progress since {sign:.0}"
            )),
            Phase::Sleep(until) if is_over(until) => Some(format!(
                "the round that was due at {until:.0} has not begun"
            )),
            _ if state.has_failed => Some("the last round failed; its log says why".to_owned()),
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, LoopHealthState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn loop_health() -> LoopHealth {
        LoopHealth::new(at(0), SignedDuration::from_secs(10))
    }

    #[test]
    fn looping_watch_is_healthy() {
        let loop_health = loop_health();
        assert_eq!(loop_health.trouble(at(10)), None);
        loop_health.turns(at(10));
        loop_health.round_ended(at(20), true);
        loop_health.sleeps(at(80));
        assert_eq!(loop_health.trouble(at(90)), None);
    }

    #[test]
    fn stuck_round_and_overdue_round_are_unhealthy() {
        let loop_health = loop_health();
        let why = loop_health.trouble(at(11)).unwrap();
        assert!(
            why.contains("no progress since 1970-01-01T00:00:00Z"),
            "{why}"
        );
        loop_health.sleeps(at(60));
        let why = loop_health.trouble(at(71)).unwrap();
        assert!(
            why.contains("due at 1970-01-01T00:01:00Z has not begun"),
            "{why}"
        );
        loop_health.turns(at(71));
        assert_eq!(loop_health.trouble(at(71)), None);
    }

    #[test]
    fn run_is_healthy_until_its_own_timeout() {
        let loop_health = loop_health();
        loop_health.run_began("ca1".into(), at(3600));
        assert_eq!(loop_health.trouble(at(3610)), None);
        let why = loop_health.trouble(at(3611)).unwrap();
        assert!(why.contains("run ca1 should have ended"), "{why}");
        loop_health.run_ended("ca1", at(3611));
        assert_eq!(loop_health.trouble(at(3620)), None);
        assert!(loop_health.trouble(at(3622)).is_some());
    }

    #[test]
    fn run_that_ends_during_sleep_does_not_reset_the_watchdog() {
        let loop_health = loop_health();
        loop_health.run_began("ca1".into(), at(100));
        loop_health.sleeps(at(50));
        loop_health.run_ended("ca1", at(40));
        assert!(loop_health.trouble(at(61)).is_some());
    }

    #[test]
    fn failed_round_is_unhealthy_until_one_succeeds() {
        let loop_health = loop_health();
        loop_health.round_ended(at(1), false);
        loop_health.sleeps(at(60));
        assert!(
            loop_health
                .trouble(at(2))
                .unwrap()
                .contains("last round failed")
        );
        loop_health.turns(at(60));
        assert!(loop_health.trouble(at(60)).is_some());
        loop_health.round_ended(at(61), true);
        assert_eq!(loop_health.trouble(at(61)), None);
    }
}
