//! What is known of a task: what its last successful run depended on, and the failures since.

use std::{
    collections::BTreeMap, fs::Metadata, os::unix::fs::MetadataExt as _, path::PathBuf,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    image::{Digest, Platform, Reference},
    lineage::Evidence,
    task::{Dependency, ImageDescriptor, Occurrence, RunId, TimerName, Untracked},
};

use super::{backoff, tags::Tags};

/// What the last successful run of a task depended on, and the failures since.
///
/// The dependencies move only after a run that used them succeeded, so that no update is lost whatever happens in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    pub schema: u32,
    /// The last run that succeeded; without it and without `evidence`, nothing is followed.
    pub run_id: Option<RunId>,
    /// What showed what the image is built on that was there before the first run; none once a run has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    pub recorded: Option<Timestamp>,
    #[serde(default, deserialize_with = "exact")]
    pub dependencies: Vec<Dependency>,
    /// What it depended on and nothing follows.
    #[serde(default)]
    pub untracked: Vec<Untracked>,
    /// The images that the files of a local context named when it was built; `None` where the context is not on this machine, and in
    /// files of version 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Vec<Reference>>,
    /// The files that say so, as they were when they were read.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "exact"
    )]
    pub files: Vec<ReadFile>,
    /// The platforms that its images are made for, as the pushed manifests say; empty in files of version 0.1.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "exact"
    )]
    pub platforms: Vec<Platform>,
    /// The images that it pushed, with the digests that their tags had then.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "exact"
    )]
    pub outputs: Vec<ImageDescriptor>,
    /// The images that the files named when people were last told that these differ from `named`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_change: Option<Vec<Reference>>,
    /// When it had pushed them: what was seen of them before says nothing. None in files of version 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<Timestamp>,
    #[serde(default)]
    pub failure: Option<Box<Failure>>,
    /// The commit that the last successful run was built from, where its context is a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// For each timer, up to when it has been served: by a run that succeeded, or because it was not there before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timers: BTreeMap<TimerName, Timestamp>,
}

/// Runs that failed, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// How many, in a row.
    pub count: u32,
    /// The last of them.
    pub run_id: RunId,
    /// Why that one failed, on one line; empty in files of version 0.1.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub last: Timestamp,
    pub next_try: Timestamp,
    /// The digests that it was tried with; others are worth a try at once.
    #[serde(default)]
    pub tried: BTreeMap<Reference, Digest>,
    /// What the Dockerfile and the definition were; a change is worth a try at once.
    #[serde(default)]
    pub inputs: Option<Digest>,
    /// The commit that it was tried with; another is worth a try at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// What a successful run was built from, and what it made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// The images that it depends on.
    pub dependencies: Vec<Dependency>,
    /// The images that it depends on and nothing follows.
    pub untracked: Vec<Untracked>,
    /// See [`Baseline::named`].
    pub named: Option<Vec<Reference>>,
    /// See [`Baseline::files`].
    pub files: Vec<ReadFile>,
    /// See [`Baseline::platforms`].
    pub platforms: Vec<Platform>,
    /// See [`Baseline::outputs`].
    pub outputs: Vec<ImageDescriptor>,
}

/// A file that was read or looked for, and the state that it was in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadFile {
    pub path: PathBuf,
    pub state: FileState,
}

/// The state that a file was in when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// It had been written so lately that its times could hide another change: it is to be read again.
    Unsettled,
    /// It was not there. That it is now would count.
    Absent,
    At(FileStamp),
}

/// What tells one state of a file from another without reading it: inode, size and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStamp {
    inode: u64,
    size: u64,
    modified: i64,
    modified_nanos: i64,
    changed: i64,
    changed_nanos: i64,
}

impl FileStamp {
    /// Returns the stamp of a file.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: metadata.mtime(),
            modified_nanos: metadata.mtime_nsec(),
            changed: metadata.ctime(),
            changed_nanos: metadata.ctime_nsec(),
        }
    }

    /// Returns when the file last changed in any way, in nanoseconds since 1970.
    pub fn changed_at(&self) -> i128 {
        i128::from(self.changed) * 1_000_000_000 + i128::from(self.changed_nanos)
    }

    /// Returns when its content last changed.
    pub fn modified_at(&self) -> Timestamp {
        let nanos = i32::try_from(self.modified_nanos).unwrap_or_default();
        Timestamp::new(self.modified, nanos).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Reads a list without room to grow: there is one for every task, and most have one entry.
fn exact<'de, D, T>(input: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Box::<[T]>::deserialize(input).map(Vec::from)
}

impl Baseline {
    /// The layout of the file that this program writes.
    pub const SCHEMA: u32 = 1;

    /// Returns how long the last run that succeeded took, from its first look at what it depends on to the end of its pushes.
    pub fn took(&self) -> Option<Duration> {
        let took = self.pushed?.duration_since(self.recorded?);
        Duration::try_from(took).ok()
    }

    pub fn succeeded(run_id: RunId, built: Built, now: Timestamp) -> Self {
        Self {
            run_id: Some(run_id),
            ..Self::of(built, now)
        }
    }

    /// Records what an image is built on that was there before any run.
    pub fn explained(evidence: Evidence, built: Built, now: Timestamp) -> Self {
        Self {
            evidence: Some(evidence),
            ..Self::of(built, now)
        }
    }

    fn of(built: Built, now: Timestamp) -> Self {
        let Built {
            dependencies,
            untracked,
            named,
            files,
            platforms,
            outputs,
        } = built;
        Self {
            schema: Self::SCHEMA,
            recorded: Some(now),
            dependencies,
            untracked,
            named,
            files,
            platforms,
            outputs,
            ..Self::default()
        }
    }

    /// Adds up to when timers have been served: what was known before, and what a run has done since.
    #[must_use]
    pub fn serving(mut self, before: Self, run: &[Occurrence]) -> Self {
        self.timers = before.timers;
        for Occurrence { timer, time } in run {
            let served = self.timers.entry(timer.clone()).or_insert(*time);
            *served = (*served).max(*time);
        }
        self
    }

    /// Returns what is left when what the last run depended on counts no more: up to when timers have been served.
    pub fn forgotten(&self) -> Self {
        Self {
            schema: Self::SCHEMA,
            timers: self.timers.clone(),
            ..Self::default()
        }
    }

    /// Records that a run failed. What is followed stays as it was.
    pub fn failed(
        &mut self,
        run_id: RunId,
        tried: BTreeMap<Reference, Digest>,
        inputs: Option<Digest>,
        now: Timestamp,
    ) {
        let count = self
            .failure
            .as_ref()
            .map_or(1, |failure| failure.count.saturating_add(1));
        self.schema = Self::SCHEMA;
        self.failure = Some(Box::new(Failure {
            count,
            run_id,
            reason: String::new(),
            last: now,
            next_try: backoff::next_try(count, now),
            tried,
            inputs,
            commit: None,
        }));
    }

    /// Tells whether it has failed so often in a row that a person has to look.
    pub fn is_stalled(&self) -> bool {
        let failures = self.failure.as_ref().map_or(0, |failure| failure.count);
        failures >= backoff::STALLED_AFTER
    }

    /// Returns since when looks at the images that it pushed say what became of them.
    pub fn pushed_at(&self) -> Option<Timestamp> {
        self.pushed.or(self.recorded)
    }

    /// Tells whether it is known what the image was built on, by a run or by what showed it, so that something is followed.
    pub fn is_tracking(&self) -> bool {
        self.run_id.is_some() || self.evidence.is_some()
    }
}

impl Failure {
    /// Tells whether the next try must still wait: it is not due, and nothing that it was tried with has changed.
    ///
    /// `inputs` is what the Dockerfile and the definition are now.
    pub fn holds(&self, tags: &Tags, inputs: Option<&Digest>, now: Timestamp) -> bool {
        let moved_again = self.tried.iter().any(|(tag, tried)| {
            tags.get(tag)
                .and_then(|record| record.digest.as_ref())
                .is_some_and(|digest| digest != tried)
        });
        let edited = inputs.is_some() && inputs != self.inputs.as_ref();
        // A clock that was set back must not turn a minute into a year.
        let nonsense = now < self.last;
        now < self.next_try && !moved_again && !edited && !nonsense
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{task::Manifests, watch::tags::Observation};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failed_once() -> Baseline {
        let mut baseline = Baseline::default();
        let tried = [("r.io/base:1".parse().unwrap(), Digest::of(b"one"))].into();
        baseline.failed(RunId::new(1), tried, Some(Digest::of(b"inputs")), at(1000));
        baseline
    }

    fn seen(content: &[u8]) -> Tags {
        let mut tags = Tags::default();
        tags.observe(
            &"r.io/base:1".parse().unwrap(),
            Observation {
                digest: Digest::of(content),
                manifests: Manifests::new(),
                created: None,
            },
            at(1000),
        );
        tags
    }

    #[test]
    fn a_failure_is_left_alone_until_it_is_due() {
        let baseline = failed_once();
        let failure = baseline.failure.unwrap();
        let same = Digest::of(b"inputs");
        assert!(failure.holds(&seen(b"one"), Some(&same), at(1059)));
        assert!(!failure.holds(&seen(b"one"), Some(&same), at(1060)));
    }

    #[test]
    fn another_move_of_the_base_or_an_edit_is_worth_a_try_at_once() {
        let failure = failed_once().failure.unwrap();
        let same = Digest::of(b"inputs");
        assert!(!failure.holds(&seen(b"two"), Some(&same), at(1001)));
        let edited = Digest::of(b"edited");
        assert!(!failure.holds(&seen(b"one"), Some(&edited), at(1001)));
    }

    #[test]
    fn a_clock_set_back_does_not_stretch_the_pause() {
        let failure = failed_once().failure.unwrap();
        assert!(!failure.holds(&seen(b"one"), None, at(10)));
    }

    #[test]
    fn failures_in_a_row_are_counted_and_success_forgets_them() {
        let mut baseline = failed_once();
        baseline.failed(RunId::new(2), BTreeMap::new(), None, at(2000));
        assert_eq!(baseline.failure.as_ref().unwrap().count, 2);
        assert_eq!(baseline.failure.unwrap().next_try, at(2120));
        assert_eq!(
            Baseline::succeeded(RunId::new(3), Built::default(), at(3)).failure,
            None
        );
    }

    #[test]
    fn the_fifth_failure_in_a_row_marks_a_task_as_stalled() {
        let mut baseline = Baseline::default();
        let stalled = [1, 2, 3, 4, 5, 6].map(|n| {
            baseline.failed(RunId::new(n), BTreeMap::new(), None, at(0));
            baseline.is_stalled()
        });
        assert_eq!(stalled, [false, false, false, false, true, true]);
    }
}
