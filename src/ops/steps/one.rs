//! One step: its tries, and what each kind of step does.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    builder::{
        BuildRequest, ContainerRequest, FolderMount, Purpose,
        container::{SecretFile, command_of},
    },
    error::{Context as _, Error, Kind, Result},
    image::{Digest, Platform, Reference},
    ops::{
        assemble::{labels, not_verified},
        event::{Event, EventSink},
        execute::{Failure, judge_platforms},
        fetch::{self, Destination, Fetched},
        inputs::{self, Inputs},
        local, platforms, pushed,
        resolve::{self, Resolved},
        trust::Trust,
        unchanged::{self, Unchanged},
        why_failed::has_no_disk,
    },
    source::local::{LocalContext, TRUST_HINT},
    steps::{Action, BuildStep, CmdStep, Mount, OwnCommand, Step, guest, step::Pushed},
    store::{file, secrets::Secrets},
    sys::{
        beneath,
        command::CommandLine,
        secret::{MaskedText, Secret},
    },
    task::Context,
};

use super::{
    LABEL,
    read::{arguments_of, build_of, made_before, within},
    site::{StepBuild, StepContext, StepFailure, StepWork},
    workspace::copy_beneath,
};

/// What people are told of a secret that others could see.
const BARE_SECRET: &str = "a secret is among the arguments of the command, where other users of this machine can see it while it runs; hand it over in `env`";

/// How long a build or a push has to end by itself when it is told to.
const GRACE: Duration = Duration::from_secs(10);

/// How long a container has: the first process of one often ignores what it is told.
const CONTAINER_GRACE: Duration = Duration::from_secs(2);

/// How often a push is tried, as in ACR.
const PUSHES: u32 = 3;

impl StepContext<'_, '_> {
    /// Carries a step out, with all its delays, repeats and tries.
    pub async fn step(&self, step: &Step) -> Result<(), Failure> {
        self.pause(step.limits.start_delay).await?;
        let deadline = Instant::now() + Duration::from_secs(u64::from(step.limits.timeout));
        let mut failed = Vec::new();
        for _ in 0..=step.limits.repeat {
            match self.tries(step, deadline).await {
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
                Err(Error::new(Kind::Failed, text).because(first).into())
            }
        }
    }

    async fn tries(&self, step: &Step, deadline: Instant) -> Result<(), StepFailure> {
        let mut left = step.limits.retries;
        loop {
            let Err(trouble) = self.attempt(step, deadline).await else {
                return Ok(());
            };
            if let StepFailure::Exit { error, .. } = &trouble
                && has_no_disk(error)
                && self.free_disk(step).await
            {
                continue;
            }
            let again = match &trouble {
                StepFailure::Exit { printed, .. } => {
                    let printed = String::from_utf8_lossy(printed);
                    let errors = &step.limits.retry_on;
                    errors.is_empty() || errors.iter().any(|error| printed.contains(error))
                }
                StepFailure::Final(_) => false,
            };
            if left == 0 || !again {
                return Err(trouble);
            }
            left -= 1;
            self.say(
                Some(&step.id),
                &format!("acrt: tried again in {} seconds", step.limits.retry_delay),
            );
            self.pause(step.limits.retry_delay).await?;
        }
    }

    /// Lets the builder of the run free what nothing uses, once.
    async fn free_disk(&self, step: &Step) -> bool {
        let name = self.run.builder.as_deref().unwrap_or_default();
        let prefix = self.prefix(Some(&step.id));
        self.execution.free_disk(name, &self.run_log, &prefix).await
    }

    async fn attempt(&self, step: &Step, deadline: Instant) -> Result<(), StepFailure> {
        match &step.action {
            Action::Build(build) => self.build(step, build, deadline).await,
            Action::Push(images) => self.push(step, images, deadline).await,
            Action::Cmd(cmd) => match cmd.own() {
                Some(OwnCommand::Acr(words)) => self.acr(step, words, deadline).await,
                Some(OwnCommand::End { verb, names }) => {
                    self.end(step, (verb, &names), deadline).await
                }
                None => self.cmd(step, cmd, deadline).await,
            },
        }
    }

    /// Waits, unless the run is to stop.
    async fn pause(&self, seconds: u32) -> Result<(), Failure> {
        if seconds == 0 {
            return Ok(());
        }
        tokio::select! {
            () = self.execution.app.clock.sleep(Duration::from_secs(u64::from(seconds))) => Ok(()),
            failure = self.cut_short() => Err(failure),
        }
    }

    async fn build(
        &self,
        step: &Step,
        build: &BuildStep,
        deadline: Instant,
    ) -> Result<(), StepFailure> {
        // It goes when the step ends.
        let fetched = self.fetch(step, build).await?;
        let mut inputs = self.inputs(step, build, fetched.as_ref())?;
        let told = RefCell::new(Vec::new());
        let mut resolved = {
            let events = EventSink::new(|event| {
                if let Event::Warning(text) = event {
                    told.borrow_mut().push(text);
                }
            });
            let app = self.execution.app;
            let resolving =
                resolve::resolve(app, &mut inputs, self.builder, self.baseline, &events);
            tokio::select! {
                resolved = resolving => resolved?,
                failure = self.cut_short() => return Err(failure.into()),
            }
        };
        self.tell_what_was_found(step, &resolved);
        for text in told.take() {
            self.warn(&step.id, &text);
        }
        for line in resolve::unpinned(&inputs.bases()?) {
            self.say(Some(&step.id), &format!("acrt: {line}"));
        }
        let request = self.build_request(step, build, &inputs, &resolved)?;
        // The workspace has nothing that is to be left out but what steps themselves have made.
        let ignore = self.execution.ignore_file(&inputs, None)?;
        self.execution
            .place_dockerfile(&request, &resolved, ignore.as_deref())?;
        if build.bares_secret {
            self.warn(&step.id, BARE_SECRET);
        }
        let name = self.run.builder.as_deref().unwrap_or_default();
        let cache = self
            .execution
            .cache_before((self.builder, name), self.run, step.id.as_str(), &self.stop)
            .await;
        let made = self.carry_out_build((step, build), &request, (&inputs, &resolved), deadline);
        let made = made.await;
        if let Some(cache) = cache {
            cache.note(resolved.pulled.keys()).await;
        }
        let made = made?;
        let app = self.execution.app;
        resolved.made_for(app, &inputs, &made).await?;
        let mut found = self.found.borrow_mut();
        found.take(&step.id, &resolved.dependencies, &resolved.untracked);
        let built = StepBuild {
            images: build.images.clone(),
            inputs,
            resolved,
            platforms: made,
        };
        found.builds.insert(step.id.clone(), built);
        Ok(())
    }

    /// Runs the command lines of a build. Returns the platforms that it was for.
    async fn carry_out_build(
        &self,
        (step, build): (&Step, &BuildStep),
        request: &BuildRequest,
        (inputs, resolved): (&Inputs, &Resolved),
        deadline: Instant,
    ) -> Result<BTreeSet<Platform>, StepFailure> {
        let directory = self.directory(build.working_directory.as_deref(), ".")?;
        let name = self.run.builder.as_deref().unwrap_or_default();
        let traces = self.execution.traces((self.builder, name), self.run);
        let absent = match &traces {
            Some(traces) => traces.absent(resolved.pulled.keys()).await,
            None => BTreeSet::new(),
        };
        let mut made = BTreeSet::new();
        for planned in self.builder.plan(request)? {
            let mut line = self.with_variables(planned.line, build);
            line.dir = Some(directory.clone());
            let ended = self.process(&step.id, line, deadline, GRACE).await?;
            let work = StepWork {
                step,
                what: &planned.purpose.to_string(),
                request: Some((&planned.purpose, request)),
            };
            self.judge(work, ended)?;
            if planned.purpose == Purpose::Build {
                let built = platforms::built(self.builder, request).await;
                let named = platforms::named(built.as_ref());
                made = pushed::in_words_of(&inputs.build.platforms, named);
                if let Some(traces) = &traces {
                    let built = unchanged::parts(self.builder, request, built).await;
                    let pulled = resolved.pulled.keys();
                    traces.note(built.iter(), &request.images, pulled, &absent)?;
                }
                judge_platforms(&made, &inputs.wanted, resolved)?;
            }
        }
        Ok(made)
    }

    /// Gives a builder the variables of a build: all of them, or of a guest's file those that are known to be harmless.
    fn with_variables(&self, line: CommandLine, build: &BuildStep) -> CommandLine {
        let harmless = guest::variables_of_builder(build);
        let is_guests = self.read.trust == Trust::Guest;
        let env = build.env.iter();
        let given = env.filter(|(name, _)| !is_guests || harmless.contains(&name.as_str()));
        given.fold(line, |line, (name, value)| {
            if value.has_secret() {
                line.secret_env(name, value.to_secret())
            } else {
                line.env(name, value.reveal())
            }
        })
    }

    /// Fetches the context of a build that is neither in the workspace nor on this machine.
    async fn fetch(&self, step: &Step, build: &BuildStep) -> Result<Option<Fetched>, StepFailure> {
        let Some(remote) = &build.remote else {
            return Ok(None);
        };
        let context: Context = remote.parse().context(Kind::Invalid, || {
            format!("cannot use the context of step `{}`", step.id)
        })?;
        let app = self.execution.app;
        let to = Destination {
            root: self.workspace.step(&step.id)?.join("context"),
            beside: self.marker(),
            keeps_vcs: self.execution.task.keep_vcs,
        };
        let secrets = self.secrets_of_fetch(&context);
        let fetching = fetch::fetch_into(app, to, &context, &secrets, &self.stop);
        let fetched = tokio::select! {
            fetched = fetching => fetched?,
            failure = self.cut_short() => return Err(failure.into()),
        };
        for note in &fetched.notes {
            self.say(Some(&step.id), &format!("acrt: {note}"));
        }
        let commit = fetched.commit.as_ref();
        let of = commit.map_or(String::new(), |commit| format!(" at {commit}"));
        self.say(Some(&step.id), &format!("acrt: fetched {context}{of}"));
        Ok(Some(fetched))
    }

    /// Returns what a fetch may use: the token of the task is for the host of its own context, and for nobody else. The file of a guest
    /// never has it sent anywhere.
    fn secrets_of_fetch(&self, context: &Context) -> Secrets {
        let execution = self.execution;
        let task = execution.stored.as_ref().unwrap_or(&execution.task);
        let own = task.step.context().and_then(Context::git);
        let is_own = own.zip(context.git());
        let is_own = is_own.is_some_and(|(own, other)| own.is_beside(other));
        let token = &execution.secrets.git_access_token;
        let is_trusted = self.read.trust == Trust::Owner;
        Secrets {
            git_access_token: token.clone().filter(|_| is_own && is_trusted),
            ..Secrets::default()
        }
    }

    /// Reads the Dockerfile of a build: from the workspace, where earlier steps may have written it, or from what was fetched.
    fn inputs(&self, step: &Step, build: &BuildStep, fetched: Option<&Fetched>) -> Result<Inputs> {
        let directory = build.working_directory.as_deref();
        let root = self.workspace.workspace();
        let (context, path) = match fetched {
            // Somebody else's, whoever's the task file is.
            Some(fetched) => {
                let context = LocalContext::open(&fetched.folder)?.confined_to(&fetched.folder);
                (context, inside(None, &build.file_path())?)
            }
            None => {
                let folder = self.directory(directory, &build.context)?;
                let folder = self.still(step, "context", folder)?;
                let context = match self.read.trust {
                    Trust::Owner => LocalContext::open(&folder)?,
                    Trust::Guest => LocalContext::open(&folder)?.confined_to(&root),
                };
                (context, root.join(inside(directory, &build.file_path())?))
            }
        };
        let platforms = &self.execution.task.platforms;
        let mut wanted = build_of(build, platforms);
        wanted.contexts = self.contexts(step, build)?;
        let mut inputs = inputs::of(context, &path, wanted, Vec::new())?;
        let named = if build.platforms.is_empty() {
            platforms
        } else {
            &build.platforms
        };
        inputs.build_with(&self.platforms, named);
        inputs.made = made_before(&self.read.graph, step);
        Ok(inputs)
    }

    /// Returns the named contexts of a build, folders as they are on the machine.
    fn contexts(
        &self,
        step: &Step,
        build: &BuildStep,
    ) -> Result<std::collections::BTreeMap<String, String>> {
        let contexts = build.contexts.iter().enumerate();
        let contexts = contexts.map(|(n, (name, place))| {
            if place.contains("://") {
                return Ok((name.clone(), place.clone()));
            }
            let folder = self.directory(build.working_directory.as_deref(), place)?;
            let folder = self.still(step, &format!("context-{n}"), folder)?;
            Ok((name.clone(), folder.display().to_string()))
        });
        contexts.collect()
    }

    /// Returns a folder that a builder can read while other steps work: of a guest's, which could put a link in its place, a copy.
    fn still(&self, step: &Step, name: &str, folder: PathBuf) -> Result<PathBuf> {
        let graph = &self.read.graph;
        let cmds = graph.steps().iter().filter_map(|step| match &step.action {
            Action::Cmd(cmd) => Some(cmd),
            Action::Build(_) | Action::Push(_) => None,
        });
        let is_alone = graph.is_chain() && !cmds.into_iter().any(|cmd| cmd.detach);
        if self.read.trust == Trust::Owner || is_alone {
            return Ok(folder);
        }
        let copy = self.workspace.step(&step.id)?.join(name);
        copy_beneath(&self.workspace.workspace(), &folder, &copy)?;
        Ok(copy)
    }

    fn build_request(
        &self,
        step: &Step,
        build: &BuildStep,
        inputs: &Inputs,
        resolved: &Resolved,
    ) -> Result<BuildRequest> {
        let scratch = self.workspace.step(&step.id)?;
        let (secret, plain) = parted(arguments_of(build));
        let mut labels = labels(&self.execution.task, self.run, resolved);
        let annotations = labels.clone();
        labels.extend(build.labels.clone());
        Ok(BuildRequest {
            context: inputs.context.folder().to_owned(),
            dockerfile: scratch.join("Dockerfile"),
            images: build.images.clone(),
            args: plain,
            secret_args: secret,
            target: build.target.clone(),
            platforms: inputs.wanted.clone(),
            no_cache: build.no_cache,
            contexts: inputs.build.contexts.clone(),
            options: build
                .options
                .iter()
                .map(|option| self.on_this_machine(option, &build.mounts))
                .collect(),
            cache: build.cache.clone(),
            labels,
            annotations,
            push: false,
            by_digest: false,
            plain_http: self
                .execution
                .unverified(build.images.iter().chain(resolved.pulled.keys())),
            bases: resolved.pulled.clone(),
            unpinned: resolved.unpinned.clone(),
            scratch,
            auth_dir: self.auth_dir.clone(),
            run_id: self.run.run_id.to_string(),
        })
    }

    /// Puts the folder of a volume where an option names the place at which the file mounts it.
    fn on_this_machine(&self, option: &str, mounts: &[Mount]) -> String {
        let mut option = option.to_owned();
        for mount in mounts {
            let folder = self.workspace.volume(&mount.name).display().to_string();
            for key in ["src=", "source="] {
                let from = format!("{key}{}/", mount.path.trim_end_matches('/'));
                option = option.replace(&from, &format!("{key}{folder}/"));
            }
        }
        option
    }

    async fn push(
        &self,
        step: &Step,
        images: &[Pushed],
        deadline: Instant,
    ) -> Result<(), StepFailure> {
        let made = made_before(&self.read.graph, step);
        let request = BuildRequest {
            images: images.iter().map(|pushed| pushed.image.clone()).collect(),
            scratch: self.workspace.step(&step.id)?,
            auth_dir: self.auth_dir.clone(),
            plain_http: {
                let images: Vec<Reference> = images.iter().map(|one| one.image.clone()).collect();
                self.execution.unverified(&images)
            },
            ..BuildRequest::default()
        };
        let mut unchanged = self.unchanged(images).await?;
        for pushed in images {
            let written: Option<Reference> = pushed.written.parse().ok();
            let other = written.filter(|name| !made.contains(&pushed.image) && made.contains(name));
            if let Some(line) = other.and_then(|name| {
                self.builder
                    .tag(&name.to_string(), &pushed.image.to_string())
            }) {
                let ended = self.process(&step.id, line, deadline, GRACE).await?;
                self.judge(StepWork::of(step, "naming the image"), ended)?;
            }
            let digest = match unchanged.remove(&pushed.image) {
                Some(digest) => {
                    let text = unchanged::in_words(&pushed.image, &digest);
                    self.say(Some(&step.id), &format!("acrt: {text}"));
                    Some(digest)
                }
                None => {
                    self.push_one(step, &request, &pushed.image, deadline)
                        .await?
                }
            };
            self.found
                .borrow_mut()
                .pushed
                .push((pushed.image.clone(), digest));
        }
        Ok(())
    }

    /// Returns the tags that are already what a step has built under their names, with their digests.
    async fn unchanged(&self, images: &[Pushed]) -> Result<BTreeMap<Reference, Digest>, Failure> {
        let mut same = BTreeMap::new();
        for pushed in images {
            let found = self.look_at_pushed(&pushed.image).await?;
            same.insert(pushed.image.clone(), found);
        }
        Ok(unchanged::settled(same))
    }

    /// Looks at a tag that may be what a step has built under its name, for one platform.
    async fn look_at_pushed(&self, image: &Reference) -> Result<Option<Unchanged>, Failure> {
        let is_one_image = {
            let found = self.found.borrow();
            let is_its = |build: &&StepBuild| build.images.contains(image);
            let mut builds = found.builds.values().filter(is_its).peekable();
            builds.peek().is_some() && builds.all(|build| build.platforms.len() == 1)
        };
        if !is_one_image {
            return Ok(None);
        }
        let app = self.execution.app;
        let asking = async {
            let held = local::held(self.builder, image).await.ok().flatten()?;
            unchanged::look(app, self.baseline, image, &[held]).await
        };
        tokio::select! {
            same = asking => Ok(same),
            failure = self.cut_short() => Err(failure),
        }
    }

    async fn push_one(
        &self,
        step: &Step,
        request: &BuildRequest,
        image: &Reference,
        deadline: Instant,
    ) -> Result<Option<Digest>, StepFailure> {
        let planned = self.builder.push(request, image)?;
        let mut tries = 1;
        let printed = loop {
            let ended = self
                .process(&step.id, planned.line.clone(), deadline, GRACE)
                .await?;
            let work = StepWork {
                step,
                what: &planned.purpose.to_string(),
                request: Some((&planned.purpose, request)),
            };
            match self.judge(work, ended) {
                Ok(printed) => break printed,
                Err(StepFailure::Exit { .. }) if tries < PUSHES => {
                    tries += 1;
                    self.pause(tries - 1).await?;
                }
                Err(trouble) => return Err(trouble),
            }
        };
        Ok(pushed::digest(&planned.digest, &printed)?)
    }

    /// Ends the containers of earlier steps, by the names of the steps.
    async fn end(
        &self,
        step: &Step,
        (verb, names): (&str, &[&str]),
        deadline: Instant,
    ) -> Result<(), StepFailure> {
        for name in names {
            let line = self.builder.end_container(verb, &self.name(name));
            // Where containers cannot go on, no step has left one.
            let Some(line) = line else { continue };
            let ended = self.process(&step.id, line, deadline, GRACE).await?;
            let what = format!("`docker {verb} {name}`");
            self.judge(StepWork::of(step, &what), ended)?;
        }
        Ok(())
    }

    async fn cmd(&self, step: &Step, cmd: &CmdStep, deadline: Instant) -> Result<(), StepFailure> {
        let image = self.image_of(step, cmd).await?;
        let request = self.container_request(step, cmd, &image)?;
        if cmd.args.iter().any(MaskedText::has_secret) {
            self.warn(&step.id, BARE_SECRET);
        }
        let ended = self.in_container(step, request.clone(), deadline).await;
        // A client that was told to end may leave its container running, and buildah always leaves one.
        let stays = ended.is_ok() && (cmd.detach || cmd.keep);
        if !stays && let Some(line) = self.builder.remove_container(&request.name) {
            let _ = crate::sys::process::ask(&line).await;
        }
        ended
    }

    async fn in_container(
        &self,
        step: &Step,
        mut request: ContainerRequest,
        deadline: Instant,
    ) -> Result<(), StepFailure> {
        for line in self.builder.container(&request)?.before {
            let ended = self
                .process(&step.id, line, deadline, CONTAINER_GRACE)
                .await?;
            self.judge(StepWork::of(step, "making the container"), ended)?;
        }
        if request.entry_point.is_none()
            && let Some(line) = self.builder.inspect_container(&request.name)
        {
            let inspected = crate::sys::process::ask(&line).await?;
            request.args = command_of(&inspected.output, &request.args);
        }
        let plan = self.builder.container(&request)?;
        let _secrets = plan.secrets.as_ref().map(Placed::new).transpose()?;
        let ended = self
            .process(&step.id, plan.run, deadline, CONTAINER_GRACE)
            .await?;
        self.judge(StepWork::of(step, "the command"), ended)
            .map(|_| ())
    }

    /// Finds out what image a command runs: one that a step made, or what a registry has under that name now.
    async fn image_of(&self, step: &Step, cmd: &CmdStep) -> Result<Reference, StepFailure> {
        if made_before(&self.read.graph, step).contains(&cmd.image) {
            return Ok(cmd.image.clone());
        }
        let named = self.execution.task.platforms.first();
        let app = self.execution.app;
        let told = RefCell::new(Vec::new());
        let resolved = {
            let events = EventSink::new(|event| {
                if let Event::Warning(text) = event {
                    told.borrow_mut().push(text);
                }
            });
            let asked = resolve::Asked {
                image: &cmd.image,
                platform: named.unwrap_or(&self.platforms.containers),
            };
            let resolving = resolve::image(app, asked, self.builder, self.baseline, &events);
            tokio::select! {
                resolved = resolving => resolved?,
                failure = self.cut_short() => return Err(failure.into()),
            }
        };
        self.tell_what_was_found(step, &resolved);
        for text in told.take() {
            self.warn(&step.id, &text);
        }
        let pinned = resolved.pulled.keys().next();
        Ok(pinned.unwrap_or(&cmd.image).clone())
    }

    /// Takes in what a step depends on, and writes it into the log.
    fn tell_what_was_found(&self, step: &Step, resolved: &Resolved) {
        let (dependencies, untracked) = (&resolved.dependencies, &resolved.untracked);
        self.found
            .borrow_mut()
            .take(&step.id, dependencies, untracked);
        for line in resolved.in_words() {
            self.say(Some(&step.id), &format!("acrt: {line}"));
        }
        for registry in self.execution.unverified(resolved.pulled.keys()) {
            let skips = self.execution.app.settings.registry(&registry).skip_verify;
            if skips && self.found.borrow_mut().unverified.insert(registry.clone()) {
                self.say(None, &format!("acrt: {}", not_verified(&registry)));
            }
        }
    }

    fn container_request(
        &self,
        step: &Step,
        cmd: &CmdStep,
        image: &Reference,
    ) -> Result<ContainerRequest> {
        let place = &cmd.place;
        let (secret_env, mut env) = parted(place.env.clone());
        if !place.env.iter().any(|(name, _)| name == "HOME") {
            env.push(("HOME".into(), "/acb/home".into()));
        }
        let network = place.network.as_ref();
        let ours = network.and_then(|name| self.networks.get(name));
        let is_foreign =
            |name: &&String| !self.read.graph.networks.iter().any(|n| n.name == **name);
        let mounts = place.mounts.iter().map(|mount| FolderMount {
            from: self.workspace.volume(&mount.name),
            to: mount.path.clone(),
            read_only: true,
        });
        let folder = |from: PathBuf, to: &str| FolderMount {
            from,
            to: to.to_owned(),
            read_only: false,
        };
        let marker = self.marker();
        Ok(ContainerRequest {
            name: self.name(step.id.as_str()),
            image: image.to_string(),
            args: cmd.args.clone(),
            entry_point: place.entry_point.clone(),
            working_directory: place
                .directory
                .clone()
                .or_else(|| place.working_directory.as_deref().map(in_container)),
            env,
            secret_env,
            user: place.user.clone(),
            alias: ours.map(|_| step.id.to_string()),
            network: ours.or(network.filter(is_foreign)).cloned(),
            expose: place.expose.clone(),
            ports: place.ports.clone(),
            cpus: place.cpus.clone(),
            mounts: [
                folder(self.workspace.workspace(), "/workspace"),
                folder(self.workspace.home(), "/acb/home"),
            ]
            .into_iter()
            .chain(mounts)
            .collect(),
            detach: cmd.detach,
            keep: cmd.keep,
            privileged: cmd.privileged,
            labels: [(LABEL.to_owned(), marker.display().to_string())].into(),
            plain_http: !self.execution.unverified([image]).is_empty(),
            auth_dir: self.auth_dir.clone(),
            scratch: self.workspace.step(&step.id)?,
        })
    }

    /// Returns a folder of the workspace as it is on the machine. Of a guest's, no link on the way may lead out.
    fn directory(&self, working_directory: Option<&str>, path: &str) -> Result<PathBuf> {
        let clean = inside(working_directory, path)?;
        let root = self.workspace.workspace();
        if self.read.trust == Trust::Guest {
            return beneath::folder_in(&root, &clean).map_err(|problem| {
                Error::new(
                    Kind::Invalid,
                    format!("cannot use the folder `{path}` of the workspace"),
                )
                .because(problem)
                .hint(TRUST_HINT)
            });
        }
        Ok(if clean.as_os_str().is_empty() {
            root
        } else {
            root.join(clean)
        })
    }
}

/// Returns a path seen from the workspace.
fn inside(working_directory: Option<&str>, path: &str) -> Result<PathBuf> {
    within(working_directory, path.as_ref()).ok_or_else(|| {
        Error::new(Kind::Invalid, format!("`{path}` is outside the workspace"))
            .hint("name a path below the context")
    })
}

/// Parts variables into those that have secret parts and the others.
#[expect(clippy::type_complexity, reason = "two lists of names and values")]
fn parted(variables: Vec<(String, MaskedText)>) -> (Vec<(String, Secret)>, Vec<(String, String)>) {
    let (mut secret, mut plain) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        if value.has_secret() {
            secret.push((name, value.to_secret()))
        } else {
            plain.push((name, value.reveal().to_owned()))
        }
    }
    (secret, plain)
}

/// A file with secrets, which is there for as long as this is.
struct Placed<'a>(&'a SecretFile);

impl<'a> Placed<'a> {
    fn new(file: &'a SecretFile) -> Result<Self> {
        file::replace(&file.path, file.content.reveal().as_bytes())?;
        Ok(Self(file))
    }
}

impl Drop for Placed<'_> {
    fn drop(&mut self) {
        // What stays goes with the run's folder, and only its owner can read it.
        let _ = std::fs::remove_file(&self.0.path);
    }
}

/// Returns a working directory as the container has it.
fn in_container(path: &str) -> String {
    match path {
        "" => "/workspace".into(),
        path if path == "/workspace" || path.starts_with("/workspace/") => path.into(),
        path => format!("/workspace/{}", path.trim_start_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_directories_are_below_the_workspace() {
        assert_eq!(in_container(""), "/workspace");
        assert_eq!(in_container("src"), "/workspace/src");
        assert_eq!(in_container("/src"), "/workspace/src");
        assert_eq!(in_container("/workspace/src"), "/workspace/src");
    }
}
