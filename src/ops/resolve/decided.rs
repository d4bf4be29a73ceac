//! What was found out about each image of a build, and what follows from it: what is recorded, and what is built.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    builder::{HeldImage, Unpinned},
    dockerfile::{BaseImage, BaseKind, Pinning, Unpinnable},
    image::{Digest, Platform, Reference},
    ops::mirror::{self, Mirror},
    registry::Seen,
    task::{
        Dependency, DependencyKind, ImageDescriptor, Manifests, MirrorUse, Untracked, one_manifest,
    },
};

/// What a build depends on, decided.
#[derive(Debug)]
pub struct Resolved {
    /// The Dockerfile in which every image that could be pinned is.
    pub pinned: Vec<u8>,
    /// The images whose tags may move, with the digests that were decided.
    pub dependencies: Vec<Dependency>,
    /// The images that nothing follows, and why.
    pub untracked: Vec<Untracked>,
    /// The image that the final stage depends on, for the labels.
    pub runtime: Option<(Reference, Option<Digest>)>,
    /// The images that registries have and that cannot be pinned where they are named.
    pub unpinned: Vec<Unpinned>,
    /// The images that the build takes from registries, pinned, and for which platforms: copies of one's own, where those are used.
    pub pulled: BTreeMap<Reference, BTreeSet<Platform>>,
    /// The images that copies of one's own are used for.
    pub mirrored: Vec<(Reference, Reference)>,
    /// The platforms that the Dockerfile itself gives the image below the last stage.
    pub forced: BTreeSet<Platform>,
    /// What is known of each image.
    pub(super) answers: BTreeMap<Reference, Answer>,
}

impl Resolved {
    /// Says what was decided, a line for each image, as it is written into the log before the builder begins.
    pub fn in_words(&self) -> impl Iterator<Item = String> {
        let found = self.dependencies.iter().map(|it| found(&it.image));
        let mirrored = self.mirrored.iter();
        let mirrored = mirrored.map(|(source, copy)| format!("{source} is taken from {copy}"));
        let untracked = self.untracked.iter().map(ToString::to_string);
        found.chain(mirrored).chain(untracked)
    }
}

/// Says what a tag was found to be.
pub fn found(image: &ImageDescriptor) -> String {
    let digest = image.digest.as_ref();
    format!(
        "{} is {}",
        image.tagged(),
        digest.map_or("unknown", Digest::as_str)
    )
}

/// What is known of one image while it is resolved.
#[derive(Clone, Debug)]
pub enum Answer {
    Found {
        seen: Seen,
        /// Its manifests for the platforms that are built.
        manifests: Manifests,
        /// The copy of one's own, if it has one.
        mirror: Option<Mirror>,
    },
    /// It was written with a digest, which need not be asked for.
    Fixed {
        digest: Digest,
        /// The copy of one's own, if it has one.
        mirror: Option<Mirror>,
    },
    /// No registry has it, for a reason: the builder does, or knows what it is.
    Local(Held),
    /// Its registry does not say what it is, and the builder has a copy of its own: what that is, is compared with what the registry says
    /// when it answers.
    Kept(Held),
    /// A local task makes it, and the builder has it.
    Stored(HeldImage),
    /// An earlier step of the same run has built it.
    Made,
}

/// An image of the builder's own, and why it is used.
#[derive(Clone, Debug)]
pub struct Held {
    /// What the builder says of it.
    pub image: HeldImage,
    pub reason: String,
}

/// Returns what an image is built as: by the digest that was decided, from a copy of one's own where that is the same; none where it
/// stays as it is written.
pub fn decided(answers: &BTreeMap<Reference, Answer>, base: &BaseImage) -> Option<Reference> {
    match answers.get(&base.reference)? {
        Answer::Found { seen, mirror, .. } => {
            let copy = mirror.as_ref().and_then(Mirror::usable);
            copy.or_else(|| Some(base.reference.at(seen.digest.clone())))
        }
        Answer::Fixed { mirror, .. } => mirror.as_ref().and_then(Mirror::usable),
        Answer::Local(_) | Answer::Kept(_) | Answer::Stored(_) | Answer::Made => None,
    }
}

/// Turns the answers into what is recorded and what is built.
pub fn conclude(
    pinned: Vec<u8>,
    bases: &[BaseImage],
    answers: BTreeMap<Reference, Answer>,
) -> Resolved {
    let mut dependencies: BTreeMap<Reference, Dependency> = BTreeMap::new();
    let mut untracked = Vec::new();
    let mut pulled: BTreeMap<Reference, BTreeSet<Platform>> = BTreeMap::new();
    let mut unpinned = BTreeMap::new();
    for base in bases {
        // A named context in the place of a stage would replace the stage.
        if let (Pinning::Impossible(why), Some(Answer::Found { seen, .. })) =
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
            Some(Answer::Found {
                seen,
                manifests,
                mirror,
            }) => {
                decided(&answers, base).into_iter().for_each(&mut pull);
                depend(dependency(base, seen, manifests, mirror.as_ref()));
            }
            Some(Answer::Kept(held)) => depend(kept(base, &held.image)),
            Some(Answer::Stored(image)) => depend(stored(base, image)),
            Some(Answer::Fixed { digest, .. }) => {
                pull(decided(&answers, base).unwrap_or_else(|| base.reference.at(digest.clone())));
                untrack("it is pinned by its digest and cannot move");
            }
            Some(Answer::Local(held)) => untrack(&held.reason),
            Some(Answer::Made) | None => {}
        }
    }
    untracked.dedup();
    // An id means nothing to a registry, so that no label names it.
    let is_stored =
        |base: &&BaseImage| matches!(answers.get(&base.reference), Some(Answer::Stored(_)));
    let runtime = bases.iter().find(|base| base.kind == BaseKind::Runtime);
    let runtime = runtime.filter(|base| !is_stored(base));
    Resolved {
        pinned,
        dependencies: dependencies.into_values().collect(),
        untracked,
        runtime: runtime.map(|base| {
            let digest = match answers.get(&base.reference) {
                Some(Answer::Found { seen, .. }) => Some(seen.digest.clone()),
                Some(Answer::Fixed { digest, .. }) => Some(digest.clone()),
                Some(Answer::Kept(held)) => {
                    held.image.digests_of(&base.reference).into_iter().next()
                }
                _ => None,
            };
            (base.reference.clone(), digest)
        }),
        unpinned: unpinned.into_values().collect(),
        mirrored: answers
            .iter()
            .filter_map(|(source, answer)| Some((source.clone(), answer.mirror()?.usable()?)))
            .collect(),
        pulled,
        forced: bases
            .iter()
            .filter(|base| base.kind == BaseKind::Runtime)
            .flat_map(|base| base.platforms.iter().cloned())
            .collect(),
        answers,
    }
}

impl Answer {
    /// Returns what a copy must be to be as good; nothing for what has none.
    pub fn wanted(&self) -> Option<mirror::MirrorQuery> {
        match self {
            // Which has been looked at already, or stands in for its source.
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

fn dependency(
    base: &BaseImage,
    seen: &Seen,
    manifests: &Manifests,
    mirror: Option<&Mirror>,
) -> Dependency {
    Dependency {
        image: ImageDescriptor::new(&base.reference, Some(seen.digest.clone())),
        kind: kind(base.kind),
        manifests: manifests.clone(),
        line: base.line,
        mirror: mirror.map(|mirror| {
            Box::new(MirrorUse {
                image: mirror.image.clone(),
                used: mirror.usable().is_some(),
            })
        }),
    }
}

/// Returns what is recorded of a copy of the builder's own. Whether its digest is that of an index or of a manifest is not known for
/// sure, so that it stands for both; where the builder knows none, the first answer of the registry is an update.
fn kept(base: &BaseImage, image: &HeldImage) -> Dependency {
    let digests = image.digests_of(&base.reference);
    let manifests = one_manifest(digests.last(), &base.platforms);
    Dependency {
        image: ImageDescriptor::new(&base.reference, digests.into_iter().next()),
        kind: kind(base.kind),
        manifests,
        line: base.line,
        mirror: None,
    }
}

/// Returns what is recorded of a local image: its id stands for it on every platform.
fn stored(base: &BaseImage, image: &HeldImage) -> Dependency {
    Dependency {
        image: ImageDescriptor::new(&base.reference, image.id.clone()),
        kind: kind(base.kind),
        manifests: one_manifest(image.id.as_ref(), &base.platforms),
        line: base.line,
        mirror: None,
    }
}

/// Says in a task's words how the Dockerfile uses an image.
pub fn kind(kind: BaseKind) -> DependencyKind {
    match kind {
        BaseKind::Runtime => DependencyKind::Runtime,
        BaseKind::Buildtime => DependencyKind::Buildtime,
        BaseKind::Frontend => DependencyKind::Frontend,
    }
}

/// Returns what stays unpinned although a registry has it, and why: what a run's log should say.
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
