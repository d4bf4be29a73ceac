//! Whether a task or trigger is enabled.

use serde::{Deserialize, Serialize};

/// Whether a task or trigger is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    #[default]
    Enabled,
    Disabled,
}

impl Status {
    /// Returns `Enabled` for true.
    pub fn enabled(on: bool) -> Self {
        if on { Self::Enabled } else { Self::Disabled }
    }
}
