//! `acrt notify …`: who is told of runs and failures.

mod presets;
mod test;

use crate::{cli::outcome::Outcome, error::Result, ops::App};

/// Try who is told of runs and failures
#[derive(Debug, clap::Subcommand)]
pub enum NotifyCommand {
    Presets(presets::PresetsArgs),
    Test(test::NotifyTestArgs),
}

pub fn run(app: &App, command: NotifyCommand) -> Result<Outcome> {
    match command {
        NotifyCommand::Presets(args) => presets::run(&args),
        NotifyCommand::Test(args) => test::run(app, &args),
    }
}
