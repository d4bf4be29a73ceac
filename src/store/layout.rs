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
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.into(),
            baselines: "baselines",
        }
    }

    /// Returns the state directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of definitions, with a folder for each registry in it.
    #[must_use]
    pub fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }

    /// Returns the definition of a task.
    #[must_use]
    pub fn task(&self, key: &TaskKey) -> PathBuf {
        self.tasks()
            .join(&key.registry)
            .join(format!("{}.yaml", key.name))
    }

    /// Returns the lock that a run of a task holds.
    #[must_use]
    pub fn task_lock(&self, key: &TaskKey) -> PathBuf {
        self.tasks()
            .join(&key.registry)
            .join(format!("{}.lock", key.name))
    }

    /// Uses baselines where another version keeps them.
    pub(super) fn keep_baselines_in(&mut self, folder: &'static str) {
        self.baselines = folder;
    }

    /// Returns the folder of baselines, with a folder for each registry in it.
    #[must_use]
    pub fn baselines_folder(&self) -> PathBuf {
        self.root.join(self.baselines)
    }

    /// Returns the baseline of a task: what its last successful run was built on.
    #[must_use]
    pub fn baseline(&self, key: &TaskKey) -> PathBuf {
        self.baselines_folder()
            .join(&key.registry)
            .join(format!("{}.json", key.name))
    }

    /// Returns what is remembered of tags.
    #[must_use]
    pub fn bases(&self) -> PathBuf {
        self.root.join("bases.json")
    }

    /// Returns what has changed in what is remembered of tags.
    #[must_use]
    pub fn bases_journal(&self) -> PathBuf {
        self.root.join("bases.journal")
    }

    /// Returns which git repositories do not answer.
    #[must_use]
    pub fn silent_sources(&self) -> PathBuf {
        self.root.join("sources.json")
    }

    /// Returns what receivers of notifications have been told.
    #[must_use]
    pub fn notified(&self) -> PathBuf {
        self.root.join("notified.json")
    }

    /// Returns the lock of the process that notifies them.
    #[must_use]
    pub fn notified_lock(&self) -> PathBuf {
        self.root.join("notified.lock")
    }

    /// Returns what is known of builders.
    #[must_use]
    pub fn builders(&self) -> PathBuf {
        self.root.join("builders.json")
    }

    /// Returns the lock of the process that changes what is known of builders.
    #[must_use]
    pub fn builders_lock(&self) -> PathBuf {
        self.root.join("builders.lock")
    }

    /// Returns what runs have made on builders.
    #[must_use]
    pub fn made(&self) -> PathBuf {
        self.root.join("made.json")
    }

    /// Returns the lock of the process that changes what runs have made on builders.
    #[must_use]
    pub fn made_lock(&self) -> PathBuf {
        self.root.join("made.lock")
    }

    /// Returns which repositories have which blobs.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs.json")
    }

    /// Returns the lock of the process that changes which repositories have which blobs.
    #[must_use]
    pub fn blobs_lock(&self) -> PathBuf {
        self.root.join("blobs.lock")
    }

    /// Returns the folder of uploads that were broken off.
    #[must_use]
    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// Returns the lock that a run holds which a builder has been given, one of as many as it may be given.
    #[must_use]
    pub fn builder_place(&self, name: &str, n: usize) -> PathBuf {
        self.root.join("builders").join(format!("{name}.{n}.lock"))
    }

    /// Returns the folder of the answers of programs that vouch for bases.
    #[must_use]
    pub fn verified(&self) -> PathBuf {
        self.root.join("verified")
    }

    /// Returns the folder of runs.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Returns the file that holds the number of the newest run; its lock guards the numbers.
    #[must_use]
    pub fn last_run(&self) -> PathBuf {
        self.runs().join("last")
    }

    /// Returns the file that holds the number up to which runs are in the lists of their tasks.
    #[must_use]
    pub fn listed_runs(&self) -> PathBuf {
        self.runs().join("listed")
    }

    /// Returns the folder of the lists of runs, with a folder for each registry in it.
    #[must_use]
    pub fn runs_of_tasks(&self) -> PathBuf {
        self.runs().join("of")
    }

    /// Returns the list of the runs of a task.
    #[must_use]
    pub fn runs_of(&self, key: &TaskKey) -> PathBuf {
        self.runs_of_tasks()
            .join(&key.registry)
            .join(key.name.as_str())
    }

    /// Returns the folder of one run.
    #[must_use]
    pub fn run_folder(&self, id: RunId) -> PathBuf {
        self.runs().join(id.to_string())
    }

    /// Returns the record of one run.
    #[must_use]
    pub fn run(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("run.json")
    }

    /// Returns the log of one run.
    #[must_use]
    pub fn log(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("log")
    }

    /// Returns the folder with a lock for every open run.
    #[must_use]
    pub fn open_runs(&self) -> PathBuf {
        self.runs().join("open")
    }

    /// Returns the lock that the process which carries out a run holds: free means that the process is gone.
    #[must_use]
    pub fn open_run(&self, id: RunId) -> PathBuf {
        self.open_runs().join(id.to_string())
    }

    /// Returns the lock of the process that recovers a run whose own process is gone. One that is left behind goes with other temporary
    /// files.
    #[must_use]
    pub fn recovery(&self, id: RunId) -> PathBuf {
        self.open_runs().join(format!(".tmp-recovery-{id}"))
    }

    /// Returns the folder of secrets, with a folder for each registry in it.
    #[must_use]
    pub fn secrets_folder(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Returns the folder in which a run's builder finds the logins of its task, while it works.
    #[must_use]
    pub fn run_logins(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("logins")
    }

    /// Returns the folder in which the steps of a run work, while they do.
    #[must_use]
    pub fn run_steps(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("steps")
    }

    /// Returns the folder that the context of a run is fetched into, while it goes on.
    #[must_use]
    pub fn run_context(&self, id: RunId) -> PathBuf {
        self.run_folder(id).join("context")
    }

    /// Returns the secrets of a task.
    #[must_use]
    pub fn secrets(&self, key: &TaskKey) -> PathBuf {
        self.secrets_folder()
            .join(&key.registry)
            .join(format!("{}.yaml", key.name))
    }

    /// Returns the folder of caches.
    #[must_use]
    pub fn caches(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Returns a cache of parsed files, which may be removed at any time.
    #[must_use]
    pub fn cache(&self, name: &str) -> PathBuf {
        self.caches().join(format!("{name}.json"))
    }

    /// Returns the lock of the one watcher.
    #[must_use]
    pub fn watch_lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}
