//! `--run-id` accepts any text: a text that is no valid id is reported as an unknown run.

use crate::{
    error::{Error, Result},
    ops::{self, App},
    task::RunId,
};

use super::bare::one_of;

/// Reads a run id as it was typed.
pub fn run_id(app: &App, typed: &str) -> Result<RunId> {
    let parsed = typed.parse();
    parsed.map_err(|_| ops::runs::not_found(app, typed))
}

// A required run: a bare argument or `--run-id`.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct OneRunArgs {
    /// ID of the run, as `acrt task list-runs` lists it
    #[arg(value_name = "RUN_ID")]
    bare_run_id: Option<String>,
    /// The same, as az takes it
    #[arg(long)]
    run_id: Option<String>,
}

impl OneRunArgs {
    pub fn find(self, app: &App) -> Result<RunId> {
        let typed = one_of(self.bare_run_id, self.run_id, "--run-id")?;
        run_id(
            app,
            &typed.ok_or_else(|| Error::invalid("no run was given"))?,
        )
    }
}
