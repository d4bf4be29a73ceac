//! What one task needs.

use jiff::{SignedDuration, Timestamp};

use crate::{
    image::{Digest, Reference},
    task::{
        BaseImageTriggerType, Dependency, GitContext, ImageDescriptor, Occurrence, SourceCause,
        Status, TaskKey, TimerTrigger, Triggers,
    },
};

use super::{
    backoff::STALLED_AFTER,
    known::Failure,
    round::Node,
    tags::{Head, Standing, Tags},
};

/// The largest step back of a clock that is waited out: more than any correction, less than a zone taken for another.
const LARGEST_STEP_BACK: SignedDuration = SignedDuration::from_mins(59);

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

/// What makes a task run: everything that does at that time, so that it makes one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// The images that moved.
    pub moves: Vec<Move>,
    /// The timers that fired; of each the last time, however often it was missed.
    pub timers: Vec<Occurrence>,
    /// The commit that the repository of the context has now.
    pub source: Option<SourceCause>,
}

impl Reasons {
    /// Tells whether there is nothing to run for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty() && self.timers.is_empty() && self.source.is_none()
    }

    /// Returns them as a run records them.
    #[must_use]
    pub fn triggers(&self) -> Triggers {
        Triggers {
            images: self.moves.iter().map(Move::image).collect(),
            timers: self.timers.clone(),
            source: self.source.clone(),
        }
    }

    /// Tells whether all that moved only will, by runs that have yet to be.
    #[must_use]
    pub fn only_will_be(&self) -> bool {
        let waits_for_nothing = !self.timers.is_empty() || self.source.is_some();
        !waits_for_nothing && self.moves.iter().all(|one| one.to.is_none())
    }
}

/// An image or a repository of which nobody could tell whether it moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The tag, or the repository.
    pub subject: String,
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
    /// A run, for these reasons.
    Stale(Reasons),
    /// An answer: some of what it stands on could not be looked at. It is not run, because the run would need
    /// the same answer.
    Unknown {
        /// What could not be looked at.
        problems: Vec<Problem>,
        /// What it would be run for all the same.
        reasons: Reasons,
    },
    /// A run, but not yet: it failed with what it would be run with.
    BackingOff {
        /// What it is run for.
        reasons: Reasons,
        /// When it is tried again.
        until: Timestamp,
        /// How often it has failed in a row.
        failures: u32,
    },
    /// A run, but not yet: what moved may move again in a moment.
    Settling {
        /// What it is run for.
        reasons: Reasons,
        /// When it will have been quiet for long enough.
        until: Timestamp,
    },
    /// A run, but after these tasks, which have not succeeded.
    Waiting {
        /// The tasks whose images it stands on.
        on: Vec<TaskKey>,
        /// What it is run for; nothing, where only their runs would move what it stands on.
        reasons: Reasons,
    },
    /// Nothing can be done: the tasks stand on each other, in this order.
    Cycle(Vec<TaskKey>),
}

impl Verdict {
    /// Returns what the task is run for, or would be.
    #[must_use]
    pub fn reasons(&self) -> Option<&Reasons> {
        match self {
            Self::Stale(reasons)
            | Self::Unknown { reasons, .. }
            | Self::BackingOff { reasons, .. }
            | Self::Settling { reasons, .. }
            | Self::Waiting { reasons, .. } => Some(reasons),
            Self::Disabled | Self::TriggerOff | Self::NeverRun | Self::Current | Self::Cycle(_) => {
                None
            }
        }
    }

    /// Returns when time alone will change the verdict.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::BackingOff { until, .. } | Self::Settling { until, .. } => Some(*until),
            _ => None,
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
            Self::BackingOff { failures, .. } if *failures >= STALLED_AFTER => "stalled",
            Self::BackingOff { .. } => "backing-off",
            Self::Settling { .. } => "settling",
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

    /// Returns the git repository whose commits run this task, if there is one.
    #[must_use]
    pub fn source(&self) -> Option<&GitContext> {
        let follows = self.task.status == Status::Enabled && self.task.trigger.follows_commits();
        self.task
            .step
            .context()?
            .git()
            .filter(|git| follows && !git.is_fixed())
    }

    /// Returns the timers that have fired since they were last served, each with the last time it did.
    #[must_use]
    pub fn fired(&self, now: Timestamp) -> Vec<Occurrence> {
        let fired = self.task.trigger.timers().filter_map(|timer| {
            let served = self.served(timer, now)?;
            let time = timer.schedule.last_until(now)?;
            (time > served).then(|| Occurrence {
                timer: timer.name.clone(),
                time,
            })
        });
        fired.collect()
    }

    /// Returns the timers of which nobody knows since when they count: they count from now on.
    pub fn unserved(&self, now: Timestamp) -> impl Iterator<Item = &TimerTrigger> {
        let timers = self.task.trigger.timers();
        timers.filter(move |timer| self.served(timer, now).is_none())
    }

    /// Returns up to when a timer has been served. What lies far ahead was written by a clock that has since been set back,
    /// and does not count. A small step back is waited out: the times between have been served.
    fn served(&self, timer: &TimerTrigger, now: Timestamp) -> Option<Timestamp> {
        let latest = now.saturating_add(LARGEST_STEP_BACK);
        let latest = latest.unwrap_or(Timestamp::MAX);
        let served = self.known.timers.get(&timer.name).copied();
        [served, timer.since]
            .into_iter()
            .flatten()
            .filter(|time| *time <= latest)
            .max()
    }

    /// Returns when the next of its timers fires.
    #[must_use]
    pub fn next_timer(&self, now: Timestamp) -> Option<Timestamp> {
        if self.task.status == Status::Disabled {
            return None;
        }
        let timers = self.task.trigger.timers();
        timers
            .filter_map(|timer| timer.schedule.next_after(now))
            .min()
    }

    /// Decides what this task needs, seen alone: without regard to the tasks whose images it stands on.
    #[must_use]
    pub fn decide(&self, tags: &Tags, now: Timestamp) -> Verdict {
        if self.task.status == Status::Disabled {
            return Verdict::Disabled;
        }
        let mut reasons = Reasons {
            moves: Vec::new(),
            timers: self.fired(now),
            source: None,
        };
        let mut problems = Vec::new();
        if let Some(git) = self.source() {
            match (tags.head(git), &self.known.commit) {
                (Some(Head::At(commit)), Some(built)) if commit != built => {
                    reasons.source = Some(SourceCause {
                        repository_url: git.url.clone(),
                        branch_name: git.reference.clone(),
                        commit_id: commit.clone(),
                    });
                }
                (Some(Head::Unknown { why, hint }), _) => problems.push(Problem {
                    subject: git.to_string(),
                    why: why.clone(),
                    since: None,
                    hint: hint.clone(),
                }),
                _ => {}
            }
        }
        for (tag, dependency) in followed(self) {
            match tags.standing(&tag, dependency) {
                Standing::Current => {}
                Standing::Moved(to) => reasons.moves.push(Move {
                    tag,
                    from: dependency.image.digest.clone(),
                    to,
                }),
                Standing::Unknown { why, since, hint } => problems.push(Problem {
                    subject: tag.to_string(),
                    why,
                    since,
                    hint,
                }),
            }
        }
        if !problems.is_empty() {
            return Verdict::Unknown { problems, reasons };
        }
        if reasons.is_empty() {
            return match self.trigger() {
                None if self.source().is_none() => Verdict::TriggerOff,
                _ if !self.known.has_run() => Verdict::NeverRun,
                _ => Verdict::Current,
            };
        }
        match &self.known.failure {
            Some(failure)
                if failure.holds(tags, self.inputs, now) && !is_another(&reasons, failure) =>
            {
                Verdict::BackingOff {
                    reasons,
                    until: failure.next_try,
                    failures: failure.count,
                }
            }
            _ => settled(reasons, tags, now),
        }
    }
}

/// Tells whether there is a commit that has not been tried.
fn is_another(reasons: &Reasons, failure: &Failure) -> bool {
    let commit = reasons.source.as_ref().map(|source| &source.commit_id);
    commit.is_some() && commit != failure.commit.as_ref()
}

/// Waits until what moved has been quiet. A timer that fired waits for nothing, and takes along what has moved.
fn settled(reasons: Reasons, tags: &Tags, now: Timestamp) -> Verdict {
    let moved = reasons.moves.iter().filter(|one| one.to.is_some());
    let until = moved.filter_map(|one| tags.settles_at(&one.tag, now)).max();
    match until {
        Some(until) if reasons.timers.is_empty() && reasons.source.is_none() => {
            Verdict::Settling { reasons, until }
        }
        _ => Verdict::Stale(reasons),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{task::Task, watch::Known};

    fn at(text: &str) -> Timestamp {
        format!("2026-01-{text}Z").parse().unwrap()
    }

    /// A task that is to be run at nine every day, and counts from the first at eight.
    fn task() -> Task {
        serde_yaml::from_str(
            "{schema: 1, name: web, registry: r.io, step: {type: Docker, contextPath: /c, dockerFilePath: D}, trigger: {timerTriggers: [{name: t, schedule: '0 9 * * *', since: '2026-01-01T08:00:00Z'}]}}",
        )
        .unwrap()
    }

    fn served(time: &str) -> Known {
        let timers = [("t".parse().unwrap(), at(time))].into();
        Known {
            timers,
            ..Known::default()
        }
    }

    fn fired(known: &Known, now: &str) -> Vec<String> {
        let task = task();
        let node = Node {
            task: &task,
            known,
            inputs: None,
        };
        let fired = node.fired(at(now));
        fired.iter().map(|one| one.time.to_string()).collect()
    }

    #[test]
    fn a_timer_fires_once_for_all_the_times_that_were_missed() {
        let never = Known::default();
        assert!(fired(&never, "01T08:59:59").is_empty());
        assert_eq!(fired(&never, "01T09:00:00"), ["2026-01-01T09:00:00Z"]);
        assert_eq!(fired(&never, "20T08:00:00"), ["2026-01-19T09:00:00Z"]);
        assert!(fired(&served("19T09:00:00"), "20T08:00:00").is_empty());
        assert_eq!(
            fired(&served("19T09:00:00"), "20T09:00:00"),
            ["2026-01-20T09:00:00Z"]
        );
    }

    #[test]
    fn what_a_clock_that_ran_ahead_has_written_does_not_silence_a_timer() {
        assert_eq!(
            fired(&served("31T09:00:00"), "20T10:00:00"),
            ["2026-01-20T09:00:00Z"]
        );
    }

    #[test]
    fn a_clock_that_steps_back_a_little_fires_no_timer_again() {
        assert!(fired(&served("20T09:00:00"), "20T08:59:59").is_empty());
        assert!(fired(&served("20T09:00:00"), "20T09:00:00").is_empty());
    }

    #[test]
    fn a_timer_needs_no_base_image_trigger_and_no_run_before() {
        let (task, known) = (task(), Known::default());
        let node = Node {
            task: &task,
            known: &known,
            inputs: None,
        };
        let now = at("01T09:00:30");
        assert_eq!(node.next_timer(now), Some(at("02T09:00:00")));
        match node.decide(&Tags::default(), now) {
            Verdict::Stale(reasons) => assert_eq!(reasons.timers.len(), 1),
            other => panic!("{other:?}"),
        }
        let before = node.decide(&Tags::default(), at("01T08:30:00"));
        assert_eq!(before, Verdict::TriggerOff);
    }
}
