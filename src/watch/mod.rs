//! When to look, what to do about what was seen, and in what order.
//!
//! This module decides and does nothing else: no clock, no disk, no network. `task check`, `watch --dry-run` and `watch` all follow its
//! decisions.

pub mod away;
pub mod backoff;
pub mod baseline;
pub mod decide;
pub mod descendants;
pub mod families;
pub mod graph;
pub mod hints;
pub mod metrics;
pub mod notified;
pub mod open_questions;
pub mod reported_problems;
pub mod round;
pub mod schedule;
pub mod selection;
#[cfg(test)]
mod simulation;
pub mod snapshot;
pub mod state;
pub mod tags;

pub use away::AwayBuilder;
pub use baseline::{AwayRegistry, Baseline, Built, Failure, FileStamp, FileState, ReadFile};
pub use decide::{Move, Problem, ProblemKind, Verdict};
pub use descendants::{Descendant, Descendants};
pub use families::{Families, FamilySubset};
pub use open_questions::{OpenQuestions, QuestionTarget};
pub use round::{Outcome, Round};
pub use selection::Selection;
pub use snapshot::{Reading, Snapshot};
pub use state::{BaseState, State};
pub use tags::{
    AgedTags, BaseStatus, FailedLook, Head, LookError, LookErrorKind, LookResult, Observation,
    OutputStatus, TagRecord, TagRecords, Tags,
};
