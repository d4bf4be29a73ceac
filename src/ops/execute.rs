//! Carries a run out to its end: fetches its context, lets the code for its kind of step do the work, and closes its record.

use std::path::Path;

use crate::{
    error::{Error, Result},
    store::{file, runs::HeldRun},
    sys::ownership,
    task::{Context, Run, RunId, RunStatus, Step},
};

use super::{
    Event, EventSink,
    assemble::{self, PlacedFolder},
    docker_run,
    execution::{Execution, Failure, Finished, Named},
    fetch::{self, Fetched},
    import, inputs, keep, reading,
    run_log::RunLog,
    run_record, steps,
    trust::{self, Trust},
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
    inputs::check_secrets(&execution.task, &execution.secrets)?;
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
    reading::refuse_hanging(&execution.task)?;
    inputs::check_secrets(&execution.task, &execution.secrets)?;
    if execution.recorded {
        // Read before anything is copied: what changes from then on is seen by the next round. A problem with the files is reported by the step
        // that needs them.
        let (app, task) = (execution.app, execution.definition());
        let survey = reading::survey_with_source(app, task, &execution.secrets).ok();
        execution.named = survey.map(|survey| {
            if let Some(digest) = survey.digest {
                execution.inputs.get_or_init(|| digest);
            }
            Named {
                bases: survey.bases,
                usage: survey.usage,
                files: survey.files,
            }
        });
    }
    let _copied = copy_named_contexts(execution, held.run.run_id).await?;
    let _fetched = fetch_context(execution, held, log).await?;
    match &execution.task.step {
        Step::Docker(step) => docker_run::work(execution, step, held, log).await,
        Step::FileTask(_) | Step::EncodedTask(_) => steps::run::work(execution, held, log).await,
        Step::Import(step) => import::run::work(execution, step, held, log).await,
    }
}

/// Copies the named contexts of a build that are a guest's folders: their owner could replace them by links.
async fn copy_named_contexts(
    execution: &mut Execution<'_>,
    id: RunId,
) -> Result<Option<PlacedFolder>, Failure> {
    let app = execution.app;
    let Step::Docker(step) = &execution.task.step else {
        return Ok(None);
    };
    let is_guests = |place: &str| place.starts_with('/') && !ownership::is_own(Path::new(place));
    let mut contexts = step.contexts.clone();
    let guests = contexts.values_mut().filter(|place| is_guests(place));
    let guests: Vec<&mut String> = guests.collect();
    if guests.is_empty() || step.trust_context {
        return Ok(None);
    }
    let placed = PlacedFolder(app.store.layout().run_steps(id));
    file::make_folder(&placed.0)?;
    for (n, place) in guests.into_iter().enumerate() {
        let copy = placed.0.join(format!("context-{n}"));
        let copying = fetch::copy_of_guest(app, Path::new(place.as_str()), copy.clone(), true);
        execution.unless_stopped(copying).await?;
        *place = copy.display().to_string();
    }
    execution.stored = Some(execution.task.clone());
    if let Step::Docker(step) = &mut execution.task.step {
        step.contexts = contexts;
    }
    Ok(Some(placed))
}

/// Fetches a remote context, or copies a guest's folder; from then on the task has a folder of acrt's own as its context.
async fn fetch_context(
    execution: &mut Execution<'_>,
    held: &mut HeldRun,
    log: &RunLog<'_>,
) -> Result<Option<Fetched>, Failure> {
    let (app, task, stop) = (execution.app, &execution.task, execution.stop);
    let Some(context) = task.step.context().cloned() else {
        return Ok(None);
    };
    let folder = trust::folder(app, task).filter(|_| trust::of(app, task) == Trust::Guest);
    match &folder {
        None if context.is_remote() => log.doing(format!("fetching {context}")),
        None => return Ok(None),
        Some(folder) => {
            log.doing(format!("copying {context}"));
            assemble::report_left_out(execution, folder, log.events);
        }
    }
    let fetching = fetch::fetch(app, held.run.run_id, task, &execution.secrets, stop);
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
    let why = folder.as_deref().and_then(ownership::foreign);
    let why = why.map_or_else(String::new, |why| format!(", which is a guest's: {why}"));
    log.say(&format!("{}{why}", fetched.in_words(&context)));
    held.run.source_commit.clone_from(&fetched.commit);
    let task = execution.task.clone();
    execution.stored.get_or_insert(task);
    if let Some(folder) = folder {
        execution.task.step.set_files_below(&folder);
    }
    let folder = Context::Local(fetched.folder.clone());
    execution.task.step.set_context(folder);
    execution.task.fetched_from = Some(Box::new(context));
    Ok(Some(fetched))
}
