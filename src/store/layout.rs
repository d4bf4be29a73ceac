//! The paths of everything in the state directory.

use std::path::{Path, PathBuf};

use crate::{
    image::Digest,
    task::{RunId, TaskKey, TaskName},
};

/// Every path in a state directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    /// The name of the folder of baselines.
    baselines: &'static str,
}

impl Layout {
    /// Returns the layout of a state directory at `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.into(),
            baselines: "baselines",
        }
    }

    /// Returns the state directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of definitions, with a folder for each registry in it.
    pub fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }

    /// Returns the definition of a task.
    pub fn task(&self, key: &TaskKey) -> PathBuf {
        file_of(&self.tasks(), key, "yaml")
    }

    /// Returns the lock that a run of a task holds.
    pub fn task_lock(&self, key: &TaskKey) -> PathBuf {
        file_of(&self.tasks(), key, "lock")
    }

    /// Sets the folder of baselines to that of another version.
    pub(super) fn keep_baselines_in(&mut self, folder: &'static str) {
        self.baselines = folder;
    }

    /// Returns the folder of baselines, with a folder for each registry in it.
    pub fn baselines_folder(&self) -> PathBuf {
        self.root.join(self.baselines)
    }

    /// Returns the file of a task's baseline.
    pub fn baseline(&self, key: &TaskKey) -> PathBuf {
        file_of(&self.baselines_folder(), key, "json")
    }

    /// Returns the file of the records of tags.
    pub fn bases(&self) -> PathBuf {
        self.root.join("bases.json")
    }

    /// Returns the journal of changes to the records of tags.
    pub fn bases_journal(&self) -> PathBuf {
        self.root.join("bases.journal")
    }

    /// Returns the file of what git repositories last answered.
    pub fn sources(&self) -> PathBuf {
        self.root.join("sources.json")
    }

    /// Returns the file of what receivers of notifications have been told.
    pub fn notified(&self) -> PathBuf {
        self.root.join("notified.json")
    }

    /// Returns the lock of the process that changes that file.
    pub fn notified_lock(&self) -> PathBuf {
        lock_of(&self.notified())
    }

    /// Returns the lock of the process that sends notifications to a receiver. An abandoned one is removed with other temporary files.
    pub fn receiver_lock(&self, id: &str) -> PathBuf {
        let digest = Digest::of(id.as_bytes());
        self.root.join(format!(".tmp-receiver-{}", digest.hex()))
    }

    /// Returns the lock of the process that changes a definition or its secrets.
    pub fn tasks_lock(&self) -> PathBuf {
        self.root.join("tasks.lock")
    }

    /// Returns the file of the state of builders.
    pub fn builders(&self) -> PathBuf {
        self.root.join("builders.json")
    }

    /// Returns the file of what runs have made on builders.
    pub fn made(&self) -> PathBuf {
        self.root.join("made.json")
    }

    /// Returns the file of which repositories have which blobs.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs.json")
    }

    /// Returns the folder of interrupted uploads.
    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// Returns the lock of the `n`-th place of a builder, which a run on it holds.
    pub fn builder_place(&self, name: &str, n: usize) -> PathBuf {
        self.root.join("builders").join(format!("{name}.{n}.lock"))
    }

    /// Returns the folder of verified digests.
    pub fn verified(&self) -> PathBuf {
        self.root.join("verified")
    }

    /// Returns the folder of runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Returns the file with the number of the newest run; its lock guards the numbers.
    pub fn last_run(&self) -> PathBuf {
        self.runs().join("last")
    }

    /// Returns the file with the number up to which runs are in the lists of their tasks.
    pub fn listed_runs(&self) -> PathBuf {
        self.runs().join("listed")
    }

    /// Returns the folder of the lists of runs, with a folder for each registry in it.
    pub fn runs_of_tasks(&self) -> PathBuf {
        self.runs().join("of")
    }

    /// Returns the list of the runs of a task.
    pub fn runs_of(&self, key: &TaskKey) -> PathBuf {
        self.runs_of_tasks()
            .join(&key.registry)
            .join(key.name.as_str())
    }

    pub fn run_folder(&self, id: RunId) -> PathBuf {
        self.runs().join(id.to_string())
    }

    /// Returns the record of one run.
    pub fn run(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("run.json")
    }

    pub fn log(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("log")
    }

    /// Returns the folder with a lock for every open run.
    pub fn open_runs(&self) -> PathBuf {
        self.runs().join("open")
    }

    /// Returns the lock that the process of a run holds: if it is free, that process has ended.
    pub fn open_run(&self, id: RunId) -> PathBuf {
        self.open_runs().join(id.to_string())
    }

    /// Returns the lock of the process that recovers a crashed run. An abandoned one is removed with other temporary files.
    pub fn recovery(&self, id: RunId) -> PathBuf {
        self.open_runs().join(format!(".tmp-recovery-{id}"))
    }

    /// Returns the folder of secrets, with a folder for each registry in it.
    pub fn secrets_folder(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Returns the folder of the logins that a run's builder uses, during the run.
    pub fn run_logins(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("logins")
    }

    /// Returns the working folder of the steps of a run, during the run.
    pub fn run_steps(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("steps")
    }

    /// Returns the folder that the context of a run is fetched into, during the run.
    pub fn run_context(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("context")
    }

    pub fn secrets(&self, key: &TaskKey) -> PathBuf {
        file_of(&self.secrets_folder(), key, "yaml")
    }

    /// Returns the folder of caches.
    pub fn caches(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Returns a cache of parsed files. It may be removed at any time.
    pub fn cache(&self, name: &str) -> PathBuf {
        self.caches().join(format!("{name}.json"))
    }

    /// Returns the lock of the watcher.
    pub fn watch_lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}

/// Returns the lock of the process that changes a file of the state directory.
pub fn lock_of(file: &Path) -> PathBuf {
    file.with_extension("lock")
}

/// Returns the name of the task that a file in a folder of one registry's tasks is for, where files of this kind have this suffix.
///
/// A definition `web.yml` without a `web.yaml` counts, so that reading it reports it: it must not be ignored silently.
pub(super) fn task_of(folder: &Path, file: &str, suffix: &str) -> Option<TaskName> {
    let name = file.strip_suffix(suffix).or_else(|| {
        let name = file.strip_suffix(".yml").filter(|_| suffix == ".yaml")?;
        let is_alone = !folder.join(format!("{name}.yaml")).exists();
        is_alone.then_some(name)
    });
    name?.parse().ok()
}

/// Returns the file of a task in a folder of registries.
fn file_of(folder: &Path, key: &TaskKey, suffix: &str) -> PathBuf {
    let name = format!("{}.{suffix}", key.name);
    folder.join(&key.registry).join(name)
}
