//! Decides which tags and manifests of a repository are removed.
//!
//! Tags are removed first, then, if requested, manifests that are no longer needed. The manifest of a remaining tag stays, with everything
//! it lists, its subject, and its referrers: registries remove the referrers of a manifest together with it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::image::Digest;

/// The known content of a repository.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub tags: BTreeMap<String, TagInfo>,
    /// The manifests that were read. A manifest that an index lists and the registry lacks is present without children.
    pub manifests: BTreeMap<Digest, StoredManifest>,
    /// Digests that something else needs, with the reason.
    pub needed: BTreeMap<Digest, String>,
    /// Tags that something else needs, with the reason.
    pub needed_tags: BTreeMap<String, String>,
    /// Tags whose manifests are unknown.
    pub unread: BTreeSet<String>,
}

/// The manifest of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagInfo {
    pub digest: Digest,
    /// When it was pushed or created; `None` where nothing says so.
    pub updated: Option<Timestamp>,
}

/// A manifest or an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredManifest {
    /// The manifests that an index lists.
    pub children: Vec<Digest>,
    /// The subject of a referrer, such as a signature or an SBOM.
    pub subject: Option<Digest>,
    /// When it was pushed or created; `None` where nothing says so.
    pub updated: Option<Timestamp>,
}

/// The rules for what is removed.
#[derive(Clone, Copy)]
pub struct Policy<'a> {
    /// Tells whether a tag matches.
    pub takes: &'a dyn Fn(&str) -> bool,
    /// Only what was updated before this time is removed.
    pub before: Timestamp,
    /// Whether an unknown age counts as old enough.
    pub takes_unknown_age: bool,
    /// How many of the newest removable tags are kept.
    pub keep: usize,
}

/// A tag or digest that is kept although its name and age match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptItem {
    /// The tag or digest.
    pub name: String,
    pub why: KeepReason,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepReason {
    Needed(String),
    /// Its age is unknown.
    UnknownAge,
    /// Its manifest is unknown, and so is what that needs.
    Unread,
}

impl KeptItem {
    fn new(name: &str, why: KeepReason) -> Self {
        let name = name.to_owned();
        Self { name, why }
    }

    fn needed(name: &str, what: &str) -> Self {
        Self::new(name, KeepReason::Needed(what.to_owned()))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagPlan {
    /// The tags to remove, the newest first.
    pub go: Vec<String>,
    /// The matching tags that are kept.
    pub kept: Vec<KeptItem>,
}

/// The decision about manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestPlan {
    /// The manifests to remove, in a safe order: an index before what it lists, a signature before what it signs.
    pub go: Vec<Digest>,
    /// The old and untagged manifests that are kept.
    pub kept: Vec<KeptItem>,
}

/// Decides which tags are removed: those that match, are old enough and are needed by nothing, except the newest of them. Of the tags of a
/// needed digest, one is kept.
pub fn tags(snapshot: &Snapshot, policy: &Policy<'_>) -> TagPlan {
    let mut plan = TagPlan::default();
    let mut old: Vec<(&String, &TagInfo)> = Vec::new();
    let meant = |tag: &str| subject_of_tag(tag).is_none() && (policy.takes)(tag);
    for (tag, tagged) in snapshot.tags.iter().filter(|(tag, _)| meant(tag)) {
        match (tagged.updated, snapshot.needed_tags.get(tag)) {
            (Some(updated), _) if updated >= policy.before => {}
            (None, _) if !policy.takes_unknown_age => {
                plan.kept.push(KeptItem::new(tag, KeepReason::UnknownAge))
            }
            (_, Some(what)) => plan.kept.push(KeptItem::needed(tag, what)),
            (_, None) => old.push((tag, tagged)),
        }
    }
    let unread = snapshot.unread.iter().filter(|tag| meant(tag));
    plan.kept
        .extend(unread.map(|tag| KeptItem::new(tag, KeepReason::Unread)));
    old.sort_by(|(a, one), (b, other)| (other.updated, b).cmp(&(one.updated, a)));
    let mut go: Vec<(&String, &TagInfo)> = old.into_iter().skip(policy.keep).collect();
    let leaving: BTreeSet<&String> = go.iter().map(|(tag, _)| *tag).collect();
    let staying = snapshot
        .tags
        .iter()
        .filter(|(tag, _)| !leaving.contains(tag));
    let mut named: BTreeSet<&Digest> = staying.map(|(_, tagged)| &tagged.digest).collect();
    go.retain(|(tag, tagged)| match snapshot.needed.get(&tagged.digest) {
        Some(what) if named.insert(&tagged.digest) => {
            plan.kept.push(KeptItem::needed(tag, what));
            false
        }
        _ => true,
    });
    plan.go = go.into_iter().map(|(tag, _)| tag.clone()).collect();
    plan
}

/// Decides which manifests are removed after the tags: those that are old enough and that no tag and nothing else
/// needs.
///
/// Nothing is removed from a repository if a manifest that stays has not been read.
pub fn manifests(snapshot: &Snapshot, policy: &Policy<'_>) -> ManifestPlan {
    let manifests = &snapshot.manifests;
    let derived = snapshot.tags.iter().filter_map(|(tag, tagged)| {
        let subject = subject_of_tag(tag).filter(|subject| manifests.contains_key(subject))?;
        Some((subject, &tagged.digest))
    });
    let beside: Vec<(Digest, &Digest)> = derived.collect();
    let ages = ages(manifests, &beside);
    let is_old = |digest: &Digest| match ages.get(digest) {
        Some(updated) => *updated < policy.before,
        None => policy.takes_unknown_age,
    };
    // A manifest that is too young keeps what it needs, as a tag does.
    let young = manifests.keys().filter(|digest| !is_old(digest));
    let mut roots: BTreeSet<&Digest> = snapshot.needed.keys().chain(young).collect();
    for (tag, tagged) in &snapshot.tags {
        if !subject_of_tag(tag).is_some_and(|subject| manifests.contains_key(&subject)) {
            roots.insert(&tagged.digest);
        }
    }
    // A tag derived from an image's digest, such as that of its signature, stays as long as the image does, and the image as long as it: a
    // tag without its image would stay for ever.
    let stays = loop {
        let stays = closure(manifests, &roots);
        let before = roots.len();
        let pairs = beside.iter().map(|(subject, it)| [subject, *it]);
        roots.extend(
            pairs
                .filter(|pair| pair.iter().any(|it| stays.contains(it)))
                .flatten(),
        );
        if roots.len() == before {
            break stays;
        }
    };
    let mut plan = ManifestPlan::default();
    let is_unread = |digest: &&&Digest| !manifests.contains_key(**digest);
    let unread = stays.iter().find(is_unread).map(ToString::to_string);
    if let Some(name) = unread.or_else(|| snapshot.unread.first().cloned()) {
        plan.kept.push(KeptItem::new(&name, KeepReason::Unread));
        return plan;
    }
    let named: BTreeSet<&Digest> = snapshot.tags.values().map(|it| &it.digest).collect();
    let named = closure(manifests, &named);
    for digest in manifests.keys().filter(|digest| !named.contains(digest)) {
        if !is_old(digest) && !ages.contains_key(digest) {
            plan.kept
                .push(KeptItem::new(digest.as_str(), KeepReason::UnknownAge));
        }
    }
    for (digest, what) in snapshot.needed.iter().filter(|(digest, _)| is_old(digest)) {
        if manifests.contains_key(digest) && !snapshot.tags.values().any(|it| it.digest == *digest)
        {
            plan.kept.push(KeptItem::needed(digest.as_str(), what));
        }
    }
    let go = manifests.keys().filter(|digest| !stays.contains(digest));
    plan.go = parents_first(manifests, &go.collect());
    plan
}

/// Returns the image whose digest a tag is derived from: cosign's `sha256-….sig`, or the referrers tag of the distribution
/// specification.
fn subject_of_tag(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?;
    let hex = hex.split('.').next().unwrap_or(hex);
    format!("sha256:{hex}").parse().ok()
}

/// Returns all manifests that stay because of `roots`: those that they list, their subjects, and their referrers.
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
            // A missing subject was never needed to pull the image.
            let subject = manifest.subject.as_ref();
            open.extend(subject.filter(|subject| manifests.contains_key(*subject)));
        }
    }
    stays
}

/// Returns the ages of manifests; a manifest without a date is as old as the youngest index that lists it, and as its subject, or the one
/// that its tag is derived from: `beside` has these subjects.
fn ages<'a>(
    manifests: &'a BTreeMap<Digest, StoredManifest>,
    beside: &[(Digest, &'a Digest)],
) -> BTreeMap<&'a Digest, Timestamp> {
    let own = manifests.iter();
    let own = own.filter_map(|(digest, manifest)| Some((manifest.subject.as_ref()?, digest)));
    let derived = beside.iter().map(|(subject, digest)| (subject, *digest));
    let subjects: Vec<(&Digest, &'a Digest)> = own.chain(derived).collect();
    let mut ages: BTreeMap<&'a Digest, Timestamp> = manifests
        .iter()
        .filter_map(|(digest, manifest)| Some((digest, manifest.updated?)))
        .collect();
    loop {
        let mut more: BTreeMap<&'a Digest, Timestamp> = BTreeMap::new();
        for (parent, manifest) in manifests {
            let Some(age) = ages.get(parent) else {
                continue;
            };
            for child in manifest.children.iter().filter(|it| !ages.contains_key(it)) {
                let youngest = more.entry(child).or_insert(*age);
                *youngest = (*youngest).max(*age);
            }
        }
        for (subject, digest) in &subjects {
            if let Some(age) = ages.get(subject).filter(|_| !ages.contains_key(digest)) {
                let youngest = more.entry(digest).or_insert(*age);
                *youngest = (*youngest).max(*age);
            }
        }
        if more.is_empty() {
            return ages;
        }
        ages.extend(more);
    }
}

/// Orders manifests so that each comes before those that it lists and before its subject: if the removal is interrupted, no remaining tag
/// lacks a part, and no registry removes a referrer together with its image before its turn.
fn parents_first(
    manifests: &BTreeMap<Digest, StoredManifest>,
    go: &BTreeSet<&Digest>,
) -> Vec<Digest> {
    let mut order: Vec<Digest> = Vec::new();
    let mut done: BTreeSet<&Digest> = BTreeSet::new();
    // A depth-first search in post-order, reversed. A digest can only refer to earlier content, so there are no cycles.
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

    /// Builds a repository: manifests with their ages, children and subjects; and tags of them.
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
            ((*tag).to_owned(), TagInfo { digest, updated })
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

    fn gone(
        mut snapshot: Snapshot,
        policy: &Policy<'_>,
    ) -> (Vec<String>, Vec<Digest>, Vec<KeptItem>) {
        let plan = tags(&snapshot, policy);
        snapshot.tags.retain(|tag, _| !plan.go.contains(tag));
        let more = manifests(&snapshot, policy);
        (plan.go, more.go, [plan.kept, more.kept].concat())
    }

    #[test]
    fn keep_retains_the_newest_of_the_matching_tags() {
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
    fn index_is_deleted_before_its_manifests_and_manifests_of_a_kept_index_stay() {
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
    fn referrers_are_kept_and_deleted_with_their_image() {
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
        // A signature with a tag keeps its image: some registries remove the signature together with it.
        let tagged = [("sig", "sig-of-old")];
        let mut tagged = snapshot(&images, &tagged);
        tagged.tags.get_mut("sig").unwrap().updated = at(200);
        let (tags, manifests, _) = gone(tagged, &policy(0));
        assert_eq!(tags, [""; 0]);
        assert_eq!(manifests, []);
    }

    #[test]
    fn index_that_refers_to_one_of_its_manifests_is_deleted_first() {
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
    fn signature_tag_is_decided_with_its_image_whatever_its_own_name_and_age() {
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
    fn signature_without_a_date_is_as_old_as_the_image_that_its_tag_names() {
        let fallback = |name: &str| digest(name).as_str().replace(':', "-");
        let (signature_tag, list_tag) = (format!("{}.sig", fallback("old")), fallback("old"));
        let mut all = snapshot(
            &[
                ("old", 10, &[], None),
                ("cosigned", 10, &[], None),
                ("list", 10, &["listed"], None),
                ("listed", 10, &[], Some("old")),
                ("image", 10, &[], None),
                ("signed", 200, &[], None),
            ],
            &[
                ("1", "old"),
                (&signature_tag, "cosigned"),
                (&list_tag, "list"),
                (&format!("{}.sig", fallback("image")), "signed"),
            ],
        );
        for name in ["cosigned", "list", "listed"] {
            all.manifests.get_mut(&digest(name)).unwrap().updated = None;
        }
        let (tags, manifests, kept) = gone(all, &policy(0));
        assert_eq!((tags, kept), (vec!["1".to_owned()], vec![]));
        let manifests: BTreeSet<Digest> = manifests.into_iter().collect();
        // A young signature keeps its image.
        let gone = ["old", "cosigned", "list", "listed"].map(digest);
        assert_eq!(manifests, BTreeSet::from(gone));
    }

    #[test]
    fn needed_image_is_kept_with_its_manifests_and_the_reason_reported() {
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
        let needed = |name: &str, what: &str| KeptItem {
            name: name.into(),
            why: KeepReason::Needed(what.into()),
        };
        assert_eq!(
            kept,
            [needed("stable", "task `api`"), needed("1", "task `web`")]
        );
    }

    #[test]
    fn one_of_several_tags_of_a_needed_image_is_kept() {
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
    fn image_without_an_age_is_kept_unless_age_does_not_matter() {
        let mut unknown = snapshot(&[("a", 10, &[], None)], &[("1", "a")]);
        unknown.tags.get_mut("1").unwrap().updated = None;
        unknown.manifests.get_mut(&digest("a")).unwrap().updated = None;
        let plan = tags(&unknown, &policy(0));
        assert_eq!(plan.go, [""; 0]);
        assert_eq!(plan.kept[0].why, KeepReason::UnknownAge);
        let any = Policy {
            takes_unknown_age: true,
            ..policy(0)
        };
        assert_eq!(gone(unknown, &any).1, [digest("a")]);
    }

    #[test]
    fn nothing_is_deleted_while_a_kept_manifest_is_unread() {
        let mut blind = snapshot(&[("loose", 10, &[], None)], &[]);
        assert_eq!(manifests(&blind, &policy(0)).go, [digest("loose")]);
        let tagged = TagInfo {
            digest: digest("unread index"),
            updated: at(200),
        };
        blind.tags.insert("1".into(), tagged);
        let plan = manifests(&blind, &policy(0));
        assert_eq!(
            (plan.go, plan.kept[0].why.clone()),
            (vec![], KeepReason::Unread)
        );
        let mut odd = snapshot(&[("loose", 10, &[], None)], &[]);
        odd.unread.insert("schema1".into());
        assert_eq!(manifests(&odd, &policy(0)).go, []);
    }
}
