//! Schedules the steps of a multi-step run: concurrently where the file allows it, until all are done or one has failed.

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use crate::{
    image::Reference,
    ops::{execution::Failure, push_login::or_away, run_log::RunLog},
    steps::{Graph, StepId, StepProgress, progress::StepState},
    store::lock::Lock,
    sys::signal::StopHandle,
    task::RunStatus,
};

use super::{one, read::pushes_of, step_context::StepContext};

/// Reports which steps are being carried out.
fn report_running(log: &RunLog<'_>, steps: &[&str]) {
    if !steps.is_empty() {
        let doing = format!("carrying out {}", steps.join(", "));
        log.doing(doing);
    }
}

/// Carries out the steps, as many at once as allowed, until all are done or one has failed.
pub(super) async fn carry_out(
    shared: &StepContext<'_>,
    jobs: usize,
    halt: &StopHandle,
) -> Result<(), Failure> {
    let (graph, clock) = (&shared.read.graph, &shared.execution.app.clock);
    let mut progress = StepProgress::new(graph);
    let mut working = FuturesUnordered::new();
    let mut first: Option<(Failure, Vec<Reference>)> = None;
    let mut at_work: Vec<&str> = Vec::new();
    loop {
        let mut room = jobs.max(1).saturating_sub(progress.running());
        while room > 0 {
            // The run has one place on its builder; each concurrent step takes one more.
            let place = match progress.running() {
                0 => None,
                _ => match one_more_place(shared) {
                    Some(place) => place,
                    None => break,
                },
            };
            let started = progress.start_ready(1);
            let Some(step) = started.into_iter().next() else {
                break;
            };
            shared.lines_of(&step.id).say("started");
            at_work.push(step.id.as_str());
            report_running(shared.log, &at_work);
            let begun = clock.now();
            working.push(async move {
                let ended = one::carry_out(shared, step).await;
                drop(place);
                (step, begun, ended)
            });
            room -= 1;
        }
        let Some((step, begun, ended)) = working.next().await else {
            break;
        };
        let seconds = clock.now().duration_since(begun).as_secs().max(0);
        at_work.retain(|id| *id != step.id.as_str());
        report_running(shared.log, &at_work);
        let Err(failure) = ended else {
            shared
                .lines_of(&step.id)
                .say(&format!("succeeded after {seconds}s"));
            progress.finish(step, true);
            continue;
        };
        // That the whole run was stopped, or has timed out, cannot be ignored as an error of a step.
        let ignored = step.ignores_errors && failure.status == RunStatus::Failed;
        let end = if ignored { ", which is ignored" } else { "" };
        let is_halted = first.is_some() && failure.status == RunStatus::Canceled;
        let reason = if is_halted && shared.execution.stop.requested().is_none() {
            "it was stopped, because another step has failed".to_owned()
        } else {
            failure.error.one_line()
        };
        let text = format!("failed after {seconds}s{end}: {reason}");
        shared.lines_of(&step.id).say(&text);
        progress.finish(step, ignored);
        if !ignored {
            first.get_or_insert((failure, pushes_of(&step.action)));
            halt.ask();
        }
    }
    match first {
        Some((failure, pushes)) => {
            report_skipped(shared.log, graph, &progress);
            Err(or_away(shared.execution, failure, &pushes).await)
        }
        None => Ok(()),
    }
}

/// Takes one more place on the builder of the run. `Some(None)` on a builder without a limit, `None` where all places are taken.
fn one_more_place(shared: &StepContext<'_>) -> Option<Option<Lock>> {
    let (app, name) = (shared.execution.app, &shared.on.name);
    let Some(jobs) = app.jobs_of(name) else {
        return Some(None);
    };
    // If locking fails, there is no place.
    app.store
        .take_builder_place(name, jobs)
        .ok()
        .flatten()
        .map(Some)
}

fn report_skipped(log: &RunLog<'_>, graph: &Graph, progress: &StepProgress<'_>) {
    let steps = graph.steps().iter();
    let skipped: Vec<&str> = steps
        .filter(|step| progress.state(&step.id) == StepState::Skipped)
        .map(|step| StepId::as_str(&step.id))
        .collect();
    if !skipped.is_empty() {
        log.say(&format!("skipped: {}", skipped.join(", ")));
    }
}
