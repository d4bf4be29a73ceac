//! `acrt task identity assign`

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

use super::args::IdentityArgs;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task identity assign --name web --identities [system]")]
pub struct AssignArgs {
    #[command(flatten)]
    identity: IdentityArgs,
    /// Identities, as az names them
    #[arg(long, num_args = 0.., value_name = "IDENTITY")]
    identities: Vec<String>,
}

pub fn run(app: &App, report: &Report, args: AssignArgs) -> Result<Outcome> {
    args.identity.accept(app, report, &args.identities)?;
    Ok(Outcome::default())
}
