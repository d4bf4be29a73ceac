//! `acrt check-health`

use crate::{
    error::Result,
    ops::{self, App},
};

use super::{
    columns,
    flags::{azure::AzureHealthArgs, registry::login_server},
    outcome::Outcome,
    report::Report,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt check-health -o table\n  acrt check-health ghcr.io localhost:5000 -o table"
)]
pub struct CheckHealthArgs {
    /// Registries to ask [default: those of all tasks]
    #[arg(value_name = "REGISTRY", value_parser = login_server)]
    registries: Vec<String>,
    /// Registry to ask, as az names it
    #[arg(short, long, value_name = "REGISTRY", value_parser = login_server)]
    name: Option<String>,
    /// Go on after errors; it always does
    #[arg(long, hide_short_help = true)]
    ignore_errors: bool,
    /// Do not ask; nothing is asked
    #[arg(short, long, hide_short_help = true)]
    yes: bool,
    #[command(flatten)]
    azure: AzureHealthArgs,
}

pub fn run(app: &App, report: &Report, args: CheckHealthArgs) -> Result<Outcome> {
    let registries = args.registries.into_iter().chain(args.name).collect();
    let findings = app.wait(ops::health::check(app, registries, &report.events()))?;
    let exit = ops::health::worst(&findings);
    Ok(Outcome::of(findings, columns::HEALTH).with_exit(exit))
}
