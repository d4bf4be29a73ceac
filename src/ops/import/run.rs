//! The run of a task that keeps a copy: looks at the source, copies what it is, lets it be tried, moves the tags.

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, Platform, Reference},
    ops::{
        execute::{Execution, Failure, GRACE, MARKER, Success},
        resolve::found,
        run_log::RunLog,
    },
    registry::copy::Place,
    store::runs::HeldRun,
    sys::{
        command::CommandLine,
        process::{Ended, Limits},
    },
    task::{
        Dependency, DependencyKind, ImageDescriptor, ImportStep, Manifests, Run, RunStatus,
        Untracked, import::candidate,
    },
};

use super::{
    MadeCopy, Options, copy_all,
    places::{self, Target},
};

/// The source of a copy, decided before anything is copied.
struct Decided {
    place: Place,
    dependencies: Vec<Dependency>,
    untracked: Vec<Untracked>,
}

impl Execution<'_> {
    /// Copies an image. Every way out but success is a failure with its status.
    pub(crate) async fn work_import(
        &self,
        step: &ImportStep,
        held: &mut HeldRun,
        log: &mut RunLog<'_>,
        inputs_digest: &mut Option<Digest>,
    ) -> Result<(), Failure> {
        let started = self.app.clock.now();
        let targets = self.targets(step, held)?;
        *inputs_digest = super::survey(&self.task, step)
            .ok()
            .and_then(|it| it.digest);
        log.doing(format!("looking at {}", step.source));
        let decided = self.unless_stopped(self.decide(step)).await?;
        let bases: Vec<Reference> = step.source().into_iter().collect();
        let images: Vec<Reference> = targets.iter().flat_map(references).collect();
        let known = self.descendants.as_ref();
        crate::ops::chain::refuse_cycles(self.app, &self.task, &images, &bases, known)?;
        held.run.base_image_dependencies = Some(decided.dependencies.clone());
        held.run.untracked_images.clone_from(&decided.untracked);
        held.run.advance(RunStatus::Running, self.app.clock.now());
        self.app.store.save_run(&held.run)?;
        for dependency in &decided.dependencies {
            log.say(&found(&dependency.image));
        }
        let work = self.copy_and_try(step, held, &decided.place, &targets, log);
        let made = work.await?;
        let written = super::written(&targets, &made);
        let tags: Vec<Reference> = written.keys().cloned().collect();
        self.confirm(&tags, &written, log.events).await?;
        let digest = made.first().map(|made| made.digest.clone());
        held.run.output_images = Some(
            images
                .iter()
                .map(|image| ImageDescriptor::new(image, digest.clone()))
                .collect(),
        );
        if self.recorded {
            let platforms = self.task.platforms.clone();
            self.record(held, Success { started, platforms }, log)?;
        }
        Ok(())
    }

    /// Returns the command that copies the same by hand, and that which tries the copy before.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where a name of the copy makes no sense.
    pub(crate) fn plan_import(&self, step: &ImportStep, run: &Run) -> Result<Vec<String>> {
        let mut line = CommandLine::new("acrt").args(["import", "--force", "--source"]);
        line = line.arg(step.source.clone());
        for name in self.image_names(run)? {
            for name in places::image(&self.task.registry, &name)?.names() {
                line = line.arg("--image").arg(name);
            }
        }
        let test = step.test.split_first();
        let test = test.map(|(program, rest)| CommandLine::new(program).args(rest.iter().cloned()));
        let lines = test.into_iter().chain([line]);
        Ok(lines.map(|line| line.to_string()).collect())
    }

    /// Finds out where the copy goes.
    fn targets(&self, step: &ImportStep, held: &HeldRun) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        for name in self.image_names(&held.run)? {
            places::add(&mut targets, places::image(&self.task.registry, &name)?);
        }
        for name in &step.repositories {
            places::add(&mut targets, places::repository(&self.task.registry, name)?);
        }
        Ok(targets)
    }

    /// Asks what the source is now, so that what was decided is what is copied, however long that takes.
    async fn decide(&self, step: &ImportStep) -> Result<Decided> {
        let source = match places::source(self.app, &step.source, None)? {
            Place::Registry(source) => source,
            folder => {
                return Ok(Decided {
                    place: folder,
                    dependencies: Vec::new(),
                    untracked: Vec::new(),
                });
            }
        };
        if source.digest().is_some() {
            let reason = "it is pinned by its digest and cannot move".to_owned();
            let image = step.source.clone();
            return Ok(Decided {
                place: Place::Registry(source),
                dependencies: Vec::new(),
                untracked: vec![Untracked { image, reason }],
            });
        }
        let registries = self.app.registries();
        let seen = registries.look_cached(&source).await.map_err(|error| {
            let absent = error.is_absent();
            let error = Error::from(error);
            let kind = if absent { Kind::Failed } else { error.kind() };
            let hint = error.advice().unwrap_or_default().to_owned();
            Error::new(kind, format!("cannot find out what `{source}` is"))
                .because(error)
                .hint(hint)
        })?;
        let image = source.at(seen.digest.clone());
        let verified = self.app.verifier.verify(&source, &image).await;
        verified.map_err(Error::from)?;
        // All platforms are copied unless some are named, so all that the tag stands for counts.
        let manifests: Manifests = match self.task.platforms.as_slice() {
            [] => Manifests::new(),
            platforms => {
                let found = registries.platforms(&source, &seen, platforms).await?;
                found.into_iter().collect()
            }
        };
        Ok(Decided {
            dependencies: vec![Dependency {
                image: ImageDescriptor::new(&source, Some(seen.digest.clone())),
                kind: DependencyKind::Runtime,
                manifests,
                line: 0,
                mirror: None,
            }],
            place: Place::Registry(source.at(seen.digest)),
            untracked: Vec::new(),
        })
    }

    async fn copy_and_try(
        &self,
        step: &ImportStep,
        held: &HeldRun,
        source: &Place,
        targets: &[Target],
        log: &mut RunLog<'_>,
    ) -> Result<Vec<MadeCopy>, Failure> {
        if !step.test.is_empty() {
            let candidates: Vec<Target> = targets.iter().filter_map(as_candidate).collect();
            let made = self.copy(step, source, &candidates, log).await?;
            if let (Some(made), Some(target)) = (made.first(), candidates.first()) {
                self.try_out(step, held, target, &made.digest, log).await?;
            }
        }
        self.copy(step, source, targets, log).await
    }

    async fn copy(
        &self,
        step: &ImportStep,
        source: &Place,
        targets: &[Target],
        log: &mut RunLog<'_>,
    ) -> Result<Vec<MadeCopy>, Failure> {
        let platforms: &[Platform] = &self.task.platforms;
        let options = Options {
            platforms,
            all_referrers: step.all_referrers,
            force: step.force || !step.test.is_empty(),
        };
        let copying = copy_all(self.app, source, targets, &options, log.events);
        let made = self.unless_stopped(copying).await?;
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

    /// Lets the new copy be tried by a program of the user's, before anybody who pulls the tag gets it.
    async fn try_out(
        &self,
        step: &ImportStep,
        held: &HeldRun,
        target: &Target,
        digest: &Digest,
        log: &mut RunLog<'_>,
    ) -> Result<(), Failure> {
        let Some((program, arguments)) = step.test.split_first() else {
            return Ok(());
        };
        let image = match &target.place {
            Place::Registry(image) => image.at(digest.clone()).to_string(),
            folder @ Place::Layout { .. } => places::name(folder),
        };
        let run_folder = self.app.store.layout().run_folder(held.run.run_id);
        let line = CommandLine::new(program)
            .args(arguments.iter().cloned())
            .env("ACRT_IMAGE", image)
            .env("ACRT_CANDIDATE", target.names().join(" "))
            .env("ACRT_SOURCE", step.source.clone());
        log.doing("trying the copy".into());
        log.line(&format!("$ {line}"));
        let line = self.app.within_reach(line);
        let line = line.env(MARKER, run_folder.display().to_string());
        let limits = Limits {
            timeout: Some(self.time_left()),
            grace: GRACE,
        };
        let (ended, mut words) = log.run(&line, &limits, self.stop, |_| {}).await?;
        let said = match words.said() {
            said if said.is_empty() => String::new(),
            said => format!(": {}", said.join("; ")),
        };
        match ended {
            Ended::Exited(0) => Ok(()),
            Ended::Stopped(signal) => Err(crate::ops::execute::stopped(signal)),
            Ended::Exited(code) => Err(failed(&format!("its exit code is {code}{said}"))),
            Ended::Killed(signal) => {
                Err(failed(&format!("it was killed by signal {signal}{said}")))
            }
            Ended::TimedOut => Err(self.took_too_long()),
        }
    }
}

fn failed(why: &str) -> Failure {
    Failure {
        status: RunStatus::Failed,
        error: Error::new(
            Kind::Failed,
            format!("the copy did not pass its test: {why}"),
        )
        .hint("the tag stays as it was; the copy can be looked at under its candidate tag"),
    }
}

/// Returns the same target under tags that nobody pulls by mistake.
fn as_candidate(target: &Target) -> Option<Target> {
    let tag = target.tags.first()?;
    Some(Target {
        place: target.place.clone(),
        tags: vec![candidate(tag)],
    })
}

fn references(target: &Target) -> Vec<Reference> {
    let names = target.names();
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
