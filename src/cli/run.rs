//! `acrt run`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    cli::{
        flags::{
            azure::AzureQuickArgs,
            build::{Platforms, platforms},
            duration::timeout,
            quick_file::{QuickFile, quick_file},
            registry::report_azure,
            steps::{DEFAULT_FILE, StepOptions, TrustOnceArgs, ValueArgs, text_of},
        },
        outcome::Outcome,
        report::Report,
        task::run::{detached, followed, planned},
    },
    error::{Error, Result},
    ops::{
        self, App,
        run::{Quick, RunRequest},
        task::QuickTask,
    },
    task::{Context, multi_step::is_task_file},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt run --registry localhost:5000 --file acb.yaml .\n  acrt run -r localhost:5000 --cmd \"alpine:3 date\" /dev/null\n  acrt run -r localhost:5000 -f - --set tag=1 . < acb.yaml"
)]
pub struct QuickRunArgs {
    /// Folder that the steps work on, or /dev/null for none
    #[arg(value_name = "CONTEXT")]
    context: Context,
    /// Registry that the images go to [default: $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Multi-step file, relative to the current folder, or - [default: acb.yaml of the context]
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
    /// Let steps be privileged: they can do anything to this machine
    #[arg(long, help_heading = "Multi-step files")]
    allow_privileged: bool,
    #[command(flatten)]
    trust: TrustOnceArgs,
    /// How many steps may work at once
    #[arg(long, help_heading = "Multi-step files", value_parser = clap::value_parser!(u16).range(1..), value_name = "COUNT")]
    jobs: Option<u16>,
    /// Platforms to build for, as linux/amd64,linux/arm64 [default: the builder's own]
    #[arg(long, help_heading = "What is built", value_parser = platforms)]
    platform: Option<Platforms>,
    /// How long the run may take: seconds, or as 10m or 2h
    #[arg(long, help_heading = "What is built", default_value = "3600", value_parser = timeout, value_name = "TIME")]
    timeout: u32,
    /// Keep .git, .gitignore, .hg, .svn and .venv of the context
    #[arg(long, help_heading = "What is built")]
    keep_vcs: bool,
    /// Print the run when it has ended, instead of its log
    #[arg(long)]
    no_logs: bool,
    /// Print the builder's output unchanged, with all control sequences
    #[arg(long)]
    raw: bool,
    /// Return at once; the run continues in the background
    #[arg(long)]
    no_wait: bool,
    /// Do not format the log; it never is
    #[arg(long, hide = true)]
    no_format: bool,
    /// Print the steps in their order, and carry out none of them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    azure: AzureQuickArgs,
}

pub fn run(app: &App, report: &Report, args: QuickRunArgs) -> Result<Outcome> {
    report.shows_raw(args.raw);
    report_azure(app, report, args.registry.as_deref());
    let request = request(app, report, &args)?;
    match (args.dry_run, args.no_wait) {
        (true, _) => planned(app, report, &request),
        (_, true) => detached(app, report, &request, false),
        _ => followed(app, report, &request),
    }
}

fn request(app: &App, report: &Report, args: &QuickRunArgs) -> Result<RunRequest> {
    let default =
        (args.cmd.is_none() && args.context != Context::None).then(|| DEFAULT_FILE.into());
    let found = args.file.as_ref().filter(|file| *file != Path::new("-"));
    let found = found.map(|file| quick_file(report, &args.context, file));
    let found = found.transpose()?;
    let outside = match &found {
        Some(QuickFile::Outside(path)) => Some(path.clone()),
        _ => None,
    };
    let file = found.map(QuickFile::into_path);
    let file = file.or_else(|| args.file.clone()).or(default);
    let context = ops::task::absolute(args.context.clone())?;
    let wanted = StepOptions {
        context: &context,
        file: file.as_deref(),
        command: args.cmd.as_deref(),
        timeout: args.timeout,
        values: &args.values,
        allow_privileged: args.allow_privileged,
        trust_context: args.trust.trust_context,
    };
    let step = match outside.filter(|path| is_task_file(path)) {
        // A file of the user's own, even where the context is a guest.
        Some(path) => Some(wanted.encoded(&text_of(&path)?)?),
        None => wanted.step()?,
    };
    let step = step.ok_or_else(|| {
        Error::invalid(format!(
            "`{}` is not a multi-step file: its name must end with .yaml or .yml",
            file.unwrap_or_default().display()
        ))
        .hint("to build a Dockerfile, create a task: acrt task create --help")
    })?;
    let quick = QuickTask {
        registry: args.registry.as_deref(),
        step,
        platforms: args.platform.clone().unwrap_or_default().0,
        timeout: args.timeout,
        secret_arguments: BTreeMap::new(),
        secret_values: args.values.values()?.1,
        keep_vcs: args.keep_vcs,
    };
    let (task, secrets) = ops::task::quick(app, quick)?;
    Ok(RunRequest {
        jobs: args.jobs.map(usize::from),
        follows_log: !args.no_logs && !args.no_wait,
        ..RunRequest::quick(Quick { task, secrets })
    })
}
