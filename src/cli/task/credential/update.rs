//! `acrt task credential update`

use crate::{
    cli::{
        flags::{azure::AzureArgs, login::LoginArgs, one_task::OneTaskArgs},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  acrt task credential update --name web --login-server ghcr.io \\\n    --password-stdin < token"
)]
pub struct CredentialUpdateArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    #[command(flatten)]
    login: LoginArgs,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: CredentialUpdateArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    if args.login.is_of_azure_alone(report) {
        return Ok(super::list::answer(ops::credential::list(app, &key)?));
    }
    let parts = args.login.parts(report)?;
    let answer = ops::credential::update(app, &key, &parts.server, parts.username, parts.password)?;
    Ok(super::list::answer(answer))
}
