//! `acrt manifest show`

use crate::{
    cli::{flags::registry::RegistryLoginArgs, outcome::Outcome, report::Report},
    error::{Context as _, Error, Kind, Result},
    image::Reference,
    ops::{App, manifest, repository},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt manifest show localhost:5000/web:latest\n  acrt manifest show -r localhost:5000 -n web@sha256:… --raw"
)]
pub struct ManifestShowArgs {
    #[command(flatten)]
    image: ManifestArgs,
    /// Print its bytes unchanged
    #[arg(long)]
    raw: bool,
}

// An image with its registry, or `--registry` and `--name`.
#[derive(Debug, clap::Args)]
pub struct ManifestArgs {
    /// Image with its registry, as name:tag or name@digest
    #[arg(value_name = "IMAGE", conflicts_with_all = ["registry", "name"], required_unless_present = "name")]
    manifest_id: Option<String>,
    /// Registry [default: $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Name of the image, as name:tag or name@digest
    #[arg(short, long, value_name = "IMAGE")]
    name: Option<String>,
    #[command(flatten)]
    entry: RegistryLoginArgs,
}

impl ManifestArgs {
    /// Returns the image, after making all logins known.
    pub fn enter(self, app: &App, report: &Report) -> Result<Reference> {
        let image = match (self.manifest_id, self.name) {
            (Some(id), _) if !id.contains('/') => {
                return Err(
                    Error::invalid(format!("`{}` names no registry", id.escape_debug())).hint(
                        "name it with its registry, as localhost:5000/web:1, or give -r and -n",
                    ),
                );
            }
            (Some(id), _) => repository::image(app, None, &id)?,
            (None, name) => {
                let registry = self.registry.as_deref();
                repository::image_in(app, registry, &name.unwrap_or_default())?
            }
        };
        self.entry.enter(app, report, image.registry())?;
        Ok(image)
    }
}

pub fn run(app: &App, report: &Report, args: ManifestShowArgs) -> Result<Outcome> {
    let image = args.image.enter(app, report)?;
    let bytes = app.wait(manifest::show(app, &image))?;
    if args.raw {
        report.answer(&bytes)?;
        return Ok(Outcome::default());
    }
    let document: serde_json::Value = serde_json::from_slice(&bytes)
        .context(Kind::Unknown, || {
            format!("the manifest of `{image}` is no JSON")
        })?;
    Ok(Outcome::of(document, &[]))
}
