//! A named value of a build or of a multi-step file.

use serde::{Deserialize, Serialize};

/// A build argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Argument {
    pub name: String,
    /// Its value; `None` for a secret one, whose value is kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether its value must not be shown.
    #[serde(default)]
    pub is_secret: bool,
}
