//! The triggers of a task, in az's shape.

use serde::Serialize;

use crate::{
    store::secrets::Secrets,
    task::{
        BaseImageTriggerType, Cron, SourceEvent, SourceTrigger, Status, Task, TimerName,
        UpdatePayload,
    },
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerAnswer {
    base_image_trigger: Option<BaseImageTriggerAnswer>,
    source_triggers: Option<Vec<SourceTriggerAnswer>>,
    timer_triggers: Option<Vec<TimerTriggerAnswer>>,
}

impl TriggerAnswer {
    pub fn new(task: &Task) -> Self {
        let trigger = &task.trigger;
        let timers = trigger.timer_triggers.iter();
        let timers = timers.map(|timer| TimerTriggerAnswer {
            name: timer.name.clone(),
            schedule: timer.schedule.clone(),
            status: timer.status,
        });
        let base_image = trigger.base_image_trigger.as_ref();
        Self {
            base_image_trigger: base_image.map(|trigger| BaseImageTriggerAnswer {
                base_image_trigger_type: trigger.base_image_trigger_type,
                name: trigger.name.clone(),
                status: trigger.status,
                update_trigger_endpoint: None,
                update_trigger_payload_type: trigger
                    .update_trigger_payload_type
                    .unwrap_or_default(),
            }),
            source_triggers: SourceTriggerAnswer::of(task),
            timer_triggers: (!trigger.timer_triggers.is_empty()).then(|| timers.collect()),
        }
    }

    /// Adds the endpoint of the webhook.
    pub fn reveal(&mut self, secrets: &Secrets) {
        if let Some(trigger) = &mut self.base_image_trigger {
            let endpoint = secrets.update_trigger_endpoint.as_ref();
            trigger.update_trigger_endpoint = endpoint.map(|it| it.reveal().to_owned());
        }
    }
}

/// The base image trigger, in az's shape. The endpoint of its webhook may be secret, and is only shown with secure properties.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseImageTriggerAnswer {
    base_image_trigger_type: BaseImageTriggerType,
    name: String,
    status: Status,
    update_trigger_endpoint: Option<String>,
    update_trigger_payload_type: UpdatePayload,
}

/// A source trigger. Its repository is the context of the step, which az repeats here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceTriggerAnswer {
    name: String,
    source_repository: RepositoryAnswer,
    source_trigger_events: Vec<SourceEvent>,
    status: Status,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryAnswer {
    branch: Option<String>,
    /// As the user gave it, with branch and folder, as az shows it.
    repository_url: String,
    source_control_auth_properties: Option<()>,
    source_control_type: &'static str,
}

impl SourceTriggerAnswer {
    fn of(task: &Task) -> Option<Vec<Self>> {
        let context = task.step.context()?;
        let git = context.git()?;
        let triggers = &task.trigger.source_triggers;
        let answer = |trigger: &SourceTrigger| Self {
            name: trigger.name.clone(),
            status: trigger.status,
            source_trigger_events: trigger.source_trigger_events.clone(),
            source_repository: RepositoryAnswer {
                branch: git.reference.clone(),
                repository_url: context.to_string(),
                source_control_type: if git.url.contains("github.com") {
                    "Github"
                } else {
                    "Git"
                },
                source_control_auth_properties: None,
            },
        };
        (!triggers.is_empty()).then(|| triggers.iter().map(answer).collect())
    }
}

#[derive(Debug, Serialize)]
pub struct TimerTriggerAnswer {
    name: TimerName,
    schedule: Cron,
    status: Status,
}
