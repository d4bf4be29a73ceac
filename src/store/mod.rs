//! The state directory: every file in it, written whole and named in every error about it.
//!
//! Plain files: YAML for what a person may edit, JSON for what acrt records. `docs/state.md` is their contract.

pub mod bases;
mod cache;
pub mod file;
pub mod known;
pub mod layout;
pub mod lock;
pub mod log;
pub mod runs;
pub mod secrets;
pub mod tasks;
pub mod told;

use std::path::Path;

use crate::{error::Result, sys::ownership};

use layout::Layout;

/// An opened state directory.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
}

impl Store {
    /// Takes `root` as the state directory. Nothing is read or made until something needs it.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            layout: Layout::new(root),
        }
    }

    /// Returns where everything is.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Checks that no other user can change the state directory, if there is one yet.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] where another user can.
    pub fn check_owner(&self) -> Result<()> {
        let root = self.layout.root();
        match std::fs::metadata(root) {
            Ok(metadata) => ownership::check("the state directory", root, &metadata),
            // What is not there is made; what cannot be read is told by whoever reads it.
            Err(_) => Ok(()),
        }
    }

    /// Makes the state directory, open to its owner alone.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn prepare(&self) -> Result<()> {
        file::make_folder(self.layout.root())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_state_directory_that_others_may_write_is_refused_and_its_parent_is_not_judged() {
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
