//! `acrt manifest …`: the manifests of a repository.

mod delete;
mod list_metadata;
mod show;
mod show_metadata;

use crate::{
    cli::{lazy_args::LazyArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

#[derive(Debug, clap::Subcommand)]
pub enum ManifestCommand {
    /// List the manifests of a repository
    ///
    /// They are those that its tags name, what these list, and what runs have pushed: only ACR tells of others.
    ListMetadata(LazyArgs<list_metadata::ListMetadataArgs>),
    /// Show a manifest as the registry has it
    Show(LazyArgs<show::ManifestShowArgs>),
    /// Show what is known of a manifest: its size, times and tags
    ShowMetadata(LazyArgs<show_metadata::ShowMetadataArgs>),
    /// Delete a manifest, and with it all tags that name it
    Delete(LazyArgs<delete::ManifestDeleteArgs>),
}

pub fn run(app: &App, report: &Report, command: ManifestCommand) -> Result<Outcome> {
    match command {
        ManifestCommand::ListMetadata(args) => list_metadata::run(app, report, *args.0),
        ManifestCommand::Show(args) => show::run(app, report, *args.0),
        ManifestCommand::ShowMetadata(args) => show_metadata::run(app, report, *args.0),
        ManifestCommand::Delete(args) => delete::run(app, report, *args.0),
    }
}
