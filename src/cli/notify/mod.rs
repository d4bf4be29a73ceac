//! `acrt notify …`: the receivers of notifications.

mod presets;
mod test;

use crate::{
    cli::{lazy_args::LazyArgs, outcome::Outcome},
    error::Result,
    ops::App,
};

#[derive(Debug, clap::Subcommand)]
pub enum NotifyCommand {
    /// Show the templates that services are told with
    Presets(LazyArgs<presets::PresetsArgs>),
    /// Send a sample to who is told, and show what was sent and answered
    ///
    /// Nothing is noted: what a receiver has been told stays as it is.
    Test(LazyArgs<test::NotifyTestArgs>),
}

pub fn run(app: &App, command: NotifyCommand) -> Result<Outcome> {
    match command {
        NotifyCommand::Presets(args) => presets::run(&args.0),
        NotifyCommand::Test(args) => test::run(app, &args.0),
    }
}
