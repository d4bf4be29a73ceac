//! The triggers of a task.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Cron, Status};

/// The default name of a base image trigger.
pub const DEFAULT_BASE_IMAGE_TRIGGER: &str = "defaultBaseimageTriggerName";

/// The triggers of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Trigger {
    /// Runs the task when an image that it depends on moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_image_trigger: Option<BaseImageTrigger>,
    /// Run the task at set times.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "differently_named"
    )]
    pub timer_triggers: Vec<TimerTrigger>,
    /// Run the task when its git repository changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_triggers: Vec<SourceTrigger>,
}

/// The default name of a source trigger.
pub const DEFAULT_SOURCE_TRIGGER: &str = "defaultSourceTriggerName";

/// Runs a task when the git repository of its context changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceTrigger {
    /// The name, for people only.
    pub name: String,
    /// A disabled trigger stays in the definition and does nothing.
    #[serde(default)]
    pub status: Status,
    pub source_trigger_events: Vec<SourceEvent>,
}

/// Something that happens to a git repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceEvent {
    /// The branch of the context names another commit.
    Commit,
    /// A pull request, which only a webhook can report.
    PullRequest,
}

/// Runs a task at set times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimerTrigger {
    /// The name, used by the `task timer` commands.
    pub name: TimerName,
    /// When it fires, in UTC.
    pub schedule: Cron,
    /// A disabled timer stays in the definition and does nothing.
    #[serde(default)]
    pub status: Status,
    /// When this schedule was set or enabled: earlier times are not made up for. `None` in a definition written by
    /// hand; then it is when `watch` first sees the timer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// The name of a timer: up to 50 characters without colons and control characters, because `--schedule` takes
/// `NAME:CRON`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimerName(String);

/// A text that is no timer name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timer name `{}` must be 1 to 50 characters without colons and control characters", .0.escape_debug())]
pub struct InvalidTimerName(pub String);

impl TimerName {
    /// Returns the default name of a timer: `t` and its position among the timers, counted from 1, as in az.
    pub fn of_place(place: usize) -> Self {
        Self(format!("t{place}"))
    }
}

impl FromStr for TimerName {
    type Err = InvalidTimerName;

    fn from_str(text: &str) -> Result<Self, InvalidTimerName> {
        let name = text.trim();
        let fits = (1..=50).contains(&name.chars().count());
        if fits && !name.contains(|c: char| c == ':' || c.is_control()) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidTimerName(text.into()))
        }
    }
}

impl TryFrom<String> for TimerName {
    type Error = InvalidTimerName;

    fn try_from(text: String) -> Result<Self, InvalidTimerName> {
        text.parse()
    }
}

impl From<TimerName> for String {
    fn from(name: TimerName) -> Self {
        name.0
    }
}

impl fmt::Display for TimerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads timers whose names are all different: commands and runs know a timer by its name.
fn differently_named<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<TimerTrigger>, D::Error> {
    let timers = Vec::<TimerTrigger>::deserialize(deserializer)?;
    let mut names = BTreeSet::new();
    match timers.iter().find(|timer| !names.insert(&timer.name)) {
        Some(twin) => Err(D::Error::custom(format!(
            "two timers have the name `{}`",
            twin.name
        ))),
        None => Ok(timers),
    }
}

/// Runs a task when an image that it depends on moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BaseImageTrigger {
    /// The name, for people only.
    pub name: String,
    /// A disabled trigger stays in the definition and does nothing.
    pub status: Status,
    pub base_image_trigger_type: BaseImageTriggerType,
    /// The payload of the webhook that reports runs caused by a moved image, if there is a webhook. Its URL may be secret, and
    /// is stored separately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_trigger_payload_type: Option<UpdatePayload>,
}

/// The payload of a base image trigger's webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdatePayload {
    /// The images that moved, the run and the token.
    #[default]
    Default,
    Token,
}

impl Default for BaseImageTrigger {
    fn default() -> Self {
        Self {
            name: DEFAULT_BASE_IMAGE_TRIGGER.into(),
            status: Status::Enabled,
            base_image_trigger_type: BaseImageTriggerType::Runtime,
            update_trigger_payload_type: None,
        }
    }
}

impl BaseImageTrigger {
    /// Returns a trigger that does nothing, as a task without one.
    pub fn disabled() -> Self {
        Self {
            status: Status::Disabled,
            ..Self::default()
        }
    }
}

/// Which dependencies of a task count for its base image trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BaseImageTriggerType {
    /// The base of the final stage.
    Runtime,
    /// Also those of the other stages, of `COPY --from` and `RUN --mount`, and the Dockerfile's frontend.
    All,
}

impl Trigger {
    /// Returns the base image trigger if it exists and is enabled.
    pub fn base_image(&self) -> Option<&BaseImageTrigger> {
        self.base_image_trigger
            .as_ref()
            .filter(|trigger| trigger.status == Status::Enabled)
    }

    /// Tells whether a new commit triggers the task.
    pub fn follows_commits(&self) -> bool {
        self.source_triggers.iter().any(|trigger| {
            trigger.status == Status::Enabled
                && trigger.source_trigger_events.contains(&SourceEvent::Commit)
        })
    }

    /// Returns the timers that are enabled.
    pub fn timers(&self) -> impl Iterator<Item = &TimerTrigger> {
        self.timer_triggers
            .iter()
            .filter(|timer| timer.status == Status::Enabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timer_name_is_any_short_text_without_a_colon() {
        for name in ["t1", "every night", "nächtlich", "-x"] {
            assert_eq!(name.parse::<TimerName>().unwrap().to_string(), name);
        }
        assert_eq!(" t1 ".parse::<TimerName>().unwrap().to_string(), "t1");
        for text in ["", " ", "a:b", "a\nb", "\u{1b}[31m", &"x".repeat(51)] {
            assert_eq!(
                text.parse::<TimerName>(),
                Err(InvalidTimerName(text.into())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn disabled_timer_is_not_listed_as_active() {
        let trigger: Trigger = serde_yaml::from_str(
            "{timerTriggers: [{name: a, schedule: '0 1 * * *'}, {name: b, schedule: '0 2 * * *', status: Disabled}]}",
        )
        .unwrap();
        let names: Vec<String> = trigger
            .timers()
            .map(|timer| timer.name.to_string())
            .collect();
        assert_eq!(names, ["a"]);
    }

    #[test]
    fn timers_of_one_name_are_refused() {
        let twins =
            "timerTriggers: [{name: a, schedule: '0 1 * * *'}, {name: a, schedule: '0 2 * * *'}]";
        let error = serde_yaml::from_str::<Trigger>(twins).unwrap_err();
        assert!(
            error.to_string().contains("two timers have the name `a`"),
            "{error}"
        );
    }
}
