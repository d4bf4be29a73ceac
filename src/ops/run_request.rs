//! What a run is asked for with: the task, and what the run does otherwise.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    image::Platform,
    registry::Answers,
    store::secrets::Secrets,
    sys::secret::Secret,
    task::{Argument, Context, RunId, Task, TaskKey},
    watch::Descendants,
};

/// How many steps of a multi-step file work at once where the request does not say.
pub const DEFAULT_JOBS: usize = 4;

/// What one run does otherwise than its task says.
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
    /// Another values file of a multi-step file.
    #[serde(default)]
    pub values_file: Option<PathBuf>,
    /// Whether steps may be privileged, whatever the task says.
    #[serde(default)]
    pub allow_privileged: bool,
    /// Whether what the context brings may do all that the definition may, whatever the task says.
    #[serde(default)]
    pub trust_context: bool,
    /// Whether files of version control are a part of the context, whatever the task says.
    #[serde(default)]
    pub keep_vcs: bool,
}

/// A run that is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRequest {
    pub registry: String,
    pub name: crate::task::TaskName,
    pub overrides: Overrides,
    /// How many steps of a multi-step file may work at once; none leaves it to acrt.
    #[serde(default)]
    pub jobs: Option<usize>,
    /// The record of the run, where the process that asks has made it and holds it: this one is to carry it out.
    #[serde(default)]
    pub run: Option<RunId>,
    /// What registries have answered already about what it is built on. What they say that a tag is, it is for this run.
    #[serde(default)]
    pub answers: Answers,
    /// Whether the caller reads the log while it is written.
    #[serde(default)]
    pub follows_log: bool,
    /// What the task must not depend on, where a caller that knows all tasks has found that out.
    #[serde(default)]
    pub descendants: Option<Descendants>,
    /// The builders on which the process that asks has taken a place for it; none leaves it to the task.
    #[serde(default)]
    pub builders: Vec<Assignment>,
    /// What is run instead of a stored task: a quick run, whose definition is not kept.
    #[serde(default)]
    pub quick: Option<Box<Quick>>,
}

/// What of a run a builder does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub builder: String,
    /// The platforms that it builds for; all of the run if empty.
    #[serde(default)]
    pub platforms: Vec<Platform>,
}

/// A run without a stored task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quick {
    /// What is run. Its name is only there to fill a place.
    pub task: Task,
    pub secrets: Secrets,
}

impl RunRequest {
    /// Asks for a run of a task as it is.
    pub fn of(key: &TaskKey) -> Self {
        Self {
            registry: key.registry.clone(),
            name: key.name.clone(),
            overrides: Overrides::default(),
            jobs: None,
            run: None,
            answers: Answers::default(),
            follows_log: false,
            descendants: None,
            builders: Vec::new(),
            quick: None,
        }
    }

    /// Asks for a run of what is stored nowhere.
    pub fn quick(quick: Quick) -> Self {
        Self {
            quick: Some(Box::new(quick.clone())),
            ..Self::of(&quick.task.key())
        }
    }

    /// Whether it is the stored definition that is run, as it is: only then is what it depended on recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.quick.is_none() && self.overrides == Overrides::default()
    }

    pub(super) fn key(&self) -> TaskKey {
        TaskKey {
            registry: self.registry.clone(),
            name: self.name.clone(),
        }
    }
}
