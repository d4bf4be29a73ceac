//! `acrt task timer …`: times at which a task is run.

mod add;
mod list;
mod remove;
mod update;

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

/// Run a task at set times
#[derive(Debug, clap::Subcommand)]
pub enum TimerCommand {
    Add(add::TimerAddArgs),
    Update(update::TimerUpdateArgs),
    Remove(remove::TimerRemoveArgs),
    List(list::TimerListArgs),
}

pub fn run(app: &App, report: &Report, command: TimerCommand) -> Result<Outcome> {
    match command {
        TimerCommand::Add(args) => add::run(app, report, args),
        TimerCommand::Update(args) => update::run(app, report, args),
        TimerCommand::Remove(args) => remove::run(app, report, args),
        TimerCommand::List(args) => list::run(app, report, args),
    }
}
