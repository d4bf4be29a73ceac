//! The repositories of the same registry from which the blobs of a copy can be mounted instead of sent.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository>

use std::{
    cell::{self, Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use futures_util::{StreamExt as _, stream};
use tokio::sync::OnceCell;

use crate::{
    image::{Digest, Reference},
    registry::{canonical, client::Registries},
};

use super::{
    memory::{CopyMemory, RepositoryBlobs},
    remote::Remote,
    tree::Descriptor,
};

/// The most manifests and indexes of images that are read to find out which blobs they have.
const MAX_DOCUMENTS: usize = 32;

/// How many of them are read concurrently.
const AT_ONCE: usize = 6;

/// The repositories from which blobs of one copy may be mounted. All are of the target's registry: no other registry learns their names.
pub struct Mounts<'a> {
    registries: &'a Registries,
    memory: &'a dyn CopyMemory,
    /// The registry of the target.
    registry: String,
    /// The repository of the target.
    target: String,
    /// The repository of the source, if it is of the same registry.
    source: Option<String>,
    /// What earlier copies have left; loaded when first needed.
    known: cell::OnceCell<Vec<RepositoryBlobs>>,
    /// The blobs of images that are known to be there; read when first needed.
    found: OnceCell<Vec<RepositoryBlobs>>,
    /// Repositories that those who may write to the target may not read.
    closed: RefCell<BTreeSet<String>>,
    /// The blobs in the target so far.
    brought: RefCell<BTreeSet<Digest>>,
    /// Blobs that were not where they were expected.
    missing: RefCell<Vec<RepositoryBlobs>>,
}

impl<'a> Mounts<'a> {
    /// Returns where blobs of a copy to `target` may be; `source` may be of another registry.
    pub fn new(
        registries: &'a Registries,
        memory: &'a dyn CopyMemory,
        target: &Remote,
        source: Option<&Remote>,
    ) -> Self {
        let registry = target.host.registry.clone();
        let source = source.filter(|source| source.host.registry == registry);
        Self {
            registries,
            memory,
            target: target.image.repository().to_owned(),
            source: source.map(|source| source.image.repository().to_owned()),
            registry,
            known: cell::OnceCell::new(),
            found: OnceCell::new(),
            closed: RefCell::default(),
            brought: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// Returns the repository from which each of these blobs is mounted, as far as one is known. The fewest repositories are used, because
    /// each may need a token of its own.
    pub fn plan(&self, blobs: &[Descriptor]) -> BTreeMap<Digest, String> {
        let wanted: BTreeSet<&Digest> = blobs.iter().map(|blob| &blob.digest).collect();
        if let Some(source) = &self.source {
            let is_other = *source != self.target;
            let all = wanted.into_iter().filter(|_| is_other);
            return all.map(|blob| (blob.clone(), source.clone())).collect();
        }
        let known = (self.known).get_or_init(|| self.memory.repositories(&self.registry));
        let of_these = |it: &'_ RepositoryBlobs| -> Vec<Digest> {
            let blobs = it.blobs.iter().filter(|blob| wanted.contains(blob));
            blobs.cloned().collect()
        };
        let known = known.iter().map(|it| (&it.repository, of_these(it)));
        let (own, mut others): (Vec<_>, Vec<_>) =
            known.partition(|(repository, _)| **repository == self.target);
        let own: BTreeSet<&Digest> = own.iter().flat_map(|(_, blobs)| blobs).collect();
        others.sort_by_key(|(_, blobs)| std::cmp::Reverse(blobs.len()));
        let mut plan = BTreeMap::new();
        for (repository, blobs) in others {
            for blob in blobs.into_iter().filter(|blob| !own.contains(blob)) {
                plan.entry(blob).or_insert_with(|| repository.clone());
            }
        }
        plan
    }

    /// Searches the images that are known to be there for a blob, and returns the repository of one that has it.
    pub async fn search(&self, blob: &Digest) -> Option<String> {
        let found = self.found.get_or_init(|| self.read_images()).await;
        let found = found.iter().find(|it| it.blobs.contains(blob));
        found
            .map(|it| it.repository.clone())
            .filter(|repository| self.is_open(repository))
    }

    /// Tells whether blobs of a repository may be requested.
    pub fn is_open(&self, repository: &str) -> bool {
        !self.closed.borrow().contains(repository)
    }

    /// Records that a repository may not be read.
    pub fn close(&self, repository: &str) {
        self.closed.borrow_mut().insert(repository.to_owned());
    }

    /// Records that a repository does not have a blob.
    pub fn miss(&self, repository: &str, blob: &Digest) {
        self.missing.borrow_mut().push(RepositoryBlobs {
            repository: repository.to_owned(),
            blobs: vec![blob.clone()],
        });
    }

    /// Records that a blob is in the target.
    pub fn has(&self, blob: &Digest) {
        self.brought.borrow_mut().insert(blob.clone());
    }

    /// Stores what this copy has learnt for later copies, even if it was not completed.
    pub fn remember(&self) {
        let blobs: Vec<Digest> = self.brought.take().into_iter().collect();
        let missing = self.missing.take();
        if blobs.is_empty() && missing.is_empty() {
            return;
        }
        let repository = self.target.clone();
        let has = RepositoryBlobs { repository, blobs };
        self.memory.learn(&self.registry, has, &missing);
    }

    async fn read_images(&self) -> Vec<RepositoryBlobs> {
        let images = self.memory.images(&self.registry).into_iter();
        let is_other = |image: &Reference| {
            canonical(image.registry()) == self.registry && image.repository() != self.target
        };
        let images: Vec<Reference> = images.filter(is_other).take(MAX_DOCUMENTS).collect();
        if let Some(Ok(host)) = images.first().map(|image| self.registries.host_of(image)) {
            let repositories = images.iter().map(|image| image.repository().to_owned());
            host.auth.expect(repositories);
        }
        let left = Cell::new(MAX_DOCUMENTS);
        let read = stream::iter(images).map(|image| self.read_image(image, &left));
        read.buffered(AT_ONCE).collect().await
    }

    /// Reads the blobs of an image, of all its platforms. An image that does not exist any more has none.
    async fn read_image(&self, image: Reference, left: &Cell<usize>) -> RepositoryBlobs {
        let mut found = RepositoryBlobs {
            repository: image.repository().to_owned(),
            blobs: Vec::new(),
        };
        let Ok(remote) = Remote::new(self.registries, &image) else {
            return found;
        };
        let mut open: Vec<Option<Digest>> = vec![None];
        while let Some(which) = open.pop().filter(|_| left.get() > 0) {
            left.set(left.get() - 1);
            if let Ok(document) = remote.document(which.as_ref()).await {
                let blobs = document.blobs.into_iter().map(|blob| blob.digest);
                found.blobs.extend(blobs);
                let below = document.children.into_iter();
                open.extend(below.map(|child| Some(child.digest)));
            }
        }
        found
    }
}
