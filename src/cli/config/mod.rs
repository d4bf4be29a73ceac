//! `acrt config …`: values of the config file.

mod get;
mod list;
mod set;
mod unset;

use crate::{error::Result, ops::GlobalOptions};

use super::outcome::Outcome;

/// Read and change the config file
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    Get(get::GetArgs),
    Set(set::SetArgs),
    List(list::ConfigListArgs),
    Unset(unset::UnsetArgs),
}

/// Carries it out without reading the settings first: so a broken file can be mended too.
pub fn run(around: &GlobalOptions, command: ConfigCommand) -> Result<Outcome> {
    match command {
        ConfigCommand::Get(args) => get::run(around, args),
        ConfigCommand::Set(args) => set::run(around, args),
        ConfigCommand::List(args) => list::run(around, args),
        ConfigCommand::Unset(args) => unset::run(around, args),
    }
}
