//! `acrt task timer list`

use crate::{
    cli::{columns, flags::one_task::AzureOneTaskArgs, outcome::Outcome},
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task timer list --name web -o table")]
pub struct TimerListArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
}

pub fn run(app: &App, args: TimerListArgs) -> Result<Outcome> {
    let timers = ops::timer::list(app, &args.task.find(app)?)?;
    Ok(Outcome::of(timers, columns::TIMER))
}
