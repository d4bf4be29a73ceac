//! The endpoints of a copy: a repository of a registry, or a folder.

use crate::{image::Digest, registry::client::Registries};

use super::{
    blob_stream::{ChunkSource, Chunks},
    layout::ImageLayout,
    problem::CopyError,
    remote::Remote,
    request::ImagePlace,
    tree::{Descriptor, RawDocument},
};

/// The source or the target of a copy.
pub enum Endpoint {
    Registry(Remote),
    Layout(ImageLayout),
}

/// How a blob got to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobTransfer {
    Present,
    /// The registry mounted it from another repository.
    Mounted,
    /// It was sent, unless it was there already.
    Sent {
        bytes: u64,
    },
}

impl Endpoint {
    pub fn source(registries: &Registries, place: &ImagePlace) -> Result<Self, CopyError> {
        match place {
            ImagePlace::Registry(image) => Remote::new(registries, image).map(Self::Registry),
            ImagePlace::Layout { folder, name } => {
                ImageLayout::open(folder, name.as_deref()).map(Self::Layout)
            }
        }
    }

    /// Returns the target of a copy. A missing folder is made.
    pub fn target(registries: &Registries, place: &ImagePlace) -> Result<Self, CopyError> {
        match place {
            ImagePlace::Registry(image) => Remote::new(registries, image).map(Self::Registry),
            ImagePlace::Layout { folder, .. } => ImageLayout::make(folder).map(Self::Layout),
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

    /// Returns the name of the image here with this tag.
    pub fn tagged(&self, tag: &str) -> String {
        match self {
            Self::Registry(remote) => format!("{}:{tag}", remote.place()),
            Self::Layout(layout) => format!("{layout}:{tag}"),
        }
    }

    /// Returns the digest of the selected image, without reading the image.
    pub async fn digest(&self) -> Result<Digest, CopyError> {
        match self {
            Self::Registry(remote) => remote.digest().await,
            Self::Layout(layout) => Ok(layout.document(None)?.digest),
        }
    }

    /// Returns the digest of a tag here; `None`, if there is no such tag.
    pub async fn digest_of(&self, tag: &str) -> Result<Option<Digest>, CopyError> {
        match self {
            Self::Registry(remote) => remote.digest_of(tag).await,
            Self::Layout(layout) => layout.digest_of(tag),
        }
    }

    /// Reads a document: the selected image, or one below it.
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
            Self::Layout(layout) => {
                let file = layout.blob(&blob.digest, from)?;
                Ok(Chunks::new(ChunkSource::File(file)))
            }
        }
    }

    pub async fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, CopyError> {
        match self {
            Self::Registry(remote) => remote.referrers(digest).await,
            Self::Layout(layout) => layout.referrers(digest),
        }
    }

    /// Tells whether a document is there with everything below it: a registry accepts it only then.
    pub async fn has_document(&self, digest: &Digest) -> Result<bool, CopyError> {
        match self {
            Self::Registry(remote) => remote.has_document(digest).await,
            // A folder may have a manifest without its blobs; there it costs nothing to check each blob.
            Self::Layout(_) => Ok(false),
        }
    }

    /// Writes a document under a tag, or by digest alone.
    pub async fn write(&self, document: &RawDocument, tag: Option<&str>) -> Result<(), CopyError> {
        match self {
            Self::Registry(remote) => remote.write(document, tag).await.map(drop),
            Self::Layout(layout) => layout.write(document, tag),
        }
    }

    /// Makes a document without a tag findable. A registry finds every document by its digest.
    pub async fn keep(&self, document: &RawDocument) -> Result<(), CopyError> {
        match self {
            Self::Registry(_) => Ok(()),
            Self::Layout(layout) => layout.list(document, None),
        }
    }
}
