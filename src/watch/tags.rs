//! What looks have seen of each tag, and whether an image built on it is still current.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    image::{Digest, Reference},
    lineage::is_build_time,
    task::{BaseUpdate, Dependency, GitContext, Manifests, SeenBy, exact_manifests},
};

use super::schedule::{Pauses, later};

/// What a registry answered about a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The digest of the tag: of the index, where there is one.
    pub digest: Digest,
    /// The manifest for each platform that was asked for; `None` where the index lacks one now.
    pub manifests: Manifests,
    /// When the image was made, if that was asked for.
    pub created: Option<Timestamp>,
}

/// All that is remembered of a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TagRecord {
    /// The digest in the last successful answer. An error never erases it.
    pub digest: Option<Digest>,
    /// The manifests behind that digest, for the platforms that tasks build for.
    #[serde(deserialize_with = "exact_manifests")]
    pub manifests: Manifests,
    /// When this digest was first seen.
    pub first_seen: Option<Timestamp>,
    /// How it was seen; unknown in records of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<SeenBy>,
    /// Whether the next look is made because of a webhook.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_hinted: bool,
    /// When the tag began to move after a quiet time; removed when a round builds on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restless_since: Option<Timestamp>,
    /// When the last question was asked that the registry has answered, whatever the answer.
    pub last_looked: Option<Timestamp>,
    pub next_look: Option<Timestamp>,
    /// The registry asks for no more requests before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Why the last look gave no answer.
    pub error: Option<Box<LookError>>,
    /// The moves within the hour before the last move.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Timestamp>,
    /// Whether people have been told that the tag flaps.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flapping_reported: bool,
    /// The digests that a webhook announced and no look has found yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Box<Expected>>,
    /// When the image of this digest was made, by its config, but not before the last look that found another digest; only known where a
    /// task has a minimum age for bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The earlier digests of the tag, oldest first; only kept where a task has, or had, a minimum age for bases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<PreviousDigest>,
}

/// An earlier digest of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousDigest {
    pub digest: Digest,
    /// The manifests behind the digest.
    pub manifests: Manifests,
    /// When the digest was first seen, or the image was made, whichever was earlier.
    pub since: Timestamp,
}

/// How many earlier digests of a tag are kept.
const MAX_EARLIER: usize = 64;

/// The longest that a registry is left alone because it asks for that.
const LONGEST_REST: SignedDuration = SignedDuration::from_hours(1);

impl TagRecord {
    /// Adds the present digest to the history, if tasks have a minimum age, which were built on the digests `built`, or if it has a history:
    /// the task that needs it may be broken at the moment.
    fn remember_earlier(&mut self, built: Option<&BTreeSet<Digest>>, now: Timestamp) {
        if built.is_none() && self.history.is_empty() {
            return;
        }
        let since = self.since();
        if let (Some(digest), Some(since)) = (self.digest.take(), since) {
            self.history.retain(|earlier| earlier.digest != digest);
            self.history.push(PreviousDigest {
                digest,
                manifests: std::mem::take(&mut self.manifests),
                since,
            });
        }
        while self.history.len() > MAX_EARLIER {
            let least = built.and_then(|built| self.least_needed(built, now));
            self.history.remove(least.unwrap_or(0));
        }
    }

    /// Returns the earlier digest whose neighbours are the closest for its age, so that the history has a digest of about any age: the oldest
    /// would never become old enough if it were removed for being the oldest. Without a digest that a task was built on, the task would go
    /// back to an older one.
    fn least_needed(&self, built: &BTreeSet<Digest>, now: Timestamp) -> Option<usize> {
        let triples = self.history.windows(3).enumerate();
        let spare = triples.filter(|(_, triple)| !built.contains(&triple[1].digest));
        let gaps = spare.map(|(n, triple)| {
            let gap = triple[2].since.duration_since(triple[0].since).abs();
            let age = now.duration_since(triple[1].since);
            (n + 1, gap.as_secs_f64() / age.as_secs_f64().max(1.0))
        });
        let least = gaps.min_by(|(_, one), (_, other)| one.total_cmp(other));
        least.map(|(n, _)| n)
    }

    /// Replaces times ahead of now, which were written before the clock was set back: no digest ages before it was seen.
    fn correct_times(&mut self, now: Timestamp) {
        let history = self.history.iter_mut().map(|earlier| &mut earlier.since);
        let error = self.error.as_mut().map(|error| &mut error.since);
        for time in history.chain(error).chain(&mut self.first_seen) {
            *time = (*time).min(now);
        }
    }

    /// Returns since when the present digest counts: when the tag first had it, or its image was made, whichever was earlier. A digest that
    /// the tag returns to does not become young again.
    fn since(&self) -> Option<Timestamp> {
        let earlier = self.history.iter();
        let earlier = earlier.filter(|earlier| Some(&earlier.digest) == self.digest.as_ref());
        let times = earlier.map(|earlier| earlier.since).chain(self.first_seen);
        let created = self.created.filter(is_build_time);
        let first = times.chain(created).min();
        first.filter(|_| self.first_seen.is_some())
    }

    /// Records that a webhook announced `digest`. The next looks seek all announced digests.
    pub fn expect(&mut self, digest: Digest) {
        if self.has(&digest) {
            return;
        }
        let expected = self.expected.take();
        let mut digests = expected.map_or_else(BTreeSet::new, |it| it.digests);
        if digests.len() < MOST_EXPECTED {
            digests.insert(digest);
        }
        self.expected = Some(Box::new(Expected { digests, looks: 0 }));
    }

    /// Returns when to look again because the last look did not find an announced digest.
    pub fn look_again(&mut self, now: Timestamp) -> Option<Timestamp> {
        let Expected { mut digests, looks } = *self.expected.take()?;
        digests.retain(|digest| !self.has(digest));
        let pause = EXPECTED_PAUSES
            .get(usize::from(looks))
            .filter(|_| !digests.is_empty())?;
        let looks = looks + 1;
        self.expected = Some(Box::new(Expected { digests, looks }));
        Some(later(now, SignedDuration::from_secs(*pause)))
    }

    /// Tells whether the manifests for all platforms of `wanted` are known.
    pub fn has_all(&self, wanted: &Manifests) -> bool {
        wanted.keys().all(|it| self.manifests.contains_key(it))
    }

    fn has(&self, digest: &Digest) -> bool {
        let mut manifests = self.manifests.values().flatten();
        self.digest.as_ref() == Some(digest) || manifests.any(|it| it == digest)
    }

    /// Tells whether the tag is to be looked at: the time of the next look has come, is not set, or makes no sense.
    pub fn is_due(&self, pauses: Pauses, now: Timestamp) -> bool {
        let Some(next) = self.next_look else {
            return true;
        };
        // A clock that was set back must not delay a look for longer than the longest pause.
        next <= now || next > later(now, pauses.longest(self.unanswered()))
    }

    /// Returns how many looks in a row had no answer, or no verified one.
    fn unanswered(&self) -> u32 {
        let error = self.error.as_ref();
        let error = error.filter(|error| match error.kind {
            LookErrorKind::Unknown | LookErrorKind::Unverified => true,
            LookErrorKind::Absent | LookErrorKind::NoImage => false,
        });
        error.map_or(0, |error| error.count)
    }

    /// Returns when the tag began to move after it had been quiet for `debounce`.
    fn restless_after(&self, debounce: SignedDuration) -> Option<Timestamp> {
        let mut moves = self.moves.windows(2).rev();
        let after_quiet = moves.find(|pair| later(pair[0], debounce) <= pair[1]);
        after_quiet.map(|pair| pair[1]).max(self.restless_since)
    }

    /// Returns how often the tag has moved within the last hour, if that is more often than pushes alone explain.
    pub fn flaps(&self, now: Timestamp) -> Option<usize> {
        let moves = self.moves.iter();
        let recent = moves.filter(|moved| within_an_hour(**moved, now));
        Some(recent.count()).filter(|count| *count > MOVES_AN_HOUR)
    }

    /// Tells whether the registry still asks to be left alone.
    pub fn rests(&self, now: Timestamp) -> bool {
        // A time further ahead than any rest was written before the clock was set back.
        self.not_before
            .is_some_and(|until| now < until && until <= later(now, LONGEST_REST))
    }
}

/// Why a look at a tag gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LookError {
    /// What went wrong, on one line.
    pub message: String,
    /// Since when looks have failed in this way.
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The kind of failure.
    #[serde(default)]
    pub kind: LookErrorKind,
    /// How many looks in a row have failed in this way.
    #[serde(default)]
    pub count: u32,
    /// The digest of the tag that must not be used, where that was the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Digest>,
    /// The error that the last answer was, if there is no answer now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Box<Self>>,
}

/// The kind of a failed look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookErrorKind {
    /// No answer about the tag was received.
    #[default]
    Unknown,
    /// The registry answers that there is no such tag.
    Absent,
    /// The tag exists, and is not an image.
    NoImage,
    /// The tag exists, and the program that verifies images rejects it.
    Unverified,
}

/// The result of a look at a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookResult {
    pub asked: Timestamp,
    /// The answer, or why there is none.
    pub result: Result<Observation, FailedLook>,
    /// The registry asks for no more requests before this time.
    pub not_before: Option<Timestamp>,
}

/// A look that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedLook {
    /// What went wrong, on one line.
    pub message: String,
    pub hint: Option<String>,
    pub kind: LookErrorKind,
    /// The digest that was seen and must not be used.
    pub rejected: Option<Digest>,
}

impl FailedLook {
    /// Returns a look that gave no answer, and why.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            kind: LookErrorKind::Unknown,
            rejected: None,
        }
    }
}

/// Digests that webhooks announced and that the registry does not show yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The digests. The order in which they were pushed is not known.
    pub digests: BTreeSet<Digest>,
    /// How many looks have missed one of them.
    pub looks: u8,
}

/// How many announced digests are kept for one tag.
const MOST_EXPECTED: usize = 16;

/// The pauses, in seconds, between looks for a digest that a webhook announced and the registry does not show yet.
const EXPECTED_PAUSES: [i64; 3] = [2, 5, 15];

/// How many moves of a tag in an hour are more than pushes alone explain, so that it counts as flapping.
const MOVES_AN_HOUR: usize = 3;

/// The longest debounce of a tag that keeps moving, in debounce periods.
const LONGEST_SETTLING: i32 = 10;

/// What is remembered of each tag. Found by hash, because a round over ten thousand tasks looks a hundred thousand times.
pub type TagRecords = IndexMap<Reference, TagRecord>;

/// The tags for which tasks have a minimum age, each with the digests that these tasks were built on.
pub type AgedTags = BTreeMap<Reference, BTreeSet<Digest>>;

/// The records of all tags that a task depends on.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    records: TagRecords,
    assumed: BTreeSet<Reference>,
    heads: BTreeMap<GitContext, Head>,
    pushed: BTreeMap<Reference, Digest>,
    aged: AgedTags,
    debounce: SignedDuration,
    /// The tags whose records have changed since they were last stored.
    unwritten: HashSet<Reference>,
}

/// Whether a base is still what a run was built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseStatus {
    Current,
    /// It moved, to this digest; `None` where it will move by a run that is still to come.
    Moved(Option<Digest>),
    /// It moved, and no new digest of it is old enough.
    TooYoung {
        to: Digest,
        /// When the first of its new digests will be old enough.
        until: Timestamp,
    },
    /// It moved, and the program that verifies images rejects the new digest.
    Unverified {
        why: String,
        since: Option<Timestamp>,
    },
    /// Its registry answers that the tag does not exist, or lacks a platform that was built.
    Missing {
        why: String,
        since: Option<Timestamp>,
    },
    Unknown {
        why: String,
        since: Option<Timestamp>,
        hint: Option<String>,
    },
}

/// The commit that a git repository has under the ref of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    At(String),
    Unknown { why: String, hint: Option<String> },
}

impl Tags {
    /// Loads what was remembered.
    pub fn new(mut records: TagRecords) -> Self {
        // A map that grew while it was read has room for up to half as much again.
        records.shrink_to_fit();
        Self {
            records,
            ..Self::default()
        }
    }

    /// Sets the debounce period: a tag that moved counts as moving until it has been quiet for `debounce`; zero waits for nothing.
    #[must_use]
    pub fn debounced_by(mut self, debounce: SignedDuration) -> Self {
        self.debounce = debounce;
        self
    }

    /// Keeps the earlier digests of these tags: tasks have a minimum age for them.
    #[must_use]
    pub fn remembering(mut self, aged: AgedTags) -> Self {
        self.aged = aged;
        self
    }

    /// Tells whether the earlier digests of a tag are kept.
    pub fn is_aged(&self, tag: &Reference) -> bool {
        self.aged.contains_key(tag)
    }

    /// Sets the commits that git repositories have now.
    #[must_use]
    pub fn with_heads(mut self, heads: BTreeMap<GitContext, Head>) -> Self {
        self.heads = heads;
        self
    }

    /// Sets the commit that a git repository has now.
    pub fn set_head(&mut self, git: GitContext, head: Head) {
        self.heads.insert(git, head);
    }

    /// Returns the commit that a repository has now, if it was asked.
    pub fn head(&self, git: &GitContext) -> Option<&Head> {
        self.heads.get(git)
    }

    /// Returns all records, in no order, to store them.
    pub fn records(&self) -> &TagRecords {
        &self.records
    }

    pub fn get(&self, tag: &Reference) -> Option<&TagRecord> {
        self.records.get(tag)
    }

    /// Returns how the last look at a tag failed, if it did.
    pub fn look_error(&self, tag: &Reference) -> Option<LookErrorKind> {
        Some(self.get(tag)?.error.as_ref()?.kind)
    }

    /// Moves every record to the one name of its registry. Of two records of one tag, the one looked at last stays.
    #[must_use]
    pub fn renamed(mut self, canonical: impl Fn(&Reference) -> Reference) -> Self {
        for (tag, record) in std::mem::take(&mut self.records) {
            let own = canonical(&tag);
            if own != tag {
                self.unwritten.extend([own.clone(), tag]);
            }
            let known = self.records.entry(own).or_default();
            if known.last_looked <= record.last_looked {
                *known = record;
            }
        }
        self
    }

    /// Returns the record of one tag, to change it.
    pub fn entry(&mut self, tag: &Reference) -> &mut TagRecord {
        if !self.unwritten.contains(tag) {
            self.unwritten.insert(tag.clone());
        }
        self.records.entry(tag.clone()).or_default()
    }

    /// Records an answer.
    pub fn observe(&mut self, tag: &Reference, seen: Observation, now: Timestamp) {
        let debounce = self.debounce;
        let is_own = self.pushed.get(tag) == Some(&seen.digest);
        let built = self.aged.get(tag).cloned();
        let record = self.entry(tag);
        record.correct_times(now);
        if record.digest.as_ref() == Some(&seen.digest) {
            record.manifests.extend(seen.manifests);
        } else {
            record.moves.retain(|moved| within_an_hour(*moved, now));
            let moves_on = match debounce.is_zero() {
                // A watcher with a debounce may wait for the tag; what is quiet for it is not known here.
                true => !record.moves.is_empty(),
                false => record
                    .first_seen
                    .is_some_and(|seen| now < later(seen, debounce)),
            };
            let since = record.restless_since.filter(|_| moves_on);
            record.restless_since = since.or(Some(now));
            // A tag is reported as flapping again only after an hour without a move.
            record.flapping_reported &= !record.moves.is_empty();
            if record.digest.is_some() && !is_own {
                record.moves.push(now);
            }
            let seen_by = match (is_own, record.is_hinted) {
                (true, _) => SeenBy::Run,
                (false, true) => SeenBy::Webhook,
                (false, false) => SeenBy::Poll,
            };
            record.seen_by = Some(seen_by);
            // Whoever pushes an image writes its time, but cannot have pushed it before the last look that found another.
            let found_other = record.last_looked.filter(|_| record.digest.is_some());
            // A tag without a record that is not what its tasks were built on has moved since, whenever that was.
            let has_moved = record.digest.is_none()
                && built
                    .as_ref()
                    .is_some_and(|built| !built.is_empty() && !built.contains(&seen.digest));
            record.remember_earlier(built.as_ref(), now);
            record.first_seen = Some(now);
            let created = seen.created.filter(|_| !has_moved);
            record.created = created.filter(is_build_time);
            if let (Some(created), Some(looked)) = (&mut record.created, found_other) {
                *created = (*created).max(looked);
            }
            record.manifests = seen.manifests;
            record.digest = Some(seen.digest);
        }
        record.last_looked = Some(now);
        record.not_before = None;
        record.error = None;
    }

    /// Records a look without an answer. The last successful answer stays.
    pub fn miss(&mut self, tag: &Reference, miss: FailedLook, now: Timestamp) {
        let record = self.entry(tag);
        record.not_before = None;
        record.correct_times(now);
        let (mut before, mut earlier) = (record.error.take(), None);
        if let Some(error) = before.take_if(|error| error.kind != miss.kind) {
            // While the registry does not answer, what it said last still counts.
            match (miss.kind, error.kind) {
                (LookErrorKind::Unknown, _) => earlier = Some(error),
                (_, LookErrorKind::Unknown) => {
                    before = error.earlier.filter(|error| error.kind == miss.kind);
                }
                _ => {}
            }
        } else if let Some(error) = &mut before {
            earlier = error.earlier.take();
        }
        let (since, count) = before.map_or((now, 0), |error| (error.since.min(now), error.count));
        record.last_looked = Some(now);
        let FailedLook {
            message,
            hint,
            kind,
            rejected,
        } = miss;
        record.error = Some(Box::new(LookError {
            message,
            since,
            hint,
            kind,
            count: count.saturating_add(1),
            rejected,
            earlier,
        }));
    }

    /// Records the result of a look, and sets the time of the next.
    pub fn take_in(&mut self, tag: &Reference, looked: LookResult, pauses: Pauses, now: Timestamp) {
        match looked.result {
            Ok(observation) => self.observe(tag, observation, now),
            Err(miss) => self.miss(tag, miss, now),
        }
        // A tag that moved is looked at once more when its debounce ends, however seldom it is looked at otherwise.
        let debounce = self.debounced_until(tag, now);
        let record = self.entry(tag);
        let next = pauses.next_look(tag, record.unanswered(), now);
        let announced = record.look_again(now);
        record.is_hinted &= announced.is_some() || record.error.is_some();
        record.next_look = [Some(next), debounce, announced]
            .into_iter()
            .flatten()
            .min();
        record.not_before = looked.not_before;
        // The answer is at least as new as the question.
        record.last_looked = Some(looked.asked);
    }

    /// Returns when the next of the tags is due that `which` selects.
    pub fn next_look(
        &self,
        now: Timestamp,
        which: impl Fn(&Reference) -> bool,
    ) -> Option<Timestamp> {
        let records = self.records.iter().filter(|(tag, _)| which(tag));
        let looks = records.filter_map(|(_, record)| {
            let rest = record.not_before.filter(|_| record.rests(now));
            record.next_look.max(rest)
        });
        looks.min()
    }

    /// Returns the tags that flap and have not been reported, each with how often it moved, and marks them as reported.
    pub fn report_flapping(&mut self, now: Timestamp) -> Vec<(Reference, usize)> {
        let mut flapping = Vec::new();
        for (tag, record) in &mut self.records {
            if let Some(moves) = record.flaps(now).filter(|_| !record.flapping_reported) {
                record.flapping_reported = true;
                self.unwritten.insert(tag.clone());
                flapping.push((tag.clone(), moves));
            }
        }
        flapping.sort_unstable();
        flapping
    }

    /// Assumes that a run still to come will move `tag`: so a dry run follows a chain.
    pub fn assume_moved(&mut self, tag: Reference) {
        self.assumed.insert(tag);
    }

    /// Drops all assumptions.
    pub fn assume_nothing(&mut self) {
        self.assumed.clear();
    }

    /// Records what a run has pushed under `tag`: as long as the tag names that digest, it is not debounced.
    pub fn take_in_pushed(&mut self, tag: &Reference, pushed: &Digest) {
        self.pushed.insert(tag.clone(), pushed.clone());
    }

    /// Records that a round has built on `tags`: if one moves again, its debounce starts anew.
    pub fn built_on(&mut self, tags: &BTreeSet<Reference>) {
        for tag in tags {
            if let Some(record) = self.records.get_mut(tag)
                && record.restless_since.take().is_some()
            {
                self.unwritten.insert(tag.clone());
            }
        }
    }

    /// Returns when the debounce of `tag` ends, if it has not ended yet: once the tag has been quiet for the period, and at the latest ten
    /// periods after it began to move.
    pub fn debounced_until(&self, tag: &Reference, now: Timestamp) -> Option<Timestamp> {
        let record = self.get(tag)?;
        let seen = record.first_seen.filter(|seen| *seen <= now)?;
        let is_own = record.digest.is_some() && self.pushed.get(tag) == record.digest.as_ref();
        if self.debounce.is_zero() || is_own {
            return None;
        }
        let began = record.restless_after(self.debounce).unwrap_or(seen);
        let longest = self.debounce.saturating_mul(LONGEST_SETTLING);
        let until = later(seen, self.debounce).min(later(began, longest));
        (until > now).then_some(until)
    }

    /// Returns when the debounce of a file that was written at `written` ends, if it has not ended yet: a changed file is debounced like a
    /// tag.
    pub fn debounced_since(&self, written: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let until = later(written, self.debounce);
        (written <= now && until > now).then_some(until)
    }

    /// Removes the records of tags that no task depends on any more.
    pub fn keep_only(&mut self, wanted: &BTreeSet<Reference>) {
        let unwritten = &mut self.unwritten;
        self.records.retain(|tag, _| {
            let is_wanted = wanted.contains(tag);
            if !is_wanted {
                unwritten.insert(tag.clone());
            }
            is_wanted
        });
    }

    /// Returns the tags whose records have changed or were removed since the last call, for the caller to store.
    pub fn take_unwritten(&mut self) -> HashSet<Reference> {
        std::mem::take(&mut self.unwritten)
    }

    /// Tells whether `dependency` is still what the run that recorded it was built on.
    ///
    /// The digest of the tag is compared first. If it differs, the manifests decide: an index that gained an attestation or another
    /// platform is no update. A platform that the image had and lacks now is missing. Where the image never had a manifest for the
    /// platform, only the digests of the index can be compared.
    pub fn status(&self, tag: &Reference, dependency: &Dependency) -> BaseStatus {
        if self.assumed.contains(tag) {
            return BaseStatus::Moved(None);
        }
        let unknown = |why: &str| BaseStatus::Unknown {
            why: why.to_owned(),
            since: None,
            hint: None,
        };
        let Some(record) = self.get(tag) else {
            return unknown("it has not been looked at yet");
        };
        if let Some(error) = &record.error {
            let (why, since) = (error.message.clone(), Some(error.since));
            let hint = error.hint.clone();
            return match error.kind {
                LookErrorKind::Absent => BaseStatus::Missing { why, since },
                LookErrorKind::Unverified => BaseStatus::Unverified { why, since },
                LookErrorKind::NoImage | LookErrorKind::Unknown => {
                    BaseStatus::Unknown { why, since, hint }
                }
            };
        }
        let Some(digest) = &record.digest else {
            return unknown("it has not been looked at yet");
        };
        if dependency.image.digest.as_ref() == Some(digest) {
            return BaseStatus::Current;
        }
        let moved = BaseStatus::Moved(Some(digest.clone()));
        if dependency.image.digest.is_none() || dependency.manifests.is_empty() {
            return moved;
        }
        let (mut is_moved, mut gone) = (false, Vec::new());
        for (platform, recorded) in &dependency.manifests {
            match (recorded, record.manifests.get(platform)) {
                (_, None) => return unknown("its index has moved and has not been read yet"),
                (Some(_), Some(None)) => gone.push(platform.to_string()),
                (Some(recorded), Some(Some(now))) => is_moved |= now != recorded,
                (None, Some(_)) => is_moved = true,
            }
        }
        match (gone.is_empty(), is_moved) {
            (false, _) => BaseStatus::Missing {
                why: format!("it is no longer made for {}", gone.join(", ")),
                since: record.first_seen,
            },
            (true, true) => moved,
            (true, false) => BaseStatus::Current,
        }
    }

    /// Returns how `tag` moved from what `dependency` was built on to the digest `to`.
    pub fn update(
        &self,
        tag: &Reference,
        dependency: &Dependency,
        to: Option<&Digest>,
    ) -> BaseUpdate {
        let record = self.get(tag);
        let newest = record.filter(|record| record.digest.as_ref() == to);
        let earlier = record.into_iter().flat_map(|record| &record.history);
        let earlier = earlier.rev().find(|it| Some(&it.digest) == to);
        let manifests = newest.map(|record| &record.manifests);
        let manifests = manifests.or_else(|| earlier.map(|it| &it.manifests));
        let now = |platform| manifests.and_then(|it| it.get(platform).cloned().flatten());
        let mut platforms = dependency.manifests.iter();
        let differs = platforms.find(|(platform, before)| now(platform) != **before);
        let built_for = differs.or_else(|| dependency.manifests.iter().next());
        BaseUpdate {
            image: dependency.image.tagged(),
            previous_digest: dependency.image.digest.clone(),
            digest: to.cloned(),
            platform: built_for.map(|(platform, _)| platform.clone()),
            previous_manifest: built_for.and_then(|(_, before)| before.clone()),
            manifest: built_for.and_then(|(platform, _)| now(platform)),
            seen: newest
                .and_then(|record| record.first_seen)
                .or_else(|| earlier.map(|it| it.since)),
            seen_by: newest.and_then(|record| record.seen_by),
        }
    }

    /// Returns the status as [`Tags::status`] does, for a task with a minimum age for bases: it follows the digest that the tag had that
    /// long ago. A new digest does not make the earlier ones young again, so that a tag that moves every day is still followed.
    pub fn status_at_age(
        &self,
        tag: &Reference,
        dependency: &Dependency,
        min_age: SignedDuration,
        now: Timestamp,
    ) -> BaseStatus {
        let status = self.status(tag, dependency);
        let BaseStatus::Moved(Some(to)) = &status else {
            return status;
        };
        let Some(record) = self.get(tag).filter(|_| !min_age.is_zero()) else {
            return status;
        };
        let newest = record.since().map(|since| (to, &record.manifests, since));
        let earlier = record.history.iter().rev();
        let earlier = earlier.map(|one| (&one.digest, &one.manifests, one.since));
        let mut until = later(now, min_age);
        for (digest, manifests, since) in newest.into_iter().chain(earlier) {
            if is_built_on(dependency, digest, manifests) {
                break;
            }
            let old_enough = later(since, min_age);
            if old_enough <= now {
                return BaseStatus::Moved(Some(digest.clone()));
            }
            until = old_enough;
        }
        let to = to.clone();
        BaseStatus::TooYoung { to, until }
    }

    /// Returns what became of an image that a run pushed under `tag`, if a look after `since`, the time of the push, has shown it. If that
    /// is ahead of now, because the clock was set back, every look counts.
    pub fn output_status(
        &self,
        tag: &Reference,
        pushed: &Digest,
        since: Timestamp,
        now: Timestamp,
    ) -> OutputStatus {
        let Some(record) = self.get(tag) else {
            return OutputStatus::NotLooked;
        };
        let is_before = |looked| looked < since && since <= now;
        if record.last_looked.is_none_or(is_before) {
            return OutputStatus::NotLooked;
        }
        match (&record.error, &record.digest) {
            (Some(error), _) if error.kind == LookErrorKind::Absent => {
                OutputStatus::Missing { since: error.since }
            }
            (Some(error), _) => OutputStatus::Unknown {
                why: error.message.clone(),
            },
            (None, Some(now)) if now != pushed => OutputStatus::Moved(now.clone()),
            _ => OutputStatus::Current,
        }
    }
}

/// What became of an image that a task pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputStatus {
    /// No look since it was pushed.
    NotLooked,
    /// Its tag still names what was pushed.
    Current,
    /// Another push moved its tag to this digest.
    Moved(Digest),
    Missing {
        since: Timestamp,
    },
    Unknown {
        why: String,
    },
}

/// Tells whether a run that recorded `dependency` was built on this digest, or on the same manifests behind another index.
fn is_built_on(dependency: &Dependency, digest: &Digest, manifests: &Manifests) -> bool {
    let same = || {
        !dependency.manifests.is_empty()
            && dependency
                .manifests
                .iter()
                .all(|(platform, built)| built.is_some() && manifests.get(platform) == Some(built))
    };
    dependency.image.digest.as_ref() == Some(digest) || same()
}

pub(super) fn within_an_hour(time: Timestamp, now: Timestamp) -> bool {
    time <= now && later(time, SignedDuration::from_hours(1)) > now
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
            is_local: false,
            line: 1,
            mirror: None,
        }
    }

    fn seeing(index: &str, manifest: Option<&str>) -> Tags {
        let mut tags = Tags::default();
        let seen = Observation {
            digest: digest(index),
            manifests: Manifests::from_iter([(platform(), manifest.map(digest))]),
            created: None,
        };
        tags.observe(&tag(), seen, at(5));
        tags
    }

    #[test]
    fn unchanged_index_is_current() {
        let status = seeing("i1", Some("m1")).status(&tag(), &built_on("i1", Some("m1")));
        assert_eq!(status, BaseStatus::Current);
    }

    #[test]
    fn changed_manifest_of_the_platform_is_moved() {
        let status = seeing("i2", Some("m2")).status(&tag(), &built_on("i1", Some("m1")));
        assert_eq!(status, BaseStatus::Moved(Some(digest("i2"))));
    }

    #[test]
    fn changed_index_with_the_same_platform_manifest_is_current() {
        let status = seeing("i2", Some("m1")).status(&tag(), &built_on("i1", Some("m1")));
        assert_eq!(status, BaseStatus::Current);
    }

    #[test]
    fn missing_platform_is_missing_since_the_index_moved() {
        let status = seeing("i2", None).status(&tag(), &built_on("i1", Some("m1")));
        let why = "it is no longer made for linux/amd64".to_owned();
        let since = Some(at(5));
        assert_eq!(status, BaseStatus::Missing { why, since });
    }

    #[test]
    fn base_without_the_platform_is_compared_by_index_digest() {
        let never = built_on("i1", None);
        assert_eq!(
            seeing("i1", None).status(&tag(), &never),
            BaseStatus::Current
        );
        let moved = BaseStatus::Moved(Some(digest("i2")));
        assert_eq!(seeing("i2", None).status(&tag(), &never), moved);
    }

    #[test]
    fn base_without_a_recorded_digest_has_moved_at_the_first_response() {
        let mut unseen = built_on("i1", Some("m1"));
        unseen.image.digest = None;
        let moved = BaseStatus::Moved(Some(digest("i1")));
        assert_eq!(seeing("i1", Some("m1")).status(&tag(), &unseen), moved);
    }

    #[test]
    fn tag_recorded_under_two_aliases_is_merged_with_the_newer_response() {
        let mut tags = seeing("i1", None);
        let other: Reference = "alias.io/base:1".parse().unwrap();
        let seen = Observation {
            digest: digest("i2"),
            manifests: Manifests::new(),
            created: None,
        };
        tags.observe(&other, seen, at(6));
        let tags = tags.renamed(|tag| tag.on("r.io").unwrap());
        assert_eq!(tags.records().len(), 1);
        assert_eq!(tags.get(&tag()).unwrap().digest, Some(digest("i2")));
    }

    #[test]
    fn deleted_tag_is_missing_and_unchanged_when_restored() {
        let mut tags = seeing("i1", Some("m1"));
        let gone = FailedLook {
            kind: LookErrorKind::Absent,
            ..FailedLook::unknown("no such tag")
        };
        tags.miss(&tag(), gone, at(7));
        let built = built_on("i1", Some("m1"));
        let status = tags.status(&tag(), &built);
        let (why, since) = ("no such tag".to_owned(), Some(at(7)));
        assert_eq!(status, BaseStatus::Missing { why, since });
        push(&mut tags, "i1", 9);
        assert_eq!(tags.status(&tag(), &built), BaseStatus::Current);
    }

    #[test]
    fn announced_digest_is_looked_up_again_after_two_five_and_fifteen_seconds() {
        let mut tags = seeing("i1", None);
        let record = tags.entry(&tag());
        record.expect(digest("i2"));
        let again: Vec<Option<i64>> = (0..4)
            .map(|_| record.look_again(at(100)).map(Timestamp::as_second))
            .collect();
        assert_eq!(again, [Some(102), Some(105), Some(115), None]);
        record.expect(digest("i1"));
        assert_eq!(record.expected, None);
    }

    #[test]
    fn two_announced_digests_are_both_awaited() {
        let mut tags = seeing("i1", None);
        for announced in ["i3", "i2"] {
            tags.entry(&tag()).expect(digest(announced));
        }
        push(&mut tags, "i2", 100);
        let again = |tags: &mut Tags| tags.entry(&tag()).look_again(at(100));
        assert_eq!(again(&mut tags), Some(at(102)));
        push(&mut tags, "i3", 102);
        assert_eq!(again(&mut tags), None);
    }

    fn miss(tags: &mut Tags, miss: FailedLook, now: Timestamp) {
        let looked = LookResult {
            asked: now,
            result: Err(miss),
            not_before: None,
        };
        tags.take_in(&tag(), looked, minute(), now);
    }

    fn minute() -> Pauses {
        let seconds = std::time::Duration::from_secs;
        Pauses::new(seconds(60), seconds(60), seconds(3600))
    }

    #[test]
    fn unreachable_registry_is_retried_with_backoff_up_to_the_public_interval() {
        let (mut tags, mut now) = (seeing("i1", None), at(0));
        let pauses: Vec<i64> = (0..9)
            .map(|_| {
                miss(&mut tags, FailedLook::unknown("no answer"), now);
                let record = tags.get(&tag()).unwrap();
                let next = record.next_look.unwrap();
                let before = next - SignedDuration::from_secs(1);
                assert!(!record.is_due(minute(), before) && record.is_due(minute(), next));
                let pause = next.duration_since(now).as_secs();
                now = next;
                pause
            })
            .collect();
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        let gone = FailedLook {
            kind: LookErrorKind::Absent,
            ..FailedLook::unknown("no such tag")
        };
        miss(&mut tags, gone, at(0));
        assert_eq!(tags.get(&tag()).unwrap().next_look, Some(at(60)));
    }

    #[test]
    fn clock_set_back_delays_no_lookup_beyond_its_interval() {
        let mut tags = seeing("i1", None);
        tags.entry(&tag()).next_look = Some(at(10_060));
        let is_due = |tags: &Tags, second| tags.get(&tag()).unwrap().is_due(minute(), at(second));
        assert!(!is_due(&tags, 10_000) && is_due(&tags, 9_999));
        for _ in 0..3 {
            tags.miss(&tag(), FailedLook::unknown("no answer"), at(10_000));
        }
        assert!(!is_due(&tags, 9_820) && is_due(&tags, 9_819));
    }

    #[test]
    fn tag_of_a_paused_registry_or_under_lookup_wakes_no_round() {
        let mut tags = seeing("i1", None);
        let record = tags.entry(&tag());
        (record.next_look, record.not_before) = (Some(at(60)), Some(at(600)));
        assert_eq!(tags.next_look(at(100), |_| true), Some(at(600)));
        assert_eq!(tags.next_look(at(600), |_| true), Some(at(60)));
        assert_eq!(tags.next_look(at(100), |_| false), None);
    }

    #[test]
    fn fourth_move_in_an_hour_is_reported_as_flapping_once_until_stable() {
        let mut tags = Tags::default();
        let versions = ["a", "b", "a", "b", "a", "b"];
        let reported: Vec<usize> = versions
            .iter()
            .zip(0..)
            .map(|(version, n)| {
                push(&mut tags, version, 1_000 + 60 * n);
                tags.report_flapping(at(1_000 + 60 * n)).len()
            })
            .collect();
        assert_eq!(reported, [0, 0, 0, 0, 1, 0]);
        push(&mut tags, "c", 20_000);
        assert!(!tags.get(&tag()).unwrap().flapping_reported);
    }

    #[test]
    fn tag_that_moves_four_times_every_hour_is_reported_as_flapping_once() {
        let mut tags = Tags::default();
        let reported = (0..40).map(|n| {
            push(&mut tags, &n.to_string(), 1_000 + 900 * n);
            tags.report_flapping(at(1_000 + 900 * n)).len()
        });
        assert_eq!(reported.sum::<usize>(), 1);
    }

    #[test]
    fn image_pushed_repeatedly_by_runs_is_not_flapping() {
        let mut tags = seeing("i1", None);
        for n in 0..9 {
            let version = n.to_string();
            tags.take_in_pushed(&tag(), &digest(&version));
            push(&mut tags, &version, 1_000 + n);
        }
        assert_eq!(tags.report_flapping(at(1_009)), []);
    }

    #[test]
    fn output_status_uses_only_lookups_after_the_push() {
        let tags = seeing("i2", None);
        let of = |pushed: &str, since| {
            let now = at(10);
            tags.output_status(&tag(), &digest(pushed), at(since), now)
        };
        assert_eq!(of("i2", 5), OutputStatus::Current);
        assert_eq!(of("i1", 5), OutputStatus::Moved(digest("i2")));
        assert_eq!(of("i1", 6), OutputStatus::NotLooked);
        // The clock was set back after the push.
        assert_eq!(of("i1", 11), OutputStatus::Moved(digest("i2")));
    }

    #[test]
    fn added_platform_is_moved() {
        let status = seeing("i2", Some("m1")).status(&tag(), &built_on("i1", None));
        assert_eq!(status, BaseStatus::Moved(Some(digest("i2"))));
    }

    #[test]
    fn failed_lookup_is_never_current_and_keeps_the_last_digest() {
        let mut tags = seeing("i1", Some("m1"));
        tags.miss(&tag(), FailedLook::unknown("no answer"), at(7));
        tags.miss(&tag(), FailedLook::unknown("still none"), at(9));
        assert_eq!(
            tags.status(&tag(), &built_on("i1", Some("m1"))),
            BaseStatus::Unknown {
                why: "still none".into(),
                since: Some(at(7)),
                hint: None
            }
        );
        assert_eq!(tags.get(&tag()).unwrap().digest, Some(digest("i1")));
        assert_eq!(tags.get(&tag()).unwrap().first_seen, Some(at(5)));
    }

    #[test]
    fn outage_does_not_end_how_long_a_tag_is_missing() {
        let mut tags = seeing("i1", Some("m1"));
        let gone = FailedLook {
            kind: LookErrorKind::Absent,
            ..FailedLook::unknown("gone")
        };
        let since = |tags: &Tags| tags.get(&tag()).unwrap().error.as_ref().unwrap().since;
        tags.miss(&tag(), gone.clone(), at(7));
        for second in [8, 9] {
            tags.miss(&tag(), FailedLook::unknown("no answer"), at(second));
            assert_eq!(since(&tags), at(8));
        }
        tags.miss(&tag(), gone.clone(), at(10));
        assert_eq!(since(&tags), at(7));
        push(&mut tags, "i2", 11);
        tags.miss(&tag(), FailedLook::unknown("no answer"), at(12));
        tags.miss(&tag(), gone, at(13));
        assert_eq!(since(&tags), at(13), "the tag was there");
    }

    #[test]
    fn tag_without_a_lookup_is_unknown() {
        let status = Tags::default().status(&tag(), &built_on("i1", Some("m1")));
        assert!(matches!(status, BaseStatus::Unknown { .. }));
    }

    #[test]
    fn retry_after_of_a_registry_is_respected_unless_the_clock_was_set_back() {
        let record = TagRecord {
            not_before: Some(at(100)),
            ..TagRecord::default()
        };
        assert!(record.rests(at(99)));
        assert!(!record.rests(at(100)));
        assert!(!record.rests(at(-4000)));
    }

    #[test]
    fn first_seen_time_is_kept_while_the_digest_is_unchanged() {
        let mut tags = seeing("i1", Some("m1"));
        let seen = Observation {
            digest: digest("i1"),
            manifests: Manifests::new(),
            created: None,
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
            created: None,
        };
        tags.observe(&tag(), seen, at(second));
    }

    #[test]
    fn debounce_ends_after_the_debounce_period_without_a_move() {
        let mut tags = Tags::default().debounced_by(SignedDuration::from_secs(60));
        push(&mut tags, "one", 1000);
        push(&mut tags, "two", 2000);
        assert_eq!(tags.debounced_until(&tag(), at(2000)), Some(at(2060)));
        push(&mut tags, "two", 2030);
        assert_eq!(tags.debounced_until(&tag(), at(2059)), Some(at(2060)));
        assert_eq!(tags.debounced_until(&tag(), at(2060)), None);
    }

    #[test]
    fn each_further_move_restarts_the_debounce_up_to_a_limit() {
        let mut tags = Tags::default().debounced_by(SignedDuration::from_secs(60));
        push(&mut tags, "quiet", 1000);
        for n in 0..12 {
            push(&mut tags, &format!("{n}"), 2000 + n * 50);
        }
        assert_eq!(
            tags.debounced_until(&tag(), at(2599)),
            Some(at(2600)),
            "ten periods after the first move"
        );
        assert_eq!(tags.debounced_until(&tag(), at(2600)), None);
    }

    #[test]
    fn debounce_restarts_for_moves_after_the_tag_was_built_on() {
        let mut tags = Tags::default().debounced_by(SignedDuration::from_secs(60));
        push(&mut tags, "quiet", 1000);
        push(&mut tags, "one", 2000);
        push(&mut tags, "two", 2050);
        tags.built_on(&[tag()].into());
        push(&mut tags, "three", 2080);
        push(&mut tags, "four", 2130);
        assert_eq!(tags.get(&tag()).unwrap().restless_since, Some(at(2080)));
        assert_eq!(tags.debounced_until(&tag(), at(2130)), Some(at(2190)));
    }

    #[test]
    fn debounce_restarts_for_a_move_after_a_stable_period() {
        let mut tags = Tags::default().debounced_by(SignedDuration::from_secs(60));
        push(&mut tags, "one", 1000);
        push(&mut tags, "two", 1100);
        push(&mut tags, "three", 9000);
        assert_eq!(tags.debounced_until(&tag(), at(9001)), Some(at(9060)));
    }

    /// Pushes that a command without a debounce sees first, and a watcher with a debounce of a minute two seconds later.
    fn push_before_a_watcher(tags: Tags, times: impl Iterator<Item = i64>) -> Tags {
        times.fold(tags, |tags, time| {
            let mut tags = tags.debounced_by(SignedDuration::ZERO);
            push(&mut tags, &time.to_string(), time);
            let mut tags = tags.debounced_by(SignedDuration::from_secs(60));
            push(&mut tags, &time.to_string(), time + 2);
            tags
        })
    }

    #[test]
    fn debounce_of_moves_that_a_command_without_a_debounce_sees_first_is_limited() {
        let mut tags = Tags::default();
        push(&mut tags, "quiet", 1000);
        let tags = push_before_a_watcher(tags, (0..12).map(|n| 9000 + n * 50));
        assert_eq!(tags.debounced_until(&tag(), at(9552)), Some(at(9600)));
        assert_eq!(tags.debounced_until(&tag(), at(9600)), None);
    }

    #[test]
    fn debounce_of_a_move_after_a_stable_period_is_not_cut_by_older_moves_that_others_saw() {
        for quiet in [[1000, 2000, 3000], [1000, 1050, 9000], [1000, 5000, 9000]] {
            let tags = push_before_a_watcher(Tags::default(), quiet.into_iter());
            let (moved, end) = (at(quiet[2] + 2), at(quiet[2] + 60));
            assert_eq!(tags.debounced_until(&tag(), moved), Some(end), "{quiet:?}");
        }
    }

    #[test]
    fn debounce_is_skipped_with_period_zero_and_after_an_own_push() {
        let mut tags = Tags::default();
        push(&mut tags, "one", 1000);
        assert_eq!(tags.debounced_until(&tag(), at(1000)), None);
        let mut tags = tags.debounced_by(SignedDuration::from_secs(60));
        push(&mut tags, "two", 1001);
        tags.take_in_pushed(&tag(), &digest("two"));
        assert_eq!(tags.debounced_until(&tag(), at(1001)), None);
        push(&mut tags, "another hand's", 1002);
        assert!(tags.debounced_until(&tag(), at(1002)).is_some());
    }

    #[test]
    fn clock_set_back_does_not_extend_the_debounce() {
        let mut tags = Tags::default().debounced_by(SignedDuration::from_secs(60));
        push(&mut tags, "one", 100_000);
        assert_eq!(tags.debounced_until(&tag(), at(5)), None);
    }

    fn made(content: &str, created: Option<Timestamp>) -> Observation {
        Observation {
            digest: digest(content),
            manifests: Manifests::new(),
            created,
        }
    }

    fn built_on_index(index: &str) -> Dependency {
        Dependency {
            manifests: Manifests::new(),
            ..built_on(index, None)
        }
    }

    /// A tag that is pushed once a day, as `d0`, `d1` and so on, seen at each push.
    fn daily(days: i64) -> Tags {
        let mut tags = Tags::default().remembering([(tag(), BTreeSet::new())].into());
        for day in 0..days {
            push(&mut tags, &format!("d{day}"), day * 86_400);
        }
        tags
    }

    #[test]
    fn base_that_moves_daily_is_followed_at_its_minimum_age_of_three_days() {
        let three_days = SignedDuration::from_hours(72);
        let now = at(6 * 86_400 + 100);
        let built = |digest: &str| {
            let mut built = built_on(digest, None);
            built.manifests = Manifests::new();
            built
        };
        let status = |digest: &str| daily(7).status_at_age(&tag(), &built(digest), three_days, now);
        assert_eq!(status("d0"), BaseStatus::Moved(Some(digest("d3"))));
        assert_eq!(status("d2"), BaseStatus::Moved(Some(digest("d3"))));
        let (to, until) = (digest("d6"), at(7 * 86_400));
        assert_eq!(status("d3"), BaseStatus::TooYoung { to, until });
        assert_eq!(status("d6"), BaseStatus::Current);
        // The base that was chosen by hand is not rolled back.
        assert!(matches!(status("d5"), BaseStatus::TooYoung { .. }));
    }

    #[test]
    fn earlier_digests_are_kept_by_a_command_that_does_not_know_the_task_with_the_minimum_age() {
        let mut tags = daily(2).remembering(AgedTags::new());
        for day in 2..7 {
            push(&mut tags, &format!("d{day}"), day * 86_400);
        }
        let now = at(6 * 86_400 + 100);
        let (built, age) = (built_on_index("d0"), SignedDuration::from_hours(72));
        let status = tags.status_at_age(&tag(), &built, age, now);
        assert_eq!(status, BaseStatus::Moved(Some(digest("d3"))));
    }

    #[test]
    fn base_that_moves_hourly_is_followed_at_its_minimum_age_of_three_days_and_never_backwards() {
        let versions: Vec<Digest> = (0..400).map(|n| digest(&n.to_string())).collect();
        let (mut tags, mut built, mut runs) = (Tags::default(), 0, Vec::new());
        for hour in 0..400 {
            let now = hour * 3600;
            tags = tags.remembering([(tag(), [versions[built].clone()].into())].into());
            push(&mut tags, &hour.to_string(), now);
            let base = built_on_index(&built.to_string());
            let age = SignedDuration::from_hours(72);
            if let BaseStatus::Moved(Some(to)) = tags.status_at_age(&tag(), &base, age, at(now)) {
                let newer = versions.iter().position(|it| *it == to).unwrap();
                assert!(newer > built, "{newer} after {built}");
                built = newer;
                runs.push(hour);
            }
        }
        assert_eq!(runs.first(), Some(&74));
        assert!(
            runs.windows(2).all(|pair| pair[1] - pair[0] <= 4),
            "{runs:?}"
        );
        assert!(runs.last() >= Some(&396), "{runs:?}");
        assert_eq!(tags.get(&tag()).unwrap().history.len(), MAX_EARLIER);
    }

    #[test]
    fn image_created_before_the_minimum_age_is_used_at_once_if_its_time_can_be_true() {
        let now = at(1_700_000_000);
        let status = |created: Timestamp| {
            let mut tags = Tags::default().remembering([(tag(), BTreeSet::new())].into());
            tags.observe(&tag(), made("d0", None), at(1_600_000_000));
            tags.observe(&tag(), made("old", Some(created)), now);
            let day = SignedDuration::from_hours(24);
            tags.status_at_age(&tag(), &built_on_index("d0"), day, now)
        };
        let moved = BaseStatus::Moved(Some(digest("old")));
        assert_eq!(status(at(1_690_000_000)), moved);
        // Reproducible builds write these.
        for unknown in ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"] {
            let status = status(unknown.parse().unwrap());
            assert!(matches!(status, BaseStatus::TooYoung { .. }), "{unknown}");
        }
    }

    #[test]
    fn image_that_claims_to_be_old_ages_from_the_last_look_that_found_another() {
        let mut tags = Tags::default().remembering([(tag(), BTreeSet::new())].into());
        let claimed = Some(at(1_600_000_000));
        let hour = 3600;
        let looked = 1_700_000_000;
        tags.observe(&tag(), made("d0", None), at(looked));
        tags.observe(&tag(), made("d1", claimed), at(looked + hour));
        let day = SignedDuration::from_hours(24);
        let status = |now: i64| tags.status_at_age(&tag(), &built_on_index("d0"), day, at(now));
        let (to, until) = (digest("d1"), at(looked + 24 * hour));
        assert_eq!(status(looked + hour), BaseStatus::TooYoung { to, until });
        assert_eq!(
            status(looked + 24 * hour),
            BaseStatus::Moved(Some(digest("d1")))
        );
    }

    #[test]
    fn image_that_claims_to_be_old_ages_from_the_first_look_at_a_tag_that_has_moved_since_its_run()
    {
        let built = AgedTags::from([(tag(), [digest("d0")].into())]);
        let mut tags = Tags::default().remembering(built);
        let (claimed, looked) = (Some(at(1_600_000_000)), 1_700_000_000);
        tags.observe(&tag(), made("d1", claimed), at(looked));
        let day = SignedDuration::from_hours(24);
        let status = tags.status_at_age(&tag(), &built_on_index("d0"), day, at(looked));
        let (to, until) = (digest("d1"), at(looked + 86_400));
        assert_eq!(status, BaseStatus::TooYoung { to, until });
        // What a task was built on may be as old as it says.
        let mut tags = Tags::default().remembering([(tag(), [digest("d1")].into())].into());
        tags.observe(&tag(), made("d1", claimed), at(looked));
        assert_eq!(tags.get(&tag()).unwrap().created, claimed);
    }

    #[test]
    fn digest_that_a_tag_returns_to_keeps_its_age() {
        let mut tags = daily(4);
        push(&mut tags, "d1", 4 * 86_400);
        let two_days = SignedDuration::from_hours(48);
        let now = at(4 * 86_400 + 100);
        let built = built_on_index("d3");
        let status = tags.status_at_age(&tag(), &built, two_days, now);
        assert_eq!(status, BaseStatus::Moved(Some(digest("d1"))));
        push(&mut tags, "d4", 4 * 86_400 + 200);
        let earlier = &tags.get(&tag()).unwrap().history;
        let earlier = earlier.iter().map(|it| (it.digest.clone(), it.since));
        let days = [("d0", 0), ("d2", 2), ("d3", 3), ("d1", 1)];
        let days = days.map(|(version, day)| (digest(version), at(day * 86_400)));
        assert_eq!(earlier.collect::<Vec<_>>(), days);
    }

    #[test]
    fn digest_first_seen_before_the_clock_was_set_back_ages_from_the_next_look() {
        let mut tags = Tags::default().remembering([(tag(), BTreeSet::new())].into());
        push(&mut tags, "d0", 0);
        push(&mut tags, "d1", 9_000_000);
        push(&mut tags, "d1", 100);
        let day = SignedDuration::from_hours(24);
        let until = at(86_500);
        let status = tags.status_at_age(&tag(), &built_on_index("d0"), day, at(200));
        let to = digest("d1");
        assert_eq!(status, BaseStatus::TooYoung { to, until });
    }
}
