//! What earlier copies have left for later ones. All of it is optional: a wrong hint costs one request.

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

/// The memory shared between copies. By default, nothing is remembered.
pub trait CopyMemory {
    /// Returns the repositories of a registry that are known to have blobs, with these.
    fn repositories(&self, _registry: &str) -> Vec<RepositoryBlobs> {
        Vec::new()
    }

    /// Returns images of a registry that are known only to have existed. The first ones are read first.
    fn images(&self, _registry: &str) -> Vec<Reference> {
        Vec::new()
    }

    /// Records the blobs that a repository has now, and those that other repositories turned out not to have.
    fn learn(&self, _registry: &str, _has: RepositoryBlobs, _lacks: &[RepositoryBlobs]) {}

    /// Opens the stored upload of a blob to a repository, `registry/repository`; `None` while another process works on it, or where nothing
    /// is stored.
    fn upload(&self, _repository: &str, _blob: &Digest) -> Option<Box<dyn KeptUpload + '_>> {
        None
    }
}

/// An upload that another process can continue after this one. No other process uses it while this value exists.
pub trait KeptUpload {
    /// Returns the URL at which an earlier process's upload continues, if there is one. The URL may be all that is needed to write there.
    fn location(&mut self) -> Option<Secret>;

    /// Stores the URL at which it continues.
    fn keep(&mut self, location: &Secret);

    /// Records that there is no upload to continue.
    fn forget(self: Box<Self>);
}

/// No memory: every copy starts from nothing.
impl CopyMemory for () {}
