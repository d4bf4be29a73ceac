//! `acrt task timer …`: the timers of a task.

mod add;
mod list;
mod remove;
mod update;

use crate::{
    cli::{lazy_args::LazyArgs, outcome::Outcome},
    error::Result,
    ops::App,
};

#[derive(Debug, clap::Subcommand)]
pub enum TimerCommand {
    /// Add a timer to a task
    ///
    /// `acrt task watch` runs the task at these times, whether or not its base images moved. A time that was missed while nothing watched
    /// is made up for once.
    Add(LazyArgs<add::TimerAddArgs>),
    /// Change a timer of a task
    Update(LazyArgs<update::TimerUpdateArgs>),
    /// Remove a timer from a task
    Remove(LazyArgs<remove::TimerRemoveArgs>),
    /// List the timers of a task, with the next three times of each
    List(LazyArgs<list::TimerListArgs>),
}

pub fn run(app: &App, command: TimerCommand) -> Result<Outcome> {
    match command {
        TimerCommand::Add(args) => add::run(app, *args.0),
        TimerCommand::Update(args) => update::run(app, *args.0),
        TimerCommand::Remove(args) => remove::run(app, *args.0),
        TimerCommand::List(args) => list::run(app, *args.0),
    }
}
