//! What a check of images answers.

use serde::Serialize;

use crate::{
    image::{Digest, Platform},
    lineage::Evidence,
    ops::{answer::AzTimestamp, check::MirrorAnswer},
    watch::{BaseState, State},
};

use super::read::Facts;

/// An image for one platform, and what was read of it, or why nothing was.
#[derive(Debug)]
pub struct Row {
    /// As it was written.
    pub image: String,
    /// The services and containers that it is the image of.
    pub services: Vec<String>,
    pub containers: Vec<String>,
    /// The platform; none where it is not known.
    pub platform: Option<Platform>,
    pub facts: Result<Facts, String>,
}

/// Whether an image is on what its bases are now, for one platform.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageCheckAnswer {
    /// The image, as it was written.
    pub image: String,
    /// The services of compose files that it is the image of.
    pub(super) services: Vec<String>,
    pub(super) containers: Vec<String>,
    pub(super) platform: Option<Platform>,
    /// What the image is now: its manifest for the platform. None for one of a builder's own.
    pub(super) digest: Option<Digest>,
    /// When it was made, as it says.
    pub(super) created: Option<AzTimestamp>,
    /// One of current, stale, missing, unknown, follows-nothing.
    pub state: State,
    /// Why, on one line.
    pub reason: String,
    /// How its bases became known; none, where they did not.
    pub(in crate::ops) evidence: Option<Evidence>,
    /// Since when there is a newer base: when the oldest of those that moved was made that are there now.
    pub(super) stale_since: Option<AzTimestamp>,
    pub(in crate::ops) bases: Vec<BaseAnswer>,
}

/// A base of an image, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseAnswer {
    /// The image, as it is said to be the base.
    pub(in crate::ops) image: String,
    /// One of current, moved, missing, unknown, not-followed.
    pub(in crate::ops) state: BaseState,
    /// What the image was built on, as far as it says so.
    pub(in crate::ops) recorded_digest: Option<Digest>,
    pub(in crate::ops) current_digest: Option<Digest>,
    /// When these were made, as far as they say so.
    pub(in crate::ops) recorded_created: Option<AzTimestamp>,
    pub(in crate::ops) current_created: Option<AzTimestamp>,
    /// Why it is in this state, where that needs words.
    pub(in crate::ops) error: Option<String>,
    /// The copy of one's own that the config file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::ops) mirror: Option<MirrorAnswer>,
}
