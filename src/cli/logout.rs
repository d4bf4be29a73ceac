//! `acrt logout`

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::{App, login, task::registry_for},
};

/// Forget the login for a registry, of docker and podman too
///
/// Logins of tasks stay: acrt task credential remove.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt logout -n localhost:5000")]
pub struct LogoutArgs {
    /// Registry [default: $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER")]
    name: Option<String>,
}

pub fn run(app: &App, report: &Report, args: LogoutArgs) -> Result<Outcome> {
    let registry = registry_for(app, args.name.as_deref(), &[])?;
    let said = match app.wait(login::logout(app, &registry))? {
        true => format!("Removing login credentials for {registry}\n"),
        false => format!("Not logged in to {registry}\n"),
    };
    report.answer(said.as_bytes())?;
    Ok(Outcome::default())
}
