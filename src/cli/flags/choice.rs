//! Values that are one of a few words, in any case, as az takes them.

use clap::ValueEnum;

use crate::task::{self, RunStatus};

/// Reads one of az's three-state flags: left out, bare (which is true), or with `true` or `false` in any case.
pub fn three_state(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("allowed values: true, false".into()),
    }
}

/// `--status`
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Status {
    /// Triggers run the task
    Enabled,
    /// No trigger runs it
    Disabled,
}

impl From<Status> for task::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::Enabled => Self::Enabled,
            Status::Disabled => Self::Disabled,
        }
    }
}

/// `--base-image-trigger-type`
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum TriggerType {
    /// What the final stage depends on
    Runtime,
    /// Every image that the build needs
    All,
}

impl From<TriggerType> for task::BaseImageTriggerType {
    fn from(kind: TriggerType) -> Self {
        match kind {
            TriggerType::Runtime => Self::Runtime,
            TriggerType::All => Self::All,
        }
    }
}

/// `--on-change`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OnChange {
    /// It is said, and a person runs the task
    Tell,
    /// The task is run, as if a base had moved
    Run,
}

impl From<OnChange> for task::OnChange {
    fn from(wish: OnChange) -> Self {
        match wish {
            OnChange::Tell => Self::Tell,
            OnChange::Run => Self::Run,
        }
    }
}

/// `--update-trigger-payload-type`
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum PayloadType {
    /// The images that moved, the run and the token
    Default,
    /// The token alone
    Token,
}

impl From<PayloadType> for task::UpdatePayload {
    fn from(kind: PayloadType) -> Self {
        match kind {
            PayloadType::Default => Self::Default,
            PayloadType::Token => Self::Token,
        }
    }
}

/// `--log-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object a line
    Json,
}

/// `--run-status`
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Stage {
    Queued,
    Started,
    Running,
    Succeeded,
    Failed,
    Canceled,
    Error,
    Timeout,
}

impl From<Stage> for RunStatus {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Queued => Self::Queued,
            Stage::Started => Self::Started,
            Stage::Running => Self::Running,
            Stage::Succeeded => Self::Succeeded,
            Stage::Failed => Self::Failed,
            Stage::Canceled => Self::Canceled,
            Stage::Error => Self::Error,
            Stage::Timeout => Self::Timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_state_flags_take_true_and_false_in_any_case_and_nothing_else() {
        assert_eq!(three_state("TRUE"), Ok(true));
        assert_eq!(three_state("False"), Ok(false));
        for text in ["yes", "no", "1", "0", "on", ""] {
            assert!(three_state(text).is_err(), "{text:?}");
        }
    }
}
