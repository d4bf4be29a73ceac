//! Carries out the steps of a multi-step run: side by side where the file allows it, until all are done or one has failed.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    builder::{BuildRequest, Builder},
    error::{Error, Kind, Result},
    image::{Digest, Platform, Reference},
    ops::{
        chain,
        event::{Event, EventSink},
        execute::{Execution, Failure, Success, judge_platforms},
        platforms, pushed,
        run_log::RunLog,
    },
    steps::{Action, Graph, OwnCommand, Progress, Step, StepId, progress::State},
    store::{lock::Lock, runs::HeldRun},
    sys::{process, secret::MaskedText, signal::Halt},
    task::{ImageDescriptor, Run, RunStatus, template::RunVariables},
    watch::Baseline,
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{
    LABEL,
    read::{self, Lookup, MultiStep},
    site::{StepContext, StepResults},
    sweep::sweep,
    workspace::Workspace,
};

impl Execution<'_> {
    /// Does the work of a multi-step task. Every way out but success is a failure with its status.
    pub(in crate::ops) async fn work_steps(
        &self,
        held: &mut HeldRun,
        log: &mut RunLog<'_>,
        inputs_digest: &mut Option<Digest>,
    ) -> Result<(), Failure> {
        let key = self.task.key();
        let started = self.app.clock.now();
        let survey = read::survey(self.app, &self.task, &self.secrets)?;
        *inputs_digest = survey.digest;
        self.refuse_privileged(&survey.privileged)?;
        let variables = self.step_variables(&held.run);
        let read = read::read(self.app, &self.task, &self.secrets, &variables, Lookup::Now)?;
        log.hide(&read.hidden);
        read.refuse_guest()?;
        for notice in &read.notices {
            log.say(&notice.to_string());
        }
        let builder = if needs_builder(&read.graph) {
            let on = self.builder().await?;
            on.builder.refuse_steps()?;
            held.run.builder = Some(on.name);
            on.builder
        } else {
            Builder::none()
        };
        let baseline = self.app.store.baseline(&key)?;
        let known = self.descendants.as_ref();
        chain::refuse_cycles(self.app, &self.task, &survey.pushes, &survey.bases, known)?;
        self.try_pushes(&read.graph, &builder, log).await?;
        held.run.advance(RunStatus::Running, self.app.clock.now());
        self.app.store.save_run(&held.run)?;

        let name = held.run.builder.clone().unwrap_or_default();
        let outcome = self
            .in_workspace(&held.run, &read, &builder, &baseline, log)
            .await;
        let stays = sweep(self.app, &builder, held.run.run_id).await;
        for text in stays {
            log.events.send(Event::Warning(text));
        }
        let (mut found, outcome) = match outcome {
            Ok(outcome) => outcome,
            Err(failure) => return Err(self.blamed(failure, &name).await),
        };
        let outcome = match outcome {
            Err(failure) => Err(self.blamed(failure, &name).await),
            done => done,
        };
        held.run.base_image_dependencies = Some(found.dependencies());
        held.run.untracked_images.clone_from(&found.untracked);
        outcome?;
        self.has_room(&name)?;
        let outputs = self.pushed(&found.pushed, log.events).await?;
        let platforms = self.settle(&mut found, &outputs).await?;
        held.run.base_image_dependencies = Some(found.dependencies());
        held.run.output_images = Some(outputs);
        if self.recorded {
            self.record(held, Success { started, platforms }, log)?;
        }
        if let Some(name) = &held.run.builder {
            self.clean((&builder, name), &held.run, log).await;
        }
        Ok(())
    }

    /// Works out for which platforms the builds of the steps were, and what they depend on for these. Returns the platforms.
    async fn settle(
        &self,
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
            let made = self.platforms_of(&own, build.platforms, &build.inputs);
            let made = made.await?;
            judge_platforms(&made, &build.inputs.wanted, &build.resolved)
                .map_err(Failure::unsure)?;
            let settled = build.resolved.made_for(self.app, &build.inputs, &made);
            self.unless_stopped(settled).await?;
            let resolved = &build.resolved;
            found.take(&step, &resolved.dependencies, &resolved.untracked);
            if !own.is_empty() {
                pushed.extend(made.iter().cloned());
            }
            all.extend(made);
        }
        // What is pushed and was built by no step, such as a second name for an image.
        let read = pushed::platforms(self.app, &others, &[]);
        pushed.extend(self.unless_stopped(read).await?);
        let chosen = if pushed.is_empty() { all } else { pushed };
        Ok(chosen.into_iter().collect())
    }

    /// Returns the run variables of templates. A quick run has no task.
    fn step_variables(&self, run: &Run) -> RunVariables {
        let mut variables = self.variables(run);
        if run.task.is_none() {
            variables.task.clear();
        }
        variables
    }

    /// Returns the order in which the steps would be carried out, one line each, with secrets hidden.
    pub(in crate::ops) fn plan_steps(&self, run: &Run) -> Result<Vec<String>> {
        let variables = self.step_variables(run);
        let read = read::read(
            self.app,
            &self.task,
            &self.secrets,
            &variables,
            Lookup::Later,
        )?;
        read.refuse_guest()?;
        Ok(read.graph.steps().iter().map(planned).collect())
    }

    fn refuse_privileged(&self, steps: &[String]) -> Result<()> {
        match steps.first() {
            Some(step) if !self.task.step.allows_privileged() => Err(Error::new(
                Kind::Invalid,
                format!(
                    "step `{step}` asks to be privileged: it could do anything to this machine"
                ),
            )
            .hint("if that is meant, allow it: --allow-privileged")),
            _ => Ok(()),
        }
    }

    async fn pushed(
        &self,
        pushed: &[(Reference, Option<Digest>)],
        events: &EventSink<'_>,
    ) -> Result<Vec<ImageDescriptor>, Failure> {
        let images: Vec<Reference> = pushed.iter().map(|(image, _)| image.clone()).collect();
        let reported: BTreeMap<Reference, Digest> = pushed
            .iter()
            .filter_map(|(image, digest)| Some((image.clone(), digest.clone()?)))
            .collect();
        self.confirm(&images, &reported, events).await
    }

    /// Makes what the steps need, and lets them work. What they have found out is told even where they failed.
    async fn in_workspace(
        &self,
        run: &Run,
        read: &MultiStep,
        builder: &Builder,
        baseline: &Baseline,
        log: &mut RunLog<'_>,
    ) -> Result<(StepResults, Result<(), Failure>), Failure> {
        let volumes = &read.graph.volumes;
        let folder = read.folder.as_deref();
        if let Some(folder) = folder {
            self.tell_what_is_left_out(folder, log.events);
        }
        let leaves_out = self.leaves_out_vcs();
        let workspace = Workspace::make(self.app, run.run_id, folder, leaves_out, volumes)?;
        self.hand_logins_over(&workspace, read, log).await?;
        let mut logins = BuildRequest::default();
        let _placed = self.place_logins(run.run_id, &mut logins)?;
        let (halt, stop) = self.stop.or_halt();
        let platforms = platforms::of(self.app, builder).await;
        let mut site = StepContext {
            execution: self,
            run,
            read,
            builder,
            platforms,
            baseline,
            workspace,
            stop,
            deadline: self.deadline,
            auth_dir: logins.auth_dir,
            networks: BTreeMap::new(),
            run_log: RefCell::new(log),
            found: RefCell::default(),
        };
        site.networks = site.make_networks().await?;
        let outcome = site.carry_out(self.jobs, &halt).await;
        Ok((site.found.take(), outcome))
    }
}

impl StepContext<'_, '_> {
    /// Tells which steps are carried out now.
    fn tell_at_work(&self, steps: &[&str]) {
        if !steps.is_empty() {
            let doing = format!("carrying out {}", steps.join(", "));
            self.run_log.borrow().doing(doing);
        }
    }

    /// Makes the networks of the file that its containers are in. Returns the names that the builder knows them by.
    ///
    /// The network that a file gets without asking is only made where containers could speak to each other: it costs time, and not
    /// every machine can have one.
    async fn make_networks(&self) -> Result<BTreeMap<String, String>> {
        let graph = &self.read.graph;
        let mut made = BTreeMap::new();
        for network in &graph.networks {
            let used =
                containers(graph).any(|cmd| cmd.place.network.as_ref() == Some(&network.name));
            let is_default = network.name == crate::steps::resources::DEFAULT_NETWORK;
            if !used || (is_default && !is_talkative(graph)) {
                continue;
            }
            if network.is_external {
                made.insert(network.name.clone(), network.name.clone());
                continue;
            }
            let name = self.name(&network.name);
            let marker = self.marker();
            let labels = [(LABEL.to_owned(), marker.display().to_string())].into();
            let line =
                self.builder
                    .make_network(&name, network.driver.as_deref(), network.ipv6, &labels);
            let Some(line) = line else {
                return Err(Error::new(
                    Kind::Invalid,
                    format!(
                        "the builder `{}` has no networks, and steps of the file are in `{}`",
                        self.builder.kind(),
                        network.name
                    ),
                )
                .hint("run the steps with --builder docker or podman, or with `network: host`"));
            };
            let answer = process::ask(&line).await?;
            if !answer.succeeded() {
                return Err(Error::new(
                    Kind::Failed,
                    format!("cannot make the network `{}`", network.name),
                )
                .because(anyhow::anyhow!(answer.text())));
            }
            made.insert(network.name.clone(), name);
        }
        Ok(made)
    }

    /// Lets steps work, as many at once as there is room for, until all are done or one has failed.
    async fn carry_out(&self, jobs: usize, halt: &Halt) -> Result<(), Failure> {
        let graph = &self.read.graph;
        let mut progress = Progress::new(graph);
        let mut working = FuturesUnordered::new();
        let mut first: Option<Failure> = None;
        let mut at_work: Vec<&str> = Vec::new();
        loop {
            let mut room = jobs.max(1).saturating_sub(progress.running());
            while room > 0 {
                // The run has one place on its builder; each further step at once takes one more.
                let place = match progress.running() {
                    0 => None,
                    _ => match self.one_more_place() {
                        Some(place) => place,
                        None => break,
                    },
                };
                let started = progress.start_ready(1);
                let Some(step) = started.into_iter().next() else {
                    break;
                };
                self.say(Some(&step.id), "acrt: started");
                at_work.push(step.id.as_str());
                self.tell_at_work(&at_work);
                let begun = self.execution.app.clock.now();
                working.push(async move {
                    let ended = self.step(step).await;
                    drop(place);
                    (step, begun, ended)
                });
                room -= 1;
            }
            let Some((step, begun, ended)) = working.next().await else {
                break;
            };
            let seconds = self
                .execution
                .app
                .clock
                .now()
                .duration_since(begun)
                .as_secs()
                .max(0);
            at_work.retain(|id| *id != step.id.as_str());
            self.tell_at_work(&at_work);
            let Err(failure) = ended else {
                self.say(Some(&step.id), &format!("acrt: succeeded after {seconds}s"));
                progress.finish(step, true);
                continue;
            };
            // That the whole run is stopped, or has taken too long, is no error of the step that could be ignored.
            let ignored = step.ignores_errors && failure.status == RunStatus::Failed;
            let end = if ignored { ", which is ignored" } else { "" };
            let reason = failure.error.one_line();
            self.say(
                Some(&step.id),
                &format!("acrt: failed after {seconds}s{end}: {reason}"),
            );
            progress.finish(step, ignored);
            if !ignored {
                first.get_or_insert(failure);
                halt.ask();
            }
        }
        match first {
            Some(failure) => {
                self.tell_what_was_skipped(graph, &progress);
                Err(failure)
            }
            None => Ok(()),
        }
    }

    /// Takes one more place on the builder of the run: none within where it has as many as there are, and none at all where all are taken.
    fn one_more_place(&self) -> Option<Option<Lock>> {
        let app = self.execution.app;
        let name = self.run.builder.as_deref().unwrap_or_default();
        let Some(jobs) = app.jobs_of(name) else {
            return Some(None);
        };
        // What cannot be locked has no place to give.
        app.store
            .take_builder_place(name, jobs)
            .ok()
            .flatten()
            .map(Some)
    }

    fn tell_what_was_skipped(&self, graph: &Graph, progress: &Progress<'_>) {
        let steps = graph.steps().iter();
        let skipped: Vec<&str> = steps
            .filter(|step| progress.state(&step.id) == State::Skipped)
            .map(|step| StepId::as_str(&step.id))
            .collect();
        if !skipped.is_empty() {
            self.say(None, &format!("acrt: skipped: {}", skipped.join(", ")));
        }
    }
}

fn containers(graph: &Graph) -> impl Iterator<Item = &crate::steps::CmdStep> {
    graph.steps().iter().filter_map(|step| match &step.action {
        Action::Cmd(cmd) => Some(&**cmd),
        Action::Build(_) | Action::Push(_) => None,
    })
}

/// Tells whether anything of a file is not done by acrt itself.
fn needs_builder(graph: &Graph) -> bool {
    let is_own = |step: &Step| match &step.action {
        Action::Cmd(cmd) => matches!(cmd.own(), Some(OwnCommand::Acr(_))),
        Action::Build(_) | Action::Push(_) => false,
    };
    !graph.steps().iter().all(is_own)
}

/// Tells whether two containers of a file may be there at once.
fn is_talkative(graph: &Graph) -> bool {
    let containers = |graph| containers(graph).filter(|cmd| cmd.own().is_none());
    containers(graph).count() > 1 && (!graph.is_chain() || containers(graph).any(|cmd| cmd.detach))
}

/// Returns a step as `--dry-run` shows it.
fn planned(step: &Step) -> String {
    let after: Vec<&str> = step.after.iter().map(StepId::as_str).collect();
    let after = if after.is_empty() {
        String::new()
    } else {
        format!(" after {}", after.join(", "))
    };
    let quoted = |words: &[MaskedText]| shell_words::join(words.iter().map(ToString::to_string));
    let action = match &step.action {
        Action::Build(build) => {
            let images: Vec<String> = build.images.iter().map(ToString::to_string).collect();
            let context = build.remote.as_ref().unwrap_or(&build.context);
            format!("build {} from {context}", images.join(", "))
        }
        Action::Push(pushed) => {
            let images: Vec<String> = pushed.iter().map(|one| one.image.to_string()).collect();
            format!("push {}", images.join(", "))
        }
        Action::Cmd(cmd) => format!("run {} {}", cmd.image, quoted(&cmd.args)),
    };
    format!("{}{after}: {}", step.id, action.trim_end())
}
