//! Removes the tags and manifests that were selected, and logs each.

use std::{cell::Cell, collections::BTreeMap};

use futures_util::{StreamExt as _, stream};

use crate::{
    error::{Error, Result},
    image::Digest,
    ops::{Event, EventSink, inventory::Inventory},
    registry::Removal,
    retention::Snapshot,
};

/// How many tags and manifests a purge has removed, or would remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Purged {
    pub tags: usize,
    pub manifests: usize,
}

/// The options for removals from a registry.
#[derive(Clone, Copy)]
pub struct PurgeContext<'a> {
    pub registry: &'a str,
    /// Whether to log only what would be removed.
    pub dry_run: bool,
    /// The number of concurrent requests.
    pub width: usize,
    pub events: &'a EventSink<'a>,
}

impl PurgeContext<'_> {
    pub fn say(&self, line: &str) {
        self.events.send(Event::Log(format!("{line}\n").as_bytes()));
    }
}

pub fn removes_nothing(registry: &str) -> Error {
    Error::failed(format!("`{registry}` does not delete tags or manifests"))
    .hint("enable deletion at the registry: Docker Distribution has `storage: {delete: {enabled: true}}`")
}

pub struct Remover<'a> {
    context: PurgeContext<'a>,
    inventory: &'a Inventory,
    /// The tags that are still there and are removed with their manifests, because the registry cannot remove tags.
    pub deferred: BTreeMap<String, Digest>,
    /// Whether the registry has shown that it cannot remove tags.
    keeps_tags: Cell<bool>,
}

enum RemovalOutcome {
    Removed,
    /// It was kept, and that was logged.
    Kept,
    Deferred(String, Digest),
    Nothing,
    Failed(Error),
}

impl<'a> Remover<'a> {
    pub fn new(context: PurgeContext<'a>, inventory: &'a Inventory) -> Self {
        Self {
            context,
            inventory,
            deferred: BTreeMap::new(),
            keeps_tags: Cell::new(false),
        }
    }

    /// Removes tags. If the registry cannot remove tags, those of the manifests in `goes` are left to be removed with these.
    pub async fn tags(
        &mut self,
        snapshot: &Snapshot,
        tags: &[String],
        goes: &[Digest],
        purged: &mut Purged,
    ) -> Result<()> {
        let place = self.place();
        let name = |tag: &str| format!("{place}:{tag}");
        if self.context.dry_run {
            for tag in tags {
                self.context.say(&format!("Would delete: {}", name(tag)));
            }
            purged.tags += tags.len();
            return Ok(());
        }
        let registries = &self.inventory.registries;
        let remove = async |tag: &String| {
            let Some(digest) = snapshot.tags.get(tag).map(|tagged| &tagged.digest) else {
                return RemovalOutcome::Kept;
            };
            let goes = goes.contains(digest);
            let Some(image) = self.inventory.tagged(tag) else {
                return RemovalOutcome::Kept;
            };
            if goes && self.keeps_tags.get() {
                return RemovalOutcome::Deferred(tag.clone(), digest.clone());
            }
            match registries.untag(&image, digest, !goes).await {
                Ok(Removal::Unsupported) if goes => {
                    self.keeps_tags.set(true);
                    RemovalOutcome::Deferred(tag.clone(), digest.clone())
                }
                removed => self.outcome(&name(tag), removed),
            }
        };
        let outcomes = self.each(tags, remove).await;
        let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome);
        self.take(outcomes.collect(), &mut purged.tags)
    }

    /// Removes manifests: indexes before the manifests that they list.
    pub async fn manifests(
        &mut self,
        snapshot: &Snapshot,
        go: &[Digest],
        purged: &mut Purged,
    ) -> Result<()> {
        let place = self.place();
        let name = |digest: &Digest| format!("{place}@{digest}");
        if self.context.dry_run {
            for digest in go {
                self.context.say(&format!("Would delete: {}", name(digest)));
            }
            purged.manifests += go.len();
            return Ok(());
        }
        let mut kept: Vec<Digest> = Vec::new();
        for wave in waves(snapshot, go) {
            // What a locked manifest names stays with it.
            let stays = |digest: &Digest| kept.iter().any(|it| names(snapshot, it, digest));
            let (stay, wave): (Vec<Digest>, Vec<Digest>) = wave.into_iter().partition(stays);
            kept.extend(stay);
            let remove = async |digest: &Digest| {
                let (registries, place) = (&self.inventory.registries, &self.inventory.repository);
                let removed = registries.delete_manifest(place, digest).await;
                self.outcome(&name(digest), removed)
            };
            let outcomes = self.each(&wave, remove).await;
            let gone = |digest: &Digest| {
                let mut outcomes = outcomes.iter();
                outcomes
                    .any(|(other, it)| *other == digest && matches!(it, RemovalOutcome::Removed))
            };
            let with: Vec<&String> = self
                .deferred
                .iter()
                .filter(|(_, digest)| gone(digest))
                .map(|(tag, _)| tag)
                .collect();
            for tag in &with {
                self.context.say(&format!("Deleted {place}:{tag}"));
            }
            purged.tags += with.len();
            let locked = outcomes
                .iter()
                .filter(|(_, it)| matches!(it, RemovalOutcome::Kept));
            kept.extend(locked.map(|(digest, _)| (*digest).clone()));
            let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome);
            self.take(outcomes.collect(), &mut purged.manifests)?;
        }
        Ok(())
    }

    fn place(&self) -> String {
        let repository = self.inventory.repository.repository();
        format!("{}/{repository}", self.context.registry)
    }

    /// Applies an operation to each item: to the first alone, so that a registry which refuses removals is asked once, and then to many at
    /// once.
    async fn each<'t, T>(
        &self,
        all: &'t [T],
        act: impl AsyncFn(&'t T) -> RemovalOutcome,
    ) -> Vec<(&'t T, RemovalOutcome)> {
        let Some((first, rest)) = all.split_first() else {
            return Vec::new();
        };
        let mut outcomes = vec![(first, act(first).await)];
        if matches!(outcomes[0].1, RemovalOutcome::Nothing) {
            return outcomes;
        }
        let act = &act;
        let rest = stream::iter(rest.iter()).map(async |one| (one, act(one).await));
        let rest = rest.buffer_unordered(self.context.width);
        outcomes.extend(rest.collect::<Vec<_>>().await);
        outcomes
    }

    fn outcome(
        &self,
        name: &str,
        removed: Result<Removal, crate::registry::LookupError>,
    ) -> RemovalOutcome {
        let skipped = |why: &str| format!("Skipped {name}, {why}");
        let (line, outcome) = match removed {
            Ok(Removal::Removed) => (format!("Deleted {name}"), RemovalOutcome::Removed),
            // acr-cli counts it too.
            Ok(Removal::Absent) => (skipped("HTTP status: 404"), RemovalOutcome::Removed),
            Ok(Removal::Moved) => {
                let why = "it names something else by now";
                (skipped(why), RemovalOutcome::Kept)
            }
            Ok(Removal::Unsupported) => return RemovalOutcome::Nothing,
            Err(error) if error.is_locked() => (skipped("HTTP status: 405"), RemovalOutcome::Kept),
            Err(error) => {
                let error = error.of_writing(name);
                let line = format!("Failed to delete {name}, error: {}", error.one_line());
                (line, RemovalOutcome::Failed(error))
            }
        };
        self.context.say(&line);
        outcome
    }

    fn take(&mut self, outcomes: Vec<RemovalOutcome>, count: &mut usize) -> Result<()> {
        let mut failed = None;
        for outcome in outcomes {
            match outcome {
                RemovalOutcome::Removed => *count += 1,
                RemovalOutcome::Kept => {}
                RemovalOutcome::Deferred(tag, digest) => drop(self.deferred.insert(tag, digest)),
                RemovalOutcome::Nothing => failed = Some(removes_nothing(self.context.registry)),
                RemovalOutcome::Failed(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Groups manifests, which are ordered for removal, into sets that may be removed at once.
fn waves(snapshot: &Snapshot, go: &[Digest]) -> Vec<Vec<Digest>> {
    let mut level: BTreeMap<&Digest, usize> = BTreeMap::new();
    let mut waves: Vec<Vec<Digest>> = Vec::new();
    for digest in go {
        let parents = level.iter();
        let parents = parents.filter(|(parent, _)| names(snapshot, parent, digest));
        let own = parents.map(|(_, level)| level + 1).max().unwrap_or(0);
        level.insert(digest, own);
        if waves.len() <= own {
            waves.resize_with(own + 1, Vec::new);
        }
        waves[own].push(digest.clone());
    }
    waves
}

/// Tells whether a manifest lists another one, or refers to it.
fn names(snapshot: &Snapshot, parent: &Digest, digest: &Digest) -> bool {
    let parent = snapshot.manifests.get(parent);
    parent.is_some_and(|it| it.children.contains(digest) || it.subject.as_ref() == Some(digest))
}
