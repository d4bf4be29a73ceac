//! `--keep-tags` and `--keep-days` of a task: which of the tags that its runs made from a template are removed.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::image::{Digest, Reference};

/// An image that a run pushed under a tag made from a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedTag {
    pub image: Reference,
    /// The digest of the pushed image.
    pub digest: Digest,
    /// When the run ended.
    pub pushed: Timestamp,
}

/// Returns the tags made from one template to remove: those beyond the newest `tags` that were pushed more than `days` days ago. If only one
/// of the two is given, it decides alone. `all` is in any order; of a tag that was pushed several times, the last push counts.
pub fn superseded(
    mut all: Vec<PushedTag>,
    tags: Option<u32>,
    days: Option<u32>,
    now: Timestamp,
) -> Vec<PushedTag> {
    if tags.is_none() && days.is_none() {
        return Vec::new();
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.pushed));
    let mut seen = BTreeSet::new();
    all.retain(|one| seen.insert(one.image.clone()));
    let tags = usize::try_from(tags.unwrap_or(0)).unwrap_or(usize::MAX);
    let age = SignedDuration::from_hours(24 * i64::from(days.unwrap_or(0)));
    let before = super::age::before(now, age);
    let mut rest = all.split_off(tags.min(all.len()));
    rest.retain(|one| days.is_none() || one.pushed < before);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_and_recent_tags_are_kept() {
        let hour = 3600;
        let tag = |n: i64| PushedTag {
            image: format!("r.example/web:ca{n}").parse().unwrap(),
            digest: Digest::of(b"x"),
            pushed: Timestamp::from_second(n * 24 * hour).unwrap(),
        };
        let gone = |tags, days| -> Vec<String> {
            let now = Timestamp::from_second(5 * 24 * hour).unwrap();
            superseded((1..=5).map(tag).collect(), tags, days, now)
                .iter()
                .map(|one| one.image.tag().unwrap().to_owned())
                .collect()
        };
        assert_eq!(gone(Some(2), None), ["ca3", "ca2", "ca1"]);
        assert_eq!(gone(None, Some(2)), ["ca2", "ca1"]);
        assert_eq!(gone(Some(4), Some(2)), ["ca1"]);
        assert_eq!(gone(None, None), [""; 0]);
        assert_eq!(gone(Some(9), None), [""; 0]);
        let now = Timestamp::from_second(5 * 24 * hour).unwrap();
        let pushed_again = PushedTag {
            image: tag(1).image,
            ..tag(4)
        };
        let all = vec![tag(1), tag(2), tag(3), pushed_again.clone()];
        assert_eq!(superseded(all, Some(2), None, now), [tag(2)]);
    }
}
