//! Makes tasks of existing compose files, bake files and Dockerfiles.
//!
//! [`find`] finds the files, [`read`] reads what they build, [`plan`] makes task definitions of it ([`draft`]) in the order of their
//! dependencies ([`chain`]), [`write`] compares them with the existing tasks and writes them.

mod chain;
mod draft;
mod find;
mod names;
mod plan;
mod proposal;
mod read;
mod write;

use crate::{error::Result, task::TaskKey};

use super::{App, EventSink};

pub use proposal::{
    AdoptAnswer, AdoptOptions, Destination, LeftOut, Proposal, ProposedChange, Search,
    TrackingAnswer,
};
pub use read::{compose_call, compose_project, has_changed, variable};
pub use write::write;

/// Returns the tasks that a run brings up to date, in order: those that are new, have changed, or follow nothing yet.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where a baseline cannot be read.
pub fn to_run(app: &App, answer: &AdoptAnswer) -> Result<Vec<TaskKey>> {
    let mut keys = Vec::new();
    for task in &answer.tasks {
        let key = task.task_key();
        let is_wanted = match task.change {
            ProposedChange::New | ProposedChange::Changed => true,
            ProposedChange::Same | ProposedChange::Kept => !app.store.baseline(&key)?.is_tracking(),
            ProposedChange::Gone => false,
        };
        if is_wanted {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Returns the tasks that could be made. Writes nothing.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where a path cannot be searched, or the registry of the images is not known.
pub async fn propose(
    app: &App,
    options: &AdoptOptions,
    events: &EventSink<'_>,
) -> Result<AdoptAnswer> {
    let mut gathered = read::gather(app, options, events).await?;
    let tasks = plan::plan(app, options, &mut gathered)?;
    Ok(AdoptAnswer {
        tasks,
        left_out: gathered.left_out,
        written: false,
    })
}
