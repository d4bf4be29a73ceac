//! Which tasks a person asks to be run.

use super::{decide::Verdict, snapshot::Snapshot};

/// The tasks that a person asks to be run: the union of the two sets, without disabled tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub all: bool,
    /// Tasks whose image would be another one if it were built now.
    pub stale: bool,
    /// Tasks whose last run failed.
    pub failed: bool,
}

impl Selection {
    /// Tells whether a task with this verdict is to be run. A task with an unknown or unverified base is never run: the run would need the
    /// same answer.
    pub fn takes(self, node: &Snapshot, verdict: &Verdict) -> bool {
        let has_failed = self.failed && node.baseline.failure.is_some();
        match verdict {
            Verdict::Disabled
            | Verdict::Cycle(_)
            | Verdict::Unknown { .. }
            | Verdict::Missing { .. }
            | Verdict::Unverified { .. }
            | Verdict::Waiting { .. } => false,
            Verdict::Stale(_)
            | Verdict::NoBuilder { .. }
            | Verdict::OutsideWindow { .. }
            | Verdict::BackingOff { .. }
            | Verdict::Canceled { .. }
            | Verdict::Settling { .. }
            | Verdict::Changed(_)
            | Verdict::ImageMissing { .. } => self.all || self.stale || has_failed,
            // It would be built on the digests that are old enough, as it is already.
            Verdict::TooYoung { .. }
            | Verdict::TriggerOff
            | Verdict::NeverRun
            | Verdict::Failing { .. }
            | Verdict::Current
            | Verdict::FollowsNothing => self.all || has_failed,
        }
    }
}
