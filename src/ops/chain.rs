//! Refuses dependency cycles among tasks: each run would be the cause of the next.

use std::collections::{HashMap, HashSet};

use crate::{
    error::{Error, Kind, Result},
    image::Reference,
    task::{Step, Task, TaskKey},
    watch::Descendants,
};

use super::{App, reading, steps};

/// Returns the other tasks that push one of the same images under a stable name.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be read.
pub fn others_that_push(app: &App, task: &Task, pushes: &[Reference]) -> Result<Vec<TaskKey>> {
    let own: HashSet<Reference> = pushes.iter().map(|image| app.canonical(image)).collect();
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let others = app.store.tasks()?.filter(|it| it.key != task.key());
    let others = others.filter_map(|stored| stored.task.ok());
    let same = others.filter(|other| {
        let mut images = other.stable_images().into_iter();
        images.any(|image| own.contains(&app.canonical(&image)))
    });
    Ok(same.map(|other| other.key()).collect())
}

/// Follows the dependencies of `task` upwards, through the tasks that make its bases. If the caller knows all tasks and passes what depends
/// on its images as `known`, no other task is read. Nor is one read where the task depends on and pushes the same as in its last successful
/// run: a new cycle then goes through another task that depends on or pushes something new, and that task is refused.
///
/// # Errors
///
/// [`Kind::Invalid`] with the path of the cycle, if the dependencies lead back to an image that `task` pushes.
pub fn refuse_cycles(
    app: &App,
    task: &Task,
    pushes: &[Reference],
    bases: &[Reference],
    known: Option<&Descendants>,
) -> Result<()> {
    // Compare canonical names: one image may have several names.
    let pushes: &[Reference] = &pushes
        .iter()
        .map(|it| app.canonical(it))
        .collect::<Vec<_>>();
    if let Some(own) = bases
        .iter()
        .find(|base| pushes.contains(&app.canonical(base)))
    {
        return Err(Error::new(
            Kind::Invalid,
            format!("task `{}` pushes `{own}` and depends on it: each run would be the cause of the next", task.name),
        )
        .hint("give the image another tag, or build on another one"));
    }
    if pushes.is_empty() || bases.is_empty() {
        return Ok(());
    }
    // Tasks can depend on stable names only. What a multi-step file pushes is known only when it can be read.
    let stable: Vec<Reference> = match &task.step {
        Step::Docker(_) | Step::Import(_) => {
            let images = task.stable_images().into_iter();
            images.map(|image| app.canonical(&image)).collect()
        }
        Step::FileTask(_) | Step::EncodedTask(_) => pushes.to_vec(),
    };
    if let Some(known) = known.filter(|known| known.are_of(&stable)) {
        let bases: Vec<Reference> = bases.iter().map(|base| app.canonical(base)).collect();
        return match known.way_from(&bases) {
            Some(way) => Err(cycle(task, way.into_iter().map(ToString::to_string))),
            None => Ok(()),
        };
    }
    if has_done_so(app, task, &stable, bases) {
        return Ok(());
    }
    let others: Vec<Task> = app
        .store
        .tasks()?
        .filter(|stored| stored.key != task.key())
        .filter_map(|stored| stored.task.ok())
        .map(|mut task| {
            steps::read::find_pushes(app, &mut task);
            task
        })
        .collect();
    let mut makers: HashMap<Reference, Vec<&Task>> = HashMap::new();
    for other in &others {
        for image in other.stable_images() {
            makers.entry(app.canonical(&image)).or_default().push(other);
        }
    }
    let mut search = CycleSearch {
        app,
        makers,
        goal: pushes,
        seen: HashSet::new(),
    };
    let mut path = Vec::new();
    if search.leads_back(bases, &mut path) {
        return Err(cycle(task, path.iter().map(|key| key.name.to_string())));
    }
    Ok(())
}

/// Returns whether the last successful run of a task depended on all these bases, and pushed all these images.
fn has_done_so(app: &App, task: &Task, stable: &[Reference], bases: &[Reference]) -> bool {
    let Ok(baseline) = app.store.baseline(&task.key()) else {
        return false;
    };
    let canonical = |image: Reference| app.canonical(&image);
    let depended = baseline.dependencies.iter();
    let depended = depended.filter_map(|dependency| dependency.image.reference());
    let depended: HashSet<Reference> = depended.map(canonical).collect();
    let pushed = baseline.outputs.iter();
    let pushed: HashSet<Reference> = pushed
        .filter_map(|image| image.reference())
        .map(canonical)
        .collect();
    bases
        .iter()
        .all(|base| depended.contains(&app.canonical(base)))
        && stable.iter().all(|image| pushed.contains(image))
}

/// Returns the error that names the tasks of a cycle.
fn cycle(task: &Task, between: impl Iterator<Item = String>) -> Error {
    let name = task.name.to_string();
    let path: Vec<String> = std::iter::once(name.clone())
        .chain(between)
        .chain(std::iter::once(name))
        .collect();
    Error::new(
        Kind::Invalid,
        format!("tasks would depend on each other: {}", path.join(" <- ")),
    )
    .hint("build one of them on an image that none of the others makes")
}

struct CycleSearch<'a> {
    app: &'a App,
    makers: HashMap<Reference, Vec<&'a Task>>,
    goal: &'a [Reference],
    seen: HashSet<TaskKey>,
}

impl CycleSearch<'_> {
    /// Returns whether the makers of these images depend, directly or not, on an image that the task pushes. `path` collects the makers on
    /// the way, nearest first.
    fn leads_back(&mut self, bases: &[Reference], path: &mut Vec<TaskKey>) -> bool {
        for base in bases {
            let base = self.app.canonical(base);
            let makers = self.makers.get(&base).cloned().unwrap_or_default();
            for maker in makers {
                if !self.seen.insert(maker.key()) {
                    continue;
                }
                path.push(maker.key());
                let above = self.bases_of(maker);
                let mut bases = above.iter().map(|base| self.app.canonical(base));
                if bases.any(|base| self.goal.contains(&base)) || self.leads_back(&above, path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    /// Returns the dependencies of a task: those of its Dockerfile now, else those that its last run recorded.
    fn bases_of(&self, task: &Task) -> Vec<Reference> {
        let secrets = self.app.store.secrets(&task.key()).unwrap_or_default();
        let now = reading::survey(self.app, task, &secrets).map(|survey| survey.bases);
        now.unwrap_or_else(|_| {
            let baseline = self.app.store.baseline(&task.key()).unwrap_or_default();
            baseline
                .dependencies
                .iter()
                .filter_map(|dependency| dependency.image.reference())
                .collect()
        })
    }
}
