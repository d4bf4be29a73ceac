//! Answers in the shapes of `az acr task`: what `-o json` prints and `--query` sees.

mod credential;
mod run;
mod step;
mod trigger;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    image::Platform,
    lineage::Evidence,
    store::secrets::Secrets,
    task::{OnChange, RunId, Status, Task, TaskKey, TaskName, TaskSource, Untracked, Window},
    watch::{Baseline, State},
};

pub use credential::CredentialsAnswer;
pub use run::{BaseUpdateAnswer, ImageUpdateAnswer, RunAnswer};
pub use step::StepAnswer;
pub use trigger::TriggerAnswer;

/// A time in az's format, `2026-01-25T05:50:51.861842+00:00`.
#[derive(Clone, Copy, Debug)]
pub struct AzTimestamp(pub Timestamp);

impl Serialize for AzTimestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The format of Python's `isoformat`, which az prints: without a fraction where it is zero.
        let digits = match self.0.subsec_microsecond() + self.0.subsec_millisecond() * 1000 {
            0 => 0,
            _ => 6,
        };
        let text = format!("{:.digits$}", self.0);
        serializer.collect_str(&format_args!("{}+00:00", text.trim_end_matches('Z')))
    }
}

/// A platform in three fields, in ACR's shape.
#[derive(Debug, Serialize)]
pub struct PlatformAnswer {
    architecture: String,
    os: String,
    variant: Option<String>,
}

impl PlatformAnswer {
    /// Returns the first platform, or this machine's: ACR shows only one.
    fn first(platforms: &[Platform]) -> Self {
        let host = Platform::host();
        let platform = platforms.first().unwrap_or(&host);
        Self {
            os: platform.os().into(),
            architecture: platform.architecture().into(),
            variant: platform.variant().map(Into::into),
        }
    }
}

/// Whether the images that a task depends on are tracked. az has no such key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackingAnswer {
    /// How the bases of an image that existed before any run are known.
    evidence: Option<Evidence>,
    /// How many runs have failed in a row since.
    failures: u32,
    next_try: Option<AzTimestamp>,
    /// When the baseline was recorded.
    recorded: Option<AzTimestamp>,
    /// The command that runs a stalled task at once.
    resume: Option<String>,
    /// The run that recorded the baseline.
    run_id: Option<RunId>,
    /// `stalled` after five failed runs in a row; `tracking` once a run has succeeded. Before that nothing is tracked: `never-run`, or
    /// `failing` after a failed run.
    state: &'static str,
    untracked_images: Vec<Untracked>,
}

/// The state of a task when its tags were last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastRecorded {
    pub state: Option<State>,
    /// The time of the oldest look at one of its tags; `None` where a tag was never looked at, or none is tracked.
    pub looked: Option<Timestamp>,
}

/// The value of a key that only has a meaning in Azure: the key is there so that no query fails, and is always null.
type OfAzure = ();

/// The logins of a task, in az's shape.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskCredentials {
    custom_registries: CredentialsAnswer,
    source_registry: Option<OfAzure>,
}

/// A task, as `task show` prints it. The fields are in the order of the keys, so that a list of many tasks need not sort them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskAnswer {
    agent_configuration: Option<OfAzure>,
    agent_pool_name: Option<OfAzure>,
    builder: Option<String>,
    creation_date: Option<AzTimestamp>,
    credentials: Option<TaskCredentials>,
    /// A unique path, as az's resource ids are.
    id: String,
    identity: Option<OfAzure>,
    is_system_task: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_tags: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    keep_vcs: bool,
    last_looked: Option<AzTimestamp>,
    log_template: Option<OfAzure>,
    pub name: TaskName,
    on_change: OnChange,
    on_success: Option<Vec<String>>,
    platform: PlatformAnswer,
    platforms: Vec<Platform>,
    /// What az shows for an existing task.
    provisioning_state: &'static str,
    pub registry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Box<TaskSource>>,
    /// Its state when its tags were last looked at, as `task check` names it.
    state: Option<State>,
    status: Status,
    step: StepAnswer,
    tags: Option<OfAzure>,
    timeout: u32,
    tracking: TrackingAnswer,
    trigger: TriggerAnswer,
    r#type: &'static str,
    /// When triggers may begin a run; if empty, at any time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    windows: Vec<Window>,
}

/// What tables show of a task, under the same keys.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRow<'a> {
    name: &'a TaskName,
    registry: &'a str,
    platform: &'a PlatformAnswer,
    status: Status,
    step: StepRow<'a>,
    trigger: &'a TriggerAnswer,
    state: Option<State>,
    last_looked: Option<AzTimestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepRow<'a> {
    context_path: Option<&'a str>,
}

impl TaskAnswer {
    pub fn row(&self) -> TaskRow<'_> {
        TaskRow {
            name: &self.name,
            registry: &self.registry,
            platform: &self.platform,
            status: self.status,
            step: StepRow {
                context_path: self.step.context_path(),
            },
            trigger: &self.trigger,
            state: self.state,
            last_looked: self.last_looked,
        }
    }

    /// Returns whether its images are tracked: after a run has succeeded, or where the bases of an existing image are known.
    pub fn is_tracking(&self) -> bool {
        self.tracking.run_id.is_some() || self.tracking.evidence.is_some()
    }

    /// Adds the logins of the task, without passwords.
    #[must_use]
    pub fn with_credentials(mut self, secrets: &Secrets) -> Self {
        let custom_registries = CredentialsAnswer::new(secrets);
        self.credentials = (!custom_registries.is_empty()).then_some(TaskCredentials {
            custom_registries,
            source_registry: None,
        });
        self
    }

    /// Adds the secret values of the task that the answer is about.
    pub fn reveal(&mut self, of: &Task, secrets: &Secrets) {
        self.trigger.reveal(secrets);
        self.step.reveal(&of.step, secrets);
    }

    pub fn new(task: &Task, baseline: &Baseline, last: LastRecorded) -> Self {
        let dependencies = baseline
            .is_tracking()
            .then(|| baseline.dependencies.iter().map(Into::into).collect());
        Self {
            id: format!("/registries/{}/tasks/{}", task.registry, task.name),
            r#type: "Microsoft.ContainerRegistry/registries/tasks",
            name: task.name.clone(),
            registry: task.registry.clone(),
            provisioning_state: "Succeeded",
            agent_configuration: None,
            agent_pool_name: None,
            identity: None,
            is_system_task: false,
            log_template: None,
            tags: None,
            credentials: None,
            creation_date: task.creation_date.map(AzTimestamp),
            platform: PlatformAnswer::first(&task.platforms),
            platforms: task.platforms.clone(),
            status: task.status,
            state: last.state,
            last_looked: last.looked.map(AzTimestamp),
            step: StepAnswer::new(&task.step, dependencies),
            timeout: task.timeout,
            builder: task.builder.clone(),
            trigger: TriggerAnswer::new(task),
            on_success: (!task.on_success.is_empty()).then(|| task.on_success.clone()),
            keep_vcs: task.keep_vcs,
            on_change: task.on_change,
            windows: task.windows.clone().unwrap_or_default(),
            source: task.source.clone(),
            keep_tags: task.keep_tags,
            keep_days: task.keep_days,
            tracking: TrackingAnswer {
                state: match baseline.is_tracking() {
                    _ if baseline.is_stalled() => "stalled",
                    true => "tracking",
                    false if baseline.failure.is_some() => "failing",
                    false => "never-run",
                },
                run_id: baseline.run_id,
                evidence: baseline.evidence,
                recorded: baseline.pushed_at().map(AzTimestamp),
                failures: baseline.failure.as_ref().map_or(0, |failure| failure.count),
                next_try: baseline
                    .failure
                    .as_ref()
                    .map(|failure| AzTimestamp(failure.next_try)),
                resume: baseline.is_stalled().then(|| resume(&task.key())),
                untracked_images: baseline.untracked.clone(),
            },
        }
    }
}

/// Returns the command that runs a task at once.
pub fn resume(key: &TaskKey) -> String {
    format!("acrt task run {}", key.full_option())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_printed_as_az_does() {
        let time: Timestamp = "2025-04-08T08:17:33.8618429Z".parse().unwrap();
        assert_eq!(
            serde_json::to_value(AzTimestamp(time)).unwrap(),
            "2025-04-08T08:17:33.861842+00:00"
        );
        let whole: Timestamp = "2025-04-08T08:17:33Z".parse().unwrap();
        assert_eq!(
            serde_json::to_value(AzTimestamp(whole)).unwrap(),
            "2025-04-08T08:17:33+00:00"
        );
    }
}
