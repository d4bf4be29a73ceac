//! Records and reports the images that a step has resolved.

use std::cell::RefCell;

use crate::{
    error::Result,
    ops::{
        assemble,
        event::{Event, EventSink},
        execution::Failure,
        resolve::Resolved,
    },
};

use super::step_run::StepRun;

/// Resolves images for a step, unless it is stopped. The result is recorded and logged, and warnings become those of the step.
pub(super) async fn warned(
    work: &StepRun<'_>,
    resolve: impl AsyncFnOnce(&EventSink<'_>) -> Result<Resolved>,
) -> Result<Resolved, Failure> {
    let warnings = RefCell::new(Vec::new());
    let resolved = {
        let events = EventSink::new(|event| {
            if let Event::Warning(text) = event {
                warnings.borrow_mut().push(text);
            }
        });
        work.unless_stopped(resolve(&events)).await?
    };
    record(work, &resolved);
    for text in warnings.take() {
        work.warn(&text);
    }
    Ok(resolved)
}

fn record(work: &StepRun<'_>, resolved: &Resolved) {
    let (app, found) = (work.shared.execution.app, &work.shared.found);
    let (dependencies, untracked) = (&resolved.dependencies, &resolved.untracked);
    found
        .borrow_mut()
        .take(&work.step.id, dependencies, untracked);
    for line in resolved.in_words() {
        work.lines.say(&line);
    }
    for registry in assemble::unverified(app, resolved.pulled.keys()) {
        let skips = app.settings.registry(&registry).skip_verify;
        if skips && found.borrow_mut().unverified.insert(registry.clone()) {
            work.lines.log.say(&assemble::not_verified(&registry));
        }
    }
}
