//! Why a run was made, in whole: from which digest a base moved to which, when that was seen and by what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::{Digest, Platform, Reference};

/// By what it came to be known that a base had moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenBy {
    /// A look whose time had come, or that a person asked for.
    Poll,
    /// A look that a webhook asked for.
    Webhook,
    /// The run of another task, which pushed it.
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

/// A base that moved, from what to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseUpdate {
    /// The base, as its task names it, with its registry.
    pub image: String,
    /// The digest that the last run was built on: of the index, where there is one.
    pub previous_digest: Option<Digest>,
    /// The digest that it has now; none where only a run will tell.
    pub digest: Option<Digest>,
    /// A platform that the task is built for and for which the two differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The manifest that the platform had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_manifest: Option<Digest>,
    /// The manifest that it has now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// When the new digest was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<SeenBy>,
}

impl BaseUpdate {
    /// Says on one line from what to what it moved: `node:20-alpine 1f0c… → 8c31…`.
    pub fn line(&self) -> String {
        let image = Reference::familiar_text(&self.image);
        let digest = tiny(self.digest.as_ref());
        match &self.previous_digest {
            Some(before) => format!("{image} {} → {digest}", tiny(Some(before))),
            None => format!("{image} → {digest}"),
        }
    }

    /// Says when and by what it was seen, as far as that is known: `, seen 2026-01-31T08:00:00Z by webhook`.
    pub fn sighting(&self) -> String {
        let seen = self.seen.map(|seen| format!(", seen {seen:.0}"));
        let by = self.seen_by.map(|by| format!(" by {}", by.word()));
        match seen {
            Some(seen) => seen + &by.unwrap_or_default(),
            None => String::new(),
        }
    }
}

/// Returns the first digits of a digest: enough to tell two of one tag apart.
pub(super) fn tiny(digest: Option<&Digest>) -> String {
    let digits = digest.map(|digest| digest.hex().get(..4).unwrap_or(digest.hex()));
    digits.map_or("unknown".to_owned(), |digits| format!("{digits}…"))
}
