//! The list of runs of each task, so that the runs of one task are found without reading those of all.
//!
//! `runs/of/<registry>/<name>` has a line for each run of a task, the oldest first, and `runs/listed` the number up to which all runs are
//! in these lists. All of them may be removed at any time: where `runs/listed` is behind the newest run, the next run adds the missing
//! ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{
    error::{Context as _, Kind, Result},
    task::{RunId, TaskKey, TaskName, run::newest_first},
};

use super::{
    Store,
    file::{self, names},
};

/// The largest list that is read, in bytes: more than a million runs.
const MAX_LIST: u64 = 32 * 1024 * 1024;

impl Store {
    /// Returns the runs of all tasks with a name, the newest first; `None` where the lists are incomplete.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn listed_runs_of(&self, name: &TaskName) -> Result<Option<Vec<RunId>>> {
        if !self.is_listed_up_to(self.last_number()) {
            return Ok(None);
        }
        let mut ids = Vec::new();
        for registry in names(&self.layout.runs_of_tasks())? {
            let name = name.clone();
            ids.extend(self.list_of(&TaskKey { registry, name })?);
        }
        ids.sort_unstable_by(newest_first);
        Ok(Some(ids))
    }

    /// Reads the list of a task, the newest first.
    pub(super) fn list_of(&self, key: &TaskKey) -> Result<Vec<RunId>> {
        let text = file::read(&self.layout.runs_of(key), MAX_LIST)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // A process that was killed while it wrote may have listed a run that is then listed again.
        let ids: BTreeSet<RunId> = text.lines().filter_map(|id| id.parse().ok()).collect();
        let mut ids: Vec<RunId> = ids.into_iter().collect();
        ids.sort_unstable_by(newest_first);
        Ok(ids)
    }

    /// Adds runs to the list of a task. The caller holds the lock of the numbers.
    pub(super) fn list_runs(&self, key: &TaskKey, ids: &[RunId]) -> Result<()> {
        let path = self.layout.runs_of(key);
        self.make_folder_of(&path)?;
        let mut lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let mut write = || -> std::io::Result<()> {
            let mut list = OpenOptions::new()
                .create(true)
                .read(true)
                .append(true)
                .mode(0o600)
                .open(&path)?;
            let mut last = [b'\n'];
            if list.seek(SeekFrom::End(-1)).is_ok() {
                list.read_exact(&mut last)?;
            }
            // The last write may have been incomplete.
            if last != *b"\n" {
                lines.insert(0, '\n');
            }
            list.write_all(lines.as_bytes())?;
            list.sync_data()
        };
        write().context(Kind::Failed, || file::cannot_write(&path))
    }

    /// Removes deleted runs from the list of a task. The caller holds the lock of the numbers.
    pub(super) fn unlist_runs(&self, key: &TaskKey, gone: &BTreeSet<RunId>) -> Result<()> {
        let ids = self.list_of(key)?;
        let left = ids.iter().rev().filter(|id| !gone.contains(id));
        let lines: String = left.map(|id| format!("{id}\n")).collect();
        if lines.is_empty() {
            file::remove(&self.layout.runs_of(key))
        } else {
            file::replace(&self.layout.runs_of(key), lines.as_bytes())
        }
    }

    /// Lists all runs up to the number `last` that are not listed yet: after an upgrade or a crash. The caller holds the lock of the
    /// numbers.
    pub(super) fn list_missing_runs(&self, last: u64) -> Result<()> {
        if self.is_listed_up_to(last) {
            return Ok(());
        }
        let listed = self.listed().unwrap_or_default();
        // An older copy of the state directory was restored: numbers are assigned again, and the lists are of other runs.
        let listed = if listed > last { 0 } else { listed };
        let mut lists: BTreeMap<TaskKey, Vec<RunId>> = BTreeMap::new();
        for id in self.run_ids()?.into_iter().rev() {
            if id.number() <= listed {
                continue;
            }
            // A run without a record, or with a broken one, has no known task.
            if let Ok(Some(run)) = self.record(id)
                && let Some(key) = run.task_key()
            {
                lists.entry(key).or_default().push(id);
            }
        }
        for (key, ids) in &lists {
            self.list_runs(key, ids)?;
        }
        self.set_listed(last)
    }

    /// Records that all runs up to this number are listed. If that is lost, they are listed again.
    pub(super) fn set_listed(&self, number: u64) -> Result<()> {
        let path = self.layout.listed_runs();
        let mut file = OpenOptions::new();
        let file = file.create(true).truncate(true).write(true).mode(0o600);
        let written = file
            .open(&path)
            .and_then(|mut file| writeln!(file, "{number}"));
        written.context(Kind::Failed, || file::cannot_write(&path))
    }

    fn is_listed_up_to(&self, last: u64) -> bool {
        self.listed() == Some(last) || (last == 0 && !self.layout.last_run().exists())
    }

    fn listed(&self) -> Option<u64> {
        number_in(&self.layout.listed_runs())
    }

    /// Returns the number of the newest run, as far as it is recorded.
    pub fn last_number(&self) -> u64 {
        number_in(&self.layout.last_run()).unwrap_or_default()
    }
}

fn number_in(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
