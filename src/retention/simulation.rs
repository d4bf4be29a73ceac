//! Property tests: for any repository of tags, indexes, referrers and ages, every tag that a purge leaves can be pulled.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::decide::{Policy, Snapshot, StoredManifest, TagInfo, manifests, tags};
use crate::image::Digest;

/// A generated manifest: its age, and which of the earlier ones it lists and refers to.
#[derive(Clone, Debug)]
struct MadeImage {
    age: Option<i64>,
    children: Vec<usize>,
    subject: Option<usize>,
}

#[derive(Clone, Debug)]
struct SimulatedRegistry {
    made: Vec<MadeImage>,
    /// The manifest of each tag. A tag with a second number is derived from the digest of that manifest.
    tags: Vec<(usize, Option<usize>)>,
    needed: Vec<usize>,
    needed_tags: Vec<usize>,
    /// The matching tags, one bit each.
    meant: u16,
    before: i64,
    keep: usize,
    takes_unknown_age: bool,
}

fn digest(n: usize) -> Digest {
    Digest::of(&n.to_be_bytes())
}

fn name(n: usize, beside: Option<usize>) -> String {
    match beside {
        Some(subject) => format!("{}.sig{n}", digest(subject).as_str().replace(':', "-")),
        None => format!("t{n}"),
    }
}

fn worlds() -> impl Strategy<Value = SimulatedRegistry> {
    let number = 0_usize..12;
    let made = (
        proptest::option::weighted(0.8, 0_i64..20),
        proptest::collection::vec(number.clone(), 0..4),
        proptest::option::weighted(0.3, number.clone()),
    );
    let tags = proptest::collection::vec(
        (
            number.clone(),
            proptest::option::weighted(0.2, number.clone()),
        ),
        0..10,
    );
    let few = proptest::collection::vec(number, 0..3);
    (
        proptest::collection::vec(made, 1..12),
        (tags, few.clone(), few),
        (any::<u16>(), 0_i64..22, 0_usize..3, any::<bool>()),
    )
        .prop_map(|(made, (tags, needed, needed_tags), choice)| {
            let count = made.len();
            let made = made
                .into_iter()
                .enumerate()
                .map(|(n, (age, children, subject))| MadeImage {
                    age,
                    // A digest can only refer to earlier content.
                    children: children.into_iter().filter(|child| *child < n).collect(),
                    subject: subject.filter(|subject| *subject < n),
                });
            SimulatedRegistry {
                made: made.collect(),
                tags: tags
                    .into_iter()
                    .map(|(of, beside)| (of % count, beside))
                    .collect(),
                needed: needed.into_iter().map(|n| n % count).collect(),
                needed_tags,
                meant: choice.0,
                before: choice.1,
                keep: choice.2,
                takes_unknown_age: choice.3,
            }
        })
}

fn snapshot(world: &SimulatedRegistry) -> Snapshot {
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    let made = world.made.iter().enumerate().map(|(n, made)| {
        let manifest = StoredManifest {
            children: made.children.iter().map(|child| digest(*child)).collect(),
            subject: made.subject.map(digest),
            updated: made.age.map(at),
        };
        (digest(n), manifest)
    });
    let tags = world.tags.iter().enumerate().map(|(n, (of, beside))| {
        let tagged = TagInfo {
            digest: digest(*of),
            updated: world.made[*of].age.map(at),
        };
        (name(n, *beside), tagged)
    });
    let need = |n: &usize| (digest(*n), "a task".to_owned());
    Snapshot {
        manifests: made.collect(),
        tags: tags.collect(),
        needed: world.needed.iter().map(need).collect(),
        needed_tags: world
            .needed_tags
            .iter()
            .map(|n| (format!("t{n}"), "a task".to_owned()))
            .collect(),
        unread: BTreeSet::new(),
    }
}

/// A registry that removes, with a manifest, its tags and, as some registries do, its referrers.
struct Registry {
    manifests: BTreeMap<Digest, StoredManifest>,
    tags: BTreeMap<String, Digest>,
}

impl Registry {
    fn delete(&mut self, digest: &Digest) {
        self.manifests.remove(digest);
        self.tags.retain(|_, named| named != digest);
        let referrers: Vec<Digest> = self
            .manifests
            .iter()
            .filter(|(_, manifest)| manifest.subject.as_ref() == Some(digest))
            .map(|(referrer, _)| referrer.clone())
            .collect();
        for referrer in referrers {
            self.delete(&referrer);
        }
    }

    fn can_pull(&self, digest: &Digest) -> bool {
        let found = self.manifests.get(digest);
        found.is_some_and(|manifest| manifest.children.iter().all(|child| self.can_pull(child)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn image_with_a_remaining_tag_can_be_pulled_after_any_purge(world in worlds()) {
        let first = snapshot(&world);
        let meant = |tag: &str| {
            let n: u32 = tag.trim_start_matches('t').parse().unwrap_or(15);
            world.meant & (1 << n.min(15)) != 0
        };
        let policy = Policy {
            takes: &meant,
            before: Timestamp::from_second(world.before).unwrap(),
            takes_unknown_age: world.takes_unknown_age,
            keep: world.keep,
        };
        let plan = tags(&first, &policy);
        let mut registry = Registry {
            manifests: first.manifests.clone(),
            tags: first.tags.iter().map(|(tag, it)| (tag.clone(), it.digest.clone())).collect(),
        };
        for tag in &plan.go {
            prop_assert!(meant(tag) && !first.needed_tags.contains_key(tag), "{tag}");
            let tagged = &first.tags[tag];
            prop_assert!(tagged.updated.map_or(world.takes_unknown_age, |it| it < policy.before));
            registry.tags.remove(tag);
        }
        let mut second = first.clone();
        second.tags.retain(|tag, _| !plan.go.contains(tag));
        let manifests = manifests(&second, &policy);
        for (of, beside) in &world.tags {
            let subject = beside.map(digest).filter(|it| first.manifests.contains_key(it));
            let goes = |digest: &Digest| manifests.go.contains(digest);
            prop_assert!(subject.is_none_or(|it| goes(&it) == goes(&digest(*of))), "a signature and its image part");
        }
        let referrers = |registry: &Registry, subject: &Digest| -> BTreeSet<Digest> {
            let all = registry.manifests.iter();
            all.filter(|(_, it)| it.subject.as_ref() == Some(subject)).map(|it| it.0.clone()).collect()
        };
        let signed: BTreeMap<Digest, BTreeSet<Digest>> = first
            .manifests
            .keys()
            .map(|digest| (digest.clone(), referrers(&registry, digest)))
            .collect();
        // The purge may be interrupted at any point.
        for gone in &manifests.go {
            registry.delete(gone);
            for (tag, tagged) in &second.tags {
                let is_beside = tag.starts_with("sha256-");
                prop_assert!(is_beside || registry.tags.contains_key(tag), "{tag} is gone");
                prop_assert!(!registry.tags.contains_key(tag) || registry.can_pull(&tagged.digest), "{tag}");
                prop_assert!(is_beside || referrers(&registry, &tagged.digest) == signed[&tagged.digest], "{tag} lost its signature");
            }
            for digest in first.needed.keys() {
                prop_assert!(registry.can_pull(digest), "{digest} is needed");
            }
        }
        // A second purge finds nothing more to remove.
        let rest = Snapshot {
            manifests: registry.manifests.clone(),
            tags: second.tags.clone().into_iter().filter(|(tag, _)| registry.tags.contains_key(tag)).collect(),
            ..second
        };
        prop_assert_eq!(super::decide::manifests(&rest, &policy).go, vec![]);
    }
}
