//! Finds out whether a run failed because of its builder: the builder is away, or its disk is full. A full builder is pruned once in a run,
//! and gets no runs for a while if that has not helped.

use crate::{
    builder::CacheLimits,
    error::{Error, Kind, Result},
    task::{RunStatus, name},
};

use super::{
    builders,
    execution::{Execution, Failure},
    placing::{self, NeededNodes},
    run_log::PrefixedLog,
    why_failed::{has_lost_the_builder, has_no_disk},
};

/// After so many runs of one task in a row that lost their builder, the task is taken to be the cause.
const MOST_LOST: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Away,
    Restarted,
    Full,
}

/// Asks the builder whether it is there, after a build has failed in a way that may be the builder's fault. If it is away or has no room, the
/// failure says nothing about the build.
pub(super) async fn with_builder_fault(
    execution: &Execution<'_>,
    failure: Failure,
    name: &str,
) -> Failure {
    if failure.status == RunStatus::Canceled {
        return failure;
    }
    // The build may have needed any of its nodes.
    let is_there = placing::is_there(execution.app, name, NeededNodes::All).await;
    let is_there = is_there.unwrap_or(true);
    let fault = if !is_there {
        Fault::Away
    } else if has_no_disk(&failure.error) {
        Fault::Full
    } else if has_lost_the_builder(&failure.error) {
        Fault::Restarted
    } else {
        return failure;
    };
    let lost = record_lost_run(execution, name, fault).unwrap_or_default();
    let why = anyhow::Error::from(failure.error);
    let (each_time, how) = match fault {
        Fault::Away => ("has gone away", "does not answer"),
        Fault::Restarted => ("has gone away", "was restarted or lost its connection"),
        Fault::Full => ("was out of disk", "is out of disk"),
    };
    if lost >= MOST_LOST {
        let text = format!("builder {name} {each_time} in {lost} runs of this task in a row");
        return Error::failed(text).because(why).into();
    }
    let error = Error::new(Kind::BuilderAway, format!("builder {name} {how}")).because(why);
    match fault {
        Fault::Full if is_quick(execution) => error.hint(format!(
            "to remove its unused cache: acrt builder prune {name}"
        )),
        Fault::Full => error.hint(
            "it is tried again in five minutes; to see what fills it: acrt builder list -o table",
        ),
        Fault::Away | Fault::Restarted => error,
    }
    .into()
}

/// Records that a run failed because of its builder. Returns how many runs of the task in a row have done so.
fn record_lost_run(execution: &Execution<'_>, name: &str, fault: Fault) -> Result<u32> {
    let (app, key) = (execution.app, execution.task.key());
    let mut counts = execution.recorded;
    if fault == Fault::Full && !is_quick(execution) {
        // While the builder is full for all tasks, no task is to blame; except where the run was placed on no builder, which gets runs even
        // while it is full.
        counts &= !app.store.builders().is_full(name) || execution.placed.is_empty();
        app.store.note_full_builder(name, app.clock.now())?;
    }
    if counts {
        app.store.note_lost_run(&key, true)
    } else {
        Ok(0)
    }
}

/// Returns whether a run belongs to no task. Its failure affects no other run, and what its builder keeps is not removed for it.
fn is_quick(execution: &Execution<'_>) -> bool {
    execution.task.name.as_str() == name::QUICK_RUN
}

/// Prunes the builder of a task, once in a run. Returns whether another try is worthwhile.
pub(super) async fn free_disk(
    execution: &Execution<'_>,
    name: &str,
    lines: &PrefixedLog<'_>,
) -> bool {
    if is_quick(execution) || !execution.pruned.borrow_mut().insert(name.to_owned()) {
        return false;
    }
    lines.say(&format!(
        "builder {name} is out of disk; it is pruned, and tried once more"
    ));
    let (app, keep, events) = (execution.app, CacheLimits::default(), lines.log.events);
    let pruned = builders::prune_one(app, name, &keep, execution.stop, events).await;
    pruned.map_err(|error| lines.say(&error.one_line())).is_ok()
}
