//! Tasks and their runs.
//!
//! Values only: nothing here knows where a task is stored, or starts anything.

pub mod age;
pub mod argument;
pub mod cause;
pub mod context;
pub mod cron;
pub mod definition;
pub mod dependency;
pub mod import;
pub mod multi_step;
pub mod name;
pub mod patch;
pub mod run;
pub mod source;
pub mod status;
pub mod template;
pub mod trigger;
pub mod window;

pub use age::{Age, InvalidAge};
pub use argument::Argument;
pub use cause::{BaseUpdate, SeenBy};
pub use context::{Context, GitContext, InvalidContext};
pub use cron::{Cron, InvalidCron};
pub use definition::{DockerStep, OnChange, Step, Task};
pub use dependency::{
    Dependency, DependencyKind, ImageDescriptor, Manifests, MirrorUse, Untracked, exact_manifests,
    one_manifest,
};
pub use import::ImportStep;
pub use multi_step::{EncodedStep, FileStep};
pub use name::{InvalidTaskName, TaskKey, TaskName, shared_names};
pub use patch::{InapplicableOptions, Patch, StepKind, TaskPatch};
pub use run::{
    Cause, InvalidRunId, Run, RunId, RunStatus, RunType, SourceCause, TimerFiring, Triggers,
};
pub use source::{SourceKind, TaskSource};
pub use status::Status;
pub use trigger::{
    BaseImageTrigger, BaseImageTriggerType, InvalidTimerName, SourceEvent, SourceTrigger,
    TimerName, TimerTrigger, Trigger, UpdatePayload,
};
pub use window::Window;
