//! Which tags and manifests of a repository may go.
//!
//! Tags go first, and then, where it is asked for, manifests that nothing needs any more. What a tag that stays names stays, with all that
//! is beneath it, what it refers to, and what refers to it: registries remove what refers to a manifest together with it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::image::Digest;

/// A repository, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub tags: BTreeMap<String, Tagged>,
    /// The manifests that were read. One that an index lists and the registry does not have is there with nothing beneath it.
    pub manifests: BTreeMap<Digest, StoredManifest>,
    /// Digests that something else needs, with what that is.
    pub needed: BTreeMap<Digest, String>,
    /// Tags that something else needs, with what that is.
    pub needed_tags: BTreeMap<String, String>,
    /// Tags of which it is unknown what they name.
    pub unread: BTreeSet<String>,
}

/// What a tag names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    pub digest: Digest,
    /// When it was pushed or made; none, where nothing says so.
    pub updated: Option<Timestamp>,
}

/// A manifest or an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredManifest {
    /// What it lists, if it is an index.
    pub children: Vec<Digest>,
    /// What it refers to, if it is a signature, an SBOM or the like.
    pub subject: Option<Digest>,
    /// When it was pushed or made; none, where nothing says so.
    pub updated: Option<Timestamp>,
}

/// What is to go.
#[derive(Clone, Copy)]
pub struct Policy<'a> {
    /// Whether a tag is meant.
    pub takes: &'a dyn Fn(&str) -> bool,
    /// Only what was updated before this goes.
    pub before: Timestamp,
    /// Whether what has no known age counts as old enough.
    pub takes_unknown_age: bool,
    /// How many of the newest tags that could go stay.
    pub keep: usize,
}

/// Something that would go by its name and age, and stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// A tag or a digest.
    pub name: String,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    Needed(String),
    /// Nothing says how old it is.
    UnknownAge,
    /// It is unknown what it names, and so what it needs.
    Unread,
}

/// Which tags go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagPlan {
    /// These, the newest first.
    pub go: Vec<String>,
    /// What stays, although it is meant.
    pub kept: Vec<Kept>,
}

/// Which manifests go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestPlan {
    /// These, in the order in which they may be removed: an index before what it lists, a signature before what it signs.
    pub go: Vec<Digest>,
    /// What stays, although it is old enough and no tag names it.
    pub kept: Vec<Kept>,
}

/// Decides which tags go: those that are meant, old enough and needed by nothing, but for the newest of them. What needs a digest keeps one of
/// its tags.
pub fn tags(snapshot: &Snapshot, policy: &Policy<'_>) -> TagPlan {
    let mut plan = TagPlan::default();
    let mut old: Vec<(&String, &Tagged)> = Vec::new();
    let meant = |tag: &str| subject_of_tag(tag).is_none() && (policy.takes)(tag);
    let keep = |tag: &str, why: Why| Kept {
        name: tag.to_owned(),
        why,
    };
    for (tag, tagged) in snapshot.tags.iter().filter(|(tag, _)| meant(tag)) {
        match (tagged.updated, snapshot.needed_tags.get(tag)) {
            (Some(updated), _) if updated >= policy.before => {}
            (None, _) if !policy.takes_unknown_age => plan.kept.push(keep(tag, Why::UnknownAge)),
            (_, Some(what)) => plan.kept.push(keep(tag, Why::Needed(what.clone()))),
            (_, None) => old.push((tag, tagged)),
        }
    }
    let unread = snapshot.unread.iter().filter(|tag| meant(tag));
    plan.kept.extend(unread.map(|tag| keep(tag, Why::Unread)));
    old.sort_by(|(a, one), (b, other)| (other.updated, b).cmp(&(one.updated, a)));
    let mut go: Vec<(&String, &Tagged)> = old.into_iter().skip(policy.keep).collect();
    let leaving: BTreeSet<&String> = go.iter().map(|(tag, _)| *tag).collect();
    let staying = snapshot
        .tags
        .iter()
        .filter(|(tag, _)| !leaving.contains(tag));
    let mut named: BTreeSet<&Digest> = staying.map(|(_, tagged)| &tagged.digest).collect();
    go.retain(|(tag, tagged)| match snapshot.needed.get(&tagged.digest) {
        Some(what) if named.insert(&tagged.digest) => {
            plan.kept.push(keep(tag, Why::Needed(what.clone())));
            false
        }
        _ => true,
    });
    plan.go = go.into_iter().map(|(tag, _)| tag.clone()).collect();
    plan
}

/// Decides which manifests go when the tags are gone: those that are old enough and that no tag and nothing else needs.
///
/// Nothing goes from a repository of which something that stays has not been read.
pub fn manifests(snapshot: &Snapshot, policy: &Policy<'_>) -> ManifestPlan {
    let manifests = &snapshot.manifests;
    let ages = ages(manifests);
    let is_old = |digest: &Digest| match ages.get(digest) {
        Some(updated) => *updated < policy.before,
        None => policy.takes_unknown_age,
    };
    // What is young keeps what it needs, as a tag does.
    let young = manifests.keys().filter(|digest| !is_old(digest));
    let mut roots: BTreeSet<&Digest> = snapshot.needed.keys().chain(young).collect();
    let mut beside: Vec<(Digest, &Digest)> = Vec::new();
    for (tag, tagged) in &snapshot.tags {
        match subject_of_tag(tag) {
            Some(subject) if manifests.contains_key(&subject) => {
                beside.push((subject, &tagged.digest));
            }
            _ => drop(roots.insert(&tagged.digest)),
        }
    }
    // A tag beside an image, such as that of its signature, stays as long as the image does.
    let stays = loop {
        let stays = closure(manifests, &roots);
        let before = roots.len();
        let its = |(subject, _): &&(Digest, &Digest)| stays.contains(subject);
        let more: Vec<&Digest> = beside.iter().filter(its).map(|(_, it)| *it).collect();
        roots.extend(more);
        if roots.len() == before {
            break stays;
        }
    };
    let mut plan = ManifestPlan::default();
    let is_unread = |digest: &&&Digest| !manifests.contains_key(**digest);
    let unread = stays.iter().find(is_unread).map(ToString::to_string);
    if let Some(name) = unread.or_else(|| snapshot.unread.first().cloned()) {
        plan.kept.push(Kept {
            name,
            why: Why::Unread,
        });
        return plan;
    }
    let named: BTreeSet<&Digest> = snapshot.tags.values().map(|it| &it.digest).collect();
    let named = closure(manifests, &named);
    for digest in manifests.keys().filter(|digest| !named.contains(digest)) {
        if !is_old(digest) && !ages.contains_key(digest) {
            plan.kept.push(Kept {
                name: digest.to_string(),
                why: Why::UnknownAge,
            });
        }
    }
    for (digest, what) in snapshot.needed.iter().filter(|(digest, _)| is_old(digest)) {
        if manifests.contains_key(digest) && !snapshot.tags.values().any(|it| it.digest == *digest)
        {
            plan.kept.push(Kept {
                name: digest.to_string(),
                why: Why::Needed(what.clone()),
            });
        }
    }
    let go = manifests.keys().filter(|digest| !stays.contains(digest));
    plan.go = parents_first(manifests, &go.collect());
    plan
}

/// Returns the image that a tag is beside: cosign's `sha256-….sig`, or the list of referrers of the distribution specification.
fn subject_of_tag(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?;
    let hex = hex.split('.').next().unwrap_or(hex);
    format!("sha256:{hex}").parse().ok()
}

/// Returns what stays where `roots` stay: what they list, what they refer to, and what refers to them.
fn closure<'a>(
    manifests: &'a BTreeMap<Digest, StoredManifest>,
    roots: &BTreeSet<&'a Digest>,
) -> BTreeSet<&'a Digest> {
    let mut referrers: BTreeMap<&Digest, Vec<&Digest>> = BTreeMap::new();
    for (digest, manifest) in manifests {
        if let Some(subject) = &manifest.subject {
            referrers.entry(subject).or_default().push(digest);
        }
    }
    let mut stays: BTreeSet<&Digest> = BTreeSet::new();
    let mut open: Vec<&Digest> = roots.iter().copied().collect();
    while let Some(digest) = open.pop() {
        if !stays.insert(digest) {
            continue;
        }
        open.extend(referrers.get(digest).into_iter().flatten().copied());
        if let Some(manifest) = manifests.get(digest) {
            open.extend(&manifest.children);
            // A subject that is not there was never needed to pull it.
            let subject = manifest.subject.as_ref();
            open.extend(subject.filter(|subject| manifests.contains_key(*subject)));
        }
    }
    stays
}

/// Returns how old manifests are; what says nothing itself is as old as the youngest that lists it.
fn ages(manifests: &BTreeMap<Digest, StoredManifest>) -> BTreeMap<&Digest, Timestamp> {
    let mut ages: BTreeMap<&Digest, Timestamp> = manifests
        .iter()
        .filter_map(|(digest, manifest)| Some((digest, manifest.updated?)))
        .collect();
    loop {
        let mut more: BTreeMap<&Digest, Timestamp> = BTreeMap::new();
        for (parent, manifest) in manifests {
            let Some(age) = ages.get(parent) else {
                continue;
            };
            for child in manifest.children.iter().filter(|it| !ages.contains_key(it)) {
                let youngest = more.entry(child).or_insert(*age);
                *youngest = (*youngest).max(*age);
            }
        }
        for (digest, manifest) in manifests {
            let subject = manifest.subject.as_ref().and_then(|it| ages.get(it));
            if let Some(age) = subject.filter(|_| !ages.contains_key(digest)) {
                more.entry(digest).or_insert(*age);
            }
        }
        if more.is_empty() {
            return ages;
        }
        ages.extend(more);
    }
}

/// Orders manifests so that each comes before what it lists and what it refers to: whatever is left half done, nothing that is still named
/// lacks a part, and nothing is taken along by a registry that removes with an image what refers to it.
fn parents_first(
    manifests: &BTreeMap<Digest, StoredManifest>,
    go: &BTreeSet<&Digest>,
) -> Vec<Digest> {
    let mut order: Vec<Digest> = Vec::new();
    let mut done: BTreeSet<&Digest> = BTreeSet::new();
    // What is named before who names it by depth first, and then the other way round. A digest can only name what was there before it, so
    // that there are no circles.
    let mut open: Vec<(&Digest, bool)> = go.iter().map(|digest| (*digest, false)).collect();
    while let Some((digest, is_left)) = open.pop() {
        if is_left {
            order.push(digest.clone());
            continue;
        }
        if !done.insert(digest) {
            continue;
        }
        open.push((digest, true));
        let named = manifests.get(digest).into_iter();
        let named = named.flat_map(|it| it.children.iter().chain(&it.subject));
        open.extend(named.filter_map(|it| Some((*go.get(it)?, false))));
    }
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn at(second: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(second).unwrap())
    }

    fn manifest(updated: i64, children: &[&str], subject: Option<&str>) -> StoredManifest {
        StoredManifest {
            children: children.iter().map(|name| digest(name)).collect(),
            subject: subject.map(digest),
            updated: at(updated),
        }
    }

    /// A repository: manifests with their ages, what they list and refer to; and tags of them.
    fn snapshot(
        manifests: &[(&str, i64, &[&str], Option<&str>)],
        tags: &[(&str, &str)],
    ) -> Snapshot {
        let manifests: BTreeMap<Digest, StoredManifest> = manifests
            .iter()
            .map(|(name, age, children, subject)| {
                (digest(name), manifest(*age, children, *subject))
            })
            .collect();
        let tags = tags.iter().map(|(tag, name)| {
            let digest = digest(name);
            let updated = manifests.get(&digest).and_then(|it| it.updated);
            ((*tag).to_owned(), Tagged { digest, updated })
        });
        Snapshot {
            tags: tags.collect(),
            manifests,
            ..Snapshot::default()
        }
    }

    fn policy(keep: usize) -> Policy<'static> {
        Policy {
            takes: &|_| true,
            before: Timestamp::from_second(100).unwrap(),
            takes_unknown_age: false,
            keep,
        }
    }

    fn gone(mut snapshot: Snapshot, policy: &Policy<'_>) -> (Vec<String>, Vec<Digest>, Vec<Kept>) {
        let plan = tags(&snapshot, policy);
        snapshot.tags.retain(|tag, _| !plan.go.contains(tag));
        let more = manifests(&snapshot, policy);
        (plan.go, more.go, [plan.kept, more.kept].concat())
    }

    #[test]
    fn the_newest_of_those_that_could_go_are_kept() {
        let five = snapshot(
            &[
                ("a", 10, &[], None),
                ("b", 20, &[], None),
                ("c", 30, &[], None),
                ("young", 100, &[], None),
            ],
            &[("1", "a"), ("2", "b"), ("3", "c"), ("4", "young")],
        );
        assert_eq!(tags(&five, &policy(0)).go, ["3", "2", "1"]);
        assert_eq!(tags(&five, &policy(2)).go, ["1"]);
        assert_eq!(tags(&five, &policy(9)).go, [""; 0]);
    }

    #[test]
    fn an_index_goes_before_its_parts_and_a_part_of_one_that_stays_stays() {
        let shared = snapshot(
            &[
                ("amd", 10, &[], None),
                ("arm", 10, &[], None),
                ("old", 10, &["amd", "arm"], None),
                ("new", 200, &["amd"], None),
            ],
            &[("1", "old"), ("2", "new")],
        );
        let (tags, manifests, kept) = gone(shared, &policy(0));
        assert_eq!(tags, ["1"]);
        assert_eq!(manifests, [digest("old"), digest("arm")]);
        assert_eq!(kept, []);
    }

    #[test]
    fn what_refers_to_an_image_stays_and_goes_with_it() {
        let images = [
            ("kept", 200, &[][..], None),
            ("sig-of-kept", 10, &[], Some("kept")),
            ("old", 10, &[], None),
            ("sig-of-old", 10, &[], Some("old")),
        ];
        let (_, manifests, _) = gone(
            snapshot(&images, &[("1", "kept"), ("2", "old")]),
            &policy(0),
        );
        assert_eq!(manifests, [digest("sig-of-old"), digest("old")]);
        // A signature with a tag of its own keeps what it is about: some registries remove it together with that.
        let tagged = [("sig", "sig-of-old")];
        let mut tagged = snapshot(&images, &tagged);
        tagged.tags.get_mut("sig").unwrap().updated = at(200);
        let (tags, manifests, _) = gone(tagged, &policy(0));
        assert_eq!(tags, [""; 0]);
        assert_eq!(manifests, []);
    }

    #[test]
    fn index_that_refers_to_a_part_of_itself_goes_before_all_that_it_names() {
        let all = snapshot(
            &[
                ("image", 10, &[], None),
                ("index", 10, &["image"], None),
                ("signed", 10, &["index"], Some("image")),
            ],
            &[],
        );
        let (_, manifests, _) = gone(all, &policy(0));
        let order = ["signed", "index", "image"].map(digest);
        assert_eq!(manifests, order);
    }

    #[test]
    fn a_tag_beside_an_image_is_decided_with_the_image_whatever_its_own_name_and_age() {
        let beside = |name: &str| format!("{}.sig", digest(name).as_str().replace(':', "-"));
        let (of_kept, of_old) = (beside("kept"), beside("old"));
        let all = snapshot(
            &[
                ("kept", 200, &[], None),
                ("old", 10, &[], None),
                ("x", 10, &[], None),
                ("y", 10, &[], None),
            ],
            &[("1", "kept"), ("2", "old"), (&of_kept, "x"), (&of_old, "y")],
        );
        let (tags, manifests, _) = gone(all, &policy(0));
        assert_eq!(tags, ["2"]);
        let manifests: BTreeSet<Digest> = manifests.into_iter().collect();
        assert_eq!(manifests, BTreeSet::from([digest("old"), digest("y")]));
    }

    #[test]
    fn what_is_needed_stays_with_its_parts_and_it_is_said_by_what() {
        let mut needs = snapshot(
            &[
                ("part", 10, &[], None),
                ("base", 10, &["part"], None),
                ("loose", 10, &[], None),
                ("tag", 10, &[], None),
            ],
            &[("1", "base"), ("stable", "tag")],
        );
        needs.needed.insert(digest("base"), "task `web`".into());
        needs
            .needed_tags
            .insert("stable".into(), "task `api`".into());
        let (tags, manifests, kept) = gone(needs, &policy(0));
        assert_eq!(tags, [""; 0]);
        assert_eq!(manifests, [digest("loose")]);
        let needed = |name: &str, what: &str| Kept {
            name: name.into(),
            why: Why::Needed(what.into()),
        };
        assert_eq!(
            kept,
            [needed("stable", "task `api`"), needed("1", "task `web`")]
        );
    }

    #[test]
    fn of_several_tags_of_what_is_needed_one_stays() {
        let mut three = snapshot(
            &[("a", 10, &[], None)],
            &[("1", "a"), ("2", "a"), ("3", "a")],
        );
        three.needed.insert(digest("a"), "task `web`".into());
        assert_eq!(tags(&three, &policy(0)).go, ["2", "1"]);
        let named_besides = Policy {
            takes: &|tag| tag != "1",
            ..policy(0)
        };
        assert_eq!(tags(&three, &named_besides).go, ["3", "2"]);
    }

    #[test]
    fn without_an_age_nothing_goes_unless_age_does_not_matter() {
        let mut unknown = snapshot(&[("a", 10, &[], None)], &[("1", "a")]);
        unknown.tags.get_mut("1").unwrap().updated = None;
        unknown.manifests.get_mut(&digest("a")).unwrap().updated = None;
        let plan = tags(&unknown, &policy(0));
        assert_eq!(plan.go, [""; 0]);
        assert_eq!(plan.kept[0].why, Why::UnknownAge);
        let any = Policy {
            takes_unknown_age: true,
            ..policy(0)
        };
        assert_eq!(gone(unknown, &any).1, [digest("a")]);
    }

    #[test]
    fn nothing_goes_while_something_that_stays_has_not_been_read() {
        let mut blind = snapshot(&[("loose", 10, &[], None)], &[]);
        assert_eq!(manifests(&blind, &policy(0)).go, [digest("loose")]);
        let tagged = Tagged {
            digest: digest("unread index"),
            updated: at(200),
        };
        blind.tags.insert("1".into(), tagged);
        let plan = manifests(&blind, &policy(0));
        assert_eq!((plan.go, plan.kept[0].why.clone()), (vec![], Why::Unread));
        let mut odd = snapshot(&[("loose", 10, &[], None)], &[]);
        odd.unread.insert("schema1".into());
        assert_eq!(manifests(&odd, &policy(0)).go, []);
    }
}
