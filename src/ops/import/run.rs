//! The run of a task that keeps a copy: looks at the source, copies it, lets a program test it, moves the tags.

use crate::{
    error::{Error, Result},
    image::{Digest, Reference},
    ops::{
        App,
        chain::ImageMakers,
        commands::{CommandFailure, Commands},
        execution::{Execution, Failure, GRACE},
        outputs,
        resolve::found,
        run_log::RunLog,
        run_record,
    },
    registry::copy::ImagePlace,
    store::runs::HeldRun,
    sys::command::CommandLine,
    task::{
        Dependency, DependencyKind, ImageDescriptor, ImportStep, Manifests, Run, RunId, RunStatus,
        Task, Untracked, import::candidate,
    },
};

use super::{
    CopyOptions, MadeCopy, copy_all, look,
    places::{self, Target},
    verified,
};

/// The source of a copy, resolved before anything is copied.
struct ResolvedSource {
    place: ImagePlace,
    dependencies: Vec<Dependency>,
    untracked: Vec<Untracked>,
}

/// Carries out a copy. Anything but success is a failure with its status.
pub(in crate::ops) async fn work(
    execution: &Execution<'_>,
    step: &ImportStep,
    held: &mut HeldRun,
    log: &RunLog<'_>,
) -> Result<(), Failure> {
    let (app, task) = (execution.app, &execution.task);
    let started = app.clock.now();
    let targets = targets(execution, step, &held.run)?;
    if let Some(digest) = super::survey(task, step).ok().and_then(|it| it.digest) {
        execution.inputs.get_or_init(|| digest);
    }
    log.doing(format!("looking at {}", step.source));
    let decided = execution.unless_stopped(decide(app, task, step)).await?;
    let bases: Vec<Reference> = step.source().into_iter().collect();
    let images: Vec<Reference> = targets
        .iter()
        .flat_map(Target::names)
        .filter_map(|name| name.parse().ok())
        .collect();
    let known = execution.descendants.as_ref();
    ImageMakers::of(app).refuse_cycles(task, &images, &bases, known)?;
    held.run.base_image_dependencies = Some(decided.dependencies.clone());
    held.run.untracked_images.clone_from(&decided.untracked);
    held.run.advance(RunStatus::Running, app.clock.now());
    app.store.save_run(&held.run)?;
    for dependency in &decided.dependencies {
        log.say(&found(&dependency.image));
    }
    let copy = Copy {
        execution,
        step,
        run: held.run.run_id,
        source: &decided.place,
        log,
    };
    let made = copy.make(&targets).await?;
    let written = super::written(&targets, &made);
    let tags: Vec<Reference> = written.keys().cloned().collect();
    let before = super::moved_from(&made);
    outputs::confirm(execution, &tags, &written, &before, log.events).await?;
    let digest = made.first().map(|made| made.digest.clone());
    held.run.output_images = Some(
        images
            .iter()
            .map(|image| ImageDescriptor::new(image, digest.clone()))
            .collect(),
    );
    let platforms = task.platforms.clone();
    run_record::succeeded(execution, held, started, platforms, log)?;
    Ok(())
}

/// Returns the command that makes the same copy by hand, and the command that tests it before.
///
/// # Errors
///
/// [`Kind::Invalid`] where a name of the copy is not valid.
pub(in crate::ops) fn plan(
    execution: &Execution<'_>,
    step: &ImportStep,
    run: &Run,
) -> Result<Vec<String>> {
    let mut line = CommandLine::new("acrt").args(["import", "--force", "--source"]);
    line = line.arg(step.source.clone());
    for name in execution.image_names(run)? {
        for name in places::image(&execution.task.registry, &name)?.names() {
            line = line.arg("--image").arg(name);
        }
    }
    let test = step.test.split_first();
    let test = test.map(|(program, rest)| CommandLine::new(program).args(rest.iter().cloned()));
    let lines = test.into_iter().chain([line]);
    Ok(lines.map(|line| line.to_string()).collect())
}

fn targets(execution: &Execution<'_>, step: &ImportStep, run: &Run) -> Result<Vec<Target>> {
    let (mut targets, registry) = (Vec::new(), &execution.task.registry);
    for name in execution.image_names(run)? {
        places::add(&mut targets, places::image(registry, &name)?);
    }
    for name in &step.repositories {
        places::add(&mut targets, places::repository(registry, name)?);
    }
    Ok(targets)
}

/// Resolves the source to its digest now: that is what is copied, however long the copy takes.
async fn decide(app: &App, task: &Task, step: &ImportStep) -> Result<ResolvedSource> {
    let without_base = |place, untracked| ResolvedSource {
        place,
        dependencies: Vec::new(),
        untracked,
    };
    let source = match places::source(app, &step.source, None)? {
        ImagePlace::Registry(source) => source,
        folder => return Ok(without_base(folder, Vec::new())),
    };
    if source.digest().is_some() {
        let place = verified(app, ImagePlace::Registry(source)).await?;
        let reason = "it is pinned by its digest and cannot move".to_owned();
        let image = step.source.clone();
        let untracked = vec![Untracked { image, reason }];
        return Ok(without_base(place, untracked));
    }
    let registries = app.registries();
    let seen = look(app, &source).await?;
    let image = source.at(seen.digest.clone());
    app.verifier.verify(&source, &image).await?;
    // Without named platforms all are copied, so that the digest of the index decides.
    let manifests: Manifests = match task.platforms.as_slice() {
        [] => Manifests::new(),
        platforms => {
            let found = registries.platforms(&source, &seen, platforms).await?;
            found.into_iter().collect()
        }
    };
    Ok(ResolvedSource {
        dependencies: vec![Dependency {
            image: ImageDescriptor::new(&source, Some(seen.digest.clone())),
            kind: DependencyKind::Runtime,
            manifests,
            is_local: false,
            line: 0,
            mirror: None,
        }],
        place: ImagePlace::Registry(source.at(seen.digest)),
        untracked: Vec::new(),
    })
}

struct Copy<'a> {
    execution: &'a Execution<'a>,
    step: &'a ImportStep,
    run: RunId,
    source: &'a ImagePlace,
    log: &'a RunLog<'a>,
}

impl Copy<'_> {
    /// Copies to the targets, after the test of a candidate has passed.
    async fn make(&self, targets: &[Target]) -> Result<Vec<MadeCopy>, Failure> {
        if !self.step.test.is_empty() {
            let candidates: Vec<Target> = targets.iter().filter_map(as_candidate).collect();
            let made = self.copy(&candidates).await?;
            if let (Some(made), Some(target)) = (made.first(), candidates.first()) {
                self.try_out(target, &made.digest).await?;
            }
        }
        self.copy(targets).await
    }

    async fn copy(&self, targets: &[Target]) -> Result<Vec<MadeCopy>, Failure> {
        let (execution, step, log) = (self.execution, self.step, self.log);
        let options = CopyOptions {
            platforms: &execution.task.platforms,
            all_referrers: step.all_referrers,
            force: step.force || !step.test.is_empty(),
        };
        let copying = copy_all(execution.app, self.source, targets, &options, log.events);
        let made = execution.unless_stopped(copying).await?;
        for made in &made {
            let amount = &made.amount;
            for (name, state) in &made.names {
                let state = super::state_of(state).to_lowercase();
                log.say(&format!("{name} is {}, {state}", made.digest));
            }
            log.say(&format!(
                "{} blobs sent with {} bytes, {} mounted, {} there before",
                amount.sent, amount.bytes, amount.mounted, amount.present
            ));
        }
        Ok(made)
    }

    /// Lets the user's program test the candidate before the tag is moved.
    async fn try_out(&self, target: &Target, digest: &Digest) -> Result<(), Failure> {
        let Some((program, arguments)) = self.step.test.split_first() else {
            return Ok(());
        };
        let image = match &target.place {
            ImagePlace::Registry(image) => image.at(digest.clone()).to_string(),
            folder @ ImagePlace::Layout { .. } => places::name(folder),
        };
        let line = CommandLine::new(program)
            .args(arguments.iter().cloned())
            .env("ACRT_IMAGE", image)
            .env("ACRT_CANDIDATE", target.names().join(" "))
            .env("ACRT_SOURCE", self.step.source.clone());
        self.log.doing("trying the copy".into());
        self.log.line(&format!("$ {line}"));
        let commands = Commands {
            execution: self.execution,
            run: self.run,
            lines: &self.log.lines(),
            stop: self.execution.stop,
            limit: None,
        };
        let line = self.execution.app.within_reach(line);
        match commands.run(line, GRACE, 0).await {
            Ok(_) => Ok(()),
            Err(CommandFailure::Final(failure)) => Err(failure),
            Err(CommandFailure::Exit(command)) => {
                let mut why = command.how("its exit code", "it");
                if !command.said.is_empty() {
                    why = format!("{why}: {}", command.said.join("; "));
                }
                let text = format!("the copy did not pass its test: {why}");
                let hint =
                    "the tag stays as it was; the copy can be looked at under its candidate tag";
                Err(Error::failed(text).hint(hint).into())
            }
        }
    }
}

/// Returns the same target with a candidate tag, so that it is not pulled by mistake.
fn as_candidate(target: &Target) -> Option<Target> {
    let tag = target.tags.first()?;
    Some(Target {
        place: target.place.clone(),
        tags: vec![candidate(tag)],
    })
}
