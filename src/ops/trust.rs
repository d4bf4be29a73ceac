//! Whose a context is. A guest's context may do what a Dockerfile can do inside its workspace, and no more.

use std::path::PathBuf;

use crate::{
    sys::ownership,
    task::{Context, Task},
};

use super::App;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The owner's, like the task's definition; or trusted like that, because the definition says so.
    Owner,
    Guest,
}

/// Returns whose the context of a task is: the owner's if it is a folder of this machine that only the user who runs the task can change.
pub fn of(app: &App, task: &Task) -> Trust {
    if task.step.trusts_context() {
        return Trust::Owner;
    }
    match task.step.context() {
        None | Some(Context::None) => Trust::Owner,
        Some(_) if task.fetched_from.is_some() => Trust::Guest,
        Some(_) => match folder(app, task) {
            Some(folder) if ownership::is_own(&folder) => Trust::Owner,
            _ => Trust::Guest,
        },
    }
}

/// Returns the folder of this machine that is the context of a task.
pub fn folder(app: &App, task: &Task) -> Option<PathBuf> {
    let home = app.store.layout().task(&task.key());
    let context = task.step.context()?;
    context.folder(home.parent().unwrap_or(home.as_path()))
}
