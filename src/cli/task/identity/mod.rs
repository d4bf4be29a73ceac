//! `acrt task identity …`: managed identities, which only Azure has.

mod args;
mod assign;
mod remove;
mod show;

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

/// Accept what az says of managed identities; there are none here
#[derive(Debug, clap::Subcommand)]
pub enum IdentityCommand {
    Assign(assign::AssignArgs),
    Remove(remove::IdentityRemoveArgs),
    Show(show::IdentityShowArgs),
}

pub fn run(app: &App, report: &Report, command: IdentityCommand) -> Result<Outcome> {
    match command {
        IdentityCommand::Assign(args) => assign::run(app, report, args),
        IdentityCommand::Remove(args) => remove::run(app, report, args),
        IdentityCommand::Show(args) => show::run(app, report, args),
    }
}
