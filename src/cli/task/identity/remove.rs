//! `acrt task identity remove`

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

use super::args::IdentityArgs;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task identity remove --name web --identities [system]")]
pub struct IdentityRemoveArgs {
    #[command(flatten)]
    identity: IdentityArgs,
    /// Identities, as az names them
    #[arg(long, num_args = 0.., value_name = "IDENTITY")]
    identities: Vec<String>,
}

pub fn run(app: &App, report: &Report, args: IdentityRemoveArgs) -> Result<Outcome> {
    args.identity.accept(app, report, &args.identities)?;
    Ok(Outcome::default())
}
