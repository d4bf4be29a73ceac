//! Moves the files of a state directory of version 0.1 to the paths of this version, once.
//!
//! `known/` became `baselines/`, and `told.json` became `notified.json`. The old files are kept in `upgraded-from-0.1/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::error::{Context as _, Kind, Result};

use super::{
    Store,
    file::{self, names},
};

/// The folder of baselines in version 0.1.
const KNOWN: &str = "known";

/// The file of what receivers had been told in version 0.1.
const TOLD: &str = "told.json";

/// Where a copy of the files of version 0.1 is kept.
const COPY: &str = "upgraded-from-0.1";

impl Store {
    /// Moves the files of version 0.1 to their present paths, after making a copy. If it is killed at any point, the next call continues.
    ///
    /// A directory that another user can change is left alone unless `insists`: it is refused when it is used.
    ///
    /// A directory that is read-only, or that a watcher of version 0.1 still uses, is left alone: its baselines are then used where they
    /// are. Where version 0.1 has written new baselines beside those of this version, the newer of the two is taken.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path, where a file cannot be copied or moved.
    pub fn upgrade(&mut self, insists: bool) -> Result<()> {
        let old = self.layout.root().join(KNOWN);
        if !old.is_dir() || !insists && self.check_owner().is_err() {
            return Ok(());
        }
        match self.move_from_0_1(&old) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.layout.keep_baselines_in(KNOWN);
                Ok(())
            }
            Err(error) if file::is_read_only(&error) => {
                if !self.layout.baselines_folder().exists() {
                    self.layout.keep_baselines_in(KNOWN);
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Returns whether everything is in its place now; false where another process still watches by the paths of version 0.1.
    fn move_from_0_1(&self, old: &Path) -> Result<bool> {
        let new = self.layout.baselines_folder();
        // A watcher of this version has made `baselines`; without that folder, the holder of the lock is of version 0.1, or is upgrading.
        let Some(_lock) = self.try_lock(&self.layout.watch_lock())? else {
            return Ok(new.exists());
        };
        let root = self.layout.root();
        keep_copy(root, old)?;
        let told = root.join(TOLD);
        if told.exists() && !self.layout.notified().exists() {
            rename(&told, &self.layout.notified())?;
        }
        file::remove(&self.layout.cache("known"))?;
        if !new.exists() && rename(old, &new).is_ok() {
            return Ok(true);
        }
        for path in baselines(old)? {
            let target = new.join(path.strip_prefix(old).unwrap_or(&path));
            if changed(&path) > changed(&target) {
                if let Some(folder) = target.parent() {
                    file::make_folders(folder)?;
                }
                rename(&path, &target)?;
            } else {
                file::remove(&path)?;
            }
        }
        // Only empty folders are removed: other files in them belong to people.
        for registry in names(old)? {
            let _ = fs::remove_dir(old.join(registry));
        }
        let _ = fs::remove_dir(old);
        Ok(true)
    }
}

/// Copies what is about to be moved, completely or not at all.
fn keep_copy(root: &Path, old: &Path) -> Result<()> {
    let copy = root.join(COPY);
    if copy.exists() {
        return Ok(());
    }
    let unfinished = root.join(format!(".tmp-{COPY}"));
    for path in baselines(old)? {
        let target = unfinished
            .join(KNOWN)
            .join(path.strip_prefix(old).unwrap_or(&path));
        copy_file(&path, &target)?;
    }
    let told = root.join(TOLD);
    if told.exists() {
        copy_file(&told, &unfinished.join(TOLD))?;
    }
    file::make_folders(&unfinished)?;
    rename(&unfinished, &copy)
}

/// Returns the files of baselines in `folder`, and no other files there.
fn baselines(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for registry in names(folder)? {
        let registry = folder.join(registry);
        if registry.is_dir() {
            let files = names(&registry)?.into_iter();
            let files = files.map(|name| registry.join(name));
            found.extend(files.filter(|path| {
                path.extension().is_some_and(|end| end == "json") && path.is_file()
            }));
        }
    }
    Ok(found)
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        file::make_folders(folder)?;
    }
    fs::copy(from, to).map(drop).context(Kind::Failed, || {
        format!("cannot copy `{}` to `{}`", from.display(), to.display())
    })
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).context(Kind::Failed, || {
        format!("cannot move `{}` to `{}`", from.display(), to.display())
    })
}

/// Returns when a file was changed; `None`, where it is missing.
fn changed(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A state directory of version 0.1.
    fn directory() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "known/r.io/web.json", "old", 10);
        write(folder.path(), "known/r.io/api.json", "old", 10);
        write(folder.path(), "told.json", "told", 10);
        write(folder.path(), "cache/known.json", "{}", 10);
        let store = Store::at(folder.path());
        (folder, store)
    }

    fn write(root: &Path, path: &str, text: &str, second: u64) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }

    fn read(root: &Path, path: &str) -> Option<String> {
        fs::read_to_string(root.join(path)).ok()
    }

    #[test]
    fn version_0_1_files_are_moved_once_with_a_backup_copy() {
        let (folder, mut store) = directory();
        for _ in 0..2 {
            store.upgrade(true).unwrap();
            for (path, text) in [
                ("baselines/r.io/web.json", Some("old")),
                ("baselines/r.io/api.json", Some("old")),
                ("notified.json", Some("told")),
                ("upgraded-from-0.1/known/r.io/web.json", Some("old")),
                ("upgraded-from-0.1/told.json", Some("told")),
                ("known", None),
                ("told.json", None),
                ("cache/known.json", None),
            ] {
                assert_eq!(read(folder.path(), path).as_deref(), text, "{path}");
            }
            assert!(!folder.path().join("known").exists());
        }
    }

    #[test]
    fn upgrade_neither_copies_nor_removes_files_that_are_no_baseline() {
        let (folder, mut store) = directory();
        write(folder.path(), "known/r.io/saved/web.json", "mine", 10);
        write(folder.path(), "baselines/r.io/web.json", "new", 20);
        store.upgrade(true).unwrap();
        let old = read(folder.path(), "baselines/r.io/api.json");
        assert_eq!(old.as_deref(), Some("old"));
        let mine = read(folder.path(), "known/r.io/saved/web.json");
        assert_eq!(mine.as_deref(), Some("mine"));
        assert!(
            !folder
                .path()
                .join("upgraded-from-0.1/known/r.io/saved")
                .exists()
        );
        // The next call finds nothing to move, and the paths of this version in use.
        store.upgrade(true).unwrap();
        assert_eq!(
            store.layout().baselines_folder(),
            store.layout().root().join("baselines")
        );
    }

    #[test]
    fn upgrade_killed_after_its_backup_is_continued() {
        let (folder, mut store) = directory();
        write(
            folder.path(),
            ".tmp-upgraded-from-0.1/known/r.io/web.json",
            "half",
            1,
        );
        store.upgrade(true).unwrap();
        let copy = read(folder.path(), "upgraded-from-0.1/known/r.io/web.json");
        assert_eq!(copy.as_deref(), Some("old"));
        assert_eq!(
            read(folder.path(), "baselines/r.io/web.json").as_deref(),
            Some("old")
        );
    }

    #[test]
    fn upgrade_keeps_the_newer_of_two_baselines() {
        let (folder, mut store) = directory();
        write(folder.path(), "baselines/r.io/web.json", "new", 20);
        write(folder.path(), "baselines/r.io/api.json", "new", 5);
        store.upgrade(true).unwrap();
        assert_eq!(
            read(folder.path(), "baselines/r.io/web.json").as_deref(),
            Some("new")
        );
        assert_eq!(
            read(folder.path(), "baselines/r.io/api.json").as_deref(),
            Some("old")
        );
        assert!(!folder.path().join("known").exists());
    }

    #[test]
    fn state_directory_in_use_by_version_0_1_is_not_upgraded() {
        let (folder, mut store) = directory();
        let lock = store.try_lock(&store.layout().watch_lock()).unwrap();
        store.upgrade(true).unwrap();
        assert_eq!(
            store.layout().baselines_folder(),
            store.layout().root().join("known")
        );
        drop(lock);
        let mut next = Store::at(folder.path());
        next.upgrade(true).unwrap();
        assert_eq!(
            next.layout().baselines_folder(),
            next.layout().root().join("baselines")
        );
        assert!(read(folder.path(), "baselines/r.io/web.json").is_some());
    }
}
