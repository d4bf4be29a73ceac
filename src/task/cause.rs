//! Why a run was made, in whole: from which digest a base moved to which, when that was seen and by what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::{Digest, Platform, Reference};

use super::{ImageDescriptor, Run};

/// By what it came to be known that a base had moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenBy {
    /// A look whose time had come, or that somebody asked for.
    Poll,
    /// A look that a webhook asked for.
    Webhook,
    /// The run of another task, which pushed it.
    Run,
}

impl SeenBy {
    /// Returns the word for it.
    #[must_use]
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
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<SeenBy>,
}

impl BaseUpdate {
    /// Says on one line from what to what it moved: `node:20-alpine 1f0c… → 8c31…`.
    #[must_use]
    pub fn line(&self) -> String {
        let image = self.image.parse::<Reference>();
        let image = image.map_or_else(|_| self.image.clone(), |image| image.familiar());
        let digest = tiny(self.digest.as_ref());
        match &self.previous_digest {
            Some(before) => format!("{image} {} → {digest}", tiny(Some(before))),
            None => format!("{image} → {digest}"),
        }
    }

    /// Says when and by what it was seen, as far as that is known: `, seen 2026-01-31T08:00:00Z by webhook`.
    #[must_use]
    pub fn sighting(&self) -> String {
        let seen = self.seen.map(|seen| format!(", seen {seen:.0}"));
        let by = self.seen_by.map(|by| format!(" by {}", by.word()));
        match seen {
            Some(seen) => seen + &by.unwrap_or_default(),
            None => String::new(),
        }
    }
}

/// The first digits of a digest: enough to tell two of one tag apart.
fn tiny(digest: Option<&Digest>) -> String {
    let digits = digest.map(|digest| digest.hex().get(..4).unwrap_or(digest.hex()));
    digits.map_or("unknown".to_owned(), |digits| format!("{digits}…"))
}

impl Run {
    /// Says on one line why it was made, without the times: `node:20-alpine 1f0c… → 8c31…`, `timer nightly`, `commit 4be1…`, `by hand`.
    #[must_use]
    pub fn cause(&self) -> String {
        self.causes_by(|_| String::new())
    }

    /// Says the same, and when and by what each move was seen.
    #[must_use]
    pub fn cause_with_sightings(&self) -> String {
        self.causes_by(BaseUpdate::sighting)
    }

    fn causes_by(&self, more: impl Fn(&BaseUpdate) -> String) -> String {
        let updates = &self.base_updates;
        let mut parts: Vec<String> = updates.iter().map(|it| it.line() + &more(it)).collect();
        let images = self.image_update_trigger.iter().flat_map(|it| &it.images);
        let is_told = |image: &ImageDescriptor| {
            let mut told = updates.iter();
            told.any(|it| it.image == image.tagged())
        };
        for image in images.filter(|image| !is_told(image)) {
            let name = image.reference().map(|it| it.familiar());
            let name = name.unwrap_or_else(|| image.tagged());
            parts.push(match &image.digest {
                Some(digest) => format!("{name} → {}", tiny(Some(digest))),
                None => format!("{name} is in its files now"),
            });
        }
        if let Some(source) = &self.source_trigger {
            let commit = source.commit_id.get(..4).unwrap_or(&source.commit_id);
            parts.push(format!("commit {commit}…"));
        }
        parts.extend(
            self.timer_triggers
                .iter()
                .map(|it| format!("timer {}", it.timer)),
        );
        match parts.is_empty() {
            true => "by hand".to_owned(),
            false => parts.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Cause, Occurrence, RunId, SourceCause, Triggers, run::ImageUpdateTrigger};

    fn run(triggers: Triggers) -> Run {
        let cause = Cause::Triggered(triggers);
        Run::queued(RunId::new(1), "r.io", &cause, Timestamp::UNIX_EPOCH)
    }

    fn node() -> ImageDescriptor {
        ImageDescriptor {
            digest: Some(Digest::of(b"new")),
            ..ImageDescriptor::new(&"node:20-alpine".parse().unwrap(), None)
        }
    }

    #[test]
    fn causes_are_named_with_both_digests_and_in_few_words() {
        let update = BaseUpdate {
            image: "docker.io/library/node:20-alpine".into(),
            previous_digest: Some(Digest::of(b"old")),
            digest: Some(Digest::of(b"new")),
            platform: None,
            previous_manifest: None,
            manifest: None,
            seen: Some(Timestamp::UNIX_EPOCH),
            seen_by: Some(SeenBy::Webhook),
        };
        let of = |bytes: &[u8]| Digest::of(bytes).hex()[..4].to_owned();
        let (old, new) = (of(b"old"), of(b"new"));
        let moved = run(Triggers {
            images: vec![node()],
            updates: vec![update],
            timers: vec![Occurrence {
                timer: "nightly".parse().unwrap(),
                time: Timestamp::UNIX_EPOCH,
            }],
            source: Some(SourceCause {
                repository_url: "https://git.example/x.git".into(),
                branch_name: None,
                commit_id: "4be1aaaa".into(),
            }),
        });
        let base = format!("node:20-alpine {old}… → {new}…");
        assert_eq!(
            moved.cause(),
            format!("{base}, commit 4be1…, timer nightly")
        );
        let whole = moved.cause_with_sightings();
        assert!(whole.starts_with(&format!(
            "{base}, seen 1970-01-01T00:00:00Z by webhook, commit"
        )));
    }

    #[test]
    fn record_of_an_earlier_version_names_what_the_base_moved_to() {
        let mut old = run(Triggers::default());
        assert_eq!(old.cause(), "by hand");
        old.image_update_trigger = Some(ImageUpdateTrigger {
            id: "ca1".into(),
            timestamp: Timestamp::UNIX_EPOCH,
            images: vec![node()],
        });
        let new = Digest::of(b"new").hex()[..4].to_owned();
        assert_eq!(old.cause(), format!("node:20-alpine → {new}…"));
    }
}
