//! Multi-step tasks: reads their file, carries out its steps, and resolves the images that they depend on.

mod acr;
mod build;
mod container;
mod logins;
mod networks;
mod one;
mod push;
pub mod read;
pub(super) mod run;
mod schedule;
mod step_context;
mod step_run;
pub mod sweep;
pub(super) mod workspace;

/// The label by which containers and networks of a run are found on the builder. Its value is the run's folder.
const LABEL: &str = "io.acrt.run";
