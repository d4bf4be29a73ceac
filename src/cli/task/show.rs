//! `acrt task show`

use crate::{
    cli::{
        columns,
        flags::{azure::AzureArgs, one_task::OneTaskArgs},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App},
};

/// Show a task
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task show web\n  acrt task show web --query step.baseImageDependencies\n  acrt task show web --with-secure-properties --query step.arguments"
)]
pub struct ShowArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    /// Show the values of secret arguments too
    #[arg(long)]
    with_secure_properties: bool,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: ShowArgs) -> Result<Outcome> {
    args.azure.tell(report);
    let key = args.task.find(app)?;
    let task = match args.with_secure_properties {
        true => ops::show::with_secrets(app, &key)?,
        false => ops::show::task(app, &key)?,
    };
    report.never_run(Some(&task.name).filter(|_| !task.is_tracking()).into_iter());
    Ok(Outcome::answer(columns::task_view(app, task)))
}
