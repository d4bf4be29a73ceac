//! What a process that works for one task may use of the machine.
//!
//! The limits are soft ones of `setrlimit`, see getrlimit(2): the process itself is bound by them, and the programs that it starts get back
//! what it had before, because a compiler in a build may need more than acrt does.

use std::sync::OnceLock;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

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

/// Gives a program that this process has just started the limits that this process had.
pub(super) fn lift(process: Option<u32>) {
    let process = process.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let (Some(process), Some(before)) = (process, BEFORE.get()) else {
        return;
    };
    for (resource, had) in before {
        let limit = Rlimit {
            current: had.current,
            maximum: had.maximum,
        };
        // One that has ended already needs none.
        let _ = prlimit(Some(process), *resource, limit);
    }
}
