//! Resolves the images of a build to digests, and pins the Dockerfile to them before the build, so that exactly what was resolved is built.

mod decided;
mod made;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    builder::{Builder, HeldImage},
    dockerfile::{BaseImage, BaseKind, Pinning, Unpinnable},
    error::{Error, Kind, Result},
    image::{Digest, Platform, Reference},
    registry::{self, LookupError, ResolvedTag},
    task::Dependency,
    watch::Baseline,
};

use super::{
    App,
    chain::ImageMakers,
    event::{Event, EventSink},
    inputs::{Inputs, UNREAD},
    local,
    mirror::{self, Mirror, MirrorState},
    platforms,
};

use decided::{FallbackImage, Resolution, conclude, decided};
pub use decided::{Resolved, found, kind, unpinned};

/// How deep `ONBUILD` triggers of base images may name further base images.
pub(super) const MAX_ON_BUILD: usize = 8;

/// Resolves every image of the build in its registry, and pins the Dockerfile to the digests.
///
/// # Errors
///
/// [`Kind::Unknown`] where a registry does not answer; [`Kind::Failed`] where an image does not exist.
pub async fn resolve(
    app: &App,
    inputs: &mut Inputs,
    builder: &Builder,
    baseline: &Baseline,
    events: &EventSink<'_>,
) -> Result<Resolved> {
    let made = inputs
        .made
        .iter()
        .map(|image| (image.clone(), Resolution::Made));
    let mut answers: BTreeMap<Reference, Resolution> = made.collect();
    let mut bases = inputs.bases()?;
    for _ in 0..MAX_ON_BUILD {
        let resolver = Resolver {
            app,
            builder,
            baseline,
            own: &inputs.own,
            local: &inputs.local,
        };
        resolver.answer(&bases, &mut answers, events).await?;
        let images = bases.iter().filter_map(|base| {
            let image = match answers.get(&base.reference)? {
                Resolution::Found { .. } | Resolution::Fixed { .. } => decided(&answers, base),
                Resolution::Local(_)
                | Resolution::Kept(_)
                | Resolution::Stored(_)
                | Resolution::Made => {
                    return None;
                }
            };
            Some((base, image.unwrap_or_else(|| base.reference.clone())))
        });
        let mut triggers = on_build(app, images).await?;
        triggers.extend(held_triggers(builder, &bases, &answers).await);
        if triggers == inputs.build.on_build {
            break;
        }
        inputs.build.on_build = triggers;
        bases = inputs.bases()?;
    }
    for base in &bases {
        refuse_other_platform(app, base, answers.get(&base.reference), inputs, baseline)?;
        warn_of_held(base, answers.get(&base.reference), events);
    }
    let name = |base: &BaseImage| decided(&answers, base);
    let pinned = inputs.dockerfile.rewritten(&bases, &name);
    let mut resolved = conclude(pinned, &bases, answers);
    resolved.untracked.extend(inputs.untracked());
    Ok(resolved)
}

/// Returns the `ONBUILD` triggers of images in the builder's own store that a stage begins with.
async fn held_triggers(
    builder: &Builder,
    bases: &[BaseImage],
    answers: &BTreeMap<Reference, Resolution>,
) -> BTreeMap<Reference, Vec<String>> {
    let mut all = BTreeMap::new();
    for base in bases.iter().filter(|base| base.is_from) {
        let triggers = match answers.get(&base.reference) {
            Some(Resolution::Local(held) | Resolution::Kept(held)) => held.image.on_build.clone(),
            Some(Resolution::Stored(image)) => image.on_build.clone(),
            Some(Resolution::Made) => {
                let image = held(builder, &base.reference.to_string()).await;
                image.unwrap_or_default().on_build
            }
            _ => continue,
        };
        if !triggers.is_empty() {
            all.insert(base.reference.clone(), triggers);
        }
    }
    all
}

/// Returns the image in the builder's own store under a name.
async fn held(builder: &Builder, name: &str) -> Option<HeldImage> {
    let printed = platforms::answer(&builder.inspect_image(name)?).await?;
    Some(HeldImage::parse(&printed).unwrap_or_default())
}

/// Refuses to build on a single image for another platform than the wanted one, or than the one that the last run was built for: builders use
/// it, and some call the result an image for the wanted platform. Files may still be copied from it.
fn refuse_other_platform(
    app: &App,
    base: &BaseImage,
    answer: Option<&Resolution>,
    inputs: &Inputs,
    baseline: &Baseline,
) -> Result<()> {
    let Some(Resolution::Found {
        seen, manifests, ..
    }) = answer
    else {
        return Ok(());
    };
    if base.kind != BaseKind::Runtime || seen.kind != registry::ManifestKind::Manifest {
        return Ok(());
    }
    let before = followed(app, baseline, &base.reference).map(|before| &before.manifests);
    let was_made = |platform| before.is_some_and(|it| matches!(it.get(platform), Some(Some(_))));
    let other = manifests.iter().find(|(platform, manifest)| {
        manifest.is_none() && (!inputs.wanted.is_empty() || was_made(platform))
    });
    let Some((platform, _)) = other else {
        return Ok(());
    };
    let (image, line) = (&base.reference, base.line);
    let text = format!("`{image}`, which line {line} depends on, is not made for {platform}");
    Err(Error::failed(text).hint(
        "push it for this platform again, or build for the platform that it is made for: --platform",
    ))
}

/// Warns of the use of an image in the builder's own store.
fn warn_of_held(base: &BaseImage, answer: Option<&Resolution>, events: &EventSink<'_>) {
    let (what, held) = match answer {
        Some(Resolution::Local(held)) => ("is not followed", held),
        Some(Resolution::Kept(held)) => ("is followed as soon as its registry answers", held),
        _ => return,
    };
    events.send(Event::Warning(format!(
        "`{}` {what}: {}",
        base.written, held.reason
    )));
}

/// An image that a step runs, and its platform.
#[derive(Clone, Copy, Debug)]
pub struct ImageToRun<'a> {
    pub image: &'a Reference,
    /// The platform on which it is run.
    pub platform: &'a Platform,
}

/// Resolves an image that is run and not built on. The run is not part of what is built, so that the image counts like one of another stage
/// of a build.
pub async fn image(
    app: &App,
    ImageToRun { image, platform }: ImageToRun<'_>,
    builder: &Builder,
    baseline: &Baseline,
    events: &EventSink<'_>,
) -> Result<Resolved> {
    let base = BaseImage {
        line: 0,
        column: 0,
        written: image.to_string(),
        name: image.to_string(),
        reference: image.clone(),
        kind: BaseKind::Buildtime,
        platforms: [platform.clone()].into(),
        is_from: false,
        pinning: Pinning::Impossible(Unpinnable::Context),
    };
    let mut answers = BTreeMap::new();
    let resolver = Resolver {
        app,
        builder,
        baseline,
        own: &[],
        local: &BTreeSet::new(),
    };
    resolver
        .answer(std::slice::from_ref(&base), &mut answers, events)
        .await?;
    warn_of_held(&base, answers.get(&base.reference), events);
    Ok(conclude(Vec::new(), &[base], answers))
}

/// Returns whether a name may be that of a stage which only another frontend knows.
pub(super) fn may_be_stage(base: &BaseImage) -> bool {
    base.pinning == Pinning::Impossible(Unpinnable::Stage)
}

struct Resolver<'a> {
    app: &'a App,
    builder: &'a Builder,
    baseline: &'a Baseline,
    /// The images that the task itself makes.
    own: &'a [Reference],
    /// The images that local tasks make, by canonical name.
    local: &'a BTreeSet<Reference>,
}

impl Resolver<'_> {
    /// Resolves each image that has no answer yet.
    async fn answer(
        &self,
        bases: &[BaseImage],
        answers: &mut BTreeMap<Reference, Resolution>,
        events: &EventSink<'_>,
    ) -> Result<()> {
        let mut wanted: BTreeMap<&Reference, (&BaseImage, BTreeSet<Platform>)> = BTreeMap::new();
        for base in bases {
            let entry = wanted
                .entry(&base.reference)
                .or_insert((base, BTreeSet::new()));
            if may_be_stage(entry.0) {
                entry.0 = base;
            }
            entry.1.extend(base.platforms.iter().cloned());
        }
        wanted.retain(|reference, _| !answers.contains_key(reference));
        let mut open = Vec::new();
        for reference in wanted.keys() {
            match reference.digest() {
                Some(digest) => {
                    self.verify(reference, reference).await?;
                    let fixed = Resolution::Fixed {
                        digest: digest.clone(),
                        mirror: None,
                    };
                    answers.insert((*reference).clone(), fixed);
                }
                None if self.local.contains(&self.app.canonical(reference)) => {
                    let stored = self.stored(reference).await?;
                    answers.insert((*reference).clone(), stored);
                }
                None => open.push((*reference).clone()),
            }
        }
        for (reference, looked) in self.app.registries().look_all_cached(open).await {
            let Some((base, platforms)) = wanted.get(&reference) else {
                continue;
            };
            let answer = match looked {
                Ok(seen) => self.found(&reference, &reference, seen, platforms).await?,
                // It is more likely a stage than an image that does not exist.
                Err(_) if may_be_stage(base) => Resolution::Local(FallbackImage {
                    image: HeldImage::default(),
                    reason: UNREAD.to_owned(),
                }),
                Err(error) => match self.stand_in(base, &error, platforms, events).await? {
                    Some(answer) => answer,
                    None => self.local(base, error).await?,
                },
            };
            answers.insert(reference, answer);
        }
        let new: BTreeSet<Reference> = wanted.into_keys().cloned().collect();
        self.look_at_mirrors(&new, answers, events).await;
        Ok(())
    }

    /// Compares the mirrors of images that have just been resolved, and reports those that cannot be used.
    async fn look_at_mirrors(
        &self,
        new: &BTreeSet<Reference>,
        answers: &mut BTreeMap<Reference, Resolution>,
        events: &EventSink<'_>,
    ) {
        let wanted: BTreeMap<Reference, mirror::MirrorQuery> = new
            .iter()
            .filter(|source| self.copy_of(source).is_some())
            .filter_map(|source| Some((source.clone(), answers.get(source)?.wanted()?)))
            .collect();
        for (source, found) in mirror::compare(self.app, &wanted).await {
            let digest = wanted.get(&source).map(|wanted| &wanted.digest);
            if let Some(text) = digest.and_then(|digest| found.complaint(&source, digest)) {
                events.send(Event::Warning(text));
            }
            if let Some(answer) = answers.get_mut(&source) {
                answer.set_mirror(found);
            }
        }
    }

    /// Returns the mirror that the config file names for an image. An image that the task itself makes is no mirror of what it depends on.
    fn copy_of(&self, source: &Reference) -> Option<Reference> {
        let copy = self.app.copy_of(source)?;
        let own = |image: &Reference| self.app.canonical(image);
        let is_own = self.own.iter().any(|image| own(image) == own(&copy));
        (own(&copy) != own(source) && !is_own).then_some(copy)
    }

    /// Uses the mirror of an image whose registry does not answer. Its digest is recorded: if the source turns out to be different, that is
    /// an update.
    async fn stand_in(
        &self,
        base: &BaseImage,
        error: &LookupError,
        platforms: &BTreeSet<Platform>,
        events: &EventSink<'_>,
    ) -> Result<Option<Resolution>> {
        let Some(copy) = self.copy_of(&base.reference).filter(|_| !error.is_absent()) else {
            return Ok(None);
        };
        let Ok(seen) = self.app.registries().look_cached(&copy).await else {
            return Ok(None);
        };
        let source = &base.reference;
        let why = Error::from(error.clone()).one_line();
        events.send(Event::Warning(format!(
            "mirror `{copy}` is used although it is not known whether it matches `{source}`: {why}"
        )));
        let answer = self.found(source, &copy, seen, platforms).await?;
        Ok(Some(match answer {
            Resolution::Found {
                seen, manifests, ..
            } => Resolution::Found {
                mirror: Some(Mirror {
                    image: copy,
                    state: MirrorState::Current(seen.digest.clone()),
                }),
                seen,
                manifests,
            },
            other => other,
        }))
    }

    /// Adds the answer about an image after verifying it. `reference` is `named` or its mirror.
    async fn found(
        &self,
        named: &Reference,
        reference: &Reference,
        seen: ResolvedTag,
        platforms: &BTreeSet<Platform>,
    ) -> Result<Resolution> {
        let wanted: Vec<Platform> = platforms.iter().cloned().collect();
        let registries = self.app.registries();
        registries.expect_image(reference, &seen).await?;
        self.verify(named, &reference.at(seen.digest.clone()))
            .await?;
        let manifests = registries.platforms(reference, &seen, &wanted).await?;
        let manifests = manifests.into_iter().collect();
        Ok(Resolution::Found {
            seen,
            manifests,
            mirror: None,
        })
    }

    /// Returns the image that the builder has under the name of a local image.
    async fn stored(&self, image: &Reference) -> Result<Resolution> {
        let held = local::held(self.builder, image).await?;
        let held = held.filter(|held| held.id.is_some()).ok_or_else(|| {
            let name = image.familiar();
            Error::failed(format!("`{name}` is not with the builder, and no registry is asked for it: a local task makes it, or has made it"))
            .hint("run the task that makes it first (acrt task graph shows which); if no task makes it any more, delete this task and create it again")
        })?;
        Ok(Resolution::Stored(held))
    }

    async fn verify(&self, named: &Reference, image: &Reference) -> Result<()> {
        let verified = self.app.verifier.verify(named, image).await;
        Ok(verified?)
    }

    /// Verifies an image in the builder's own store, if there are rules for its name: by one of the digests that its registry knows it by.
    async fn verify_held(&self, named: &Reference, image: &HeldImage) -> Result<()> {
        if !self.app.verifier.has_rules_for(named) {
            return Ok(());
        }
        let mut refusal = Error::failed(format!(
            "`{named}` is not verified: the builder's own copy has no digest that could be verified"
        ));
        for digest in image.digests_of(named) {
            match self.verify(named, &named.at(digest)).await {
                Ok(()) => return Ok(()),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Falls back to an image in the builder's own store, where it is in no registry or its registry does not answer.
    async fn local(&self, base: &BaseImage, error: LookupError) -> Result<Resolution> {
        // podman and buildah put this registry before the names of images that are in none.
        let has_none = base.reference.registry() == "localhost" && error.is_unreachable();
        let absent = error.is_absent() || has_none;
        // The registry cannot be reached, fails, or limits the rate.
        let silent = error.is_unreachable() || error.retry_at().is_some();
        if (absent || silent)
            && let Some((image, is_its)) = self.held_for(base).await
        {
            let why = if absent {
                format!("`{}` is on no registry", base.reference)
            } else {
                Error::from(error.clone()).one_line()
            };
            let reason = format!("{why}; the builder's own copy is used");
            self.verify_held(&base.reference, &image).await?;
            let held = FallbackImage { image, reason };
            match followed(self.app, self.baseline, &base.reference) {
                None if is_its && (!absent || self.is_pushed_by_task(&base.reference)?) => {
                    return Ok(Resolution::Kept(held));
                }
                None => return Ok(Resolution::Local(held)),
                // A task must not fall back to an older image just because a registry is down, or a tag is gone, for a moment.
                Some(before) if is_its && is_same(before, &held.image, &base.reference) => {
                    return Ok(Resolution::Kept(held));
                }
                Some(_) => {}
            }
        }
        let kind = error.is_absent().then_some(Kind::Failed);
        let told = Error::from(error.clone());
        // The outer message names the image already.
        let text = told.to_string();
        let about = format!("cannot find out what `{}` is: ", base.reference);
        let text = text.strip_prefix(&about).unwrap_or(&text).to_owned();
        let told = Error::new(told.kind(), text)
            .hint(told.advice().unwrap_or_default())
            .because(error);
        let line = match base.line {
            0 => String::new(),
            line => format!(", which line {line} depends on"),
        };
        let text = format!("cannot find out what `{}` is{line}", base.reference);
        Err(Error::new(kind.unwrap_or(told.kind()), text).because(told))
    }

    /// Returns whether a stored task pushes an image to a registry: a tag that is gone then comes back.
    fn is_pushed_by_task(&self, image: &Reference) -> Result<bool> {
        let mut makers = ImageMakers::of(self.app);
        let makers = makers.of_image(image)?;
        Ok(makers.iter().any(|task| !task.is_local()))
    }

    /// Returns the image in the builder's own store that a build would use, and whether it is the one in the registry: podman and buildah
    /// take `localhost/node` for `node`, which is a different image.
    async fn held_for(&self, base: &BaseImage) -> Option<(HeldImage, bool)> {
        match held(self.builder, &base.reference.to_string()).await {
            Some(image) => Some((image, true)),
            None => Some((held(self.builder, &base.name).await?, false)),
        }
    }
}

/// Returns the `ONBUILD` triggers in the configs of the images that stages begin with. Each image comes with the reference by which to read
/// it.
///
/// # Errors
///
/// [`Kind::Unknown`] where a registry does not answer.
pub async fn on_build<'b>(
    app: &App,
    bases: impl Iterator<Item = (&'b BaseImage, Reference)>,
) -> Result<BTreeMap<Reference, Vec<String>>> {
    let mut triggers = BTreeMap::new();
    for (base, image) in bases.filter(|(base, _)| base.is_from) {
        if triggers.contains_key(&base.reference) {
            continue;
        }
        let Some(platform) = base.platforms.first() else {
            continue;
        };
        let config = app.registries().config(&image, platform).await;
        match config {
            Ok(config) if !config.on_build.is_empty() => {
                triggers.insert(base.reference.clone(), config.on_build);
            }
            // An image without this platform has no config to read; the build will report it.
            Ok(_) | Err(LookupError::Absent { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(triggers)
}

/// Returns the dependency of the last successful run on an image, if it is tracked.
fn followed<'b>(app: &App, baseline: &'b Baseline, image: &Reference) -> Option<&'b Dependency> {
    let image = app.canonical(image);
    let mut dependencies = baseline.dependencies.iter();
    dependencies.find(|dependency| {
        let before = dependency.image.reference();
        before.is_some_and(|before| app.canonical(&before) == image)
    })
}

/// Returns whether an image in the builder's own store is the one that the last successful run was built on, or that run had no digest.
fn is_same(before: &Dependency, image: &HeldImage, reference: &Reference) -> bool {
    let Some(digest) = &before.image.digest else {
        return true;
    };
    let manifests = before.manifests.values().flatten();
    let found: Vec<&Digest> = manifests.chain([digest]).collect();
    let own = image.digests_of(reference);
    own.iter().any(|digest| found.contains(&digest))
}
