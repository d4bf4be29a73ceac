//! Cancels a run that another process carries out.

use std::time::Duration;

use crate::{
    error::{Error, Kind, Result},
    store::lock,
    sys::process,
    task::{Run, RunId},
};

use super::{App, runs::existing};

/// How often the run is checked while it ends.
const LOOK: Duration = Duration::from_millis(50);

/// How long a run may take to end: its builder has ten seconds after it was asked to stop, and is then killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the process that carries out a run to stop, and waits until the run has ended.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such run; [`Kind::Failed`] if it has ended already, or does not end.
pub async fn cancel(app: &App, id: RunId) -> Result<Run> {
    let run = existing(app, id)?;
    let ended = |run: &Run| {
        Error::new(
            Kind::Failed,
            format!(
                "run `{id}` cannot be canceled: it has ended with {}",
                run.status
            ),
        )
        .hint("those that go on: acrt task list-runs --run-status Running")
    };
    let Some(pid) = run.pid.filter(|_| run.status.is_open()) else {
        return Err(ended(&run));
    };
    let held = app.store.layout().open_run(id);
    // The lock, not the process id, proves that this process is the one that carries out the run.
    if !lock::is_held(&held) {
        return Err(ended(&existing(app, id)?));
    }
    process::interrupt(pid)?;
    let mut waited = Duration::ZERO;
    while lock::is_held(&held) {
        if waited > PATIENCE {
            return Err(Error::new(
                Kind::Failed,
                format!("run `{id}` was asked to stop, and goes on in process {pid}"),
            )
            .hint(format!(
                "kill -9 {pid}; the next command cleans up after it"
            )));
        }
        app.clock.pause(LOOK).await;
        waited += LOOK;
    }
    existing(app, id)
}
