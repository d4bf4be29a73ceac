//! `acrt task credential remove`

use crate::{
    cli::{flags::one_task::AzureOneTaskArgs, outcome::Outcome},
    error::Result,
    ops::{self, App},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task credential remove --name web --login-server ghcr.io")]
pub struct CredentialRemoveArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
    /// Login server
    #[arg(long)]
    login_server: String,
}

pub fn run(app: &App, args: CredentialRemoveArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    let answer = ops::credential::remove(app, &key, &args.login_server)?;
    Ok(super::list::answer(answer))
}
