//! Makes one run for the watcher, and returns its result.

use std::rc::Rc;

use crate::{
    error::{Error, Kind},
    image::{Digest, Reference},
    ops::{
        App, Event, EventSink,
        check::reasons_text,
        placing::{Place, absent},
        run::{RunRequest, fail_if_free, pin, run_if_free},
        task::{name_of, option_of},
    },
    registry::{CacheExport, LookupError},
    sys::signal::Stop,
    task::{Dependency, ImageDescriptor, Run, RunStatus, TaskKey},
    watch::{AwayRegistry, Failure, Outcome, Problem, round::Job},
};

#[derive(Debug)]
pub struct JobResult {
    pub task: TaskKey,
    /// The outcome of its run, for the tasks that depend on it.
    pub outcome: Outcome,
    pub pushed: Vec<ImageDescriptor>,
    /// Its effect on the result of the round; `None` where the run succeeded.
    pub worst: Option<Kind>,
    /// The problem of a registry that did not answer: its task is run when it does.
    pub unanswered: Option<Problem>,
    /// The job itself, if its builder does not answer: it has not been run yet.
    pub put_back: Option<Box<Job>>,
}

#[derive(Debug)]
pub struct JobStart {
    pub job: Job,
    pub place: Place,
    /// The dependencies of the last run of its task.
    pub bases: Vec<Dependency>,
}

/// Makes one run, and returns its result. Failures are reported, and part of the result.
pub async fn make(app: Rc<App>, start: JobStart, stop: &Stop, events: &EventSink<'_>) -> JobResult {
    let JobStart { job, place, bases } = start;
    let again = Box::new(job.clone());
    let key = job.task;
    let mut made = JobResult {
        task: key.clone(),
        outcome: Outcome::Busy,
        pushed: Vec::new(),
        worst: None,
        unanswered: None,
        put_back: None,
    };
    let builders = place.builders.iter().map(|one| one.builder.as_str());
    match absent(&app, builders).await {
        Ok(None) => {}
        Ok(Some(_)) => {
            made.put_back = Some(again);
            return made;
        }
        Err(error) => events.send(Event::Problem(error)),
    }
    let cause = job.reasons.cause();
    let why = reasons_text(&job.reasons);
    // The log is in its file; cron must not mail it.
    let quiet = EventSink::new(|event| match event {
        Event::Log(_) => {}
        Event::Queued { id, task, .. } => events.send(Event::Begun {
            id,
            task,
            why: &why,
        }),
        other => events.send(other),
    });
    let baseline = app.store.baseline(&key).unwrap_or_default();
    if let Some(away) = &baseline.away
        && let Some(problem) = still_away(&app, &key, away).await
    {
        made.unanswered = Some(problem);
        return made;
    }
    let failures = baseline.failure.map_or(0, |failure| failure.count);
    let mut answers = answers(&app, &bases).await;
    let removed = pin(&app, &mut answers, job.pins).await;
    let request = RunRequest {
        answers,
        descendants: Some(job.descendants),
        builders: place.builders.clone(),
        ..RunRequest::of(&key)
    };
    let ran = match removed.map(|removed| removed.into_iter().next()) {
        Ok(None) => run_if_free(&app, request, &cause, stop, &quiet).await,
        Ok(Some((tag, digest))) => {
            let error = removed_from_its_registry(&app, &key, &tag, &digest);
            fail_if_free(&app, &request, &cause, error, &quiet).await
        }
        Err(error) => Err(error),
    };
    let name = name_of(&app, &key);
    match ran {
        Ok(None) => events.send(Event::Note(format!(
            "task `{name}` is being run already; looked at again in the next round"
        ))),
        Ok(Some(finished)) if finished.run.status == RunStatus::Succeeded => {
            let told = rebuilt(&name, &why, &finished.run);
            events.send(Event::Rebuilt(match failures {
                0 => told,
                1 => format!("{told}, after a run that failed"),
                many => format!("{told}, after {many} runs that failed"),
            }));
            made.pushed = finished.run.output_images.unwrap_or_default();
            made.outcome = Outcome::Succeeded;
        }
        Ok(Some(finished)) => {
            let lost = finished.error.as_ref().map(Error::kind) == Some(Kind::BuilderAway);
            let error = failed(&name, &finished.run, finished.error);
            let kind = error.kind();
            events.send(Event::Problem(error));
            if lost {
                made.put_back = Some(again);
                return made;
            }
            let baseline = app.store.baseline(&key).unwrap_or_default();
            made.unanswered = baseline.away.map(|away| Problem::from(&*away));
            (made.outcome, made.worst) = (Outcome::Failed, Some(kind));
        }
        Err(error) => {
            (made.outcome, made.worst) = (Outcome::Failed, Some(error.kind().of_run()));
            events.send(Event::Problem(error));
        }
    }
    made
}

/// Asks a registry again that did not answer the last run of a task. If it still does not, the next question is put off, and no run is made
/// only to fail.
async fn still_away(app: &App, key: &TaskKey, away: &AwayRegistry) -> Option<Problem> {
    let looked = app.registries().look(&away.image).await;
    let error = looked.err().filter(LookupError::is_away)?;
    let _lock = app.store.try_lock_task(key).ok()??;
    let mut baseline = app.store.baseline(key).ok()?;
    let (image, retry_at) = (away.image.clone(), error.retry_at());
    let run = Failure {
        reason: Error::from(error).one_line(),
        last: app.clock.now(),
        ..away.run.clone()
    };
    baseline.put_off(run, image, retry_at);
    app.store.save_baseline(key, &baseline).ok()?;
    baseline.away.map(|away| Problem::from(&*away))
}

fn removed_from_its_registry(app: &App, key: &TaskKey, tag: &Reference, digest: &Digest) -> Error {
    let text = format!(
        "cannot build on `{tag}` as it was at {digest}, the newest of its images that is old enough: its registry has removed it"
    );
    let hint = format!(
        "keep manifests without a tag in that registry for as long as `--min-age`; to build on the present image, whatever its age: acrt task run {}",
        option_of(app, key)
    );
    Error::failed(text).hint(hint)
}

/// Returns the answers of registries about the bases of a task, for the process of its run. The configs of the images are read here, once for
/// all tasks that are built on them.
async fn answers(app: &App, bases: &[Dependency]) -> CacheExport {
    let registries = app.registries();
    let tags: Vec<Reference> = bases
        .iter()
        .filter_map(|base| base.image.reference())
        .collect();
    let seen = registries.export(&tags).tags;
    for (tag, base) in tags.iter().zip(bases) {
        let (Some(seen), Some((platform, _))) = (seen.get(tag), base.manifests.iter().next())
        else {
            continue;
        };
        // If it cannot be read now, the run itself asks for it and reports what is wrong.
        let _ = registries
            .config(&tag.at(seen.digest.clone()), platform)
            .await;
    }
    registries.export(&tags)
}

fn rebuilt(name: &str, why: &str, run: &Run) -> String {
    let (id, seconds) = (run.run_id, run.seconds());
    format!("{name}: rebuilt, {why}, run {id}, {seconds}s")
}

fn failed(name: &str, run: &Run, cause: Option<Error>) -> Error {
    let kind = cause.as_ref().map_or(Kind::Failed, |it| it.kind().of_run());
    let (id, status) = (run.run_id, run.status);
    let mut error = Error::new(
        kind,
        format!("run `{id}` of task `{name}` ended with {status}"),
    );
    if let Some(cause) = cause {
        error = error.because(cause);
    }
    match error.advice() {
        Some(_) => error,
        None => error.hint(format!("read its log: acrt task logs --run-id {id}")),
    }
}
