//! Works out what a task stands on, and pins it: before the build, so that what was decided is what is built.

mod decided;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    builder::Builder,
    dockerfile::{BaseImage, BaseKind, Pinning, Unpinnable},
    error::{Error, Kind, Result},
    image::{Digest, Platform, Reference},
    registry::{LookupError, Seen},
    sys::process,
    task::{Dependency, Untracked},
    watch::Known,
};

use super::{
    App,
    event::{Event, Listener},
    inputs::Inputs,
    mirror::{self, Mirror, MirrorState},
};

use decided::{Answer, conclude, decided};
pub use decided::{kind, unpinned};

/// How often triggers of base images may name further base images.
const MAX_ON_BUILD: usize = 8;

/// What a build stands on, decided.
#[derive(Debug)]
pub struct Resolved {
    /// The Dockerfile in which every image that could be pinned is.
    pub pinned: Vec<u8>,
    /// The images whose tags may move, with the digests that were decided.
    pub dependencies: Vec<Dependency>,
    /// The images that nothing follows, and why.
    pub untracked: Vec<Untracked>,
    /// The image that the final stage stands on, for the labels.
    pub runtime: Option<(Reference, Option<Digest>)>,
    /// The images that registries have and that cannot be pinned where they are named.
    pub unpinned: Vec<(Reference, Digest)>,
    /// The images that the build takes from registries, pinned: copies of one's own, where those are used.
    pub pulled: Vec<Reference>,
    /// The images that copies of one's own are used for.
    pub mirrored: Vec<(Reference, Reference)>,
}

/// Asks registries what every image of the build is now, and pins the Dockerfile to the answers.
///
/// # Errors
///
/// [`Kind::Unknown`] where a registry does not say; [`Kind::Failed`] where an image is nowhere to be found.
pub async fn resolve(
    app: &App,
    inputs: &mut Inputs,
    builder: &Builder,
    known: &Known,
    tell: Listener<'_>,
) -> Result<Resolved> {
    let made = inputs
        .made
        .iter()
        .map(|image| (image.clone(), Answer::Made));
    let mut answers: BTreeMap<Reference, Answer> = made.collect();
    let mut bases = inputs.bases()?;
    for _ in 0..MAX_ON_BUILD {
        let resolver = Resolver {
            app,
            builder,
            known,
            own: &inputs.own,
        };
        resolver.answer(&bases, &mut answers, tell).await?;
        let triggers = resolver.on_build(&bases, &answers).await?;
        if triggers == inputs.build.on_build {
            break;
        }
        inputs.build.on_build = triggers;
        bases = inputs.bases()?;
    }
    for base in &bases {
        if let Some(Answer::Local(reason)) = answers.get(&base.reference) {
            tell(Event::Warning(format!(
                "`{}` is not followed: {reason}",
                base.written
            )));
        }
    }
    let name = |base: &BaseImage| decided(&answers, base);
    let pinned = inputs.dockerfile.rewritten(&bases, &name);
    Ok(conclude(pinned, &bases, &answers))
}

/// An image that is run, and the platforms of the run.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The image.
    pub image: &'a Reference,
    /// The platforms of the task; this machine's, if it has none.
    pub platforms: &'a [Platform],
}

/// Asks the registry what an image is now that is run and not built on. A run of it is no part of what is made, so that it counts as
/// an image of the build's other stages would.
///
/// # Errors
///
/// As [`resolve`].
pub async fn image(
    app: &App,
    Asked { image, platforms }: Asked<'_>,
    builder: &Builder,
    known: &Known,
    tell: Listener<'_>,
) -> Result<Resolved> {
    let host = Platform::host();
    let base = BaseImage {
        line: 0,
        column: 0,
        written: image.to_string(),
        name: image.to_string(),
        reference: image.clone(),
        kind: BaseKind::Buildtime,
        platforms: [platforms.first().cloned().unwrap_or(host)].into(),
        is_from: false,
        pinning: Pinning::Impossible(Unpinnable::Context),
    };
    let mut answers = BTreeMap::new();
    let resolver = Resolver {
        app,
        builder,
        known,
        own: &[],
    };
    resolver
        .answer(std::slice::from_ref(&base), &mut answers, tell)
        .await?;
    Ok(conclude(Vec::new(), &[base], &answers))
}

struct Resolver<'a> {
    app: &'a App,
    builder: &'a Builder,
    known: &'a Known,
    /// Images that the task itself makes.
    own: &'a [Reference],
}

impl Resolver<'_> {
    /// Finds an answer for each image that has none yet.
    async fn answer(
        &self,
        bases: &[BaseImage],
        answers: &mut BTreeMap<Reference, Answer>,
        tell: Listener<'_>,
    ) -> Result<()> {
        let mut wanted: BTreeMap<&Reference, (&BaseImage, BTreeSet<Platform>)> = BTreeMap::new();
        for base in bases {
            let entry = wanted
                .entry(&base.reference)
                .or_insert((base, BTreeSet::new()));
            entry.1.extend(base.platforms.iter().cloned());
        }
        wanted.retain(|reference, _| !answers.contains_key(reference));
        let mut open = Vec::new();
        for reference in wanted.keys() {
            match reference.digest() {
                Some(digest) => {
                    let fixed = Answer::Fixed {
                        digest: digest.clone(),
                        mirror: None,
                    };
                    answers.insert((*reference).clone(), fixed);
                }
                None => open.push((*reference).clone()),
            }
        }
        for (reference, looked) in self.app.registries().look_all(open).await {
            let Some((base, platforms)) = wanted.get(&reference) else {
                continue;
            };
            let answer = match looked {
                Ok(seen) => self.found(&reference, seen, platforms).await?,
                Err(error) => match self.stand_in(base, &error, platforms, tell).await? {
                    Some(answer) => answer,
                    None => self.local(base, error).await?,
                },
            };
            answers.insert(reference, answer);
        }
        let new: BTreeSet<Reference> = wanted.into_keys().cloned().collect();
        self.look_at_mirrors(&new, answers, tell).await;
        Ok(())
    }

    /// Looks at the copies of images that have just been answered, and tells of those that cannot be used.
    async fn look_at_mirrors(
        &self,
        new: &BTreeSet<Reference>,
        answers: &mut BTreeMap<Reference, Answer>,
        tell: Listener<'_>,
    ) {
        let wanted: BTreeMap<Reference, mirror::Wanted> = new
            .iter()
            .filter(|source| self.copy_of(source).is_some())
            .filter_map(|source| Some((source.clone(), answers.get(source)?.wanted()?)))
            .collect();
        for (source, found) in mirror::compare(self.app, &wanted).await {
            let digest = wanted.get(&source).map(|wanted| &wanted.digest);
            if let Some(text) = digest.and_then(|digest| found.complaint(&source, digest)) {
                tell(Event::Warning(text));
            }
            if let Some(answer) = answers.get_mut(&source) {
                answer.set_mirror(found);
            }
        }
    }

    /// Returns the copy that the config file names for an image. What the task itself makes is no copy of what it stands on.
    fn copy_of(&self, source: &Reference) -> Option<Reference> {
        let copy = self.app.copy_of(source)?;
        let own = |image: &Reference| self.app.canonical(image);
        let is_own = self.own.iter().any(|image| own(image) == own(&copy));
        (own(&copy) != own(source) && !is_own).then_some(copy)
    }

    /// Takes the copy of an image whose registry does not answer. What is recorded is what the copy is: if the source turns out to be
    /// something else, that is an update.
    async fn stand_in(
        &self,
        base: &BaseImage,
        error: &LookupError,
        platforms: &BTreeSet<Platform>,
        tell: Listener<'_>,
    ) -> Result<Option<Answer>> {
        let Some(copy) = self.copy_of(&base.reference).filter(|_| !error.is_absent()) else {
            return Ok(None);
        };
        let Ok(seen) = self.app.registries().look(&copy).await else {
            return Ok(None);
        };
        let source = &base.reference;
        let why = Error::from(error.clone()).one_line();
        tell(Event::Warning(format!(
            "mirror `{copy}` is used although nobody can tell whether it is what `{source}` is: {why}"
        )));
        let answer = self.found(&copy, seen, platforms).await?;
        Ok(Some(match answer {
            Answer::Found {
                seen, manifests, ..
            } => Answer::Found {
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

    async fn found(
        &self,
        reference: &Reference,
        seen: Seen,
        platforms: &BTreeSet<Platform>,
    ) -> Result<Answer> {
        let wanted: Vec<Platform> = platforms.iter().cloned().collect();
        let manifests = self
            .app
            .registries()
            .platforms(reference, &seen, &wanted)
            .await?;
        let manifests = manifests.into_iter().collect();
        Ok(Answer::Found {
            seen,
            manifests,
            mirror: None,
        })
    }

    /// Falls back to an image that only the builder has, where no registry has it.
    async fn local(&self, base: &BaseImage, error: LookupError) -> Result<Answer> {
        let absent = error.is_absent();
        let followed = self
            .known
            .dependencies
            .iter()
            .any(|dependency| dependency.image.tagged() == base.reference.to_string());
        // An image that was followed so far must not fall out of sight because its registry is down for a moment.
        let may_be_local = absent || (error.is_unreachable() && !followed);
        if may_be_local && self.has(&base.name).await {
            let reason = match absent {
                true => format!(
                    "`{}` is on no registry; the builder's own copy is used",
                    base.reference
                ),
                false => format!(
                    "{}; the builder's own copy is used",
                    Error::from(error).one_line()
                ),
            };
            return Ok(Answer::Local(reason));
        }
        let error = Error::from(error);
        let kind = if absent { Kind::Failed } else { error.kind() };
        let hint = error.advice().map(str::to_owned);
        let error = Error::new(
            kind,
            format!(
                "cannot find out what `{}` is{}",
                base.reference,
                match base.line {
                    0 => String::new(),
                    line => format!(", which line {line} stands on"),
                }
            ),
        )
        .because(error);
        Err(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    async fn has(&self, name: &str) -> bool {
        match self.builder.has_image(name) {
            Some(line) => process::ask(&line)
                .await
                .is_ok_and(|answer| answer.succeeded()),
            None => false,
        }
    }

    /// Returns the ONBUILD triggers that the images below FROM lines carry in their configs.
    async fn on_build(
        &self,
        bases: &[BaseImage],
        answers: &BTreeMap<Reference, Answer>,
    ) -> Result<BTreeMap<Reference, Vec<String>>> {
        let mut triggers = BTreeMap::new();
        for base in bases.iter().filter(|base| base.is_from) {
            if triggers.contains_key(&base.reference) {
                continue;
            }
            let Some(Answer::Found { .. } | Answer::Fixed { .. }) = answers.get(&base.reference)
            else {
                continue;
            };
            let Some(platform) = base.platforms.first() else {
                continue;
            };
            let image = decided(answers, base).unwrap_or_else(|| base.reference.clone());
            let config = self.app.registries().config(&image, platform).await;
            match config {
                Ok(config) if !config.on_build.is_empty() => {
                    triggers.insert(base.reference.clone(), config.on_build);
                }
                // An image without this platform has no config to read; the build will say so.
                Ok(_) | Err(LookupError::Absent { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(triggers)
    }
}
