//! `acrt task credential list`

use crate::{
    cli::{columns, flags::one_task::AzureOneTaskArgs, outcome::Outcome},
    error::Result,
    ops::{self, App, credential::CredentialsAnswer},
    view::View,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task credential list --name web -o table")]
pub struct CredentialListArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
}

pub fn run(app: &App, args: CredentialListArgs) -> Result<Outcome> {
    let credentials = ops::credential::list(app, &args.task.find(app)?)?;
    Ok(answer(credentials))
}

/// Shows credentials: as a map by login server, as in az, and in a table as rows.
pub(super) fn answer(credentials: CredentialsAnswer) -> Outcome {
    Outcome::answer(View::of(credentials, columns::CREDENTIAL).rows_of_map("loginServer"))
}
