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

use std::path::{Path, PathBuf};

use crate::{
    error::{Error, Result},
    sys::ownership,
};

use file::names;
use layout::Layout;

pub use log_index::{LogIndex, LogLines};
pub use recall::ReadResult;

/// An opened state directory.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
}

impl Store {
    /// Opens `root` as the state directory, without reading or making anything.
    ///
    /// Symbolic links in the path are resolved once: processes and containers are recognized by paths in the state directory, also by an
    /// acrt that was started with another link to it.
    pub fn at(root: &Path) -> Self {
        Self {
            layout: Layout::new(&without_links(root)),
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
        let root = self.layout.root().display();
        Err(Error::failed(format!(
            "the state directory `{root}` is gone"
        )))
    }

    /// Makes the state directory, accessible to the owner alone.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn prepare(&self) -> Result<()> {
        file::make_folder(self.layout.root())
            .map_err(|error| error.hint("give a folder that you may write to with --state-dir"))
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
