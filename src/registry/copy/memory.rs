//! What copies before this one have left that it can use. Nothing of it is needed: all of it are hints, and one that is wrong costs a
//! request.

use crate::{
    image::{Digest, Reference},
    secret::Secret,
};

/// A repository of a registry, and blobs that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryBlobs {
    pub repository: String,
    pub blobs: Vec<Digest>,
}

/// What is remembered from copy to copy. Of what is not said, nothing is.
pub trait CopyMemory {
    /// Returns the repositories of a registry that are known to have had these blobs.
    fn repositories(&self, _registry: &str) -> Vec<RepositoryBlobs> {
        Vec::new()
    }

    /// Returns images of a registry of which no more is known than that they were there. Those that are first are read first.
    fn images(&self, _registry: &str) -> Vec<Reference> {
        Vec::new()
    }

    /// Takes in which blobs a repository of a registry has now, and what others do not have that they were thought to have.
    fn learn(&self, _registry: &str, _has: RepositoryBlobs, _lacks: &[RepositoryBlobs]) {}

    /// Returns where the upload of a blob to a repository, `registry/repository`, is kept; none, while another process works at it, or
    /// where nothing is kept.
    fn upload(&self, _repository: &str, _blob: &Digest) -> Option<Box<dyn KeptUpload + '_>> {
        None
    }
}

/// An upload that other processes can take up where this one ends. It is this one's alone for as long as it has this.
pub trait KeptUpload {
    /// Returns the URL at which an earlier process's goes on, if there is one. Who knows it may be able to write there.
    fn location(&mut self) -> Option<Secret>;

    /// Takes in where it goes on now.
    fn keep(&mut self, location: &Secret);

    /// Takes in that there is nothing to go on with.
    fn forget(self: Box<Self>);
}

/// No memory: what every copy knows of by itself is all there is.
impl CopyMemory for () {}
