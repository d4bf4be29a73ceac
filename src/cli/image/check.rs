//! `acrt image check`

use std::path::PathBuf;

use crate::{
    cli::{
        columns,
        flags::build::{Platforms, platforms},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    image::Reference,
    ops::{
        self, App,
        image_check::{AssumedBase, ImageCheckRequest},
    },
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt image check ghcr.io/acme/web:1 -o table\n  acrt image check docker-daemon:web containers-storage:api oci:./out:1.0\n  acrt image check --running --exit-code -o none || echo stale\n  acrt image check --compose compose.yaml -o table\n  acrt image check localhost:5000/web:1 --platform linux/arm64 --base node:20"
)]
pub struct ImageCheckArgs {
    /// Image of a registry, or docker-daemon:NAME, containers-storage:NAME, oci:FOLDER[:NAME]
    #[arg(value_name = "IMAGE", required_unless_present_any = ["running", "compose"])]
    images: Vec<String>,
    /// Also the images of the containers that docker and podman run
    #[arg(long)]
    running: bool,
    /// Also the images of all services of this compose file, a project of its own (can be repeated)
    #[arg(long, value_name = "FILE")]
    compose: Vec<PathBuf>,
    /// Only these platforms, as linux/amd64,linux/arm64 [default: all that the image has]
    #[arg(long, value_parser = platforms, value_name = "PLATFORMS")]
    platform: Option<Platforms>,
    /// Base image that they were built on, if they do not name it
    #[arg(long, value_name = "IMAGE")]
    base: Option<Reference>,
    /// Dockerfile that they were built with; its last stage names the base
    #[arg(long, value_name = "FILE", conflicts_with = "base")]
    dockerfile: Option<PathBuf>,
    /// End with 10 if something is stale
    #[arg(long)]
    exit_code: bool,
}

pub fn run(app: &App, report: &Report, args: ImageCheckArgs) -> Result<Outcome> {
    let request = ImageCheckRequest {
        images: args.images,
        running: args.running,
        compose: args.compose,
        platforms: args.platform.unwrap_or_default().0,
        assumed: match (args.base, args.dockerfile) {
            (Some(base), _) => AssumedBase::Image(base),
            (None, Some(file)) => AssumedBase::Dockerfile(file),
            (None, None) => AssumedBase::Unknown,
        },
    };
    let checked = app.wait(ops::image_check::check(app, request, &report.events()))?;
    let view = columns::image_check_view(app, checked.images);
    Ok(Outcome::answer(view).with_worst(checked.worst, args.exit_code))
}
