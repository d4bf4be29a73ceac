//! The full cause of a run: from which digest a base moved to which, when the move was seen and how.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::{Digest, Platform, Reference};

/// How a base's move was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenBy {
    /// A look at its scheduled time, or one that a person asked for.
    Poll,
    /// A look caused by a webhook.
    Webhook,
    /// The run of another task, which pushed the image.
    Run,
}

impl SeenBy {
    pub fn word(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Webhook => "webhook",
            Self::Run => "run",
        }
    }
}

/// A base that moved, with its digests before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseUpdate {
    /// The base, as its task names it, with its registry.
    pub image: String,
    /// The digest that the last run was built on: that of the index, where there is one.
    pub previous_digest: Option<Digest>,
    /// The new digest; `None` where only a run will show it.
    pub digest: Option<Digest>,
    /// A platform of the task on which the manifests differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The platform's previous manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_manifest: Option<Digest>,
    /// The platform's new manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// When the new digest was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<SeenBy>,
}

impl BaseUpdate {
    /// Formats the move on one line: `node:20-alpine 1f0c… → 8c31…`.
    pub fn line(&self) -> String {
        let image = Reference::familiar_text(&self.image);
        let digest = tiny(self.digest.as_ref());
        match &self.previous_digest {
            Some(before) => format!("{image} {} → {digest}", tiny(Some(before))),
            None => format!("{image} → {digest}"),
        }
    }

    /// Formats when and how the move was seen, as far as known: `, seen 2026-01-31T08:00:00Z by webhook`.
    pub fn sighting(&self) -> String {
        let seen = self.seen.map(|seen| format!(", seen {seen:.0}"));
        let by = self.seen_by.map(|by| format!(" by {}", by.word()));
        match seen {
            Some(seen) => seen + &by.unwrap_or_default(),
            None => String::new(),
        }
    }
}

/// Returns the first digits of a digest, enough to distinguish two digests of one tag.
pub(super) fn tiny(digest: Option<&Digest>) -> String {
    let digits = digest.map(|digest| digest.hex().get(..4).unwrap_or(digest.hex()));
    digits.map_or("unknown".to_owned(), |digits| format!("{digits}…"))
}
