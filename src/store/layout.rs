//! Where everything is in the state directory.

use std::path::{Path, PathBuf};

use crate::task::{RunId, TaskKey};

/// Every path in a state directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    /// Name of the folder of baselines.
    baselines: &'static str,
}

impl Layout {
    /// Lays out `root`.
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

    /// Uses baselines where another version keeps them.
    pub(super) fn keep_baselines_in(&mut self, folder: &'static str) {
        self.baselines = folder;
    }

    /// Returns the folder of baselines, with a folder for each registry in it.
    pub fn baselines_folder(&self) -> PathBuf {
        self.root.join(self.baselines)
    }

    /// Returns the baseline of a task: what its last successful run was built on.
    pub fn baseline(&self, key: &TaskKey) -> PathBuf {
        file_of(&self.baselines_folder(), key, "json")
    }

    /// Returns what is remembered of tags.
    pub fn bases(&self) -> PathBuf {
        self.root.join("bases.json")
    }

    /// Returns what has changed in what is remembered of tags.
    pub fn bases_journal(&self) -> PathBuf {
        self.root.join("bases.journal")
    }

    /// Returns which git repositories do not answer.
    pub fn silent_sources(&self) -> PathBuf {
        self.root.join("sources.json")
    }

    /// Returns what receivers of notifications have been told.
    pub fn notified(&self) -> PathBuf {
        self.root.join("notified.json")
    }

    /// Returns the lock of the process that notifies them.
    pub fn notified_lock(&self) -> PathBuf {
        self.root.join("notified.lock")
    }

    /// Returns what is known of builders.
    pub fn builders(&self) -> PathBuf {
        self.root.join("builders.json")
    }

    /// Returns the lock of the process that changes what is known of builders.
    pub fn builders_lock(&self) -> PathBuf {
        self.root.join("builders.lock")
    }

    /// Returns what runs have made on builders.
    pub fn made(&self) -> PathBuf {
        self.root.join("made.json")
    }

    /// Returns the lock of the process that changes what runs have made on builders.
    pub fn made_lock(&self) -> PathBuf {
        self.root.join("made.lock")
    }

    /// Returns which repositories have which blobs.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs.json")
    }

    /// Returns the lock of the process that changes which repositories have which blobs.
    pub fn blobs_lock(&self) -> PathBuf {
        self.root.join("blobs.lock")
    }

    /// Returns the folder of uploads that were broken off.
    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// Returns the lock that a run holds which a builder has been given, one of as many as it may be given.
    pub fn builder_place(&self, name: &str, n: usize) -> PathBuf {
        self.root.join("builders").join(format!("{name}.{n}.lock"))
    }

    /// Returns the folder of the answers of programs that vouch for bases.
    pub fn verified(&self) -> PathBuf {
        self.root.join("verified")
    }

    /// Returns the folder of runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Returns the file that holds the number of the newest run; its lock guards the numbers.
    pub fn last_run(&self) -> PathBuf {
        self.runs().join("last")
    }

    /// Returns the file that holds the number up to which runs are in the lists of their tasks.
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

    /// Returns the lock that the process which carries out a run holds: free means that the process is gone.
    pub fn open_run(&self, id: RunId) -> PathBuf {
        self.open_runs().join(id.to_string())
    }

    /// Returns the lock of the process that recovers a run whose own process is gone. One that is left behind goes with other temporary
    /// files.
    pub fn recovery(&self, id: RunId) -> PathBuf {
        self.open_runs().join(format!(".tmp-recovery-{id}"))
    }

    /// Returns the folder of secrets, with a folder for each registry in it.
    pub fn secrets_folder(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Returns the folder in which a run's builder finds the logins of its task, while it works.
    pub fn run_logins(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("logins")
    }

    /// Returns the folder in which the steps of a run work, while they do.
    pub fn run_steps(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("steps")
    }

    /// Returns the folder that the context of a run is fetched into, while it goes on.
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

    /// Returns a cache of parsed files, which may be removed at any time.
    pub fn cache(&self, name: &str) -> PathBuf {
        self.caches().join(format!("{name}.json"))
    }

    /// Returns the lock of the one watcher.
    pub fn watch_lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}

/// Returns the file of a task in a folder that has a folder for each registry.
fn file_of(folder: &Path, key: &TaskKey, suffix: &str) -> PathBuf {
    let name = format!("{}.{suffix}", key.name);
    folder.join(&key.registry).join(name)
}
