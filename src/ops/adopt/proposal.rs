//! The options of `task adopt`, and the tasks that it proposes.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::{
    image::Platform,
    lineage::Evidence,
    ops::timer::Schedule,
    task::{SourceKind, Task, TaskKey, TaskName},
    watch::State,
};

/// The options for the search in folders.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Patterns of what is not searched, in the syntax of `.gitignore`.
    pub exclude: Vec<String>,
    /// How many levels of folders are searched, the given folder being the first; `None` is all.
    pub depth: Option<usize>,
}

/// Where the images of adopted tasks go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Where they were pushed before; else where their names say, or to the default registry.
    AsBefore,
    /// To this registry, unless their names have one.
    Registry(String),
    /// Nowhere: they stay with the builder.
    Local,
}

#[derive(Clone, Debug)]
pub struct AdoptOptions {
    /// Files and folders to look in.
    pub paths: Vec<PathBuf>,
    pub search: Search,
    pub destination: Destination,
    /// Timers for each task; if empty, existing timers stay.
    pub schedules: Vec<Schedule>,
    /// The program that each task starts when it has succeeded; if empty, an existing one stays.
    pub on_success: Vec<String>,
    /// Whether running services are restarted when their image has changed; `None` leaves the setting as it is.
    pub compose_up: Option<bool>,
    /// Whether tasks are removed whose service, target or Dockerfile is gone.
    pub prune: bool,
}

/// What is to be done with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProposedChange {
    /// It does not exist yet.
    New,
    /// It exists, and its file has changed since.
    Changed,
    /// It exists, and agrees with its file.
    Same,
    /// It was edited by hand, and stays as it is.
    Kept,
    /// Its file no longer has it.
    Gone,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    pub name: TaskName,
    pub registry: String,
    pub change: ProposedChange,
    /// The file that it was found in.
    pub file: PathBuf,
    pub kind: SourceKind,
    /// The service, the target, or the name of the Dockerfile.
    pub key: String,
    /// The images, with registry and tag.
    pub images: Vec<String>,
    /// The platforms; if empty, the builder's own.
    pub platforms: Vec<Platform>,
    /// The proposed tasks that it depends on.
    pub depends_on: Vec<TaskName>,
    /// Why it is proposed, and further remarks.
    pub why: String,
    /// Whether the task tracks the bases of its existing image; `None` where that was not asked for, or a run has recorded the bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking: Option<TrackingAnswer>,
    /// The lines that differ from the existing definition, with a leading `-` or `+`.
    pub diff: Vec<String>,
    pub definition: Task,
}

/// Whether a task tracks the bases of its existing image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackingAnswer {
    /// How the bases of the image are known; `None` where they are not.
    pub evidence: Option<Evidence>,
    /// The state of the task then: never-run, where the bases are not known.
    pub state: State,
    pub reason: Option<String>,
}

impl Proposal {
    /// Proposes a definition; `None` where it was not adopted from a file.
    pub(super) fn of(definition: Task, change: ProposedChange, why: String) -> Option<Self> {
        let source = *definition.source.clone()?;
        let images = definition.stable_images();
        Some(Self {
            name: definition.name.clone(),
            registry: definition.registry.clone(),
            change,
            file: source.path,
            kind: source.kind,
            key: source.key,
            images: images.iter().map(ToString::to_string).collect(),
            platforms: definition.platforms.clone(),
            depends_on: Vec::new(),
            why,
            tracking: None,
            diff: Vec::new(),
            definition,
        })
    }

    pub fn task_key(&self) -> TaskKey {
        self.definition.key()
    }
}

/// An entry that becomes no task, and why.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// Its path, which may be what is wrong: it may not be UTF-8.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// The service, the target, or the name of the file.
    pub key: String,
    pub why: String,
    /// Whether that is an error, and not just a service without a build.
    #[serde(rename = "isProblem")]
    pub is_problem: bool,
}

fn lossy<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

impl LeftOut {
    /// Returns an entry that cannot be used.
    pub fn problem(file: PathBuf, key: String, why: String) -> Self {
        Self {
            file,
            key,
            why,
            is_problem: true,
        }
    }
}

/// What `task adopt` would do, or has done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdoptAnswer {
    /// The tasks, parents first.
    pub tasks: Vec<Proposal>,
    pub left_out: Vec<LeftOut>,
    pub written: bool,
}

impl AdoptAnswer {
    pub fn has_changes(&self) -> bool {
        self.tasks.iter().any(|task| match task.change {
            ProposedChange::New | ProposedChange::Changed | ProposedChange::Gone => true,
            ProposedChange::Same | ProposedChange::Kept => false,
        })
    }
}
