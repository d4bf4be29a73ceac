//! Reuses registries of finished tests: starting one takes longer than most tests use it.
//!
//! A test has its registry to itself. When the test's thread ends, all clients of the registry have ended, and the program is reused with
//! an empty folder.

use std::{
    cell::RefCell,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
};

use super::service::Service;

/// A registry program whose folder has been removed and must be created again.
pub struct Spare {
    pub kind: Kind,
    pub dir: PathBuf,
    pub port: u16,
    pub service: Service,
}

/// The settings in the config file by which registries differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Whether it requires a login.
    pub password: bool,
    /// Whether it supports deletion.
    pub deletes: bool,
}

static SPARE: Mutex<Vec<Spare>> = Mutex::new(Vec::new());

/// The registries of the finished test of this thread.
struct Used(RefCell<Vec<Spare>>);

thread_local! {
    static USED: Used = const { Used(RefCell::new(Vec::new())) };
}

impl Drop for Used {
    fn drop(&mut self) {
        let mut all = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        all.append(self.0.get_mut());
    }
}

/// Keeps a registry for later tests. It is stopped instead if the test has failed, or if one thread runs all tests.
pub fn hand_on(spare: Spare) {
    if !thread::panicking() && thread::current().name() != Some("main") {
        USED.with(|used| used.0.borrow_mut().push(spare));
    }
}

/// Returns a registry of a finished test.
pub fn take(kind: Kind) -> Option<Spare> {
    let mut all = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    // A registry whose folder is there again still handles a request whose client was killed.
    for busy in all.extract_if(.., |spare| spare.dir.exists()) {
        drop(busy.service);
        let _ = fs::remove_dir_all(busy.dir);
    }
    let found = all.iter().position(|spare| spare.kind == kind)?;
    Some(all.remove(found))
}
