//! `acrt repository delete`

use crate::{
    cli::{
        flags::{confirm::YesArgs, registry::RegistryArgs},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    image::Reference,
    ops::{App, repository},
};

use super::show::RepositoryOrImageArgs;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt repository delete -n localhost:5000 --image web:1 --yes\n  acrt repository delete -n localhost:5000 --repository old --yes"
)]
pub struct RepositoryDeleteArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    what: RepositoryOrImageArgs,
    #[command(flatten)]
    yes: YesArgs,
}

pub fn run(app: &App, report: &Report, args: RepositoryDeleteArgs) -> Result<Outcome> {
    let registry = args.registry.enter(app, report, args.what.name())?;
    match (args.what.repository, args.what.image) {
        (Some(name), _) => {
            let question = format!(
                "Are you sure you want to delete the repository '{name}' and all images under it?"
            );
            args.yes.confirm(report, &question)?;
            let events = report.events();
            let removed = repository::delete(app, Some(&registry), &name, &events);
            let removed = app.wait(removed)?;
            Ok(Outcome::of(removed, &[]))
        }
        (None, image) => {
            let image = repository::image(app, Some(&registry), &image.unwrap_or_default())?;
            delete_image(app, report, &image, args.yes)
        }
    }
}

/// Deletes a manifest with all its tags, after listing them.
pub fn delete_image(
    app: &App,
    report: &Report,
    image: &Reference,
    yes: YesArgs,
) -> Result<Outcome> {
    let (digest, tags) = app.wait(repository::named_with(app, image))?;
    let tags: Vec<String> = tags
        .iter()
        .map(|tag| format!("'{}:{tag}'", image.repository()))
        .collect();
    let with = if tags.is_empty() {
        String::new()
    } else {
        format!(" and all the following images: {}", tags.join(", "))
    };
    let question = format!(
        "This operation will delete the manifest '{digest}'{with}.\nAre you sure you want to continue?"
    );
    yes.confirm(report, &question)?;
    app.wait(repository::delete_manifest(app, image, &digest))?;
    Ok(Outcome::default())
}
