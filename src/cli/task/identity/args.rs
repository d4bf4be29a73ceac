//! The options of all commands for managed identities.

use crate::{
    cli::{
        flags::{azure::AzureArgs, one_task::OneTaskArgs},
        report::Report,
    },
    error::Result,
    ops::App,
};

// The task, and options without effect.
#[derive(Debug, clap::Args)]
pub struct IdentityArgs {
    #[command(flatten)]
    pub task: OneTaskArgs,
    #[command(flatten)]
    pub azure: AzureArgs,
}

impl IdentityArgs {
    /// Checks that the task exists, and warns that everything else has no effect.
    pub fn accept(self, app: &App, report: &Report, identities: &[String]) -> Result<()> {
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
