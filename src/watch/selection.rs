//! Which tasks a person asks to be run.

use super::{decide::Verdict, snapshot::Node};

/// Which tasks a person asks to be run; together they add up. A disabled task is none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub all: bool,
    /// Those whose image is not what it would be if it were built now.
    pub stale: bool,
    /// Those whose last run failed.
    pub failed: bool,
}

impl Selection {
    /// Tells whether a task is to be run, of which this was decided. What cannot be known, or must not be built on, is not run all the
    /// same: the run would need the same answer.
    pub fn takes(self, node: &Node<'_>, verdict: &Verdict) -> bool {
        let has_failed = self.failed && node.baseline.failure.is_some();
        match verdict {
            Verdict::Disabled
            | Verdict::Cycle(_)
            | Verdict::Unknown { .. }
            | Verdict::Missing { .. }
            | Verdict::Unverified { .. }
            | Verdict::TooYoung { .. }
            | Verdict::Waiting { .. } => false,
            Verdict::Stale(_)
            | Verdict::NoBuilder { .. }
            | Verdict::OutsideWindow { .. }
            | Verdict::BackingOff { .. }
            | Verdict::Settling { .. }
            | Verdict::Changed(_)
            | Verdict::ImageMissing { .. } => self.all || self.stale || has_failed,
            Verdict::TriggerOff
            | Verdict::NeverRun
            | Verdict::Failing { .. }
            | Verdict::Current
            | Verdict::FollowsNothing => self.all || has_failed,
        }
    }
}
