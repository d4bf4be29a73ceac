//! `acrt task credential …`: logins of a task to registries.

mod add;
mod list;
mod remove;
mod update;

use crate::{
    cli::{lazy_args::LazyArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

#[derive(Debug, clap::Subcommand)]
pub enum CredentialCommand {
    /// Add a login to a task
    Add(LazyArgs<add::CredentialAddArgs>),
    /// Change a login of a task
    Update(LazyArgs<update::CredentialUpdateArgs>),
    /// Remove a login from a task
    Remove(LazyArgs<remove::CredentialRemoveArgs>),
    /// List the logins of a task, without passwords
    List(LazyArgs<list::CredentialListArgs>),
}

pub fn run(app: &App, report: &Report, command: CredentialCommand) -> Result<Outcome> {
    match command {
        CredentialCommand::Add(args) => add::run(app, report, *args.0),
        CredentialCommand::Update(args) => update::run(app, report, *args.0),
        CredentialCommand::Remove(args) => remove::run(app, report, *args.0),
        CredentialCommand::List(args) => list::run(app, *args.0),
    }
}
