//! `--run-id` accepts any text: a text that is no valid id is reported as an unknown run.

use std::{convert::Infallible, fmt, str::FromStr};

use crate::{
    error::{Error, Result},
    ops::{self, App},
    task::RunId,
};

use super::bare::one_of;

/// A run id as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedRunId(String);

impl FromStr for TypedRunId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TypedRunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

impl TypedRunId {
    pub fn find(&self, app: &App) -> Result<RunId> {
        let parsed = self.0.parse();
        parsed.map_err(|_| ops::runs::not_found(app, &self.0))
    }
}

// A required run: a bare argument or `--run-id`.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct OneRunArgs {
    /// ID of the run, as `acrt task list-runs` lists it
    #[arg(value_name = "RUN_ID")]
    bare_run_id: Option<TypedRunId>,
    /// The same, as az takes it
    #[arg(long)]
    run_id: Option<TypedRunId>,
}

impl OneRunArgs {
    pub fn find(self, app: &App) -> Result<RunId> {
        one_of(self.bare_run_id, self.run_id, "--run-id")?
            .ok_or_else(|| Error::invalid("no run was given"))?
            .find(app)
    }
}
