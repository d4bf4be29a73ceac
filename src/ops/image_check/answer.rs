//! The answer of `image check`.

use serde::Serialize;

use crate::{
    image::{Digest, Platform},
    lineage::Evidence,
    ops::{answer::AzTimestamp, check::MirrorAnswer},
    watch::{BaseState, State},
};

use super::read::Facts;

/// An image for one platform with what was read of it, or why it could not be read.
#[derive(Debug)]
pub struct Row {
    /// The image as the user wrote it.
    pub image: String,
    /// The services and containers that use it.
    pub services: Vec<String>,
    pub containers: Vec<String>,
    /// The platform; `None` where it is not known.
    pub platform: Option<Platform>,
    pub facts: Result<Facts, String>,
}

/// Whether an image for one platform is built on what its bases are now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageCheckAnswer {
    /// The image as the user wrote it.
    pub image: String,
    /// The services of compose files that use it.
    pub(super) services: Vec<String>,
    pub(super) containers: Vec<String>,
    pub(super) platform: Option<Platform>,
    /// The digest of its manifest for the platform; `None` for an image in a builder's own store.
    pub(super) digest: Option<Digest>,
    /// When it was made, by its own config.
    pub(super) created: Option<AzTimestamp>,
    /// One of current, stale, missing, unknown, follows-nothing.
    pub state: State,
    /// The reason of the state, on one line.
    pub reason: String,
    /// How its bases are known; `None` where they are not.
    pub(in crate::ops) evidence: Option<Evidence>,
    /// Since when there is a newer base: the time at which the oldest of the new bases was made.
    pub(super) stale_since: Option<AzTimestamp>,
    pub(in crate::ops) bases: Vec<BaseAnswer>,
}

/// A base of an image, and its state now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseAnswer {
    /// The base, as the image or the user names it.
    pub(in crate::ops) image: String,
    /// One of current, moved, missing, unknown, not-followed.
    pub(in crate::ops) state: BaseState,
    /// The digest that the image was built on, where that is recorded.
    pub(in crate::ops) recorded_digest: Option<Digest>,
    pub(in crate::ops) current_digest: Option<Digest>,
    /// When the recorded and the current base were made, by their own configs.
    pub(in crate::ops) recorded_created: Option<AzTimestamp>,
    pub(in crate::ops) current_created: Option<AzTimestamp>,
    /// The reason of the state, where it needs one.
    pub(in crate::ops) error: Option<String>,
    /// The mirror that the config file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::ops) mirror: Option<MirrorAnswer>,
}
