//! `acrt task credential …`: logins of a task to registries.

mod add;
mod list;
mod remove;
mod update;

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

/// Give a task logins to registries, before those of docker and podman
#[derive(Debug, clap::Subcommand)]
pub enum CredentialCommand {
    Add(add::CredentialAddArgs),
    Update(update::CredentialUpdateArgs),
    Remove(remove::CredentialRemoveArgs),
    List(list::CredentialListArgs),
}

pub fn run(app: &App, report: &Report, command: CredentialCommand) -> Result<Outcome> {
    match command {
        CredentialCommand::Add(args) => add::run(app, report, args),
        CredentialCommand::Update(args) => update::run(app, report, args),
        CredentialCommand::Remove(args) => remove::run(app, report, args),
        CredentialCommand::List(args) => list::run(app, report, args),
    }
}
