//! `acrt task timer remove`

use crate::{
    cli::{columns, flags::one_task::AzureOneTaskArgs, outcome::Outcome},
    error::Result,
    ops::{self, App},
    task::TimerName,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task timer remove --name web --timer-name nightly")]
pub struct TimerRemoveArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
    /// Name of the timer
    #[arg(long, value_name = "NAME")]
    timer_name: TimerName,
}

pub fn run(app: &App, args: TimerRemoveArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    ops::timer::remove(app, &key, &args.timer_name)?;
    let task = ops::show::task(app, &key)?;
    Ok(Outcome::answer(columns::task_view(app, task)))
}
