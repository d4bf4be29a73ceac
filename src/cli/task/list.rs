//! `acrt task list`

use std::cell::Cell;

use crate::{
    cli::{columns, flags::azure::AzureArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task list -o table\n  acrt task list --query '[].name' -o tsv"
)]
pub struct ListArgs {
    /// Only tasks of this registry
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: ListArgs) -> Result<Outcome> {
    let broken = Cell::default();
    let events = report.events_noting(&broken);
    let mut tasks = ops::show::list(app, args.registry.as_deref(), &events)?;
    if report.shows_tables {
        if let Some(none) = ops::task::none_yet(app)? {
            report.summary(none);
        }
        tasks.load();
        report.show_registries_of(ops::task::ambiguous_names(&app.store));
        report.never_run(tasks.never_run());
        report.stalled(tasks.stalled());
    }
    Ok(Outcome::answer(columns::tasks_view(app, tasks)).with_exit(broken.get()))
}
