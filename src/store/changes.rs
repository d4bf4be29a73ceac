//! Whether anything in the state directory has changed, without reading the files.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use crate::watch::FileStamp;

use super::{Store, file::names};

impl Store {
    /// Returns a number that changes whenever the state of a task or run does. Files are replaced, which changes the times of their folder;
    /// only files that are appended to are looked at themselves.
    pub fn fingerprint(&self) -> u64 {
        let layout = self.layout();
        let mut hash = DefaultHasher::new();
        let mut add = |path: &Path| add_stamp(path, &mut hash);
        for path in [
            layout.root(),
            &layout.bases(),
            &layout.bases_journal(),
            &layout.runs(),
            &layout.open_runs(),
        ] {
            add(path);
        }
        each_folder(&layout.tasks(), &mut add);
        each_folder(&layout.baselines_folder(), &mut add);
        for open in names(&layout.open_runs()).unwrap_or_default() {
            if let Ok(id) = open.parse() {
                add(&layout.run(id));
            }
        }
        hash.finish()
    }

    /// Returns a number that changes when acrt makes, changes or deletes a task.
    pub fn tasks_fingerprint(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        each_folder(&self.layout().tasks(), &mut |path| {
            add_stamp(path, &mut hash)
        });
        hash.finish()
    }
}

/// Calls `look` with a folder of registries, and with the folder of each registry in it.
fn each_folder(folder: &Path, look: &mut impl FnMut(&Path)) {
    look(folder);
    for registry in names(folder).unwrap_or_default() {
        look(&folder.join(registry));
    }
}

fn add_stamp(path: &Path, hash: &mut DefaultHasher) {
    let found = fs::metadata(path).ok();
    found.map(|it| FileStamp::of(&it)).hash(hash);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Cause, Run, RunStatus, TaskKey};
    use crate::watch::Baseline;

    #[test]
    fn state_fingerprint_changes_with_every_write_and_no_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut last = store.fingerprint();
        let mut changed = |store: &Store| {
            let now = store.fingerprint();
            std::mem::replace(&mut last, now) != now
        };
        assert!(!changed(&store));
        let key = TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        };
        store.save_baseline(&key, &Baseline::default()).unwrap();
        assert!(changed(&store));
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut held = store
            .new_run(|id| Run::queued(id, "r.io", &Cause::Manual, now))
            .unwrap();
        assert!(changed(&store));
        held.run.status = RunStatus::Running;
        store.save_run(&held.run).unwrap();
        assert!(changed(&store));
        store.run(held.run.run_id).unwrap();
        assert!(!changed(&store));
        store.end_run(held).unwrap();
        assert!(changed(&store));
    }
}
