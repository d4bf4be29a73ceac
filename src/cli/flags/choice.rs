//! Options whose value is one of a few words, in any case, as in az.

use clap::{
    ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use crate::task::{BaseImageTriggerType, OnChange, RunStatus, Status, UpdatePayload};

/// Parses one of az's three-state flags: absent, bare (which is true), or `true` or `false` in any case.
pub fn three_state(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("allowed values: true, false".into()),
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

/// Returns a parser for a few words, each with its value.
fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    choices: [(PossibleValue, T); N],
) -> impl TypedValueParser<Value = T> {
    let words = choices.clone().map(|(word, _)| word);
    PossibleValuesParser::new(words).try_map(move |typed| {
        let found = choices.iter().find(|(word, _)| word.matches(&typed, true));
        found.map(|(_, value)| *value).ok_or("unknown value")
    })
}

fn word(word: &'static str, help: &'static str) -> PossibleValue {
    PossibleValue::new(word).help(help)
}

/// `--status`
pub fn status() -> impl TypedValueParser<Value = Status> {
    one_of([
        (word("Enabled", "Triggers run the task"), Status::Enabled),
        (word("Disabled", "No trigger runs it"), Status::Disabled),
    ])
}

/// `--base-image-trigger-type`
pub fn trigger_type() -> impl TypedValueParser<Value = BaseImageTriggerType> {
    let runtime = word("Runtime", "What the final stage depends on");
    let all = word("All", "Every image that the build needs");
    one_of([
        (runtime, BaseImageTriggerType::Runtime),
        (all, BaseImageTriggerType::All),
    ])
}

/// `--on-change`
pub fn on_change() -> impl TypedValueParser<Value = OnChange> {
    let tell = word(
        "tell",
        "The task is reported as stale, and a person runs it",
    );
    let run = word("run", "The task is run, as if a base had moved");
    one_of([(tell, OnChange::Tell), (run, OnChange::Run)])
}

/// `--update-trigger-payload-type`
pub fn payload_type() -> impl TypedValueParser<Value = UpdatePayload> {
    let whole = word("Default", "The images that moved, the run and the token");
    let token = word("Token", "The token alone");
    one_of([
        (whole, UpdatePayload::Default),
        (token, UpdatePayload::Token),
    ])
}

/// `--run-status`
pub fn run_status() -> impl TypedValueParser<Value = RunStatus> {
    one_of([
        ("Queued".into(), RunStatus::Queued),
        ("Started".into(), RunStatus::Started),
        ("Running".into(), RunStatus::Running),
        ("Succeeded".into(), RunStatus::Succeeded),
        ("Failed".into(), RunStatus::Failed),
        ("Canceled".into(), RunStatus::Canceled),
        ("Error".into(), RunStatus::Error),
        ("Timeout".into(), RunStatus::Timeout),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_state_flag_accepts_true_and_false_in_any_case_only() {
        assert_eq!(three_state("TRUE"), Ok(true));
        assert_eq!(three_state("False"), Ok(false));
        for text in ["yes", "no", "1", "0", "on", ""] {
            assert!(three_state(text).is_err(), "{text:?}");
        }
    }
}
