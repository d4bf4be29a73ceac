//! Decides which tags and manifests of a repository may be removed. Removes nothing itself.

mod age;
mod command;
mod decide;
mod filter;
mod keep;
#[cfg(test)]
mod simulation;

pub use age::{Age, InvalidAge, parse as parse_age};
pub use command::{
    AcrCommand, HELP as ACR_HELP, InvalidCommand, PurgeOptions, RepositoryOptions,
    parse as parse_command,
};
pub use decide::{
    KeepReason, KeptItem, ManifestPlan, Policy, Snapshot, StoredManifest, TagInfo, TagPlan,
    manifests, tags,
};
pub use filter::{Filters, InvalidFilter, TooComplex};
pub use keep::{PushedTag, superseded};
