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
mod recall;
pub mod runs;
pub mod secrets;
pub mod tasks;
pub mod told;
mod verified;

use std::path::Path;

use crate::error::Result;

use layout::Layout;

pub use recall::Recalled;

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

    /// Makes the state directory, open to its owner alone.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn prepare(&self) -> Result<()> {
        file::make_folder(self.layout.root())
    }
}
