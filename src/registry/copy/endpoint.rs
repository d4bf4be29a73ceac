//! The two sides of a copy: a repository of a registry, or a folder.

use crate::{image::Digest, registry::client::Registries};

use super::{
    blob_stream::Chunks,
    layout::ImageLayout,
    problem::CopyError,
    remote::Remote,
    request::Place,
    tree::{Descriptor, RawDocument},
};

/// One side of a copy.
pub enum Endpoint {
    Registry(Remote),
    Layout(ImageLayout),
}

/// How a blob came to be where it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobTransfer {
    Present,
    /// The registry took it over from another of its repositories.
    Mounted,
    /// It was sent, as far as it was not there before.
    Sent {
        bytes: u64,
    },
}

impl Endpoint {
    /// Returns where an image comes from.
    pub fn source(registries: &Registries, place: &Place) -> Result<Self, CopyError> {
        match place {
            Place::Registry(image) => Remote::new(registries, image).map(Self::Registry),
            Place::Layout { folder, name } => {
                ImageLayout::open(folder, name.as_deref()).map(Self::Layout)
            }
        }
    }

    /// Returns where an image goes. A folder is made, if there is none.
    pub fn target(registries: &Registries, place: &Place) -> Result<Self, CopyError> {
        match place {
            Place::Registry(image) => Remote::new(registries, image).map(Self::Registry),
            Place::Layout { folder, .. } => ImageLayout::make(folder).map(Self::Layout),
        }
    }

    /// Returns the repository, if it is one.
    pub fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Registry(remote) => Some(remote),
            Self::Layout(_) => None,
        }
    }

    /// Returns the name of the image, for messages.
    pub fn name(&self) -> String {
        match self {
            Self::Registry(remote) => remote.image.to_string(),
            Self::Layout(layout) => layout.to_string(),
        }
    }

    /// Returns the name that the image has here under a tag.
    pub fn tagged(&self, tag: &str) -> String {
        match self {
            Self::Registry(remote) => format!("{}:{tag}", remote.place()),
            Self::Layout(layout) => format!("{layout}:{tag}"),
        }
    }

    /// Returns the digest of the image that is meant, without reading it.
    pub async fn digest(&self) -> Result<Digest, CopyError> {
        match self {
            Self::Registry(remote) => remote.digest().await,
            Self::Layout(layout) => Ok(layout.document(None)?.digest),
        }
    }

    /// Returns what a tag stands for here; nothing, if there is none.
    pub async fn digest_of(&self, tag: &str) -> Result<Option<Digest>, CopyError> {
        match self {
            Self::Registry(remote) => remote.digest_of(tag).await,
            Self::Layout(layout) => layout.digest_of(tag),
        }
    }

    /// Reads a document: the one that is meant, or one below it.
    pub async fn document(&self, which: Option<&Descriptor>) -> Result<RawDocument, CopyError> {
        match self {
            Self::Registry(remote) => remote.document(which.map(|it| &it.digest)).await,
            Self::Layout(layout) => layout.document(which),
        }
    }

    /// Opens a blob from the byte `from` on.
    pub async fn open(&self, blob: &Descriptor, from: u64) -> Result<Chunks, CopyError> {
        match self {
            Self::Registry(remote) => remote.open(blob, from).await,
            Self::Layout(layout) => layout.blob(&blob.digest, from).map(Chunks::from),
        }
    }

    /// Returns what refers to a document.
    pub async fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, CopyError> {
        match self {
            Self::Registry(remote) => remote.referrers(digest).await,
            Self::Layout(layout) => layout.referrers(digest),
        }
    }

    /// Tells whether a document is there, and with it all that it consists of: no registry takes it before.
    pub async fn has_document(&self, digest: &Digest) -> Result<bool, CopyError> {
        match self {
            Self::Registry(remote) => remote.has_document(digest).await,
            // In a folder it is not checked what a manifest depends on; to look for each blob costs nothing there.
            Self::Layout(_) => Ok(false),
        }
    }

    /// Writes a document under a tag, or by its digest alone.
    pub async fn write(&self, document: &RawDocument, tag: Option<&str>) -> Result<(), CopyError> {
        match self {
            Self::Registry(remote) => remote.write(document, tag).await.map(drop),
            Self::Layout(layout) => layout.write(document, tag),
        }
    }

    /// Makes a document findable that has no tag. A registry finds all that it has by their digests.
    pub async fn keep(&self, document: &RawDocument) -> Result<(), CopyError> {
        match self {
            Self::Registry(_) => Ok(()),
            Self::Layout(layout) => layout.list(document, None),
        }
    }
}
