//! After a run: what it and earlier runs of its task have left in the store of their builder, and what nothing needs any more, goes.
//!
//! Only what the record of this state directory says that its runs have made or fetched is taken away, and only while it has no tag but those
//! that runs gave it, and no container uses it. That something stays is a line in the log of the run, and no failure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;

use crate::{
    builder::{Builder, HeldImage},
    error::Result,
    image::{Digest, Reference},
    store::made::{MadeImage, MadeOnBuilder},
    sys::{
        builders::{BuilderSettings, Clean},
        command::CommandLine,
        process::{self, Ended},
        signal::Stop,
    },
    task::{Run, RunId, Step, Task},
};

use super::{
    App, builders, execution::Execution, local, platforms, run_builders::PlacedBuilder,
    run_log::RunLog,
};

/// How long a builder may take to take something away, or to look through its cache.
const REMOVAL: Duration = Duration::from_mins(2);

/// By how many names an image may be taken away: it is bounded so that a builder that keeps it holds nothing up.
const MAX_NAMES: usize = 32;

/// How often a builder prunes its cache.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a run leaves on its builder.
pub(super) struct Traces<'a> {
    app: &'a App,
    on: &'a PlacedBuilder,
    policy: Clean,
    task: String,
    run: RunId,
    /// The bases that the builder did not have before the build.
    absent: BTreeSet<Reference>,
}

impl<'a> Traces<'a> {
    /// Begins to note what a run leaves; none where nothing is taken away after it: it is of no task, it pushes nothing, the builder
    /// keeps no images, or the config file says so.
    pub fn of(execution: &'a Execution<'_>, on: &'a PlacedBuilder, run: &Run) -> Option<Self> {
        let (app, task) = (execution.app, &execution.task);
        let policy = policy(app, &on.name, task, run)?;
        on.builder.keeps_images().then(|| Self {
            app,
            on,
            policy,
            task: task.key().full(),
            run: run.run_id,
            absent: BTreeSet::new(),
        })
    }

    /// The same before a build that is going to take the images `pulled` from registries: looks which of these the builder does not have yet.
    pub async fn before(
        execution: &'a Execution<'_>,
        on: &'a PlacedBuilder,
        run: &Run,
        pulled: impl Iterator<Item = &Reference>,
    ) -> Option<Self> {
        let mut traces = Self::of(execution, on, run)?;
        let known = execution.app.store.made_on(&on.name).bases;
        for base in pulled.filter(|base| !known.contains_key(*base)) {
            if matches!(local::held(&on.builder, base).await, Ok(None)) {
                traces.absent.insert(base.clone());
            }
        }
        Some(traces)
    }

    /// Notes what a build has made, before anything is pushed, and what it is built on.
    pub fn note<'r>(
        &self,
        images: impl Iterator<Item = &'r HeldImage>,
        tags: &[Reference],
        pulled: impl Iterator<Item = &'r Reference>,
    ) -> Result<()> {
        self.app.store.change_made(&self.on.name, |made| {
            for image in images {
                // Images of a list have no tags of their own.
                if let Some(id) = &image.id {
                    made.note_image(id, &self.task, self.run, tags);
                }
            }
            made.note_bases(&self.task, self.run, pulled, &self.absent);
        })
    }

    /// Takes away what nothing needs any more, once a run has succeeded.
    pub async fn clean(&self, log: &RunLog<'_>) {
        let made = self.app.store.made_on(&self.on.name);
        let mut gone = Vec::new();
        for (id, image) in &made.images {
            if image.task == self.task && self.remove(id, image, log).await {
                gone.push(id.clone());
            }
        }
        let bases = self.unneeded(&made);
        for base in &bases {
            self.remove_base(base, log).await;
        }
        let noted = self.app.store.change_made(&self.on.name, |made| {
            made.images.retain(|id, _| !gone.contains(id));
            made.bases.retain(|base, _| !bases.contains(base));
            for tasks in made.bases.values_mut() {
                tasks.retain(|task, run| *task != self.task || *run == self.run);
            }
        });
        if let Err(error) = noted {
            log.say(&error.one_line());
        }
    }

    /// Takes an image away that a later run has superseded; of one that the run itself has made the tags that only earlier runs gave it.
    /// Returns whether it is gone.
    async fn remove(&self, id: &Digest, image: &MadeImage, log: &RunLog<'_>) -> bool {
        let is_current = image.run == self.run && self.policy != Clean::All;
        let is_stale = |tag: &Reference| {
            let run = image.tags.get(tag);
            run.is_some_and(|run| *run != self.run || self.policy == Clean::All)
        };
        let text = self.on.builder.id_text(id);
        for _ in 0..MAX_NAMES {
            let Some(held) = self.held(&text).await else {
                return true;
            };
            let tags: Vec<Reference> = held
                .tags()
                .iter()
                .filter_map(|it| it.parse().ok())
                .collect();
            let is_others = tags.len() != held.tags().len()
                || !tags.iter().all(|tag| image.tags.contains_key(tag));
            let repositories: BTreeSet<String> = image.tags.keys().map(Reference::name).collect();
            let mut digests = held.on_registries().iter();
            let is_elsewhere = digests.any(|one| !repositories.contains(&one.name()));
            let name = match is_current {
                true => tags
                    .iter()
                    .find(|tag| is_stale(tag))
                    .map(ToString::to_string),
                false if !tags.iter().all(is_stale) => None,
                false => Some(held.next_name().unwrap_or_else(|| text.clone())),
            };
            let Some(name) = name.filter(|_| !is_others && !is_elsewhere) else {
                return false;
            };
            if self.is_used(&text).await {
                log.say(&format!(
                    "{name} is superseded, and stays because a container uses it"
                ));
                return false;
            }
            if !self.removed(&name, "superseded", log).await {
                return false;
            }
        }
        false
    }

    /// Returns the bases that runs have fetched and that no task is built on any more.
    fn unneeded(&self, made: &MadeOnBuilder) -> BTreeSet<Reference> {
        if self.policy == Clean::All {
            return made.bases.keys().cloned().collect();
        }
        let is_left = |tasks: &BTreeMap<String, RunId>| {
            tasks
                .iter()
                .all(|(task, run)| *task == self.task && *run != self.run)
        };
        let left = made.bases.iter().filter(|(_, tasks)| is_left(tasks));
        let mut left: BTreeSet<Reference> = left.map(|(base, _)| base.clone()).collect();
        if left.is_empty() {
            return left;
        }
        // Another task may have been built on it elsewhere, or have it still to be built on.
        let Some(named) = named_by_tasks(self.app) else {
            return BTreeSet::new();
        };
        left.retain(|base| base.digest().is_none_or(|digest| !named.contains(digest)));
        left
    }

    async fn remove_base(&self, base: &Reference, log: &RunLog<'_>) {
        let name = base.to_string();
        // Of an index there may be an image for each platform.
        for _ in 0..MAX_NAMES {
            let Some(held) = self.held(&name).await else {
                return;
            };
            if !held.tags().is_empty() || self.is_used(&name).await {
                return;
            }
            // Of two images of an index, podman and buildah have the digest as the name of the last alone.
            let id = match self.on.builder {
                Builder::Podman(_) | Builder::Buildah(_) => held.id.as_ref(),
                _ => None,
            };
            let name = id.map_or_else(|| name.clone(), |id| self.on.builder.id_text(id));
            if !self
                .removed(&name, &format!("unused base {base},"), log)
                .await
            {
                return;
            }
        }
    }

    /// Returns what the builder has under a name or id, with its tags.
    async fn held(&self, name: &str) -> Option<HeldImage> {
        let mut held = platforms::inspected(&self.on.builder.inspect_image(name)?).await?;
        if let Some(list) = self.on.builder.list_tags() {
            let printed = platforms::answer(&list).await?;
            held.take_tags(&String::from_utf8_lossy(&printed));
        }
        Some(held)
    }

    async fn is_used(&self, image: &str) -> bool {
        let Some(line) = self.on.builder.containers_of(image) else {
            return false;
        };
        let printed = platforms::answer(&line).await;
        // Where it is not said, it is.
        printed.is_none_or(|printed| !printed.trim_ascii().is_empty())
    }

    async fn removed(&self, name: &str, what: &str, log: &RunLog<'_>) -> bool {
        let Some(line) = self.on.builder.remove_image(name) else {
            return false;
        };
        match converse(&line).await {
            Ok(_) => log.say(&format!("removed from {}: {what} {name}", self.on.name)),
            Err(why) => {
                log.say(&format!(
                    "cannot remove {what} {name} from {}: {why}",
                    self.on.name
                ));
                return false;
            }
        }
        true
    }
}

/// Has a builder prune its cache once a week, where the config file says what of it stays.
pub(super) async fn prune(app: &App, on: &PlacedBuilder, stop: &Stop, log: &RunLog<'_>) {
    let PlacedBuilder { name, builder, .. } = on;
    let now = app.clock.now();
    let keep = builders::keep(&settings(app, name));
    let is_due = || {
        let last = app.store.made_on(name).pruned;
        last.is_none_or(|last| now.duration_since(last) >= PRUNE_EVERY)
    };
    let Some(keep) = keep.filter(|_| is_due()) else {
        return;
    };
    match builders::prune_cache(builder, name, &keep, stop, log.events).await {
        Ok(said) => log.say(&format!("pruned the cache of {name}: {said}")),
        Err(error) => log.say(&error.one_line()),
    }
    // One that cannot be pruned is not asked in each run either.
    if let Err(error) = app.store.change_made(name, |made| made.pruned = Some(now)) {
        log.say(&error.one_line());
    }
}

/// Returns what the config file says of a builder.
fn settings(app: &App, name: &str) -> BuilderSettings {
    let own = app.settings.config.builder(name);
    own.map(|(_, own)| own).unwrap_or_default()
}

/// Returns what is taken away after a run; none where nothing is: it is of no task, it pushes nothing, or the config file says so.
pub(super) fn policy(app: &App, name: &str, task: &Task, run: &Run) -> Option<Clean> {
    let policy = settings(app, name).clean;
    let is_pushed = match &task.step {
        Step::Docker(step) => step.is_push_enabled,
        Step::FileTask(_) | Step::EncodedTask(_) | Step::Import(_) => true,
    };
    (run.task.is_some() && is_pushed && policy != Clean::Off).then_some(policy)
}

/// Returns the digests of all bases that the last images of tasks were built on; none where not all is known.
pub(super) fn named_by_tasks(app: &App) -> Option<BTreeSet<Digest>> {
    let mut named = BTreeSet::new();
    for (_, baseline) in app.store.all_baselines().ok()? {
        let bases = baseline.ok()?.dependencies.into_iter();
        named.extend(bases.filter_map(|it| it.image.digest));
    }
    Some(named)
}

/// Runs a command that takes something away, and returns what it has printed, else why it has failed.
pub(super) async fn converse(line: &CommandLine) -> Result<Vec<u8>, String> {
    match process::converse_for(REMOVAL, line, b"").await {
        Ok(reply) if reply.ended == Ended::Exited(0) => Ok(reply.output),
        Ok(reply) => {
            let why = process::last_line(&reply.errors);
            Err(why.unwrap_or_else(|| "it ended without a word".into()))
        }
        Err(error) => Err(error.one_line()),
    }
}
