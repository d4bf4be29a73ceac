//! The options that `create` and `update` share.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};

use crate::{
    error::Result,
    ops::{
        App,
        task::{SecretPatch, TaskOptions},
        timer::{Schedule, timers},
    },
    sys::secret::Secret,
    task::{Context, Patch, Status, Step, Task, TaskPatch, multi_step::encoded},
};

use super::{
    azure::AzureTaskArgs,
    build::{ArgumentArgs, Platforms, platforms_or_none},
    choice::{status, three_state},
    duration::timeout,
    program::words,
    steps::{StepOptions, ValueArgs, text_of},
    trigger::{TriggerArgs, schedule_or_none},
};

// The options of a definition. An option that is not given keeps its value or its default.
#[derive(Debug, clap::Args)]
#[command(mut_arg("args", |arg| arg.help("Build argument, NAME=VALUE; without a value it is taken from the environment; empty for none (can be repeated)")))]
#[command(mut_arg("set", |arg| arg.help("Value for {{.Values.NAME}}, NAME=VALUE; empty for none (can be repeated)")))]
#[command(mut_arg("values", |arg| {
    arg.value_parser(OsStringValueParser::new().map(PathBuf::from))
        .help("File of values, relative to the context; with --cmd or --file -, to the current folder; empty for none")
}))]
pub struct DefinitionArgs {
    /// Folder of the build, or /dev/null for none
    #[arg(short, long, help_heading = "What is built")]
    pub context: Option<Context>,
    /// Image to copy instead of a build, so that the copy stays fresh
    #[arg(long, help_heading = "What is built", value_name = "IMAGE", conflicts_with_all = ["context", "file", "cmd"])]
    pub import: Option<String>,
    /// Program that tries a new copy, $ACRT_IMAGE, before its tags move; empty for none
    #[arg(long, help_heading = "What is built", value_name = "COMMAND")]
    pub test: Option<String>,
    /// Dockerfile or multi-step file (.yaml), relative to the context, or - [default: Dockerfile]
    #[arg(short, long, help_heading = "What is built")]
    pub file: Option<PathBuf>,
    /// Command to run in a container, as `[OPTIONS] IMAGE ARGUMENTS`, instead of a file
    #[arg(
        long,
        help_heading = "What is built",
        value_name = "COMMAND",
        allow_hyphen_values = true
    )]
    pub cmd: Option<String>,
    #[command(flatten)]
    values: ValueArgs,
    /// Let steps be privileged: they can do anything to this machine
    #[arg(long, help_heading = "Multi-step files", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    allow_privileged: Option<bool>,
    /// Let what the context brings do all that the task may: for contexts that you alone write
    #[arg(long, help_heading = "What is built", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    trust_context: Option<bool>,
    /// Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)
    #[arg(
        short = 't',
        long = "image",
        help_heading = "Images",
        value_name = "IMAGE"
    )]
    pub images: Vec<String>,
    /// How many of the newest tags made from {{.Run.ID}} are kept after a run [default: all]
    #[arg(
        long,
        help_heading = "Images",
        value_name = "COUNT",
        allow_negative_numbers = true
    )]
    keep_tags: Option<u32>,
    /// For how many days such tags are kept; with --keep-tags, the newest are kept for longer
    #[arg(
        long,
        help_heading = "Images",
        value_name = "DAYS",
        allow_negative_numbers = true
    )]
    keep_days: Option<u32>,
    /// Enabled or Disabled
    #[arg(long, help_heading = "Triggers", ignore_case = true, hide_possible_values = true, value_parser = status())]
    status: Option<Status>,
    #[command(flatten)]
    pub arguments: ArgumentArgs,
    /// Stage to build, if not the last; empty for the last
    #[arg(long, help_heading = "What is built", value_name = "STAGE")]
    target: Option<String>,
    /// Platforms to build for, as linux/amd64,linux/arm64; empty for the default, the builder's own
    #[arg(long, help_heading = "What is built", value_parser = platforms_or_none)]
    platform: Option<Platforms>,
    /// Build without pushing
    #[arg(long, help_heading = "Images", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_push: Option<bool>,
    /// Build without the builder's cache
    #[arg(long, help_heading = "What is built", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_cache: Option<bool>,
    /// How long a run may take: seconds, or as 10m or 2h
    #[arg(long, help_heading = "What is built", value_parser = timeout, value_name = "TIME")]
    timeout: Option<u32>,
    #[command(flatten)]
    pub triggers: TriggerArgs,
    /// Run the task at set times too: five fields in UTC, with a name before a colon if it is to have one; empty for none (can be repeated)
    #[arg(long = "schedule", help_heading = "Triggers", value_name = "[NAME:]CRON", value_parser = schedule_or_none)]
    schedules: Vec<Option<Schedule>>,
    /// What opens the git repository of the context: itself, env:NAME or file:PATH
    #[arg(
        long,
        help_heading = "What is built",
        value_name = "TOKEN",
        allow_hyphen_values = true
    )]
    git_access_token: Option<Secret>,
    /// Keep .git, .gitignore, .hg, .svn and .venv of the context
    #[arg(long, help_heading = "What is built", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    keep_vcs: Option<bool>,
    /// Program that a successful run starts, in the folder where acrt was started, with the run as JSON on its standard input; empty for none
    #[arg(long, help_heading = "Triggers", value_name = "COMMAND")]
    on_success: Option<String>,
    #[command(flatten)]
    azure: AzureTaskArgs,
}

impl DefinitionArgs {
    /// Returns the change that the options make to `old`: the existing task, or a new one with its defaults.
    pub fn task_options(self, app: &App, old: &Task) -> Result<TaskOptions> {
        let content = self.content(old)?;
        let holds_its_file = content.is_some() || matches!(old.step, Step::EncodedTask(_));
        let values_file = emptied(self.values.file().cloned());
        let values_content = match &values_file {
            Patch::Set(path) if holds_its_file => Some(text_of(path)?),
            _ => None,
        };
        let arguments = if self.arguments.are_emptied() {
            Default::default()
        } else {
            self.arguments.arguments()
        };
        let values = if self.values.are_emptied() {
            Default::default()
        } else {
            self.values.values()?
        };
        let (arguments, secret_arguments) = self.arguments.is_given().then_some(arguments).unzip();
        let (values, secret_values) = self.values.has_values().then_some(values).unzip();
        let timers = if self.schedules.is_empty() {
            None
        } else {
            let schedules = self.schedules.into_iter().flatten().collect();
            Some(timers(schedules, app.clock.now())?)
        };
        let patch = TaskPatch {
            status: self.status,
            file: self.file.filter(|_| content.is_none()),
            content: content.as_deref().map(encoded),
            values_file,
            values_content: values_content.as_deref().map(encoded),
            values,
            on_success: self.on_success.as_deref().map(words).transpose()?,
            on_change: self.triggers.on_change,
            keep_tags: emptied(self.keep_tags),
            keep_days: emptied(self.keep_days),
            min_age: self.triggers.min_age.clone().unwrap_or_default(),
            windows: self.triggers.windows(),
            update_trigger_payload_type: self.triggers.changed_payload(),
            source: self.import,
            test: self.test.as_deref().map(words).transpose()?,
            allow_privileged: self.allow_privileged,
            trust_context: self.trust_context,
            context: self.context,
            images: Some(self.images).filter(|images| !images.is_empty()),
            arguments,
            target: emptied(self.target),
            platforms: self.platform.map(|platforms| platforms.0),
            timeout: self.timeout,
            builder: emptied(app.global_options.builder.clone()),
            push: self.no_push.map(|no_push| !no_push),
            no_cache: self.no_cache,
            keep_vcs: self.keep_vcs,
            base_image_trigger: self.triggers.switch(),
            base_image_trigger_type: self.triggers.base_image_trigger_type,
            timers,
        };
        Ok(TaskOptions {
            patch,
            source: self.triggers.source(),
            secrets: SecretPatch {
                arguments: secret_arguments,
                values: secret_values,
                git_access_token: self.git_access_token,
                update_trigger_endpoint: self.triggers.update_trigger_endpoint,
            },
        })
    }

    /// Returns the text of a file that is stored in the definition.
    fn content(&self, old: &Task) -> Result<Option<String>> {
        let context = self.context.as_ref().or(old.step.context());
        let wanted = StepOptions {
            context: context.unwrap_or(&Context::None),
            file: self.file.as_deref(),
            command: self.cmd.as_deref(),
            timeout: self.timeout.unwrap_or(old.timeout),
            values: &self.values,
            allow_privileged: false,
            trust_context: false,
        };
        let names_a_file = self.file.is_some() || self.cmd.is_some();
        let needs_one =
            matches!(&old.step, Step::Docker(step) if step.context_path == Context::None);
        if names_a_file || needs_one {
            wanted.content()
        } else {
            Ok(None)
        }
    }
}

/// An option that is not given keeps the value; an empty one, or 0, removes it.
fn emptied<T: Default + PartialEq>(value: Option<T>) -> Patch<T> {
    match value {
        Some(value) if value == T::default() => Patch::Clear,
        value => value.into(),
    }
}
