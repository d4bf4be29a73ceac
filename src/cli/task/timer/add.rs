//! `acrt task timer add`

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
    after_help = "Examples:\n  acrt task timer add --name web --timer-name nightly \\\n    --schedule \"0 21 * * *\"\n  acrt task timer add -n web --timer-name weekdays --enabled false \\\n    --schedule \"30 6 * * MON-FRI\""
)]
pub struct TimerAddArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
    /// Name of the timer
    #[arg(long, value_name = "NAME")]
    timer_name: TimerName,
    /// Minute, hour, day of month, month, day of week, in UTC, as "0 21 * * *"
    #[arg(long, value_name = "CRON")]
    schedule: Cron,
    /// Whether the timer does anything
    #[arg(long, num_args = 0..=1, default_value = "true", default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    enabled: bool,
}

pub fn run(app: &App, args: TimerAddArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    let status = Status::enabled(args.enabled);
    ops::timer::add(app, &key, args.timer_name, args.schedule, status)?;
    let task = ops::show::task(app, &key)?;
    Ok(Outcome::answer(columns::task_view(app, task)))
}
