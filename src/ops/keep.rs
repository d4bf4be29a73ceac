//! After a run: removes superseded tags that its task made from templates, such as `web:{{.Run.ID}}`.

use std::collections::BTreeSet;

use crate::{
    error::Result,
    image::Reference,
    registry::Removal,
    retention::{PushedTag, TagPattern, superseded},
    task::{Run, RunStatus, Task},
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
    for name in task.step.image_names() {
        let Some(pattern) = TagPattern::of(name) else {
            continue;
        };
        let Ok(repository) = Reference::within(&task.registry, pattern.repository()) else {
            continue;
        };
        let there: BTreeSet<String> = registries.tags(&repository).await?.into_iter().collect();
        let needed = needed(app, repository.registry(), Some(run.run_id))?;
        let needed = &needed.of(repository.repository()).tags;
        let pushed: Vec<PushedTag> = pushed(app, task, run, &repository, &pattern)?
            .into_iter()
            .filter(|one| one.image.tag().is_some_and(|tag| there.contains(tag)))
            .collect();
        let go = superseded(pushed, task.keep_tags, task.keep_days, app.clock.now());
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

/// Returns what the runs of a task, this run included, pushed to a repository under tags made from a template.
fn pushed(
    app: &App,
    task: &Task,
    run: &Run,
    repository: &Reference,
    pattern: &TagPattern,
) -> Result<Vec<PushedTag>> {
    let mut pushed = Vec::new();
    let mut take = |run: &Run| {
        for output in run.output_images.iter().flatten() {
            let (Some(image), Some(digest)) = (output.reference(), &output.digest) else {
                continue;
            };
            let fits = image.name() == repository.name()
                && image.tag().is_some_and(|tag| pattern.fits(tag));
            if fits {
                pushed.push(PushedTag {
                    image,
                    digest: digest.clone(),
                    pushed: run.finish_time.unwrap_or(run.last_updated_time),
                });
            }
        }
    };
    take(run);
    let key = task.key();
    for id in app.store.run_ids()? {
        let earlier = app.store.run(id).ok().flatten();
        let of_task = |other: &Run| other.is_of(&key) && other.status == RunStatus::Succeeded;
        if let Some(earlier) = earlier.filter(|other| id != run.run_id && of_task(other)) {
            take(&earlier);
        }
    }
    Ok(pushed)
}
