//! `acrt task credential add`

use crate::{
    cli::{
        flags::{
            azure::AzureArgs,
            login::{LoginArgs, complete},
            one_task::OneTaskArgs,
        },
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task credential add --name web --login-server ghcr.io \\\n    -u me --password-stdin < token\n  acrt task credential add --name web --login-server ghcr.io \\\n    -u me -p env:GHCR_TOKEN\n  acrt task credential add --name web --login-server ghcr.io \\\n    -u me -p file:/run/secrets/ghcr"
)]
pub struct CredentialAddArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    #[command(flatten)]
    login: LoginArgs,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: CredentialAddArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    if args.login.is_of_azure_alone(report) {
        return Ok(super::list::answer(ops::credential::list(app, &key)?));
    }
    let parts = args.login.parts(report)?;
    let login = complete(parts.username, parts.password)?;
    let answer = ops::credential::add(app, &key, &parts.server, login)?;
    Ok(super::list::answer(answer))
}
