//! One execution of a task.

use std::{cmp::Ordering, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::{Platform, Reference};

use super::{
    BaseUpdate, Dependency, ImageDescriptor, TaskKey, TaskName, TimerName, Untracked, cause::tiny,
};

/// A run's id: `ca` and a number in base 36, counted from 1: `ca1`, `ca2` … `caz`, `ca10`.
///
/// Short and lower-case, because it is used as an image tag. Ordered by the number, not as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(u64);

/// Why a text is no run id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run id `{}` is not of the form ca1, ca2 … caz, ca10", .0.escape_debug())]
pub struct InvalidRunId(pub String);

impl RunId {
    /// Returns the id with this number; numbers count from 1.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Vec::new();
        let mut rest = self.0;
        while rest > 0 || digits.is_empty() {
            let digit = u32::try_from(rest % 36).unwrap_or(0);
            digits.push(char::from_digit(digit, 36).unwrap_or('0'));
            rest /= 36;
        }
        write!(f, "ca{}", digits.iter().rev().collect::<String>())
    }
}

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        let invalid = || InvalidRunId(text.into());
        let digits = text.strip_prefix("ca").ok_or_else(invalid)?;
        let canonical = !digits.starts_with('0')
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        match u64::from_str_radix(digits, 36) {
            Ok(number) if canonical => Ok(Self(number)),
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = InvalidRunId;

    fn try_from(text: String) -> Result<Self, InvalidRunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.to_string()
    }
}

/// The status of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RunStatus {
    Queued,
    /// The run is resolving its dependencies.
    Started,
    Running,
    Succeeded,
    Failed,
    Canceled,
    /// The run could not be carried out: a registry did not answer, or the process that ran it died.
    Error,
    /// The run exceeded its task's timeout.
    Timeout,
}

impl RunStatus {
    /// Tells whether the run has not ended.
    pub fn is_open(self) -> bool {
        match self {
            Self::Queued | Self::Started | Self::Running => true,
            Self::Succeeded | Self::Failed | Self::Canceled | Self::Error | Self::Timeout => false,
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What asked for a run: a person or a trigger. The words are ACR's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunType {
    /// `acrt build`
    QuickBuild,
    /// `acrt run` and `acrt task run`
    QuickRun,
    /// A trigger, for a build without a task.
    AutoBuild,
    AutoRun,
}

/// The images whose move triggered a run, with their new digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageUpdateTrigger {
    /// The id of this cause: that of the first run that it started.
    pub id: String,
    /// When the move was noticed.
    pub timestamp: Timestamp,
    pub images: Vec<ImageDescriptor>,
}

/// A time at which a timer fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimerFiring {
    #[serde(rename = "timerTriggerName")]
    pub timer: TimerName,
    /// The time by the timer's schedule.
    #[serde(rename = "scheduleOccurrence")]
    pub time: Timestamp,
}

/// All triggers that apply to a task at one time; at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Triggers {
    /// The images that moved, with their new digests.
    pub images: Vec<ImageDescriptor>,
    pub updates: Vec<BaseUpdate>,
    pub timers: Vec<TimerFiring>,
    /// The current commit of the context's repository.
    pub source: Option<SourceCause>,
}

/// A change of a git repository that triggers a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceCause {
    pub repository_url: String,
    /// The branch or tag; `None` for the repository's default branch.
    pub branch_name: Option<String>,
    /// The commit that the branch now names.
    pub commit_id: String,
}

/// Why a task is run: by hand or by triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    Manual,
    Triggered(Triggers),
}

/// The record of one execution of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub schema: u32,
    pub run_id: RunId,
    /// The task; `None` for a quick build.
    pub task: Option<TaskName>,
    /// The registry that the run's images are pushed to.
    pub registry: String,
    pub status: RunStatus,
    pub run_type: RunType,
    pub create_time: Timestamp,
    pub start_time: Option<Timestamp>,
    pub finish_time: Option<Timestamp>,
    /// When this record was last written.
    pub last_updated_time: Timestamp,
    /// The platforms to build for; empty for the builder's own platform.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    pub output_images: Option<Vec<ImageDescriptor>>,
    /// The images whose move triggered the run.
    pub image_update_trigger: Option<ImageUpdateTrigger>,
    /// The moves of these images: digests before and after, when and how each was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base_updates: Vec<BaseUpdate>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timer_triggers: Vec<TimerFiring>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_trigger: Option<SourceCause>,
    /// Whether the run is kept from pruning.
    #[serde(default)]
    pub is_archive_enabled: bool,
    pub run_error_message: Option<String>,
    /// The images that the run depends on, with the digests that it was built on.
    #[serde(default)]
    pub base_image_dependencies: Option<Vec<Dependency>>,
    /// The images that the run depends on and that are not followed.
    #[serde(default)]
    pub untracked_images: Vec<Untracked>,
    /// The commit that was built, where the context is a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_commit: Option<String>,
    /// The builder of the run.
    #[serde(default)]
    pub builder: Option<String>,
    /// The process to interrupt to cancel the run, while it is open; `None` before the run has a process of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

impl Run {
    /// The version of the record format that this program writes.
    pub const SCHEMA: u32 = 1;

    /// Returns the key of the run's task; `None` for a quick run.
    pub fn task_key(&self) -> Option<TaskKey> {
        Some(TaskKey {
            registry: self.registry.clone(),
            name: self.task.clone()?,
        })
    }

    pub fn is_of(&self, key: &TaskKey) -> bool {
        self.task.as_ref() == Some(&key.name) && self.registry == key.registry
    }

    /// Returns what triggered the run, in az's words; the first trigger that applies.
    pub fn triggered_by(&self) -> &'static str {
        if self.source_trigger.is_some() {
            "Commit"
        } else if !self.timer_triggers.is_empty() {
            "Timer"
        } else if self.image_update_trigger.is_some() {
            "Image Update"
        } else {
            "Manual"
        }
    }

    /// Returns how many seconds it took, if it has ended.
    pub fn seconds(&self) -> i64 {
        match (self.start_time, self.finish_time) {
            (Some(start), Some(end)) => end.duration_since(start).as_secs().max(0),
            _ => 0,
        }
    }

    /// Returns a new queued run.
    pub fn queued(id: RunId, registry: &str, cause: &Cause, now: Timestamp) -> Self {
        let (run_type, triggers) = match cause {
            Cause::Manual => (RunType::QuickRun, Triggers::default()),
            Cause::Triggered(triggers) => (RunType::AutoRun, triggers.clone()),
        };
        let image_update = |images| ImageUpdateTrigger {
            id: id.to_string(),
            timestamp: now,
            images,
        };
        Self {
            schema: Self::SCHEMA,
            run_id: id,
            task: None,
            registry: registry.into(),
            status: RunStatus::Queued,
            run_type,
            create_time: now,
            start_time: None,
            finish_time: None,
            last_updated_time: now,
            platforms: Vec::new(),
            output_images: None,
            image_update_trigger: (!triggers.images.is_empty())
                .then(|| image_update(triggers.images)),
            base_updates: triggers.updates,
            timer_triggers: triggers.timers,
            source_trigger: triggers.source,
            is_archive_enabled: false,
            run_error_message: None,
            base_image_dependencies: None,
            untracked_images: Vec::new(),
            source_commit: None,
            builder: None,
            pid: None,
        }
    }

    /// Changes the status. The status of an ended run is never changed.
    pub fn advance(&mut self, status: RunStatus, now: Timestamp) {
        if !self.status.is_open() {
            return;
        }
        self.status = status;
        self.last_updated_time = now;
        if status == RunStatus::Started {
            self.start_time = Some(now);
        }
        if !status.is_open() {
            self.finish_time = Some(now);
            self.pid = None;
        }
    }

    pub fn fail(&mut self, status: RunStatus, reason: impl Into<String>, now: Timestamp) {
        if self.status.is_open() {
            self.run_error_message = Some(reason.into());
        }
        self.advance(status, now);
    }

    /// Tells whether the run pushed `image`, compared by tag, by digest, or by repository if it names neither.
    pub fn pushed(&self, image: &Reference) -> bool {
        self.output_images.iter().flatten().any(|output| {
            output.registry() == image.registry()
                && output.repository() == image.repository()
                && match image.digest() {
                    Some(digest) => output.digest.as_ref() == Some(digest),
                    None => output.tag() == image.tag(),
                }
        })
    }

    /// Formats the cause on one line, without times: `node:20-alpine 1f0c… → 8c31…`, `timer nightly`, `commit 4be1…`, `by hand`.
    pub fn cause(&self) -> String {
        self.causes_by(|_| String::new())
    }

    /// Formats the cause with when and how each move was seen.
    pub fn cause_with_sightings(&self) -> String {
        self.causes_by(BaseUpdate::sighting)
    }

    fn causes_by(&self, more: impl Fn(&BaseUpdate) -> String) -> String {
        let updates = &self.base_updates;
        let mut parts: Vec<String> = updates.iter().map(|it| it.line() + &more(it)).collect();
        let images = self.image_update_trigger.iter().flat_map(|it| &it.images);
        let is_told = |image: &ImageDescriptor| {
            let mut told = updates.iter();
            told.any(|it| it.image == image.tagged())
        };
        for image in images.filter(|image| !is_told(image)) {
            let name = image.reference().map(|it| it.familiar());
            let name = name.unwrap_or_else(|| image.tagged());
            parts.push(match &image.digest {
                Some(digest) => format!("{name} → {}", tiny(Some(digest))),
                None => format!("{name} is in its files now"),
            });
        }
        if let Some(source) = &self.source_trigger {
            let commit = source.commit_id.get(..4).unwrap_or(&source.commit_id);
            parts.push(format!("commit {commit}…"));
        }
        parts.extend(
            self.timer_triggers
                .iter()
                .map(|it| format!("timer {}", it.timer)),
        );
        let more = parts.len().saturating_sub(MOST_CAUSES);
        parts.truncate(MOST_CAUSES);
        match more {
            0 if parts.is_empty() => "by hand".to_owned(),
            0 => parts.join(", "),
            more => format!("{} and {more} more", parts.join(", ")),
        }
    }
}

/// How many causes one line names: a missed day of a timer for each minute has 1,440.
const MOST_CAUSES: usize = 10;

/// Orders runs with the newest first, as every listing shows them.
pub fn newest_first(a: &RunId, b: &RunId) -> Ordering {
    b.cmp(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_count_in_base_36_after_ca() {
        let ids: Vec<String> = [1, 9, 10, 35, 36, 1295, 1296]
            .map(|n| RunId::new(n).to_string())
            .into();
        assert_eq!(ids, ["ca1", "ca9", "caa", "caz", "ca10", "cazz", "ca100"]);
        assert!("ca10".parse::<RunId>().unwrap() > "caz".parse::<RunId>().unwrap());
    }

    #[test]
    fn run_id_is_parsed_only_in_its_canonical_spelling() {
        assert_eq!("caz".parse::<RunId>().unwrap().number(), 35);
        for text in [
            "",
            "ca",
            "ca0",
            "ca01",
            "caA",
            "cb1",
            "ca-1",
            "ca+1",
            "ca/../x",
            "cazzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(
                text.parse::<RunId>(),
                Err(InvalidRunId(text.into())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn ended_run_never_changes_its_status() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut run = Run::queued(RunId::new(1), "r", &Cause::Manual, at(0));
        run.advance(RunStatus::Started, at(1));
        run.fail(RunStatus::Canceled, "stopped", at(2));
        run.advance(RunStatus::Succeeded, at(3));
        assert_eq!(run.status, RunStatus::Canceled);
        assert_eq!(run.start_time, Some(at(1)));
        assert_eq!(run.finish_time, Some(at(2)));
        assert_eq!(run.run_error_message.as_deref(), Some("stopped"));
    }

    fn run(triggers: Triggers) -> Run {
        let cause = Cause::Triggered(triggers);
        Run::queued(RunId::new(1), "r.io", &cause, Timestamp::UNIX_EPOCH)
    }

    fn node() -> ImageDescriptor {
        let new = crate::image::Digest::of(b"new");
        ImageDescriptor::new(&"node:20-alpine".parse().unwrap(), Some(new))
    }

    #[test]
    fn run_cause_of_very_many_timers_names_some_and_counts_the_rest() {
        let firing = |second| TimerFiring {
            timer: "minute".parse().unwrap(),
            time: Timestamp::from_second(second).unwrap(),
        };
        let cause = run(Triggers {
            timers: (0..1440).map(firing).collect(),
            ..Triggers::default()
        })
        .cause();
        assert!(cause.ends_with("timer minute and 1430 more"), "{cause}");
        assert_eq!(cause.matches("timer").count(), 10);
    }

    #[test]
    fn run_cause_names_both_digests_briefly() {
        let update = BaseUpdate {
            image: "docker.io/library/node:20-alpine".into(),
            previous_digest: Some(crate::image::Digest::of(b"old")),
            digest: Some(crate::image::Digest::of(b"new")),
            platform: None,
            previous_manifest: None,
            manifest: None,
            seen: Some(Timestamp::UNIX_EPOCH),
            seen_by: Some(crate::task::SeenBy::Webhook),
        };
        let of = |bytes: &[u8]| crate::image::Digest::of(bytes).hex()[..4].to_owned();
        let (old, new) = (of(b"old"), of(b"new"));
        let moved = run(Triggers {
            images: vec![node()],
            updates: vec![update],
            timers: vec![TimerFiring {
                timer: "nightly".parse().unwrap(),
                time: Timestamp::UNIX_EPOCH,
            }],
            source: Some(SourceCause {
                repository_url: "https://git.example/x.git".into(),
                branch_name: None,
                commit_id: "4be1aaaa".into(),
            }),
        });
        let base = format!("node:20-alpine {old}… → {new}…");
        assert_eq!(
            moved.cause(),
            format!("{base}, commit 4be1…, timer nightly")
        );
        let whole = moved.cause_with_sightings();
        assert!(whole.starts_with(&format!(
            "{base}, seen 1970-01-01T00:00:00Z by webhook, commit"
        )));
    }

    #[test]
    fn run_record_of_an_earlier_version_names_the_digest_the_base_moved_to() {
        let mut old = run(Triggers::default());
        assert_eq!(old.cause(), "by hand");
        old.image_update_trigger = Some(ImageUpdateTrigger {
            id: "ca1".into(),
            timestamp: Timestamp::UNIX_EPOCH,
            images: vec![node()],
        });
        let new = crate::image::Digest::of(b"new").hex()[..4].to_owned();
        assert_eq!(old.cause(), format!("node:20-alpine → {new}…"));
    }
}
