//! What can be said about a task without a run and without a registry.

use crate::{
    dockerfile::BaseImage,
    image::{Digest, Reference},
    steps::FileWarning,
    watch::ReadFile,
};

use super::{App, joined::joined};

/// What can be said about a task without a run and without a registry.
#[derive(Debug, Default)]
pub struct Survey {
    /// The images that it pulls from registries.
    pub bases: Vec<Reference>,
    /// See [`Baseline::usage`](crate::watch::Baseline::usage).
    pub usage: Option<Digest>,
    /// The images that it pushes under stable names.
    pub pushes: Vec<Reference>,
    /// A digest of its inputs; `None` where they are not known before the context has been fetched.
    pub digest: Option<Digest>,
    /// Warnings about the file.
    pub notices: Vec<FileWarning>,
    /// The steps that require privileged containers.
    pub privileged: Vec<String>,
    /// The files of a local context that were read, with their state.
    pub files: Vec<ReadFile>,
    /// How the file that the task was adopted from has changed since.
    pub source: Option<String>,
    /// What the file asks for and may not have, because it is a guest's.
    pub refused: Option<String>,
}

/// Returns how a Dockerfile uses its bases: each name with its kind and the platforms.
pub fn uses(app: &App, bases: &[BaseImage]) -> Vec<String> {
    let uses = bases.iter().map(|base| {
        let platforms = joined(&base.platforms, ",");
        format!(
            "{} {} {platforms}",
            app.canonical(&base.reference),
            base.kind
        )
    });
    uses.collect()
}

/// Returns the digest of the uses of all bases.
pub fn usage(mut uses: Vec<String>) -> Digest {
    uses.sort_unstable();
    uses.dedup();
    Digest::of(uses.join("\n").as_bytes())
}
