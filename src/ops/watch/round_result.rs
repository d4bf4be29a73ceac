//! The result of a round.

use jiff::Timestamp;

use crate::{
    error::Kind,
    watch::{Outcome, Verdict, metrics::RoundMetrics},
};

use super::make::JobResult;

#[derive(Debug, Default)]
pub struct RoundResult {
    pub rebuilt: usize,
    /// The worst that happened, as the kind that picks the exit code. [`Kind::Stale`] counts only with `--exit-code`.
    pub worst: Option<Kind>,
    /// When something is due next, as far as it is known.
    pub next: Option<Timestamp>,
    /// How many tags were looked at because they were due.
    pub(super) looks: usize,
    /// The measurements of a round over all tasks.
    pub(super) measured: Option<RoundMetrics>,
}

impl RoundResult {
    /// Adds something that happened. A failure is worse than a missing answer.
    pub(super) fn take(&mut self, kind: Kind) {
        let rank = |kind: Kind| match kind {
            Kind::Interrupted | Kind::Terminated => 3,
            Kind::Unknown | Kind::BuilderAway => 1,
            Kind::Stale => 0,
            _ => 2,
        };
        if self.worst.is_none_or(|worst| rank(kind) > rank(worst)) {
            self.worst = Some(kind);
        }
    }

    pub(super) fn take_verdict(&mut self, verdict: &Verdict) {
        let kind = match verdict {
            Verdict::NoBuilder { .. } => Some(Kind::Unknown),
            Verdict::BackingOff { .. } | Verdict::Failing { until: Some(_), .. } => {
                Some(Kind::Failed)
            }
            other => other.state().exit(),
        };
        if let Some(kind) = kind {
            self.take(kind);
        }
    }

    pub(super) fn add(&mut self, made: &JobResult) {
        self.rebuilt += usize::from(made.outcome == Outcome::Succeeded);
        if let Some(kind) = made.worst {
            self.take(kind);
        }
    }
}
