//! Describes what a watcher tracks, before its first look.

use std::collections::BTreeSet;

use crate::{
    error::Result,
    ops::{
        App,
        joined::{counted, joined_first},
        task,
    },
};

/// How many tasks that were never run are named.
const NAMED: usize = 5;

/// Returns a line about how many tags of how many tasks are tracked, and which tasks have never run, or that there are no tasks.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be read.
pub fn scope(app: &App) -> Result<String> {
    let (mut tags, mut tasks, mut never) = (BTreeSet::new(), 0_usize, Vec::new());
    for (key, followed) in app.store.followed()? {
        let Ok((_, baseline)) = followed else {
            continue;
        };
        if baseline.is_tracking() {
            tasks += 1
        } else {
            never.push(key.name)
        }
        tags.extend(baseline.bases());
    }
    if tasks + never.len() == 0
        && let Some(none) = task::none_yet(app)?
    {
        return Ok(none);
    }
    let (tags, tasks) = (counted(tags.len(), "tag"), counted(tasks, "task"));
    let follows = format!("follows {tags} of {tasks}");
    if never.is_empty() {
        return Ok(follows);
    }
    let count = never.len();
    let verb = if count == 1 { "has" } else { "have" };
    let named = joined_first(&never, NAMED);
    Ok(format!("{follows}; {count} {verb} never run: {named}"))
}
