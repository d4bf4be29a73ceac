//! `acrt task run`

use std::{cell::RefCell, path::PathBuf};

use jiff::SignedDuration;

use crate::{
    cli::{
        columns,
        flags::{
            azure::AzureRunArgs,
            build::ArgumentArgs,
            one_task::SomeTaskArgs,
            steps::{TrustOnceArgs, ValueArgs},
        },
        outcome::Outcome,
        report::Report,
    },
    error::{Error, Kind, Result},
    ops::{
        self, App, Event, EventSink,
        answer::RunAnswer,
        execution::Finished,
        run::{Overrides, RunRequest},
        watch::{Looks, RoundResult, Selection, WatchOptions},
    },
    sys::{
        secret::Secret,
        signal::{OnHangup, Stop},
    },
    task::{Cause, Context, Run},
    view::View,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task run web\n  acrt task run web --no-logs --query runId -o tsv\n  acrt task run web --no-wait\n  acrt task run web --dry-run\n  acrt task run --all --jobs 4"
)]
#[command(group(clap::ArgGroup::new("which").args(["bare_name", "name", "all", "stale", "failed"]).required(true).multiple(true)))]
pub struct RunArgs {
    #[command(flatten)]
    task: SomeTaskArgs,
    /// Run all tasks that are enabled, those first that others are built on
    #[arg(long, conflicts_with_all = OF_ONE)]
    all: bool,
    /// Run those that are stale, or changed
    #[arg(long, conflicts_with_all = OF_ONE)]
    stale: bool,
    /// Run those whose last run failed
    #[arg(long, conflicts_with_all = OF_ONE)]
    failed: bool,
    /// Another folder, for this run
    #[arg(short, long, help_heading = "What is built")]
    context: Option<Context>,
    /// Another Dockerfile or multi-step file, for this run
    #[arg(short, long, help_heading = "What is built")]
    file: Option<PathBuf>,
    #[command(flatten)]
    values: ValueArgs,
    /// Let steps be privileged: they can do anything to this machine
    #[arg(long, help_heading = "Multi-step files")]
    allow_privileged: bool,
    #[command(flatten)]
    trust: TrustOnceArgs,
    /// How many steps may work at once; with --all, --stale or --failed, how many tasks
    #[arg(long, help_heading = "Multi-step files", value_parser = clap::value_parser!(u16).range(1..), value_name = "COUNT")]
    jobs: Option<u16>,
    /// Another stage, for this run
    #[arg(long, help_heading = "What is built", value_name = "STAGE")]
    target: Option<String>,
    #[command(flatten)]
    arguments: ArgumentArgs,
    /// Keep .git, .gitignore, .hg, .svn and .venv of the context, for this run
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
    #[arg(long, hide_short_help = true)]
    no_format: bool,
    /// Print the builder's command lines, and run none of them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    azure: AzureRunArgs,
    /// What the task's update trigger endpoint is given from now on
    #[arg(
        long,
        hide_short_help = true,
        value_name = "TOKEN",
        allow_hyphen_values = true
    )]
    update_trigger_token: Option<Secret>,
}

/// The options that apply to one task only.
const OF_ONE: [&str; 18] = [
    "bare_name",
    "name",
    "context",
    "file",
    "set",
    "set_secret",
    "values",
    "allow_privileged",
    "trust_context",
    "target",
    "args",
    "secret_args",
    "keep_vcs",
    "no_logs",
    "raw",
    "no_wait",
    "dry_run",
    "update_trigger_token",
];

pub fn run(app: &App, report: &Report, args: RunArgs) -> Result<Outcome> {
    report.shows_raw(args.raw);
    let Some(key) = args.task.find(app)? else {
        let selection = Selection {
            all: args.all,
            stale: args.stale,
            failed: args.failed,
        };
        return selected(app, report, selection, args.jobs);
    };
    args.arguments.warn_of_unset(report);
    let (arguments, secret_arguments) = args.arguments.arguments();
    let (values, secret_values) = args.values.values()?;
    let request = RunRequest {
        overrides: Overrides {
            context: args.context.map(ops::task::absolute).transpose()?,
            file: args.file,
            target: args.target,
            arguments,
            secret_arguments,
            values,
            secret_values,
            values_file: args.values.file().cloned(),
            allow_privileged: args.allow_privileged,
            trust_context: args.trust.trust_context,
            keep_vcs: args.keep_vcs,
        },
        jobs: args.jobs.map(usize::from),
        follows_log: !args.no_logs && !args.no_wait,
        ..RunRequest::of(&key)
    };
    if let Some(token) = args.update_trigger_token.filter(|_| !args.dry_run) {
        ops::run::check_options(app, &request)?;
        ops::task::keep_update_token(app, &key, token.reveal())?;
    }
    match (args.dry_run, args.no_wait) {
        (true, _) => planned(app, report, &request),
        (_, true) => detached(app, report, &request, false),
        _ => followed(app, report, &request),
    }
}

/// Runs a round in which only the selected tasks are run.
fn selected(
    app: &App,
    report: &Report,
    selection: Selection,
    jobs: Option<u16>,
) -> Result<Outcome> {
    let options = WatchOptions {
        looks: Looks::All,
        settle: SignedDuration::ZERO,
        jobs: jobs.map_or_else(|| app.jobs_of_all_builders().max(1), usize::from),
        selection: Some(selection),
        listen: None,
        page: false,
        repeat: true,
        metrics_file: None,
    };
    report.show_registries_of(ops::task::ambiguous_names(&app.store));
    let (round_result, answer) = round(app, report, &options)?;
    let worst = round_result.worst.filter(|kind| *kind != Kind::Stale);
    if round_result.rebuilt == 0 && worst.is_none() {
        let nothing = "nothing to run; how the tasks are doing: acrt status".to_owned();
        report.note(&ops::task::none_yet(app)?.unwrap_or(nothing));
    }
    Ok(answer.with_exit(worst))
}

/// Makes one round of the watcher. Its answer, where one was asked for, are the runs that have ended.
pub fn round(app: &App, report: &Report, options: &WatchOptions) -> Result<(RoundResult, Outcome)> {
    let ended = RefCell::new(Vec::new());
    let printed = report.events_beside(report.asks_for_answer);
    let events = EventSink::new(|event| {
        if let Event::Ended { id, .. } = &event {
            ended.borrow_mut().push(*id);
        }
        printed.send(event);
    });
    let round_result = app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        ops::watch::once(app, options, &stop, &events).await
    })?;
    if !report.asks_for_answer {
        return Ok((round_result, Outcome::default()));
    }
    let runs = ended.take().into_iter();
    let runs: Vec<RunAnswer> = runs
        .filter_map(|id| printed.report(ops::runs::show(app, id)))
        .collect();
    Ok((round_result, Outcome::of(runs, columns::RUN)))
}

/// Prints the command lines of a run; they are the answer where one was asked for.
pub fn planned(app: &App, report: &Report, request: &RunRequest) -> Result<Outcome> {
    let lines = app.wait(ops::run::plan(app, request, &report.events()))?;
    if report.asks_for_answer {
        return Ok(Outcome::of(lines, &[]));
    }
    report.answer((lines.join("\n") + "\n").as_bytes())?;
    Ok(Outcome::default())
}

/// Starts a detached run, and answers with its record.
pub fn detached(
    app: &App,
    report: &Report,
    request: &RunRequest,
    is_build: bool,
) -> Result<Outcome> {
    let id = ops::run::detach(app, request)?;
    report.queued(id, is_build);
    let run = ops::runs::show(app, id)?;
    Ok(Outcome::of(run, columns::RUN))
}

/// Runs a task and waits for its end; prints the log if the request follows it, else the record.
pub fn followed(app: &App, report: &Report, request: &RunRequest) -> Result<Outcome> {
    let finished = app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        ops::run::run(app, request, &Cause::Manual, &stop, &report.events()).await
    })?;
    report.done();
    Ok(conclude(report, &finished, !request.follows_log))
}

/// Reports how the run ended: by its record if requested, and by the exit code.
fn conclude(report: &Report, finished: &Finished, no_logs: bool) -> Outcome {
    let exit = finished.error.as_ref().map(|error| {
        let told = Error::new(
            error.kind(),
            format!(
                "run `{}` ended with {}",
                finished.run.run_id, finished.run.status
            ),
        )
        .because(anyhow::anyhow!(error.one_line()));
        report.error(&match error.advice() {
            Some(hint) => told.hint(hint),
            None => told,
        });
        error.kind().of_run()
    });
    if !no_logs && exit.is_none() {
        report.note(&summary(&finished.run, finished.is_local));
    }
    Outcome {
        view: no_logs.then(|| View::of(RunAnswer::from(&finished.run), columns::RUN)),
        exit,
    }
}

/// Summarizes a successful run; the pushed images can be copied from the line.
fn summary(run: &Run, is_local: bool) -> String {
    let images = run.output_images.iter().flatten().map(|image| {
        let digest = image.digest.as_ref().map(|digest| format!("@{digest}"));
        match image.reference().filter(|_| is_local) {
            // It has an id instead of a digest, by which no registry knows it.
            Some(image) => image.familiar(),
            None => format!("{}{}", image.tagged(), digest.unwrap_or_default()),
        }
    });
    let images: Vec<String> = images.collect();
    let made = match (images.is_empty(), run.builder.as_ref()) {
        (true, _) => "pushed nothing".to_owned(),
        (false, Some(builder)) if is_local => format!("kept {} on {builder}", images.join(", ")),
        (false, _) => format!("pushed {}", images.join(", ")),
    };
    format!(
        "run {}: {} in {}s, {made}",
        run.run_id,
        run.status,
        run.seconds()
    )
}
