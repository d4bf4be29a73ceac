//! A base image that annotations, attestations or the like name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::{Digest, Platform, Reference};

/// How many characters of an untrusted text are shown.
const MAX_SHOWN: usize = 200;

/// An image that another was built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The name as written, made safe to be shown.
    pub written: String,
    /// The image; `None` where only a digest is known, or the written name is invalid.
    pub image: Option<Reference>,
    /// The digest, of an index or a manifest.
    pub digest: Option<Digest>,
    /// The platform that was used of it, where it is given.
    pub platform: Option<Platform>,
    /// Whether it only read the Dockerfile, so that nothing of it is in the image.
    pub is_frontend: bool,
}

/// How a base became known, the most informative source first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// From an annotation of the manifest or the index.
    Annotation,
    /// From a label in the image's config.
    Label,
    /// From an attestation of how the image was built.
    Provenance,
    Layers,
    /// From the history in its config, because its layers were squashed.
    History,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Annotation => "annotation",
            Self::Label => "label",
            Self::Provenance => "provenance",
            Self::Layers => "layers",
            Self::History => "history",
        })
    }
}

impl Base {
    /// Returns the tag whose image is the base now; `None` where only a digest is known.
    pub fn tag(&self) -> Option<Reference> {
        self.image.as_ref()?.without_digest()
    }
}

/// Makes an untrusted text safe to be shown: shortened, and without control characters.
pub fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
