//! `acrt task check`

use crate::{
    cli::{columns, flags::one_task::SomeTaskArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::{self, App, check::CheckOptions},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task check -o table\n  acrt task check web --query '[0].images'\n  acrt task check --exit-code -o none || echo stale"
)]
#[command(mut_arg("bare_name", |arg| arg.help("Only this task")))]
pub struct CheckArgs {
    #[command(flatten)]
    task: SomeTaskArgs,
    /// Look at the images that tasks have pushed too
    #[arg(long)]
    images: bool,
    /// End with 10 if something is stale, or changed
    #[arg(long)]
    exit_code: bool,
}

pub fn run(app: &App, report: &Report, args: CheckArgs) -> Result<Outcome> {
    let only = args.task.find(app)?;
    let options = CheckOptions {
        only: only.as_ref(),
        images: args.images,
    };
    let checked = app.wait(ops::check::check(app, options, &report.events()))?;
    if report.shows_tables {
        let none = ops::task::none_yet(app)?;
        let shared = ops::task::ambiguous_names(&app.store);
        let lines = ops::check::outage_lines(&checked.tasks, &shared);
        lines
            .into_iter()
            .chain(none)
            .for_each(|line| report.summary(line));
    }
    let view = columns::check_view(app, checked.tasks);
    Ok(Outcome::answer(view).with_worst(checked.worst, args.exit_code))
}
