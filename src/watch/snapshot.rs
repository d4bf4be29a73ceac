//! All that one round knows of a task.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    image::{Digest, Reference},
    task::{Dependency, ImageDescriptor, Task},
};

use super::{AwayBuilder, BaseStatus, Baseline, ReadFile, Tags};

/// A task, its baseline, and what its files say now, with images under the names by which references are compared.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub task: Task,
    /// What its last successful run was built on and produced.
    pub baseline: Baseline,
    /// What its files say now, as far as they were read.
    pub reading: Option<Box<Reading>>,
    /// Its builders that do not answer.
    pub away: Box<[AwayBuilder]>,
    /// Whether it cannot be built without them.
    pub is_stuck: bool,
    /// The tag of each of `baseline.dependencies`; `None` for one that was written down by hand and is no reference.
    pub bases: Box<[Option<Reference>]>,
    /// The minimum age of each base's digest before anything is built on it; empty where there is none.
    pub ages: Box<[SignedDuration]>,
    /// The tag of each of `reading.added`.
    pub added: Box<[Reference]>,
    /// The copies of its bases that a run may use.
    pub mirrors: Box<[Reference]>,
    /// The images that a run pushes under stable tags.
    pub pushes: Box<[Reference]>,
    /// The tag of each of `baseline.outputs`.
    pub outputs: Box<[Option<Reference>]>,
}

/// What the files of a task say now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The digest of the files and the definition: after a failure, another digest is worth another try.
    pub digest: Option<Digest>,
    /// The images that the files name now, where they differ from those of the last run.
    pub changed: Option<Vec<Reference>>,
    /// The images that the files name now and that the last run was not built on.
    pub added: Vec<Reference>,
    /// The images that the last run was built on and the files name no more, under the one name of each registry: they are not followed any
    /// more.
    pub dropped: BTreeSet<Reference>,
    /// The images and the new states of the files, where the files changed but name the same images: these replace the old states in the
    /// baseline.
    pub renewed: Option<(Vec<Reference>, Vec<ReadFile>)>,
    /// How the file that the task was adopted from differs from its text then.
    pub source: Option<String>,
    /// When the newest of the files was written.
    pub modified: Option<Timestamp>,
    /// Why the files cannot be read, on one line.
    pub problem: Option<String>,
}

impl Snapshot {
    /// Collects what is known of a task. `canonical` maps the names of a registry to one.
    pub fn new(
        task: Task,
        mut baseline: Baseline,
        canonical: impl Fn(&Reference) -> Reference,
    ) -> Self {
        let away = baseline.away.as_mut().map(|away| &mut away.run);
        let others = [&mut baseline.failure, &mut baseline.canceled];
        let others = others.into_iter().flatten().map(|failure| &mut **failure);
        for failure in others.chain(away) {
            for digests in [&mut failure.tried, &mut failure.causes] {
                let named = std::mem::take(digests).into_iter();
                *digests = named.map(|(tag, it)| (canonical(&tag), it)).collect();
            }
        }
        // The tags of one image share its digest.
        for n in 1..baseline.outputs.len() {
            if baseline.outputs[n].digest == baseline.outputs[n - 1].digest {
                baseline.outputs[n].digest = baseline.outputs[n - 1].digest.clone();
            }
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

    /// Sets the minimum age of each base's digest before the task is built on it.
    pub fn set_min_ages(&mut self, mut age: impl FnMut(&Reference) -> SignedDuration) {
        let ages = self
            .bases
            .iter()
            .map(|base| base.as_ref().map_or(SignedDuration::ZERO, &mut age));
        let ages: Box<[SignedDuration]> = ages.collect();
        // Nearly always there are none; then none are stored.
        self.ages = if ages.iter().all(SignedDuration::is_zero) {
            Box::default()
        } else {
            ages
        };
    }

    /// Sets what its files say now.
    pub fn read(&mut self, reading: Reading, canonical: impl Fn(&Reference) -> Reference) {
        self.added = reading.added.iter().map(canonical).collect();
        self.reading = Some(Box::new(reading));
    }

    /// Returns the images whose moves run this task, each with the tag by which it is compared. Images that its files name no more are left
    /// out.
    pub fn followed(&self) -> impl Iterator<Item = (&Reference, &Dependency)> {
        self.followed_by_age()
            .map(|(tag, dependency, _)| (tag, dependency))
    }

    /// Returns the followed images, each with the minimum age of its digest.
    pub fn followed_by_age(
        &self,
    ) -> impl Iterator<Item = (&Reference, &Dependency, SignedDuration)> {
        let (trigger, reading) = (self.trigger(), self.reading.as_ref());
        let ages = self.ages.iter().copied();
        let ages = ages.chain(std::iter::repeat(SignedDuration::ZERO));
        self.bases
            .iter()
            .zip(&self.baseline.dependencies)
            .zip(ages)
            .filter_map(|((tag, dependency), age)| Some((tag.as_ref()?, dependency, age)))
            .filter(move |(tag, dependency, _)| {
                let is_dropped = reading.is_some_and(|it| it.dropped.contains(*tag));
                !is_dropped && trigger.is_some_and(|kind| dependency.kind.counts_for(kind))
            })
    }

    /// Returns the digests to build on of the bases that must have a minimum age.
    pub fn pins(&self, tags: &Tags, now: Timestamp) -> Vec<(Reference, Digest)> {
        let aged = self.followed_by_age();
        let aged = aged.filter(|(_, _, age)| !age.is_zero());
        let pins = aged.filter_map(|(tag, dependency, age)| {
            let digest = match tags.status_at_age(tag, dependency, age, now) {
                BaseStatus::Moved(to) => to,
                BaseStatus::Current => tags.get(tag).and_then(|record| record.digest.clone()),
                _ => dependency.image.digest.clone(),
            };
            Some((dependency.image.reference()?, digest?))
        });
        pins.collect()
    }

    /// Returns the images that the last run pushed, each with the tag by which it is compared and the digest that was pushed.
    pub fn pushed(&self) -> impl Iterator<Item = (&Reference, &ImageDescriptor, &Digest)> {
        let outputs = self.outputs.iter().zip(&self.baseline.outputs);
        outputs.filter_map(|(tag, output)| Some((tag.as_ref()?, output, output.digest.as_ref()?)))
    }
}
