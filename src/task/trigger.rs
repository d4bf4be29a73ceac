//! What makes a task run by itself.

use serde::{Deserialize, Serialize};

use super::Status;

/// The name of the base image trigger of a task that gives none.
pub const DEFAULT_BASE_IMAGE_TRIGGER: &str = "defaultBaseimageTriggerName";

/// The triggers of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Trigger {
    /// Runs the task when an image that it stands on moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_image_trigger: Option<BaseImageTrigger>,
}

/// Runs a task when an image that it stands on moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BaseImageTrigger {
    /// Its name, which nothing but people refer to.
    pub name: String,
    /// A disabled trigger stays in the definition and does nothing.
    pub status: Status,
    /// Which of the images count.
    pub base_image_trigger_type: BaseImageTriggerType,
}

impl Default for BaseImageTrigger {
    fn default() -> Self {
        Self {
            name: DEFAULT_BASE_IMAGE_TRIGGER.into(),
            status: Status::Enabled,
            base_image_trigger_type: BaseImageTriggerType::Runtime,
        }
    }
}

/// Which images a task stands on count for its base image trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BaseImageTriggerType {
    /// The one that the final stage stands on.
    Runtime,
    /// Also those of the other stages, of `COPY --from` and `RUN --mount`, and the Dockerfile's frontend.
    All,
}

impl Trigger {
    /// Returns the base image trigger if it is there and enabled.
    #[must_use]
    pub fn base_image(&self) -> Option<&BaseImageTrigger> {
        self.base_image_trigger
            .as_ref()
            .filter(|trigger| trigger.status == Status::Enabled)
    }
}
