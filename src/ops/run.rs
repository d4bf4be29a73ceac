//! Starts runs; every run starts here.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    builder,
    error::{Error, Kind, Result},
    image::{Digest, Reference},
    registry::CacheExport,
    store::{lock::Lock, runs::HeldRun, secrets::Secrets},
    sys::{process, signal::Stop},
    task::{
        Argument, Cause, FileStep, Run, RunId, RunStatus, RunType, Step, Task, TaskKey, TaskPatch,
        multi_step::is_task_file,
    },
    watch::Snapshot,
};

use super::{
    App, Event, EventSink,
    chain::ImageMakers,
    check::{min_age, set_min_ages_of},
    credential::logins,
    execute,
    execution::{Execution, Finished},
    notify, placing, reading, recall,
    recovery::{recover_crashed_runs, recover_crashed_runs_of},
    run_record,
    supervise::{WorkerInput, WorkerMessage, own_command, supervise},
    task,
};

pub use super::run_request::{DEFAULT_JOBS, Overrides, Quick, RunRequest};

/// How often a run that waits for another run of its task checks again.
const WAIT: Duration = Duration::from_millis(200);

/// Runs a task now, or as soon as a run of it in progress has ended.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task; [`Kind::Failed`] where the state directory cannot be written. The result of the run itself is
/// in [`Finished`].
pub async fn run(
    app: &App,
    request: &RunRequest,
    cause: &Cause,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Finished> {
    let key = &request.key;
    let (task, secrets) = prepare(app, request)?;
    if app.global_options.builder.is_some() {
        // Report a wrong option as wrong usage, before there is a run that would fail because of it.
        placing::fit(app, &task)?;
        builder::detect(app.global_options.builder.as_deref(), &app.settings).await?;
    }
    let is_quick = request.quick.is_some();
    let mut held = app.store.new_run(|id| {
        let mut run = queued(id, &task, cause, app.clock.now());
        run.task = run.task.filter(|_| !is_quick);
        // While it waits for its place, this process is all that the run has.
        run.pid = Some(std::process::id());
        if is_quick && matches!(task.step, Step::Docker(_)) {
            run.run_type = RunType::QuickBuild;
        }
        run
    })?;
    events.send(Event::Queued {
        id: held.run.run_id,
        task: key,
        is_build: held.run.run_type == RunType::QuickBuild,
    });
    // A quick run waits for no other run, and no other run waits for it.
    let _locked = if is_quick {
        None
    } else {
        match wait_for_task(app, key, stop, events).await {
            Ok(Some(locked)) => Some(locked),
            Ok(None) => {
                let why = "it was stopped while it waited for another run";
                held.run.fail(RunStatus::Canceled, why, app.clock.now());
                let kind = stop.requested().map_or(Kind::Interrupted, |s| s.kind());
                return Ok(Finished {
                    run: app.store.end_run(held)?,
                    is_local: task.is_local(),
                    error: Some(Error::new(kind, "the run was stopped while it waited")),
                });
            }
            Err(error) => return Err(never_begun(app, held, error)?),
        }
    };
    recover_crashed_runs(app, events).await;
    if !is_quick && let Err(error) = recover_crashed_runs_of(app, key, events).await {
        return Err(never_begun(app, held, error)?);
    }
    let ready = async {
        let mut answers = request.answers.clone();
        if !is_quick {
            app.registries_with(logins(Some(key), &secrets)?);
            answers = old_enough(app, &task, events).await?;
            events.report(notify::before_run(app, &task, stop, events).await);
        }
        let place = placing::place(app, &task, stop, events).await?;
        Ok((answers, place))
    };
    let (answers, place) = match ready.await {
        Ok(ready) => ready,
        Err(error) => {
            let execution = Execution {
                recorded: request.is_recorded(),
                ..Execution::of(app, task, secrets, stop)
            };
            return execute::fail(&execution, held, Error::into(error), events);
        }
    };
    let request = RunRequest {
        run: Some(held.run.run_id),
        answers,
        builders: place.builders.clone(),
        ..request.clone()
    };
    let finished = supervise(app, &task, &request, held, stop, events).await?;
    if !is_quick {
        notify::after_run(app, &task, stop, events).await;
    }
    Ok(finished)
}

/// Ends a run that another one of its task keeps from beginning, and returns why.
fn never_begun(app: &App, mut held: HeldRun, error: Error) -> Result<Error> {
    let (status, now) = (RunStatus::Error, app.clock.now());
    held.run.fail(status, error.one_line(), now);
    app.store.end_run(held)?;
    Ok(error)
}

/// Returns the earlier digests for the bases whose present digests are too young, as far as the watcher has seen earlier ones.
async fn old_enough(app: &App, task: &Task, events: &EventSink<'_>) -> Result<CacheExport> {
    let baseline = app.store.baseline(&task.key())?;
    let mut snapshot = Snapshot::new(task.clone(), baseline, |image| app.canonical(image));
    let mut makers = ImageMakers::of(app);
    set_min_ages_of(app, &mut snapshot, |base| {
        let makers = makers.of_image(base).unwrap_or_default();
        makers.into_iter().map(|maker| min_age(app, maker)).min()
    });
    let tags = recall::tags(app, events)?;
    let pins = snapshot.pins(&tags, app.clock.now());
    let mut answers = CacheExport::default();
    for (tag, digest) in pin(app, &mut answers, pins).await? {
        events.send(Event::Warning(format!(
            "`{tag}` is used as it is now, whatever its age: its registry has removed {digest}, which is old enough"
        )));
    }
    for (tag, seen) in &answers.tags {
        events.send(Event::Note(format!(
            "`{tag}` is resolved to {}: its current image is too young",
            seen.digest
        )));
    }
    Ok(answers)
}

/// Pins tags to earlier digests. Returns the tags that cannot be pinned, because their registries have removed these digests.
///
/// # Errors
///
/// [`Kind::Unknown`] where a registry does not answer.
pub(super) async fn pin(
    app: &App,
    answers: &mut CacheExport,
    pins: Vec<(Reference, Digest)>,
) -> Result<Vec<(Reference, Digest)>> {
    let mut removed = Vec::new();
    for (tag, digest) in pins {
        let is_so = answers
            .tags
            .get(&tag)
            .is_some_and(|seen| seen.digest == digest);
        if is_so {
            continue;
        }
        match app.registries().look(&tag.at(digest.clone())).await {
            Ok(seen) => drop(answers.tags.insert(tag, seen)),
            Err(error) if error.is_absent() => removed.push((tag, digest)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(removed)
}

/// Runs a task because of a trigger. Returns `None` at once if a run of it is in progress. Notifications about the result are left to the
/// caller.
pub async fn run_if_free(
    app: &App,
    request: RunRequest,
    cause: &Cause,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Option<Finished>> {
    let key = &request.key.clone();
    let Some(_lock) = app.store.try_lock_task(key)? else {
        return Ok(None);
    };
    recover_crashed_runs_of(app, key, events).await?;
    let (task, secrets) = prepare(app, &request)?;
    let held = triggered(app, &task, cause, stop, events).await?;
    let request = RunRequest {
        run: Some(held.run.run_id),
        ..request
    };
    let finished = supervise(app, &task, &request, held, stop, events).await?;
    if finished.run.status == RunStatus::Canceled && stop.requested().is_none() {
        let survey = reading::survey(app, &task, &secrets).ok();
        let inputs = survey.and_then(|survey| survey.digest);
        run_record::canceled(app, key, &finished.run, inputs)?;
    }
    Ok(Some(finished))
}

/// Records a run that a trigger caused and that cannot begin, so that it is retried like any run that failed. Returns `None` if a run of its
/// task is in progress.
pub(super) async fn fail_if_free(
    app: &App,
    request: &RunRequest,
    cause: &Cause,
    error: Error,
    events: &EventSink<'_>,
) -> Result<Option<Finished>> {
    let key = &request.key;
    let Some(_lock) = app.store.try_lock_task(key)? else {
        return Ok(None);
    };
    let (task, secrets) = prepare(app, request)?;
    let stop = Stop::never();
    let held = triggered(app, &task, cause, &stop, events).await?;
    let execution = Execution {
        recorded: true,
        ..Execution::of(app, task, secrets, &stop)
    };
    execute::fail(&execution, held, error.into(), events).map(Some)
}

/// Makes the record of a run that a trigger causes.
async fn triggered(
    app: &App,
    task: &Task,
    cause: &Cause,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<HeldRun> {
    let held = app
        .store
        .new_run(|id| queued(id, task, cause, app.clock.now()))?;
    events.send(Event::Queued {
        id: held.run.run_id,
        task: &task.key(),
        is_build: false,
    });
    events.report(notify::before_run(app, task, stop, events).await);
    Ok(held)
}

/// Carries out a run whose record is held by the process that started this one.
pub async fn carry_out_for(
    app: &App,
    request: &RunRequest,
    id: RunId,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Finished> {
    let (task, secrets) = prepare(app, request)?;
    let held = app.store.adopt_run(id)?;
    let key = request.quick.is_none().then(|| task.key());
    let registries = app.registries_with(logins(key.as_ref(), &secrets)?);
    registries.import(request.answers.clone());
    let execution = Execution {
        recorded: request.is_recorded(),
        jobs: request.jobs.unwrap_or(DEFAULT_JOBS),
        descendants: request.descendants.clone(),
        placed: request.builders.clone(),
        ..Execution::of(app, task, secrets, stop)
    };
    execute::carry_out(execution, held, events).await
}

/// Returns the command lines that a run would execute, with secrets hidden. Sends only requests that change nothing.
///
/// # Errors
///
/// As [`run`], where the run itself would fail before its builder starts.
pub async fn plan(app: &App, request: &RunRequest, events: &EventSink<'_>) -> Result<Vec<String>> {
    let (task, secrets) = prepare(app, request)?;
    let key = request.quick.is_none().then(|| task.key());
    app.registries_with(logins(key.as_ref(), &secrets)?);
    let stop = Stop::never();
    let execution = Execution::of(app, task, secrets, &stop);
    let (id, now) = (RunId::new(1), app.clock.now());
    let mut run = queued(id, &execution.task, &Cause::Manual, now);
    run.task = run.task.filter(|_| request.quick.is_none());
    execute::plan(&execution, &run, events).await
}

/// Starts a run in the background, in a process that outlives this one and its terminal. Returns its id.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task; [`Kind::Invalid`] where the request does not fit it; [`Kind::Failed`] where the process
/// cannot be started.
pub fn detach(app: &App, request: &RunRequest) -> Result<RunId> {
    // Report a wrong request here, and not in the background process.
    prepare(app, request)?;
    let line = own_command(app)?;
    let input = WorkerInput::of(app, request).text()?;
    let answer = process::detach(&line, &input)?;
    if let Ok(WorkerMessage::Ended(Some(error))) = serde_json::from_str(&answer) {
        return Err(error.into());
    }
    answer.trim().parse().map_err(|problem| {
        Error::failed("cannot start a run in the background")
            .because(anyhow::Error::new::<crate::task::InvalidRunId>(problem))
            .hint("run it without --no-wait to see what is wrong")
    })
}

async fn wait_for_task(
    app: &App,
    key: &TaskKey,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Option<Lock>> {
    let mut told = false;
    while stop.requested().is_none() {
        if let Some(lock) = app.store.try_lock_task(key)? {
            return Ok(Some(lock));
        }
        if !told {
            events.send(Event::WaitingForTask(key));
            told = true;
        }
        app.clock.pause(WAIT).await;
    }
    Ok(None)
}

fn queued(id: RunId, task: &Task, cause: &Cause, now: jiff::Timestamp) -> Run {
    let mut run = Run::queued(id, &task.registry, cause, now);
    run.task = Some(task.name.clone());
    run.platforms.clone_from(&task.platforms);
    run
}

/// Reads the definition and the secrets, with the overrides of the run.
fn prepare(app: &App, request: &RunRequest) -> Result<(Task, Secrets)> {
    let (mut task, mut secrets) = match &request.quick {
        Some(quick) => (quick.task.clone(), quick.secrets.clone()),
        None => {
            let key = &request.key;
            (task::existing(app, key)?, app.store.secrets(key)?)
        }
    };
    let overrides = &request.overrides;
    if overrides.context.is_some() {
        let (named, given) = (task.step.context(), overrides.context.as_ref());
        task::drop_token_of_other_host(&mut secrets, named, given);
    }
    change(&mut task, overrides)?;
    secrets.arguments.extend(overrides.secret_arguments.clone());
    secrets.values.extend(overrides.secret_values.clone());
    Ok((task, secrets))
}

/// Refuses a run whose options do not fit its task.
///
/// # Errors
///
/// [`Kind::Invalid`] with the option; [`Kind::NotFound`] if there is no such task.
pub fn check_options(app: &App, request: &RunRequest) -> Result<()> {
    prepare(app, request).map(drop)
}

/// Returns the overrides of a run as a change of the task, to check that they fit it.
fn as_patch(overrides: &Overrides) -> TaskPatch {
    let given = |list: &[Argument]| (!list.is_empty()).then(Vec::new);
    TaskPatch {
        arguments: given(&overrides.arguments),
        target: overrides.target.clone().into(),
        values: given(&overrides.values),
        values_file: overrides.values_file.clone().into(),
        allow_privileged: overrides.allow_privileged.then_some(true),
        ..TaskPatch::default()
    }
}

/// Applies the overrides of a run to its task.
fn change(task: &mut Task, overrides: &Overrides) -> Result<()> {
    let replace = |own: &mut Vec<Argument>, with: &[Argument]| {
        let names: BTreeSet<&String> = with.iter().map(|a| &a.name).collect();
        own.retain(|argument| !names.contains(&argument.name));
        own.extend(with.iter().cloned());
    };
    if !matches!(task.step, Step::Import(_)) {
        task::check_fit(&as_patch(overrides), &task.step, task.name.as_str())?;
    }
    task.keep_vcs |= overrides.keep_vcs;
    if let Some(context) = &overrides.context
        && task.step.context() != Some(context)
    {
        task.step.set_context(context.clone());
        // The definition allows that to what it names.
        task.step.set_trust_context(false);
        task.step.set_allow_privileged(false);
    }
    if overrides.trust_context {
        task.step.set_trust_context(true);
    }
    if let (Step::EncodedTask(step), Some(file)) = (&mut task.step, &overrides.file) {
        let Some(context) = step.context_path.clone() else {
            let error = other_kind(task, "the file in its definition");
            return Err(error.hint("say where another file is: --context FOLDER"));
        };
        task.step = Step::FileTask(FileStep {
            context_path: context,
            task_file_path: file.clone(),
            values_file_path: None,
            values: std::mem::take(&mut step.values),
            allow_privileged: step.allow_privileged,
            trust_context: step.trust_context,
            pushes: Vec::new(),
        });
    }
    match &mut task.step {
        Step::Docker(step) => {
            if let Some(file) = &overrides.file {
                if is_task_file(file) {
                    return Err(other_kind(task, "a Dockerfile, and not a multi-step file"));
                }
                step.docker_file_path.clone_from(file);
            }
            if let Some(target) = &overrides.target {
                step.target = Some(target.clone());
            }
            replace(&mut step.arguments, &overrides.arguments);
        }
        Step::FileTask(step) => {
            if let Some(file) = &overrides.file {
                if !is_task_file(file) {
                    return Err(other_kind(task, "a multi-step file, and not a Dockerfile"));
                }
                step.task_file_path.clone_from(file);
            }
            if overrides.values_file.is_some() {
                step.values_file_path.clone_from(&overrides.values_file);
            }
            replace(&mut step.values, &overrides.values);
            step.allow_privileged |= overrides.allow_privileged;
        }
        Step::EncodedTask(step) => {
            if overrides.values_file.is_some() {
                let takes = "the values in its definition and --set, and no file of them";
                return Err(other_kind(task, takes));
            }
            replace(&mut step.values, &overrides.values);
            step.allow_privileged |= overrides.allow_privileged;
        }
        Step::Import(_) => {
            let nothing = Overrides::default();
            if *overrides != nothing {
                let error = other_kind(task, "no options: it copies an image");
                return Err(error.hint(format!(
                    "change what is copied: acrt task update {} --import IMAGE",
                    task.key().full_option()
                )));
            }
        }
    }
    Ok(())
}

fn other_kind(task: &Task, takes: &str) -> Error {
    Error::invalid(format!("a run of task `{}` takes {takes}", task.name)).hint(format!(
        "change the task itself: acrt task update {} --file FILE",
        task.key().full_option()
    ))
}
