//! What a command comes to.

use crate::{error::Kind, view::View};

/// What a command comes to: an answer to print, and perhaps a reason for an exit code other than 0.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The answer; none, where there is nothing to print.
    pub view: Option<View>,
    /// The reason for another exit code.
    pub exit: Option<Kind>,
}

impl Outcome {
    /// An answer, and all is well.
    pub fn answer(view: View) -> Self {
        Self {
            view: Some(view),
            exit: None,
        }
    }

    /// No answer, and the exit code of this reason.
    pub fn exit(exit: Option<Kind>) -> Self {
        Self { view: None, exit }
    }
}
