//! One step, with its delays, repeats and retries.

use crate::{
    error::Error,
    ops::{builder_fault, execution::Failure, why_failed::has_no_disk},
    steps::{Action, BuiltinCommand, Step},
};

use super::{
    acr, build, container, push,
    step_context::StepContext,
    step_run::{StepFailure, StepRun},
};

/// Carries out a step, with all its delays, repeats and retries.
pub(super) async fn carry_out(shared: &StepContext<'_>, step: &Step) -> Result<(), Failure> {
    shared.pause(step.limits.start_delay).await?;
    let work = StepRun::begin(shared, step);
    let mut failed = Vec::new();
    for _ in 0..=step.limits.repeat {
        match tries(&work).await {
            Ok(()) => {}
            Err(StepFailure::Exit { error, .. }) => failed.push(error),
            Err(StepFailure::Final(failure)) => return Err(failure),
        }
    }
    let times = failed.len();
    match failed.into_iter().next() {
        None => Ok(()),
        Some(first) if step.limits.repeat == 0 => Err(first.into()),
        Some(first) => {
            let tries = u64::from(step.limits.repeat) + 1;
            let text = format!("step `{}` failed {times} of {tries} times", step.id);
            Err(Error::new(first.kind().of_run(), text)
                .because(first)
                .into())
        }
    }
}

async fn tries(work: &StepRun<'_>) -> Result<(), StepFailure> {
    let limits = &work.step.limits;
    let (execution, builder) = (work.shared.execution, &work.shared.on.name);
    let mut left = limits.retries;
    loop {
        let Err(trouble) = attempt(work).await else {
            return Ok(());
        };
        if let StepFailure::Exit { error, .. } = &trouble
            && has_no_disk(error)
            && builder_fault::free_disk(execution, builder, &work.lines).await
        {
            continue;
        }
        let again = match &trouble {
            StepFailure::Exit { printed, .. } => {
                let printed = String::from_utf8_lossy(printed);
                let errors = &limits.retry_on;
                errors.is_empty() || errors.iter().any(|error| printed.contains(error))
            }
            StepFailure::Final(_) => false,
        };
        if left == 0 || !again {
            return Err(trouble);
        }
        left -= 1;
        let delay = limits.retry_delay;
        work.lines.say(&format!("tried again in {delay} seconds"));
        work.shared.pause(delay).await?;
    }
}

async fn attempt(work: &StepRun<'_>) -> Result<(), StepFailure> {
    match &work.step.action {
        Action::Build(step) => build::build(work, step).await,
        Action::Push(images) => push::push(work, images).await,
        Action::Cmd(cmd) => match cmd.own() {
            Some(BuiltinCommand::Acr(words)) => acr::carry_out(work, words).await,
            Some(BuiltinCommand::End { verb, names }) => container::end(work, verb, &names).await,
            None => container::run(work, cmd).await,
        },
    }
}
