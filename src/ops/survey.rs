//! What can be told about a task without a run and without a registry.

use crate::{
    image::{Digest, Reference},
    steps::Notice,
    watch::ReadFile,
};

/// What can be told about a task without a run and without a registry.
#[derive(Debug, Default)]
pub struct Survey {
    /// The images that it takes from registries.
    pub bases: Vec<Reference>,
    /// The images that it pushes under names that stay the same from run to run.
    pub pushes: Vec<Reference>,
    /// What it is made of; none where that is not known before the context has been fetched.
    pub digest: Option<Digest>,
    /// What is odd about the file.
    pub notices: Vec<Notice>,
    /// The steps that ask to be privileged.
    pub privileged: Vec<String>,
    /// The files of a local context that were read for it, with the state that they were in.
    pub files: Vec<ReadFile>,
    /// How the file that the task was adopted from differs from what it said then.
    pub source: Option<String>,
    /// What the file asks for and may not, because it is a guest's.
    pub refused: Option<Refused>,
}

/// What a file asks for and may not.
#[derive(Clone, Debug)]
pub struct Refused(pub(super) String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
