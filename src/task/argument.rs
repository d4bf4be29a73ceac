//! A named value for a build or for the templates of a multi-step file.

use serde::{Deserialize, Serialize};

/// A build argument, or a value for templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Argument {
    pub name: String,
    /// The value; `None` for a secret one, which is stored separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether its value must not be shown.
    #[serde(default)]
    pub is_secret: bool,
}
