//! `acrt repository show-tags`

use crate::{
    cli::{
        flags::registry::{ListingArgs, RegistryArgs},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{App, repository},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt repository show-tags -n localhost:5000 --repository web\n  acrt repository show-tags -n localhost:5000 --repository web \\\n    --orderby time_desc --top 5 --detail"
)]
pub struct ShowTagsArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Name of the repository
    #[arg(long, value_name = "NAME")]
    repository: String,
    #[command(flatten)]
    listing: ListingArgs,
    /// Show what each tag names
    #[arg(long)]
    detail: bool,
}

pub fn run(app: &App, report: &Report, args: ShowTagsArgs) -> Result<Outcome> {
    let registry = args.registry.enter(app, report, Some(&args.repository))?;
    let (registry, name) = (Some(registry.as_str()), args.repository.as_str());
    let listing = args.listing.into();
    if args.detail {
        let tags = app.wait(repository::tags(app, registry, name, listing))?;
        return Ok(Outcome::of(tags, &[]));
    }
    let names = app.wait(repository::tag_names(app, registry, name, listing))?;
    Ok(Outcome::of(names, &[]))
}
