//! The options of all commands for managed identities.

use crate::{
    cli::{flags::one_task::AzureOneTaskArgs, report::Report},
    error::Result,
    ops::App,
};

// The task, and options without effect.
#[derive(Debug, clap::Args)]
pub struct IdentityArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
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
