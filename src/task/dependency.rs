//! The images that a run depended on, as they were then.

use std::fmt;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::image::{Digest, Platform, Reference};

use super::BaseImageTriggerType;

/// One image on a registry: which, under which tag, and what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDescriptor {
    /// The login server.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The tag, if it has one.
    pub tag: Option<String>,
    /// The digest that the tag had: of the index, where there is one.
    pub digest: Option<Digest>,
}

impl ImageDescriptor {
    /// Returns what `reference` names, with the digest that it stood for.
    #[must_use]
    pub fn new(reference: &Reference, digest: Option<Digest>) -> Self {
        Self {
            registry: reference.registry().into(),
            repository: reference.repository().into(),
            tag: reference.tag().map(Into::into),
            digest,
        }
    }

    /// Returns what is followed: the image by its tag. `None` where it has no tag, or was written down by hand and is no reference.
    #[must_use]
    pub fn reference(&self) -> Option<Reference> {
        self.tag.as_ref()?;
        self.tagged().parse().ok()
    }

    /// Returns registry, repository and tag as they are written in a Dockerfile.
    #[must_use]
    pub fn tagged(&self) -> String {
        match &self.tag {
            Some(tag) => format!("{}/{}:{tag}", self.registry, self.repository),
            None => format!("{}/{}", self.registry, self.repository),
        }
    }
}

/// How a build uses an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DependencyKind {
    /// The final stage depends on it.
    Runtime,
    /// Another stage depends on it, or files are taken from it.
    Buildtime,
    /// It reads the Dockerfile: the image of `# syntax=`.
    Frontend,
}

impl DependencyKind {
    /// Tells whether a move of such an image runs a task with this trigger type.
    #[must_use]
    pub fn counts_for(self, trigger: BaseImageTriggerType) -> bool {
        self == Self::Runtime || trigger == BaseImageTriggerType::All
    }
}

/// The manifest for each platform that somebody builds for; `None` for a platform that the image does not have, or not yet.
///
/// Nearly always one entry, and kept for every task and every tag.
pub type Manifests = LiteMap<Platform, Option<Digest>>;

/// An image that a successful run depended on and whose tag may move: what `watch` compares with the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// The image, its tag, and the digest that the run was built on. Without a digest, its registry did not answer and the builder used a
    /// copy of its own of which nobody knows what it is: the first answer of the registry is then an update.
    #[serde(flatten)]
    pub image: ImageDescriptor,
    /// How the build used it.
    #[serde(rename = "type")]
    pub kind: DependencyKind,
    /// The manifest for each platform that was built; these decide whether the image moved.
    /// `None` for a platform that the image did not have yet.
    #[serde(default)]
    pub manifests: Manifests,
    /// The line of the Dockerfile that names it, counted from 1; 0 where no line does.
    #[serde(default)]
    pub line: usize,
    /// The copy of one's own that the config file names for it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Box<MirrorUse>>,
}

/// The copy of an image, and whether a run was built on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorUse {
    /// The copy, by the tag.
    pub image: Reference,
    /// Whether it was what the source was, so that it was used.
    pub used: bool,
}

/// An image that a run depended on and that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Untracked {
    /// The image as the Dockerfile names it.
    pub image: String,
    /// Why it is not followed.
    pub reason: String,
}

impl fmt::Display for Untracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not followed: {}", self.image, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_runtime_counts_the_final_base_alone_and_type_all_counts_every_image() {
        use {BaseImageTriggerType::*, DependencyKind as Kind};
        assert!(Kind::Runtime.counts_for(Runtime));
        assert!(!Kind::Buildtime.counts_for(Runtime));
        assert!(!Kind::Frontend.counts_for(Runtime));
        assert!(Kind::Buildtime.counts_for(All));
        assert!(Kind::Frontend.counts_for(All));
    }
}
