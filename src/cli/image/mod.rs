//! `acrt image`

mod check;

use crate::{
    cli::{lazy_args::LazyArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

#[derive(Debug, clap::Subcommand)]
pub enum ImageCommand {
    /// Say whether images are on their newest bases, without a task
    ///
    /// Nothing is built, and nothing is remembered. What an image was built on is read from its annotations or labels, then from the
    /// provenance that was attested of it; where it says nothing, its layers are compared with those of `--base` or `--dockerfile`.
    Check(LazyArgs<check::ImageCheckArgs>),
}

pub fn run(app: &App, report: &Report, command: ImageCommand) -> Result<Outcome> {
    match command {
        ImageCommand::Check(args) => check::run(app, report, *args.0),
    }
}
