//! `acrt task check`

use crate::{
    cli::{columns, outcome::Outcome, report::Report},
    error::{Kind, Result},
    ops::{self, App, check::CheckOptions, task::find},
    task::TaskName,
    view::View,
};

/// Say what is stale and why, without building
///
/// Every tag is looked at now. A task that depends on a stale one is `waiting`: it is rebuilt after it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task check -o table\n  acrt task check --name web --query '[0].images'\n  acrt task check --exit-code -o none || echo stale"
)]
pub struct CheckArgs {
    /// Only this task
    #[arg(short, long)]
    name: Option<TaskName>,
    /// Registry of that task; needed only where several have a task of this name
    #[arg(short, long, value_name = "LOGIN_SERVER", requires = "name")]
    registry: Option<String>,
    /// Look at the images that tasks have pushed too
    #[arg(long)]
    images: bool,
    /// End with 10 if something is stale, or changed
    #[arg(long)]
    exit_code: bool,
}

pub fn run(app: &App, report: &Report, args: CheckArgs) -> Result<Outcome> {
    let only = args
        .name
        .map(|name| find(app, &name, args.registry.as_deref()))
        .transpose()?;
    let options = CheckOptions {
        only: only.as_ref(),
        images: args.images,
    };
    let checked = app.wait(ops::check::check(app, options, &report.events()))?;
    let exit = match checked.worst {
        Some(Kind::Stale) if !args.exit_code => None,
        worst => worst,
    };
    Ok(Outcome {
        view: Some(View::of(checked.tasks, columns::CHECK)),
        exit,
    })
}
