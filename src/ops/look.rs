//! Looks at tags: each once, however many tasks stand on it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;

use crate::{
    error::{Error, Result},
    image::{Platform, Reference},
    registry::{LookupError, Seen},
    task::{Dependency, Manifests},
    watch::{Node, Observation, Tags, decide::followed, rhythm},
};

use super::{App, event::Event};

/// How many answers are worked on at once. Each registry has limits of its own; this is well above them, so that indexes
/// that come slowly from one hold up none from another.
const READ_AT_ONCE: usize = 1024;

/// What somebody wants to know of each tag: the platforms that are built on it, and the digests that were.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    tags: BTreeMap<Reference, Vec<&'a Dependency>>,
}

impl<'a> Wanted<'a> {
    /// Collects what tasks want to know.
    #[must_use]
    pub fn by(nodes: &'a [Node<'a>]) -> Self {
        let mut tags: BTreeMap<Reference, Vec<&Dependency>> = BTreeMap::new();
        for node in nodes {
            for (tag, dependency) in followed(node) {
                tags.entry(tag).or_default().push(dependency);
            }
        }
        Self { tags }
    }

    /// Returns all tags.
    #[must_use]
    pub fn tags(&self) -> BTreeSet<Reference> {
        self.tags.keys().cloned().collect()
    }

    /// Tells whether the manifests behind an index must be read: somebody was built on another one.
    fn needs_manifests(&self, tag: &Reference, seen: &Seen) -> bool {
        self.dependencies(tag)
            .any(|dependency| dependency.image.digest.as_ref() != Some(&seen.digest))
    }

    fn platforms(&self, tag: &Reference) -> BTreeSet<Platform> {
        self.dependencies(tag)
            .flat_map(|dependency| dependency.manifests.keys().cloned())
            .collect()
    }

    fn dependencies(&self, tag: &Reference) -> impl Iterator<Item = &'a Dependency> + '_ {
        self.tags.get(tag).into_iter().flatten().copied()
    }
}

/// Tells that some tags are being looked at.
pub fn looking_at<'a>(tags: usize) -> Event<'a> {
    Event::Doing(match tags {
        1 => "looking at 1 tag".into(),
        _ => format!("looking at {tags} tags"),
    })
}

/// Looks at `which` of the wanted tags and takes in the answers: one HEAD each, and one GET only where an index moved.
///
/// # Errors
///
/// None of a registry: those are taken in as answers, for that is what they are.
pub async fn look(
    app: &App,
    wanted: &Wanted<'_>,
    which: Vec<Reference>,
    tags: &mut Tags,
) -> Result<()> {
    let now = app.clock.now();
    let which = which
        .into_iter()
        .filter(|tag| !tags.get(tag).is_some_and(|record| record.rests(now)))
        .collect();
    let registries = app.registries();
    let before = &*tags;
    let looked: Vec<_> = registries
        .looks(which)
        .map(async |(tag, result)| {
            let rest = result.as_ref().err().and_then(LookupError::retry_at);
            let observed = match result {
                Ok(seen) => observation(app, wanted, &tag, seen, before).await,
                Err(error) => Err(Error::from(error)),
            };
            (tag, rest, observed)
        })
        .buffer_unordered(READ_AT_ONCE)
        .collect()
        .await;
    let now = app.clock.now();
    for (tag, rest, observed) in looked {
        match observed {
            Ok(observation) => tags.observe(&tag, observation, now),
            Err(error) => {
                let hint = error.advice().map(str::to_owned);
                tags.miss(&tag, error.one_line(), hint, now);
            }
        }
        let settings = app.settings.registry(tag.registry());
        let public = rhythm::is_public(tag.registry());
        let pause = app.settings.config.watch.pause(&settings, public);
        let next = rhythm::next_look(&tag, now, pause);
        // A tag that moves is looked at once more when it should be quiet, however seldom it is looked at else.
        let next = tags
            .settles_at(&tag, now)
            .map_or(next, |until| next.min(until));
        let record = tags.entry(&tag);
        record.next_look = Some(next);
        record.not_before = rest;
    }
    Ok(())
}

/// Reads what is behind what was seen. A registry whose header names another digest than its body has is only found out
/// by the body; it is then asked once more, and answers by its bodies from there on.
async fn observation(
    app: &App,
    wanted: &Wanted<'_>,
    tag: &Reference,
    seen: Seen,
    tags: &Tags,
) -> Result<Observation> {
    let observed = |seen: Seen, manifests| Observation {
        digest: seen.digest,
        manifests,
    };
    match manifests(app, wanted, tag, &seen, tags).await {
        Ok(found) => Ok(observed(seen, found)),
        Err(problem) => match app.registries().look(tag).await {
            Ok(again) if again.digest != seen.digest => {
                let found = manifests(app, wanted, tag, &again, tags).await?;
                Ok(observed(again, found))
            }
            _ => Err(problem),
        },
    }
}

/// Finds the manifest of each wanted platform behind what was seen, as far as they are not known yet.
async fn manifests(
    app: &App,
    wanted: &Wanted<'_>,
    tag: &Reference,
    seen: &Seen,
    tags: &Tags,
) -> Result<Manifests> {
    if !wanted.needs_manifests(tag, seen) {
        return Ok(Manifests::new());
    }
    let record = tags
        .get(tag)
        .filter(|record| record.digest.as_ref() == Some(&seen.digest));
    let missing: Vec<Platform> = wanted
        .platforms(tag)
        .into_iter()
        .filter(|platform| record.is_none_or(|record| !record.manifests.contains_key(platform)))
        .collect();
    if missing.is_empty() {
        return Ok(Manifests::new());
    }
    let found = app.registries().platforms(tag, seen, &missing).await?;
    Ok(found.into_iter().collect())
}
