//! The request for a copy, and its result.

use std::path::PathBuf;

use crate::{
    image::{Digest, Platform, Reference},
    sys::clock::Clock,
};

use super::memory::CopyMemory;

/// The place of an image: the source or the target of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImagePlace {
    Registry(Reference),
    /// In a folder of the OCI image layout, with a name if it has one.
    Layout {
        folder: PathBuf,
        /// The name of the image in the folder's index.
        name: Option<String>,
    },
}

#[derive(Clone, Debug)]
pub struct CopyRequest {
    /// The source image, by tag or digest.
    pub from: ImagePlace,
    /// The target repository or folder; its tag does not matter.
    pub to: ImagePlace,
    /// The tags or names of the target; without any, the image is only there by digest.
    pub tags: Vec<String>,
    /// The platforms to copy; all if empty.
    pub platforms: Vec<Platform>,
    /// Whether its referrers are copied too: signatures, SBOMs and others.
    pub all_referrers: bool,
    /// Whether a tag of the target that stands for another image is moved.
    pub force: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// It did not exist before.
    Created,
    /// It stood for another image, with this digest.
    Moved(Digest),
    /// It stood for the same image already.
    Unchanged,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The digest of the image at the target: that of the source, unless some platforms were left out.
    pub digest: Digest,
    /// The digest of the whole image at the source.
    pub source: Digest,
    /// What became of its tags, in order.
    pub tags: Vec<Tagged>,
    pub amount: Amount,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// The number of blobs that were sent.
    pub sent: usize,
    /// The number of blobs that the registry mounted from another repository.
    pub mounted: usize,
    /// The number of blobs that were there already.
    pub present: usize,
    /// The bytes of blobs that were sent.
    pub bytes: u64,
    /// The number of manifests and indexes that were written.
    pub manifests: usize,
}

/// The progress of a copy.
#[derive(Clone, Copy, Debug)]
pub enum CopyProgress<'a> {
    /// The bytes of all blobs that are to be copied.
    Total(u64),
    /// The transfer of a blob of this size begins.
    Begun(&'a Digest, u64),
    /// More bytes of a blob have been sent.
    Sent(&'a Digest, u64),
    /// The blob is at the target.
    Done(&'a Digest, u64),
}

pub type ProgressWatcher<'a> = &'a dyn Fn(CopyProgress<'_>);

/// The context of a copy: its progress listener, the clock of its pauses, and the memory of earlier copies.
#[derive(Clone, Copy)]
pub struct CopyContext<'a> {
    pub watch: ProgressWatcher<'a>,
    /// The clock of its pauses.
    pub clock: &'a Clock,
    /// What earlier copies have left.
    pub memory: &'a dyn CopyMemory,
}
