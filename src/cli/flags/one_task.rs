//! Options that name one task.

use crate::{
    error::Result,
    ops::{App, task::find},
    task::{TaskKey, TaskName},
};

/// `--name` and `--registry`.
#[derive(Debug, clap::Args)]
pub struct OneTaskArgs {
    /// Name of the task
    #[arg(short, long)]
    name: TaskName,
    /// Registry of the task; needed only where several have a task of this name
    #[arg(short, long, value_name = "LOGIN_SERVER")]
    registry: Option<String>,
}

impl OneTaskArgs {
    /// Finds the task.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::NotFound`] if there is none.
    pub fn find(&self, app: &App) -> Result<TaskKey> {
        find(app, &self.name, self.registry.as_deref())
    }
}
