//! `acrt task delete`

use crate::{
    cli::{
        flags::{azure::AzureArgs, one_task::OneTaskArgs},
        outcome::Outcome,
        report::Report,
    },
    error::{Error, Kind, Result},
    ops::{self, App},
};

/// Delete a task; its runs stay
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task delete --name web --yes")]
pub struct DeleteArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: DeleteArgs) -> Result<Outcome> {
    args.azure.tell(report);
    let key = args.task.find(app)?;
    if !args.yes {
        if !report.can_ask() {
            return Err(Error::new(
                Kind::Failed,
                "unable to prompt for confirmation as no tty available",
            )
            .hint("use --yes"));
        }
        let question = format!("Are you sure you want to delete the task '{key}' (y/n): ");
        if !matches!(report.ask(&question)?.to_lowercase().as_str(), "y" | "yes") {
            return Err(Error::new(Kind::Failed, "operation cancelled"));
        }
    }
    ops::task::delete(app, &key)?;
    Ok(Outcome::default())
}
