//! `acrt repository show`

use crate::{
    cli::{flags::registry::RegistryArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::{App, manifest, repository},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt repository show -n localhost:5000 --repository web\n  acrt repository show -n localhost:5000 -t web:latest \\\n    --query digest -o tsv"
)]
pub struct RepositoryShowArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    what: RepositoryOrImageArgs,
}

// `--repository` or `--image`.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct RepositoryOrImageArgs {
    /// Name of the repository
    #[arg(long, value_name = "NAME")]
    pub repository: Option<String>,
    /// Name of the image, as name:tag or name@digest
    #[arg(short = 't', long, value_name = "IMAGE")]
    pub image: Option<String>,
}

impl RepositoryOrImageArgs {
    /// Returns the name, which may begin with a registry.
    pub fn name(&self) -> Option<&str> {
        self.repository.as_deref().or(self.image.as_deref())
    }
}

pub fn run(app: &App, report: &Report, args: RepositoryShowArgs) -> Result<Outcome> {
    let registry = args.registry.enter(app, report, args.what.name())?;
    let registry = Some(registry.as_str());
    let outcome = match (args.what.repository, args.what.image) {
        (Some(name), _) => Outcome::of(app.wait(repository::show(app, registry, &name))?, &[]),
        (None, image) => {
            let image = repository::image(app, registry, &image.unwrap_or_default())?;
            match image.digest() {
                Some(_) => Outcome::of(app.wait(manifest::metadata(app, &image))?, &[]),
                None => Outcome::of(app.wait(repository::show_tag(app, &image))?, &[]),
            }
        }
    };
    Ok(outcome)
}
