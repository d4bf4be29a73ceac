//! Carries out one run: resolves what it depends on, drives the builder, records how it ended.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    builder::{self, BuildRequest, Builder, DigestSource, HeldImage, Purpose},
    error::{Error, Kind, Result},
    image::{Digest, Platform, Reference},
    store::{runs::HeldRun, secrets::Secrets},
    sys::{
        process::{Ended, Limits},
        signal::{Signal, Stop},
    },
    task::{
        Cause, Context, Dependency, DockerStep, ImageDescriptor, Run, RunId, RunStatus, Step, Task,
        TaskKey,
    },
    watch::{Baseline, Built, Descendants, ReadFile},
};

use super::{
    App,
    cache_traces::CacheTraces,
    clean::{self, Traces},
    event::{Event, EventSink},
    fetch::{self, Fetched},
    inputs::{self, Inputs},
    keep, local, placing, platforms, pushed, reading,
    resolve::{self, Resolved},
    run_log::{RunLog, run_beside},
    run_request::{Assignment, DEFAULT_JOBS},
    unchanged,
    why_failed::{has_lost_the_builder, has_no_disk, maker_of_missing, with_last_words},
};

pub use crate::store::runs::MARKER;

/// How long a builder has to end by itself when it is told to.
pub const GRACE: Duration = Duration::from_secs(10);

/// From how many runs of one task in a row on that its builder goes away it is taken to be the task's fault.
pub(super) const MOST_LOST: u32 = 3;

/// How a run ended badly: its status, and why.
#[derive(Debug)]
pub struct Failure {
    /// The status that the run gets.
    pub status: RunStatus,
    /// Why. Its kind picks the exit code.
    pub error: Error,
}

impl Failure {
    /// A run of which nothing can be said for sure, so that nothing of it is recorded.
    pub(super) fn unsure(error: Error) -> Self {
        Self {
            status: RunStatus::Error,
            error,
        }
    }
}

impl From<Error> for Failure {
    /// What could not be found out is no failure of the build.
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            Kind::Unknown | Kind::BuilderAway => RunStatus::Error,
            Kind::Interrupted | Kind::Terminated => RunStatus::Canceled,
            _ => RunStatus::Failed,
        };
        Self { status, error }
    }
}

/// A run that has ended, and why it did not succeed if it did not.
#[derive(Debug)]
pub struct Finished {
    /// Its record.
    pub run: Run,
    /// Why it did not succeed.
    pub error: Option<Error>,
}

/// What the files of a local context name, and these files.
#[derive(Debug)]
pub struct Named {
    bases: Vec<Reference>,
    files: Vec<ReadFile>,
}

/// What a run that succeeds has found out, besides what its record says.
#[derive(Debug)]
pub(super) struct Success {
    /// When it began to look at what it depends on.
    pub started: jiff::Timestamp,
    /// The platforms that its images are made for.
    pub platforms: Vec<Platform>,
}

/// A builder that builds for a run.
#[derive(Debug)]
pub(super) struct PlacedBuilder {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub builder: Builder,
    /// The platforms that it builds for; all of the run if empty.
    pub platforms: Vec<Platform>,
}

/// One build of a run: what it is made of, and what was decided about it.
pub(super) struct BuildJob<'a> {
    pub step: &'a DockerStep,
    pub inputs: &'a Inputs,
    pub resolved: &'a Resolved,
    pub images: &'a [Reference],
    pub run: &'a Run,
    /// What is known of the task from before.
    pub baseline: &'a Baseline,
}

/// What one builder does for a build, and what is told of it.
pub(super) struct BuilderWork<'a, 'l> {
    pub on: &'a PlacedBuilder,
    pub request: BuildRequest,
    pub log: &'a RefCell<&'a mut RunLog<'l>>,
    /// What stands before each of its lines in the log.
    pub prefix: String,
    pub stop: &'a Stop,
}

/// What a build has come to.
#[derive(Debug, Default)]
pub(super) struct BuildOutcome {
    /// The digests that the builder reported.
    pub digests: BTreeMap<Reference, Digest>,
    /// The platforms of the image as the builder holds it; empty where it does not say.
    pub platforms: BTreeSet<Platform>,
}

/// One run in the making.
pub struct Execution<'a> {
    /// The surroundings.
    pub app: &'a App,
    /// The definition that is carried out, with what one run overrides.
    pub task: Task,
    /// Whether `task` is the stored definition: only then is what it depended on recorded.
    pub recorded: bool,
    /// The values of secret arguments.
    pub secrets: Secrets,
    /// How many steps of a multi-step file may work at once.
    pub jobs: usize,
    /// The definition as it is stored, once `task` has its context on this machine.
    pub stored: Option<Task>,
    /// What the files of a local context named when the run began; none where nobody asks.
    pub named: Option<Named>,
    /// What it must not depend on, where somebody has found that out who knows all tasks.
    pub descendants: Option<Descendants>,
    /// The builders on which it has a place; none leaves it to the task.
    pub placed: Vec<Assignment>,
    /// The builders that have been pruned for it.
    pub pruned: RefCell<BTreeSet<String>>,
    /// What would stop it.
    pub stop: &'a Stop,
    /// When it has taken too long: the timeout of its task, from its first byte to its last.
    pub deadline: Instant,
}

impl<'a> Execution<'a> {
    /// Returns a run that begins now, of which nothing is recorded.
    #[must_use]
    pub fn of(app: &'a App, task: Task, secrets: Secrets, stop: &'a Stop) -> Self {
        let allowed = Duration::from_secs(task.timeout.into());
        Self {
            app,
            task,
            recorded: false,
            secrets,
            jobs: DEFAULT_JOBS,
            stored: None,
            named: None,
            descendants: None,
            placed: Vec::new(),
            pruned: RefCell::default(),
            stop,
            deadline: Instant::now() + allowed,
        }
    }

    /// Carries the run out to its end, whatever the end is.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where the state directory cannot be written: then nothing can be said of the run.
    pub async fn carry_out(
        mut self,
        mut held: HeldRun,
        events: &EventSink<'_>,
    ) -> Result<Finished> {
        let id = held.run.run_id;
        held.run.advance(RunStatus::Started, self.app.clock.now());
        self.app.store.save_run(&held.run)?;
        let secrets = self.all_secrets();
        let log = self.app.store.open_log(id, &secrets)?;
        let mut log = RunLog::new(log, events);
        if held.run.task.is_some() {
            log.say(&format!("cause: {}", held.run.cause_with_sightings()));
        }
        let mut inputs = None;
        let worked = self.work(&mut held, &mut log, &mut inputs).await;
        let worked = worked.and_then(|()| Ok(log.check(id)?));
        if worked.is_ok() && self.recorded {
            keep::remove_superseded(self.app, &self.task, &held.run, &mut log).await;
        }
        let error = match worked {
            Ok(()) => None,
            Err(failure) => Some(self.failed(&mut held.run, failure, inputs)?),
        };
        self.close(held, log, error)
    }

    /// Ends a run badly that another process was to carry out and did not.
    ///
    /// # Errors
    ///
    /// As [`Execution::carry_out`].
    pub fn fail(
        self,
        mut held: HeldRun,
        failure: Failure,
        events: &EventSink<'_>,
    ) -> Result<Finished> {
        let log = self.app.store.open_log(held.run.run_id, &[])?;
        let log = RunLog::new(log, events);
        // What it was tried with, so that it is left alone until that changes.
        let survey = reading::survey(self.app, &self.task, &self.secrets);
        let inputs = survey.ok().and_then(|survey| survey.digest);
        let error = self.failed(&mut held.run, failure, inputs)?;
        self.close(held, log, Some(error))
    }

    /// Writes down how a run has ended.
    fn close(
        self,
        mut held: HeldRun,
        mut log: RunLog<'_>,
        error: Option<Error>,
    ) -> Result<Finished> {
        let (id, key) = (held.run.run_id, self.task.key());
        // What it depended on was recorded when it succeeded; the status follows, so that a crash in between
        // shows a run in error whose images are nevertheless known to be current.
        held.run.advance(RunStatus::Succeeded, self.app.clock.now());
        log.line(&closing_line(&held.run));
        let events = log.events;
        log.finish();
        let run = self.app.store.end_run(held)?;
        events.send(Event::Ended {
            id,
            task: &key,
            status: run.status,
            reason: run.run_error_message.as_deref(),
        });
        self.prune(&key, events);
        Ok(Finished { run, error })
    }

    /// Returns the command lines that would be run.
    ///
    /// # Errors
    ///
    /// As a run would fail before its builder begins.
    pub async fn plan(self, events: &EventSink<'_>) -> Result<Vec<String>> {
        let now = self.app.clock.now();
        let run = Run::queued(RunId::new(1), &self.task.registry, &Cause::Manual, now);
        let step = match &self.task.step {
            Step::Docker(step) => step,
            Step::Import(step) => return self.plan_import(step, &run),
            Step::FileTask(_) | Step::EncodedTask(_) => return self.plan_steps(&run),
        };
        let images = self.images(&run)?;
        let mut inputs = inputs::read(self.app, &self.task, step, &self.secrets)?;
        inputs.local = local::images_for(self.app, &self.task)?;
        let builders = self.builders().await?;
        self.settle_platforms(&mut inputs, &builders).await;
        let baseline = self.app.store.baseline(&self.task.key())?;
        let holder = holder(&builders);
        let resolved = resolve::resolve(self.app, &mut inputs, &holder, &baseline, events).await?;
        let request = self.request(step, &run, &inputs, &resolved, &images);
        let mut lines = Vec::new();
        for on in &builders {
            let steps = on.builder.plan(&self.part_of(&request, on))?;
            lines.extend(steps.iter().map(|step| step.line.to_string()));
        }
        Ok(lines)
    }

    /// Returns the builder of a run that is made by one.
    pub(super) async fn builder(&self) -> Result<PlacedBuilder> {
        let mut builders = self.builders().await?;
        Ok(builders.swap_remove(0))
    }

    /// Returns the builders of the run: one, or one for each part.
    async fn builders(&self) -> Result<Vec<PlacedBuilder>> {
        let placed = if self.placed.is_empty() {
            placing::fit(self.app, &self.task)?
        } else {
            self.placed.clone()
        };
        let settings = &self.app.settings;
        let mut builders = Vec::new();
        for part in placed {
            let builder = builder::detect(Some(&part.builder), settings).await?;
            builders.push(PlacedBuilder {
                name: self.name_of(&builder, &part.builder),
                builder,
                platforms: part.platforms,
            });
        }
        if builders.is_empty() {
            let builder = builder::detect(None, settings).await?;
            builders.push(PlacedBuilder {
                name: self.name_of(&builder, ""),
                builder,
                platforms: Vec::new(),
            });
        }
        Ok(builders)
    }

    /// Works out for which platforms a build is.
    async fn settle_platforms(&self, inputs: &mut Inputs, builders: &[PlacedBuilder]) {
        let named = &self.task.platforms;
        if let [one] = builders {
            inputs.build_with(&platforms::of(self.app, &one.builder).await, named);
            return;
        }
        let mut parts = Vec::new();
        for on in builders {
            let own = platforms::of(self.app, &on.builder).await.own;
            parts.push((own, on.platforms.clone()));
        }
        inputs.build_in_parts(parts, named);
    }

    /// Returns what a builder is called that was found as `name`: as the config file names it, else by its kind.
    fn name_of(&self, builder: &Builder, name: &str) -> String {
        let own = &self.app.settings.config.builders;
        let is_named = own.get(name).is_some_and(|own| own.kind.is_some());
        if is_named {
            name.to_owned()
        } else {
            builder.kind().to_string()
        }
    }

    /// Asks the builder itself whether it is there, after something has gone wrong with it. Where it is not, nothing can be said of the
    /// build.
    pub(super) async fn blamed(&self, failure: Failure, name: &str) -> Failure {
        if failure.status == RunStatus::Canceled {
            return failure;
        }
        let is_there = placing::is_there(self.app, name).await.unwrap_or(true);
        if is_there && has_no_disk(&failure.error) {
            return self.full(failure, name);
        }
        if is_there && !has_lost_the_builder(&failure.error) {
            return failure;
        }
        let lost = if self.recorded {
            self.app.store.note_lost_run(&self.task.key(), true)
        } else {
            Ok(0)
        };
        let lost = lost.unwrap_or_default();
        let why = anyhow::Error::from(failure.error);
        if lost >= MOST_LOST {
            let text = format!("builder {name} has gone away in {lost} runs of this task in a row");
            return Error::new(Kind::Failed, text).because(why).into();
        }
        let what = if is_there {
            format!("builder {name} was restarted in the middle, or the way to it broke off")
        } else {
            format!("builder {name} does not answer")
        };
        Error::new(Kind::BuilderAway, what).because(why).into()
    }

    /// Does the work. Every way out but success is a failure with its status.
    async fn work(
        &mut self,
        held: &mut HeldRun,
        log: &mut RunLog<'_>,
        inputs_digest: &mut Option<Digest>,
    ) -> Result<(), Failure> {
        let _fetched = self.fetch(held, log).await?;
        if self.recorded && self.stored.is_none() {
            // What is wrong with the files is told by whoever needs them.
            let survey = reading::survey_with_source(self.app, &self.task, &self.secrets).ok();
            self.named = survey.map(|survey| Named {
                bases: survey.bases,
                files: survey.files,
            });
        }
        match &self.task.step {
            Step::Docker(step) => self.work_docker(step, held, log, inputs_digest).await,
            Step::FileTask(_) | Step::EncodedTask(_) => {
                self.work_steps(held, log, inputs_digest).await
            }
            Step::Import(step) => self.work_import(step, held, log, inputs_digest).await,
        }
    }

    /// Fetches the context if it is not on this machine; from then on, the task is one of a local folder.
    async fn fetch(
        &mut self,
        held: &mut HeldRun,
        log: &mut RunLog<'_>,
    ) -> Result<Option<Fetched>, Failure> {
        let Some(context) = self
            .task
            .step
            .context()
            .filter(|it| it.is_remote())
            .cloned()
        else {
            return Ok(None);
        };
        let id = held.run.run_id;
        log.doing(format!("fetching {context}"));
        let fetching = fetch::fetch(self.app, id, &self.task, &self.secrets, self.stop);
        let fetched = match self.unless_stopped(fetching).await {
            Ok(fetched) => fetched,
            // What was stopped on the way is no failure of the server.
            Err(_) if let Some(signal) = self.stop.requested() => return Err(stopped(signal)),
            Err(failure) => return Err(failure),
        };
        for note in &fetched.notes {
            log.say(note);
            log.events.send(Event::Note(note.clone()));
        }
        let of = match &fetched.commit {
            Some(commit) => format!(" at {commit}"),
            None => String::new(),
        };
        log.say(&format!("fetched {context}{of}"));
        held.run.source_commit.clone_from(&fetched.commit);
        self.stored = Some(self.task.clone());
        self.task
            .step
            .set_context(Context::Local(fetched.folder.clone()));
        self.task.is_fetched = true;
        Ok(Some(fetched))
    }

    async fn work_docker(
        &self,
        step: &DockerStep,
        held: &mut HeldRun,
        log: &mut RunLog<'_>,
        inputs_digest: &mut Option<Digest>,
    ) -> Result<(), Failure> {
        let key = self.task.key();
        let started = self.app.clock.now();
        let images = self.images(&held.run)?;
        let mut inputs = inputs::read(self.app, &self.task, step, &self.secrets)?;
        *inputs_digest = Some(inputs.digest.clone());
        inputs.local = local::images_for(self.app, &self.task)?;
        let builders = self.builders().await?;
        let names: Vec<&str> = builders.iter().map(|on| on.name.as_str()).collect();
        held.run.builder = Some(names.join(placing::BETWEEN));
        let settling = async {
            self.settle_platforms(&mut inputs, &builders).await;
            Ok(())
        };
        self.unless_stopped(settling).await?;
        let baseline = self.app.store.baseline(&key)?;
        log.doing("resolving what it depends on".into());
        let mut resolved = self
            .unless_stopped(resolve::resolve(
                self.app,
                &mut inputs,
                &holder(&builders),
                &baseline,
                log.events,
            ))
            .await?;
        let (bases, known) = (bases_of(&resolved), self.descendants.as_ref());
        super::chain::refuse_cycles(self.app, &self.task, &images, &bases, known)?;
        let pushed: &[Reference] = if step.is_push_enabled { &images } else { &[] };
        if !step.is_local
            && let Some(on) = builders.first()
            && let Some(refused) = self.push_refusal(&on.builder, pushed).await?
        {
            return Err(refused.into());
        }
        held.run.base_image_dependencies = Some(resolved.dependencies.clone());
        held.run.untracked_images.clone_from(&resolved.untracked);
        held.run.advance(RunStatus::Running, self.app.clock.now());
        self.app.store.save_run(&held.run)?;
        tell_what_is_built(&resolved, &inputs, log)?;
        self.tell_what_is_not_verified(images.iter().chain(resolved.pulled.keys()), log);
        let job = BuildJob {
            step,
            inputs: &inputs,
            resolved: &resolved,
            images: &images,
            run: &held.run,
            baseline: &baseline,
        };
        let outcome = self.build(&job, &builders, log).await?;
        let outputs = if step.is_local {
            self.stored(&holder(&builders), &images).await?
        } else {
            self.confirm(pushed, &outcome.digests, log.events).await?
        };
        let on_registries = if step.is_local { &[][..] } else { &outputs };
        let made = self.platforms_of(on_registries, outcome.platforms, &inputs);
        let made = made.await?;
        judge_platforms(&made, &inputs.wanted, &resolved).map_err(Failure::unsure)?;
        if let Some(surprise) = pushed::surprise(&made, &inputs.build.platforms) {
            log.say(&surprise);
        }
        let settled = resolved.made_for(self.app, &inputs, &made);
        self.unless_stopped(settled).await?;
        held.run.base_image_dependencies = Some(resolved.dependencies);
        held.run.output_images = Some(outputs);
        if self.recorded {
            let platforms = made.into_iter().collect();
            self.record(held, Success { started, platforms }, log)?;
        }
        for on in &builders {
            self.clean((&on.builder, &on.name), &held.run, log).await;
        }
        Ok(())
    }

    /// Takes away what a run that has succeeded, and those before it, have left on the builder.
    pub(super) async fn clean(&self, on: (&Builder, &str), run: &Run, log: &mut RunLog<'_>) {
        let is_pushed = run
            .output_images
            .as_ref()
            .is_some_and(|all| !all.is_empty());
        if let Some(traces) = self.traces(on, run).filter(|_| is_pushed) {
            log.doing("tidying up on the builder".into());
            traces.clean(log).await;
        }
        let cache = CacheTraces::of(self.app, on, &self.task, run, self.stop);
        if let Some(traces) = cache.filter(|_| is_pushed) {
            traces.clean(run, log).await;
        }
        clean::prune(self.app, on, self.stop, log).await;
    }

    /// Returns what notes and takes away what a run leaves on its builder; none where that stays.
    pub(super) fn traces<'b>(&'b self, on: (&'b Builder, &str), run: &Run) -> Option<Traces<'b>> {
        Traces::of(self.app, on, &self.task, run)
    }

    /// As [`Self::traces`], for the cache of its builder, with a look at what is there before a build: of this step, where there are several.
    pub(super) async fn cache_before<'b>(
        &'b self,
        on: (&'b Builder, &str),
        run: &Run,
        step: &str,
        stop: &'b Stop,
    ) -> Option<CacheTraces<'b>> {
        let traces = CacheTraces::of(self.app, on, &self.task, run, stop)?;
        Some(traces.before(step).await)
    }

    /// Builds with one builder, or in parts with several.
    async fn build(
        &self,
        job: &BuildJob<'_>,
        builders: &[PlacedBuilder],
        log: &mut RunLog<'_>,
    ) -> Result<BuildOutcome, Failure> {
        let (inputs, resolved) = (job.inputs, job.resolved);
        let mut request = self.request(job.step, job.run, inputs, resolved, job.images);
        let _logins = self.place_logins(job.run.run_id, &mut request)?;
        self.tell_what_is_left_out(&request.context, log.events);
        let [on] = builders else {
            return self.build_in_parts(job, builders, request, log).await;
        };
        let work = BuilderWork {
            on,
            request,
            log: &RefCell::new(log),
            prefix: String::new(),
            stop: self.stop,
        };
        self.build_on(job, work).await
    }

    /// Builds with one builder, and once more where its disk was full and has been pruned.
    pub(super) async fn build_on(
        &self,
        job: &BuildJob<'_>,
        work: BuilderWork<'_, '_>,
    ) -> Result<BuildOutcome, Failure> {
        let name = &work.on.name;
        let on = (&work.on.builder, name.as_str());
        let cache = self.cache_before(on, job.run, "", work.stop).await;
        let mut built = self.try_on(job, &work).await;
        if let Err(failure) = &built
            && has_no_disk(&failure.error)
            && self.free_disk(name, work.log, &work.prefix).await
        {
            built = self.try_on(job, &work).await;
        }
        if let Some(cache) = cache {
            cache.note(job.resolved.pulled.keys()).await;
        }
        match built {
            Ok(outcome) => {
                self.has_room(name)?;
                Ok(outcome)
            }
            Err(failure) => Err(self.blamed(failure, name).await),
        }
    }

    /// Runs a builder's command lines one after the other.
    async fn try_on(
        &self,
        job: &BuildJob<'_>,
        work: &BuilderWork<'_, '_>,
    ) -> Result<BuildOutcome, Failure> {
        let (inputs, resolved, id) = (job.inputs, job.resolved, job.run.run_id);
        let BuilderWork {
            on,
            request,
            log,
            prefix,
            stop,
        } = work;
        let mut request = request.clone();
        let leaving_out = self.leaves_out_vcs().then_some(&on.builder);
        let ignore = self.ignore_file(inputs, leaving_out)?;
        self.place_dockerfile(&request, resolved, ignore.as_deref())?;
        let _lean = self.place_lean_context(&on.builder, &mut request)?;
        let marker = self.app.store.layout().run_folder(id);
        let variables = self.secret_variables()?;
        let traces = self.traces((&on.builder, &on.name), job.run);
        let absent = match &traces {
            Some(traces) => traces.absent(resolved.pulled.keys()).await,
            None => BTreeSet::new(),
        };
        let mut outcome = BuildOutcome::default();
        let mut unchanged = BTreeMap::new();
        for step in on.builder.plan(&request)? {
            if let Purpose::Push(image) = &step.purpose
                && let Some(digest) = unchanged.remove(image)
            {
                log.borrow_mut().say(&unchanged::in_words(image, &digest));
                outcome.digests.insert(image.clone(), digest);
                continue;
            }
            let doing = step.purpose.doing(job.images);
            log.borrow().doing(format!("{prefix}{doing}"));
            log.borrow_mut().line(&format!("{prefix}$ {}", step.line));
            let line = step.line.env(MARKER, marker.display().to_string());
            let line = variables.iter().fold(line, |line, (name, value)| {
                line.secret_env(name.clone(), value.clone())
            });
            let limits = Limits {
                timeout: Some(self.time_left()),
                grace: GRACE,
            };
            let mut printed = Vec::new();
            let keep = matches!(step.digest, DigestSource::Output);
            let (ended, mut words) = run_beside((log, prefix), &line, &limits, stop, |bytes| {
                if keep {
                    printed.extend_from_slice(bytes);
                }
            })
            .await?;
            if let Err(failure) = self.judge(ended, &step.purpose) {
                let failure = match failure.status {
                    RunStatus::Failed => {
                        let of = (&on.builder, &step.purpose);
                        let error = with_last_words(failure.error, &mut words, of, &request);
                        Failure { error, ..failure }
                    }
                    _ => failure,
                };
                return Err(failure);
            }
            if step.purpose == Purpose::Build {
                let built = platforms::built(&on.builder, &request).await;
                let named = platforms::named(built.as_ref());
                outcome.platforms = pushed::in_words_of(&inputs.build.platforms, named);
                judge_platforms(&outcome.platforms, &request.platforms, resolved)?;
                let built = unchanged::parts(&on.builder, &request, built).await;
                if let Some(traces) = &traces {
                    let pulled = resolved.pulled.keys();
                    traces.note(built.iter(), &request.images, pulled, &absent)?;
                }
                // A part is judged when it is joined: the same parts give the same index.
                if on.platforms.is_empty() {
                    unchanged = self.unchanged(job, &built).await?;
                }
            }
            if let Some(digest) = pushed::digest(&step.digest, &printed)? {
                let images = step.purpose.pushes().iter().cloned();
                let pushed = images.map(|image| (image, digest.clone()));
                outcome.digests.extend(pushed);
            }
        }
        Ok(outcome)
    }

    /// Returns the tags that are what was built already, with their digests.
    async fn unchanged(
        &self,
        job: &BuildJob<'_>,
        built: &[HeldImage],
    ) -> Result<BTreeMap<Reference, Digest>, Failure> {
        let (before, now) = (&job.baseline.dependencies, &job.resolved.dependencies);
        let is_first = job.baseline.outputs.is_empty();
        if !job.step.is_push_enabled || is_first || unchanged::is_on_another_base(before, now) {
            return Ok(BTreeMap::new());
        }
        let mut same = BTreeMap::new();
        for tag in job.images {
            let asking = unchanged::look(self.app, job.baseline, tag, built);
            let found = self.unless_stopped(async { Ok(asking.await) }).await?;
            same.insert(tag.clone(), found);
        }
        Ok(unchanged::settled(same))
    }

    /// Looks once at each tag that was pushed, before anything of the run is recorded. Returns what was pushed.
    pub(super) async fn confirm(
        &self,
        images: &[Reference],
        reported: &BTreeMap<Reference, Digest>,
        events: &EventSink<'_>,
    ) -> Result<Vec<ImageDescriptor>, Failure> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        events.send(Event::Doing("looking at what was pushed".into()));
        tokio::select! {
            outputs = pushed::confirmed(self.app, images, reported) => {
                outputs.map_err(Failure::unsure)
            }
            failure = self.cut_short() => Err(failure),
        }
    }

    /// Returns what the builder has of the images that it has made and keeps.
    async fn stored(
        &self,
        builder: &Builder,
        images: &[Reference],
    ) -> Result<Vec<ImageDescriptor>, Failure> {
        let mut outputs = Vec::new();
        for image in images {
            let held = self.unless_stopped(local::held(builder, image)).await?;
            let id = held.and_then(|held| held.id).ok_or_else(|| {
                Error::new(
                    Kind::Failed,
                    format!(
                        "the builder does not have `{}` that it has just built",
                        image.familiar()
                    ),
                )
                .hint("local images need a builder that keeps them: docker, podman or buildah")
            })?;
            outputs.push(ImageDescriptor::new(image, Some(id)));
        }
        Ok(outputs)
    }

    /// Returns for which platforms a build was: as the pushed images say, else as its builder says, else as it was planned.
    pub(super) async fn platforms_of(
        &self,
        outputs: &[ImageDescriptor],
        built: BTreeSet<Platform>,
        inputs: &Inputs,
    ) -> Result<BTreeSet<Platform>, Failure> {
        let planned = &inputs.build.platforms;
        let pushed = tokio::select! {
            pushed = pushed::platforms(self.app, outputs, planned) => pushed,
            failure = self.cut_short() => return Err(failure),
        };
        let made = match pushed {
            Ok(pushed) if pushed.is_empty() => built,
            Ok(pushed) => pushed,
            // The tag is there by its digest, and the builder has said what that is.
            Err(_) if !built.is_empty() => built,
            Err(error) => return Err(Failure::unsure(error)),
        };
        Ok(if made.is_empty() {
            planned.iter().cloned().collect()
        } else {
            made
        })
    }

    /// Turns how a command ended into what becomes of the run.
    fn judge(&self, ended: Ended, purpose: &Purpose) -> Result<(), Failure> {
        let failed = |status, kind, text: String| {
            Err(Failure {
                status,
                error: Error::new(kind, text),
            })
        };
        match ended {
            Ended::Exited(0) => Ok(()),
            Ended::Exited(code) => failed(
                RunStatus::Failed,
                Kind::Failed,
                format!("{purpose} failed: the builder's exit code is {code}"),
            ),
            Ended::Killed(signal) => failed(
                RunStatus::Failed,
                Kind::Failed,
                format!("{purpose} failed: the builder was killed by signal {signal}"),
            ),
            Ended::TimedOut => Err(self.took_too_long()),
            Ended::Stopped(signal) => Err(stopped(signal)),
        }
    }

    /// Returns how long the run may still take.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits until the run is to stop or has taken too long.
    pub(super) async fn cut_short(&self) -> Failure {
        tokio::select! {
            signal = self.stop.wait() => stopped(signal),
            () = tokio::time::sleep_until(self.deadline) => self.took_too_long(),
        }
    }

    pub(in crate::ops) fn took_too_long(&self) -> Failure {
        let text = format!("the run took longer than {} seconds", self.task.timeout);
        Failure {
            status: RunStatus::Timeout,
            error: Error::new(Kind::Failed, text),
        }
    }

    /// Gives up an operation when the run is to stop or has taken too long.
    pub(super) async fn unless_stopped<T>(
        &self,
        operation: impl Future<Output = Result<T>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            result = operation => Ok(result?),
            failure = self.cut_short() => Err(failure),
        }
    }

    /// Records what the run depended on: from now on, that is what is compared.
    pub(super) fn record(
        &self,
        held: &HeldRun,
        success: Success,
        log: &mut RunLog<'_>,
    ) -> Result<()> {
        let key = &self.task.key();
        let now = self.app.store.task(key)?;
        let ours = self.stored.as_ref().unwrap_or(&self.task);
        let unchanged = now.is_some_and(|now| now.depends_on_the_same_as(ours));
        if !unchanged {
            log.say(
                "the task was changed while it ran; run it again to follow what it depends on now",
            );
            return Ok(());
        }
        let built = Built {
            dependencies: held.run.base_image_dependencies.clone().unwrap_or_default(),
            untracked: held.run.untracked_images.clone(),
            outputs: held.run.output_images.clone().unwrap_or_default(),
            platforms: success.platforms,
            named: self.named.as_ref().map(|named| named.bases.clone()),
            files: self
                .named
                .as_ref()
                .map_or_else(Vec::new, |named| named.files.clone()),
        };
        let baseline = Baseline::succeeded(held.run.run_id, built, success.started);
        // Read anew: a watcher may have noted a timer meanwhile.
        let before = self.app.store.baseline(key).unwrap_or_default();
        let mut baseline = baseline.serving(before, &held.run.timer_triggers);
        baseline.commit.clone_from(&held.run.source_commit);
        baseline.pushed = Some(self.app.clock.now());
        self.app.store.note_lost_run(key, false)?;
        self.app.store.save_baseline(key, &baseline)
    }

    /// Ends the run badly. What it would have depended on is not recorded; that it was tried is.
    fn failed(&self, run: &mut Run, failure: Failure, inputs: Option<Digest>) -> Result<Error> {
        let now = self.app.clock.now();
        let mut reason = failure.error.one_line();
        let mut error = failure.error;
        if let Some(maker) = maker_of_missing(self.app, &self.task.key(), &error) {
            reason = format!("{reason}; {maker}");
            error = error.hint(maker);
        }
        run.fail(failure.status, reason.clone(), now);
        let is_tried = error.kind() != Kind::BuilderAway;
        if self.recorded && is_tried && failure.status != RunStatus::Canceled {
            let key = self.task.key();
            let mut baseline = self.app.store.baseline(&key).unwrap_or_default();
            baseline.failed(run.run_id, self.tried(run), inputs, now);
            let meant = run.source_trigger.as_ref().map(|it| it.commit_id.clone());
            if let Some(failure) = &mut baseline.failure {
                failure.reason = reason;
                failure.commit = run.source_commit.clone().or(meant);
            }
            self.app.store.save_baseline(&key, &baseline)?;
        }
        Ok(error)
    }

    /// Returns the digests that a run was tried with: those that it resolved, else those that caused it.
    fn tried(&self, run: &Run) -> BTreeMap<Reference, Digest> {
        let resolved = run.base_image_dependencies.iter().flatten();
        let causes = run.image_update_trigger.iter();
        let causes = causes.flat_map(|cause| &cause.images);
        causes
            .chain(resolved.map(|dependency| &dependency.image))
            .filter_map(|image| {
                let tag = self.app.canonical(&image.reference()?);
                Some((tag, image.digest.clone()?))
            })
            .collect()
    }

    /// Removes old runs. That this fails does not change how the run ended.
    fn prune(&self, key: &TaskKey, events: &EventSink<'_>) {
        let settings = &self.app.settings.config.runs;
        let age = jiff::SignedDuration::from_hours(24 * i64::from(settings.keep_days));
        let oldest = self
            .app
            .clock
            .now()
            .saturating_sub(age)
            .unwrap_or(jiff::Timestamp::MIN);
        if let Err(error) = self.app.store.prune_runs(key, settings.keep, oldest) {
            events.send(Event::Warning(error.one_line()));
        }
    }
}

/// A run that was stopped.
pub fn stopped(signal: Signal) -> Failure {
    Failure {
        status: RunStatus::Canceled,
        error: Error::new(
            signal.kind(),
            match signal {
                Signal::Interrupt => "it was canceled, by Ctrl-C or `acrt task cancel-run`".into(),
                _ => format!("the run was stopped by {signal}"),
            },
        ),
    }
}

/// Returns the builder whose own images a build may use: none, where it is one of several.
fn holder(builders: &[PlacedBuilder]) -> Builder {
    match builders {
        [one] => one.builder.clone(),
        _ => Builder::none(),
    }
}

/// Refuses an image that is made for other platforms than are wanted.
pub(super) fn judge_platforms(
    made: &BTreeSet<Platform>,
    wanted: &[Platform],
    resolved: &Resolved,
) -> Result<()> {
    match pushed::mismatch(made, wanted, &resolved.forced) {
        None => Ok(()),
        Some(mismatch) => Err(Error::new(Kind::Failed, mismatch).hint(
            "build on an image that is made for it, or with another builder: not every one heeds --platform",
        )),
    }
}

fn bases_of(resolved: &Resolved) -> Vec<Reference> {
    let image = |dependency: &Dependency| dependency.image.reference();
    resolved.dependencies.iter().filter_map(image).collect()
}

/// Writes into the log what was decided, before the builder begins.
fn tell_what_is_built(resolved: &Resolved, inputs: &Inputs, log: &mut RunLog<'_>) -> Result<()> {
    let unpinned = resolve::unpinned(&inputs.bases()?);
    for line in resolved.in_words().chain(unpinned) {
        log.say(&line);
    }
    Ok(())
}

/// The last line of a log, in ACR's words.
fn closing_line(run: &Run) -> String {
    let seconds = match (run.start_time, run.finish_time) {
        (Some(start), Some(end)) => end.duration_since(start).as_secs().max(0),
        _ => 0,
    };
    let id = run.run_id;
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
