//! Resource limits of the process that carries out a run.
//!
//! They are soft limits of `setrlimit`, see getrlimit(2): the process itself is bound by them, and the programs that it starts get the
//! earlier limits back, because a compiler in a build may need more than acrt does.

use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Context as _, Kind, Result};

use super::config::LimitSettings;

const MIB: u64 = 1024 * 1024;

/// The limits of this process before they were lowered.
static BEFORE: OnceLock<Vec<(Resource, Rlimit)>> = OnceLock::new();

/// Lowers the limits of this process.
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
    // A second call must not take the limits of the first for the original ones.
    let _ = BEFORE.set(before);
    Ok(())
}

/// Starts a program with the original limits from its first instruction on. Limits are inherited, so they are restored in this process for
/// the moment of the start; otherwise the program's first steps, and its first children, would be bound.
pub(super) fn lifted<T>(start: impl FnOnce() -> T) -> T {
    /// Held while the limits are restored, so that one start does not lower them again in the middle of another.
    static STARTING: Mutex<()> = Mutex::new(());

    let Some(before) = BEFORE.get() else {
        return start();
    };
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let bound: Vec<_> = before
        .iter()
        .map(|(resource, had)| {
            let bound = getrlimit(*resource);
            // A limit that cannot be restored binds the program too.
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
