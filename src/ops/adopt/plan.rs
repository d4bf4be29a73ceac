//! Makes task definitions for the files that were found: names, images, and which is built on which.

use std::collections::BTreeSet;

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
    proposal::{AdoptOptions, Change, LeftOut, Proposal},
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
    let entries = without_twins(entries, &mut gathered.left_out);
    let options = &existing.destination(options, &entries);
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
            None => Err(Error::new(Kind::Invalid, "no name is left for it")),
        };
        match made {
            Ok(draft) => {
                taken.insert(draft.task.name.as_str().to_lowercase());
                drafts.push(draft);
            }
            Err(error) if error.kind() == Kind::NotFound => {
                let told = Error::new(Kind::Invalid, error.to_string());
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

/// Leaves out each entry that makes the same image as an earlier one: one task is enough.
fn without_twins(entries: Vec<BuildEntry>, out: &mut Vec<LeftOut>) -> Vec<BuildEntry> {
    let mut kept: Vec<BuildEntry> = Vec::new();
    for mut entry in entries {
        let image = |entry: &BuildEntry| entry.recipe.images.first().and_then(|it| it.parse().ok());
        let own: Option<Reference> = image(&entry);
        let twin = kept
            .iter()
            .find(|other| own.is_some() && image(other) == own);
        let Some(twin) = twin else {
            kept.push(entry);
            continue;
        };
        // A Dockerfile names no image: use the longer of its candidate names.
        if entry.names.len() > 1 && !entry.recipe.is_named && entry.project.is_empty() {
            let longer = entry.names[1].clone();
            if !kept
                .iter()
                .any(|other| other.recipe.images.contains(&longer))
            {
                entry.recipe.images = vec![longer];
                kept.push(entry);
                continue;
            }
        }
        let is_same = {
            let bare = |recipe: &ComposeBuild| ComposeBuild {
                key: String::new(),
                profiles: Vec::new(),
                is_named: false,
                ..recipe.clone()
            };
            digest(&bare(&twin.recipe)) == digest(&bare(&entry.recipe))
        };
        let (name, shown) = (
            twin.recipe.key.escape_debug(),
            own.map(|it| it.familiar()).unwrap_or_default(),
        );
        out.push(LeftOut {
            why: if is_same {
                format!("it is the same build as `{name}`")
            } else {
                format!("it makes the same image `{shown}` as `{name}`, in another way")
            },
            is_problem: !is_same,
            file: entry.file,
            key: entry.recipe.key,
        });
    }
    kept
}

fn proposal(draft: Draft, depends_on: Vec<TaskName>, existing: &Existing) -> Option<Proposal> {
    let before = existing.of(&draft.entry);
    let (change, diff) = compared(before, &draft.task);
    let mut why = vec![match draft.entry.kind {
        SourceKind::Compose => "compose service".to_owned(),
        SourceKind::Bake => "bake target".to_owned(),
        SourceKind::Dockerfile => "Dockerfile".to_owned(),
    }];
    if change == Change::Kept {
        why.push("edited by hand".to_owned());
    }
    why.extend(draft.notes);
    Some(Proposal {
        depends_on,
        diff,
        ..Proposal::of(draft.task, change, why.join("; "))?
    })
}
