//! The run of a multi-step task: reads the file, prepares the workspace, carries out the steps, checks what they pushed, and records it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    error::{Error, Result},
    image::{Digest, Platform, Reference},
    ops::{
        App, Event, EventSink, assemble, builder_fault, builders,
        chain::ImageMakers,
        execution::{Execution, Failure},
        joined::joined,
        outputs, platforms, push_login, pushed,
        run_builders::{self, PlacedBuilder},
        run_log::RunLog,
        run_record,
        survey::Survey,
        tidy,
    },
    steps::{Action, BuiltinCommand, Graph, Step},
    store::runs::HeldRun,
    sys::secret::MaskedText,
    task::{ImageDescriptor, Run, RunStatus, Task, template::RunVariables},
};

use super::{
    logins,
    networks::make_networks,
    read::{self, Lookup, MultiStep},
    schedule::carry_out,
    step_context::{StepContext, StepResults},
    sweep::sweep,
    workspace::Workspace,
};

/// Carries out a multi-step task. Anything but success is a failure with its status.
pub(in crate::ops) async fn work(
    execution: &Execution<'_>,
    held: &mut HeldRun,
    log: &RunLog<'_>,
) -> Result<(), Failure> {
    let (app, task) = (execution.app, &execution.task);
    let started = app.clock.now();
    let survey = read::survey(app, task, &execution.secrets)?;
    if let Some(digest) = survey.digest {
        execution.inputs.get_or_init(|| digest);
    }
    let variables = step_variables(execution, &held.run);
    let read = read::read(app, task, &execution.secrets, &variables, Lookup::Now)?;
    log.hide(&read.hidden);
    let survey = refused_or_surveyed(app, task, &read)?;
    for notice in &read.notices {
        log.say(&notice.to_string());
    }
    let on = if needs_builder(&read.graph) {
        let on = run_builders::one(execution).await?;
        on.builder.refuse_steps()?;
        held.run.builder = Some(on.name.clone());
        on
    } else {
        PlacedBuilder::none()
    };
    let known = execution.descendants.as_ref();
    ImageMakers::of(app).refuse_cycles(task, &survey.pushes, &survey.bases, known)?;
    push_login::try_pushes(execution, &read.graph, &on.builder, log).await?;
    held.run.advance(RunStatus::Running, app.clock.now());
    app.store.save_run(&held.run)?;

    let outcome = in_workspace(execution, &held.run, &read, &on, log).await;
    let stays = sweep(app, &on.builder, held.run.run_id).await;
    for text in stays {
        log.events.send(Event::Warning(text));
    }
    let (found, outcome) = match outcome {
        Ok((found, done)) => (Some(found), done),
        Err(failure) => (None, Err(failure)),
    };
    if let Some(found) = &found {
        held.run.base_image_dependencies = Some(found.dependencies());
        held.run.untracked_images.clone_from(&found.untracked);
    }
    if let Err(failure) = outcome {
        return Err(builder_fault::with_builder_fault(execution, failure, &on.name).await);
    }
    let mut found = found.unwrap_or_default();
    builders::note_room(app, &on.name)?;
    let outputs = confirm(execution, &found.pushed, log.events).await?;
    let platforms = set_platforms(execution, &mut found, &outputs).await?;
    held.run.base_image_dependencies = Some(found.dependencies());
    held.run.output_images = Some(outputs);
    run_record::succeeded(execution, held, started, platforms, log)?;
    if held.run.builder.is_some() {
        tidy::after_run(execution, &on, &held.run, log).await;
    }
    Ok(())
}

/// Determines the platforms that the steps built for, and updates the dependencies to them. Returns the platforms.
async fn set_platforms(
    execution: &Execution<'_>,
    found: &mut StepResults,
    outputs: &[ImageDescriptor],
) -> Result<Vec<Platform>, Failure> {
    let (mut pushed, mut all) = (BTreeSet::new(), BTreeSet::new());
    let mut others = outputs.to_vec();
    for (step, mut build) in std::mem::take(&mut found.builds) {
        let is_own = |output: &ImageDescriptor| {
            let image = output.reference();
            image.is_some_and(|image| build.images.contains(&image))
        };
        let own: Vec<ImageDescriptor> = others.extract_if(.., |one| is_own(one)).collect();
        let made = outputs::platforms_of(execution, &own, build.platforms, &build.inputs);
        let made = made.await?;
        let narrowed = build.resolved.made_for(execution.app, &build.inputs, &made);
        execution.unless_stopped(narrowed).await?;
        let resolved = &build.resolved;
        found.take(&step, &resolved.dependencies, &resolved.untracked);
        if !own.is_empty() {
            pushed.extend(made.iter().cloned());
        }
        all.extend(made);
    }
    // Images that were pushed but built by no step, such as those with a second name.
    let read = pushed::platforms(execution.app, &others, &[]);
    pushed.extend(execution.unless_stopped(read).await?);
    let chosen = if pushed.is_empty() { all } else { pushed };
    Ok(chosen.into_iter().collect())
}

/// Returns the run variables for templates. A quick run has no task name.
fn step_variables(execution: &Execution<'_>, run: &Run) -> RunVariables {
    let mut variables = execution.variables(run);
    if run.task.is_none() {
        variables.task.clear();
    }
    variables
}

/// Returns the steps in the order in which they would be carried out, one line each, with secrets hidden.
pub(in crate::ops) fn plan(execution: &Execution<'_>, run: &Run) -> Result<Vec<String>> {
    let variables = step_variables(execution, run);
    let (app, task, secrets) = (execution.app, &execution.task, &execution.secrets);
    let read = read::read(app, task, secrets, &variables, Lookup::Later)?;
    refused_or_surveyed(app, task, &read)?;
    Ok(read.graph.steps().iter().map(planned).collect())
}

/// Refuses steps that ask for more than they may, as this run reads them: a template may ask for it in some runs only.
fn refused_or_surveyed(app: &App, task: &Task, read: &MultiStep) -> Result<Survey> {
    read.refuse_guest()?;
    let survey = read::survey_of(app, task, read)?;
    match survey.privileged.first() {
        Some(step) if !task.step.allows_privileged() => Err(Error::invalid(format!(
            "step `{step}` asks to be privileged: it could do anything to this machine"
        ))
        .hint("if that is meant, allow it: --allow-privileged")),
        _ => Ok(survey),
    }
}

async fn confirm(
    execution: &Execution<'_>,
    pushed: &[(Reference, Option<Digest>)],
    events: &EventSink<'_>,
) -> Result<Vec<ImageDescriptor>, Failure> {
    let images: Vec<Reference> = pushed.iter().map(|(image, _)| image.clone()).collect();
    let reported: BTreeMap<Reference, Digest> = pushed
        .iter()
        .filter_map(|(image, digest)| Some((image.clone(), digest.clone()?)))
        .collect();
    let mut before = outputs::before(execution);
    // A step may push again what the tag has already, and not every builder says what it has pushed.
    before.retain(|image, _| reported.contains_key(image));
    outputs::confirm(execution, &images, &reported, &before, events).await
}

/// Prepares the workspace and carries out the steps. Returns their results even if one failed.
async fn in_workspace(
    execution: &Execution<'_>,
    run: &Run,
    read: &MultiStep,
    on: &PlacedBuilder,
    log: &RunLog<'_>,
) -> Result<(StepResults, Result<(), Failure>), Failure> {
    let (app, task) = (execution.app, &execution.task);
    let volumes = &read.graph.volumes;
    let folder = read.folder.as_deref();
    let mut leaves_out_vcs = false;
    if let Some(folder) = folder {
        assemble::report_left_out(execution, folder, log.events);
        leaves_out_vcs = assemble::left_out(execution, folder).has_version_control();
    }
    let workspace = Workspace::make(app, run.run_id, folder, leaves_out_vcs, volumes)?;
    logins::hand_over(execution, &workspace, read, log).await?;
    let placed = assemble::place_logins(execution, run.run_id)?;
    let (halt, stop) = execution.stop.or_halt();
    let mut shared = StepContext {
        execution,
        run,
        read,
        on,
        platforms: platforms::of(app, &on.builder).await,
        baseline: &app.store.baseline(&task.key())?,
        workspace,
        stop,
        auth_dir: placed.as_ref().map(|placed| placed.0.clone()),
        networks: BTreeMap::new(),
        log,
        found: RefCell::default(),
    };
    shared.networks = make_networks(&shared, execution.jobs).await?;
    let outcome = carry_out(&shared, execution.jobs, &halt).await;
    Ok((shared.found.take(), outcome))
}

fn needs_builder(graph: &Graph) -> bool {
    let is_own = |step: &Step| match &step.action {
        Action::Cmd(cmd) => matches!(cmd.own(), Some(BuiltinCommand::Acr(_))),
        Action::Build(_) | Action::Push(_) => false,
    };
    !graph.steps().iter().all(is_own)
}

/// Returns a step as `--dry-run` shows it.
fn planned(step: &Step) -> String {
    let after = if step.after.is_empty() {
        String::new()
    } else {
        format!(" after {}", joined(&step.after, ", "))
    };
    let quoted = |words: &[MaskedText]| shell_words::join(words.iter().map(ToString::to_string));
    let action = match &step.action {
        Action::Build(build) => {
            let context = build.remote.as_ref().unwrap_or(&build.context);
            format!("build {} from {context}", joined(&build.images, ", "))
        }
        Action::Push(pushed) => {
            let images = joined(pushed.iter().map(|one| &one.image), ", ");
            format!("push {images}")
        }
        Action::Cmd(cmd) => format!("run {} {}", cmd.image, quoted(&cmd.args)),
    };
    format!("{}{after}: {}", step.id, action.trim_end())
}
