//! `acrt build`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    cli::{
        flags::{
            azure::AzureQuickArgs,
            build::{ArgumentArgs, Platforms, platforms, standard_input},
            duration::timeout,
            quick_file::quick_file,
            registry::report_azure,
            steps::TrustOnceArgs,
        },
        outcome::Outcome,
        report::Report,
        task::run::{detached, followed},
    },
    error::{Context as _, Error, Kind, Result},
    ops::{
        self, App,
        run::{Quick, RunRequest},
        task::QuickTask,
    },
    task::{Context, DockerStep, Step},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt build --registry localhost:5000 --image web:latest .\n  acrt build -r localhost:5000 -t web:{{.Run.ID}} -f web/Dockerfile.prod ./web\n  acrt build -t ghcr.io/acme/web:1 --build-arg NODE=20 \\\n    https://github.com/acme/web.git#main:app"
)]
#[command(mut_arg("args", |arg| arg.long("build-arg")))]
#[command(mut_arg("secret_args", |arg| arg.long("secret-build-arg")))]
pub struct BuildArgs {
    /// Folder, git repository, archive or artifact
    #[arg(value_name = "CONTEXT")]
    context: Context,
    /// Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)
    #[arg(
        short = 't',
        long = "image",
        help_heading = "Images",
        value_name = "IMAGE"
    )]
    images: Vec<String>,
    /// Dockerfile, relative to the current folder, or - for standard input [default: Dockerfile of the context]
    #[arg(short, long, help_heading = "What is built")]
    file: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustOnceArgs,
    #[command(flatten)]
    arguments: ArgumentArgs,
    /// Stage to build, if not the last
    #[arg(long, help_heading = "What is built", value_name = "STAGE")]
    target: Option<String>,
    /// Platforms to build for, as linux/amd64,linux/arm64 [default: the builder's own]
    #[arg(long, help_heading = "What is built", value_parser = platforms)]
    platform: Option<Platforms>,
    /// Build without pushing
    #[arg(long, help_heading = "Images")]
    no_push: bool,
    /// How long the build may take: seconds, or as 10m or 2h
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
    /// Return at once; the build continues in the background
    #[arg(long)]
    no_wait: bool,
    /// Do not format the log; it never is
    #[arg(long, hide = true)]
    no_format: bool,
    #[command(flatten)]
    azure: AzureQuickArgs,
}

pub fn run(app: &App, report: &Report, args: BuildArgs) -> Result<Outcome> {
    if args.images.is_empty() && !args.no_push {
        report.as_az("'--image or -t' is not provided. Skipping image push after build.");
    }
    report.shows_raw(args.raw);
    report_azure(app, report, args.registry.as_deref());
    let no_wait = args.no_wait;
    let request = request(app, report, args)?;
    if no_wait {
        return detached(app, report, &request, true);
    }
    followed(app, report, &request)
}

/// Turns the options into a request.
fn request(app: &App, report: &Report, args: BuildArgs) -> Result<RunRequest> {
    let from_stdin = args.file.as_deref() == Some(Path::new("-"));
    if from_stdin && args.no_wait {
        return Err(Error::invalid(
            "`--file -` cannot be used with --no-wait: standard input ends with this command",
        )
        .hint("write the Dockerfile to a file, or leave out --no-wait"));
    }
    let follows_log = !args.no_logs && !args.no_wait;
    let content = from_stdin.then(standard_input).transpose()?;
    let content = content.map(String::from_utf8).transpose();
    let content = content.context(Kind::Invalid, || {
        "cannot use the Dockerfile from standard input".to_owned()
    })?;
    let file = match &args.file {
        Some(file) if !from_stdin => quick_file(report, &args.context, file)?.into_path(),
        _ => "Dockerfile".into(),
    };
    args.arguments.warn_of_unset(report);
    let (arguments, secret_arguments) = args.arguments.arguments();
    let quick = QuickTask {
        registry: args.registry.as_deref(),
        step: Step::Docker(DockerStep {
            docker_file_content: content,
            contexts: BTreeMap::new(),
            options: Vec::new(),
            is_local: false,
            context_path: args.context,
            docker_file_path: file,
            is_push_enabled: !args.no_push && !args.images.is_empty(),
            image_names: args.images,
            no_cache: false,
            target: args.target,
            arguments,
            trust_context: args.trust.trust_context,
        }),
        platforms: args.platform.unwrap_or_default().0,
        timeout: args.timeout,
        secret_arguments,
        secret_values: BTreeMap::new(),
        keep_vcs: args.keep_vcs,
    };
    let (task, secrets) = ops::task::quick(app, quick)?;
    Ok(RunRequest {
        follows_log,
        ..RunRequest::quick(Quick { task, secrets })
    })
}
