//! Registries that tests have done with, for those that come after: to start one takes longer than what most tests ask of it.
//!
//! A test has its registry for itself. When the test's thread ends, all that asked the registry for it has ended, and the program goes on
//! without the data.

use std::{
    cell::RefCell,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
};

use super::service::Service;

/// A program that serves an empty folder, which is yet to be made anew.
pub struct Spare {
    pub kind: Kind,
    pub dir: PathBuf,
    pub port: u16,
    pub service: Service,
}

/// What registries differ in by their config file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Whether it asks for a login.
    pub password: bool,
    /// Whether it removes anything.
    pub deletes: bool,
}

static SPARE: Mutex<Vec<Spare>> = Mutex::new(Vec::new());

/// What the test of this thread has done with.
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

/// Hands a registry on, after this test. It ends here if the test has failed, or if all tests are run by one thread.
pub fn hand_on(spare: Spare) {
    if !thread::panicking() && thread::current().name() != Some("main") {
        USED.with(|used| used.0.borrow_mut().push(spare));
    }
}

/// Returns a registry that another test has done with.
pub fn take(kind: Kind) -> Option<Spare> {
    let mut all = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = all.iter().position(|spare| spare.kind == kind)?;
    Some(all.remove(found))
}
