//! `acrt config get`

use crate::{
    cli::{columns, outcome::Outcome},
    error::Result,
    ops::{self, GlobalOptions},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt config get defaults.registry\n  acrt config get defaults.registry --query value -o tsv"
)]
pub struct GetArgs {
    /// Key, as defaults.registry or registries.registry.lan:5000.plainHttp
    key: String,
}

pub fn run(around: &GlobalOptions, args: GetArgs) -> Result<Outcome> {
    let entry = ops::config::get(around, &args.key)?;
    Ok(Outcome::of(entry, columns::CONFIG))
}
