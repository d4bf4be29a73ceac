//! `acrt task update`

use std::path::PathBuf;

use crate::{
    cli::{
        columns,
        flags::{
            azure::AzureTaskArgs,
            build::{ArgumentArgs, Platforms, platforms},
            choice::{Status, three_state},
            copies::words,
            keep::KeepArgs,
            one_task::OneTaskArgs,
            steps::{StepOptions, TrustArgs, ValueArgs, text_of},
            trigger::{TriggerArgs, schedule},
        },
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App, task::SecretPatch, timer::Schedule},
    sys::secret::Secret,
    task::{Context, Patch, Step, TaskPatch, multi_step::encoded},
};

/// Change a task
///
/// What is not given stays as it is. Lists are replaced as a whole: `--image`, `--arg` and `--schedule` name all that shall be there.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task update --name web --base-image-trigger-enabled false\n  acrt task update --name web --arg NODE=22\n  acrt task update --name web --target \"\"    (builds the last stage again)"
)]
pub struct UpdateArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    /// Folder of the build
    #[arg(short, long, help_heading = "What is built")]
    context: Option<Context>,
    /// Dockerfile or multi-step file (.yaml), relative to the context, or -
    #[arg(short, long, help_heading = "What is built")]
    file: Option<PathBuf>,
    /// Image to copy, of a task that keeps a copy
    #[arg(long, help_heading = "What is built", value_name = "IMAGE", conflicts_with_all = ["context", "file", "cmd"])]
    import: Option<String>,
    /// Program that tries a new copy before its tags move; empty for none
    #[arg(long, help_heading = "What is built", value_name = "COMMAND")]
    test: Option<String>,
    /// Command to run in a container, as `[OPTIONS] IMAGE ARGUMENTS`, instead of a file
    #[arg(
        long,
        help_heading = "Multi-step files",
        value_name = "COMMAND",
        allow_hyphen_values = true
    )]
    cmd: Option<String>,
    #[command(flatten)]
    values: ValueArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)
    #[arg(
        short = 't',
        long = "image",
        help_heading = "Images",
        value_name = "IMAGE"
    )]
    images: Vec<String>,
    #[command(flatten)]
    keep: KeepArgs,
    /// Enabled or Disabled
    #[arg(long, ignore_case = true, hide_possible_values = true)]
    status: Option<Status>,
    #[command(flatten)]
    arguments: ArgumentArgs,
    /// Stage to build; empty is the last
    #[arg(long, help_heading = "What is built", value_name = "STAGE")]
    target: Option<String>,
    /// Platforms to build for, as linux/amd64,linux/arm64
    #[arg(long, help_heading = "What is built", value_parser = platforms)]
    platform: Option<Platforms>,
    /// Build without pushing
    #[arg(long, help_heading = "Images", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_push: Option<bool>,
    /// Build without the builder's cache
    #[arg(long, help_heading = "What is built", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_cache: Option<bool>,
    /// Seconds that a run may take
    #[arg(long, help_heading = "What is built", value_parser = clap::value_parser!(u32).range(1..), value_name = "SECONDS")]
    timeout: Option<u32>,
    #[command(flatten)]
    triggers: TriggerArgs,
    /// Run the task at these times, in UTC, and at no others (can be repeated)
    #[arg(long = "schedule", help_heading = "Triggers", value_name = "[NAME:]CRON", value_parser = schedule)]
    schedules: Vec<Schedule>,
    /// What opens the git repository of the context: itself, env:NAME or file:PATH
    #[arg(long, help_heading = "What is built", value_name = "TOKEN")]
    git_access_token: Option<Secret>,
    /// Keep .git, .gitignore, .hg, .svn and .venv of the context
    #[arg(long, help_heading = "What is built", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    keep_vcs: Option<bool>,
    /// Program that a successful run starts, with the run as JSON on its standard input; empty for none
    #[arg(long, help_heading = "Triggers", value_name = "COMMAND")]
    on_success: Option<String>,
    #[command(flatten)]
    azure: AzureTaskArgs,
}

pub fn run(app: &App, report: &Report, args: UpdateArgs) -> Result<Outcome> {
    args.azure.tell(report);
    let key = args.task.find(app)?;
    let (arguments, secrets) = match args.arguments.is_given() {
        true => {
            let (arguments, secrets) = args.arguments.arguments();
            (Some(arguments), Some(secrets))
        }
        false => (None, None),
    };
    let (values, secret_values) = match args.values.has_values() {
        true => {
            let (values, secrets) = args.values.values();
            (Some(values), Some(secrets))
        }
        false => (None, None),
    };
    let old = ops::task::existing(app, &key)?;
    let context = args.context.as_ref().or(old.step.context());
    let holds_its_file = matches!(old.step, Step::EncodedTask(_));
    let wanted = StepOptions {
        context: context.unwrap_or(&Context::None),
        file: args.file.as_deref(),
        command: args.cmd.as_deref(),
        timeout: args.timeout.unwrap_or(old.timeout),
        values: &args.values,
        trust_context: false,
    };
    let content = match args.file.is_some() || args.cmd.is_some() {
        true => wanted.content()?,
        false => None,
    };
    let values_content = match holds_its_file || content.is_some() {
        true => args
            .values
            .file()
            .map(|path| encoded_file(path))
            .transpose()?,
        false => None,
    };
    let new_secrets = SecretPatch {
        arguments: secrets,
        values: secret_values,
        git_access_token: args.git_access_token,
        update_trigger_endpoint: args.triggers.endpoint(),
    };
    let wish = args.triggers.source(None);
    let patch = TaskPatch {
        status: args.status.map(Into::into),
        context: args.context,
        file: args.file.filter(|_| content.is_none()),
        content: content.as_deref().map(encoded),
        values_file: args.values.file().cloned().into(),
        values_content,
        values,
        on_success: args.on_success.as_deref().map(words).transpose()?,
        on_change: args.triggers.on_change(),
        keep_tags: args.keep.patch().0,
        keep_days: args.keep.patch().1,
        min_age: args.triggers.min_age(),
        update_trigger_payload_type: args.triggers.changed_payload(),
        source: args.import,
        test: args.test.as_deref().map(words).transpose()?,
        allow_privileged: args.values.allow_privileged.then_some(true),
        trust_context: args.trust.trust_context,
        images: Some(args.images).filter(|images| !images.is_empty()),
        arguments,
        target: emptied(args.target),
        platforms: args.platform.map(|platforms| platforms.0),
        timeout: args.timeout,
        builder: emptied(app.surroundings.builder.clone()),
        push: args.no_push.map(|no_push| !no_push),
        no_cache: args.no_cache,
        keep_vcs: args.keep_vcs,
        base_image_trigger: args.triggers.switch(),
        base_image_trigger_type: args.triggers.kind(),
        timers: match args.schedules.is_empty() {
            true => None,
            false => Some(ops::timer::timers(args.schedules, app.clock.now())?),
        },
    };
    ops::task::update(app, &key, patch, &wish, new_secrets, &report.events())?;
    let task = ops::show::task(app, &key)?;
    Ok(Outcome::answer(columns::task_view(app, task)))
}

fn encoded_file(path: &std::path::Path) -> Result<String> {
    text_of(path).map(|text| encoded(&text))
}

/// An option that is not given keeps the value, an empty one takes it away.
fn emptied(value: Option<String>) -> Patch<String> {
    match value {
        Some(value) if value.is_empty() => Patch::Clear,
        value => value.into(),
    }
}
