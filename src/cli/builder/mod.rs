//! `acrt builder …`: the named builders.

mod check;
mod list;
mod prune;

use crate::{error::Result, ops::App};

use super::{lazy_args::LazyArgs, outcome::Outcome, report::Report};

#[derive(Debug, clap::Subcommand)]
pub enum BuilderCommand {
    /// List the builders of the config file, or those of this machine
    ///
    /// Asks each whether it answers, for which platforms it builds, and how much it keeps.
    List(LazyArgs<list::BuilderListArgs>),
    /// Ask builders whether they could build
    ///
    /// Ends with 4 if one does not answer, and with 1 if one cannot be used.
    Check(LazyArgs<check::BuilderCheckArgs>),
    /// Free builders of their unused cache, and of unnamed images made by acrt
    ///
    /// Images of others stay, and so does every image that has a name.
    Prune(LazyArgs<prune::BuilderPruneArgs>),
}

pub fn run(app: &App, report: &Report, command: BuilderCommand) -> Result<Outcome> {
    match command {
        BuilderCommand::List(args) => list::run(app, report, *args.0),
        BuilderCommand::Check(args) => check::run(app, report, *args.0),
        BuilderCommand::Prune(args) => prune::run(app, report, *args.0),
    }
}
