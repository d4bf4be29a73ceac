//! Refuses dependency cycles among tasks: each run would be the cause of the next.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    error::{Error, Result},
    image::Reference,
    task::{Status, Step, Task, TaskKey},
    watch::Descendants,
};

use super::{App, reading, steps};

/// The stored tasks by the stable images that they push. They are read once, when they are first needed; the writer of a task must update them.
pub struct ImageMakers<'a> {
    pub app: &'a App,
    read: Option<MakersByImage>,
}

#[derive(Default)]
struct MakersByImage {
    tasks: HashMap<TaskKey, Task>,
    /// The keys by the canonical names of the images.
    keys: HashMap<Reference, BTreeSet<TaskKey>>,
}

impl<'a> ImageMakers<'a> {
    pub fn of(app: &'a App) -> Self {
        Self { app, read: None }
    }

    /// Returns the tasks that push an image under a stable name.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory cannot be read.
    pub fn of_image(&mut self, image: &Reference) -> Result<Vec<&Task>> {
        let image = self.app.canonical(image);
        let read = self.read()?;
        let keys = read.keys.get(&image).into_iter().flatten();
        Ok(keys.filter_map(|key| read.tasks.get(key)).collect())
    }

    /// Returns the keys of the other tasks that push one of the same images under a stable name.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory cannot be read.
    pub fn others_that_push(
        &mut self,
        key: &TaskKey,
        pushes: &[Reference],
    ) -> Result<Vec<TaskKey>> {
        let mut others = BTreeSet::new();
        for image in pushes {
            let makers = self.of_image(image)?.into_iter();
            others.extend(makers.map(Task::key).filter(|other| other != key));
        }
        Ok(others.into_iter().collect())
    }

    /// Takes over a task that has been written.
    pub fn written(&mut self, task: &Task) {
        self.deleted(&task.key());
        let app = self.app;
        if let Some(read) = &mut self.read {
            read.add(app, task.clone());
        }
    }

    /// Takes over that a task has been deleted.
    pub fn deleted(&mut self, key: &TaskKey) {
        let app = self.app;
        if let Some(read) = &mut self.read
            && let Some(old) = read.tasks.remove(key)
        {
            for image in old.stable_images() {
                if let Some(keys) = read.keys.get_mut(&app.canonical(&image)) {
                    keys.remove(key);
                }
            }
        }
    }

    /// Follows the dependencies of `task` upwards, through the tasks that make its bases. If the caller knows all tasks and passes what depends
    /// on its images as `known`, no other task is read. Nor is one read where the task depends on and pushes the same as in its last successful
    /// run: a new cycle then goes through another task that depends on or pushes something new, and that task is refused.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] with the path of the cycle, if the dependencies lead back to an image that `task` pushes.
    pub fn refuse_cycles(
        &mut self,
        task: &Task,
        pushes: &[Reference],
        bases: &[Reference],
        known: Option<&Descendants>,
    ) -> Result<()> {
        let app = self.app;
        // Compare canonical names: one image may have several names.
        let pushes: &[Reference] = &pushes
            .iter()
            .map(|it| app.canonical(it))
            .collect::<Vec<_>>();
        if let Some(own) = bases
            .iter()
            .find(|base| pushes.contains(&app.canonical(base)))
        {
            return Err(Error::invalid(format!("task `{}` pushes `{own}` and depends on it: each run would be the cause of the next", task.name))
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
        let mut search = CycleSearch {
            makers: self,
            goal: pushes,
            seen: HashSet::from([task.key()]),
        };
        let mut path = Vec::new();
        if search.leads_back(bases, &mut path)? {
            return Err(cycle(task, path.iter().map(|key| key.name.to_string())));
        }
        Ok(())
    }

    fn read(&mut self) -> Result<&MakersByImage> {
        if self.read.is_none() {
            let mut read = MakersByImage::default();
            let stored = self.app.store.tasks()?;
            for task in stored.filter_map(|stored| stored.task.ok()) {
                read.add(self.app, task);
            }
            self.read = Some(read);
        }
        Ok(self.read.get_or_insert_default())
    }
}

impl MakersByImage {
    fn add(&mut self, app: &App, mut task: Task) {
        steps::read::find_pushes(app, &mut task);
        let key = task.key();
        for image in task.stable_images() {
            let keys = self.keys.entry(app.canonical(&image)).or_default();
            keys.insert(key.clone());
        }
        self.tasks.insert(key, task);
    }
}

/// Returns whether the last successful run of a task depended on all these bases, and pushed all these images.
fn has_done_so(app: &App, task: &Task, stable: &[Reference], bases: &[Reference]) -> bool {
    let Ok(baseline) = app.store.baseline(&task.key()) else {
        return false;
    };
    let canonical = |image: Reference| app.canonical(&image);
    let depended: HashSet<Reference> = baseline.bases().map(canonical).collect();
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
    Error::invalid(format!(
        "tasks would depend on each other: {}",
        path.join(" <- ")
    ))
    .hint("build one of them on an image that none of the others makes")
}

struct CycleSearch<'s, 'a> {
    makers: &'s mut ImageMakers<'a>,
    goal: &'s [Reference],
    seen: HashSet<TaskKey>,
}

impl CycleSearch<'_, '_> {
    /// Returns whether the makers of these images depend, directly or not, on an image that the task pushes. `path` collects the makers on
    /// the way, nearest first.
    fn leads_back(&mut self, bases: &[Reference], path: &mut Vec<TaskKey>) -> Result<bool> {
        let app = self.makers.app;
        for base in bases {
            let makers: Vec<Task> = self.makers.of_image(base)?.into_iter().cloned().collect();
            for maker in makers {
                // A disabled task is not run when its bases move.
                let is_run = maker.status == Status::Enabled;
                if !is_run || !self.seen.insert(maker.key()) {
                    continue;
                }
                path.push(maker.key());
                let above = bases_of(app, &maker);
                let mut bases = above.iter().map(|base| app.canonical(base));
                if bases.any(|base| self.goal.contains(&base)) || self.leads_back(&above, path)? {
                    return Ok(true);
                }
                path.pop();
            }
        }
        Ok(false)
    }
}

/// Returns the dependencies of a task: those of its Dockerfile now, else those that its last run recorded.
fn bases_of(app: &App, task: &Task) -> Vec<Reference> {
    let secrets = app.store.secrets(&task.key()).unwrap_or_default();
    let now = reading::survey(app, task, &secrets).map(|survey| survey.bases);
    now.unwrap_or_else(|_| {
        let baseline = app.store.baseline(&task.key()).unwrap_or_default();
        baseline.bases().collect()
    })
}
