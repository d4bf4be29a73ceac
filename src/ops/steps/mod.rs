//! Multi-step tasks: the file is read, its steps are carried out, and what they depend on is found out.

mod acr;
mod build;
mod container;
mod found;
mod logins;
mod networks;
mod one;
mod push;
pub mod read;
pub(super) mod run;
mod schedule;
mod site;
mod step_run;
pub mod sweep;
pub(super) mod workspace;

/// The label by which what a run leaves on the builder is found again. Its value is the run's folder.
const LABEL: &str = "io.acrt.run";
