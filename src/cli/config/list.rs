//! `acrt config list`

use crate::{
    cli::{columns, outcome::Outcome},
    error::Result,
    ops::{self, GlobalOptions},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt config list -o table")]
pub struct ConfigListArgs {}

pub fn run(around: &GlobalOptions, _: ConfigListArgs) -> Result<Outcome> {
    let entries = ops::config::list(around)?;
    Ok(Outcome::of(entries, columns::CONFIG))
}
