//! Answers in the shapes of `az acr task`: what `-o json` prints and `--query` sees.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    image::{Digest, Platform},
    store::secrets::Secrets,
    task::{
        Argument, BaseImageTrigger, BaseImageTriggerType, Cron, Dependency, DockerStep,
        ImageDescriptor, ImportStep, MirrorUse, Occurrence, Run, RunId, RunStatus, RunType,
        SourceEvent, SourceTrigger, Status, Step, Task, TaskKey, TaskName, TimerName, TimerTrigger,
        Untracked, UpdatePayload, run::ImageUpdateTrigger,
    },
    watch::Known,
};

/// A moment in az's form, `2026-01-25T05:50:51.861842+00:00`.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Timestamp);

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Python's isoformat, which az prints: no fraction where there is none.
        let form = match self.0.subsec_microsecond() + self.0.subsec_millisecond() * 1000 {
            0 => "%Y-%m-%dT%H:%M:%S+00:00",
            _ => "%Y-%m-%dT%H:%M:%S.%6f+00:00",
        };
        serializer.collect_str(&self.0.strftime(form))
    }
}

/// A platform in three fields, as ACR writes it.
#[derive(Debug, Serialize)]
pub struct PlatformAnswer {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl From<&Platform> for PlatformAnswer {
    fn from(platform: &Platform) -> Self {
        Self {
            os: platform.os().into(),
            architecture: platform.architecture().into(),
            variant: platform.variant().map(Into::into),
        }
    }
}

/// Returns the first platform, or this machine's, as ACR shows one.
fn first(platforms: &[Platform]) -> PlatformAnswer {
    PlatformAnswer::from(platforms.first().unwrap_or(&Platform::host()))
}

/// An image that a task stands on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DependencyAnswer {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<MirrorUse>,
}

impl From<&Dependency> for DependencyAnswer {
    fn from(dependency: &Dependency) -> Self {
        Self {
            registry: dependency.image.registry.clone(),
            repository: dependency.image.repository.clone(),
            tag: dependency.image.tag.clone(),
            digest: dependency.image.digest.clone(),
            r#type: format!("{:?}", dependency.kind),
            mirror: dependency.mirror.as_deref().cloned(),
        }
    }
}

/// A build argument. The value of a secret one is `null`, unless it is asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArgumentAnswer {
    is_secret: bool,
    name: String,
    value: Option<String>,
}

/// What a run of a task does, in az's shape for each kind of step.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum StepAnswer {
    /// A Dockerfile.
    Docker(DockerAnswer),
    /// A multi-step file, in the context or in the definition.
    Steps(Box<StepsAnswer>),
    /// The copy of an image.
    Import(ImportAnswer),
}

/// An image that is copied. az has no such step; the keys are named as those of its others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportAnswer {
    r#type: &'static str,
    all_referrers: bool,
    base_image_dependencies: Option<Vec<DependencyAnswer>>,
    image_names: Vec<String>,
    source: String,
    test: Option<Vec<String>>,
}

impl ImportAnswer {
    fn new(step: &ImportStep, dependencies: Option<Vec<DependencyAnswer>>) -> Self {
        Self {
            r#type: "Import",
            all_referrers: step.all_referrers,
            base_image_dependencies: dependencies,
            image_names: step.image_names.clone(),
            source: step.source.clone(),
            test: (!step.test.is_empty()).then(|| step.test.clone()),
        }
    }
}

/// A multi-step file. az shows other keys for one of the context than for one of the definition.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepsAnswer {
    r#type: &'static str,
    base_image_dependencies: Option<Vec<DependencyAnswer>>,
    context_access_token: Option<()>,
    context_path: Option<String>,
    #[serde(flatten)]
    place: PlaceAnswer,
    values: Vec<ArgumentAnswer>,
    allow_privileged: bool,
}

/// Where a multi-step file is.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum PlaceAnswer {
    /// In the context.
    File {
        /// The file.
        task_file_path: String,
        /// The file of its values.
        values_file_path: Option<String>,
    },
    /// In the definition, in base64.
    Encoded {
        /// The file.
        encoded_task_content: String,
        /// The file of its values.
        encoded_values_content: Option<String>,
    },
}

impl StepAnswer {
    fn new(step: &Step, dependencies: Option<Vec<DependencyAnswer>>) -> Self {
        let (kind, place) = match step {
            Step::Docker(step) => return Self::Docker(DockerAnswer::new(step, dependencies)),
            Step::Import(step) => return Self::Import(ImportAnswer::new(step, dependencies)),
            Step::FileTask(step) => (
                "FileTask",
                PlaceAnswer::File {
                    task_file_path: step.task_file_path.display().to_string(),
                    values_file_path: step
                        .values_file_path
                        .as_ref()
                        .map(|path| path.display().to_string()),
                },
            ),
            Step::EncodedTask(step) => (
                "EncodedTask",
                PlaceAnswer::Encoded {
                    encoded_task_content: step.encoded_task_content.clone(),
                    encoded_values_content: step.encoded_values_content.clone(),
                },
            ),
        };
        Self::Steps(Box::new(StepsAnswer {
            r#type: kind,
            base_image_dependencies: dependencies,
            context_access_token: None,
            context_path: step.context().map(ToString::to_string),
            place,
            values: step.values().iter().map(Into::into).collect(),
            allow_privileged: step.allows_privileged(),
        }))
    }
}

/// A Dockerfile that is built, and what is made of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DockerAnswer {
    r#type: &'static str,
    arguments: Vec<ArgumentAnswer>,
    base_image_dependencies: Option<Vec<DependencyAnswer>>,
    context_path: String,
    docker_file_path: String,
    image_names: Option<Vec<String>>,
    is_push_enabled: bool,
    no_cache: bool,
    target: Option<String>,
}

impl DockerAnswer {
    fn new(step: &DockerStep, dependencies: Option<Vec<DependencyAnswer>>) -> Self {
        Self {
            r#type: "Docker",
            arguments: step.arguments.iter().map(Into::into).collect(),
            base_image_dependencies: dependencies,
            context_path: step.context_path.to_string(),
            docker_file_path: step.docker_file_path.display().to_string(),
            image_names: (!step.image_names.is_empty()).then(|| step.image_names.clone()),
            is_push_enabled: step.is_push_enabled,
            no_cache: step.no_cache,
            target: step.target.clone(),
        }
    }
}

impl From<&Argument> for ArgumentAnswer {
    fn from(argument: &Argument) -> Self {
        Self {
            is_secret: argument.is_secret,
            name: argument.name.clone(),
            value: argument.value.clone(),
        }
    }
}

/// The triggers of a task.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerAnswer {
    base_image_trigger: Option<BaseImageTriggerAnswer>,
    source_triggers: Option<Vec<SourceTriggerAnswer>>,
    timer_triggers: Option<Vec<TimerTriggerAnswer>>,
}

/// The base image trigger, in az's shape. Where its webhook is may be secret, and is only shown with secure properties.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseImageTriggerAnswer {
    base_image_trigger_type: BaseImageTriggerType,
    name: String,
    status: Status,
    update_trigger_endpoint: Option<String>,
    update_trigger_payload_type: Option<UpdatePayload>,
}

impl From<&BaseImageTrigger> for BaseImageTriggerAnswer {
    fn from(trigger: &BaseImageTrigger) -> Self {
        Self {
            base_image_trigger_type: trigger.base_image_trigger_type,
            name: trigger.name.clone(),
            status: trigger.status,
            update_trigger_endpoint: None,
            update_trigger_payload_type: trigger.update_trigger_payload_type,
        }
    }
}

/// A trigger by the source. Where it looks is the context of the step; az shows it here once more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceTriggerAnswer {
    name: String,
    status: Status,
    source_trigger_events: Vec<SourceEvent>,
    source_repository: RepositoryAnswer,
}

/// A git repository.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryAnswer {
    branch: Option<String>,
    repository_url: String,
    source_control_type: &'static str,
    source_control_auth_properties: Option<()>,
}

impl SourceTriggerAnswer {
    fn of(task: &Task) -> Option<Vec<Self>> {
        let git = task.step.context()?.git()?;
        let triggers = &task.trigger.source_triggers;
        let answer = |trigger: &SourceTrigger| Self {
            name: trigger.name.clone(),
            status: trigger.status,
            source_trigger_events: trigger.source_trigger_events.clone(),
            source_repository: RepositoryAnswer {
                branch: git.reference.clone(),
                repository_url: git.url.clone(),
                source_control_type: match git.url.contains("github.com") {
                    true => "Github",
                    false => "Git",
                },
                source_control_auth_properties: None,
            },
        };
        (!triggers.is_empty()).then(|| triggers.iter().map(answer).collect())
    }
}

/// A timer.
#[derive(Debug, Serialize)]
pub struct TimerTriggerAnswer {
    name: TimerName,
    schedule: Cron,
    status: Status,
}

impl From<&TimerTrigger> for TimerTriggerAnswer {
    fn from(timer: &TimerTrigger) -> Self {
        Self {
            name: timer.name.clone(),
            schedule: timer.schedule.clone(),
            status: timer.status,
        }
    }
}

/// Whether the images that a task stands on are followed. ACR keeps this to itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackingAnswer {
    /// `stalled` after five failed runs in a row. Else `never-run` until a run has succeeded: nothing is followed; then `tracking`.
    state: &'static str,
    /// The run that recorded what is followed.
    run_id: Option<RunId>,
    recorded: Option<Moment>,
    /// Failed runs in a row since.
    failures: u32,
    next_try: Option<Moment>,
    /// The command that tries a stalled task at once.
    resume: Option<String>,
    untracked_images: Vec<Untracked>,
}

/// A task, as `task show` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskAnswer {
    /// Its name.
    pub name: TaskName,
    /// Its registry.
    pub registry: String,
    creation_date: Option<Moment>,
    platform: PlatformAnswer,
    platforms: Vec<Platform>,
    status: Status,
    step: StepAnswer,
    timeout: u32,
    builder: Option<String>,
    trigger: TriggerAnswer,
    tracking: TrackingAnswer,
}

impl TaskAnswer {
    /// Tells whether its images are followed: not before a run of it has succeeded.
    #[must_use]
    pub fn is_tracking(&self) -> bool {
        self.tracking.run_id.is_some()
    }

    /// Shows the values of secret arguments too.
    pub fn reveal(&mut self, secrets: &Secrets) {
        if let Some(trigger) = &mut self.trigger.base_image_trigger {
            let endpoint = secrets.update_trigger_endpoint.as_ref();
            trigger.update_trigger_endpoint = endpoint.map(|it| it.reveal().to_owned());
        }
        let (arguments, kept) = match &mut self.step {
            StepAnswer::Docker(step) => (&mut step.arguments, &secrets.arguments),
            StepAnswer::Steps(step) => (&mut step.values, &secrets.values),
            StepAnswer::Import(_) => return,
        };
        for argument in arguments.iter_mut().filter(|a| a.is_secret) {
            let value = kept.get(&argument.name);
            argument.value = value.map(|value| value.reveal().to_owned());
        }
    }

    /// Puts together what is to be shown of a task.
    #[must_use]
    pub fn new(task: &Task, known: &Known) -> Self {
        let dependencies = known
            .has_run()
            .then(|| known.dependencies.iter().map(Into::into).collect());
        Self {
            name: task.name.clone(),
            registry: task.registry.clone(),
            creation_date: task.creation_date.map(Moment),
            platform: first(&task.platforms),
            platforms: task.platforms.clone(),
            status: task.status,
            step: StepAnswer::new(&task.step, dependencies),
            timeout: task.timeout,
            builder: task.builder.clone(),
            trigger: TriggerAnswer {
                base_image_trigger: task.trigger.base_image_trigger.as_ref().map(Into::into),
                source_triggers: SourceTriggerAnswer::of(task),
                timer_triggers: (!task.trigger.timer_triggers.is_empty())
                    .then(|| task.trigger.timer_triggers.iter().map(Into::into).collect()),
            },
            tracking: TrackingAnswer {
                state: match known.has_run() {
                    _ if known.is_stalled() => "stalled",
                    true => "tracking",
                    false => "never-run",
                },
                run_id: known.run_id,
                recorded: known.recorded.map(Moment),
                failures: known.failure.as_ref().map_or(0, |failure| failure.count),
                next_try: known
                    .failure
                    .as_ref()
                    .map(|failure| Moment(failure.next_try)),
                resume: known.is_stalled().then(|| resume(&task.key())),
                untracked_images: known.untracked.clone(),
            },
        }
    }
}

/// The images whose move started a run.
#[derive(Debug, Serialize)]
pub struct ImageUpdateAnswer {
    id: String,
    timestamp: Moment,
    images: Vec<ImageDescriptor>,
}

impl From<&ImageUpdateTrigger> for ImageUpdateAnswer {
    fn from(trigger: &ImageUpdateTrigger) -> Self {
        Self {
            id: trigger.id.clone(),
            timestamp: trigger.timestamp.into(),
            images: trigger.images.clone(),
        }
    }
}

/// Returns the command that tries a task at once that has failed many times.
#[must_use]
pub fn resume(key: &TaskKey) -> String {
    format!(
        "acrt task run --name {} --registry {}",
        key.name, key.registry
    )
}

/// Many tasks. Each becomes an answer when somebody wants to see it.
#[derive(Debug)]
pub struct TaskList(pub Vec<(Task, Known)>);

impl TaskList {
    /// Returns the tasks that follow nothing yet.
    pub fn never_run(&self) -> impl Iterator<Item = &TaskName> {
        let tasks = self.0.iter();
        tasks
            .filter(|(_, known)| !known.has_run())
            .map(|(task, _)| &task.name)
    }

    /// Returns the tasks that have failed many times in a row.
    pub fn stalled(&self) -> impl Iterator<Item = TaskKey> {
        let tasks = self.0.iter();
        tasks
            .filter(|(_, known)| known.is_stalled())
            .map(|(task, _)| task.key())
    }
}

impl Serialize for TaskList {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0
                .iter()
                .map(|(task, known)| TaskAnswer::new(task, known)),
        )
    }
}

/// The commit that started a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceCauseAnswer {
    id: RunId,
    event_type: &'static str,
    commit_id: String,
    repository_url: String,
    branch_name: Option<String>,
    pull_request_id: Option<String>,
    provider_type: &'static str,
}

/// The timer that started a run; of several that fired since the last round, the first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OccurrenceAnswer {
    timer_trigger_name: TimerName,
    schedule_occurrence: Moment,
}

impl From<&Occurrence> for OccurrenceAnswer {
    fn from(occurrence: &Occurrence) -> Self {
        Self {
            timer_trigger_name: occurrence.timer.clone(),
            schedule_occurrence: occurrence.time.into(),
        }
    }
}

/// A run, as `task show-run` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAnswer {
    /// Its id.
    pub run_id: RunId,
    name: RunId,
    /// The task that it is a run of.
    pub task: Option<TaskName>,
    registry: String,
    /// How far it has come.
    pub status: RunStatus,
    run_type: RunType,
    create_time: Moment,
    start_time: Option<Moment>,
    finish_time: Option<Moment>,
    last_updated_time: Moment,
    platform: PlatformAnswer,
    output_images: Option<Vec<ImageDescriptor>>,
    image_update_trigger: Option<ImageUpdateAnswer>,
    source_trigger: Option<SourceCauseAnswer>,
    timer_trigger: Option<OccurrenceAnswer>,
    is_archive_enabled: bool,
    run_error_message: Option<String>,
    base_image_dependencies: Option<Vec<DependencyAnswer>>,
    untracked_images: Vec<Untracked>,
    source_commit: Option<String>,
    builder: Option<String>,
}

impl From<&Run> for RunAnswer {
    fn from(run: &Run) -> Self {
        let dependencies = run.base_image_dependencies.as_ref();
        Self {
            run_id: run.run_id,
            name: run.run_id,
            task: run.task.clone(),
            registry: run.registry.clone(),
            status: run.status,
            run_type: run.run_type,
            create_time: run.create_time.into(),
            start_time: run.start_time.map(Moment),
            finish_time: run.finish_time.map(Moment),
            last_updated_time: run.last_updated_time.into(),
            platform: first(&run.platforms),
            output_images: run.output_images.clone(),
            image_update_trigger: run.image_update_trigger.as_ref().map(Into::into),
            source_trigger: run.source_trigger.as_ref().map(|cause| SourceCauseAnswer {
                id: run.run_id,
                event_type: "Commit",
                commit_id: cause.commit_id.clone(),
                repository_url: cause.repository_url.clone(),
                branch_name: cause.branch_name.clone(),
                pull_request_id: None,
                provider_type: "Git",
            }),
            timer_trigger: run.timer_triggers.first().map(Into::into),
            is_archive_enabled: run.is_archive_enabled,
            run_error_message: run.run_error_message.clone(),
            base_image_dependencies: dependencies
                .map(|dependencies| dependencies.iter().map(Into::into).collect()),
            untracked_images: run.untracked_images.clone(),
            source_commit: run.source_commit.clone(),
            builder: run.builder.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_the_form_of_az() {
        let time: Timestamp = "2025-04-08T08:17:33.8618429Z".parse().unwrap();
        assert_eq!(
            serde_json::to_value(Moment(time)).unwrap(),
            "2025-04-08T08:17:33.861842+00:00"
        );
        let whole: Timestamp = "2025-04-08T08:17:33Z".parse().unwrap();
        assert_eq!(
            serde_json::to_value(Moment(whole)).unwrap(),
            "2025-04-08T08:17:33+00:00"
        );
    }
}
