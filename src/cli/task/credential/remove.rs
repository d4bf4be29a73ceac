//! `acrt task credential remove`

use crate::{
    cli::{flags::one_task::AzureOneTaskArgs, outcome::Outcome, report::Report},
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

pub fn run(app: &App, report: &Report, args: CredentialRemoveArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    let (answer, was_there) = ops::credential::remove(app, &key, &args.login_server)?;
    if !was_there {
        report.warning(&format!(
            "task `{key}` has no login for `{}`, so that none was removed",
            args.login_server.escape_debug()
        ));
    }
    Ok(super::list::answer(answer))
}
