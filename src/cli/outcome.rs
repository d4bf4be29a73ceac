//! The result of a command.

use serde::Serialize;

use crate::{
    error::Kind,
    view::{Column, View},
};

/// The result of a command: an answer to print, and optionally the reason for an exit code other than 0.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The answer; `None` to print nothing.
    pub view: Option<View>,
    /// The reason for an exit code other than 0.
    pub exit: Option<Kind>,
}

impl Outcome {
    /// Returns an answer with exit code 0.
    pub fn answer(view: View) -> Self {
        Self {
            view: Some(view),
            exit: None,
        }
    }

    /// Returns the answer that [`View::of`] makes, with exit code 0.
    pub fn of<T: Serialize + 'static>(answer: T, columns: &'static [Column]) -> Self {
        Self::answer(View::of(answer, columns))
    }

    /// Returns no answer, with the exit code of this reason.
    pub fn exit(exit: Option<Kind>) -> Self {
        Self { view: None, exit }
    }

    /// Returns the same answer with the exit code of the worst of some states; [`Kind::Stale`] is one only where it is asked for.
    pub fn with_worst(self, worst: Option<Kind>, counts_stale: bool) -> Self {
        self.with_exit(worst.filter(|kind| counts_stale || *kind != Kind::Stale))
    }

    /// Returns the same answer with the exit code of this reason.
    pub fn with_exit(self, exit: Option<Kind>) -> Self {
        Self { exit, ..self }
    }
}
