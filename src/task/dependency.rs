//! The images that a run depended on, with their digests at that time.

use std::fmt;

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize};

use crate::image::{Digest, Platform, Reference};

use super::BaseImageTriggerType;

/// One image on a registry, its tag and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "DescriptorFields", into = "DescriptorFields")]
pub struct ImageDescriptor {
    name: ImageName,
    /// The digest that the tag had: that of the index, where there is one.
    pub digest: Option<Digest>,
}

/// An image name, parsed once; everything that compares it shares its text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ImageName {
    /// A reference with a tag.
    Tagged(Reference),
    /// A name without a tag, or one written by hand that is no reference: registry, repository and tag.
    Other(Box<(String, String, Option<String>)>),
}

/// The serialized form of an image.
#[derive(Serialize, Deserialize)]
struct DescriptorFields {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl From<DescriptorFields> for ImageDescriptor {
    fn from(fields: DescriptorFields) -> Self {
        let DescriptorFields {
            registry,
            repository,
            tag,
            digest,
        } = fields;
        Self {
            name: ImageName::new(registry, repository, tag),
            digest,
        }
    }
}

impl From<ImageDescriptor> for DescriptorFields {
    fn from(image: ImageDescriptor) -> Self {
        Self {
            registry: image.registry().to_owned(),
            repository: image.repository().to_owned(),
            tag: image.tag().map(str::to_owned),
            digest: image.digest,
        }
    }
}

impl ImageName {
    fn new(registry: String, repository: String, tag: Option<String>) -> Self {
        let tagged = tag.as_ref();
        match tagged.and_then(|tag| Reference::of_parts(&registry, &repository, tag)) {
            Some(reference) => Self::Tagged(reference),
            None => Self::Other(Box::new((registry, repository, tag))),
        }
    }
}

impl ImageDescriptor {
    /// Returns a descriptor of `reference` with the digest that it had.
    pub fn new(reference: &Reference, digest: Option<Digest>) -> Self {
        let name = match reference.without_digest() {
            Some(tagged) => ImageName::Tagged(tagged),
            None => {
                let (registry, repository) = (reference.registry(), reference.repository());
                ImageName::Other(Box::new((registry.into(), repository.into(), None)))
            }
        };
        Self { name, digest }
    }

    /// Returns the login server.
    pub fn registry(&self) -> &str {
        match &self.name {
            ImageName::Tagged(reference) => reference.registry(),
            ImageName::Other(parts) => &parts.0,
        }
    }

    pub fn repository(&self) -> &str {
        match &self.name {
            ImageName::Tagged(reference) => reference.repository(),
            ImageName::Other(parts) => &parts.1,
        }
    }

    pub fn tag(&self) -> Option<&str> {
        match &self.name {
            ImageName::Tagged(reference) => reference.tag(),
            ImageName::Other(parts) => parts.2.as_deref(),
        }
    }

    /// Returns the same image with another digest.
    pub fn with_digest(&self, digest: Option<Digest>) -> Self {
        Self {
            name: self.name.clone(),
            digest,
        }
    }

    /// Returns the image by its tag, to be followed. `None` where it has no tag, or was written by hand and is no reference.
    pub fn reference(&self) -> Option<Reference> {
        match &self.name {
            ImageName::Tagged(reference) => Some(reference.clone()),
            ImageName::Other(parts) => {
                parts.2.as_ref()?;
                self.tagged().parse().ok()
            }
        }
    }

    /// Returns registry, repository and tag as in a Dockerfile.
    pub fn tagged(&self) -> String {
        let (registry, repository) = (self.registry(), self.repository());
        match self.tag() {
            Some(tag) => format!("{registry}/{repository}:{tag}"),
            None => format!("{registry}/{repository}"),
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
    /// The image of `# syntax=`, which reads the Dockerfile.
    Frontend,
}

impl DependencyKind {
    /// Tells whether a move of such an image runs a task with this trigger type.
    pub fn counts_for(self, trigger: BaseImageTriggerType) -> bool {
        self == Self::Runtime || trigger == BaseImageTriggerType::All
    }
}

/// The manifest for each platform that tasks build for; `None` for a platform that the image does not have, or not yet.
///
/// Nearly always one entry; held for every task and every tag.
pub type Manifests = LiteMap<Platform, Option<Digest>>;

/// Deserializes manifests without spare capacity.
///
/// # Errors
///
/// If they are not of this form.
pub fn exact_manifests<'de, D: Deserializer<'de>>(input: D) -> Result<Manifests, D::Error> {
    let mut sorted = Manifests::deserialize(input)?.into_tuple_vec();
    sorted.shrink_to_fit();
    Ok(Manifests::from_sorted_store_unchecked(sorted))
}

/// Returns the same digest for each platform; nothing without a digest.
pub fn one_manifest<'p>(
    digest: Option<&Digest>,
    platforms: impl IntoIterator<Item = &'p Platform>,
) -> Manifests {
    let Some(digest) = digest else {
        return Manifests::new();
    };
    let platforms = platforms.into_iter().cloned();
    platforms.map(|it| (it, Some(digest.clone()))).collect()
}

/// An image that a successful run depended on and whose tag may move: `watch` compares it with the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "DependencyFields")]
pub struct Dependency {
    /// The image, its tag, and the digest that the run was built on. Without a digest, the registry did not answer and the builder used
    /// its own copy of unknown content: the registry's first answer then counts as an update.
    #[serde(flatten)]
    pub image: ImageDescriptor,
    #[serde(rename = "type")]
    pub kind: DependencyKind,
    /// The manifest for each platform that was built, which decides whether the image moved. `None` for a platform that
    /// the image did not have yet.
    pub manifests: Manifests,
    /// Whether it was taken from the builder's own store, because a local task makes it: no registry is asked for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_local: bool,
    /// The line of the Dockerfile that names it, counted from 1; 0 where no line does.
    pub line: usize,
    /// The mirror of the image that the config file names, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Box<MirrorUse>>,
}

/// The serialized form of a dependency, in one struct: serde reads flattened fields twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DependencyFields {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
    r#type: DependencyKind,
    #[serde(default, deserialize_with = "exact_manifests")]
    manifests: Manifests,
    #[serde(default)]
    is_local: bool,
    #[serde(default)]
    line: usize,
    #[serde(default)]
    mirror: Option<Box<MirrorUse>>,
}

impl From<DependencyFields> for Dependency {
    fn from(fields: DependencyFields) -> Self {
        let DependencyFields {
            registry,
            repository,
            tag,
            digest,
            r#type,
            manifests,
            is_local,
            line,
            mirror,
        } = fields;
        Self {
            image: ImageDescriptor {
                name: ImageName::new(registry, repository, tag),
                digest,
            },
            kind: r#type,
            manifests,
            is_local,
            line,
            mirror,
        }
    }
}

/// The mirror of an image, and whether a run was built on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorUse {
    /// The mirror, with its tag.
    pub image: Reference,
    /// Whether the mirror had the source's digest and was used.
    pub used: bool,
}

/// An image that a run depended on and that is not followed, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Untracked {
    /// The image as the Dockerfile names it.
    pub image: String,
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
    fn dependency_image_is_written_as_read_even_if_it_is_no_reference() {
        let tagged = [("r.io", "team/web", "1", Some("r.io/team/web:1"))];
        let odd = [
            ("docker.io", "node", "1", Some("docker.io/library/node:1")),
            (
                "index.docker.io",
                "library/node",
                "1",
                Some("docker.io/library/node:1"),
            ),
            ("r.io", "Web", "1", None),
            ("r.io", "web", "1@sha256:0", None),
        ];
        for (registry, repository, tag, name) in tagged.into_iter().chain(odd) {
            let text = format!(
                r#"{{"registry":"{registry}","repository":"{repository}","tag":"{tag}","digest":null}}"#
            );
            let image: ImageDescriptor = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&image).unwrap(), text);
            assert_eq!(image.tagged(), format!("{registry}/{repository}:{tag}"));
            let reference = image.reference().map(|it| it.to_string());
            assert_eq!(reference.as_deref(), name);
        }
        let untagged = ImageDescriptor::new(
            &format!("r.io/web@{}", Digest::of(b"x")).parse().unwrap(),
            None,
        );
        assert_eq!((untagged.tag(), untagged.reference()), (None, None));
        let text = serde_json::to_string(&untagged).unwrap();
        assert_eq!(
            serde_json::from_str::<ImageDescriptor>(&text).unwrap(),
            untagged
        );
    }

    #[test]
    fn trigger_type_runtime_counts_the_final_base_alone_and_type_all_every_image() {
        use {BaseImageTriggerType::*, DependencyKind as Kind};
        assert!(Kind::Runtime.counts_for(Runtime));
        assert!(!Kind::Buildtime.counts_for(Runtime));
        assert!(!Kind::Frontend.counts_for(Runtime));
        assert!(Kind::Buildtime.counts_for(All));
        assert!(Kind::Frontend.counts_for(All));
    }
}
