//! The baseline of a task: what its last successful run depended on, and the failures since.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    image::{Digest, Platform, Reference},
    lineage::Evidence,
    task::{Dependency, ImageDescriptor, RunId, TimerFiring, TimerName, Untracked},
};

use super::{backoff, schedule::later};

/// What the last successful run of a task depended on, and the failures since.
///
/// The dependencies move only after a run that used them succeeded, so that no update is lost whatever happens in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    pub schema: u32,
    /// The last run that succeeded; without a run and without `evidence`, nothing is followed.
    pub run_id: Option<RunId>,
    /// How acrt knows what an image that existed before the first run was built on; `None` once a run has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    pub recorded: Option<Timestamp>,
    #[serde(default, deserialize_with = "exact")]
    pub dependencies: Vec<Dependency>,
    /// The images that it depended on and that are not followed.
    #[serde(default)]
    pub untracked: Vec<Untracked>,
    /// The images that the files of a local context named when it was built, none for a context that is not on this machine; `None` in files
    /// of version 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Vec<Reference>>,
    /// A digest of how the files used these images: as the base of the last stage or of another one, and for which platforms. For a context
    /// that is not on this machine, a digest of what the definition says about it. `None` in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Digest>,
    /// The files that name these images, in the state in which they were read.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "exact"
    )]
    pub files: Vec<ReadFile>,
    /// The platforms that its images are built for, from the pushed manifests; empty in files of version 0.1.
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
    /// The images that the files named when people were last told that the files differ from `named`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_change: Option<Vec<Reference>>,
    /// The run with overrides that has replaced its images since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<RunId>,
    /// When the images had been pushed: looks made before then do not count. `None` in files of version 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<Timestamp>,
    #[serde(default)]
    pub failure: Option<Box<Failure>>,
    /// The registry that did not answer the last run, which failed because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Box<AwayRegistry>>,
    /// The last run, if a person has canceled it by itself and triggers had caused it: what it has tried does not cause the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled: Option<Box<Failure>>,
    /// The commit that the last successful run was built from, where its context is a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// For each timer, the time up to which it has been served: by a successful run, or because the timer did not exist before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timers: BTreeMap<TimerName, Timestamp>,
}

/// Failed runs in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The number of failures in a row.
    pub count: u32,
    /// The last failed run.
    pub run_id: RunId,
    /// Why the last run failed, on one line; empty in files of version 0.1.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub last: Timestamp,
    pub next_try: Timestamp,
    /// The digests of the bases in the last try; other digests are worth a try at once.
    #[serde(default)]
    pub tried: BTreeMap<Reference, Digest>,
    /// The digests that caused the last try, of the bases that had moved on to those in `tried` when it read them. Until the next look,
    /// the record of such a tag has the older digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub causes: BTreeMap<Reference, Digest>,
    /// The digest of the Dockerfile and the definition in the last try; a change is worth a try at once.
    #[serde(default)]
    pub inputs: Option<Digest>,
    /// The commit of the last try; another commit is worth a try at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// A registry that did not answer a run. That is no failure of its task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwayRegistry {
    /// The image that the run asked it for.
    pub image: Reference,
    /// Since when runs have had no answer.
    pub since: Timestamp,
    /// What the run has tried, why it had no answer, and when the registry is asked again.
    pub run: Failure,
}

/// What a successful run was built from, and what it produced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// The images that it depends on.
    pub dependencies: Vec<Dependency>,
    /// The images that it depends on and that are not followed.
    pub untracked: Vec<Untracked>,
    /// See [`Baseline::named`].
    pub named: Option<Vec<Reference>>,
    /// See [`Baseline::usage`].
    pub usage: Option<Digest>,
    /// See [`Baseline::files`].
    pub files: Vec<ReadFile>,
    /// See [`Baseline::platforms`].
    pub platforms: Vec<Platform>,
    /// See [`Baseline::outputs`].
    pub outputs: Vec<ImageDescriptor>,
}

/// A file that was read or looked for, and its state then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadFile {
    pub path: PathBuf,
    pub state: FileState,
}

/// The state of a file when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// Written so recently that its times could hide another change: it must be read again.
    Unsettled,
    /// Absent when it was looked for; that it exists now counts as a change.
    Absent,
    At(FileStamp),
}

/// What distinguishes two states of a file without reading it: inode, size and times.
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

    /// Returns a hash of it.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        self.hash(&mut hash);
        hash.finish()
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

/// Deserializes a list without spare capacity: there is one for every task, and most have one entry.
fn exact<'de, D, T>(input: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Box::<[T]>::deserialize(input).map(Vec::from)
}

/// The largest step back of the clock that is waited out: more than any correction, less than an error of one time zone.
const LARGEST_STEP_BACK: SignedDuration = SignedDuration::from_mins(59);

/// Tells whether a recorded time may be a true one, and was not written before the clock was set back by far.
pub(super) fn is_possible(time: Timestamp, now: Timestamp) -> bool {
    time <= later(now, LARGEST_STEP_BACK)
}

impl Baseline {
    /// The schema version of the file that this program writes.
    pub const SCHEMA: u32 = 1;

    /// Returns how long the last successful run took, from its first look at a base to the end of its pushes.
    pub fn took(&self) -> Option<Duration> {
        let took = self.pushed?.duration_since(self.recorded?);
        Duration::try_from(took).ok()
    }

    /// Returns the images that the last image was built on.
    pub fn bases(&self) -> impl Iterator<Item = Reference> {
        let dependencies = self.dependencies.iter();
        dependencies.filter_map(|dependency| dependency.image.reference())
    }

    pub fn succeeded(run_id: RunId, built: Built, now: Timestamp) -> Self {
        Self {
            run_id: Some(run_id),
            ..Self::of(built, now)
        }
    }

    /// Creates the baseline of an image that existed before any run, from the evidence of what it was built on.
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
            usage,
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
            usage,
            files,
            platforms,
            outputs,
            ..Self::default()
        }
    }

    /// Sets up to when timers have been served: the times of `before`, moved on by what a run has served. A time far ahead of the run was
    /// written before the clock was set back; if it stayed, the timer would fire in every round until then.
    #[must_use]
    pub fn serving(mut self, before: Self, run: &[TimerFiring]) -> Self {
        self.timers = before.timers;
        if let Some(now) = self.recorded {
            self.timers.retain(|_, time| is_possible(*time, now));
        }
        for TimerFiring { timer, time } in run {
            let served = self.timers.entry(timer.clone()).or_insert(*time);
            *served = (*served).max(*time);
        }
        self
    }

    /// Returns what remains when the dependencies of the last run count no more: up to when timers have been served.
    pub fn forgotten(&self) -> Self {
        Self {
            schema: Self::SCHEMA,
            timers: self.timers.clone(),
            ..Self::default()
        }
    }

    /// Records a failed run. The dependencies stay as they were.
    pub fn failed(
        &mut self,
        run_id: RunId,
        tried: BTreeMap<Reference, Digest>,
        inputs: Option<Digest>,
        now: Timestamp,
    ) {
        let before = self.failure.as_ref();
        let count = before.map_or(1, |failure| failure.count.saturating_add(1));
        self.schema = Self::SCHEMA;
        self.canceled = None;
        self.away = None;
        self.failure = Some(Box::new(Failure {
            count,
            next_try: backoff::next_try(count, now),
            tried,
            inputs,
            ..Failure::of(run_id, now)
        }));
    }

    /// Records a run that failed because a registry did not answer it about `image`. It does not count as a failure, and the registry is asked
    /// again within minutes, but not before `retry_at`.
    pub fn put_off(&mut self, run: Failure, image: Reference, retry_at: Option<Timestamp>) {
        let before = self.away.take();
        let since = before.map_or(run.last, |away| away.since.min(run.last));
        let next_try = Some(backoff::next_question(since, run.last)).max(retry_at);
        self.schema = Self::SCHEMA;
        self.canceled = None;
        self.away = Some(Box::new(AwayRegistry {
            image,
            since,
            run: Failure {
                next_try: next_try.unwrap_or(run.last),
                ..run
            },
        }));
    }

    /// Tells whether it has failed so often in a row that a person has to look.
    pub fn is_stalled(&self) -> bool {
        let failures = self.failure.as_ref().map_or(0, |failure| failure.count);
        failures >= backoff::STALLED_AFTER
    }

    /// Returns the time after which looks at the pushed images show what became of them.
    pub fn pushed_at(&self) -> Option<Timestamp> {
        self.pushed.or(self.recorded)
    }

    /// Tells whether it is known, from a run or from evidence, what the image was built on, so that something is followed.
    pub fn is_tracking(&self) -> bool {
        self.run_id.is_some() || self.evidence.is_some()
    }
}

impl Failure {
    /// Returns a run that ended now and has tried nothing.
    pub fn of(run_id: RunId, now: Timestamp) -> Self {
        Self {
            count: 1,
            run_id,
            reason: String::new(),
            last: now,
            next_try: now,
            tried: BTreeMap::new(),
            causes: BTreeMap::new(),
            inputs: None,
            commit: None,
        }
    }

    /// Tells whether the inputs have changed since the run. `inputs` is the digest of the Dockerfile and the definition now.
    pub fn is_edited(&self, inputs: Option<&Digest>) -> bool {
        inputs.is_some() && inputs != self.inputs.as_ref()
    }

    /// Tells whether the next try must still wait: it is not due, and its inputs have not changed since the failed run.
    ///
    /// `inputs` is the digest of the Dockerfile and the definition now.
    pub fn holds(&self, inputs: Option<&Digest>, now: Timestamp) -> bool {
        // A clock that was set back must not turn a minute into a year.
        let nonsense = now < self.last;
        now < self.next_try && !self.is_edited(inputs) && !nonsense
    }

    /// Tells whether the last try was made with this digest of a base, or because of it.
    pub fn has_tried(&self, tag: &Reference, digest: &Digest) -> bool {
        let mut tried = [&self.tried, &self.causes].into_iter();
        tried.any(|digests| digests.get(tag) == Some(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failed_once() -> Baseline {
        let mut baseline = Baseline::default();
        let tried = [("r.io/base:1".parse().unwrap(), Digest::of(b"one"))].into();
        baseline.failed(RunId::new(1), tried, Some(Digest::of(b"inputs")), at(1000));
        baseline
    }

    #[test]
    fn failed_run_is_not_retried_before_its_backoff_ends() {
        let baseline = failed_once();
        let failure = baseline.failure.unwrap();
        let same = Digest::of(b"inputs");
        assert!(failure.holds(Some(&same), at(1059)));
        assert!(!failure.holds(Some(&same), at(1060)));
    }

    #[test]
    fn failed_run_is_retried_at_once_after_an_edit() {
        let failure = failed_once().failure.unwrap();
        assert!(!failure.holds(Some(&Digest::of(b"edited")), at(1001)));
    }

    #[test]
    fn clock_set_back_does_not_extend_the_backoff() {
        let failure = failed_once().failure.unwrap();
        assert!(!failure.holds(None, at(10)));
    }

    #[test]
    fn time_served_before_the_clock_was_set_back_is_replaced_by_the_next_served_time() {
        let name: TimerName = "t".parse().unwrap();
        let served = |before: i64, time: i64| {
            let before = Baseline {
                timers: [(name.clone(), at(before))].into(),
                ..Baseline::default()
            };
            let firing = TimerFiring {
                timer: name.clone(),
                time: at(time),
            };
            let after = Baseline::succeeded(RunId::new(1), Built::default(), at(100_000));
            after.serving(before, &[firing]).timers[&name]
        };
        assert_eq!(served(900_000, 99_000), at(99_000));
        assert_eq!(served(101_000, 99_000), at(101_000));
    }

    #[test]
    fn run_without_an_answer_of_a_registry_is_no_failure_and_is_repeated_within_minutes() {
        let mut baseline = failed_once();
        let next = [1000, 1060, 1180, 5000].map(|now| {
            let run = Failure::of(RunId::new(2), at(now));
            baseline.put_off(run, "r.io/web:1".parse().unwrap(), None);
            baseline.away.as_ref().unwrap().run.next_try.as_second() - now
        });
        assert_eq!(next, [60, 60, 180, 240]);
        let away = baseline.away.as_ref().unwrap();
        assert_eq!(away.since, at(1000));
        assert_eq!(baseline.failure.as_ref().unwrap().count, 1);
        let run = Failure::of(RunId::new(2), at(6000));
        baseline.put_off(run, "r.io/web:1".parse().unwrap(), Some(at(9000)));
        let text = serde_json::to_string(&baseline).unwrap();
        assert_eq!(serde_json::from_str::<Baseline>(&text).unwrap(), baseline);
        assert_eq!(baseline.away.as_ref().unwrap().run.next_try, at(9000));
        baseline.failed(RunId::new(3), BTreeMap::new(), None, at(9000));
        assert_eq!(baseline.away, None);
    }

    #[test]
    fn consecutive_failures_are_counted_and_reset_by_success() {
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
    fn fifth_consecutive_failure_makes_a_task_stalled() {
        let mut baseline = Baseline::default();
        let stalled = [1, 2, 3, 4, 5, 6].map(|n| {
            baseline.failed(RunId::new(n), BTreeMap::new(), None, at(0));
            baseline.is_stalled()
        });
        assert_eq!(stalled, [false, false, false, false, true, true]);
    }
}
