//! What one task needs.

use jiff::Timestamp;

use crate::{
    image::{Digest, Reference},
    task::{BaseImageTriggerType, Dependency, ImageDescriptor, Status, TaskKey},
};

use super::{
    round::Node,
    tags::{Standing, Tags},
};

/// An image that moved away from what a task was built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The tag.
    pub tag: Reference,
    /// What the task was built on.
    pub from: Option<Digest>,
    /// What the tag names now; `None` where a run that has yet to be will say.
    pub to: Option<Digest>,
}

impl Move {
    /// Returns the image with its new digest, as a run records its cause.
    #[must_use]
    pub fn image(&self) -> ImageDescriptor {
        ImageDescriptor::new(&self.tag, self.to.clone())
    }
}

/// An image of which nobody could tell whether it moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The tag.
    pub tag: Reference,
    /// Why nobody could tell.
    pub why: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a task needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is disabled.
    Disabled,
    /// Nothing: its base image trigger is off.
    TriggerOff,
    /// A first run: until one succeeds, nothing is followed.
    NeverRun,
    /// Nothing: everything it stands on is as it was.
    Current,
    /// A run, because of these moves.
    Stale(Vec<Move>),
    /// An answer: some of what it stands on could not be looked at. It is not run, because the run would need
    /// the same answer.
    Unknown {
        /// What could not be looked at.
        problems: Vec<Problem>,
        /// What moved all the same.
        moves: Vec<Move>,
    },
    /// A run, but not yet: it failed with what it would be run with.
    BackingOff {
        /// What moved.
        moves: Vec<Move>,
        /// When it is tried again.
        until: Timestamp,
        /// How often it has failed in a row.
        failures: u32,
    },
    /// A run, but after these tasks, which have not succeeded.
    Waiting {
        /// The tasks whose images it stands on.
        on: Vec<TaskKey>,
        /// What moved already.
        moves: Vec<Move>,
    },
    /// Nothing can be done: the tasks stand on each other, in this order.
    Cycle(Vec<TaskKey>),
}

impl Verdict {
    /// Returns what moved.
    #[must_use]
    pub fn moves(&self) -> &[Move] {
        match self {
            Self::Stale(moves)
            | Self::Unknown { moves, .. }
            | Self::BackingOff { moves, .. }
            | Self::Waiting { moves, .. } => moves,
            Self::Disabled | Self::TriggerOff | Self::NeverRun | Self::Current | Self::Cycle(_) => {
                &[]
            }
        }
    }

    /// Returns the one word for it that tables and JSON show.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Disabled | Self::TriggerOff => "disabled",
            Self::NeverRun => "never-run",
            Self::Current => "current",
            Self::Stale(_) => "stale",
            Self::Unknown { .. } => "unknown",
            Self::BackingOff { .. } => "backing-off",
            Self::Waiting { .. } => "waiting",
            Self::Cycle(_) => "cycle",
        }
    }
}

/// Returns the images whose moves run this task, with the tag that each was found under.
pub fn followed<'n>(node: &'n Node<'_>) -> impl Iterator<Item = (Reference, &'n Dependency)> {
    let trigger = node.trigger();
    node.known
        .dependencies
        .iter()
        .filter(move |dependency| trigger.is_some_and(|kind| dependency.kind.counts_for(kind)))
        .filter_map(|dependency| Some((tag_of(&dependency.image)?, dependency)))
}

/// Returns the tag that an image was found under; none for one that was written down by hand and is no reference.
#[must_use]
pub fn tag_of(image: &ImageDescriptor) -> Option<Reference> {
    image.tag.as_ref()?;
    image.tagged().parse().ok()
}

impl Node<'_> {
    /// Returns which images count for this task, if any do.
    #[must_use]
    pub fn trigger(&self) -> Option<BaseImageTriggerType> {
        let trigger = self.task.trigger.base_image()?;
        (self.task.status == Status::Enabled).then_some(trigger.base_image_trigger_type)
    }

    /// Decides what this task needs, seen alone: without regard to the tasks whose images it stands on.
    #[must_use]
    pub fn decide(&self, tags: &Tags, now: Timestamp) -> Verdict {
        if self.task.status == Status::Disabled {
            return Verdict::Disabled;
        }
        if self.trigger().is_none() {
            return Verdict::TriggerOff;
        }
        if !self.known.has_run() {
            return Verdict::NeverRun;
        }
        let (mut moves, mut problems) = (Vec::new(), Vec::new());
        for (tag, dependency) in followed(self) {
            match tags.standing(&tag, dependency) {
                Standing::Current => {}
                Standing::Moved(to) => moves.push(Move {
                    tag,
                    from: dependency.image.digest.clone(),
                    to,
                }),
                Standing::Unknown { why, since, hint } => problems.push(Problem {
                    tag,
                    why,
                    since,
                    hint,
                }),
            }
        }
        if !problems.is_empty() {
            return Verdict::Unknown { problems, moves };
        }
        if moves.is_empty() {
            return Verdict::Current;
        }
        match &self.known.failure {
            Some(failure) if failure.holds(tags, self.inputs, now) => Verdict::BackingOff {
                moves,
                until: failure.next_try,
                failures: failure.count,
            },
            _ => Verdict::Stale(moves),
        }
    }
}
