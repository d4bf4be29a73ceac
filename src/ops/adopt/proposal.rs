//! What is to be adopted, and what is proposed.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    image::Platform,
    lineage::Evidence,
    ops::timer::Schedule,
    task::{SourceKind, Task, TaskKey, TaskName},
    watch::State,
};

/// How folders are searched.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Patterns of `.gitignore` for what is not searched.
    pub exclude: Vec<String>,
    /// How many folders deep, the given one being the first; none is as deep as there are.
    pub depth: Option<usize>,
}

/// The registry by which tasks are kept whose images stay with the builder.
pub const LOCAL: &str = "localhost";

/// Where the images of adopted tasks go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Where they went before; else where they say, or to the default registry.
    AsBefore,
    /// To this registry, unless they name one themselves.
    Registry(String),
    /// Nowhere: they stay with the builder.
    Local,
}

/// What is to be adopted, and how.
#[derive(Clone, Debug)]
pub struct AdoptOptions {
    /// Files and folders to look in.
    pub paths: Vec<PathBuf>,
    pub search: Search,
    pub destination: Destination,
    /// Timers for each task; none leaves those that are there.
    pub schedules: Vec<Schedule>,
    /// What a successful run of each starts; nothing leaves what is there.
    pub on_success: Vec<String>,
    /// Whether running services are started anew when their image has changed; nothing leaves that as it is.
    pub compose_up: Option<bool>,
    /// Whether tasks are removed whose service, target or Dockerfile is gone.
    pub prune: bool,
}

/// What becomes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// There is none yet.
    New,
    /// It is there, and its file says something else now.
    Changed,
    /// It is as its file says.
    Same,
    /// A hand has changed it, so that it stays as it is.
    Kept,
    /// Its file says nothing of it any more.
    Gone,
}

/// A task that is proposed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    pub name: TaskName,
    pub registry: String,
    pub change: Change,
    /// The file that it comes from.
    pub file: PathBuf,
    pub kind: SourceKind,
    /// The service, the target, or the name of the Dockerfile.
    pub key: String,
    /// The images, in full.
    pub images: Vec<String>,
    /// The platforms; empty is the builder's own.
    pub platforms: Vec<Platform>,
    /// The tasks of this proposal whose images it is built on.
    pub depends_on: Vec<TaskName>,
    /// Why it is proposed, and what else is to be known of it.
    pub why: String,
    /// Whether it is followed by its image that is there already; none where that was not asked, or it follows that of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking: Option<TrackingAnswer>,
    /// The lines that differ from the definition that is there, each with `-` or `+` in front.
    pub diff: Vec<String>,
    pub definition: Task,
}

/// Whether a task is followed by its image that is there already.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackingAnswer {
    /// What shows what the image is built on; none where nothing does.
    pub evidence: Option<Evidence>,
    /// The state that the task is in then: never-run, where nothing shows it.
    pub state: State,
    pub reason: Option<String>,
}

impl Proposal {
    /// Proposes a definition; none where it was adopted from nothing.
    pub(super) fn of(definition: Task, change: Change, why: String) -> Option<Self> {
        let source = definition.source.clone()?;
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

    /// Returns what tells the task from all others.
    pub fn task_key(&self) -> TaskKey {
        self.definition.key()
    }
}

/// Something that becomes no task, and why.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    pub file: PathBuf,
    /// The service, the target, or the name of the file.
    pub key: String,
    pub why: String,
    /// Whether that is a mistake, and not only a service without a build.
    #[serde(rename = "isProblem")]
    pub is_problem: bool,
}

impl LeftOut {
    /// Something that cannot be used.
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
    /// The tasks, those first on whose images others are built.
    pub tasks: Vec<Proposal>,
    pub left_out: Vec<LeftOut>,
    /// Whether the tasks have been written.
    pub written: bool,
}

impl AdoptAnswer {
    /// Tells whether there is anything to write.
    pub fn has_changes(&self) -> bool {
        self.tasks.iter().any(|task| match task.change {
            Change::New | Change::Changed | Change::Gone => true,
            Change::Same | Change::Kept => false,
        })
    }
}
