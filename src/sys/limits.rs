//! What a process that works for one task may use of the machine.
//!
//! The limits are soft ones of `setrlimit`, see getrlimit(2): the process itself is bound by them, and the programs that it starts get back
//! what it had before, because a compiler in a build may need more than acrt does.

use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Context as _, Kind, Result};

use super::settings::LimitSettings;

const MIB: u64 = 1024 * 1024;

/// The limits that this process had before it was bound.
static BEFORE: OnceLock<Vec<(Resource, Rlimit)>> = OnceLock::new();

/// Binds this process.
///
/// # Errors
///
/// [`Kind::Failed`] where the machine does not allow it.
pub fn bind(limits: &LimitSettings) -> Result<()> {
    let wanted = [
        (Resource::As, limits.memory_mib.saturating_mul(MIB)),
        (Resource::Stack, limits.stack_mib.saturating_mul(MIB)),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Nofile, limits.open_files),
    ];
    let mut before = Vec::new();
    for (resource, most) in wanted.into_iter().filter(|(_, most)| *most > 0) {
        let had = getrlimit(resource);
        let new = Rlimit {
            current: Some(had.maximum.map_or(most, |hard| hard.min(most))),
            maximum: had.maximum,
        };
        setrlimit(resource, new).context(Kind::Failed, || {
            format!("cannot limit what a run may use ({resource:?})")
        })?;
        before.push((resource, had));
    }
    // A second call would take the limits of the first for those that were there before.
    let _ = BEFORE.set(before);
    Ok(())
}

/// Starts a program that has the limits which this process had before it was bound, from its first instruction on: limits are inherited, so
/// that they are lifted from this process for the moment of the start. Otherwise what a program begins with, and its own first children,
/// would be bound.
pub(super) fn lifted<T>(start: impl FnOnce() -> T) -> T {
    /// Held while limits are lifted: one start must not bind this process again in the middle of another.
    static STARTING: Mutex<()> = Mutex::new(());

    let Some(before) = BEFORE.get() else {
        return start();
    };
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let bound: Vec<_> = before
        .iter()
        .map(|(resource, had)| {
            let bound = getrlimit(*resource);
            // One that cannot be lifted binds the program too.
            let _ = setrlimit(*resource, *had);
            (*resource, bound)
        })
        .collect();
    let started = start();
    for (resource, limit) in bound {
        let _ = setrlimit(resource, limit);
    }
    started
}
