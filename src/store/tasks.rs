//! The definitions of tasks.

use std::path::Path;

use crate::{
    error::{Error, Result},
    image::reference::is_registry,
    sys::workers,
    task::{Task, TaskKey},
    watch::Baseline,
};

use super::{
    Store,
    cache::{Opened, TaskFile, TaskFiles},
    file::{self, names},
    layout::task_of,
    lock::Lock,
};

/// A definition, or why it is broken.
#[derive(Debug)]
pub struct Stored {
    /// The key of the task, from the path of its file.
    pub key: TaskKey,
    pub task: Result<Task>,
}

/// A definition with the baseline of its task, or why one of them is broken.
pub type Followed = (TaskKey, Result<(Task, Baseline)>);

/// All definitions with their baselines, to be read one after the other.
pub struct FollowedFiles {
    tasks: Opened<Task>,
    baselines: Opened<Baseline>,
}

impl FollowedFiles {
    /// Returns how many tasks there are.
    pub fn count(&self) -> usize {
        self.tasks.len()
    }

    /// Removes and returns the broken tasks, each with its error. The others need not be read for that.
    pub fn take_broken(&mut self) -> Vec<(TaskKey, Error)> {
        let mut broken = self.tasks.take_broken();
        let baselines = self.baselines.take_broken().into_iter();
        broken.extend(baselines.filter(|(key, _)| self.tasks.remove(key)));
        broken.sort_by(|(one, _), (other, _)| one.cmp(other));
        broken
    }

    /// Reads them, sorted. A broken one does not affect the others.
    pub fn read(self) -> impl Iterator<Item = Followed> {
        self.read_with(|task, baseline, _| (task, baseline))
    }

    /// Reads them, sorted, and calls `work` with each, on all cores: with the task, its baseline, and the
    /// [`crate::watch::FileStamp::fingerprint`] of its definition. A broken one does not affect the others.
    pub fn read_with<R: Send + 'static>(
        self,
        work: impl Fn(Task, Baseline, u64) -> R + Send + Sync + 'static,
    ) -> impl Iterator<Item = (TaskKey, Result<R>)> {
        let (tasks, task_reader) = self.tasks.split();
        let (baselines, baseline_reader) = self.baselines.split();
        let mut baselines = baselines.peekable();
        let parts = workers::parts(tasks).map(move |part| {
            let last = part.last().map(|file| file.key.clone());
            let is_of_these = |file: &TaskFile<Baseline>| Some(&file.key) <= last.as_ref();
            let its = std::iter::from_fn(|| baselines.next_if(is_of_these));
            let its: Vec<_> = its.collect();
            (part, its)
        });
        let read = move |(part, its)| {
            let mut baselines = baseline_reader.read(its).peekable();
            let tasks = task_reader.read(part).map(|(key, state, task)| {
                while baselines.next_if(|(other, ..)| *other < key).is_some() {}
                let its = baselines.next_if(|(other, ..)| *other == key);
                let its = its.map_or_else(|| Ok(Baseline::default()), |(.., baseline)| baseline);
                let both = task.and_then(|task| Ok((task, its?)));
                (
                    key,
                    both.map(|(task, baseline)| work(task, baseline, state)),
                )
            });
            tasks.collect::<Vec<_>>()
        };
        workers::in_order(parts, read).flatten()
    }
}

impl Store {
    /// Reads one definition; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] with the file and the place, where it cannot be used.
    pub fn task(&self, key: &TaskKey) -> Result<Option<Task>> {
        let path = self.layout.task(key);
        match file::read_yaml::<Task>(&path)? {
            Some(task) => checked(task, key, &path).map(Some),
            None => refuse_other_suffix(&path).map(|()| None),
        }
    }

    /// Writes a definition.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn save_task(&self, task: &Task) -> Result<()> {
        self.write_yaml(&self.layout.task(&task.key()), task)
    }

    /// Takes the lock for changes of definitions and secrets. What is changed must be read while it is held, and it is held briefly.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn lock_tasks(&self) -> Result<Lock> {
        self.lock(&self.layout.tasks_lock())
    }

    /// Removes a definition with its baseline and its secrets. Its runs stay.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn delete_task(&self, key: &TaskKey) -> Result<()> {
        file::remove(&self.layout.task(key))?;
        file::remove(&self.layout.baseline(key))?;
        file::remove(&self.layout.secrets(key))
    }

    /// Returns the keys of all tasks, from the names of their files, sorted.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where a folder cannot be read.
    pub fn task_keys(&self) -> Result<Vec<TaskKey>> {
        keys_in(&self.layout.tasks())
    }

    /// Tells whether another registry has a task of the same name. Unlike [`Self::task_keys`], it does not read the names of all tasks.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where the folder cannot be read.
    pub fn has_namesake(&self, key: &TaskKey) -> Result<bool> {
        let registries = names(&self.layout.tasks())?.into_iter();
        let mut others = registries.filter(|it| is_registry(it) && *it != key.registry);
        Ok(others.any(|registry| {
            let name = key.name.clone();
            self.layout.task(&TaskKey { registry, name }).exists()
        }))
    }

    fn open_tasks(&self) -> Result<Opened<Task>> {
        let files = TaskFiles {
            folder: self.layout.tasks(),
            suffix: ".yaml",
            cache: self.layout.cache("tasks"),
        };
        let store = self.clone();
        files.open(move |key| store.task(key))
    }

    /// Reads all definitions, sorted. A broken one does not affect the others.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where a folder cannot be read.
    pub fn tasks(&self) -> Result<impl Iterator<Item = Stored> + use<>> {
        let all = self.open_tasks()?.read_all();
        Ok(all.map(|(key, task)| Stored { key, task }))
    }

    /// Finds all definitions with their baselines.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where a folder cannot be read.
    pub fn follow(&self) -> Result<FollowedFiles> {
        // The two folders are read in parallel: with thousands of tasks that is half of a command's time.
        let (tasks, baselines) = std::thread::scope(|scope| {
            let baselines = scope.spawn(|| self.open_baselines());
            (self.open_tasks(), baselines.join())
        });
        Ok(FollowedFiles {
            tasks: tasks?,
            baselines: baselines.unwrap_or_else(|_| self.open_baselines())?,
        })
    }

    /// Reads all definitions with their baselines, sorted. A broken one does not affect the others.
    ///
    /// # Errors
    ///
    /// As [`follow`](Self::follow).
    pub fn followed(&self) -> Result<impl Iterator<Item = Followed> + use<>> {
        self.follow().map(FollowedFiles::read)
    }

    /// Reads the definitions and baselines of some tasks, without those that do not exist any more.
    pub fn followed_of(&self, keys: &[TaskKey]) -> Vec<Followed> {
        let read = |key: &TaskKey| {
            let task = self.task(key).transpose()?;
            let followed = task.and_then(|task| Ok((task, self.baseline(key)?)));
            Some((key.clone(), followed))
        };
        keys.iter().filter_map(read).collect()
    }
}

/// Checks a definition against the path of its file, and its schema version.
fn checked(mut task: Task, key: &TaskKey, path: &Path) -> Result<Task> {
    file::check_schema(path, task.schema, Task::SCHEMA)?;
    // Host names are case-insensitive.
    if task.registry.eq_ignore_ascii_case(&key.registry) {
        task.registry.clone_from(&key.registry);
    }
    if task.key() != *key {
        let cannot = format!("cannot use `{}`", path.display());
        return Err(Error::invalid(cannot).because(anyhow::anyhow!(
            "it defines the task `{}` of `{}`, but its path says `{}` of `{}`",
            task.name,
            task.registry,
            key.name,
            key.registry
        )));
    }
    Ok(task)
}

/// A file `web.yml`, which someone has made by hand, must not be ignored silently.
fn refuse_other_suffix(path: &Path) -> Result<()> {
    let other = path.with_extension("yml");
    if !other.exists() {
        return Ok(());
    }
    let cannot = format!("cannot use `{}`", other.display());
    Err(Error::invalid(cannot)
        .because(anyhow::anyhow!("the name of a definition ends in `.yaml`"))
        .hint(format!("mv '{}' '{}'", other.display(), path.display())))
}

/// Returns the keys of the tasks that have a YAML file in a folder of registries, sorted.
pub(super) fn keys_in(folder: &Path) -> Result<Vec<TaskKey>> {
    let mut keys = Vec::new();
    for registry in names(folder)? {
        let folder = folder.join(&registry);
        if !is_registry(&registry) || !folder.is_dir() {
            continue;
        }
        for file in names(&folder)? {
            if let Some(name) = task_of(&folder, &file, ".yaml") {
                keys.push(TaskKey {
                    registry: registry.clone(),
                    name,
                });
            }
        }
    }
    keys.sort_unstable();
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn task(name: &str) -> Task {
        serde_yaml::from_str(&format!(
            "{{schema: 1, name: {name}, registry: 'localhost:5000', step: {{type: Docker, contextPath: /c, dockerFilePath: Dockerfile}}}}"
        ))
        .unwrap()
    }

    #[test]
    fn task_definition_is_read_back_from_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        assert_eq!(store.tasks().unwrap().count(), 0);
        store.save_task(&task("web")).unwrap();
        let read = store.task(&task("web").key()).unwrap();
        assert_eq!(read, Some(task("web")));
        assert!(folder.path().join("tasks/localhost:5000/web.yaml").exists());
        store.delete_task(&task("web").key()).unwrap();
        assert_eq!(store.task(&task("web").key()).unwrap(), None);
    }

    #[test]
    fn invalid_definition_is_reported_and_the_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        store.save_task(&task("good")).unwrap();
        let path = folder.path().join("tasks/localhost:5000/bad.yaml");
        fs::write(&path, "schema: 1\nname: bad\nregistry: [\n").unwrap();
        let tasks: Vec<Stored> = store.tasks().unwrap().collect();
        assert_eq!(tasks.len(), 2);
        let error = tasks[0].task.as_ref().unwrap_err();
        assert!(error.to_string().contains("bad.yaml"), "{error}");
        assert!(
            error.one_line().contains("line 3 column 11"),
            "{}",
            error.one_line()
        );
        assert_eq!(tasks[1].task.as_ref().unwrap(), &task("good"));
    }

    #[test]
    fn definition_at_the_wrong_path_or_of_another_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let key = task("web").key();
        let path = store.layout().task(&key);
        store.write_yaml(&path, &task("other")).unwrap();
        let error = store.task(&key).unwrap_err();
        assert!(error.one_line().contains("defines the task `other`"));
        let newer = Task {
            schema: 2,
            ..task("web")
        };
        store.write_yaml(&path, &newer).unwrap();
        let error = store.task(&key).unwrap_err();
        assert!(error.one_line().contains("it has schema 2"));
    }

    #[test]
    fn definition_with_the_suffix_yml_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let key = task("web").key();
        store.save_task(&task("web")).unwrap();
        let path = store.layout().task(&key);
        fs::copy(&path, path.with_extension("yml")).unwrap();
        assert_eq!(store.tasks().unwrap().count(), 1);
        assert_eq!(store.task_keys().unwrap(), std::slice::from_ref(&key));
        fs::remove_file(&path).unwrap();
        assert_eq!(store.task_keys().unwrap(), std::slice::from_ref(&key));
        for error in [
            store.task(&key).unwrap_err(),
            store.tasks().unwrap().next().unwrap().task.unwrap_err(),
        ] {
            let said = error.one_line();
            assert!(
                said.contains("web.yml`: the name of a definition ends in `.yaml`"),
                "{said}"
            );
        }
    }

    #[test]
    fn files_that_are_no_definitions_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        store.save_task(&task("web")).unwrap();
        let beside = folder.path().join("tasks/localhost:5000");
        fs::write(beside.join("web.lock"), "").unwrap();
        fs::write(beside.join(".x.new"), "").unwrap();
        fs::write(beside.join("a b.yaml"), "").unwrap();
        fs::create_dir(folder.path().join("tasks/not a registry")).unwrap();
        assert_eq!(store.task_keys().unwrap(), [task("web").key()]);
    }
}
