//! Groups of options that several commands share.

pub mod address;
pub mod azure;
pub mod bare;
pub mod build;
pub mod choice;
pub mod confirm;
pub mod definition;
pub mod duration;
pub mod login;
pub mod one_task;
pub mod program;
pub mod quick_file;
pub mod registry;
pub mod run_id;
pub mod steps;
pub mod trigger;

/// The heading in the help for options that only have a meaning in Azure.
pub const AZURE: &str = "Azure only, without effect";
