//! `acrt image`

mod check;

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

/// Ask about images that no task makes
#[derive(Debug, clap::Subcommand)]
pub enum ImageCommand {
    Check(check::ImageCheckArgs),
}

pub fn run(app: &App, report: &Report, command: ImageCommand) -> Result<Outcome> {
    match command {
        ImageCommand::Check(args) => check::run(app, report, args),
    }
}
