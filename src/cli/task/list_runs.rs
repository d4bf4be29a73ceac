//! `acrt task list-runs`

use std::cell::Cell;

use crate::{
    cli::{
        columns,
        flags::{azure::AzureArgs, choice::run_status, one_task::NameArgs},
        outcome::Outcome,
        report::Report,
    },
    error::{Error, Result},
    image::Reference,
    ops::{self, App, runs::RunFilter},
    task::RunStatus,
    view::View,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task list-runs -o table\n  acrt task list-runs web --run-status Failed\n  acrt task list-runs --image localhost:5000/web:latest --top 1\n  acrt task list-runs --detail -o table"
)]
#[command(mut_arg("bare_name", |arg| arg.help("Only runs of this task")))]
pub struct ListRunsArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Only runs on this registry
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Only runs with this status: Queued, Started, Running, Succeeded, Failed, Canceled, Error or Timeout
    #[arg(
        long,
        ignore_case = true,
        hide_possible_values = true,
        value_parser = run_status(),
        value_name = "STATUS"
    )]
    run_status: Option<RunStatus>,
    /// Only runs that pushed this image, by name:tag or name@digest
    #[arg(short = 't', long)]
    image: Option<String>,
    /// How many runs to list
    #[arg(
        long,
        default_value_t = 15,
        value_name = "COUNT",
        allow_negative_numbers = true
    )]
    top: usize,
    /// Also say why each run was made, in a column CAUSE
    #[arg(long)]
    detail: bool,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: ListRunsArgs) -> Result<Outcome> {
    let detail = args.detail;
    let registry = args.registry.map(|it| app.settings.login_server(&it));
    let filter = RunFilter {
        task: args.name.get()?,
        status: args.run_status,
        image: args.image.map(checked).transpose()?,
        registry,
        top: args.top,
    };
    let broken = Cell::default();
    let runs = ops::runs::list(app, &filter, &report.events_noting(&broken))?;
    if report.shows_tables && runs.is_empty() {
        let all = RunFilter {
            top: 1,
            ..RunFilter::default()
        };
        let any = ops::runs::list(app, &all, &report.events())?;
        report.summary(if any.is_empty() {
            "no runs yet; to make one: acrt task run NAME".to_owned()
        } else {
            "no such runs; to list all: acrt task list-runs".to_owned()
        });
    }
    let columns = if detail {
        columns::RUN_DETAIL
    } else {
        columns::RUN
    };
    let full_names = columns::full_names(app, "task");
    let view = View::of(runs, columns).with_rows(full_names);
    Ok(Outcome::answer(view).with_exit(broken.get()))
}

/// Refuses a text that is no name of an image, with or without a registry.
pub(super) fn checked(image: String) -> Result<String> {
    let read = Reference::within("localhost", &image);
    read.map_err(|problem| Error::invalid(problem.to_string()))?;
    Ok(image)
}
