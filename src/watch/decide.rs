//! Decides what one task needs.

use jiff::Timestamp;

use crate::{
    image::{Digest, Reference},
    task::{
        BaseImageTriggerType, BaseUpdate, Cause, Dependency, GitContext, ImageDescriptor, OnChange,
        RunId, SourceCause, Status, TaskKey, TimerFiring, TimerTrigger, Triggers,
        window::closed_until,
    },
};

use super::{
    away::AwayBuilder,
    backoff::STALLED_AFTER,
    baseline::{AwayRegistry, Failure, is_possible},
    snapshot::Snapshot,
    state::State,
    tags::{BaseStatus, Head, LookErrorKind, OutputStatus, Tags, within_an_hour},
};

/// A base image that is not any more what a task was built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The tag, under the name by which tags are compared.
    pub tag: Reference,
    /// The base as the task names it, with the digest that the task was built on.
    pub base: ImageDescriptor,
    /// The digest of the tag now; `None` where only a run that is still to come will tell.
    pub to: Option<Digest>,
    /// The same as a run records it, with when and how the move was seen.
    pub update: BaseUpdate,
}

impl Move {
    /// Returns the image with its new digest, as a run records its cause.
    pub fn image(&self) -> ImageDescriptor {
        self.base.with_digest(self.to.clone())
    }
}

/// The reasons to run a task. All that hold at one time make one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    pub moves: Vec<Move>,
    /// The timers that fired: of each only the last time, however many were missed.
    pub timers: Vec<TimerFiring>,
    /// The commit that the repository of the context has now.
    pub source: Option<SourceCause>,
    /// The change of the images that the task's files name.
    pub change: Option<Change>,
    /// Whether a person asks for the run.
    pub by_hand: bool,
}

/// The files of a task name other images than its last run was built on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub named: Vec<Reference>,
    /// The images named now that the last run was not built on.
    pub added: Vec<Reference>,
    /// What else differs: the file that the task was adopted from, or the images, by a run with overrides. No run is made for it.
    pub source: Option<String>,
    /// When the newest of the files was written.
    pub modified: Option<Timestamp>,
}

impl Reasons {
    /// Tells whether there is no reason to run.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the reasons as a run records them. A run that only a person asks for has no trigger. An image that the files newly name is
    /// recorded like one that moved; the run finds out its digest.
    pub fn cause(&self) -> Cause {
        let Self {
            moves,
            timers,
            source,
            change,
            by_hand,
        } = self;
        let changed = change.iter().flat_map(|change| &change.added);
        let changed = changed.map(|image| ImageDescriptor::new(image, None));
        let triggers = Triggers {
            images: moves.iter().map(Move::image).chain(changed).collect(),
            updates: moves.iter().map(|one| one.update.clone()).collect(),
            timers: timers.clone(),
            source: source.clone(),
        };
        if *by_hand && triggers == Triggers::default() {
            Cause::Manual
        } else {
            Cause::Triggered(triggers)
        }
    }

    /// Tells whether every move is still to come, by runs that have not been made yet.
    pub fn depends_on_pending_runs(&self) -> bool {
        let Self {
            moves,
            timers,
            source,
            change,
            by_hand,
        } = self;
        let has_other = !timers.is_empty() || source.is_some() || change.is_some() || *by_hand;
        !has_other && moves.iter().all(|one| one.to.is_none())
    }
}

/// Why acrt cannot know whether a task is current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// What the problem is with: an image, a repository, or a task (as `registry/name`) whose files are broken.
    pub subject: String,
    pub why: String,
    pub since: Option<Timestamp>,
    pub hint: Option<String>,
}

impl Problem {
    /// Returns the problem of a builder that does not answer.
    pub fn of_builder(away: &AwayBuilder) -> Self {
        Self {
            kind: ProblemKind::Builder,
            subject: format!("builder {}", away.builder),
            why: away.why.clone(),
            since: Some(away.since),
            hint: None,
        }
    }
}

impl From<&AwayRegistry> for Problem {
    /// Returns the problem of a task whose last run had no answer of a registry.
    fn from(away: &AwayRegistry) -> Self {
        Self {
            kind: ProblemKind::Silent,
            subject: away.image.to_string(),
            why: away.run.reason.clone(),
            since: Some(away.since),
            hint: None,
        }
    }
}

/// The kind of a problem.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// A registry or a git repository does not answer.
    Silent,
    /// An image, or its manifest for a platform, does not exist any more.
    Gone,
    /// The tag names something that is not an image.
    NoImage,
    Unverified,
    /// The files of a task cannot be read.
    Files,
    Builder,
}

/// What one round decides about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do: the task is disabled.
    Disabled,
    /// Nothing to do: the base image trigger is off.
    TriggerOff,
    /// It needs a first run: nothing is followed until one succeeds.
    NeverRun,
    /// It needs a run that succeeds: none ever has.
    Failing {
        failures: u32,
        /// The last run.
        run_id: RunId,
        why: String,
        /// When it is tried again; `None` where only a person runs it.
        until: Option<Timestamp>,
    },
    /// Nothing to do: everything that it depends on is as it was.
    Current,
    /// Nothing that it depends on is followed: acrt never runs it by itself.
    FollowsNothing,
    /// A person must act: its files name other images than its last run was built on.
    Changed(Change),
    /// A person must act: images that it pushed are gone.
    ImageMissing {
        /// The images, as they were pushed.
        images: Vec<String>,
        /// When the first of them was seen to be gone.
        since: Timestamp,
    },
    /// It needs a run, for these reasons.
    Stale(Reasons),
    /// Some of what it depends on could not be looked at. It is not run, because the run would need the same answer.
    Unknown {
        /// What could not be looked at, and why.
        problems: Vec<Problem>,
        /// The reasons for a run that are known all the same.
        reasons: Reasons,
    },
    /// A tag that it depends on, or a platform of it, does not exist any more. It is not run, because the build would need it.
    Missing {
        problems: Vec<Problem>,
        /// The reasons for a run that are known all the same.
        reasons: Reasons,
    },
    /// The new image of a base is not verified. It is not run, because nothing is built on an unverified image.
    Unverified {
        /// The images that are not verified, and what the program that verifies them said.
        problems: Vec<Problem>,
        /// The reasons for a run that are known all the same.
        reasons: Reasons,
    },
    /// It needs a run, but the new image of a base is younger than the minimum age.
    TooYoung {
        reasons: Reasons,
        /// When the first such image will be old enough.
        until: Timestamp,
    },
    /// It needs a run, but the last one failed with the same inputs.
    BackingOff {
        reasons: Reasons,
        until: Timestamp,
        /// How often it has failed in a row.
        failures: u32,
        /// The last run.
        run_id: RunId,
        why: String,
    },
    /// It needs a run, but the tag that moved is debounced: it may move again soon.
    Settling {
        reasons: Reasons,
        /// When the tag will have been quiet for long enough.
        until: Timestamp,
    },
    /// It needs a run, but must wait for these tasks, which have not succeeded.
    Waiting {
        /// The tasks whose images it depends on.
        on: Vec<TaskKey>,
        /// The reasons for a run; empty where only the runs of these tasks would move what it depends on.
        reasons: Reasons,
    },
    /// It needs a run, but no window of its triggers is open.
    OutsideWindow {
        reasons: Reasons,
        /// When the first window opens.
        until: Timestamp,
    },
    /// It needs a run, but a person has canceled the one that was made for the same reasons.
    Canceled { reasons: Reasons, run_id: RunId },
    /// It needs a run, once one of its builders answers.
    NoBuilder {
        away: Vec<AwayBuilder>,
        reasons: Reasons,
    },
    /// It cannot be run: the tasks depend on each other, in this order.
    Cycle(Vec<TaskKey>),
}

impl Verdict {
    /// Returns the reasons for which the task is run, or would be.
    pub fn reasons(&self) -> Option<&Reasons> {
        match self {
            Self::Stale(reasons)
            | Self::Unknown { reasons, .. }
            | Self::Missing { reasons, .. }
            | Self::Unverified { reasons, .. }
            | Self::TooYoung { reasons, .. }
            | Self::BackingOff { reasons, .. }
            | Self::Settling { reasons, .. }
            | Self::NoBuilder { reasons, .. }
            | Self::OutsideWindow { reasons, .. }
            | Self::Canceled { reasons, .. }
            | Self::Waiting { reasons, .. } => Some(reasons),
            Self::Disabled
            | Self::TriggerOff
            | Self::NeverRun
            | Self::Failing { .. }
            | Self::Current
            | Self::FollowsNothing
            | Self::Changed(_)
            | Self::ImageMissing { .. }
            | Self::Cycle(_) => None,
        }
    }

    /// Returns the time at which the verdict changes without anything else happening.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::BackingOff { until, .. }
            | Self::Settling { until, .. }
            | Self::OutsideWindow { until, .. }
            | Self::TooYoung { until, .. } => Some(*until),
            Self::Failing { until, .. } => *until,
            Self::NoBuilder { away, .. } => away.iter().filter_map(|one| one.until).min(),
            _ => None,
        }
    }

    /// Returns the state of a task with this verdict.
    pub fn state(&self) -> State {
        match self {
            Self::Disabled | Self::TriggerOff => State::Disabled,
            Self::NeverRun => State::NeverRun,
            Self::Failing { .. } => State::Failing,
            Self::Current => State::Current,
            Self::FollowsNothing => State::FollowsNothing,
            Self::Changed(_) => State::Changed,
            Self::ImageMissing { .. } => State::ImageMissing,
            Self::Missing { .. } => State::Missing,
            Self::Unverified { .. } => State::Unverified,
            Self::Stale(_) => State::Stale,
            Self::Unknown { .. } => State::Unknown,
            Self::BackingOff { failures, .. } if *failures >= STALLED_AFTER => State::Stalled,
            Self::BackingOff { .. } => State::BackingOff,
            Self::Settling { .. } | Self::TooYoung { .. } => State::Settling,
            Self::Waiting { .. }
            | Self::NoBuilder { .. }
            | Self::Canceled { .. }
            | Self::OutsideWindow { .. } => State::Waiting,
            Self::Cycle(_) => State::Cycle,
        }
    }

    /// Returns the word for the state in tables and JSON.
    pub fn word(&self) -> &'static str {
        self.state().word()
    }

    /// Returns the problems for which acrt cannot know whether the task is current.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Unknown { problems, .. }
            | Self::Missing { problems, .. }
            | Self::Unverified { problems, .. } => problems.clone(),
            Self::ImageMissing { images, since } => {
                let problem = |image: &String| Problem {
                    kind: ProblemKind::Gone,
                    subject: image.clone(),
                    why: format!("there is no `{image}` any more, which it pushed"),
                    since: Some(*since),
                    hint: None,
                };
                images.iter().map(problem).collect()
            }
            Self::NoBuilder { away, .. } => away.iter().map(Problem::of_builder).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the problems, where all of them are registries and repositories that do not answer.
    pub fn silence(&self) -> Option<&[Problem]> {
        let Self::Unknown { problems, .. } = self else {
            return None;
        };
        let is_silent = |problem: &Problem| problem.kind == ProblemKind::Silent;
        problems.iter().all(is_silent).then_some(problems)
    }
}

impl Snapshot {
    /// Returns which kind of base image runs this task, if any does.
    pub fn trigger(&self) -> Option<BaseImageTriggerType> {
        let trigger = self.task.trigger.base_image()?;
        (self.task.status == Status::Enabled).then_some(trigger.base_image_trigger_type)
    }

    /// Returns the git repository whose commits run this task, if there is one.
    pub fn source(&self) -> Option<&GitContext> {
        let follows = self.task.status == Status::Enabled && self.task.trigger.follows_commits();
        let built = self.baseline.commit.as_deref();
        let git = self.task.step.context()?.git()?;
        (follows && !git.is_fixed(built)).then_some(git)
    }

    /// Returns the timers that have fired since they were last served, each with the last time it fired.
    pub fn fired(&self, now: Timestamp) -> Vec<TimerFiring> {
        let fired = self.task.trigger.timers().filter_map(|timer| {
            let served = self.served(timer, now)?;
            let time = timer.schedule.last_until(now)?;
            (time > served).then(|| TimerFiring {
                timer: timer.name.clone(),
                time,
            })
        });
        fired.collect()
    }

    /// Returns the timers that have never been served and have no start: they count from now on.
    pub fn unserved(&self, now: Timestamp) -> impl Iterator<Item = &TimerTrigger> {
        let timers = self.task.trigger.timers();
        timers.filter(move |timer| self.served(timer, now).is_none())
    }

    /// Returns up to when a timer has been served. A time far ahead was written before the clock was set back, and does not count. A small
    /// step back is waited out: the times between have been served.
    fn served(&self, timer: &TimerTrigger, now: Timestamp) -> Option<Timestamp> {
        let served = self.baseline.timers.get(&timer.name).copied();
        [served, timer.since]
            .into_iter()
            .flatten()
            .filter(|time| is_possible(*time, now))
            .max()
    }

    /// Returns when the next of its timers fires.
    pub fn next_timer(&self, now: Timestamp) -> Option<Timestamp> {
        if self.task.status == Status::Disabled {
            return None;
        }
        let timers = self.task.trigger.timers();
        timers
            .filter_map(|timer| timer.schedule.next_after(now))
            .min()
    }

    /// Returns when the first window of its triggers opens; `None` where triggers may run it now.
    pub fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        closed_until(self.task.windows.as_deref()?, now)
    }

    /// Decides what this task needs by itself, without regard to the tasks whose images it depends on.
    pub fn decide(&self, tags: &Tags, now: Timestamp) -> Verdict {
        if self.task.status == Status::Disabled {
            return Verdict::Disabled;
        }
        let Findings {
            mut reasons,
            mut problems,
            missing,
            unverified,
            too_young,
        } = self.find(tags, now);
        if !problems.is_empty() {
            problems.extend(missing);
            return Verdict::Unknown { problems, reasons };
        }
        if !missing.is_empty() {
            let problems = missing;
            return Verdict::Missing { problems, reasons };
        }
        if !unverified.is_empty() {
            let problems = unverified;
            return Verdict::Unverified { problems, reasons };
        }
        let change = self.change();
        if self.task.on_change == OnChange::Run {
            reasons.change = change.clone().filter(|change| change.source.is_none());
        }
        if reasons.is_empty() {
            let verdict = self.decide_without_reason(tags, change, now);
            let until = too_young.iter().map(|(_, until)| *until).min();
            // The wait may take weeks; it must not hide what a person has to do.
            return match until.filter(|_| verdict == Verdict::Current) {
                Some(until) => {
                    let moves = too_young.into_iter().map(|(moved, _)| moved);
                    reasons.moves.extend(moves);
                    Verdict::TooYoung { reasons, until }
                }
                None => verdict,
            };
        }
        if let Some(canceled) = &self.baseline.canceled
            && self.was_canceled(canceled, &reasons)
        {
            let run_id = canceled.run_id;
            return Verdict::Canceled { reasons, run_id };
        }
        if let Some(away) = &self.baseline.away
            && self.must_wait(&away.run, &reasons, now)
        {
            let problems = vec![Problem::from(&**away)];
            return Verdict::Unknown { problems, reasons };
        }
        match &self.baseline.failure {
            Some(failure) if self.must_wait(failure, &reasons, now) => {
                if self.baseline.is_tracking() {
                    Verdict::BackingOff {
                        reasons,
                        until: failure.next_try,
                        failures: failure.count,
                        run_id: failure.run_id,
                        why: failure.reason.clone(),
                    }
                } else {
                    failing(failure, Some(failure.next_try))
                }
            }
            _ => debounced(reasons, tags, now),
        }
    }

    /// Returns the tags of which the last run saw something newer than the last look did, and those whose new digest was read for other
    /// platforms only, for another task: they are looked at before anything is decided.
    pub fn outdated<'a>(
        &'a self,
        tags: &'a Tags,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Reference> {
        let followed = self.followed();
        let outdated = followed.filter(move |(tag, it)| self.is_outdated(tag, it, tags, now));
        outdated.map(|(tag, _)| tag)
    }

    fn is_outdated(
        &self,
        tag: &Reference,
        dependency: &Dependency,
        tags: &Tags,
        now: Timestamp,
    ) -> bool {
        let Some(record) = tags
            .get(tag)
            .filter(|it| it.digest != dependency.image.digest)
        else {
            return false;
        };
        // A time ahead of now was written before the clock was set back.
        let recorded = self.baseline.recorded.filter(|time| *time <= now);
        let is_old = record.last_looked < recorded || record.last_looked > Some(now);
        let is_unread = record.error.is_none() && !record.has_all(&dependency.manifests);
        dependency.image.digest.is_some() && (is_old || is_unread)
    }

    /// Collects all that is known of what the task follows.
    fn find(&self, tags: &Tags, now: Timestamp) -> Findings {
        let mut found = Findings {
            reasons: Reasons {
                timers: self.fired(now),
                ..Reasons::default()
            },
            problems: Vec::new(),
            missing: Vec::new(),
            unverified: Vec::new(),
            too_young: Vec::new(),
        };
        if let Some(git) = self.source() {
            match (tags.head(git), &self.baseline.commit) {
                // A shortened commit is the beginning of the one that was built.
                (Some(Head::At(commit)), Some(built)) if !built.starts_with(commit) => {
                    found.reasons.source = Some(SourceCause {
                        repository_url: git.url.clone(),
                        branch_name: git.reference.clone(),
                        commit_id: commit.clone(),
                    });
                }
                (Some(Head::Unknown { why, hint }), _) => found.problems.push(Problem {
                    kind: ProblemKind::Silent,
                    subject: git.to_string(),
                    why: why.clone(),
                    since: None,
                    hint: hint.clone(),
                }),
                _ => {}
            }
        }
        for (tag, dependency, age) in self.followed_by_age() {
            let problem = |kind, why, since, hint| Problem {
                kind,
                subject: dependency.image.tagged(),
                why,
                since,
                hint,
            };
            let moved = |to: Option<Digest>| Move {
                tag: tag.clone(),
                base: dependency.image.clone(),
                update: tags.update(tag, dependency, to.as_ref()),
                to,
            };
            match tags.status_at_age(tag, dependency, age, now) {
                BaseStatus::Current => {}
                BaseStatus::Moved(Some(_)) if self.is_outdated(tag, dependency, tags, now) => {
                    let why = "it has not been looked at since the last run".to_owned();
                    found
                        .problems
                        .push(problem(ProblemKind::Silent, why, None, None));
                }
                BaseStatus::Moved(to) => found.reasons.moves.push(moved(to)),
                BaseStatus::TooYoung { to, until } => {
                    found.too_young.push((moved(Some(to)), until));
                }
                BaseStatus::Unverified { why, since } => {
                    let problem = problem(ProblemKind::Unverified, why, since, None);
                    found.unverified.push(problem);
                }
                BaseStatus::Missing { why, since } => {
                    found
                        .missing
                        .push(problem(ProblemKind::Gone, why, since, None));
                }
                BaseStatus::Unknown { why, since, hint } => {
                    let kind = match tags.look_error(tag) {
                        Some(LookErrorKind::NoImage) => ProblemKind::NoImage,
                        _ => ProblemKind::Silent,
                    };
                    found.problems.push(problem(kind, why, since, hint));
                }
            }
        }
        found
    }

    /// Decides about a task that has no reason to run: it is called current only where that is known.
    fn decide_without_reason(
        &self,
        tags: &Tags,
        change: Option<Change>,
        now: Timestamp,
    ) -> Verdict {
        if self.trigger().is_none() && self.source().is_none() {
            return Verdict::TriggerOff;
        }
        if !self.baseline.is_tracking() {
            return match &self.baseline.failure {
                Some(failure) => failing(failure, None),
                None => Verdict::NeverRun,
            };
        }
        let reading = self.reading.as_ref();
        if let Some(why) = reading.and_then(|reading| reading.problem.clone()) {
            let problems = vec![Problem {
                kind: ProblemKind::Files,
                subject: self.task.key().full(),
                why,
                since: None,
                hint: None,
            }];
            let reasons = Reasons::default();
            return Verdict::Unknown { problems, reasons };
        }
        if let Some(change) = change {
            return Verdict::Changed(change);
        }
        if let Some(missing) = self.missing_images(tags, now) {
            return missing;
        }
        if self.followed().next().is_none() && self.source().is_none() {
            Verdict::FollowsNothing
        } else {
            Verdict::Current
        }
    }

    /// Returns how the images that its files name differ from those of its last run, if they do; else that a run with overrides has replaced
    /// its images.
    fn change(&self) -> Option<Change> {
        self.change_of_files().or_else(|| {
            let (run, key) = (self.baseline.overridden?, self.task.key());
            Some(Change {
                source: Some(format!(
                    "run {run} had other values than the task, and has replaced its images; to build them as the task says: acrt task run {}",
                    key.full_option()
                )),
                ..Change::default()
            })
        })
    }

    fn change_of_files(&self) -> Option<Change> {
        let reading = self
            .reading
            .as_ref()
            .filter(|_| self.baseline.is_tracking())?;
        Some(Change {
            named: match (&reading.changed, &reading.source) {
                (None, None) => return None,
                (named, _) => named.clone().unwrap_or_default(),
            },
            added: reading.added.clone(),
            source: reading.source.clone(),
            modified: reading.modified,
        })
    }

    /// Returns the verdict that images which it pushed are gone, if a look has found that.
    pub(super) fn missing_images(&self, tags: &Tags, now: Timestamp) -> Option<Verdict> {
        let pushed_at = self.baseline.pushed_at()?;
        let gone = self.pushed().filter_map(|(tag, output, digest)| {
            match tags.output_status(tag, digest, pushed_at, now) {
                OutputStatus::Missing { since } => Some((output.tagged(), since)),
                _ => None,
            }
        });
        let (images, since): (Vec<_>, Vec<_>) = gone.unzip();
        let since = since.into_iter().min()?;
        Some(Verdict::ImageMissing { images, since })
    }

    /// Tells whether a task that failed still has to wait for its next try.
    fn must_wait(&self, failure: &Failure, reasons: &Reasons, now: Timestamp) -> bool {
        failure.holds(self.inputs(), now) && !is_another(reasons, failure)
    }

    /// Tells whether all reasons for a run are those of the run that was canceled.
    fn was_canceled(&self, canceled: &Failure, reasons: &Reasons) -> bool {
        let mut timers = reasons.timers.iter();
        let has_fired = timers.any(|fired| fired.time > canceled.last);
        !canceled.is_edited(self.inputs()) && !has_fired && !is_another(reasons, canceled)
    }

    /// Returns the runs that failed, or were canceled, and count no more although none has succeeded since. Only for a task without a reason to
    /// run: what caused them is gone, as when a base is taken back.
    ///
    /// A failure counts for an hour all the same: a tag that flaps must not have the same digest built, and reported, at each return.
    pub fn outlived_runs(&self, tags: &Tags, now: Timestamp) -> Vec<RunId> {
        let baseline = &self.baseline;
        let away = baseline.away.as_ref().map(|away| &away.run);
        let failed = baseline.failure.as_deref().into_iter().chain(away);
        let old = failed.filter(|run| !within_an_hour(run.last, now));
        let runs = old.chain(baseline.canceled.as_deref());
        let outlived = runs.filter(|run| self.is_outlived(run, tags));
        outlived.map(|run| run.run_id).collect()
    }

    /// Tells whether a run has tried another digest of a base, another commit or other files than there are now.
    fn is_outlived(&self, run: &Failure, tags: &Tags) -> bool {
        let mut tried = run.tried.iter();
        let has_moved = tried.any(|(tag, digest)| {
            let record = tags.get(tag);
            record.is_some_and(|record| record.digest.as_ref() != Some(digest))
        });
        let head = self.source().and_then(|git| tags.head(git));
        let is_other_commit = match (head, &run.commit) {
            (Some(Head::At(now)), Some(tried)) => !tried.starts_with(now),
            _ => false,
        };
        has_moved || is_other_commit || run.is_edited(self.inputs())
    }

    fn inputs(&self) -> Option<&Digest> {
        self.reading.as_ref()?.digest.as_ref()
    }
}

/// What is known of all that a task follows.
struct Findings {
    reasons: Reasons,
    problems: Vec<Problem>,
    missing: Vec<Problem>,
    unverified: Vec<Problem>,
    /// The bases whose new image is too young to be built on, and until when.
    too_young: Vec<(Move, Timestamp)>,
}

fn failing(failure: &Failure, until: Option<Timestamp>) -> Verdict {
    Verdict::Failing {
        failures: failure.count,
        run_id: failure.run_id,
        why: failure.reason.clone(),
        until,
    }
}

/// Tells whether there is a commit, or a new digest of a base, that has not been tried. A digest counts as new if it is not what the last
/// successful run was built on: that a failed run has read a base which has not been looked at since is no move.
fn is_another(reasons: &Reasons, failure: &Failure) -> bool {
    let commit = reasons.source.as_ref().map(|source| &source.commit_id);
    let mut moves = reasons.moves.iter();
    let is_untried = |one: &Move| {
        let to = one.to.as_ref();
        to.is_some_and(|to| !failure.has_tried(&one.tag, to))
    };
    moves.any(is_untried) || commit.is_some() && commit != failure.commit.as_ref()
}

/// Waits until the tags that moved, and the files that changed, have been quiet for the debounce period. A timer that fired does not wait,
/// and its run includes all moves.
fn debounced(reasons: Reasons, tags: &Tags, now: Timestamp) -> Verdict {
    let moved = reasons.moves.iter().filter(|one| one.to.is_some());
    let moved = moved.filter_map(|one| tags.debounced_until(&one.tag, now));
    let written = reasons.change.as_ref().and_then(|change| change.modified);
    let written = written.and_then(|time| tags.debounced_since(time, now));
    let until = moved.chain(written).max();
    match until {
        Some(until) if reasons.timers.is_empty() && reasons.source.is_none() => {
            Verdict::Settling { reasons, until }
        }
        _ => Verdict::Stale(reasons),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;

    use super::*;
    use crate::{
        image::Platform,
        task::{DependencyKind, Manifests, Task},
        watch::{Baseline, Built, FailedLook, Observation, Snapshot},
    };

    fn at(text: &str) -> Timestamp {
        format!("2026-01-{text}Z").parse().unwrap()
    }

    /// A task that runs at nine every day, with timers counted from eight on the first.
    fn task() -> Task {
        serde_yaml::from_str(
            "{schema: 1, name: web, registry: r.io, step: {type: Docker, contextPath: /c, dockerFilePath: D}, trigger: {timerTriggers: [{name: t, schedule: '0 9 * * *', since: '2026-01-01T08:00:00Z'}]}}",
        )
        .unwrap()
    }

    fn served(time: &str) -> Baseline {
        let timers = [("t".parse().unwrap(), at(time))].into();
        Baseline {
            timers,
            ..Baseline::default()
        }
    }

    fn fired(baseline: &Baseline, now: &str) -> Vec<String> {
        let snapshot = Snapshot::new(task(), baseline.clone(), Clone::clone);
        let fired = snapshot.fired(at(now));
        fired.iter().map(|one| one.time.to_string()).collect()
    }

    #[test]
    fn timer_fires_once_for_all_missed_times() {
        let never = Baseline::default();
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
    fn timer_time_recorded_by_a_fast_clock_does_not_silence_the_timer() {
        assert_eq!(
            fired(&served("31T09:00:00"), "20T10:00:00"),
            ["2026-01-20T09:00:00Z"]
        );
    }

    #[test]
    fn clock_set_back_a_little_does_not_fire_a_timer_again() {
        assert!(fired(&served("20T09:00:00"), "20T08:59:59").is_empty());
        assert!(fired(&served("20T09:00:00"), "20T09:00:00").is_empty());
    }

    #[test]
    fn base_digest_seen_by_the_last_run_after_the_last_lookup_has_not_moved() {
        let web = "{schema: 1, name: web, registry: r.io, step: {type: Docker, contextPath: /c, dockerFilePath: D}, trigger: {baseImageTrigger: {}}}";
        let base: Reference = "r.io/base:1".parse().unwrap();
        let digest = |version: &str| Digest::of(version.as_bytes());
        let dependency = Dependency {
            image: ImageDescriptor::new(&base, Some(digest("newer"))),
            kind: DependencyKind::Runtime,
            manifests: Manifests::new(),
            is_local: false,
            line: 1,
            mirror: None,
        };
        let built = Built {
            dependencies: vec![dependency],
            ..Built::default()
        };
        let baseline = Baseline::succeeded(RunId::new(1), built, at("01T09:10:00"));
        let node = Snapshot::new(serde_yaml::from_str(web).unwrap(), baseline, Clone::clone);
        let mut tags = Tags::default();
        let look = |tags: &mut Tags, version: &str, time: &str| {
            let seen = Observation {
                digest: digest(version),
                manifests: Manifests::new(),
                created: None,
            };
            tags.observe(&base, seen, at(time));
        };
        let decide = |tags: &Tags, now: &str| {
            let outdated = node.outdated(tags, at(now)).count();
            (node.decide(tags, at(now)).word(), outdated)
        };
        look(&mut tags, "old", "01T09:00:00");
        assert_eq!(decide(&tags, "01T09:11:00"), ("unknown", 1));
        // A clock that was set back must not stop the timer.
        assert_eq!(decide(&tags, "01T09:09:00"), ("stale", 0));
        // Nor must a look that was made before it was set back cause runs.
        assert_eq!(decide(&tags, "01T08:59:00"), ("unknown", 1));
        look(&mut tags, "newer", "01T09:12:00");
        assert_eq!(decide(&tags, "01T09:12:00"), ("current", 0));
        look(&mut tags, "newest", "01T09:13:00");
        assert_eq!(decide(&tags, "01T09:13:00"), ("stale", 0));
    }

    fn base(name: &str) -> Reference {
        format!("r.io/{name}:1").parse().unwrap()
    }

    fn digest(version: &str) -> Digest {
        Digest::of(version.as_bytes())
    }

    fn look(tags: &mut Tags, name: &str, version: &str, time: &str) {
        let seen = Observation {
            digest: digest(version),
            manifests: Manifests::new(),
            created: None,
        };
        tags.observe(&base(name), seen, at(time));
    }

    /// A task whose last successful run was built on version `one` of two bases, and its first failed run at nine.
    fn failed_on_two_bases(tried: &[(&str, &str)], causes: &[(&str, &str)]) -> Snapshot {
        let web = "{schema: 1, name: web, registry: r.io, step: {type: Docker, contextPath: /c, dockerFilePath: D}, trigger: {baseImageTrigger: {}}}";
        let dependencies = ["x", "y"].map(|name| Dependency {
            image: ImageDescriptor::new(&base(name), Some(digest("one"))),
            kind: DependencyKind::Runtime,
            manifests: Manifests::new(),
            is_local: false,
            line: 1,
            mirror: None,
        });
        let built = Built {
            dependencies: dependencies.into(),
            ..Built::default()
        };
        let digests = |of: &[(&str, &str)]| {
            let digests = of.iter();
            digests
                .map(|(name, version)| (base(name), digest(version)))
                .collect()
        };
        let mut baseline = Baseline::succeeded(RunId::new(1), built, at("01T08:00:00"));
        baseline.failed(RunId::new(2), digests(tried), None, at("01T09:00:00"));
        if let Some(failure) = &mut baseline.failure {
            failure.causes = digests(causes);
        }
        Snapshot::new(serde_yaml::from_str(web).unwrap(), baseline, Clone::clone)
    }

    #[test]
    fn tag_whose_new_index_was_read_for_another_platform_only_is_outdated() {
        let mut node = failed_on_two_bases(&[], &[]);
        let [arm, amd] = ["linux/arm64", "linux/amd64"].map(|it| it.parse::<Platform>().unwrap());
        let one = |platform: &Platform, version| {
            Manifests::from_iter([(platform.clone(), Some(digest(version)))])
        };
        node.baseline.dependencies[0].manifests = one(&arm, "one for arm64");
        let read = |tags: &mut Tags, platform: &Platform| {
            let seen = Observation {
                digest: digest("two"),
                manifests: one(platform, "two"),
                created: None,
            };
            tags.observe(&base("x"), seen, at("01T10:00:00"));
        };
        let outdated = |tags: &Tags| -> Vec<Reference> {
            let outdated = node.outdated(tags, at("01T10:01:00"));
            outdated.cloned().collect()
        };
        let mut tags = Tags::default();
        look(&mut tags, "y", "one", "01T10:00:00");
        read(&mut tags, &amd);
        assert_eq!(outdated(&tags), [base("x")]);
        let silent = FailedLook::unknown("no answer");
        tags.miss(&base("x"), silent, at("01T10:00:30"));
        assert_eq!(outdated(&tags), [], "it is asked again after a pause");
        read(&mut tags, &arm);
        assert_eq!(outdated(&tags), []);
    }

    #[test]
    fn failed_run_on_a_base_that_is_not_due_for_a_look_is_not_retried_before_its_backoff_ends() {
        let failed = failed_on_two_bases(&[("x", "two"), ("y", "two")], &[]);
        let word = |tags: &Tags| failed.decide(tags, at("01T09:00:30")).word();
        let mut tags = Tags::default();
        look(&mut tags, "x", "two", "01T08:59:00");
        look(&mut tags, "y", "one", "01T08:00:00");
        assert_eq!(word(&tags), "backing-off");
        look(&mut tags, "y", "two", "01T09:00:20");
        assert_eq!(word(&tags), "backing-off");
        look(&mut tags, "y", "three", "01T09:00:30");
        assert_eq!(word(&tags), "stale");
    }

    #[test]
    fn failed_run_on_a_digest_newer_than_its_cause_is_not_retried_before_its_backoff_ends() {
        let failed = failed_on_two_bases(&[("x", "three"), ("y", "one")], &[("x", "two")]);
        let mut tags = Tags::default();
        look(&mut tags, "y", "one", "01T08:59:00");
        for version in ["two", "three"] {
            look(&mut tags, "x", version, "01T08:59:00");
            let verdict = failed.decide(&tags, at("01T09:00:30"));
            assert_eq!(verdict.word(), "backing-off", "{version}");
        }
    }

    #[test]
    fn failed_run_at_a_minimum_age_is_not_retried_because_of_a_digest_that_is_too_young() {
        let mut failed = failed_on_two_bases(&[("x", "two"), ("y", "one")], &[]);
        failed.set_min_ages(|_| SignedDuration::from_mins(20));
        let aged = ["x", "y"].map(|name| (base(name), [digest("one")].into()));
        let mut tags = Tags::default().remembering(aged.into());
        look(&mut tags, "y", "one", "01T08:00:00");
        look(&mut tags, "x", "one", "01T08:00:00");
        look(&mut tags, "x", "two", "01T08:30:00");
        look(&mut tags, "x", "three", "01T08:40:10");
        let word = |now: &str| failed.decide(&tags, at(now)).word();
        assert_eq!(word("01T09:00:05"), "backing-off");
        assert_eq!(word("01T09:00:10"), "stale");
    }

    #[test]
    fn base_that_moves_after_a_run_which_failed_before_it_resolved_its_images_is_tried_at_once() {
        let mut failed = failed_on_two_bases(&[], &[]);
        for _ in 0..5 {
            let failure = &mut failed.baseline;
            failure.failed(RunId::new(3), BTreeMap::new(), None, at("01T09:00:00"));
        }
        let mut tags = Tags::default();
        look(&mut tags, "y", "one", "01T08:00:00");
        look(&mut tags, "x", "two", "01T09:05:00");
        let verdict = failed.decide(&tags, at("01T09:05:00"));
        assert_eq!(verdict.word(), "stale");
    }

    #[test]
    fn task_whose_run_had_no_answer_of_a_registry_is_unknown_until_the_next_question() {
        let mut node = failed_on_two_bases(&[], &[]);
        node.baseline.failure = None;
        let run = Failure {
            reason: "`r.io` cannot be reached".into(),
            tried: [(base("x"), digest("two"))].into(),
            ..Failure::of(RunId::new(2), at("01T09:00:00"))
        };
        node.baseline.put_off(run, base("web"), None);
        let mut tags = Tags::default();
        look(&mut tags, "y", "one", "01T08:00:00");
        look(&mut tags, "x", "two", "01T08:59:00");
        let verdict = node.decide(&tags, at("01T09:00:59"));
        assert_eq!(verdict.word(), "unknown");
        assert_eq!(verdict.silence().unwrap()[0].since, Some(at("01T09:00:00")));
        assert_eq!(node.decide(&tags, at("01T09:01:00")).word(), "stale");
        look(&mut tags, "x", "three", "01T09:00:30");
        assert_eq!(node.decide(&tags, at("01T09:00:30")).word(), "stale");
    }

    #[test]
    fn canceled_run_is_not_repeated_before_something_new_happens() {
        let mut snapshot = failed_on_two_bases(&[], &[]);
        snapshot.baseline.failure = None;
        snapshot.baseline.canceled = Some(Box::new(Failure {
            tried: [(base("x"), digest("two"))].into(),
            ..Failure::of(RunId::new(2), at("01T09:00:00"))
        }));
        let mut tags = Tags::default();
        look(&mut tags, "y", "one", "01T08:00:00");
        look(&mut tags, "x", "two", "01T08:59:00");
        let word =
            |snapshot: &Snapshot, tags: &Tags, now: &str| snapshot.decide(tags, at(now)).word();
        assert_eq!(word(&snapshot, &tags, "30T09:00:00"), "waiting");
        let timer = "{name: t, schedule: '0 9 * * *', since: '2026-01-01T08:00:00Z'}";
        let timers = serde_yaml::from_str(&format!("[{timer}]")).unwrap();
        snapshot.task.trigger.timer_triggers = timers;
        assert_eq!(word(&snapshot, &tags, "02T08:59:59"), "waiting");
        assert_eq!(word(&snapshot, &tags, "02T09:00:00"), "stale");
        look(&mut tags, "y", "two", "01T09:01:00");
        assert_eq!(word(&snapshot, &tags, "01T09:02:00"), "stale");
    }

    #[test]
    fn failed_run_is_outlived_an_hour_after_it_where_its_base_was_taken_back() {
        let failed = failed_on_two_bases(&[("x", "two"), ("y", "one")], &[]);
        let mut tags = Tags::default();
        look(&mut tags, "y", "one", "01T08:00:00");
        look(&mut tags, "x", "two", "01T08:59:00");
        assert_eq!(failed.outlived_runs(&tags, at("01T12:00:00")), []);
        look(&mut tags, "x", "one", "01T09:00:10");
        let now = at("01T09:59:59");
        assert_eq!(failed.decide(&tags, now), Verdict::Current);
        assert_eq!(failed.outlived_runs(&tags, now), []);
        // Until then, the same digest waits for its next try.
        look(&mut tags, "x", "two", "01T09:00:20");
        assert_eq!(
            failed.decide(&tags, at("01T09:00:20")).word(),
            "backing-off"
        );
        look(&mut tags, "x", "one", "01T09:59:59");
        assert_eq!(
            failed.outlived_runs(&tags, at("01T10:00:00")),
            [RunId::new(2)]
        );
    }

    #[test]
    fn failed_run_on_the_present_bases_is_not_outlived() {
        let failed = failed_on_two_bases(&[("x", "one"), ("y", "one")], &[]);
        let mut tags = Tags::default();
        look(&mut tags, "x", "one", "01T08:59:00");
        look(&mut tags, "y", "one", "01T08:59:00");
        let now = at("02T09:00:00");
        assert_eq!(failed.decide(&tags, now), Verdict::Current);
        assert_eq!(failed.outlived_runs(&tags, now), []);
    }

    #[test]
    fn canceled_run_is_outlived_at_once_where_its_base_was_taken_back() {
        let mut node = failed_on_two_bases(&[("x", "two")], &[]);
        node.baseline.canceled = node.baseline.failure.take();
        let mut tags = Tags::default();
        look(&mut tags, "y", "one", "01T08:00:00");
        look(&mut tags, "x", "two", "01T08:59:00");
        assert_eq!(node.outlived_runs(&tags, at("01T09:00:30")), []);
        look(&mut tags, "x", "one", "01T09:00:30");
        assert_eq!(
            node.outlived_runs(&tags, at("01T09:00:30")),
            [RunId::new(2)]
        );
    }

    #[test]
    fn timer_fires_without_a_base_image_trigger_or_an_earlier_run() {
        let node = Snapshot::new(task(), Baseline::default(), Clone::clone);
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
