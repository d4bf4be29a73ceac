//! `acrt repository …`: the repositories of a registry.

pub mod delete;
mod list;
mod show;
mod show_manifests;
mod show_tags;
mod untag;

use crate::{
    cli::{lazy_args::LazyArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

#[derive(Debug, clap::Subcommand)]
pub enum RepositoryCommand {
    /// List the repositories of a registry
    List(LazyArgs<list::RepositoryListArgs>),
    /// Show the tags of a repository
    ///
    /// The time of a tag is when a run of this machine pushed it, else when the image says that it was made.
    ShowTags(LazyArgs<show_tags::ShowTagsArgs>),
    /// Show the manifests of a repository
    ///
    /// `acrt manifest list-metadata` is its newer name, with all details.
    ShowManifests(LazyArgs<show_manifests::ShowManifestsArgs>),
    /// Show a repository, a tag or a manifest
    Show(LazyArgs<show::RepositoryShowArgs>),
    /// Delete a repository, or an image with all its tags
    ///
    /// `acrt repository untag` removes one tag and leaves the image.
    Delete(LazyArgs<delete::RepositoryDeleteArgs>),
    /// Remove a tag, and leave the image
    Untag(LazyArgs<untag::UntagArgs>),
}

pub fn run(app: &App, report: &Report, command: RepositoryCommand) -> Result<Outcome> {
    match command {
        RepositoryCommand::List(args) => list::run(app, report, *args.0),
        RepositoryCommand::ShowTags(args) => show_tags::run(app, report, *args.0),
        RepositoryCommand::ShowManifests(args) => show_manifests::run(app, report, *args.0),
        RepositoryCommand::Show(args) => show::run(app, report, *args.0),
        RepositoryCommand::Delete(args) => delete::run(app, report, *args.0),
        RepositoryCommand::Untag(args) => untag::run(app, report, *args.0),
    }
}
