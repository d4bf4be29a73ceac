//! `acrt task identity …`: managed identities, which only Azure has.

mod assign;
mod remove;
mod show;

use crate::{
    cli::{
        Outcome,
        flags::{azure::AzureArgs, one_task::OneTaskArgs},
        report::Report,
    },
    error::Result,
    ops::App,
};

/// Accept what az says of managed identities; there are none here
#[derive(Debug, clap::Subcommand)]
pub enum IdentityCommand {
    Assign(assign::AssignArgs),
    Remove(remove::RemoveArgs),
    Show(show::ShowArgs),
}

pub fn run(app: &App, report: &Report, command: IdentityCommand) -> Result<Outcome> {
    match command {
        IdentityCommand::Assign(args) => assign::run(app, report, args),
        IdentityCommand::Remove(args) => remove::run(app, report, args),
        IdentityCommand::Show(args) => show::run(app, report, args),
    }
}

/// The options of all three.
#[derive(Debug, clap::Args)]
struct IdentityArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    #[command(flatten)]
    azure: AzureArgs,
}

impl IdentityArgs {
    /// Checks that there is such a task, and says that the rest is without effect.
    fn accept(self, app: &App, report: &Report, identities: &[String]) -> Result<()> {
        self.azure.tell(report);
        self.task.find(app)?;
        let named = match identities {
            [] => String::new(),
            names => format!(" {}", names.join(", ")),
        };
        report.warning(&format!(
            "without effect outside Azure: managed identities{named}; `acrt task credential` gives a task its logins"
        ));
        Ok(())
    }
}
