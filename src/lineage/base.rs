//! A base image, as something says that it was one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::{Digest, Platform, Reference};

/// How much of a text of a stranger's is shown, in characters.
const MAX_SHOWN: usize = 200;

/// An image that another was built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// As it was written, fit to be shown.
    pub written: String,
    /// The image; none where only a digest is known, or what was written names none.
    pub image: Option<Reference>,
    /// What it was, an index or a manifest.
    pub digest: Option<Digest>,
    /// The platform that was taken of it, where that is said.
    pub platform: Option<Platform>,
    /// Whether it only read the Dockerfile, so that nothing of it is in the image.
    pub is_frontend: bool,
}

/// How a base became known, what says most of it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// By an annotation of the manifest or the index.
    Annotation,
    /// By a label of the image's config.
    Label,
    /// By an attestation of how the image was built.
    Provenance,
    Layers,
    /// By the history in its config, because its layers were squashed.
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
    /// Returns the tag that says what the base is now; none where it is known by a digest alone.
    pub fn tag(&self) -> Option<Reference> {
        self.image.as_ref()?.without_digest()
    }
}

/// Makes a text of a stranger's fit to be shown: short, and without what a terminal obeys.
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
