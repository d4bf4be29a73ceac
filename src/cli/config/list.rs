//! `acrt config list`

use std::path::Path;

use crate::{
    cli::{Outcome, columns},
    error::Result,
    ops,
    view::View,
};

/// List the values of the config file
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt config list -o table")]
pub struct ListArgs {}

pub fn run(file: Option<&Path>, _: ListArgs) -> Result<Outcome> {
    let entries = ops::config::list(file)?;
    Ok(Outcome::answer(View::of(entries, columns::CONFIG)))
}
