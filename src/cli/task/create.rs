//! `acrt task create`

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
            steps::{StepOptions, TrustArgs, ValueArgs},
            trigger::{TriggerArgs, schedule},
        },
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App, task::NewTask, timer::Schedule},
    sys::secret::Secret,
    task::{
        Context, DockerStep, ImportStep, Step, TaskName, TaskPatch,
        trigger::{DEFAULT_BASE_IMAGE_TRIGGER, DEFAULT_SOURCE_TRIGGER},
    },
};

/// Create a task, or replace the one of that name
///
/// A task builds a Dockerfile and pushes the images, carries out the steps of a YAML file, or keeps a copy of an image. Once it has run, it is run again whenever what it depends on moves.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task create --name web --registry localhost:5000 \\\n    --image web:latest --context ./web --file Dockerfile\n  acrt task create -n api -r localhost:5000 -t api:latest -t api:{{.Run.ID}} \\\n    -c ./api --arg NODE=20 --base-image-trigger-type All\n  acrt task create -n tool -t ghcr.io/acme/tool:1 -c . \\\n    --base-image-trigger-enabled false\n  acrt task create -n nightly -t ghcr.io/acme/web:nightly -c ./web \\\n    --schedule \"0 21 * * *\" --schedule \"noon:0 12 * * MON-FRI\"\n  acrt task create -n gate -r localhost:5000 -c ./web -f acb.yaml --set tag=1\n  acrt task create -n purge -r localhost:5000 -c /dev/null \\\n    --cmd \"alpine:3 date\"\n  acrt task create -n node -r localhost:5000 -t base/node:20 \\\n    --import docker.io/library/node:20"
)]
#[command(mut_arg("base_image_trigger_enabled", |arg| arg.default_value("true")))]
#[command(mut_arg("base_image_trigger_type", |arg| arg.default_value("Runtime")))]
pub struct CreateArgs {
    /// Name of the task: letters, digits, `-` and `_`
    #[arg(short, long)]
    name: TaskName,
    /// Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER")]
    registry: Option<String>,
    /// Folder of the build, or /dev/null for none
    #[arg(
        short,
        long,
        help_heading = "What is built",
        required_unless_present = "import"
    )]
    context: Option<Context>,
    /// Image to copy instead of a build, so that the copy stays fresh
    #[arg(long, help_heading = "What is built", value_name = "IMAGE", conflicts_with_all = ["context", "file", "cmd", "args", "secret_args", "target", "no_push", "no_cache", "keep_vcs"])]
    import: Option<String>,
    /// Program that tries a new copy, $ACRT_IMAGE, before its tags move
    #[arg(
        long,
        help_heading = "What is built",
        value_name = "COMMAND",
        requires = "import"
    )]
    test: Option<String>,
    /// Copy what refers to the image too: signatures, SBOMs
    #[arg(long, help_heading = "What is built", requires = "import")]
    all_referrers: bool,
    /// Dockerfile or multi-step file (.yaml), relative to the context, or - [default: Dockerfile]
    #[arg(short, long, help_heading = "What is built")]
    file: Option<PathBuf>,
    /// Command to run in a container, as `[OPTIONS] IMAGE ARGUMENTS`, instead of a file
    #[arg(
        long,
        help_heading = "What is built",
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
    #[arg(
        long,
        ignore_case = true,
        default_value = "Enabled",
        hide_possible_values = true
    )]
    status: Status,
    #[command(flatten)]
    arguments: ArgumentArgs,
    /// Stage to build, if not the last
    #[arg(long, help_heading = "What is built", value_name = "STAGE")]
    target: Option<String>,
    /// Platforms to build for, as linux/amd64,linux/arm64 [default: the builder's own]
    #[arg(long, help_heading = "What is built", value_parser = platforms)]
    platform: Option<Platforms>,
    /// Build without pushing
    #[arg(long, help_heading = "Images", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_push: Option<bool>,
    /// Build without the builder's cache
    #[arg(long, help_heading = "What is built", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_cache: Option<bool>,
    /// Seconds that a run may take
    #[arg(long, help_heading = "What is built", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..), value_name = "SECONDS")]
    timeout: u32,
    #[command(flatten)]
    triggers: TriggerArgs,
    /// Name of the base image trigger
    #[arg(long, help_heading = "Triggers", default_value = DEFAULT_BASE_IMAGE_TRIGGER, value_name = "NAME")]
    base_image_trigger_name: String,
    /// Run the task at set times too: five fields in UTC, with a name before a colon if it is to have one (can be repeated)
    #[arg(long = "schedule", help_heading = "Triggers", value_name = "[NAME:]CRON", value_parser = schedule)]
    schedules: Vec<Schedule>,
    /// Name of the source trigger
    #[arg(long, help_heading = "Triggers", default_value = DEFAULT_SOURCE_TRIGGER, value_name = "NAME")]
    source_trigger_name: String,
    /// What opens the git repository of the context: itself, env:NAME or file:PATH
    #[arg(long, help_heading = "What is built", value_name = "TOKEN")]
    git_access_token: Option<Secret>,
    /// Keep .git, .gitignore, .hg, .svn and .venv of the context
    #[arg(long, help_heading = "What is built", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    keep_vcs: Option<bool>,
    /// Program that a successful run starts, with the run as JSON on its standard input
    #[arg(long, help_heading = "Triggers", value_name = "COMMAND")]
    on_success: Option<String>,
    #[command(flatten)]
    azure: AzureTaskArgs,
}

pub fn run(app: &App, report: &Report, args: CreateArgs) -> Result<Outcome> {
    args.azure.tell(report);
    let (arguments, secret_arguments) = args.arguments.arguments();
    let given = TaskPatch {
        images: Some(args.images.clone()).filter(|images| !images.is_empty()),
        arguments: args.arguments.is_given().then(|| arguments.clone()),
        target: args.target.clone().into(),
        push: args.no_push.map(|no_push| !no_push),
        no_cache: args.no_cache,
        keep_vcs: args.keep_vcs,
        trust_context: args.trust.trust_context,
        values: args.values.has_values().then(Vec::new),
        values_file: args.values.file().cloned().into(),
        allow_privileged: args.values.allow_privileged.then_some(true),
        ..TaskPatch::default()
    };
    let context = args.context.unwrap_or(Context::None);
    let wanted = StepOptions {
        context: &context,
        file: args.file.as_deref(),
        command: args.cmd.as_deref(),
        timeout: args.timeout,
        values: &args.values,
        trust_context: args.trust.trust_context.unwrap_or(false),
    };
    let step = match args.import {
        Some(source) => Some(Step::Import(ImportStep {
            source,
            image_names: args.images.clone(),
            repositories: Vec::new(),
            all_referrers: args.all_referrers,
            force: true,
            test: args
                .test
                .as_deref()
                .map(words)
                .transpose()?
                .unwrap_or_default(),
        })),
        None => wanted.step()?,
    };
    let step = match step {
        Some(step) => step,
        None => Step::Docker(DockerStep {
            context_path: context,
            docker_file_path: args.file.unwrap_or_else(|| "Dockerfile".into()),
            image_names: args.images,
            is_push_enabled: !args.no_push.unwrap_or(false),
            no_cache: args.no_cache.unwrap_or(false),
            target: args.target,
            arguments,
            trust_context: args.trust.trust_context.unwrap_or(false),
        }),
    };
    ops::task::check_fit(&given, &step, args.name.as_str())?;
    let new = NewTask {
        name: args.name,
        registry: args.registry,
        step,
        secret_arguments,
        git_access_token: args.git_access_token,
        secret_values: args.values.values().1,
        platforms: args.platform.unwrap_or_default().0,
        timeout: args.timeout,
        builder: app.surroundings.builder.clone(),
        status: args.status.into(),
        keep_vcs: args.keep_vcs.unwrap_or(false),
        source: args.triggers.source(Some(args.source_trigger_name)),
        base_image_trigger: args
            .triggers
            .for_new_task(Some(args.base_image_trigger_name)),
        schedules: args.schedules,
        on_success: args
            .on_success
            .as_deref()
            .map(words)
            .transpose()?
            .unwrap_or_default(),
        on_change: args.triggers.on_change().unwrap_or_default(),
        keep_tags: args.keep.new_task().0,
        keep_days: args.keep.new_task().1,
        min_age: args.triggers.min_age(),
        update_trigger_endpoint: args.triggers.endpoint(),
    };
    let key = ops::task::create(app, new, &report.events())?;
    let task = ops::show::task(app, &key)?;
    Ok(Outcome::answer(columns::task_view(app, task)))
}
