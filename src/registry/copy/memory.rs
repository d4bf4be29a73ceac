//! What copies before this one have left that it can use. Nothing of it is needed: all of it are hints, and one that is wrong costs a
//! request.

use crate::image::{Digest, Reference};

/// A repository of a registry, and blobs that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryBlobs {
    /// The repository.
    pub repository: String,
    /// The blobs.
    pub blobs: Vec<Digest>,
}

/// What is remembered from copy to copy.
pub trait CopyMemory {
    /// Returns the repositories of a registry that are known to have had these blobs.
    fn repositories(&self, registry: &str) -> Vec<RepositoryBlobs>;

    /// Returns images of a registry of which no more is known than that they were there. Those that are first are read first.
    fn images(&self, registry: &str) -> Vec<Reference>;

    /// Takes in which blobs a repository of a registry has now, and what others do not have that they were thought to have.
    fn learn(&self, registry: &str, has: RepositoryBlobs, lacks: &[RepositoryBlobs]);
}

/// No memory: what every copy knows of by itself is all there is.
impl CopyMemory for () {
    fn repositories(&self, _: &str) -> Vec<RepositoryBlobs> {
        Vec::new()
    }

    fn images(&self, _: &str) -> Vec<Reference> {
        Vec::new()
    }

    fn learn(&self, _: &str, _: RepositoryBlobs, _: &[RepositoryBlobs]) {}
}
