//! `acrt task identity …`: managed identities, which only Azure has.

mod args;
mod assign;
mod remove;
mod show;

use crate::{
    cli::{lazy_args::LazyArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

#[derive(Debug, clap::Subcommand)]
pub enum IdentityCommand {
    /// Accept an identity for a task; without effect
    Assign(LazyArgs<assign::AssignArgs>),
    /// Accept that a task loses an identity; without effect
    Remove(LazyArgs<remove::IdentityRemoveArgs>),
    /// Show the identities of a task: none
    Show(LazyArgs<show::IdentityShowArgs>),
}

pub fn run(app: &App, report: &Report, command: IdentityCommand) -> Result<Outcome> {
    match command {
        IdentityCommand::Assign(args) => assign::run(app, report, *args.0),
        IdentityCommand::Remove(args) => remove::run(app, report, *args.0),
        IdentityCommand::Show(args) => show::run(app, report, *args.0),
    }
}
