//! Records the result of a run: its dependencies, or why it failed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    error::{Error, Kind, Result, cut},
    image::{Digest, Platform, Reference},
    registry::LookupError,
    store::runs::HeldRun,
    task::{ImageDescriptor, Run, RunStatus, TaskKey},
    watch::{self, Baseline, Built},
};

use super::{
    App, Event, EventSink,
    execution::{Execution, Failure},
    run_log::RunLog,
    why_failed::maker_of_missing,
};

/// The most characters that are recorded of each text of an error: it may quote what a stranger has written.
const MOST_REASON: usize = 4000;

/// Writes the baseline of a run that began to look at tags at `started` and made images for `platforms`: later looks are compared with it. A
/// run of something other than the stored definition has no baseline.
pub(super) fn succeeded(
    execution: &Execution<'_>,
    held: &HeldRun,
    started: jiff::Timestamp,
    platforms: Vec<Platform>,
    log: &RunLog<'_>,
) -> Result<()> {
    if !execution.recorded {
        return overridden(execution, held, log);
    }
    let (app, key) = (execution.app, &execution.task.key());
    let now = app.store.task(key)?;
    if !now.is_some_and(|now| now.has_same_inputs(execution.definition())) {
        log.say("the task was changed while it ran; run it again to follow what it depends on now");
        return Ok(());
    }
    let named = execution.named.as_ref();
    let built = Built {
        dependencies: held.run.base_image_dependencies.clone().unwrap_or_default(),
        untracked: held.run.untracked_images.clone(),
        outputs: held.run.output_images.clone().unwrap_or_default(),
        platforms,
        named: named.map(|named| named.bases.clone()),
        usage: named.and_then(|named| named.usage.clone()),
        files: named.map_or_else(Vec::new, |named| named.files.clone()),
    };
    let baseline = Baseline::succeeded(held.run.run_id, built, started);
    // Read it again: a watcher may have noted a timer meanwhile.
    let before = app.store.baseline(key).unwrap_or_default();
    let mut baseline = baseline.serving(before, &held.run.timer_triggers);
    baseline.commit.clone_from(&held.run.source_commit);
    baseline.pushed = Some(app.clock.now());
    app.store.note_lost_run(key, false)?;
    app.store.save_baseline(key, &baseline)
}

/// Says that a run with overrides is not followed, and records that it has replaced the images of the last run that is.
fn overridden(execution: &Execution<'_>, held: &HeldRun, log: &RunLog<'_>) -> Result<()> {
    if held.run.task.is_none() {
        return Ok(());
    }
    log.say("this run had other values than the task: what it was built on is not followed");
    let (app, key) = (execution.app, &execution.task.key());
    let mut baseline = app.store.baseline(key)?;
    let is_replaced = |own: &ImageDescriptor| {
        let mut pushed = held.run.output_images.iter().flatten();
        pushed.any(|it| it.tagged() == own.tagged() && it.digest != own.digest)
    };
    if !baseline.outputs.iter().any(is_replaced) {
        return Ok(());
    }
    baseline.overridden = Some(held.run.run_id);
    app.store.save_baseline(key, &baseline)
}

/// Records the failure of a run: not its dependencies, but the digests and inputs that were tried.
pub(super) fn failed(
    execution: &Execution<'_>,
    run: &mut Run,
    failure: Failure,
    log: &RunLog<'_>,
) -> Result<Error> {
    let (app, key) = (execution.app, execution.task.key());
    let now = app.clock.now();
    let maker = maker_of_missing(app, &key, &failure.error);
    let away = failure.error.find::<LookupError>().cloned();
    let away = away.filter(|it| it.is_away() && failure.error.kind() == Kind::Unknown);
    let error = log.masked(failure.error);
    let mut error = error.with_texts(|text| cut(text.to_owned(), MOST_REASON));
    let mut reason = error.one_line();
    if let Some(maker) = maker {
        reason = format!("{reason}; {maker}");
        error = error.hint(maker);
    }
    run.fail(failure.status, reason.clone(), now);
    let is_tried = error.kind() != Kind::BuilderAway;
    // A baseline that cannot be read stays as it is: what it holds would be lost with it.
    if execution.recorded
        && is_tried
        && failure.status != RunStatus::Canceled
        && let Ok(mut baseline) = app.store.baseline(&key)
    {
        let mut attempt = attempt(app, run, execution.inputs.get().cloned(), now);
        if let Some(away) = away.filter(|_| baseline.is_tracking())
            && let Ok(image) = away.asked().image.parse()
        {
            attempt.reason = log.masked(Error::from(away.clone())).one_line();
            baseline.put_off(attempt, image, away.retry_at());
            app.store.save_baseline(&key, &baseline)?;
            return Ok(error);
        }
        baseline.failed(run.run_id, attempt.tried, attempt.inputs, now);
        if let Some(failure) = &mut baseline.failure {
            failure.reason = reason;
            failure.causes = attempt.causes;
            failure.commit = attempt.commit;
        }
        app.store.save_baseline(&key, &baseline)?;
    }
    Ok(error)
}

/// Records that a run which triggers had caused was canceled by itself: the same triggers do not cause it again.
pub(super) fn canceled(app: &App, key: &TaskKey, run: &Run, inputs: Option<Digest>) -> Result<()> {
    if run.triggered_by() == "Manual" {
        return Ok(());
    }
    let mut baseline = app.store.baseline(key)?;
    baseline.schema = Baseline::SCHEMA;
    baseline.canceled = Some(Box::new(attempt(app, run, inputs, app.clock.now())));
    app.store.save_baseline(key, &baseline)
}

/// Returns what a run has tried.
fn attempt(app: &App, run: &Run, inputs: Option<Digest>, now: Timestamp) -> watch::Failure {
    let resolved = run.base_image_dependencies.iter().flatten();
    let resolved = resolved.map(|dependency| &dependency.image);
    let causes = run.image_update_trigger.iter();
    let causes = causes.flat_map(|cause| &cause.images);
    let mut causes = digests_by_tag(app, causes);
    let mut tried = causes.clone();
    tried.extend(digests_by_tag(app, resolved));
    causes.retain(|tag, digest| tried.get(tag) != Some(digest));
    let meant = run.source_trigger.as_ref().map(|it| it.commit_id.clone());
    watch::Failure {
        tried,
        causes,
        inputs,
        commit: run.source_commit.clone().or(meant),
        ..watch::Failure::of(run.run_id, now)
    }
}

fn digests_by_tag<'a>(
    app: &App,
    images: impl Iterator<Item = &'a ImageDescriptor>,
) -> BTreeMap<Reference, Digest> {
    images
        .filter_map(|image| Some((app.canonical(&image.reference()?), image.digest.clone()?)))
        .collect()
}

/// Removes old runs. A failure does not change the result of this run.
pub(super) fn prune(execution: &Execution<'_>, events: &EventSink<'_>) {
    let app = execution.app;
    let settings = &app.settings.config.runs;
    let age = jiff::SignedDuration::from_hours(24 * i64::from(settings.keep_days));
    let oldest = app.clock.now().saturating_sub(age);
    let oldest = oldest.unwrap_or(jiff::Timestamp::MIN);
    let key = execution.task.key();
    if let Err(error) = app.store.prune_runs(&key, settings.keep, oldest) {
        events.send(Event::Warning(error.one_line()));
    }
}

/// Returns the last line of a log, in ACR's words.
pub(super) fn closing_line(run: &Run) -> String {
    let (id, seconds) = (run.run_id, run.seconds());
    match run.status {
        RunStatus::Succeeded => format!("Run ID: {id} was successful after {seconds}s"),
        RunStatus::Canceled => format!("Run ID: {id} was canceled after {seconds}s"),
        RunStatus::Timeout => format!("Run ID: {id} timed out after {seconds}s"),
        _ => format!(
            "Run ID: {id} failed after {seconds}s. Error: {}",
            run.run_error_message.as_deref().unwrap_or("unknown")
        ),
    }
}
