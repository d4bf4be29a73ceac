//! `acrt repository …`: what a registry has.

pub mod delete;
mod list;
mod show;
mod show_manifests;
mod show_tags;
mod untag;

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

/// List, show and delete the repositories and tags of a registry
#[derive(Debug, clap::Subcommand)]
pub enum RepositoryCommand {
    List(list::RepositoryListArgs),
    ShowTags(show_tags::ShowTagsArgs),
    ShowManifests(show_manifests::ShowManifestsArgs),
    Show(show::RepositoryShowArgs),
    Delete(delete::RepositoryDeleteArgs),
    Untag(untag::UntagArgs),
}

pub fn run(app: &App, report: &Report, command: RepositoryCommand) -> Result<Outcome> {
    match command {
        RepositoryCommand::List(args) => list::run(app, report, args),
        RepositoryCommand::ShowTags(args) => show_tags::run(app, report, args),
        RepositoryCommand::ShowManifests(args) => show_manifests::run(app, report, args),
        RepositoryCommand::Show(args) => show::run(app, report, args),
        RepositoryCommand::Delete(args) => delete::run(app, report, args),
        RepositoryCommand::Untag(args) => untag::run(app, report, args),
    }
}
