//! `acrt builder …`: the builders by their names.

mod check;
mod list;
mod prune;

use crate::{error::Result, ops::App};

use super::{outcome::Outcome, report::Report};

/// List, check and prune builders
#[derive(Debug, clap::Subcommand)]
pub enum BuilderCommand {
    List(list::BuilderListArgs),
    Check(check::BuilderCheckArgs),
    Prune(prune::BuilderPruneArgs),
}

pub fn run(app: &App, report: &Report, command: BuilderCommand) -> Result<Outcome> {
    match command {
        BuilderCommand::List(args) => list::run(app, report, args),
        BuilderCommand::Check(args) => check::run(app, report, args),
        BuilderCommand::Prune(args) => prune::run(app, report, args),
    }
}
