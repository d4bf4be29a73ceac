//! What was seen under each tag, and what that says of an image built on it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    image::{Digest, Reference},
    task::{Dependency, GitContext, Manifests},
};

/// What a registry said of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The digest of what the tag names: the index, where there is one.
    pub digest: Digest,
    /// The manifest for each platform that was asked for; `None` where the index has none for now.
    pub manifests: Manifests,
}

/// All that is remembered of a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TagRecord {
    /// The last good answer. An error never erases it.
    pub digest: Option<Digest>,
    /// The manifests behind it, for the platforms that somebody builds for.
    pub manifests: Manifests,
    /// When this digest was first seen.
    pub first_seen: Option<Timestamp>,
    /// When the tag began to move after it had been quiet; only where somebody waits for it to be quiet again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restless_since: Option<Timestamp>,
    /// When a registry was last asked, whatever it said.
    pub last_looked: Option<Timestamp>,
    /// When it is asked next.
    pub next_look: Option<Timestamp>,
    /// Before when its registry wants no more questions, whoever asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// What kept the last look from an answer.
    pub error: Option<LookError>,
}

/// The longest that a registry is left alone at its own wish.
const LONGEST_REST: SignedDuration = SignedDuration::from_hours(1);

impl TagRecord {
    /// Tells whether the registry wants to be left alone for now.
    #[must_use]
    pub fn rests(&self, now: Timestamp) -> bool {
        // What lies further ahead than any rest was written by a clock that has since been set back.
        self.not_before.is_some_and(|until| {
            now < until && until <= now.saturating_add(LONGEST_REST).unwrap_or(Timestamp::MAX)
        })
    }
}

/// Why a look at a tag gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LookError {
    /// What went wrong, on one line.
    pub message: String,
    /// Since when looks have gone wrong.
    pub since: Timestamp,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How many times the quiet period a tag is waited for at most, if it never stays quiet.
const LONGEST_SETTLING: i32 = 10;

/// What is remembered of every tag that somebody stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    records: BTreeMap<Reference, TagRecord>,
    assumed: BTreeSet<Reference>,
    heads: BTreeMap<GitContext, Head>,
    settled: BTreeSet<Reference>,
    quiet: SignedDuration,
}

/// Whether an image is still what a run was built on. Three answers, never two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Current,
    /// It moved. To what is `None` where it only will, by a run that has yet to be.
    Moved(Option<Digest>),
    /// Nobody could tell.
    Unknown {
        /// Why not.
        why: String,
        /// Since when.
        since: Option<Timestamp>,
        /// What to do about it.
        hint: Option<String>,
    },
}

/// Which commit a git repository has under the name that a context gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// This one.
    At(String),
    /// Nobody could tell.
    Unknown {
        /// Why not.
        why: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl Tags {
    /// Takes up what was remembered.
    #[must_use]
    pub fn new(records: BTreeMap<Reference, TagRecord>) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// Lets tags that moved be taken for moving until they have been quiet for `quiet`; zero waits for nothing.
    #[must_use]
    pub fn settling(mut self, quiet: SignedDuration) -> Self {
        self.quiet = quiet;
        self
    }

    /// Takes in which commits git repositories have now.
    #[must_use]
    pub fn with_heads(mut self, heads: BTreeMap<GitContext, Head>) -> Self {
        self.heads = heads;
        self
    }

    /// Returns which commit a repository has now, if it was asked.
    #[must_use]
    pub fn head(&self, git: &GitContext) -> Option<&Head> {
        self.heads.get(git)
    }

    /// Returns everything, to remember it.
    #[must_use]
    pub fn records(&self) -> &BTreeMap<Reference, TagRecord> {
        &self.records
    }

    /// Returns what is remembered of one tag.
    #[must_use]
    pub fn get(&self, tag: &Reference) -> Option<&TagRecord> {
        self.records.get(tag)
    }

    /// Returns what is remembered of one tag, to change it.
    pub fn entry(&mut self, tag: &Reference) -> &mut TagRecord {
        self.records.entry(tag.clone()).or_default()
    }

    /// Takes in an answer.
    pub fn observe(&mut self, tag: &Reference, seen: Observation, now: Timestamp) {
        let quiet = self.quiet;
        let record = self.entry(tag);
        if record.digest.as_ref() == Some(&seen.digest) {
            record.manifests.extend(seen.manifests);
        } else {
            let moves_on = record
                .first_seen
                .is_some_and(|seen| now < later(seen, quiet));
            record.restless_since = match record.restless_since {
                _ if quiet.is_zero() => None,
                Some(since) if moves_on => Some(since),
                _ => Some(now),
            };
            record.first_seen = Some(now);
            record.manifests = seen.manifests;
            record.digest = Some(seen.digest);
        }
        record.last_looked = Some(now);
        record.not_before = None;
        record.error = None;
    }

    /// Takes in that there was no answer. The last good one stays.
    pub fn miss(&mut self, tag: &Reference, message: String, hint: Option<String>, now: Timestamp) {
        let record = self.entry(tag);
        record.not_before = None;
        let since = record.error.as_ref().map_or(now, |error| error.since);
        record.last_looked = Some(now);
        record.error = Some(LookError {
            message,
            since,
            hint,
        });
    }

    /// Assumes that a run that has yet to be will move `tag`: how a dry run follows a chain.
    pub fn assume_moved(&mut self, tag: Reference) {
        self.assumed.insert(tag);
    }

    /// Takes what a run of this round has pushed for settled: what it moves follows at once.
    pub fn settle(&mut self, pushed: impl IntoIterator<Item = Reference>) {
        self.settled.extend(pushed);
    }

    /// Takes in that a round has built on `tags`: if they move again, that is waited for anew.
    pub fn built_on(&mut self, tags: &BTreeSet<Reference>) {
        for tag in tags {
            if let Some(record) = self.records.get_mut(tag) {
                record.restless_since = None;
            }
        }
    }

    /// Returns when `tag` will have been quiet for long enough, unless it has been: but never later than ten quiet periods after it
    /// began to move.
    #[must_use]
    pub fn settles_at(&self, tag: &Reference, now: Timestamp) -> Option<Timestamp> {
        let record = self.get(tag)?;
        let seen = record.first_seen.filter(|seen| *seen <= now)?;
        if self.quiet.is_zero() || self.settled.contains(tag) {
            return None;
        }
        let began = record.restless_since.unwrap_or(seen);
        let longest = self.quiet.saturating_mul(LONGEST_SETTLING);
        let until = later(seen, self.quiet).min(later(began, longest));
        (until > now).then_some(until)
    }

    /// Forgets every tag that nobody stands on any more.
    pub fn keep_only(&mut self, wanted: &BTreeSet<Reference>) {
        self.records.retain(|tag, _| wanted.contains(tag));
    }

    /// Tells whether `dependency` is still what the run that recorded it was built on.
    ///
    /// The digest of the tag is compared first. Where it differs, the manifests decide: an index that gained an
    /// attestation or another platform is no update, and a platform that is missing for now is "not yet".
    #[must_use]
    pub fn standing(&self, tag: &Reference, dependency: &Dependency) -> Standing {
        if self.assumed.contains(tag) {
            return Standing::Moved(None);
        }
        let unknown = |why: &str| Standing::Unknown {
            why: why.to_owned(),
            since: None,
            hint: None,
        };
        let Some(record) = self.get(tag) else {
            return unknown("it has not been looked at yet");
        };
        if let Some(error) = &record.error {
            return Standing::Unknown {
                why: error.message.clone(),
                since: Some(error.since),
                hint: error.hint.clone(),
            };
        }
        let Some(digest) = &record.digest else {
            return unknown("it has not been looked at yet");
        };
        if dependency.image.digest.as_ref() == Some(digest) {
            return Standing::Current;
        }
        if dependency.manifests.is_empty() {
            return Standing::Moved(Some(digest.clone()));
        }
        for (platform, recorded) in &dependency.manifests {
            match record.manifests.get(platform) {
                None => return unknown("its index has moved and has not been read yet"),
                Some(None) => {}
                Some(now) if now == recorded => {}
                Some(Some(_)) => return Standing::Moved(Some(digest.clone())),
            }
        }
        Standing::Current
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Platform;
    use crate::task::{DependencyKind, ImageDescriptor};

    fn tag() -> Reference {
        "r.io/base:1".parse().unwrap()
    }

    fn platform() -> Platform {
        "linux/amd64".parse().unwrap()
    }

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn built_on(index: &str, manifest: Option<&str>) -> Dependency {
        Dependency {
            image: ImageDescriptor::new(&tag(), Some(digest(index))),
            kind: DependencyKind::Runtime,
            manifests: Manifests::from_iter([(platform(), manifest.map(digest))]),
            line: 1,
            mirror: None,
        }
    }

    fn seeing(index: &str, manifest: Option<&str>) -> Tags {
        let mut tags = Tags::default();
        let seen = Observation {
            digest: digest(index),
            manifests: Manifests::from_iter([(platform(), manifest.map(digest))]),
        };
        tags.observe(&tag(), seen, at(5));
        tags
    }

    #[test]
    fn the_same_index_is_current() {
        let standing = seeing("i1", Some("m1")).standing(&tag(), &built_on("i1", Some("m1")));
        assert_eq!(standing, Standing::Current);
    }

    #[test]
    fn another_manifest_for_the_platform_is_a_move() {
        let standing = seeing("i2", Some("m2")).standing(&tag(), &built_on("i1", Some("m1")));
        assert_eq!(standing, Standing::Moved(Some(digest("i2"))));
    }

    #[test]
    fn another_index_around_the_same_manifest_is_current() {
        let standing = seeing("i2", Some("m1")).standing(&tag(), &built_on("i1", Some("m1")));
        assert_eq!(standing, Standing::Current);
    }

    #[test]
    fn a_platform_that_is_missing_for_now_is_no_move() {
        let standing = seeing("i2", None).standing(&tag(), &built_on("i1", Some("m1")));
        assert_eq!(standing, Standing::Current);
    }

    #[test]
    fn a_platform_that_has_come_is_a_move() {
        let standing = seeing("i2", Some("m1")).standing(&tag(), &built_on("i1", None));
        assert_eq!(standing, Standing::Moved(Some(digest("i2"))));
    }

    #[test]
    fn an_error_is_never_current_and_keeps_the_last_good_answer() {
        let mut tags = seeing("i1", Some("m1"));
        tags.miss(&tag(), "no answer".into(), None, at(7));
        tags.miss(&tag(), "still none".into(), None, at(9));
        assert_eq!(
            tags.standing(&tag(), &built_on("i1", Some("m1"))),
            Standing::Unknown {
                why: "still none".into(),
                since: Some(at(7)),
                hint: None
            }
        );
        assert_eq!(tags.get(&tag()).unwrap().digest, Some(digest("i1")));
        assert_eq!(tags.get(&tag()).unwrap().first_seen, Some(at(5)));
    }

    #[test]
    fn a_tag_never_looked_at_is_unknown() {
        let standing = Tags::default().standing(&tag(), &built_on("i1", Some("m1")));
        assert!(matches!(standing, Standing::Unknown { .. }));
    }

    #[test]
    fn a_registry_that_wants_rest_gets_it_unless_the_clock_was_set_back() {
        let record = TagRecord {
            not_before: Some(at(100)),
            ..TagRecord::default()
        };
        assert!(record.rests(at(99)));
        assert!(!record.rests(at(100)));
        assert!(!record.rests(at(-4000)));
    }

    #[test]
    fn first_seen_stays_while_the_digest_does() {
        let mut tags = seeing("i1", Some("m1"));
        let seen = Observation {
            digest: digest("i1"),
            manifests: Manifests::new(),
        };
        tags.observe(&tag(), seen, at(99));
        let record = tags.get(&tag()).unwrap();
        assert_eq!(record.first_seen, Some(at(5)));
        assert_eq!(record.last_looked, Some(at(99)));
        assert_eq!(record.manifests[&platform()], Some(digest("m1")));
    }

    fn push(tags: &mut Tags, content: &str, second: i64) {
        let seen = Observation {
            digest: digest(content),
            manifests: Manifests::new(),
        };
        tags.observe(&tag(), seen, at(second));
    }

    #[test]
    fn a_tag_is_settled_once_it_has_been_quiet() {
        let mut tags = Tags::default().settling(SignedDuration::from_secs(60));
        push(&mut tags, "one", 1000);
        push(&mut tags, "two", 2000);
        assert_eq!(tags.settles_at(&tag(), at(2000)), Some(at(2060)));
        push(&mut tags, "two", 2030);
        assert_eq!(tags.settles_at(&tag(), at(2059)), Some(at(2060)));
        assert_eq!(tags.settles_at(&tag(), at(2060)), None);
    }

    #[test]
    fn each_further_move_begins_the_quiet_anew_but_not_for_ever() {
        let mut tags = Tags::default().settling(SignedDuration::from_secs(60));
        push(&mut tags, "quiet", 1000);
        for n in 0..12 {
            push(&mut tags, &format!("{n}"), 2000 + n * 50);
        }
        assert_eq!(
            tags.settles_at(&tag(), at(2599)),
            Some(at(2600)),
            "ten periods after the first move"
        );
        assert_eq!(tags.settles_at(&tag(), at(2600)), None);
    }

    #[test]
    fn a_tag_that_was_built_on_in_the_midst_of_its_moves_is_waited_for_anew() {
        let mut tags = Tags::default().settling(SignedDuration::from_secs(60));
        push(&mut tags, "quiet", 1000);
        push(&mut tags, "one", 2000);
        push(&mut tags, "two", 2050);
        tags.built_on(&[tag()].into());
        push(&mut tags, "three", 2080);
        push(&mut tags, "four", 2130);
        assert_eq!(tags.get(&tag()).unwrap().restless_since, Some(at(2080)));
        assert_eq!(tags.settles_at(&tag(), at(2130)), Some(at(2190)));
    }

    #[test]
    fn a_move_after_a_quiet_period_is_waited_for_anew() {
        let mut tags = Tags::default().settling(SignedDuration::from_secs(60));
        push(&mut tags, "one", 1000);
        push(&mut tags, "two", 1100);
        push(&mut tags, "three", 9000);
        assert_eq!(tags.settles_at(&tag(), at(9001)), Some(at(9060)));
    }

    #[test]
    fn nothing_is_waited_for_without_a_quiet_period_or_after_an_own_push() {
        let mut tags = Tags::default();
        push(&mut tags, "one", 1000);
        assert_eq!(tags.settles_at(&tag(), at(1000)), None);
        assert_eq!(tags.get(&tag()).unwrap().restless_since, None);
        let mut tags = tags.settling(SignedDuration::from_secs(60));
        push(&mut tags, "two", 1001);
        tags.settle([tag()]);
        assert_eq!(tags.settles_at(&tag(), at(1001)), None);
    }

    #[test]
    fn a_clock_set_back_does_not_stretch_the_wait() {
        let mut tags = Tags::default().settling(SignedDuration::from_secs(60));
        push(&mut tags, "one", 100_000);
        assert_eq!(tags.settles_at(&tag(), at(5)), None);
    }
}
