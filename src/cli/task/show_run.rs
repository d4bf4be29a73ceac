//! `acrt task show-run`

use crate::{
    cli::{
        columns,
        flags::{azure::AzureArgs, run_id::OneRunArgs},
        outcome::Outcome,
    },
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task show-run ca7 --query outputImages")]
pub struct ShowRunArgs {
    #[command(flatten)]
    run: OneRunArgs,
    /// Registry of the run; run ids are unique without it
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, args: ShowRunArgs) -> Result<Outcome> {
    let run = ops::runs::show(app, args.run.find(app)?)?;
    Ok(Outcome::of(run, columns::RUN))
}
