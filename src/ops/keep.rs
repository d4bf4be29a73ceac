//! After a run: removes superseded tags that its task made from templates, such as `web:{{.Run.ID}}`.

use std::collections::BTreeSet;

use crate::{
    error::Result,
    image::Reference,
    registry::Removal,
    retention::{PushedTag, superseded},
    task::{
        Run, RunStatus, Task,
        template::{makes_tags, render},
    },
};

use super::{
    App, Event,
    purge::needed,
    run_log::RunLog,
    runs::{RunFilter, ids},
};

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
    let runs = runs(app, task, run)?;
    for name in task.step.image_names().iter().filter(|it| makes_tags(it)) {
        let Some(latest) = made(task, run, name) else {
            continue;
        };
        let repository = &latest.image;
        let there: BTreeSet<String> = registries.tags(repository).await?.into_iter().collect();
        let pushed = runs.iter().filter_map(|run| made(task, run, name));
        let pushed = pushed.filter(|one| {
            let is_there = one.image.tag().is_some_and(|tag| there.contains(tag));
            is_there && one.image.name() == repository.name() && !fixed.contains(&one.image)
        });
        let mut go = superseded(
            pushed.collect(),
            task.keep_tags,
            task.keep_days,
            app.clock.now(),
        );
        go.retain(|one| !run.pushed(&one.image));
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
                Err(error) if error.is_locked() => {
                    format!("kept the superseded tag {}, which is locked", one.image)
                }
                Err(error) => return Err(error.of_writing(&one.image.to_string())),
            };
            log.say(&text);
        }
    }
    Ok(())
}

/// Returns the successful runs of a task, and this run.
fn runs(app: &App, task: &Task, run: &Run) -> Result<Vec<Run>> {
    let key = task.key();
    let filter = RunFilter {
        task: Some(task.name.clone()),
        ..RunFilter::default()
    };
    let ids = ids(app, &filter)?.into_iter();
    let earlier = ids.filter(|id| *id != run.run_id);
    let earlier = earlier.filter_map(|id| app.store.run(id).ok().flatten());
    let earlier = earlier.filter(|it| it.is_of(&key) && it.status == RunStatus::Succeeded);
    Ok(earlier.chain([run.clone()]).collect())
}

/// Returns what a run pushed under the tag that it made from the template `name`: two templates may make tags of the same form, and a fixed
/// tag may have the form of a template.
fn made(task: &Task, run: &Run, name: &str) -> Option<PushedTag> {
    let variables = task.run_variables(run.run_id, run.create_time, run.source_commit.as_deref());
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
