//! Whether something does its work.

use serde::{Deserialize, Serialize};

/// Whether a task or a trigger does its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    #[default]
    Enabled,
    Disabled,
}

impl Status {
    /// Returns the status that a switch stands for.
    pub fn enabled(on: bool) -> Self {
        if on { Self::Enabled } else { Self::Disabled }
    }
}
