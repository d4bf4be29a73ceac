//! The run of a task that builds a Dockerfile: resolves the bases, builds, checks what was pushed, and records it.

use std::collections::BTreeMap;

use crate::{
    builder::{BuildRequest, Builder},
    error::Result,
    image::Reference,
    store::runs::HeldRun,
    task::{DockerStep, Run, RunStatus},
};

use super::{
    EventSink, assemble,
    build_job::{BuildJob, BuildOutcome, BuilderWork},
    chain::ImageMakers,
    execution::{Execution, Failure},
    inputs, local, outputs, parts, placing, push_login, pushed, resolve,
    run_builders::{self, PlacedBuilder, holder},
    run_log::RunLog,
    run_record, tidy,
};

/// Carries out the run. Anything but success is a failure with its status.
pub(super) async fn work(
    execution: &Execution<'_>,
    step: &DockerStep,
    held: &mut HeldRun,
    log: &RunLog<'_>,
) -> Result<(), Failure> {
    let (app, task) = (execution.app, &execution.task);
    let started = app.clock.now();
    let images = execution.images(&held.run)?;
    let mut inputs = inputs::read(app, task, step, &execution.secrets)?;
    execution.inputs.get_or_init(|| inputs.digest.clone());
    let baseline = app.store.baseline(&task.key())?;
    inputs.local = local::images_for(app, task, &baseline)?;
    let builders = run_builders::all(execution).await?;
    let names: Vec<&str> = builders.iter().map(|on| on.name.as_str()).collect();
    held.run.builder = Some(names.join(placing::BETWEEN));
    let applying = run_builders::apply(app, &task.platforms, &mut inputs, &builders);
    execution.unless_stopped(applying).await?;
    log.doing("resolving what it depends on".into());
    let holder = holder(&builders);
    let resolving = resolve::resolve(app, &mut inputs, &holder, &baseline, log.events);
    let mut resolved = execution.unless_stopped(resolving).await?;
    let bases = resolved.dependencies.iter();
    let bases: Vec<_> = bases.filter_map(|it| it.image.reference()).collect();
    let known = execution.descendants.as_ref();
    ImageMakers::of(app).refuse_cycles(task, &images, &bases, known)?;
    let pushed: &[Reference] = if step.pushes() { &images } else { &[] };
    if !step.is_local
        && let Some(on) = builders.first()
        && let Some(refused) = push_login::refusal(execution, &on.builder, pushed).await?
    {
        return Err(refused.into());
    }
    held.run.base_image_dependencies = Some(resolved.dependencies.clone());
    held.run.untracked_images.clone_from(&resolved.untracked);
    held.run.advance(RunStatus::Running, app.clock.now());
    app.store.save_run(&held.run)?;
    for line in resolved
        .in_words()
        .chain(resolve::unpinned(&inputs.bases()?))
    {
        log.say(&line);
    }
    assemble::report_unverified(app, images.iter().chain(resolved.pulled.keys()), log);
    let job = BuildJob {
        execution,
        step,
        inputs: &inputs,
        resolved: &resolved,
        images: &images,
        run: &held.run,
        baseline: &baseline,
    };
    let outcome = build(&job, &builders, log).await?;
    let outputs = if step.is_local {
        outputs::stored(execution, &holder, &images).await?
    } else {
        let before = match holder {
            // It never says what it has pushed, and may make the same image again.
            Builder::Command(_) => BTreeMap::new(),
            _ => outputs::before(execution),
        };
        outputs::confirm(execution, pushed, &outcome.digests, &before, log.events).await?
    };
    let on_registries = if step.is_local { &[][..] } else { &outputs };
    let made = outputs::platforms_of(execution, on_registries, outcome.platforms, &inputs).await?;
    if let Some(surprise) = pushed::surprise(&made, &inputs.build.platforms) {
        log.say(&surprise);
    }
    let narrowed = resolved.made_for(app, &inputs, &made);
    execution.unless_stopped(narrowed).await?;
    held.run.base_image_dependencies = Some(resolved.dependencies);
    held.run.output_images = Some(outputs);
    let platforms = made.into_iter().collect();
    run_record::succeeded(execution, held, started, platforms, log)?;
    for on in &builders {
        tidy::after_run(execution, on, &held.run, log).await;
    }
    Ok(())
}

/// Returns the command lines that a run would execute.
///
/// # Errors
///
/// The same errors as those of a run before its builder starts.
pub(super) async fn plan(
    execution: &Execution<'_>,
    step: &DockerStep,
    run: &Run,
    events: &EventSink<'_>,
) -> Result<Vec<String>> {
    let (app, task) = (execution.app, &execution.task);
    let images = execution.images(run)?;
    let mut inputs = inputs::read(app, task, step, &execution.secrets)?;
    let baseline = app.store.baseline(&task.key())?;
    inputs.local = local::images_for(app, task, &baseline)?;
    let builders = run_builders::all(execution).await?;
    run_builders::apply(app, &task.platforms, &mut inputs, &builders).await?;
    let holder = holder(&builders);
    let resolved = resolve::resolve(app, &mut inputs, &holder, &baseline, events).await?;
    let job = BuildJob {
        execution,
        step,
        inputs: &inputs,
        resolved: &resolved,
        images: &images,
        run,
        baseline: &baseline,
    };
    let request = request(&job)?;
    let mut lines = Vec::new();
    for on in &builders {
        let mut part = parts::part_of(&job, &request, on)?;
        assemble::restrict_images(app, &on.builder, &mut part)?;
        let steps = on.builder.plan(&part)?;
        lines.extend(steps.iter().map(|step| step.line.to_string()));
    }
    Ok(lines)
}

/// Builds with one builder, or in parts with several.
async fn build(
    job: &BuildJob<'_>,
    builders: &[PlacedBuilder],
    log: &RunLog<'_>,
) -> Result<BuildOutcome, Failure> {
    let execution = job.execution;
    let mut request = request(job)?;
    let placed = assemble::place_logins(execution, job.run.run_id)?;
    request.auth_dir = placed.as_ref().map(|placed| placed.0.clone());
    assemble::report_left_out(execution, &request.context, log.events);
    let [on] = builders else {
        return parts::build(job, builders, request, log).await;
    };
    let work = BuilderWork {
        on,
        request,
        lines: log.lines(),
        stop: execution.stop,
    };
    job.build_on(work).await
}

/// Makes the request for the builder.
fn request(job: &BuildJob<'_>) -> Result<BuildRequest> {
    let (step, layout) = (job.step, job.execution.app.store.layout());
    let arguments = inputs::arguments_of(step, &job.execution.secrets);
    let (secret_args, args) = assemble::parted(arguments);
    let asked = BuildRequest {
        images: job.images.to_vec(),
        args,
        secret_args,
        no_cache: step.no_cache,
        options: step.options.clone(),
        push: step.pushes(),
        scratch: layout.run_folder(job.run.run_id),
        ..BuildRequest::default()
    };
    assemble::request(job.execution, job.run, job.inputs, job.resolved, asked)
}
