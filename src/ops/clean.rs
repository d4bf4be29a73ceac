//! After a run: removes from the builder's store what this run and earlier runs of its task have left there and nothing needs any more.
//!
//! An image is removed only if the record of this state directory says that a run made or fetched it, while it has no tags except those that
//! runs gave it, and while no container uses it. A failed removal is a line in the log of the run, and does not fail the run.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead as _, BufReader},
    time::Duration,
};

use jiff::SignedDuration;

use crate::{
    builder::{self, BuildRequest, Builder, HeldImage},
    error::Result,
    image::{Digest, Reference},
    store::made::{MadeImage, MadeOnBuilder},
    sys::{
        builders::{BuilderSettings, Clean},
        command::CommandLine,
        process::{self, Ended, Reply},
        signal::Stop,
    },
    task::{Run, RunId, Step, Task},
};

use super::{
    App,
    builders::{self, TASK_LABEL},
    execution::Execution,
    local, platforms,
    run_builders::PlacedBuilder,
    run_log::RunLog,
    unchanged,
};

/// How long a builder may take to remove something, or to list its cache.
pub(super) const REMOVAL: Duration = Duration::from_mins(2);

/// How many names of one image are removed at most, so that a builder that keeps the image holds nothing up.
const MAX_NAMES: usize = 32;

/// How often a builder prunes its cache.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a run leaves on its builder.
pub(super) struct BuilderTraces<'a> {
    app: &'a App,
    on: &'a PlacedBuilder,
    policy: Clean,
    /// As [`MadeImage::task`].
    task: String,
    run: RunId,
    /// The label of the images that the task makes.
    label: String,
    /// Whether runs of the task may make manifest lists.
    has_lists: bool,
    /// The images of all tasks before the build, where that is asked for.
    before: Option<BTreeSet<Digest>>,
}

impl<'a> BuilderTraces<'a> {
    /// Begins to record what a run leaves; `None` where nothing is: it belongs to no task, the builder keeps no images, or the config file
    /// says so.
    pub fn of(execution: &'a Execution<'_>, on: &'a PlacedBuilder, run: &Run) -> Option<Self> {
        let (app, task) = (execution.app, &execution.task);
        let policy = settings(app, &on.name).clean;
        let is_recorded = run.task.is_some() && policy != Clean::Off && on.builder.keeps_images();
        is_recorded.then(|| Self {
            app,
            on,
            policy,
            task: match is_pushed(task) {
                true => task.key().full(),
                false => String::new(),
            },
            run: run.run_id,
            label: format!("{TASK_LABEL}={}", task.name),
            has_lists: run.platforms.len() > 1 || !matches!(task.step, Step::Docker(_)),
            before: None,
        })
    }

    /// As [`Self::of`], before a build that pulls the images `pulled` from registries: records those that the builder does not have yet, or
    /// that an earlier run has pulled, because they stay there even if the build fails.
    pub async fn before(
        execution: &'a Execution<'_>,
        on: &'a PlacedBuilder,
        run: &Run,
        pulled: impl Iterator<Item = &Reference> + Clone,
    ) -> Result<Option<Self>> {
        let Some(mut traces) = Self::of(execution, on, run) else {
            return Ok(None);
        };
        let (store, is_cleaned) = (&execution.app.store, !traces.task.is_empty());
        if (on.builder.keeps_stages() || !is_cleaned)
            && let Some(list) = on.builder.labelled_images(TASK_LABEL)
        {
            traces.before = platforms::ids(&list).await;
        }
        if !is_cleaned {
            let is_gone = |id: &Digest| traces.before.as_ref().is_some_and(|it| !it.contains(id));
            // No later run removes these images, and forgets those that are gone.
            store.change_made(&on.name, |made| {
                let images = &mut made.images;
                images.retain(|id, image| !image.task.is_empty() || !is_gone(id));
            })?;
            return Ok(Some(traces));
        }
        let known = store.made_on(&on.name).bases;
        let mut absent = BTreeSet::new();
        for base in pulled.clone().filter(|base| !known.contains_key(*base)) {
            if matches!(local::held(&on.builder, base).await, Ok(None)) {
                absent.insert(base.clone());
            }
        }
        store.change_made(&on.name, |made| {
            made.note_bases(&traces.task, traces.run, pulled, &absent);
        })?;
        Ok(Some(traces))
    }

    /// Records the images of a build, before anything is pushed.
    pub fn note<'r>(
        &self,
        images: impl Iterator<Item = &'r HeldImage>,
        tags: &[Reference],
    ) -> Result<()> {
        self.app.store.change_made(&self.on.name, |made| {
            for image in images {
                // The images of a manifest list have no tags of their own.
                if let Some(id) = &image.id {
                    made.note_image(id, &self.task, self.run, tags);
                }
            }
        })
    }

    /// Records the stages that a build has left as images without a name, whether it has succeeded or not.
    async fn note_stages(&self) -> Result<()> {
        let list = self.on.builder.dangling_images(&self.label);
        let list = list.filter(|_| self.on.builder.keeps_stages());
        let (Some(before), Some(list)) = (&self.before, list) else {
            return Ok(());
        };
        let mut left = platforms::ids(&list).await.unwrap_or_default();
        left.retain(|id| !before.contains(id));
        self.app.store.change_made(&self.on.name, |made| {
            left.retain(|id| !made.images.contains_key(id));
            for id in &left {
                made.note_image(id, &self.task, self.run, &[]);
            }
        })
    }

    /// Returns the images of earlier builds that this run has used as a cache, as podman and buildah have reported in its log.
    fn reused(&self) -> BTreeSet<Digest> {
        const REUSED: &str = "--> Using cache ";
        let log = File::open(self.app.store.layout().log(self.run));
        let lines = log
            .into_iter()
            .flat_map(|log| BufReader::new(log).split(b'\n'));
        let ids = lines.map_while(std::result::Result::ok).filter_map(|line| {
            let line = String::from_utf8_lossy(&line);
            let (_, id) = line.split_once(REUSED)?;
            format!("sha256:{}", id.trim()).parse().ok()
        });
        ids.collect()
    }

    /// Returns the id of the image that the builder has under the first of these tags.
    pub async fn id_of(&self, tags: &[Reference]) -> Option<Digest> {
        self.held(&tags.first()?.to_string()).await?.id
    }

    /// Records the image that a build has pushed itself, where the builder keeps it too: as containerd's image store does, under the digest
    /// that was pushed. `before` is the id that its first tag had before the build: an image that was there already may be another's.
    pub async fn note_pushed(
        &self,
        tags: &[Reference],
        digest: &Digest,
        before: Option<Digest>,
    ) -> Result<()> {
        let is_kept = self.id_of(tags).await.as_ref() == Some(digest);
        let is_new = before.as_ref() != Some(digest);
        self.app.store.change_made(&self.on.name, |made| {
            if is_kept && (is_new || made.images.contains_key(digest)) {
                made.note_image(digest, &self.task, self.run, tags);
            }
        })
    }

    /// Records the images of the manifest lists that earlier runs of the task have left because they were killed, and removes the lists.
    async fn remove_lists(&self, log: &RunLog<'_>) -> Result<()> {
        let (builder, store) = (&self.on.builder, &self.app.store);
        let Some(list) = builder.image_lists() else {
            return Ok(());
        };
        let names = platforms::text(&list).await.unwrap_or_default();
        for name in names.lines().map(str::trim) {
            let run = name.rsplit_once(':').and_then(|(_, run)| run.parse().ok());
            let Some(run) = run.filter(|run: &RunId| *run < self.run) else {
                continue;
            };
            let prefix = builder::list_prefix(&store.layout().run_folder(run));
            // The record of a run that has ended long ago may be gone.
            let of = store
                .run(run)?
                .map(|run| run.task_key().map(|it| it.full()));
            if !name.starts_with(&prefix) || of.is_some_and(|of| of.as_ref() != Some(&self.task)) {
                continue;
            }
            let parts = take_list(self.on, name, log).await;
            store.change_made(&self.on.name, |made| {
                for id in parts.iter().filter_map(|part| part.id.as_ref()) {
                    // A later run may have made the same image.
                    if !made.images.contains_key(id) {
                        made.note_image(id, &self.task, run, &[]);
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Removes what nothing needs any more, after the run has succeeded.
    pub async fn clean(&self, log: &RunLog<'_>) {
        if self.task.is_empty() {
            return;
        }
        if self.has_lists {
            log.report(self.remove_lists(log).await);
        }
        let made = self.app.store.made_on(&self.on.name);
        let (mut gone, mut list) = (Vec::new(), None);
        let reused = self.reused();
        let is_stage = |id: &Digest, image: &MadeImage| {
            self.policy != Clean::All && image.tags.is_empty() && reused.contains(id)
        };
        let own = made.images.iter();
        let own = own.filter(|(id, image)| image.task == self.task && !is_stage(id, image));
        let mut own: Vec<_> = own.collect();
        // A later image may be built on an earlier one, which cannot be removed before it.
        own.sort_by_key(|(_, image)| Reverse(image.run));
        for (id, image) in own {
            if self.remove(id, image, &mut list, log).await {
                gone.push(id.clone());
            }
        }
        let mut bases = BTreeSet::new();
        for base in self.unneeded(&made) {
            if self.remove_base(&base, log).await {
                bases.insert(base);
            }
        }
        let noted = self.app.store.change_made(&self.on.name, |made| {
            made.images.retain(|id, _| !gone.contains(id));
            made.bases.retain(|base, _| !bases.contains(base));
            for tasks in made.bases.values_mut() {
                tasks.retain(|task, run| *task != self.task || *run == self.run);
            }
        });
        log.report(noted);
    }

    /// Removes an image that a later run has superseded; from an image that this run has made, removes the tags that only earlier runs gave
    /// it. Returns whether the image is gone. `list` is as for [`Self::held_id`].
    async fn remove(
        &self,
        id: &Digest,
        image: &MadeImage,
        list: &mut Option<String>,
        log: &RunLog<'_>,
    ) -> bool {
        let is_current = image.run == self.run && self.policy != Clean::All;
        let is_stale = |tag: &Reference| {
            let run = image.tags.get(tag);
            run.is_some_and(|run| *run != self.run || self.policy == Clean::All)
        };
        let text = self.on.builder.id_text(id);
        for _ in 0..MAX_NAMES {
            let Some(held) = self.held_id(id, list).await else {
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
            *list = None;
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
        // Another task may have been built on it by another builder, or may yet be.
        let Some(named) = named_by_tasks(self.app) else {
            return BTreeSet::new();
        };
        left.retain(|base| base.digest().is_none_or(|digest| !named.contains(digest)));
        left
    }

    /// Removes a base. Returns whether it is gone; if not, the next run tries again.
    async fn remove_base(&self, base: &Reference, log: &RunLog<'_>) -> bool {
        let name = base.to_string();
        // The builder may hold one image for each platform of an index.
        for _ in 0..MAX_NAMES {
            let Some(held) = self.held(&name).await else {
                return true;
            };
            if !held.tags().is_empty() || self.is_used(&name).await {
                return false;
            }
            // If podman and buildah hold two images of an index, the index digest names only the last: remove by id.
            let id = match self.on.builder {
                Builder::Podman(_) | Builder::Buildah(_) => held.id.as_ref(),
                Builder::Docker { .. }
                | Builder::Buildx { .. }
                | Builder::Buildctl(_)
                | Builder::Command(_) => None,
            };
            let name = id.map_or_else(|| name.clone(), |id| self.on.builder.id_text(id));
            if !self
                .removed(&name, &format!("unused base {base},"), log)
                .await
            {
                return false;
            }
        }
        false
    }

    /// Returns the image that the builder has under a name or id, with its tags.
    async fn held(&self, name: &str) -> Option<HeldImage> {
        let mut held = platforms::inspected(&self.on.builder.inspect_image(name)?).await?;
        if let Some(list) = self.on.builder.list_tags() {
            held.take_tags(&platforms::text(&list).await?);
        }
        Some(held)
    }

    /// Returns the image that the builder has under an id, with its tags. `list` is what the builder has printed of all its images since
    /// the last removal, if it prints such a list.
    async fn held_id(&self, id: &Digest, list: &mut Option<String>) -> Option<HeldImage> {
        let builder = &self.on.builder;
        let Some(line) = builder.list_tags() else {
            return self.held(&builder.id_text(id)).await;
        };
        if list.is_none() {
            *list = Some(platforms::text(&line).await?);
        }
        HeldImage::listed(id, list.as_deref()?)
    }

    async fn is_used(&self, image: &str) -> bool {
        let Some(line) = self.on.builder.containers_of(image) else {
            return false;
        };
        let printed = platforms::answer(&line).await;
        // If the builder does not say, assume that the image is used.
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

/// Records what a build has left besides its images. If it has failed, removes the manifest list that it has made, and records the images in
/// it.
pub(super) async fn after_build(
    on: &PlacedBuilder,
    request: &BuildRequest,
    traces: Option<&BuilderTraces<'_>>,
    has_failed: bool,
    log: &RunLog<'_>,
) {
    if let Some(traces) = traces {
        log.report(traces.note_stages().await);
    }
    let Some(list) = on.builder.list_of(request).filter(|_| has_failed) else {
        return;
    };
    let parts = take_list(on, &list, log).await;
    if let Some(traces) = traces {
        log.report(traces.note(parts.iter(), &[]));
    }
}

/// Removes a manifest list, if it is there. Returns the images in it, which stay.
async fn take_list(on: &PlacedBuilder, list: &str, log: &RunLog<'_>) -> Vec<HeldImage> {
    let builder = &on.builder;
    let Some(held) = platforms::list(builder, list).await else {
        return Vec::new();
    };
    let parts = unchanged::parts_of(builder, list, &held).await;
    if let Some(line) = builder.remove_list(list)
        && let Err(why) = converse(&line).await
    {
        log.say(&format!("cannot remove {list} from {}: {why}", on.name));
    }
    parts
}

/// Prunes a builder's cache once a week, if the config file says what to keep.
pub(super) async fn prune(app: &App, on: &PlacedBuilder, stop: &Stop, log: &RunLog<'_>) {
    let PlacedBuilder { name, builder, .. } = on;
    let now = app.clock.now();
    let keep = builders::keep(&settings(app, name));
    let is_due = || {
        let last = app.store.made_on(name).pruned;
        last.is_none_or(|last| last > now || now.duration_since(last) >= PRUNE_EVERY)
    };
    let Some(keep) = keep.filter(|_| is_due()) else {
        return;
    };
    let pruned = builders::prune_cache(builder, name, &keep, stop, log.events).await;
    if let Some(said) = log.report(pruned) {
        log.say(&format!("pruned the cache of {name}: {said}"));
    }
    // A builder that cannot be pruned is not asked again in each run.
    log.report(app.store.change_made(name, |made| made.pruned = Some(now)));
}

/// Returns the settings of a builder in the config file.
fn settings(app: &App, name: &str) -> BuilderSettings {
    let own = app.settings.config.builder(name);
    own.map(|(_, own)| own).unwrap_or_default()
}

/// Returns the policy for the removal after a run; `None` where nothing is removed: the run belongs to no task, it pushes nothing, or the
/// config file says so.
pub(super) fn policy(app: &App, name: &str, task: &Task, run: &Run) -> Option<Clean> {
    let policy = settings(app, name).clean;
    (run.task.is_some() && is_pushed(task) && policy != Clean::Off).then_some(policy)
}

fn is_pushed(task: &Task) -> bool {
    match &task.step {
        Step::Docker(step) => step.pushes(),
        Step::FileTask(_) | Step::EncodedTask(_) | Step::Import(_) => true,
    }
}

/// Returns the digests of all bases that the last images of tasks were built on; `None` where a baseline cannot be read.
pub(super) fn named_by_tasks(app: &App) -> Option<BTreeSet<Digest>> {
    let mut named = BTreeSet::new();
    for (_, baseline) in app.store.all_baselines().ok()? {
        let bases = baseline.ok()?.dependencies.into_iter();
        named.extend(bases.filter_map(|it| it.image.digest));
    }
    Some(named)
}

/// Runs a command that removes something. Returns its output, or why it has failed.
pub(super) async fn converse(line: &CommandLine) -> Result<Vec<u8>, String> {
    output(process::ask_for(REMOVAL, line).await)
}

/// Returns the output of a command that has succeeded, or why it has failed.
pub(super) fn output(reply: Result<Reply>) -> Result<Vec<u8>, String> {
    match reply {
        Ok(reply) if reply.ended == Ended::Exited(0) => Ok(reply.output),
        Ok(reply) => {
            let why = process::last_line(&reply.errors);
            Err(why.unwrap_or_else(|| "it ended without any output".into()))
        }
        Err(error) => Err(error.one_line()),
    }
}
