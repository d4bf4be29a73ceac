//! A run, in az's shape.

use serde::Serialize;

use crate::{
    image::Digest,
    task::{
        BaseUpdate, ImageDescriptor, Run, RunId, RunStatus, RunType, SeenBy, TaskName, TimerName,
        Untracked, run::ImageUpdateTrigger,
    },
};

use super::{AzTimestamp, PlatformAnswer, step::DependencyAnswer};

/// The images whose update started a run.
#[derive(Debug, Serialize)]
pub struct ImageUpdateAnswer {
    id: String,
    timestamp: AzTimestamp,
    images: Vec<ImageDescriptor>,
}

impl From<&ImageUpdateTrigger> for ImageUpdateAnswer {
    fn from(trigger: &ImageUpdateTrigger) -> Self {
        Self {
            id: trigger.id.clone(),
            timestamp: AzTimestamp(trigger.timestamp),
            images: trigger.images.clone(),
        }
    }
}

/// A base whose update started a run. acrt's own key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseUpdateAnswer {
    image: String,
    previous_digest: Option<Digest>,
    digest: Option<Digest>,
    seen: Option<AzTimestamp>,
    /// `poll`, `webhook` or `run`.
    seen_by: Option<SeenBy>,
}

impl From<&BaseUpdate> for BaseUpdateAnswer {
    fn from(update: &BaseUpdate) -> Self {
        Self {
            image: update.image.clone(),
            previous_digest: update.previous_digest.clone(),
            digest: update.digest.clone(),
            seen: update.seen.map(AzTimestamp),
            seen_by: update.seen_by,
        }
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

/// The timer that started a run; if several fired since the last round, the first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OccurrenceAnswer {
    timer_trigger_name: TimerName,
    schedule_occurrence: AzTimestamp,
}

/// A run, as `task show-run` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAnswer {
    /// A unique path, as az's resource ids are.
    id: String,
    r#type: &'static str,
    provisioning_state: &'static str,
    /// A key of az that is always `null` here.
    agent_configuration: Option<()>,
    agent_pool_name: Option<()>,
    custom_registries: Option<()>,
    log_artifact: Option<()>,
    source_registry_auth: Option<()>,
    update_trigger_token: Option<()>,
    pub run_id: RunId,
    name: RunId,
    pub task: Option<TaskName>,
    registry: String,
    pub status: RunStatus,
    run_type: RunType,
    create_time: AzTimestamp,
    start_time: Option<AzTimestamp>,
    finish_time: Option<AzTimestamp>,
    last_updated_time: AzTimestamp,
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
    /// Why the run was started, on one line.
    pub(in crate::ops) cause: String,
    base_updates: Vec<BaseUpdateAnswer>,
}

impl From<&Run> for RunAnswer {
    fn from(run: &Run) -> Self {
        let dependencies = run.base_image_dependencies.as_ref();
        Self {
            id: format!("/registries/{}/runs/{}", run.registry, run.run_id),
            r#type: "Microsoft.ContainerRegistry/registries/runs",
            provisioning_state: "Succeeded",
            agent_configuration: None,
            agent_pool_name: None,
            custom_registries: None,
            log_artifact: None,
            source_registry_auth: None,
            update_trigger_token: None,
            run_id: run.run_id,
            name: run.run_id,
            task: run.task.clone(),
            registry: run.registry.clone(),
            status: run.status,
            run_type: run.run_type,
            create_time: AzTimestamp(run.create_time),
            start_time: run.start_time.map(AzTimestamp),
            finish_time: run.finish_time.map(AzTimestamp),
            last_updated_time: AzTimestamp(run.last_updated_time),
            platform: PlatformAnswer::first(&run.platforms),
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
            timer_trigger: run.timer_triggers.first().map(|firing| OccurrenceAnswer {
                timer_trigger_name: firing.timer.clone(),
                schedule_occurrence: AzTimestamp(firing.time),
            }),
            is_archive_enabled: run.is_archive_enabled,
            run_error_message: run.run_error_message.clone(),
            base_image_dependencies: dependencies
                .map(|dependencies| dependencies.iter().map(Into::into).collect()),
            untracked_images: run.untracked_images.clone(),
            source_commit: run.source_commit.clone(),
            builder: run.builder.clone(),
            cause: run.cause(),
            base_updates: run.base_updates.iter().map(Into::into).collect(),
        }
    }
}
