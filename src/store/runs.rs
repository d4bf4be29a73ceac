//! Runs: each has a folder, with a record and a log.

use std::{collections::BTreeSet, fs, path::Path};

use jiff::Timestamp;

use crate::{
    error::{Context as _, Error, Kind, Result},
    task::{Run, RunId, RunStatus, TaskKey, run::newest_first},
};

use super::{
    Store, file,
    lock::{self, Lock},
};

/// The environment variable of every process of a run, by which processes that outlive a killed acrt are found. Its value is the run's
/// folder.
pub const MARKER: &str = "ACRT_RUN";

/// The reason shown for a run whose process is gone.
pub const DIED: &str = "the process that carried out this run ended before the run did";

/// A run that this process carries out. While it is held, the run does not count as crashed.
#[derive(Debug)]
pub struct HeldRun {
    pub run: Run,
    /// `None` in a child process that carries out the run for the process that holds the lock.
    lock: Option<Lock>,
}

/// Who recovers a crashed run.
#[derive(Debug)]
pub enum Claim {
    /// This process, as long as it holds the lock.
    Ours(Lock),
    /// Another process, right now.
    Taken,
    /// Already recovered.
    Done,
}

impl Store {
    /// Creates the next run: assigns its number, makes its folder and writes its record.
    ///
    /// A number is never assigned twice, even by concurrent processes or after old runs are removed.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn new_run(&self, queued: impl FnOnce(RunId) -> Run) -> Result<HeldRun> {
        let mut numbers = self.lock(&self.layout.last_run())?;
        // A file without a valid number counts as missing: the folders of runs show the numbers too.
        let last = numbers.read().ok();
        let last: u64 = match last.and_then(|text| text.trim().parse().ok()) {
            Some(last) => last,
            None => self.run_ids()?.first().map_or(0, |id| id.number()),
        };
        let mut id = RunId::new(last + 1);
        // A killed process may have made a folder without recording its number.
        while self.layout.run_folder(id).exists() {
            id = RunId::new(id.number() + 1);
        }
        self.list_missing_runs(id.number() - 1)?;
        let run = queued(id);
        // Listed before it is made: a run that is not listed would never be removed.
        if let Some(key) = run.task_key() {
            self.list_runs(&key, &[id])?;
        }
        self.make_folder(&self.layout.run_folder(id))?;
        // Locked before its folder is visible: otherwise it would count as crashed.
        self.make_folder(&self.layout.open_runs())?;
        let lock = lock::take_new(&self.layout.open_run(id))?;
        self.save_run(&run)?;
        numbers.write(&format!("{}\n", id.number()))?;
        self.set_listed(id.number())?;
        Ok(HeldRun {
            run,
            lock: Some(lock),
        })
    }

    /// Opens a run that the parent of this process holds, and that this process carries out.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if there is none, and [`Kind::Invalid`] where its record cannot be used.
    pub fn adopt_run(&self, id: RunId) -> Result<HeldRun> {
        match self.record(id)? {
            Some(mut run) => {
                run.pid = Some(std::process::id());
                Ok(HeldRun { run, lock: None })
            }
            None => Err(Error::new(Kind::NotFound, format!("no run `{id}`"))),
        }
    }

    /// Writes the record of a run that has ended, and releases the run.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path; the run then shows as one whose process died.
    pub fn end_run(&self, held: HeldRun) -> Result<Run> {
        self.save_run(&held.run)?;
        if held.lock.is_none() {
            return Ok(held.run);
        }
        // No other run will ever have this id, so that the lock file can be removed.
        file::remove(&self.layout.open_run(held.run.run_id))?;
        Ok(held.run)
    }

    /// Writes the record of a run.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn save_run(&self, run: &Run) -> Result<()> {
        self.write_json(&self.layout.run(run.run_id), run)
    }

    /// Reads the record of a run as it was written; `None` if there is none.
    pub(super) fn record(&self, id: RunId) -> Result<Option<Run>> {
        let path = self.layout.run(id);
        let run = file::read_json::<Run>(&path)?;
        if let Some(run) = &run {
            file::check_schema(&path, run.schema, Run::SCHEMA)?;
        }
        Ok(run)
    }

    /// Reads a run; `None` if it does not exist. A run whose process is gone is shown with the status of an error.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the file and the place, where its record cannot be used.
    pub fn run(&self, id: RunId) -> Result<Option<Run>> {
        let Some(mut run) = self.record(id)? else {
            return Ok(None);
        };
        if run.status.is_open() && !lock::is_held(&self.layout.open_run(id)) {
            // The record is read again: the run may have ended well just before its process released the lock.
            match self.record(id)? {
                Some(again) if !again.status.is_open() => run = again,
                _ => {
                    let last = run.last_updated_time;
                    run.fail(RunStatus::Error, DIED, last);
                }
            }
        }
        Ok(Some(run))
    }

    /// Returns the ids of all runs, the newest first.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path, where the folder cannot be read.
    pub fn run_ids(&self) -> Result<Vec<RunId>> {
        ids_in(&self.layout.runs())
    }

    /// Returns the crashed runs that have not been recovered: all, or those that may belong to one task. A record that cannot be read may
    /// belong to any task.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path, where the folder of open runs cannot be read.
    pub fn crashed_runs(&self, of: Option<&TaskKey>) -> Result<Vec<RunId>> {
        let is_of = |id: RunId, key: &TaskKey| match self.record(id) {
            Ok(Some(run)) => run.is_of(key),
            // The run had not begun.
            Ok(None) => false,
            Err(_) => true,
        };
        let mut crashed = ids_in(&self.layout.open_runs())?;
        crashed.retain(|id| self.is_crashed(*id) && of.is_none_or(|key| is_of(*id, key)));
        Ok(crashed)
    }

    fn is_crashed(&self, id: RunId) -> bool {
        let path = self.layout.open_run(id);
        !lock::is_held(&path) && path.exists()
    }

    /// Claims the recovery of a crashed run.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path, where the recovery cannot be claimed.
    pub fn begin_recovery(&self, id: RunId) -> Result<Claim> {
        let Some(lock) = self.try_lock(&self.layout.recovery(id))? else {
            return Ok(Claim::Taken);
        };
        if self.is_crashed(id) {
            return Ok(Claim::Ours(lock));
        }
        lock.remove()?;
        Ok(Claim::Done)
    }

    /// Records how a crashed run ended, once everything it left behind is removed, and returns the record. `None` for a run that had ended
    /// before its process did, or had not begun.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path; the run is then recovered again.
    pub fn end_recovery(&self, id: RunId, lock: Lock) -> Result<Option<Run>> {
        let run = match self.run(id) {
            Ok(Some(run)) if run.run_error_message.as_deref() == Some(DIED) => {
                self.save_run(&run)?;
                Some(run)
            }
            Ok(None) => {
                // Only an empty folder is removed: other files in it are a person's.
                let _ = fs::remove_dir(self.layout.run_folder(id));
                None
            }
            // A broken record is shown by every listing.
            Ok(Some(_)) | Err(_) => None,
        };
        file::remove(&self.layout.open_run(id))?;
        lock.remove()?;
        Ok(run)
    }

    /// Removes the finished runs of a task beyond the newest `keep`, and those that ended before `oldest`; but never the newest, whose result
    /// may not have been read yet. Reads no runs of other tasks.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn prune_runs(&self, key: &TaskKey, keep: usize, oldest: Timestamp) -> Result<()> {
        let mut kept = 0;
        let mut gone = BTreeSet::new();
        for id in self.list_of(key)? {
            let run = match self.record(id) {
                Ok(Some(run)) => run,
                Ok(None) => {
                    gone.insert(id);
                    continue;
                }
                // A run with a broken record is shown by every listing, and removed by hand.
                Err(_) => continue,
            };
            if !run.is_of(key) || run.status.is_open() || run.is_archive_enabled {
                continue;
            }
            kept += 1;
            let is_old = kept > keep || run.finish_time.is_some_and(|end| end < oldest);
            if kept > 1 && is_old {
                let folder = self.layout.run_folder(id);
                fs::remove_dir_all(&folder).context(Kind::Failed, || {
                    format!("cannot remove `{}`", folder.display())
                })?;
                gone.insert(id);
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let _numbers = self.lock(&self.layout.last_run())?;
        // A run that was about to begin has a folder and no record yet.
        gone.retain(|id| !self.layout.run_folder(*id).exists());
        self.unlist_runs(key, &gone)
    }
}

/// Returns the run ids among the names in a folder, the newest first.
fn ids_in(folder: &Path) -> Result<Vec<RunId>> {
    let names = file::names(folder)?.into_iter();
    let mut ids: Vec<RunId> = names.filter_map(|name| name.parse().ok()).collect();
    ids.sort_unstable_by(newest_first);
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Cause, TaskName};

    fn key() -> TaskKey {
        TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn queued(id: RunId) -> Run {
        let mut run = Run::queued(id, "r.io", &Cause::Manual, at(0));
        run.task = Some("web".parse::<TaskName>().unwrap());
        run
    }

    #[test]
    fn run_numbers_are_unique_among_concurrent_callers() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut ids: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..5)
                            .map(|_| store.new_run(queued).unwrap().run.run_id.number())
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        ids.sort_unstable();
        assert_eq!(ids, (1..=40).collect::<Vec<_>>());
    }

    #[test]
    fn number_of_a_removed_run_is_not_reused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let id = store.new_run(queued).unwrap().run.run_id;
        fs::remove_dir_all(store.layout().run_folder(id)).unwrap();
        assert_eq!(store.new_run(queued).unwrap().run.run_id, RunId::new(2));
    }

    fn ours(claim: Claim) -> Lock {
        match claim {
            Claim::Ours(lock) => lock,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn crashed_run_is_shown_in_error_and_recovered_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let held = store.new_run(queued).unwrap();
        let id = held.run.run_id;
        assert_eq!(store.run(id).unwrap().unwrap().status, RunStatus::Queued);
        assert!(store.crashed_runs(None).unwrap().is_empty());
        drop(held);
        let run = store.run(id).unwrap().unwrap();
        assert_eq!(run.status, RunStatus::Error);
        assert_eq!(run.run_error_message.as_deref(), Some(DIED));
        assert_eq!(store.crashed_runs(None).unwrap(), [id]);
        let lock = ours(store.begin_recovery(id).unwrap());
        assert!(matches!(store.begin_recovery(id).unwrap(), Claim::Taken));
        assert_eq!(store.end_recovery(id, lock).unwrap(), Some(run));
        assert!(matches!(store.begin_recovery(id).unwrap(), Claim::Done));
        assert!(store.crashed_runs(None).unwrap().is_empty());
        let left = fs::read_dir(store.layout().open_runs()).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn run_record_of_another_schema_is_refused_and_never_pruned() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut run = store.new_run(queued).unwrap().run;
        run.schema = 2;
        store.save_run(&run).unwrap();
        let error = store.run(run.run_id).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.one_line().contains("it has schema 2"));
        store.prune_runs(&key(), 0, Timestamp::MAX).unwrap();
        assert!(store.layout().run(run.run_id).exists());
    }

    #[test]
    fn crashed_run_with_an_unreadable_record_may_belong_to_any_task() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let id = store.new_run(queued).unwrap().run.run_id;
        let other = TaskKey {
            registry: "r.io".into(),
            name: "other".parse().unwrap(),
        };
        assert_eq!(store.crashed_runs(Some(&key())).unwrap(), [id]);
        assert!(store.crashed_runs(Some(&other)).unwrap().is_empty());
        fs::write(store.layout().run(id), "{").unwrap();
        assert_eq!(store.crashed_runs(Some(&other)).unwrap(), [id]);
        // A run that had not begun belongs to no task, and leaves no folder.
        fs::remove_file(store.layout().run(id)).unwrap();
        assert!(store.crashed_runs(Some(&key())).unwrap().is_empty());
        let lock = ours(store.begin_recovery(id).unwrap());
        assert_eq!(store.end_recovery(id, lock).unwrap(), None);
        assert!(!store.layout().run_folder(id).exists());
    }

    #[test]
    fn invalid_last_run_number_file_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        drop(store.new_run(queued).unwrap());
        fs::write(store.layout().last_run(), b"\xff\xfe").unwrap();
        assert_eq!(store.new_run(queued).unwrap().run.run_id, RunId::new(2));
    }

    #[test]
    fn pruning_removes_old_runs_and_keeps_open_and_archived_ones_and_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut open = None;
        for n in 1..=5 {
            let mut held = store.new_run(queued).unwrap();
            held.run.is_archive_enabled = n == 1;
            if n == 2 {
                open = Some(held);
                continue;
            }
            held.run.advance(RunStatus::Succeeded, at(n));
            store.end_run(held).unwrap();
        }
        store.prune_runs(&key(), 2, at(0)).unwrap();
        let numbers = |store: &Store| -> Vec<u64> {
            let ids = store.run_ids().unwrap();
            ids.into_iter().map(RunId::number).collect()
        };
        assert_eq!(numbers(&store), [5, 4, 2, 1]);
        store.prune_runs(&key(), 2, at(5)).unwrap();
        assert_eq!(numbers(&store), [5, 2, 1]);
        store.prune_runs(&key(), 0, Timestamp::MAX).unwrap();
        assert_eq!(numbers(&store), [5, 2, 1]);
        drop(open);
    }

    fn other() -> TaskKey {
        TaskKey {
            registry: "r.io".into(),
            name: "other".parse().unwrap(),
        }
    }

    fn end(store: &Store) -> RunId {
        let mut held = store.new_run(queued).unwrap();
        held.run.advance(RunStatus::Succeeded, at(9));
        store.end_run(held).unwrap().run_id
    }

    /// Breaks the records of all other runs, so that only those of `which` can be read from now on.
    fn break_all_but(store: &Store, which: impl Fn(RunId) -> bool) {
        for id in store.run_ids().unwrap() {
            if !which(id) {
                fs::remove_file(store.layout().run(id)).unwrap();
                fs::create_dir(store.layout().run(id)).unwrap();
            }
        }
    }

    #[test]
    fn pruning_and_the_next_number_read_no_runs_of_other_tasks() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let others: Vec<RunId> = (0..20)
            .map(|_| {
                let mut held = store
                    .new_run(|id| Run {
                        task: Some(other().name),
                        ..queued(id)
                    })
                    .unwrap();
                held.run.advance(RunStatus::Succeeded, at(9));
                store.end_run(held).unwrap().run_id
            })
            .collect();
        let own: Vec<RunId> = (0..3).map(|_| end(&store)).collect();
        break_all_but(&store, |id| own.contains(&id));
        store.prune_runs(&key(), 1, at(0)).unwrap();
        assert_eq!(store.list_of(&key()).unwrap(), [own[2]]);
        assert_eq!(store.list_of(&other()).unwrap().len(), others.len());
        assert_eq!(store.run_ids().unwrap().len(), 21);
        // The folder of all runs is not read either: a run that is put there by hand is not seen.
        fs::create_dir(store.layout().run_folder(RunId::new(900))).unwrap();
        assert_eq!(end(&store).number(), 24);
    }

    #[test]
    fn next_run_is_listed_after_an_incomplete_line() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut all = vec![end(&store), end(&store)];
        fs::write(store.layout().runs_of(&key()), "ca1\nca2").unwrap();
        all.push(end(&store));
        all.reverse();
        assert_eq!(store.listed_runs_of(&key().name).unwrap(), Some(all));
    }

    #[test]
    fn next_run_creates_missing_run_lists_of_an_old_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let first: Vec<RunId> = (0..5).map(|_| end(&store)).collect();
        fs::remove_dir_all(store.layout().runs_of_tasks()).unwrap();
        fs::remove_file(store.layout().listed_runs()).unwrap();
        assert_eq!(store.listed_runs_of(&key().name).unwrap(), None);
        let next = end(&store);
        let mut all = first;
        all.push(next);
        all.reverse();
        assert_eq!(store.list_of(&key()).unwrap(), all);
        // Another version makes a run and does not list it.
        let held = store.new_run(queued).unwrap();
        fs::write(store.layout().listed_runs(), format!("{}", next.number())).unwrap();
        fs::remove_file(store.layout().runs_of(&key())).unwrap();
        store.list_runs(&key(), &all).unwrap();
        assert_eq!(store.listed_runs_of(&key().name).unwrap(), None);
        let newest = end(&store);
        all.splice(0..0, [newest, held.run.run_id]);
        assert_eq!(store.listed_runs_of(&key().name).unwrap(), Some(all));
    }
}
