//! The result of resolving the images of a build: what is recorded as dependencies, and how the images are pinned.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    builder::{HeldImage, Unpinned},
    dockerfile::{BaseImage, BaseKind, Pinning, Unpinnable},
    error::Result,
    image::{Digest, Platform, Reference},
    ops::{
        inputs::Inputs,
        mirror::{self, Mirror},
    },
    registry::ResolvedTag,
    task::{
        Dependency, DependencyKind, ImageDescriptor, Manifests, MirrorUse, Untracked, one_manifest,
    },
};

/// The resolved images of a build.
#[derive(Debug)]
pub struct Resolved {
    /// The Dockerfile with every image pinned that can be.
    pub pinned: Vec<u8>,
    /// The images whose tags may move, with their resolved digests.
    pub dependencies: Vec<Dependency>,
    /// The untracked images, and why.
    pub untracked: Vec<Untracked>,
    /// The images from registries that cannot be pinned in the Dockerfile.
    pub unpinned: Vec<Unpinned>,
    /// The pinned images that the build pulls from registries, or from mirrors where these are used, with their platforms.
    pub pulled: BTreeMap<Reference, BTreeSet<Platform>>,
    /// The images that are pulled from a mirror, with the mirror.
    pub mirrored: Vec<(Reference, Reference)>,
    /// The answer about each image.
    pub(super) answers: BTreeMap<Reference, Resolution>,
}

impl Resolved {
    /// Returns one line for each image, for the log before the builder starts.
    pub fn in_words(&self) -> impl Iterator<Item = String> {
        let found = self.dependencies.iter().map(|it| found(&it.image));
        let mirrored = self.mirrored.iter();
        let mirrored = mirrored.map(|(source, copy)| format!("{source} is taken from {copy}"));
        let untracked = self.untracked.iter().map(ToString::to_string);
        found.chain(mirrored).chain(untracked)
    }

    /// Returns the image that the target is built on, for the labels, with its digest if that is known; `None` where there is none, where it
    /// is not the same for all of these platforms, or where a local task makes it: its id means nothing to a registry.
    ///
    /// # Errors
    ///
    /// As [`Inputs::bases`].
    pub fn runtime(
        &self,
        inputs: &Inputs,
        platforms: &[Platform],
    ) -> Result<Option<(Reference, Option<Digest>)>> {
        let mut images = BTreeSet::new();
        for platform in platforms {
            let bases = inputs.bases_for(std::slice::from_ref(platform))?;
            let runtime = bases.into_iter().find(|it| it.kind == BaseKind::Runtime);
            images.insert(runtime.map(|it| it.reference));
        }
        let (Some(Some(image)), None) = (images.pop_first(), images.pop_first()) else {
            return Ok(None);
        };
        let digest = match self.answers.get(&image) {
            Some(Resolution::Stored(_)) => return Ok(None),
            Some(Resolution::Found { seen, .. }) => Some(seen.digest.clone()),
            Some(Resolution::Fixed { digest, .. }) => Some(digest.clone()),
            Some(Resolution::Kept(held)) => held.image.digests_of(&image).into_iter().next(),
            _ => None,
        };
        Ok(Some((image, digest)))
    }
}

/// Returns a tag with its digest, for messages.
pub fn found(image: &ImageDescriptor) -> String {
    let digest = image.digest.as_ref();
    format!(
        "{} is {}",
        image.tagged(),
        digest.map_or("unknown", Digest::as_str)
    )
}

/// The answer about one image.
#[derive(Clone, Debug)]
pub enum Resolution {
    Found {
        seen: ResolvedTag,
        /// Its manifests for the platforms of the build.
        manifests: Manifests,
        /// Its mirror, if it has one.
        mirror: Option<Mirror>,
    },
    /// It was written with a digest, so that no registry has to be asked for it.
    Fixed {
        digest: Digest,
        /// Its mirror, if it has one.
        mirror: Option<Mirror>,
    },
    /// It is in no registry, for a known reason, and the builder has it or knows what it is.
    Local(FallbackImage),
    /// Its registry does not answer, and the builder has the image. Its digest is compared with the registry's when the registry answers.
    Kept(FallbackImage),
    /// A local task makes it, and the builder has it.
    Stored(HeldImage),
    /// An earlier step of the same run has built it.
    Made,
}

/// An image in the builder's own store, and why it is used.
#[derive(Clone, Debug)]
pub struct FallbackImage {
    /// The image, as the builder describes it.
    pub image: HeldImage,
    pub reason: String,
}

/// Returns the pinned reference of an image: by its resolved digest, from the mirror if that is the same; `None` where it is not pinned.
pub fn decided(answers: &BTreeMap<Reference, Resolution>, base: &BaseImage) -> Option<Reference> {
    match answers.get(&base.reference)? {
        Resolution::Found { seen, mirror, .. } => {
            let copy = mirror.as_ref().and_then(Mirror::usable);
            copy.or_else(|| Some(base.reference.at(seen.digest.clone())))
        }
        Resolution::Fixed { mirror, .. } => mirror.as_ref().and_then(Mirror::usable),
        Resolution::Local(_) | Resolution::Kept(_) | Resolution::Stored(_) | Resolution::Made => {
            None
        }
    }
}

/// Makes the dependencies and the pinned Dockerfile of the answers.
pub fn conclude(
    pinned: Vec<u8>,
    bases: &[BaseImage],
    answers: BTreeMap<Reference, Resolution>,
) -> Resolved {
    let mut dependencies: BTreeMap<Reference, Dependency> = BTreeMap::new();
    let mut untracked = Vec::new();
    let mut pulled: BTreeMap<Reference, BTreeSet<Platform>> = BTreeMap::new();
    let mut unpinned = BTreeMap::new();
    for base in bases {
        // A named context with the name of a stage would replace the stage.
        if let (Pinning::Impossible(why), Some(Resolution::Found { seen, .. })) =
            (&base.pinning, answers.get(&base.reference))
            && *why != Unpinnable::Stage
        {
            unpinned
                .entry(base.reference.clone())
                .or_insert_with(|| Unpinned {
                    image: base.reference.clone(),
                    digest: seen.digest.clone(),
                    platform: base.platforms.first().cloned(),
                });
        }
        let mut depend = |new: Dependency| {
            dependencies
                .entry(base.reference.clone())
                .and_modify(|old: &mut Dependency| {
                    old.kind = old.kind.min(new.kind);
                    old.manifests.extend(new.manifests.clone());
                })
                .or_insert(new);
        };
        let mut pull = |image: Reference| {
            let platforms = pulled.entry(image).or_default();
            platforms.extend(base.platforms.iter().cloned());
        };
        let mut untrack = |reason: &str| {
            untracked.push(Untracked {
                image: base.written.clone(),
                reason: reason.to_owned(),
            });
        };
        match answers.get(&base.reference) {
            Some(Resolution::Found {
                seen,
                manifests,
                mirror,
            }) => {
                decided(&answers, base).into_iter().for_each(&mut pull);
                depend(Dependency {
                    mirror: mirror.as_ref().map(mirror_use),
                    ..dependency(base, Some(seen.digest.clone()), manifests.clone())
                });
            }
            Some(Resolution::Kept(held)) => depend(kept(base, &held.image)),
            Some(Resolution::Stored(image)) => depend(stored(base, image)),
            Some(Resolution::Fixed { digest, .. }) => {
                pull(decided(&answers, base).unwrap_or_else(|| base.reference.at(digest.clone())));
                untrack("it is pinned by its digest and cannot move");
            }
            Some(Resolution::Local(held)) => untrack(&held.reason),
            Some(Resolution::Made) | None => {}
        }
    }
    untracked.dedup();
    Resolved {
        pinned,
        dependencies: dependencies.into_values().collect(),
        untracked,
        unpinned: unpinned.into_values().collect(),
        mirrored: answers
            .iter()
            .filter_map(|(source, answer)| Some((source.clone(), answer.mirror()?.usable()?)))
            .collect(),
        pulled,
        answers,
    }
}

impl Resolution {
    /// Returns what the mirror of an image has to match; `None` where there is no mirror to compare.
    pub fn wanted(&self) -> Option<mirror::MirrorQuery> {
        match self {
            // Its mirror was compared already, or is used in place of the source.
            Self::Found {
                mirror: Some(_), ..
            } => None,
            Self::Found {
                seen, manifests, ..
            } => Some(mirror::MirrorQuery {
                digest: seen.digest.clone(),
                manifests: manifests.clone(),
            }),
            Self::Fixed { digest, .. } => Some(mirror::MirrorQuery {
                digest: digest.clone(),
                manifests: Manifests::new(),
            }),
            Self::Local(_) | Self::Kept(_) | Self::Stored(_) | Self::Made => None,
        }
    }

    pub fn mirror(&self) -> Option<&Mirror> {
        match self {
            Self::Found { mirror, .. } | Self::Fixed { mirror, .. } => mirror.as_ref(),
            Self::Local(_) | Self::Kept(_) | Self::Stored(_) | Self::Made => None,
        }
    }

    pub fn set_mirror(&mut self, found: Mirror) {
        match self {
            Self::Found { mirror, .. } | Self::Fixed { mirror, .. } => *mirror = Some(found),
            Self::Local(_) | Self::Kept(_) | Self::Stored(_) | Self::Made => {}
        }
    }
}

fn dependency(base: &BaseImage, digest: Option<Digest>, manifests: Manifests) -> Dependency {
    Dependency {
        image: ImageDescriptor::new(&base.reference, digest),
        kind: kind(base.kind),
        manifests,
        is_local: false,
        line: base.line,
        mirror: None,
    }
}

fn mirror_use(mirror: &Mirror) -> Box<MirrorUse> {
    Box::new(MirrorUse {
        image: mirror.image.clone(),
        used: mirror.usable().is_some(),
    })
}

/// Returns the dependency on an image in the builder's own store. Its digest may be that of an index or of a manifest, and is recorded as
/// both. If the builder knows no digest, the first answer of the registry counts as an update.
fn kept(base: &BaseImage, image: &HeldImage) -> Dependency {
    let digests = image.digests_of(&base.reference);
    let manifests = one_manifest(digests.last(), &base.platforms);
    dependency(base, digests.into_iter().next(), manifests)
}

/// Returns the dependency on a local image: its id is recorded for every platform.
fn stored(base: &BaseImage, image: &HeldImage) -> Dependency {
    let manifests = one_manifest(image.id.as_ref(), &base.platforms);
    Dependency {
        is_local: true,
        ..dependency(base, image.id.clone(), manifests)
    }
}

/// Returns the kind of dependency for a use of an image in a Dockerfile.
pub fn kind(kind: BaseKind) -> DependencyKind {
    match kind {
        BaseKind::Runtime => DependencyKind::Runtime,
        BaseKind::Buildtime => DependencyKind::Buildtime,
        BaseKind::Frontend => DependencyKind::Frontend,
    }
}

/// Returns a line for the log about each image from a registry that is not pinned, and why.
pub fn unpinned(bases: &[BaseImage]) -> Vec<String> {
    bases
        .iter()
        .filter_map(|base| match &base.pinning {
            Pinning::Impossible(reason) => Some(format!(
                "`{}` in line {} is built as written: {reason}",
                base.written, base.line
            )),
            Pinning::Place(_) => None,
        })
        .collect()
}
