//! The request for a run: the task, and the overrides of this run.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    image::Platform,
    registry::CacheExport,
    store::secrets::Secrets,
    sys::secret::Secret,
    task::{Argument, Context, RunId, Task, TaskKey},
    watch::Descendants,
};

/// How many steps of a multi-step file run at once by default.
pub const DEFAULT_JOBS: usize = 4;

/// What a run does differently from the definition of its task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    pub context: Option<Context>,
    pub file: Option<PathBuf>,
    pub target: Option<String>,
    /// Build arguments to add or replace.
    pub arguments: Vec<Argument>,
    /// Values of secret build arguments to add or replace.
    pub secret_arguments: BTreeMap<String, Secret>,
    /// Values for the templates of a multi-step file to add or replace.
    #[serde(default)]
    pub values: Vec<Argument>,
    /// Secret values for the templates of a multi-step file to add or replace.
    #[serde(default)]
    pub secret_values: BTreeMap<String, Secret>,
    /// The values file of a multi-step file to use instead.
    #[serde(default)]
    pub values_file: Option<PathBuf>,
    /// Whether steps may be privileged, whatever the task says.
    #[serde(default)]
    pub allow_privileged: bool,
    /// Whether the context is trusted like the definition, whatever the task says.
    #[serde(default)]
    pub trust_context: bool,
    /// Whether version control files are a part of the context, whatever the task says.
    #[serde(default)]
    pub keep_vcs: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRequest {
    pub key: TaskKey,
    pub overrides: Overrides,
    /// How many steps of a multi-step file may run at once; `None` is the default.
    #[serde(default)]
    pub jobs: Option<usize>,
    /// The record of the run, if the requesting process has created it and holds its lock.
    #[serde(default)]
    pub run: Option<RunId>,
    /// The answers of registries about its bases: in this run, a tag has the digest of the answer.
    #[serde(default)]
    pub answers: CacheExport,
    /// Whether the requesting process reads the log while it is written.
    #[serde(default)]
    pub follows_log: bool,
    /// What the task must not depend on, if a caller that knows all tasks has determined it.
    #[serde(default)]
    pub descendants: Option<Descendants>,
    /// The builders on which the requesting process has taken a place; if empty, the task decides.
    #[serde(default)]
    pub builders: Vec<Assignment>,
    /// The definition of a quick run, which is not stored.
    #[serde(default)]
    pub quick: Option<Box<Quick>>,
}

/// The part of a run that one builder does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub builder: String,
    /// The platforms that it builds for; if empty, all of the run.
    #[serde(default)]
    pub platforms: Vec<Platform>,
}

/// A run without a stored task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quick {
    /// The definition. Its name is a placeholder.
    pub task: Task,
    pub secrets: Secrets,
}

impl RunRequest {
    /// Requests a run of a task without overrides.
    pub fn of(key: &TaskKey) -> Self {
        Self {
            key: key.clone(),
            overrides: Overrides::default(),
            jobs: None,
            run: None,
            answers: CacheExport::default(),
            follows_log: false,
            descendants: None,
            builders: Vec::new(),
            quick: None,
        }
    }

    /// Requests a run of a definition that is not stored.
    pub fn quick(quick: Quick) -> Self {
        Self {
            quick: Some(Box::new(quick.clone())),
            ..Self::of(&quick.task.key())
        }
    }

    /// Returns whether the stored definition is run without overrides: only then is the baseline recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.quick.is_none() && self.overrides == Overrides::default()
    }
}
