//! `acrt task timer update`

use crate::{
    cli::{
        columns,
        flags::{choice::three_state, one_task::AzureOneTaskArgs},
        outcome::Outcome,
    },
    error::Result,
    ops::{self, App},
    task::{Cron, Status, TimerName},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task timer update --name web --timer-name nightly \\\n    --schedule \"0 12 * * *\"\n  acrt task timer update --name web --timer-name nightly \\\n    --enabled false"
)]
pub struct TimerUpdateArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
    /// Name of the timer
    #[arg(long, value_name = "NAME")]
    timer_name: TimerName,
    /// Minute, hour, day of month, month, day of week, in UTC, as "0 21 * * *"
    #[arg(long, value_name = "CRON")]
    schedule: Option<Cron>,
    /// Whether the timer does anything
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    enabled: Option<bool>,
}

pub fn run(app: &App, args: TimerUpdateArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    let status = args.enabled.map(Status::enabled);
    ops::timer::update(app, &key, &args.timer_name, args.schedule, status)?;
    let task = ops::show::task(app, &key)?;
    Ok(Outcome::answer(columns::task_view(app, task)))
}
