//! From which other repositories of the same registry a copy takes blobs over that then need not be sent.
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

/// How many manifests and indexes of images are read to find out which blobs they have.
const MAX_DOCUMENTS: usize = 32;

/// How many of them are read at once.
const AT_ONCE: usize = 6;

/// The repositories that blobs of one copy may be taken over from. They are all of the registry that it goes to: no other is told their names.
pub struct Mounts<'a> {
    registries: &'a Registries,
    memory: &'a dyn CopyMemory,
    /// The registry that the copy goes to.
    registry: String,
    /// The repository that it goes to.
    target: String,
    /// The repository that it comes from, if that is of the same registry.
    source: Option<String>,
    /// What copies before have left, once it was needed.
    known: cell::OnceCell<Vec<RepositoryBlobs>>,
    /// What the blobs of images are that are known to be there, once it was needed.
    found: OnceCell<Vec<RepositoryBlobs>>,
    /// Repositories that may not be read by those who may write to the target.
    closed: RefCell<BTreeSet<String>>,
    /// What is in the target by now.
    brought: RefCell<BTreeSet<Digest>>,
    /// What is not where it was thought to be.
    missing: RefCell<Vec<RepositoryBlobs>>,
}

impl<'a> Mounts<'a> {
    /// Returns where blobs of a copy to `target` may be, which comes from `source` or from elsewhere.
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

    /// Returns the repository that each of these blobs is taken over from, as far as one is known. As few as possible serve all of them,
    /// because each may take a token of its own.
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

    /// Looks for a blob in the images that are known to be there, and returns the repository of one that has it.
    pub async fn search(&self, blob: &Digest) -> Option<String> {
        let found = self.found.get_or_init(|| self.read_images()).await;
        let found = found.iter().find(|it| it.blobs.contains(blob));
        found
            .map(|it| it.repository.clone())
            .filter(|repository| self.is_open(repository))
    }

    /// Tells whether there is sense in asking for blobs of a repository.
    pub fn is_open(&self, repository: &str) -> bool {
        !self.closed.borrow().contains(repository)
    }

    /// Takes in that a repository may not be read.
    pub fn close(&self, repository: &str) {
        self.closed.borrow_mut().insert(repository.to_owned());
    }

    /// Takes in that a repository does not have a blob.
    pub fn miss(&self, repository: &str, blob: &Digest) {
        self.missing.borrow_mut().push(RepositoryBlobs {
            repository: repository.to_owned(),
            blobs: vec![blob.clone()],
        });
    }

    /// Takes in that a blob is in the target.
    pub fn has(&self, blob: &Digest) {
        self.brought.borrow_mut().insert(blob.clone());
    }

    /// Hands on to the copies that come what this one has learnt, be it whole or not.
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

    /// Reads which blobs an image has, of all its platforms. One that is not there any more has none.
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
