//! What a run that failed says of its builder: that it is away, or that its disk is full. It is pruned once for a run, and left alone for a
//! while where that has not helped.

use crate::{
    builder::Keep,
    error::{Error, Kind, Result},
    task::RunStatus,
};

use super::{
    App, builders,
    execution::{Execution, Failure},
    placing,
    run_log::PrefixedLog,
    why_failed::{has_lost_the_builder, has_no_disk},
};

/// From how many runs of one task in a row on that its builder goes away it is taken to be the task's fault.
const MOST_LOST: u32 = 3;

/// What is wrong with a builder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Away,
    Restarted,
    Full,
}

/// Asks the builder itself whether it is there, after something has gone wrong with it. Where it is not, or has no room, nothing can be said
/// of the build.
pub(super) async fn blamed(execution: &Execution<'_>, failure: Failure, name: &str) -> Failure {
    if failure.status == RunStatus::Canceled {
        return failure;
    }
    let is_there = placing::is_there(execution.app, name).await.unwrap_or(true);
    let fault = if !is_there {
        Fault::Away
    } else if has_no_disk(&failure.error) {
        Fault::Full
    } else if has_lost_the_builder(&failure.error) {
        Fault::Restarted
    } else {
        return failure;
    };
    let lost = lost_in_a_row(execution, name, fault).unwrap_or_default();
    let why = anyhow::Error::from(failure.error);
    if lost >= MOST_LOST {
        let how = match fault {
            Fault::Full => "was out of disk",
            Fault::Away | Fault::Restarted => "has gone away",
        };
        let text = format!("builder {name} {how} in {lost} runs of this task in a row");
        return Error::new(Kind::Failed, text).because(why).into();
    }
    let how = match fault {
        Fault::Away => "does not answer",
        Fault::Restarted => "was restarted in the middle, or the way to it broke off",
        Fault::Full => "is out of disk",
    };
    let error = Error::new(Kind::BuilderAway, format!("builder {name} {how}")).because(why);
    match fault {
        Fault::Full => error.hint(
            "it is tried again in five minutes; look what fills it: acrt builder list -o table",
        ),
        Fault::Away | Fault::Restarted => error,
    }
    .into()
}

/// Takes in that a run has come to nothing by the fault of its builder. Returns how many of its task have in a row.
fn lost_in_a_row(execution: &Execution<'_>, name: &str, fault: Fault) -> Result<u32> {
    let (app, key) = (execution.app, execution.task.key());
    let mut counts = execution.recorded;
    if fault == Fault::Full {
        // While it is full for everybody, no task is to blame. One that only the machine has chosen is given runs all the same.
        counts &= !app.store.builders().is_full(name) || execution.placed.is_empty();
        app.store.note_full_builder(name, app.clock.now())?;
    }
    if counts {
        app.store.note_lost_run(&key, true)
    } else {
        Ok(0)
    }
}

/// Lets a builder free what nothing uses, once in a run. Tells whether it is worth another try.
pub(super) async fn free_disk(
    execution: &Execution<'_>,
    name: &str,
    lines: &PrefixedLog<'_>,
) -> bool {
    if !execution.pruned.borrow_mut().insert(name.to_owned()) {
        return false;
    }
    lines.say(&format!(
        "builder {name} is out of disk; it is pruned, and tried once more"
    ));
    let (app, keep, events) = (execution.app, Keep::default(), lines.log.events);
    let pruned = builders::prune_one(app, name, &keep, execution.stop, events).await;
    if let Err(error) = pruned {
        lines.say(&error.one_line());
        return false;
    }
    true
}

/// Takes in that a builder has had room for a build.
pub(super) fn note_room(app: &App, name: &str) -> Result<()> {
    if app.store.builders().is_full(name) {
        app.store.note_builder(name, None, app.clock.now())
    } else {
        Ok(())
    }
}
