//! `acrt manifest …`: the manifests of a repository.

mod delete;
mod list_metadata;
mod show;
mod show_metadata;

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

/// List, show and delete manifests
#[derive(Debug, clap::Subcommand)]
pub enum ManifestCommand {
    ListMetadata(list_metadata::ListMetadataArgs),
    Show(show::ManifestShowArgs),
    ShowMetadata(show_metadata::ShowMetadataArgs),
    Delete(delete::ManifestDeleteArgs),
}

pub fn run(app: &App, report: &Report, command: ManifestCommand) -> Result<Outcome> {
    match command {
        ManifestCommand::ListMetadata(args) => list_metadata::run(app, report, args),
        ManifestCommand::Show(args) => show::run(app, report, args),
        ManifestCommand::ShowMetadata(args) => show_metadata::run(app, report, args),
        ManifestCommand::Delete(args) => delete::run(app, report, args),
    }
}
