//! `--run-id`: whatever is typed, for what has the form of no id is the id of no run.

use std::{convert::Infallible, str::FromStr};

use crate::{error::Result, ops, task::RunId};

/// A run id as it was typed.
#[derive(Clone, Debug)]
pub struct TypedRunId(String);

impl FromStr for TypedRunId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl TypedRunId {
    /// Returns the id.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::NotFound`] where no run can have it.
    pub fn find(&self) -> Result<RunId> {
        self.0.parse().map_err(|_| ops::runs::not_found(&self.0))
    }
}
