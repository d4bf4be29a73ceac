//! `acrt repository list`

use crate::{
    cli::{flags::registry::RegistryArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::{App, repository},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt repository list -n localhost:5000 -o tsv")]
pub struct RepositoryListArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Show no more than this many
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    top: Option<usize>,
}

pub fn run(app: &App, report: &Report, args: RepositoryListArgs) -> Result<Outcome> {
    let registry = args.registry.enter(app, report, None)?;
    let events = report.events();
    let names = repository::list(app, Some(&registry), args.top, &events);
    Ok(Outcome::of(app.wait(names)?, &[]))
}
