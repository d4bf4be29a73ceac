//! `acrt task identity show`

use serde_json::json;

use crate::{
    cli::{columns, outcome::Outcome, report::Report},
    error::Result,
    ops::App,
};

use super::args::IdentityArgs;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acrt task identity show --name web")]
pub struct IdentityShowArgs {
    #[command(flatten)]
    identity: IdentityArgs,
}

pub fn run(app: &App, report: &Report, args: IdentityShowArgs) -> Result<Outcome> {
    args.identity.accept(app, report, &[])?;
    Ok(Outcome::of(json!({}), columns::IDENTITY))
}
