//! `acrt task show`

use crate::{
    cli::{
        Outcome, columns,
        flags::{azure::AzureArgs, one_task::OneTaskArgs},
        report::Report,
    },
    error::Result,
    ops::{self, App},
    view::View,
};

/// Show a task
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task show --name web\n  acrt task show --name web --query step.baseImageDependencies"
)]
pub struct ShowArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: ShowArgs) -> Result<Outcome> {
    args.azure.tell(report);
    let task = ops::task::show(app, &args.task.find(app)?)?;
    report.never_run(Some(&task.name).filter(|_| !task.is_tracking()).into_iter());
    Ok(Outcome::answer(View::of(task, columns::TASK)))
}
