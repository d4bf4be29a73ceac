//! `acrt config unset`

use std::path::Path;

use crate::{cli::Outcome, error::Result, ops};

/// Take values out of the config file
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt config unset defaults.registry")]
pub struct UnsetArgs {
    /// Keys, as defaults.registry
    #[arg(required = true)]
    key: Vec<String>,
}

pub fn run(file: Option<&Path>, args: UnsetArgs) -> Result<Outcome> {
    ops::config::unset(file, &args.key)?;
    Ok(Outcome::default())
}
