//! `acrt manifest list-metadata`

use crate::{
    cli::{
        flags::registry::{ListingArgs, RegistryLoginArgs},
        outcome::Outcome,
        report::Report,
    },
    error::{Error, Result},
    ops::{App, manifest, task::named_registry},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt manifest list-metadata localhost:5000/web --orderby time_desc\n  acrt manifest list-metadata -r localhost:5000 -n web \\\n    --query '[].digest' -o tsv"
)]
pub struct ListMetadataArgs {
    /// Repository with its registry
    #[arg(value_name = "REPOSITORY", conflicts_with_all = ["registry", "name"])]
    repo_id: Option<String>,
    /// Registry [default: $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Name of the repository
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    listing: ListingArgs,
    #[command(flatten)]
    entry: RegistryLoginArgs,
}

pub fn run(app: &App, report: &Report, args: ListMetadataArgs) -> Result<Outcome> {
    let (registry, name) = match (args.repo_id, args.name) {
        (Some(id), _) => {
            let id = id.strip_prefix("https://").unwrap_or(&id).to_owned();
            let (registry, name) = id.split_once('/').ok_or_else(|| unnamed(&id))?;
            (named_registry(app, Some(registry), None)?, name.to_owned())
        }
        (None, Some(name)) => (
            named_registry(app, args.registry.as_deref(), Some(&name))?,
            name,
        ),
        (None, None) => return Err(unnamed("")),
    };
    args.entry.enter(app, report, &registry)?;
    let list = manifest::list(app, Some(&registry), &name, args.listing.into());
    Ok(Outcome::of(app.wait(list)?, &[]))
}

fn unnamed(text: &str) -> Error {
    Error::invalid(format!(
        "cannot tell which repository is meant by `{}`",
        text.escape_debug()
    ))
    .hint("name it with its registry, as localhost:5000/web, or give -r and -n")
}
