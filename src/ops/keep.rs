//! After a run: removes superseded tags that its task made from templates, such as `web:{{.Run.ID}}`.

use std::collections::BTreeSet;

use crate::{
    error::Result,
    image::Reference,
    registry::Removal,
    retention::{PushedTag, makes_tags, superseded},
    task::{
        Run, RunStatus, Task,
        template::{RunVariables, render},
    },
};

use super::{App, event::Event, purge::needed, run_log::RunLog};

/// Removes the tags that earlier runs of a task pushed and that the task does not keep. A failure is reported, and does not fail the run.
pub async fn remove_superseded(app: &App, task: &Task, run: &Run, log: &RunLog<'_>) {
    if task.keep_tags.is_none() && task.keep_days.is_none() {
        return;
    }
    if let Err(error) = remove(app, task, run, log).await {
        let text = format!("superseded tags are still there: {}", error.one_line());
        log.say(&text);
        log.events.send(Event::Warning(text));
    }
}

async fn remove(app: &App, task: &Task, run: &Run, log: &RunLog<'_>) -> Result<()> {
    let registries = app.registries();
    let fixed = task.stable_images();
    for name in task.step.image_names().iter().filter(|it| makes_tags(it)) {
        let Some(latest) = made(task, run, name) else {
            continue;
        };
        let repository = &latest.image;
        let there: BTreeSet<String> = registries.tags(repository).await?.into_iter().collect();
        let mut pushed = all_made(app, task, run, name)?;
        pushed.retain(|one| {
            let is_there = one.image.tag().is_some_and(|tag| there.contains(tag));
            is_there && one.image.name() == repository.name() && !fixed.contains(&one.image)
        });
        let mut go = superseded(pushed, task.keep_tags, task.keep_days, app.clock.now());
        go.retain(|one| !pushes(run, &one.image));
        if go.is_empty() {
            continue;
        }
        // Reads the files of all tasks.
        let needed = needed(app, repository.registry(), Some(run.run_id))?;
        let needed = &needed.of(repository.repository()).tags;
        for one in go {
            if one.image.tag().is_some_and(|tag| needed.contains_key(tag)) {
                continue;
            }
            let text = match registries.untag(&one.image, &one.digest, true).await {
                Ok(Removal::Removed) => format!("removed the superseded tag {}", one.image),
                Ok(Removal::Absent | Removal::Moved) => continue,
                Ok(Removal::Unsupported) => {
                    return Err(super::purge::removes_nothing(repository.registry()));
                }
                Err(error) => return Err(error.of_writing(&one.image.to_string())),
            };
            log.say(&text);
        }
    }
    Ok(())
}

/// Returns what all successful runs of a task, and this run, pushed under the tags that they made from the template `name`.
fn all_made(app: &App, task: &Task, run: &Run, name: &str) -> Result<Vec<PushedTag>> {
    let key = task.key();
    let is_earlier = |other: &Run| {
        other.run_id != run.run_id && other.is_of(&key) && other.status == RunStatus::Succeeded
    };
    let ids = app.store.run_ids()?.into_iter();
    let runs = ids.filter_map(|id| app.store.run(id).ok().flatten());
    let earlier = runs.filter(is_earlier);
    let made_earlier = earlier.filter_map(|run| made(task, &run, name));
    Ok(made_earlier.chain(made(task, run, name)).collect())
}

/// Returns what a run pushed under the tag that it made from a template: two templates may make tags of the same form, and a fixed tag may
/// have the form of a template.
fn made(task: &Task, run: &Run, name: &str) -> Option<PushedTag> {
    let variables = task.run_variables(run.run_id, run.create_time, run.source_commit.as_deref());
    let variables = RunVariables {
        triggered_by: run.triggered_by().into(),
        ..variables
    };
    let image = render(name, &variables).ok()?;
    let image = Reference::within(&task.registry, &image).ok()?;
    let mut outputs = run.output_images.iter().flatten();
    let output = outputs.find(|output| output.reference().as_ref() == Some(&image))?;
    Some(PushedTag {
        digest: output.digest.clone()?,
        image,
        pushed: run.finish_time.unwrap_or(run.last_updated_time),
    })
}

fn pushes(run: &Run, image: &Reference) -> bool {
    let mut outputs = run.output_images.iter().flatten();
    outputs.any(|output| output.reference().as_ref() == Some(image))
}
