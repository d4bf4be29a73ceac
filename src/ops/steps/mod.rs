//! Multi-step tasks: the file is read, its steps are carried out, and what they depend on is found out.

mod acr;
mod logins;
mod one;
pub mod read;
pub mod schedule;
mod site;
pub mod sweep;
pub(super) mod workspace;

/// The label by which what a run leaves on the builder is found again. Its value is the run's folder.
const LABEL: &str = "io.acrt.run";
