//! Recovers crashed runs: ends their builders, removes what they have left, and records how they ended.
//!
//! The lock of a task is free as soon as the process that held it is dead, but the builder of that process may still be alive. So the process
//! that has taken the lock recovers the runs of the task before a builder starts. A recovery that is itself killed is repeated: the run stays
//! open until everything else is done.

use std::{fs, time::Duration};

use futures_util::future::join_all;

use crate::{
    error::{Context as _, Kind, Result},
    store::{
        file,
        lock::Lock,
        runs::{Claim, MARKER},
    },
    sys::process,
    task::{RunId, TaskKey},
};

use super::{App, Event, EventSink, steps::sweep::sweep_crashed_run};

/// How often to check whether another process has recovered a run.
const WAIT: Duration = Duration::from_millis(50);

/// Recovers all crashed runs concurrently. Without any it costs one look into a folder. Failures are reported.
pub async fn recover_crashed_runs(app: &App, events: &EventSink<'_>) {
    let crashed = events.report(app.store.crashed_runs(None));
    for recovered in recover_all(app, &crashed.unwrap_or_default(), events).await {
        events.report(recovered);
    }
}

/// Recovers the crashed runs of one task, whose lock the caller holds: after that, none of their builders is alive.
///
/// # Errors
///
/// [`Kind::Failed`] where a builder does not end, or the state directory cannot be written.
pub async fn recover_crashed_runs_of(
    app: &App,
    key: &TaskKey,
    events: &EventSink<'_>,
) -> Result<()> {
    let crashed = app.store.crashed_runs(Some(key))?;
    let recovered = recover_all(app, &crashed, events).await;
    recovered.into_iter().collect()
}

async fn recover_all(app: &App, crashed: &[RunId], events: &EventSink<'_>) -> Vec<Result<()>> {
    if crashed.is_empty() {
        return Vec::new();
    }
    let all = crashed.iter().map(|id| recover(app, *id, events));
    let recovered = join_all(all).await;
    app.store.remove_abandoned_files();
    recovered
}

/// Recovers one run, or waits until another process has done so.
async fn recover(app: &App, id: RunId, events: &EventSink<'_>) -> Result<()> {
    let lock = loop {
        match app.store.begin_recovery(id)? {
            Claim::Ours(lock) => break lock,
            Claim::Taken => app.clock.pause(WAIT).await,
            Claim::Done => return Ok(()),
        }
    };
    let ended = remove_leftovers(app, id, events).await?;
    close(app, id, lock, ended > 0, events)
}

/// Removes what a crashed run has left: the processes of its builder, containers and networks, and temporary files. Returns how many
/// processes were ended.
///
/// # Errors
///
/// [`Kind::Failed`] where a process does not end.
pub(super) async fn remove_leftovers(
    app: &App,
    id: RunId,
    events: &EventSink<'_>,
) -> Result<usize> {
    let layout = app.store.layout();
    let folder = layout.run_folder(id);
    let ended = process::end_marked_processes(MARKER, &folder.display().to_string())
        .await
        .context(Kind::Failed, || {
            format!("cannot end what run `{id}` has left running")
        })?;
    if let Ok(Some(run)) = app.store.run(id) {
        for text in sweep_crashed_run(app, &run).await {
            events.send(Event::Warning(text));
        }
    }
    for folder in [
        layout.run_logins(id),
        layout.run_context(id),
        layout.run_steps(id),
    ] {
        // What cannot be removed goes with the folder of the run.
        let _ = fs::remove_dir_all(folder);
    }
    file::remove_abandoned_below(&folder);
    Ok(ended)
}

fn close(app: &App, id: RunId, lock: Lock, ended: bool, events: &EventSink<'_>) -> Result<()> {
    let Some(run) = app.store.end_recovery(id, lock)? else {
        return Ok(());
    };
    let of = run.task.map(|task| format!(" of task `{task}`"));
    let ended = if ended {
        "; what its builder left running was ended"
    } else {
        ""
    };
    events.send(Event::Warning(format!(
        "run `{id}`{} had died with its process{ended}",
        of.unwrap_or_default()
    )));
    Ok(())
}
