//! `acrt repository untag`

use crate::{
    cli::{flags::registry::RegistryArgs, outcome::Outcome, report::Report},
    error::{Error, Result},
    ops::{App, repository},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt repository untag -n localhost:5000 --image web:1")]
pub struct UntagArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Name of the image, as name:tag
    #[arg(short = 't', long, value_name = "IMAGE")]
    image: String,
}

pub fn run(app: &App, report: &Report, args: UntagArgs) -> Result<Outcome> {
    let registry = args.registry.enter(app, report, Some(&args.image))?;
    let image = repository::image(app, Some(&registry), &args.image)?;
    if image.digest().is_some() {
        return Err(Error::invalid(format!(
            "`{image}` names a digest, and only a tag can be removed by itself"
        ))
        .hint(format!(
            "to remove the image: acrt repository delete --image {image}"
        )));
    }
    app.wait(repository::untag(app, &image))?;
    Ok(Outcome::default())
}
