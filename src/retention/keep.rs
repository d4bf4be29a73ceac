//! `--keep-tags` and `--keep-days` of a task: which of the tags that its runs made from a template are removed.

use jiff::{SignedDuration, Timestamp};

use crate::image::{Digest, Reference};

/// An image name with `{{…}}` in its tag, split into the text before and behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPattern {
    repository: String,
    before: String,
    behind: String,
}

impl TagPattern {
    /// Parses an image name of a task, without its registry; `None` where its tag has no template.
    pub fn of(name: &str) -> Option<Self> {
        let open = name.find("{{")?;
        let close = name.rfind("}}")? + 2;
        let (repository, before) = name[..open].rsplit_once(':')?;
        (!repository.is_empty() && close > open).then(|| Self {
            repository: repository.to_owned(),
            before: before.to_owned(),
            behind: name[close..].to_owned(),
        })
    }

    /// Returns the repository, as written.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Tells whether the template may have made a tag.
    pub fn fits(&self, tag: &str) -> bool {
        let middle = tag.strip_prefix(&self.before);
        let middle = middle.and_then(|rest| rest.strip_suffix(&self.behind));
        middle.is_some_and(|middle| !middle.is_empty())
    }
}

/// An image that a run pushed under a tag made from a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedTag {
    pub image: Reference,
    /// The digest of the pushed image.
    pub digest: Digest,
    /// When the run ended.
    pub pushed: Timestamp,
}

/// Returns the tags of one repository to remove: those beyond the newest `tags` that were pushed more than `days` days ago. If only one of
/// the two is given, it decides alone. `all` is in any order.
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
    fn tags_match_a_template_only_if_it_could_have_made_them() {
        let pattern = TagPattern::of("r.example:5000/web:v-{{.Run.ID}}-x").unwrap();
        assert_eq!(pattern.repository(), "r.example:5000/web");
        assert!(pattern.fits("v-ca1-x"));
        assert!(!pattern.fits("v--x") && !pattern.fits("latest"));
        assert_eq!(TagPattern::of("web:latest"), None);
        assert_eq!(TagPattern::of("{{.Run.ID}}/web:latest"), None);
        assert!(TagPattern::of("a/b:{{.Run.ID}}").unwrap().fits("ca1"));
    }

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
    }
}
