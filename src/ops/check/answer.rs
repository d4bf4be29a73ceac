//! What a check answers.

use serde::Serialize;

use crate::{
    image::Digest,
    lineage::Evidence,
    ops::{
        answer::AzTimestamp,
        mirror::{Mirror, MirrorState},
        timer::TimerAnswer,
    },
    task::{DependencyKind, TaskName, Untracked},
    watch::{BaseState, Problem, State},
};

/// What a task needs, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckAnswer {
    pub name: TaskName,
    pub(in crate::ops) registry: String,
    /// What it needs: docs/triggers.md has all states.
    pub state: State,
    /// Why, on one line.
    pub reason: String,
    /// What showed what its image is built on that was there before any run; none where a run recorded it.
    pub(in crate::ops) evidence: Option<Evidence>,
    pub(in crate::ops) waiting_for: Vec<String>,
    pub(in crate::ops) next_try: Option<AzTimestamp>,
    /// Whether that is when its window opens.
    #[serde(skip)]
    pub(in crate::ops) waits_for_window: bool,
    /// The command that tries a stalled task at once.
    pub(in crate::ops) resume: Option<String>,
    pub(in crate::ops) images: Vec<ImageAnswer>,
    pub(in crate::ops) timers: Vec<TimerAnswer>,
    pub(in crate::ops) untracked_images: Vec<Untracked>,
    /// What became of the images that it pushed.
    pub(in crate::ops) output_images: Vec<OutputAnswer>,
    /// What keeps it from being known, where that is nothing but registries and repositories that do not answer.
    #[serde(skip)]
    pub silent: Vec<Problem>,
    /// When it would be run in a round, counted from 0.
    #[serde(skip)]
    pub turn: Option<usize>,
}

/// What became of an image that a task pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputState {
    Current,
    Moved,
    Missing,
    Unknown,
    NotLooked,
}

/// An image that a task pushed, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputAnswer {
    pub(in crate::ops) image: String,
    pub(in crate::ops) state: OutputState,
    pub(in crate::ops) pushed_digest: Option<Digest>,
    pub(in crate::ops) current_digest: Option<Digest>,
    pub(in crate::ops) last_looked: Option<AzTimestamp>,
}

/// An image that a task depends on, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageAnswer {
    pub(in crate::ops) image: String,
    pub(in crate::ops) r#type: DependencyKind,
    pub(in crate::ops) line: usize,
    pub(in crate::ops) state: BaseState,
    pub(in crate::ops) recorded_digest: Option<Digest>,
    pub(in crate::ops) current_digest: Option<Digest>,
    pub(in crate::ops) first_seen: Option<AzTimestamp>,
    pub(in crate::ops) last_looked: Option<AzTimestamp>,
    pub(in crate::ops) next_look: Option<AzTimestamp>,
    /// Until when its registry wants to be left alone.
    pub(in crate::ops) paused_until: Option<AzTimestamp>,
    pub(in crate::ops) error: Option<String>,
    pub(in crate::ops) error_since: Option<AzTimestamp>,
    /// The copy of one's own that the config file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::ops) mirror: Option<MirrorAnswer>,
}

/// The copy of an image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorAnswer {
    pub(in crate::ops) image: String,
    /// One of current, behind, missing, unknown: what it is, compared with what its source is now.
    pub(in crate::ops) state: &'static str,
    pub(in crate::ops) digest: Option<Digest>,
    /// What to do about one that is not current.
    pub(in crate::ops) advice: Option<String>,
}

impl MirrorAnswer {
    /// Returns what is answered of a copy of which `advice` complains.
    pub(in crate::ops) fn new(found: &Mirror, advice: Option<String>) -> Self {
        Self {
            image: found.image.to_string(),
            state: found.word(),
            digest: match &found.state {
                MirrorState::Current(digest) | MirrorState::Behind(digest) => Some(digest.clone()),
                MirrorState::Missing | MirrorState::Unknown(_) => None,
            },
            advice,
        }
    }
}
