//! `acrt task cancel-run`

use crate::{
    cli::{
        flags::{azure::AzureArgs, run_id::OneRunArgs},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task cancel-run ca7")]
pub struct CancelRunArgs {
    #[command(flatten)]
    run: OneRunArgs,
    /// Registry of the run; run ids are unique without it
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: CancelRunArgs) -> Result<Outcome> {
    let run = app.wait(ops::runs::cancel(app, args.run.find(app)?))?;
    report.note(&format!("run {} ended with {}", run.run_id, run.status));
    Ok(Outcome::default())
}
