//! `acrt task update-run`

use crate::{
    cli::{
        columns,
        flags::{azure::AzureArgs, choice::three_state, run_id::OneRunArgs},
        outcome::Outcome,
    },
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task update-run ca7 --no-archive false    (keeps it)\n  acrt task update-run ca7 --no-archive          (lets it go)"
)]
pub struct UpdateRunArgs {
    #[command(flatten)]
    run: OneRunArgs,
    /// Whether the run may be removed when it grows old
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false")]
    no_archive: Option<bool>,
    /// Registry of the run; run ids are unique without it
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, args: UpdateRunArgs) -> Result<Outcome> {
    let keep = args.no_archive.map(|no_archive| !no_archive);
    let run = ops::runs::keep(app, args.run.find(app)?, keep)?;
    Ok(Outcome::of(run, columns::RUN))
}
