//! `acrt task delete`

use crate::{
    cli::{
        flags::{confirm::YesArgs, one_task::AzureOneTaskArgs},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task delete web --yes")]
pub struct DeleteArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
    #[command(flatten)]
    yes: YesArgs,
}

pub fn run(app: &App, report: &Report, args: DeleteArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    let question = format!("Are you sure you want to delete the task '{key}'");
    args.yes.confirm(report, &question)?;
    ops::task::delete(app, &key)?;
    Ok(Outcome::default())
}
