//! `--yes`, and the question that it answers.

use crate::{
    cli::report::Report,
    error::{Error, Result},
};

// `--yes`
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct YesArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl YesArgs {
    pub fn is_yes(self) -> bool {
        self.yes
    }

    /// Asks for confirmation, unless `--yes` was given.
    pub fn confirm(self, report: &Report, question: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !report.can_ask() {
            return Err(
                Error::invalid("unable to prompt for confirmation as no tty available")
                    .hint("use --yes"),
            );
        }
        let answer = report.ask(&format!("{question} (y/n): "))?;
        match answer.to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Error::failed("operation cancelled")),
        }
    }
}
