//! Options about triggers.

use crate::{
    ops::{source_trigger::SourceTriggerPatch, timer::Schedule},
    sys::secret::Secret,
    task::{
        Age, BaseImageTrigger, BaseImageTriggerType, InvalidAge, InvalidCron, InvalidTimerName,
        OnChange, Patch, Status, UpdatePayload, Window,
    },
};

use super::choice::{on_change, payload_type, three_state, trigger_type};

/// Parses `CRON` or `NAME:CRON`.
pub fn schedule(text: &str) -> Result<Schedule, String> {
    let (name, cron) = match text.split_once(':') {
        Some((name, cron)) => (Some(name), cron),
        None => (None, text),
    };
    Ok(Schedule {
        name: name
            .map(|name| {
                name.parse()
                    .map_err(|error: InvalidTimerName| error.to_string())
            })
            .transpose()?,
        cron: cron
            .parse()
            .map_err(|error: InvalidCron| error.to_string())?,
    })
}

/// Parses `CRON` or `NAME:CRON`; an empty text is no schedule.
pub fn schedule_or_none(text: &str) -> Result<Option<Schedule>, String> {
    (!text.is_empty()).then(|| schedule(text)).transpose()
}

/// Parses an age; an empty text removes the one that is set.
fn age(text: &str) -> Result<Patch<Age>, InvalidAge> {
    if text.is_empty() {
        Ok(Patch::Clear)
    } else {
        text.parse().map(Patch::Set)
    }
}

/// Parses a window; an empty text is no window.
fn window(text: &str) -> Result<Option<Window>, String> {
    let window = (!text.is_empty()).then(|| text.parse());
    window
        .transpose()
        .map_err(|error: InvalidCron| error.to_string())
}

// The trigger options of create and update.
#[derive(Debug, clap::Args)]
pub struct TriggerArgs {
    /// Run the task when an image that it depends on moves
    #[arg(long, help_heading = "Triggers", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    base_image_trigger_enabled: Option<bool>,
    /// Which images count: Runtime or All
    #[arg(
        help_heading = "Triggers",
        long,
        ignore_case = true,
        hide_possible_values = true,
        value_parser = trigger_type(),
        value_name = "TYPE"
    )]
    pub base_image_trigger_type: Option<BaseImageTriggerType>,
    /// What to do when its files name other images than it was built on: tell, or run it [default: tell]
    #[arg(
        help_heading = "Triggers",
        long,
        ignore_case = true,
        hide_possible_values = true,
        value_parser = on_change(),
        value_name = "tell|run"
    )]
    pub on_change: Option<OnChange>,
    /// How old a new digest of a base must be before anything is built on it, as 3d or 36h; empty for the default, that of the config file
    #[arg(long, help_heading = "Triggers", value_name = "AGE", value_parser = age)]
    pub min_age: Option<Patch<Age>>,
    /// When triggers may begin runs, as "* 1-5 * * SAT,SUN" in UTC; empty for any time (can be repeated)
    #[arg(long = "window", help_heading = "Triggers", value_name = "CRON", value_parser = window)]
    windows: Vec<Option<Window>>,
    /// Run the task when the git repository of its context has a new commit
    #[arg(long, help_heading = "Triggers", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false", hide_short_help = true)]
    commit_trigger_enabled: Option<bool>,
    /// Webhook to tell of runs that a moved image caused: its URL, env:NAME or file:PATH
    #[arg(
        long,
        help_heading = "Triggers",
        hide_short_help = true,
        value_name = "URL"
    )]
    pub update_trigger_endpoint: Option<Secret>,
    /// Payload of that webhook: Default, or the Token alone
    #[arg(
        help_heading = "Triggers",
        long,
        hide_short_help = true,
        hide_possible_values = true,
        ignore_case = true,
        value_parser = payload_type(),
        value_name = "TYPE"
    )]
    update_trigger_payload_type: Option<UpdatePayload>,
    /// Kept in the definition; pull requests run nothing
    #[arg(long, help_heading = "Triggers", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false", hide_short_help = true)]
    pull_request_trigger_enabled: Option<bool>,
}

impl TriggerArgs {
    /// Returns the windows in which triggers may start a run, if given.
    pub fn windows(&self) -> Option<Vec<Window>> {
        let windows = self.windows.iter().flatten().cloned();
        (!self.windows.is_empty()).then(|| windows.collect())
    }

    /// Returns the base image trigger of a new task. One that is switched off and says nothing else is none, as in az; another one is kept for
    /// when it is switched on.
    pub fn for_new_task(&self, name: String) -> Option<BaseImageTrigger> {
        let kind = self.base_image_trigger_type;
        let trigger = BaseImageTrigger {
            name,
            status: self.switch().unwrap_or(Status::Enabled),
            base_image_trigger_type: kind.unwrap_or(BaseImageTriggerType::Runtime),
            update_trigger_payload_type: self.payload(),
        };
        Some(trigger).filter(|trigger| *trigger != BaseImageTrigger::disabled())
    }

    /// Returns the payload of the trigger's webhook, if there is a webhook.
    pub fn payload(&self) -> Option<UpdatePayload> {
        let said = self.update_trigger_payload_type;
        let endpoint = self.update_trigger_endpoint.as_ref();
        said.or_else(|| endpoint.map(|_| UpdatePayload::Default))
    }

    /// Returns the change of the payload: an empty endpoint removes the webhook.
    pub fn changed_payload(&self) -> Patch<UpdatePayload> {
        match (
            self.update_trigger_endpoint.as_ref().map(Secret::reveal),
            self.payload(),
        ) {
            (Some(""), _) => Patch::Clear,
            (_, Some(payload)) => Patch::Set(payload),
            (_, None) => Patch::Keep,
        }
    }

    /// Returns the new status of the trigger, if it changes.
    pub fn switch(&self) -> Option<Status> {
        self.base_image_trigger_enabled.map(Status::enabled)
    }

    /// Returns the changes of the source triggers.
    pub fn source(&self) -> SourceTriggerPatch {
        SourceTriggerPatch {
            commits: self.commit_trigger_enabled,
            pull_requests: self.pull_request_trigger_enabled,
            name: None,
        }
    }
}
