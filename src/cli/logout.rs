//! `acrt logout`

use crate::{
    cli::{flags::registry::RegistryNameArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::{App, login},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt logout localhost:5000")]
pub struct LogoutArgs {
    #[command(flatten)]
    name: RegistryNameArgs,
}

pub fn run(app: &App, report: &Report, args: LogoutArgs) -> Result<Outcome> {
    let registry = args.name.find(app, report, None)?;
    let said = if app.wait(login::logout(app, &registry))? {
        format!("Removing login credentials for {registry}\n")
    } else {
        format!("Not logged in to {registry}\n")
    };
    report.answer(said.as_bytes())?;
    Ok(Outcome::default())
}
