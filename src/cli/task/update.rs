//! `acrt task update`

use crate::{
    cli::{
        columns,
        flags::{definition::DefinitionArgs, one_task::OneTaskArgs},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task update web --base-image-trigger-enabled false\n  acrt task update web --arg NODE=22\n  acrt task update web --target \"\"    (builds the last stage again)\n  acrt task update web --arg \"\" --platform \"\" --schedule \"\"    (removes them)"
)]
pub struct UpdateArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    #[command(flatten)]
    definition: DefinitionArgs,
}

pub fn run(app: &App, report: &Report, args: UpdateArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    let old = ops::task::existing(app, &key)?;
    args.definition.arguments.warn_of_unset(report);
    let task_options = args.definition.task_options(app, &old)?;
    ops::task::update(app, old, task_options, &report.events())?;
    let task = ops::show::task(app, &key)?;
    Ok(Outcome::answer(columns::task_view(app, task)))
}
