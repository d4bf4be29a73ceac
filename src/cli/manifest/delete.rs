//! `acrt manifest delete`

use crate::{
    cli::{
        flags::confirm::YesArgs, outcome::Outcome, report::Report, repository::delete::delete_image,
    },
    error::Result,
    ops::App,
};

use super::show::ManifestArgs;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt manifest delete localhost:5000/web@sha256:… --yes")]
pub struct ManifestDeleteArgs {
    #[command(flatten)]
    image: ManifestArgs,
    #[command(flatten)]
    yes: YesArgs,
}

pub fn run(app: &App, report: &Report, args: ManifestDeleteArgs) -> Result<Outcome> {
    let image = args.image.enter(app, report)?;
    delete_image(app, report, &image, args.yes)
}
