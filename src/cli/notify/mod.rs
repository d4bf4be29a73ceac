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
    /// Show the templates of the messages for known services
    Presets(LazyArgs<presets::PresetsArgs>),
    /// Send a sample notification, and show what was sent and answered
    ///
    /// Nothing is recorded: the next real notification is not affected.
    Test(LazyArgs<test::NotifyTestArgs>),
}

pub fn run(app: &App, command: NotifyCommand) -> Result<Outcome> {
    match command {
        NotifyCommand::Presets(args) => presets::run(&args.0),
        NotifyCommand::Test(args) => test::run(app, &args.0),
    }
}
