//! Makes task definitions for the files that were found: names, images, and which is built on which.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compose::ComposeBuild,
    error::{Error, Kind, Result},
    image::Reference,
    ops::App,
    task::{SourceKind, TaskName},
};

use super::{
    chain::{chained, in_order},
    draft::{Draft, draft},
    names,
    proposal::{AdoptOptions, LeftOut, Proposal, ProposedChange},
    read::{BuildEntries, BuildEntry, digest},
    write::{Existing, compared},
};

/// Makes proposals for what was found, parents first. What becomes no task is added to the entries that are left out.
pub fn plan(
    app: &App,
    options: &AdoptOptions,
    gathered: &mut BuildEntries,
) -> Result<Vec<Proposal>> {
    let existing = Existing::load(app)?;
    let entries = std::mem::take(&mut gathered.entries);
    let entries = without_twins(entries, &existing, &mut gathered.left_out);
    let options = &existing.destination(options, &entries, &gathered.searched);
    let mut taken: BTreeSet<String> = existing.names();
    let mut drafts: Vec<Draft> = Vec::new();
    for entry in entries {
        let before = existing.of(&entry);
        let name = match before {
            Some(task) => Some(task.name.clone()),
            None => names::unique(&entry.names, &taken),
        };
        let file = entry.file.clone();
        let key = entry.recipe.key.clone();
        let made = match name {
            Some(name) => draft(app, options, entry, name, before),
            None => Err(Error::invalid("no name is left for it")),
        };
        match made {
            Ok(draft) => {
                taken.insert(draft.task.name.as_str().to_lowercase());
                drafts.push(draft);
            }
            Err(error) if error.kind() == Kind::NotFound => {
                let told = Error::invalid(error.to_string());
                return Err(told.hint(error.advice().unwrap_or_default()));
            }
            Err(error) => gathered
                .left_out
                .push(LeftOut::problem(file, key, error.one_line())),
        }
    }
    let drafts = chained(app, drafts, &mut gathered.left_out);
    let drafts = in_order(drafts, &mut gathered.left_out);
    let names: Vec<TaskName> = drafts.iter().map(|it| it.task.name.clone()).collect();
    let mut proposals: Vec<Proposal> = Vec::new();
    for draft in drafts {
        let depends_on = draft.parents.iter().map(|n| names[*n].clone()).collect();
        proposals.extend(proposal(draft, depends_on, &existing));
    }
    proposals.extend(existing.gone(options, gathered, &proposals));
    Ok(proposals)
}

/// Leaves out each entry that makes the same image as another one: one task is enough. An entry that has a task already keeps its image,
/// whatever was found before it this time.
fn without_twins(
    entries: Vec<BuildEntry>,
    existing: &Existing,
    out: &mut Vec<LeftOut>,
) -> Vec<BuildEntry> {
    let mut entries: Vec<(usize, BuildEntry)> = entries.into_iter().enumerate().collect();
    entries.sort_by_cached_key(|(n, entry)| (existing.of(entry).is_none(), *n));
    let mut kept: Vec<(usize, BuildEntry)> = Vec::new();
    // The images of the kept entries.
    let mut made: BTreeMap<Reference, usize> = BTreeMap::new();
    for (n, mut entry) in entries {
        let names_image = entry.recipe.is_named || entry.kind != SourceKind::Dockerfile;
        if let Some(image) = existing.image_of(&entry).filter(|_| !names_image) {
            entry.recipe.images = vec![image];
        }
        let mut own: Option<Reference> = entry.recipe.images.first().and_then(|it| it.parse().ok());
        let mut twin = own.as_ref().and_then(|own| made.get(own)).copied();
        // A Dockerfile names no image: use the first of its candidate names that is free.
        if twin.is_some() && !names_image {
            let numbered = entry.names.last().map(|last| names::numbered(last));
            let candidates = entry.names.iter().cloned();
            let mut candidates = candidates.chain(numbered.into_iter().flatten());
            let free = candidates.find_map(|name| {
                let image: Reference = name.parse().ok()?;
                (!made.contains_key(&image)).then_some((name, image))
            });
            if let Some((name, image)) = free {
                entry.recipe.images = vec![name];
                (own, twin) = (Some(image), None);
            }
        }
        let Some(twin) = twin else {
            made.extend(own.map(|own| (own, kept.len())));
            kept.push((n, entry));
            continue;
        };
        let (_, twin) = &kept[twin];
        let is_same = {
            let bare = |recipe: &ComposeBuild| ComposeBuild {
                key: String::new(),
                profiles: Vec::new(),
                is_named: false,
                ..recipe.clone()
            };
            digest(&bare(&twin.recipe)) == digest(&bare(&entry.recipe))
        };
        let mut name = format!("`{}`", twin.recipe.key.escape_debug());
        if twin.file != entry.file {
            name.push_str(&format!(" of `{}`", twin.file.display()));
        }
        let shown = own.map(|it| it.familiar()).unwrap_or_default();
        out.push(LeftOut {
            why: if is_same {
                format!("it is the same build as {name}")
            } else {
                format!("it makes the same image `{shown}` as {name}, in another way")
            },
            is_problem: !is_same,
            file: entry.file,
            key: entry.recipe.key,
        });
    }
    kept.sort_by_key(|(n, _)| *n);
    kept.into_iter().map(|(_, entry)| entry).collect()
}

fn proposal(draft: Draft, depends_on: Vec<TaskName>, existing: &Existing) -> Option<Proposal> {
    let before = existing.of(&draft.entry);
    let (change, diff) = compared(before, &draft.task);
    let mut why = vec![match draft.entry.kind {
        SourceKind::Compose => "compose service".to_owned(),
        SourceKind::Bake => "bake target".to_owned(),
        SourceKind::Dockerfile => "Dockerfile".to_owned(),
    }];
    if change == ProposedChange::Kept {
        why.push("edited by hand".to_owned());
    }
    why.extend(draft.notes);
    Some(Proposal {
        depends_on,
        diff,
        ..Proposal::of(draft.task, change, why.join("; "))?
    })
}
