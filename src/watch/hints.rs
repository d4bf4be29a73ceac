//! What a hint that a tag was pushed changes: only when that tag is looked at next.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::image::Reference;

use super::{
    schedule::{is_public, later},
    tags::Tags,
};

/// The least time between two looks at a tag because of hints, so that a sender that repeats itself, or that acrt's own looks set off,
/// costs no more.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// When each tag was last looked at because of a hint, or is going to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HintThrottle(BTreeMap<Reference, Timestamp>);

impl HintThrottle {
    /// Makes the tags due that `pushed` names, and returns them: none, where no task depends on one. If `pushed` has a digest, looks go on
    /// until one finds it.
    ///
    /// Where no tag has this name, each tag of the same repository and tag name in a private registry is made due: the sender of a webhook
    /// often knows the registry by another name or address than the machines that pull from it.
    pub fn mark_due(
        &mut self,
        tags: &mut Tags,
        pushed: &Reference,
        now: Timestamp,
    ) -> Vec<Reference> {
        let Some(named) = pushed.without_digest() else {
            return Vec::new();
        };
        let meant: Vec<Reference> = match tags.get(&named) {
            Some(_) => vec![named],
            None => {
                let all = tags.records().keys();
                all.filter(|tag| is_alias(tag, &named)).cloned().collect()
            }
        };
        self.forget_past(now);
        for tag in &meant {
            if let Some(digest) = pushed.digest() {
                tags.entry(tag).expect(digest.clone());
            }
            self.make_due(tags, tag, now, now);
        }
        meant
    }

    /// Makes all tags due: at once, or `pause` after their last look.
    pub fn mark_all_due(
        &mut self,
        tags: &mut Tags,
        pause: impl Fn(&Reference) -> Duration,
        now: Timestamp,
    ) {
        let all: Vec<(Reference, Option<Timestamp>)> = tags
            .records()
            .iter()
            .map(|(tag, record)| (tag.clone(), record.last_looked))
            .collect();
        self.forget_past(now);
        for (tag, looked) in &all {
            // A clock that was set back ends all pauses.
            let rested = looked.filter(|looked| *looked <= now);
            let rested = rested.and_then(|looked| looked.checked_add(pause(tag)).ok());
            self.make_due(tags, tag, rested.unwrap_or(now), now);
        }
    }

    /// Forgets the looks whose pauses are over.
    fn forget_past(&mut self, now: Timestamp) {
        self.0.retain(|_, last| rests_until(*last, now).is_some());
    }

    fn make_due(&mut self, tags: &mut Tags, tag: &Reference, earliest: Timestamp, now: Timestamp) {
        let rest = self.0.get(tag).and_then(|last| rests_until(*last, now));
        let record = tags.entry(tag);
        record.is_hinted = true;
        let not_before = record.not_before.filter(|_| record.rests(now));
        let due = rest.max(not_before).unwrap_or(now).max(earliest);
        record.next_look = Some(record.next_look.map_or(due, |next| next.min(due)));
        self.0.insert(tag.clone(), due);
    }
}

/// Returns until when a tag must not be looked at because of a hint; `last` is its last such look, or the planned one. `None` if it may be
/// looked at now. A clock that was set back ends all pauses.
fn rests_until(last: Timestamp, now: Timestamp) -> Option<Timestamp> {
    if last > now {
        // The look is planned already; more hints do not put it off further.
        return (last <= later(now, PAUSE)).then_some(last);
    }
    Some(later(last, PAUSE)).filter(|until| now < *until)
}

fn is_alias(tag: &Reference, pushed: &Reference) -> bool {
    !is_public(tag.registry())
        && !is_public(pushed.registry())
        && tag.repository() == pushed.repository()
        && tag.tag() == pushed.tag()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::TagRecord;

    fn image(name: &str) -> Reference {
        name.parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Tags that were looked at and are due in an hour.
    fn tags(names: &[&str]) -> Tags {
        let records = names.iter().map(|name| {
            let record = TagRecord {
                next_look: Some(at(3_600)),
                ..TagRecord::default()
            };
            (image(name), record)
        });
        Tags::new(records.collect())
    }

    fn due(tags: &Tags, name: &str) -> i64 {
        let record = tags.get(&image(name)).unwrap();
        record.next_look.unwrap().as_second()
    }

    #[test]
    fn pushed_tag_is_due_at_once_and_no_other() {
        let mut tags = tags(&["r.io/a:1", "r.io/a:2", "ghcr.io/a:1"]);
        assert!(
            !HintThrottle::default()
                .mark_due(&mut tags, &image("r.io/a:1"), at(10))
                .is_empty()
        );
        assert_eq!(due(&tags, "r.io/a:1"), 10);
        assert_eq!(due(&tags, "r.io/a:2"), 3_600);
        assert_eq!(due(&tags, "ghcr.io/a:1"), 3_600);
    }

    #[test]
    fn announced_digest_is_expected_of_its_tag_under_any_registry_alias() {
        let digest = crate::image::Digest::of(b"new");
        for host in ["r.io", "127.0.0.1:5000"] {
            let mut tags = tags(&["r.io/a:1"]);
            let pushed = image(&format!("{host}/a:1@{digest}"));
            assert!(
                !HintThrottle::default()
                    .mark_due(&mut tags, &pushed, at(10))
                    .is_empty()
            );
            assert_eq!(due(&tags, "r.io/a:1"), 10);
            let expected = tags.get(&image("r.io/a:1")).unwrap().expected.as_ref();
            assert_eq!(expected.unwrap().digests, [digest.clone()].into());
            assert_eq!(tags.records().len(), 1);
        }
    }

    #[test]
    fn hint_for_a_tag_without_dependants_changes_nothing() {
        let mut tags = tags(&["r.io/a:1"]);
        let before = tags.clone();
        assert!(
            HintThrottle::default()
                .mark_due(&mut tags, &image("r.io/b:1"), at(10))
                .is_empty()
        );
        assert_eq!(tags.records(), before.records());
    }

    #[test]
    fn hint_from_a_private_registry_matches_its_tags_under_another_host_name() {
        let mut tags = tags(&[
            "registry.lan/a:1",
            "docker.io/library/a:1",
            "r.io/library/a:1",
        ]);
        assert!(
            !HintThrottle::default()
                .mark_due(&mut tags, &image("127.0.0.1:5000/a:1"), at(10))
                .is_empty()
        );
        assert_eq!(due(&tags, "registry.lan/a:1"), 10);
        assert_eq!(due(&tags, "r.io/library/a:1"), 3_600);
        assert!(
            HintThrottle::default()
                .mark_due(&mut tags, &image("127.0.0.1:5000/library/b:1"), at(10))
                .is_empty()
        );
        // Docker Hub is no alias of another registry.
        assert!(
            !HintThrottle::default()
                .mark_due(&mut tags, &image("docker.io/library/a:1"), at(10))
                .is_empty()
        );
        assert_eq!(due(&tags, "r.io/library/a:1"), 3_600);
    }

    #[test]
    fn repeated_hint_is_throttled_until_the_end_of_the_pause() {
        let (mut tags, mut hinted) = (tags(&["r.io/a:1"]), HintThrottle::default());
        let pushed = image("r.io/a:1");
        hinted.mark_due(&mut tags, &pushed, at(10));
        for second in [11, 12, 14] {
            // It was looked at in between.
            tags.entry(&pushed).next_look = Some(at(3_600));
            hinted.mark_due(&mut tags, &pushed, at(second));
            assert_eq!(due(&tags, "r.io/a:1"), 15, "at {second}");
        }
        tags.entry(&pushed).next_look = Some(at(3_600));
        hinted.mark_due(&mut tags, &pushed, at(16));
        assert_eq!(due(&tags, "r.io/a:1"), 20);
        tags.entry(&pushed).next_look = Some(at(3_600));
        hinted.mark_due(&mut tags, &pushed, at(26));
        assert_eq!(due(&tags, "r.io/a:1"), 26);
        // The clock is set back by an hour.
        tags.entry(&pushed).next_look = Some(at(3_600));
        hinted.mark_due(&mut tags, &pushed, at(-3_600));
        assert_eq!(due(&tags, "r.io/a:1"), -3_600);
    }

    #[test]
    fn hint_for_a_paused_registry_waits_for_the_end_of_the_pause() {
        let mut tags = tags(&["r.io/a:1"]);
        tags.entry(&image("r.io/a:1")).not_before = Some(at(90));
        HintThrottle::default().mark_due(&mut tags, &image("r.io/a:1"), at(10));
        assert_eq!(due(&tags, "r.io/a:1"), 90);
    }

    #[test]
    fn hint_for_all_tags_makes_all_due_and_keeps_earlier_due_times() {
        let mut tags = tags(&["r.io/a:1", "docker.io/library/a:1"]);
        tags.entry(&image("r.io/a:1")).next_look = Some(at(3));
        HintThrottle::default().mark_all_due(&mut tags, |_| Duration::ZERO, at(10));
        assert_eq!(due(&tags, "r.io/a:1"), 3);
        assert_eq!(due(&tags, "docker.io/library/a:1"), 10);
    }

    #[test]
    fn hint_for_all_tags_keeps_the_pause_of_public_registries() {
        let mut tags = tags(&["r.io/a:1", "docker.io/library/a:1"]);
        for name in ["r.io/a:1", "docker.io/library/a:1"] {
            tags.entry(&image(name)).last_looked = Some(at(5));
        }
        let pause =
            |tag: &Reference| Duration::from_secs(if is_public(tag.registry()) { 600 } else { 0 });
        HintThrottle::default().mark_all_due(&mut tags, pause, at(10));
        assert_eq!(due(&tags, "r.io/a:1"), 10);
        assert_eq!(due(&tags, "docker.io/library/a:1"), 605);
    }
}
