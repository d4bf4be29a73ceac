//! Reads the parts of a repository that must be known before anything is removed from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{
    error::Result,
    image::Digest,
    ops::inventory::{Described, Inventory},
    retention::{KeepReason, KeptItem, ManifestPlan, Policy, Snapshot, TagInfo, manifests},
};

use super::needed::RequiredContent;

/// Reads the tags, with the ages of those that are selected, and with `whole` all manifests that can be reached.
///
/// # Errors
///
/// [`crate::error::Kind::Unknown`] where the registry does not answer, or refuses.
pub async fn survey(
    inventory: &Inventory,
    meant: &impl Fn(&str) -> Result<bool>,
    needed: &RequiredContent<'_>,
    whole: bool,
) -> Result<Snapshot> {
    let needed = needed.of(inventory.repository.repository());
    let mut snapshot = Snapshot {
        needed: needed.digests.clone(),
        needed_tags: needed.tags.clone(),
        ..Snapshot::default()
    };
    for tag in inventory.tags().await? {
        let Some(seen) = tag.seen else {
            snapshot.unread.insert(tag.name);
            continue;
        };
        let updated = if meant(&tag.name)? {
            inventory.updated(&tag.name, &seen.digest).await?
        } else {
            None
        };
        let tagged = TagInfo {
            digest: seen.digest,
            updated,
        };
        snapshot.tags.insert(tag.name, tagged);
    }
    if whole {
        let tagged = snapshot.tags.values().map(|tagged| tagged.digest.clone());
        let open: BTreeSet<Digest> = tagged
            .chain(snapshot.needed.keys().cloned())
            .chain(inventory.pushed())
            .collect();
        add(&mut snapshot, inventory.describe_all(open).await?);
        // A manifest that does not exist needs nothing.
        let there: BTreeSet<Digest> = snapshot.manifests.keys().cloned().collect();
        snapshot.needed.retain(|digest, _| there.contains(digest));
    }
    Ok(snapshot)
}

/// Reads the tags again, after some have been removed. Tags in `gone` still exist, but count as removed.
pub async fn again(
    inventory: &Inventory,
    before: &Snapshot,
    gone: &BTreeMap<String, Digest>,
) -> Result<Snapshot> {
    let mut snapshot = before.clone();
    snapshot.tags.clear();
    snapshot.unread.clear();
    for tag in inventory.tags().await? {
        match tag.seen {
            None => drop(snapshot.unread.insert(tag.name)),
            Some(seen) if gone.get(&tag.name) == Some(&seen.digest) => {}
            Some(seen) => {
                let updated = before.tags.get(&tag.name).and_then(|it| it.updated);
                let digest = seen.digest;
                snapshot.tags.insert(tag.name, TagInfo { digest, updated });
            }
        }
    }
    let tagged = snapshot.tags.values().map(|tagged| tagged.digest.clone());
    let read = inventory.describe_all(tagged.collect::<Vec<_>>()).await?;
    add(&mut snapshot, read);
    Ok(snapshot)
}

/// Decides which manifests go, after their referrers have been read, and tags that runs have pushed and the registry does not list.
pub async fn dangling(
    inventory: &Inventory,
    snapshot: &mut Snapshot,
    policy: &Policy<'_>,
) -> Result<ManifestPlan> {
    let mut asked: BTreeSet<Digest> = BTreeSet::new();
    let mut kept: Vec<KeptItem> = Vec::new();
    loop {
        let mut plan = manifests(snapshot, policy);
        let new = plan.go.iter().filter(|digest| !asked.contains(*digest));
        let new: Vec<Digest> = new.cloned().collect();
        asked.extend(new.iter().cloned());
        let mut referrers: Vec<Digest> = Vec::new();
        for digest in &new {
            match inventory.referrers(digest).await? {
                Some(found) => referrers.extend(found),
                // The registry has no referrers API; the referrers are tags there.
                None => break,
            }
        }
        referrers.retain(|digest| !snapshot.manifests.contains_key(digest));
        let unlisted = inventory.unlisted(&new).await?;
        if referrers.is_empty() && unlisted.is_empty() {
            plan.kept.extend(kept);
            return Ok(plan);
        }
        for (tag, digest) in unlisted {
            let why = format!("its tag `{tag}` still exists, though the registry does not list it");
            kept.push(KeptItem {
                name: digest.to_string(),
                why: KeepReason::Needed(why),
            });
            let updated = None;
            snapshot.tags.insert(tag, TagInfo { digest, updated });
        }
        add(snapshot, inventory.describe_all(referrers).await?);
    }
}

/// Adds the manifests that were read. A missing manifest matters only if a tag or an index points to it: what a run once pushed or a baseline
/// names may be gone.
fn add(snapshot: &mut Snapshot, read: BTreeMap<Digest, Option<Rc<Described>>>) {
    let mut absent = Vec::new();
    for (digest, described) in read {
        let Some(described) = described else {
            absent.push(digest);
            continue;
        };
        snapshot.manifests.insert(digest, described.stored());
    }
    let children = snapshot.manifests.values().flat_map(|it| &it.children);
    let tagged = snapshot.tags.values().map(|tagged| &tagged.digest);
    let named: BTreeSet<Digest> = children.chain(tagged).cloned().collect();
    absent.retain(|digest| named.contains(digest));
    let unknown = absent
        .into_iter()
        .map(|digest| (digest, Default::default()));
    snapshot.manifests.extend(unknown);
}
