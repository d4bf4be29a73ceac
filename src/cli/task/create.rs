//! `acrt task create`

use std::path::PathBuf;

use crate::{
    cli::{
        Outcome, columns,
        flags::{
            azure::AzureTaskArgs,
            build::{ArgumentArgs, Platforms, platforms},
            choice::{Status, three_state},
            steps::{ValueArgs, Wanted},
            trigger::TriggerArgs,
        },
        report::Report,
    },
    error::Result,
    ops::{self, App, task::NewTask},
    task::{Context, DockerStep, Step, TaskName},
    view::View,
};

/// Create a task, or replace the one of that name
///
/// A task builds a Dockerfile and pushes the images, or carries out the steps of a YAML file. Once it has run, it is run again whenever what it stands on moves.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task create --name web --registry localhost:5000 --image web:latest --context ./web --file Dockerfile\n  acrt task create -n api -r localhost:5000 -t api:latest -t api:{{.Run.ID}} -c ./api --arg NODE=20 --base-image-trigger-type All\n  acrt task create -n tool -t ghcr.io/acme/tool:1 -c . --base-image-trigger-enabled false\n  acrt task create -n gate -r localhost:5000 -c ./web -f acb.yaml --set tag=1\n  acrt task create -n purge -r localhost:5000 -c /dev/null --cmd \"alpine:3 date\""
)]
pub struct CreateArgs {
    /// Name of the task: letters, digits, `-` and `_`
    #[arg(short, long)]
    name: TaskName,
    /// Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER")]
    registry: Option<String>,
    /// Folder of the build, or /dev/null for none
    #[arg(short, long)]
    context: Context,
    /// Dockerfile or multi-step file (.yaml), relative to the context, or - [default: Dockerfile]
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Command to run in a container, as `IMAGE ARGUMENTS`, instead of a file
    #[arg(long, help_heading = "Multi-step files", value_name = "COMMAND")]
    cmd: Option<String>,
    #[command(flatten)]
    values: ValueArgs,
    /// Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)
    #[arg(short = 't', long = "image", value_name = "IMAGE")]
    images: Vec<String>,
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
    #[arg(long, help_heading = "Build options", value_name = "STAGE")]
    target: Option<String>,
    /// Platforms to build for, as linux/amd64,linux/arm64 [default: the builder's own]
    #[arg(long, help_heading = "Build options", value_parser = platforms)]
    platform: Option<Platforms>,
    /// Build without pushing
    #[arg(long, help_heading = "Build options", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_push: Option<bool>,
    /// Build without the builder's cache
    #[arg(long, help_heading = "Build options", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_cache: Option<bool>,
    /// Seconds that a run may take
    #[arg(long, help_heading = "Build options", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..), value_name = "SECONDS")]
    timeout: u32,
    #[command(flatten)]
    triggers: TriggerArgs,
    /// Name of the base image trigger
    #[arg(long, help_heading = "Trigger options", value_name = "NAME")]
    base_image_trigger_name: Option<String>,
    #[command(flatten)]
    azure: AzureTaskArgs,
}

pub fn run(app: &App, report: &Report, args: CreateArgs) -> Result<Outcome> {
    args.azure.tell(report);
    let (arguments, secret_arguments) = args.arguments.arguments();
    let wanted = Wanted {
        context: &args.context,
        file: args.file.as_deref(),
        command: args.cmd.as_deref(),
        timeout: args.timeout,
        values: &args.values,
    };
    let step = match wanted.step()? {
        Some(step) => step,
        None => Step::Docker(DockerStep {
            context_path: args.context,
            docker_file_path: args.file.unwrap_or_else(|| "Dockerfile".into()),
            image_names: args.images,
            is_push_enabled: !args.no_push.unwrap_or(false),
            no_cache: args.no_cache.unwrap_or(false),
            target: args.target,
            arguments,
        }),
    };
    let new = NewTask {
        name: args.name,
        registry: args.registry,
        step,
        secret_arguments,
        secret_values: args.values.values().1,
        platforms: args.platform.unwrap_or_default().0,
        timeout: args.timeout,
        builder: app.surroundings.builder.clone(),
        status: args.status.into(),
        base_image_trigger: args.triggers.for_new_task(args.base_image_trigger_name)?,
    };
    let task = ops::task::create(app, new, &mut |event| report.event(event))?;
    Ok(Outcome::answer(View::of(task, columns::TASK)))
}
