//! The state directory. Every file is written atomically, and every error names the file.
//!
//! The files are plain: YAML for what a person may edit, JSON for what acrt records. `docs/state.md` is their contract.

pub mod baselines;
pub mod bases;
pub mod blobs;
pub mod builders;
mod cache;
mod changes;
pub mod file;
pub mod layout;
pub mod lock;
pub mod log;
mod log_index;
pub mod made;
pub mod notified;
mod recall;
mod run_lists;
pub mod runs;
pub mod secrets;
pub mod sources;
pub mod tasks;
mod upgrade;
pub mod uploads;
mod verified;
mod yaml_places;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use serde::Serialize;

use crate::{
    error::{Error, Result},
    sys::ownership,
    task::TaskKey,
};

use file::names;
use layout::Layout;
use lock::Lock;

pub use log_index::{LogIndex, LogLines};
pub use recall::ReadResult;

/// An opened state directory.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
    /// Set once the state directory has been there: it is never made again, because what is in its place then is not it, but a disk that is
    /// not mounted.
    found: Arc<OnceLock<()>>,
}

impl Store {
    /// Opens `root` as the state directory, without reading or making anything.
    ///
    /// Symbolic links in the path are resolved once: processes and containers are recognized by paths in the state directory, also by an
    /// acrt that was started with another link to it.
    pub fn at(root: &Path) -> Self {
        let layout = Layout::new(&without_links(root));
        let found = match layout.root().is_dir() {
            true => OnceLock::from(()),
            false => OnceLock::new(),
        };
        Self {
            layout,
            found: Arc::new(found),
        }
    }

    /// Returns the paths in the state directory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Checks that no other user can change the state directory, if it exists.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] where another user can.
    pub fn check_owner(&self) -> Result<()> {
        let root = self.layout.root();
        match std::fs::metadata(root) {
            Ok(metadata) if !metadata.is_dir() => Err(Error::invalid(format!(
                "the state directory `{}` is not a folder",
                root.display()
            ))
            .hint("name a folder with --state-dir or ACRT_STATE_DIR")),
            Ok(metadata) => ownership::check("the state directory", root, &metadata),
            // A missing directory is made later; an unreadable one is reported when it is read.
            Err(_) => Ok(()),
        }
    }

    /// Checks that the state directory, in which there were tasks, is still there: one that is gone, as a disk that is not mounted, does not
    /// count as one without tasks.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where it is gone.
    pub fn check_present(&self) -> Result<()> {
        if self.layout.tasks().is_dir() {
            return Ok(());
        }
        Err(self.gone())
    }

    fn gone(&self) -> Error {
        let root = self.layout.root().display();
        Error::failed(format!("the state directory `{root}` is gone"))
    }

    /// Makes the state directory, accessible to the owner alone, unless it has been there before.
    ///
    /// # Errors
    ///
    /// Where it is gone or cannot be made.
    pub fn prepare(&self) -> Result<()> {
        let root = self.layout.root();
        if !root.is_dir() {
            if self.found.get().is_some() {
                return Err(self.gone());
            }
            file::make_folders(root).map_err(|error| {
                error.hint("give a folder that you may write to with --state-dir")
            })?;
        }
        self.found.get_or_init(|| ());
        Ok(())
    }

    /// Makes a folder of the state directory, and those above it.
    fn make_folder(&self, folder: &Path) -> Result<()> {
        match folder.parent() {
            _ if folder == self.layout.root() => self.prepare(),
            Some(parent) if !folder.is_dir() => {
                self.make_folder(parent)?;
                file::make_folder(folder)
            }
            _ => Ok(()),
        }
    }

    fn make_folder_of(&self, file: &Path) -> Result<()> {
        file.parent()
            .map_or(Ok(()), |folder| self.make_folder(folder))
    }

    fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        self.make_folder_of(path)?;
        file::write_json(path, value)
    }

    fn write_yaml(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        self.make_folder_of(path)?;
        file::write_yaml(path, value)
    }

    /// Takes a lock of the state directory, or returns `None` at once if another process holds it.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where locking itself fails.
    pub fn try_lock(&self, path: &Path) -> Result<Option<Lock>> {
        self.make_folder_of(path)?;
        lock::try_lock(path)
    }

    /// Takes the lock that a run of a task holds, or returns `None` at once if another process holds it.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where locking itself fails.
    pub fn try_lock_task(&self, key: &TaskKey) -> Result<Option<Lock>> {
        self.try_lock(&self.layout.task_lock(key))
    }

    /// Takes a lock of the state directory, and waits as long as needed. For locks that are held only briefly.
    fn lock(&self, path: &Path) -> Result<Lock> {
        self.make_folder_of(path)?;
        lock::lock(path)
    }

    /// Removes the temporary files of killed processes, from all folders but those of runs. Reads each folder once.
    pub fn remove_abandoned_files(&self) {
        let layout = &self.layout;
        let (caches, open, verified) = (layout.caches(), layout.open_runs(), layout.verified());
        for folder in [layout.root(), &caches, &open, &verified] {
            file::remove_abandoned(folder);
        }
        for folder in [
            layout.tasks(),
            layout.baselines_folder(),
            layout.secrets_folder(),
            layout.runs_of_tasks(),
        ] {
            for registry in names(&folder).unwrap_or_default() {
                file::remove_abandoned(&folder.join(registry));
            }
        }
    }
}

/// Resolves symbolic links in the part of a path that exists.
fn without_links(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    for folder in path.ancestors() {
        if let Ok(real) = folder.canonicalize() {
            return missing
                .iter()
                .rev()
                .fold(real, |path, name| path.join(name));
        }
        // The parent of a folder that does not exist (`..`) is not known.
        let Some(name) = folder.file_name() else {
            break;
        };
        missing.push(name);
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    #[test]
    fn state_directory_is_the_same_through_any_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir(real.join("data")).unwrap();
        symlink(real.join("data"), real.join("link")).unwrap();
        let state = real.join("data/acrt/state");
        // Before and after the directory exists.
        assert_eq!(
            Store::at(&real.join("link/acrt/state")).layout.root(),
            state
        );
        fs::create_dir_all(&state).unwrap();
        assert_eq!(
            Store::at(&real.join("link/acrt/state")).layout.root(),
            state
        );
    }

    #[test]
    fn temporary_files_are_removed_from_all_folders() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let places = [
            "",
            "cache",
            "verified",
            "runs/open",
            "tasks/r.io",
            "baselines/r.io",
            "secrets/r.io",
            "runs/of/r.io",
        ];
        // Unfinished uploads are removed by their age, and the places of builders are locks alone.
        let exempt = ["uploads", "builders"];
        let layout = include_str!("layout.rs").split("self.root.join(\"").skip(1);
        let names = layout.filter_map(|rest| rest.split('"').next());
        let is_folder = |name: &&str| *name != "lock" && !name.contains('.');
        for name in names.filter(is_folder) {
            let is_cleaned = places
                .iter()
                .any(|place| place.split('/').next() == Some(name));
            assert!(is_cleaned || exempt.contains(&name), "{name}");
        }
        for place in places {
            let place = folder.path().join(place);
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join(".tmpAbCdEf"), "").unwrap();
            fs::write(place.join("web.yaml"), "").unwrap();
        }
        store.remove_abandoned_files();
        for place in places.map(|place| folder.path().join(place)) {
            assert!(!place.join(".tmpAbCdEf").exists(), "{}", place.display());
            assert!(place.join("web.yaml").exists());
        }
    }

    #[test]
    fn state_directory_that_is_gone_is_not_made_again_by_any_write() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new/state");
        let store = Store::at(&root);
        let key = TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        };
        drop(store.try_lock_task(&key).unwrap().unwrap());
        let mode = fs::metadata(&root).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let baseline = crate::watch::Baseline::default();
        let is_gone = |store: &Store| {
            fs::rename(&root, folder.path().join("away")).unwrap();
            let errors = [
                store.prepare(),
                store.save_baseline(&key, &baseline),
                store.save_tags(&Default::default()),
                store.try_lock_task(&key).map(drop),
                store.lock_tasks().map(drop),
            ];
            for error in errors {
                assert!(error.unwrap_err().one_line().contains("is gone"));
            }
            assert!(!root.exists());
            fs::rename(folder.path().join("away"), &root).unwrap();
            store.save_baseline(&key, &baseline).unwrap();
        };
        is_gone(&store);
        is_gone(&Store::at(&root));
    }

    #[test]
    fn state_directory_writable_by_others_is_refused_whatever_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        allow(folder.path(), 0o1777);
        let store = Store::at(&folder.path().join("state"));
        store.check_owner().unwrap();
        store.prepare().unwrap();
        store.check_owner().unwrap();
        allow(store.layout().root(), 0o770);
        let error = store.check_owner().unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Invalid);
        assert!(error.one_line().contains("its mode is 770"), "{error:?}");
    }
}
