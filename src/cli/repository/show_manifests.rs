//! `acrt repository show-manifests`

use crate::{
    cli::{
        flags::registry::{ListingArgs, RegistryArgs},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{
        App,
        manifest::{self, ShortAnswer},
    },
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt repository show-manifests -n localhost:5000 --repository web\n  acrt repository show-manifests -n localhost:5000 --repository web \\\n    --orderby time_asc --query '[?tags[0]==null].digest' -o tsv"
)]
pub struct ShowManifestsArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Name of the repository
    #[arg(long, value_name = "NAME")]
    repository: String,
    #[command(flatten)]
    listing: ListingArgs,
    /// Show what is known of each manifest
    #[arg(long)]
    detail: bool,
}

pub fn run(app: &App, report: &Report, args: ShowManifestsArgs) -> Result<Outcome> {
    let registry = args.registry.enter(app, report, Some(&args.repository))?;
    let listing = args.listing.into();
    let list = manifest::list(app, Some(&registry), &args.repository, listing);
    let all = app.wait(list)?;
    if args.detail {
        return Ok(Outcome::of(all, &[]));
    }
    let short: Vec<_> = all.into_iter().map(ShortAnswer::from).collect();
    Ok(Outcome::of(short, &[]))
}
