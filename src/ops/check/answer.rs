//! The answer of `task check`.

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

/// The state of a task, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckAnswer {
    pub name: TaskName,
    pub(in crate::ops) registry: String,
    /// docs/triggers.md has all states.
    pub state: State,
    /// The reason of the state, on one line.
    pub reason: String,
    /// How the bases of an image that existed before any run are known; `None` where a run has recorded them.
    pub(in crate::ops) evidence: Option<Evidence>,
    pub(in crate::ops) waiting_for: Vec<String>,
    pub(in crate::ops) next_try: Option<AzTimestamp>,
    /// Whether that is when its window opens.
    #[serde(skip)]
    pub(in crate::ops) waits_for_window: bool,
    /// The command that runs a stalled task at once.
    pub(in crate::ops) resume: Option<String>,
    pub(in crate::ops) images: Vec<ImageAnswer>,
    pub(in crate::ops) timers: Vec<TimerAnswer>,
    pub(in crate::ops) untracked_images: Vec<Untracked>,
    /// The state of the images that it pushed.
    pub(in crate::ops) output_images: Vec<OutputAnswer>,
    /// What keeps the state unknown, if that is only registries and repositories that do not answer.
    #[serde(skip)]
    pub silent: Vec<Problem>,
    /// Its position in the order in which a round would run the tasks, from 0.
    #[serde(skip)]
    pub turn: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputState {
    Current,
    Moved,
    Missing,
    Unknown,
    NotLooked,
}

/// An image that a task pushed, and its state now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputAnswer {
    pub(in crate::ops) image: String,
    pub(in crate::ops) state: OutputState,
    pub(in crate::ops) pushed_digest: Option<Digest>,
    pub(in crate::ops) current_digest: Option<Digest>,
    pub(in crate::ops) last_looked: Option<AzTimestamp>,
}

/// An image that a task depends on, and its state now.
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
    /// Until when its registry has asked for no more requests.
    pub(in crate::ops) paused_until: Option<AzTimestamp>,
    pub(in crate::ops) error: Option<String>,
    pub(in crate::ops) error_since: Option<AzTimestamp>,
    /// The mirror that the config file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::ops) mirror: Option<MirrorAnswer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorAnswer {
    pub(in crate::ops) image: String,
    /// One of current, behind, missing, unknown: the mirror compared with its source now.
    pub(in crate::ops) state: &'static str,
    pub(in crate::ops) digest: Option<Digest>,
    /// How to repair a mirror that is not current.
    pub(in crate::ops) advice: Option<String>,
}

impl MirrorAnswer {
    /// Makes the answer about a mirror; `advice` says what is wrong with it.
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
