//! `acrt task timer list`

use crate::{
    cli::{
        columns,
        flags::{azure::AzureArgs, one_task::OneTaskArgs},
        outcome::Outcome,
    },
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task timer list --name web -o table")]
pub struct TimerListArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, args: TimerListArgs) -> Result<Outcome> {
    let timers = ops::timer::list(app, &args.task.find(app)?)?;
    Ok(Outcome::of(timers, columns::TIMER))
}
