//! `acrt notify presets`

use crate::{cli::outcome::Outcome, error::Result, ops::notify, view::Column};

const COLUMNS: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("ABOUT", "/about"),
    Column::at("URL", "/url"),
];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt notify presets\n  acrt notify presets slack --query '[0].body' -o tsv"
)]
pub struct PresetsArgs {
    /// Service
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub fn run(args: &PresetsArgs) -> Result<Outcome> {
    let presets = notify::presets(args.name.as_deref())?;
    Ok(Outcome::of(presets, COLUMNS))
}
