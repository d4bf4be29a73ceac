//! `acrt config …`: reads and changes the config file.

mod get;
mod list;
mod set;
mod unset;

use crate::{error::Result, ops::GlobalOptions};

use super::{lazy_args::LazyArgs, outcome::Outcome};

#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Show a value of the config file
    Get(LazyArgs<get::GetArgs>),
    /// Set values in the config file
    ///
    /// Comments and what else is written there stay. The file is made if there is none.
    Set(LazyArgs<set::SetArgs>),
    /// List the values of the config file
    List(LazyArgs<list::ConfigListArgs>),
    /// Take values out of the config file
    Unset(LazyArgs<unset::UnsetArgs>),
}

/// Runs a command without reading the settings first, so that a broken config file can be repaired.
pub fn run(around: &GlobalOptions, command: ConfigCommand) -> Result<Outcome> {
    match command {
        ConfigCommand::Get(args) => get::run(around, *args.0),
        ConfigCommand::Set(args) => set::run(around, *args.0),
        ConfigCommand::List(args) => list::run(around, *args.0),
        ConfigCommand::Unset(args) => unset::run(around, *args.0),
    }
}
