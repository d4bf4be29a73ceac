//! `acrt config unset`

use crate::{
    cli::outcome::Outcome,
    error::Result,
    ops::{self, GlobalOptions},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt config unset defaults.registry")]
pub struct UnsetArgs {
    /// Keys, as defaults.registry
    #[arg(required = true)]
    key: Vec<String>,
}

pub fn run(around: &GlobalOptions, args: UnsetArgs) -> Result<Outcome> {
    ops::config::unset(around, &args.key)?;
    Ok(Outcome::default())
}
