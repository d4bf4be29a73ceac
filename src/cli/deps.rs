//! `acrt deps`

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    error::{Error, Result},
    ops::{
        self, App,
        deps::{DepsAnswer, DepsRequest},
    },
    view::View,
};

use super::{
    columns,
    flags::build::{Platforms, platforms, standard_input},
    outcome::Outcome,
    report::Report,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt deps -o table\n  acrt deps ./web --file Dockerfile.prod --target runtime --arg NODE=20\n  acrt deps --file - < Dockerfile\n  acrt deps --rewrite docker.io/library=localhost:5000/base --dockerfile"
)]
pub struct DepsArgs {
    /// Folder of the build
    #[arg(default_value = ".", value_name = "CONTEXT")]
    context: PathBuf,
    /// Dockerfile, relative to the context; `-` reads it from standard input
    #[arg(short, long, default_value = "Dockerfile", value_name = "FILE")]
    file: PathBuf,
    /// Build argument, NAME=VALUE (can be repeated)
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    args: Vec<String>,
    /// Stage to build, if not the last
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Platforms to build for, as linux/amd64,linux/arm64
    #[arg(long, value_parser = platforms, value_name = "PLATFORMS")]
    platform: Option<Platforms>,
    /// Named context that stands in for an image or a stage, NAME=SOURCE (can be repeated)
    #[arg(long = "build-context", value_name = "NAME=SOURCE")]
    build_contexts: Vec<String>,
    /// Add digests, asked from the registries, and the images that ONBUILD triggers of a base bring
    #[arg(long)]
    digests: bool,
    /// Name the copies of images too: SOURCE=COPY, or a YAML file of such [default: `mirrors` in the config file] (can be repeated)
    #[arg(long, value_name = "MAP")]
    rewrite: Vec<String>,
    /// Print the Dockerfile with the copies in place of the images, instead of the list
    #[arg(long)]
    dockerfile: bool,
}

pub fn run(app: &App, report: &Report, args: DepsArgs) -> Result<Outcome> {
    let is_stdin = args.file.as_os_str() == "-";
    let text = is_stdin.then(standard_input).transpose()?;
    let request = DepsRequest {
        context: args.context,
        file: args.file,
        text,
        args: pairs(&args.args, "--arg")?,
        target: args.target,
        platforms: args.platform.unwrap_or_default().0,
        contexts: pairs(&args.build_contexts, "--build-context")?,
        digests: args.digests,
        rewrite: args.rewrite,
    };
    let columns = if args.digests {
        columns::DEPS_WITH_DIGESTS
    } else {
        columns::DEPS
    };
    let answer: DepsAnswer = app.wait(ops::deps::deps(app, request))?;
    if args.dockerfile {
        report.answer(&answer.rewritten)?;
        return Ok(Outcome::default());
    }
    Ok(Outcome::answer(
        View::of(answer, columns).rows_at("/images"),
    ))
}

fn pairs(texts: &[String], option: &str) -> Result<BTreeMap<String, String>> {
    texts
        .iter()
        .map(|text| {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                Error::invalid(format!(
                    "{option} `{}` is not of the form NAME=VALUE",
                    text.escape_debug()
                ))
            })?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}
