//! What is copied where, and what came of it.

use std::path::PathBuf;

use crate::{
    image::{Digest, Platform, Reference},
    sys::clock::Clock,
};

use super::memory::CopyMemory;

/// Where an image is, or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Registry(Reference),
    /// In a folder of the OCI image layout, under a name if it has one.
    Layout {
        folder: PathBuf,
        /// The name of the image in the folder's index.
        name: Option<String>,
    },
}

#[derive(Clone, Debug)]
pub struct CopyRequest {
    /// The image, by tag or digest.
    pub from: Place,
    /// The repository or folder that it goes to; its tag does not matter.
    pub to: Place,
    /// The tags or names that it gets there; without any, it is only there by its digest.
    pub tags: Vec<String>,
    /// The platforms that are copied; all if empty.
    pub platforms: Vec<Platform>,
    /// Whether signatures, SBOMs and whatever else refers to it are copied too.
    pub all_referrers: bool,
    /// Whether a tag that stands for another image there is moved.
    pub force: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// It was not there before.
    Created,
    /// It stood for another image before.
    Moved(Digest),
    /// It stood for the same image.
    Unchanged,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The digest of the image where it went: that of the source, unless some platforms were left out.
    pub digest: Digest,
    /// The digest of the whole image where it came from.
    pub source: Digest,
    /// What became of its tags, in their order.
    pub tags: Vec<Tagged>,
    pub amount: Amount,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Blobs that were sent.
    pub sent: usize,
    /// Blobs that the registry took over from another of its repositories.
    pub mounted: usize,
    /// Blobs that were there already.
    pub present: usize,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// Manifests and indexes that were written.
    pub manifests: usize,
}

/// What happens during a copy, for those who watch.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many bytes of blobs are to be copied in all.
    Total(u64),
    /// A blob begins to be sent.
    Begun(&'a Digest, u64),
    /// So many bytes of it have been sent.
    Sent(&'a Digest, u64),
    /// It is where it should be.
    Done(&'a Digest, u64),
}

pub type ProgressWatcher<'a> = &'a dyn Fn(Progress<'_>);

/// What surrounds a copy: who watches it, the time that its pauses take, and what there was before.
#[derive(Clone, Copy)]
pub struct CopyContext<'a> {
    pub watch: ProgressWatcher<'a>,
    /// The clock of its pauses.
    pub clock: &'a Clock,
    /// What copies before have left.
    pub memory: &'a dyn CopyMemory,
}
