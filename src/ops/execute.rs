//! Carries a run out to its end: fetches its context, lets the code for its kind of step do the work, and closes its record.

use crate::{
    error::{Error, Result},
    store::runs::HeldRun,
    task::{Context, Run, RunStatus, Step},
};

use super::{
    Event, EventSink, docker_run,
    execution::{Execution, Failure, Finished, Named},
    fetch::{self, Fetched},
    import, keep, reading,
    run_log::RunLog,
    run_record, steps,
};

/// Carries a run out to its end, however it ends.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be written: then the result of the run is not known.
pub async fn carry_out(
    mut execution: Execution<'_>,
    mut held: HeldRun,
    events: &EventSink<'_>,
) -> Result<Finished> {
    let (app, id) = (execution.app, held.run.run_id);
    held.run.advance(RunStatus::Started, app.clock.now());
    app.store.save_run(&held.run)?;
    let log = app.store.open_log(id, &execution.all_secrets())?;
    let log = RunLog::new(log, events);
    if held.run.task.is_some() {
        log.say(&format!("cause: {}", held.run.cause_with_sightings()));
    }
    let worked = work(&mut execution, &mut held, &log).await;
    let worked = worked.and_then(|()| Ok(log.check(id)?));
    if worked.is_ok() && execution.recorded {
        keep::remove_superseded(app, execution.definition(), &held.run, &log).await;
    }
    let error = match worked {
        Ok(()) => None,
        Err(failure) => Some(run_record::failed(
            &execution,
            &mut held.run,
            failure,
            &log,
        )?),
    };
    close(&execution, held, log, error)
}

/// Records the failure of a run that another process was to carry out and did not.
pub fn fail(
    execution: &Execution<'_>,
    mut held: HeldRun,
    failure: Failure,
    events: &EventSink<'_>,
) -> Result<Finished> {
    let app = execution.app;
    let log = RunLog::new(app.store.open_log(held.run.run_id, &[])?, events);
    // Record its inputs, so that the task is not tried again until they change.
    let survey = reading::survey(app, &execution.task, &execution.secrets);
    if let Some(digest) = survey.ok().and_then(|survey| survey.digest) {
        execution.inputs.get_or_init(|| digest);
    }
    let error = run_record::failed(execution, &mut held.run, failure, &log)?;
    close(execution, held, log, Some(error))
}

/// Returns the command lines that a run would execute.
///
/// # Errors
///
/// The same errors as those of a run before its builder starts.
pub async fn plan(
    execution: &Execution<'_>,
    run: &Run,
    events: &EventSink<'_>,
) -> Result<Vec<String>> {
    match &execution.task.step {
        Step::Docker(step) => docker_run::plan(execution, step, run, events).await,
        Step::Import(step) => import::run::plan(execution, step, run),
        Step::FileTask(_) | Step::EncodedTask(_) => steps::run::plan(execution, run),
    }
}

/// Records how a run has ended.
fn close(
    execution: &Execution<'_>,
    mut held: HeldRun,
    log: RunLog<'_>,
    error: Option<Error>,
) -> Result<Finished> {
    let app = execution.app;
    // The dependencies were recorded when the work succeeded, and the status follows: after a crash in between, the run shows an error
    // although its images are known to be current.
    held.run.advance(RunStatus::Succeeded, app.clock.now());
    log.line(&run_record::closing_line(&held.run));
    let events = log.events;
    log.finish();
    let run = app.store.end_run(held)?;
    events.send(Event::Ended {
        id: run.run_id,
        task: &execution.task.key(),
        status: run.status,
        reason: run.run_error_message.as_deref(),
    });
    run_record::prune(execution, events);
    let is_local = execution.task.is_local();
    Ok(Finished {
        run,
        is_local,
        error,
    })
}

/// Carries out the work. Anything but success is a failure with its status.
async fn work(
    execution: &mut Execution<'_>,
    held: &mut HeldRun,
    log: &RunLog<'_>,
) -> Result<(), Failure> {
    let _fetched = fetch_context(execution, held, log).await?;
    if execution.recorded {
        // A problem with the files is reported by the step that needs them.
        let (app, task) = (execution.app, execution.definition());
        let survey = reading::survey_with_source(app, task, &execution.secrets).ok();
        execution.named = survey.map(|survey| Named {
            bases: survey.bases,
            usage: survey.usage,
            files: survey.files,
        });
    }
    match &execution.task.step {
        Step::Docker(step) => docker_run::work(execution, step, held, log).await,
        Step::FileTask(_) | Step::EncodedTask(_) => steps::run::work(execution, held, log).await,
        Step::Import(step) => import::run::work(execution, step, held, log).await,
    }
}

/// Fetches a remote context; from then on the task has a local folder as its context.
async fn fetch_context(
    execution: &mut Execution<'_>,
    held: &mut HeldRun,
    log: &RunLog<'_>,
) -> Result<Option<Fetched>, Failure> {
    reading::refuse_hanging(&execution.task)?;
    let context = execution.task.step.context();
    let Some(context) = context.filter(|it| it.is_remote()).cloned() else {
        return Ok(None);
    };
    log.doing(format!("fetching {context}"));
    let (task, stop) = (&execution.task, execution.stop);
    let fetching = fetch::fetch(
        execution.app,
        held.run.run_id,
        task,
        &execution.secrets,
        stop,
    );
    let fetched = match execution.unless_stopped(fetching).await {
        Ok(fetched) => fetched,
        // A fetch that was stopped is no failure of the server.
        Err(_) if let Some(signal) = stop.requested() => return Err(Failure::stopped(signal)),
        Err(failure) => return Err(failure),
    };
    for note in &fetched.notes {
        log.say(note);
        log.events.send(Event::Note(note.clone()));
    }
    log.say(&fetched.in_words(&context));
    held.run.source_commit.clone_from(&fetched.commit);
    execution.stored = Some(execution.task.clone());
    let folder = Context::Local(fetched.folder.clone());
    execution.task.step.set_context(folder);
    execution.task.is_fetched = true;
    Ok(Some(fetched))
}
