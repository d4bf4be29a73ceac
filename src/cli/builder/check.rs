//! `acrt builder check`

use crate::{
    cli::{columns, outcome::Outcome, report::Report},
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  acrt builder check -o table\n  acrt builder check arm1 farm")]
pub struct BuilderCheckArgs {
    /// Builders or pools to ask [default: those of the config file, or of this machine]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub fn run(app: &App, report: &Report, args: BuilderCheckArgs) -> Result<Outcome> {
    let answers = app.wait(ops::builders::list(app, &args.names, &report.events()))?;
    let exit = ops::builders::worst(&answers);
    Ok(Outcome::of(answers, columns::BUILDER).with_exit(exit))
}
