//! `acrt builder list`

use crate::{
    cli::{columns, outcome::Outcome, report::Report},
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt builder list -o table")]
pub struct BuilderListArgs {}

pub fn run(app: &App, report: &Report, _: BuilderListArgs) -> Result<Outcome> {
    let answers = app.wait(ops::builders::list(app, &[], &report.events()))?;
    Ok(Outcome::of(answers, columns::BUILDER))
}
