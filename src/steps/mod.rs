//! Multi-step task files as graphs of steps, and which of the steps may start. Pure: starts nothing, reads no file.
//!
//! A file passes these stages: text → aliases ([`alias`]) → templates ([`render`]) → YAML ([`yaml`], [`file`], [`resources`]) → a
//! graph that is valid by construction ([`graph`]) → which step may start ([`progress`]). `docs/steps.md` documents the keys.

pub mod alias;
mod budget;
pub mod build;
mod data;
mod docker_run;
pub mod file;
mod functions;
pub mod graph;
pub mod guest;
mod keys;
mod marks;
mod options;
pub mod problem;
pub mod progress;
pub mod read;
pub mod render;
pub mod resources;
mod shell_words;
pub mod step;
pub mod variables;
mod yaml;

pub use budget::IsLate;
pub use build::BuildStep;
pub use graph::Graph;
pub use problem::{FileWarning, InvalidTaskFile};
pub use progress::StepProgress;
pub use read::{TaskFile, read, secrets};
pub use resources::Mount;
pub use resources::{Network, SecretSource, Volume};
pub use step::{Action, BuiltinCommand, CmdStep, ContainerSettings, Limits, Step, StepId};
pub use variables::{TemplateRun, Values, Variables};
pub use yaml::{MergeTag, YamlNode, YamlValue, parse as parse_yaml};
