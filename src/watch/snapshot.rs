//! A task with all that is known of it, as one round sees it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    image::{Digest, Reference},
    task::{Dependency, ImageDescriptor, Task, Untracked},
};

use super::{AwayBuilder, BaseStatus, Baseline, ReadFile, Tags};

/// A task, its baseline, and what its files say now. Names of images are those that references are compared by.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub task: Task,
    /// What its last successful run was built on and made.
    pub baseline: Baseline,
    /// What its files say now, as far as they were read.
    pub reading: Option<Box<Reading>>,
    away: Box<[AwayBuilder]>,
    is_stuck: bool,
    ages: Box<[SignedDuration]>,
    bases: Box<[Option<Reference>]>,
    added: Box<[Reference]>,
    mirrors: Box<[Reference]>,
    pushes: Box<[Reference]>,
    outputs: Box<[Option<Reference>]>,
}

/// What the files of a task say now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What they are: another value is worth another try of a run that failed.
    pub digest: Option<Digest>,
    /// Other images than those that the last run was built on, where they name such: what they name now.
    pub changed: Option<Vec<Reference>>,
    /// What they name now and the last run was not built on.
    pub added: Vec<Reference>,
    /// What the last run was built on and they name no more, by the one name of each registry: it is no matter of theirs any more.
    pub dropped: BTreeSet<Reference>,
    /// Where they name what they named and are other files: what is to be remembered of them instead.
    pub renewed: Option<(Vec<Reference>, Vec<ReadFile>)>,
    /// How the file that the task was adopted from differs from what it said then.
    pub source: Option<String>,
    /// When the newest of them was written.
    pub modified: Option<Timestamp>,
    /// Why they cannot be read, on one line.
    pub problem: Option<String>,
}

/// The same, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    pub task: &'a Task,
    /// What its last successful run was built on and made.
    pub baseline: &'a Baseline,
    /// What its files say now, as far as they were read.
    pub reading: Option<&'a Reading>,
    /// Those of its builders that do not answer.
    pub away: &'a [AwayBuilder],
    /// Whether it cannot be built without them.
    pub is_stuck: bool,
    /// The tag of each of `known.dependencies`; `None` for one that was written down by hand and is no reference.
    pub bases: &'a [Option<Reference>],
    /// How old the digest of each base must be before anything is built on it; empty where any age will do.
    pub ages: &'a [SignedDuration],
    /// The tag of each of `reading.added`.
    pub added: &'a [Reference],
    /// The copies of its bases that a run may use.
    pub mirrors: &'a [Reference],
    /// The images that a run pushes under names that stay.
    pub pushes: &'a [Reference],
    /// The tag of each of `known.outputs`.
    pub outputs: &'a [Option<Reference>],
}

impl Snapshot {
    /// Puts together what is known of a task. `canonical` gives an image the one name of its registry.
    pub fn new(
        task: Task,
        mut baseline: Baseline,
        canonical: impl Fn(&Reference) -> Reference,
    ) -> Self {
        if let Some(failure) = &mut baseline.failure {
            let tried = std::mem::take(&mut failure.tried).into_iter();
            failure.tried = tried.map(|(tag, it)| (canonical(&tag), it)).collect();
        }
        let own = |image: Reference| canonical(&image);
        let bases = baseline.dependencies.iter();
        let bases = bases.map(|dependency| dependency.image.reference().map(own));
        let mirrors = baseline.dependencies.iter();
        let mirrors =
            mirrors.filter_map(|dependency| Some(canonical(&dependency.mirror.as_ref()?.image)));
        let outputs = baseline.outputs.iter();
        let outputs = outputs.map(|output| output.reference().map(own));
        Self {
            bases: bases.collect(),
            added: Box::default(),
            mirrors: mirrors.collect(),
            outputs: outputs.collect(),
            pushes: task.stable_images().into_iter().map(own).collect(),
            ages: Box::default(),
            away: Box::default(),
            is_stuck: false,
            task,
            baseline,
            reading: None,
        }
    }

    /// Adds which of its builders do not answer, and whether it cannot be built without them.
    pub fn set_away(&mut self, away: Vec<AwayBuilder>, is_stuck: bool) {
        self.is_stuck = is_stuck;
        self.away = away.into();
    }

    /// Lets the task build on no digest of a base that is younger than `age` says.
    pub fn set_min_ages(&mut self, age: impl Fn(&Reference) -> SignedDuration) {
        let ages = self
            .bases
            .iter()
            .map(|base| base.as_ref().map_or(SignedDuration::ZERO, &age));
        let ages: Box<[SignedDuration]> = ages.collect();
        // Nearly always there are none, and none are kept then.
        self.ages = if ages.iter().all(SignedDuration::is_zero) {
            Box::default()
        } else {
            ages
        };
    }

    /// Adds what its files say now.
    #[must_use]
    pub fn with_reading(
        mut self,
        reading: Option<Reading>,
        canonical: impl Fn(&Reference) -> Reference,
    ) -> Self {
        if let Some(reading) = reading {
            self.read(reading, canonical);
        }
        self
    }

    /// The same, in place.
    pub fn read(&mut self, reading: Reading, canonical: impl Fn(&Reference) -> Reference) {
        self.added = reading.added.iter().map(canonical).collect();
        self.reading = Some(Box::new(reading));
    }

    /// Returns it as a round takes it.
    pub fn node(&self) -> Node<'_> {
        Node {
            task: &self.task,
            baseline: &self.baseline,
            reading: self.reading.as_deref(),
            away: &self.away,
            is_stuck: self.is_stuck,
            ages: &self.ages,
            bases: &self.bases,
            added: &self.added,
            mirrors: &self.mirrors,
            pushes: &self.pushes,
            outputs: &self.outputs,
        }
    }
}

impl<'a> Node<'a> {
    /// Returns the images whose moves run this task, with the tag that each is compared by. What its files name no more is none of them.
    pub fn followed(self) -> impl Iterator<Item = (&'a Reference, &'a Dependency)> {
        self.followed_by_age()
            .map(|(tag, dependency, _)| (tag, dependency))
    }

    /// Returns the same, each with how old its digest must be before anything is built on it.
    pub fn followed_by_age(
        self,
    ) -> impl Iterator<Item = (&'a Reference, &'a Dependency, SignedDuration)> {
        let trigger = self.trigger();
        let ages = self.ages.iter().copied();
        let ages = ages.chain(std::iter::repeat(SignedDuration::ZERO));
        self.bases
            .iter()
            .zip(&self.baseline.dependencies)
            .zip(ages)
            .filter_map(|((tag, dependency), age)| Some((tag.as_ref()?, dependency, age)))
            .filter(move |(tag, dependency, _)| {
                let is_dropped = self.reading.is_some_and(|it| it.dropped.contains(*tag));
                !is_dropped && trigger.is_some_and(|kind| dependency.kind.counts_for(kind))
            })
    }

    /// Returns the digests that a run is to be built on because its bases must be old enough: none where any age will do.
    pub fn pins(self, tags: &Tags, now: Timestamp) -> Vec<(Reference, Digest)> {
        if self.ages.is_empty() {
            return Vec::new();
        }
        let pins = self.followed_by_age().filter_map(|(tag, dependency, age)| {
            let digest = match tags.status_at_age(tag, dependency, age, now) {
                BaseStatus::Moved(to) => to,
                BaseStatus::Current => tags.get(tag).and_then(|record| record.digest.clone()),
                _ => dependency.image.digest.clone(),
            };
            Some((dependency.image.reference()?, digest?))
        });
        pins.collect()
    }

    /// Returns the images that the last run pushed, each with the tag that it is compared by and the digest that it was pushed with.
    pub fn pushed(self) -> impl Iterator<Item = (&'a Reference, &'a ImageDescriptor, &'a Digest)> {
        let outputs = self.outputs.iter().zip(&self.baseline.outputs);
        outputs.filter_map(|(tag, output)| Some((tag.as_ref()?, output, output.digest.as_ref()?)))
    }

    /// Returns the images that its last run depends on and that nothing follows.
    pub fn untracked(self) -> &'a [Untracked] {
        &self.baseline.untracked
    }
}
