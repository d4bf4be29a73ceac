//! `acrt manifest show-metadata`

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::{App, manifest},
};

use super::show::ManifestArgs;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt manifest show-metadata localhost:5000/web:latest\n  acrt manifest show-metadata -r localhost:5000 -n web:1 \\\n    --query digest -o tsv"
)]
pub struct ShowMetadataArgs {
    #[command(flatten)]
    image: ManifestArgs,
}

pub fn run(app: &App, report: &Report, args: ShowMetadataArgs) -> Result<Outcome> {
    let image = args.image.enter(app, report)?;
    let metadata = app.wait(manifest::metadata(app, &image))?;
    Ok(Outcome::of(metadata, &[]))
}
