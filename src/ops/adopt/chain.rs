//! Finds which drafts are built on which, and puts them in the order of their dependencies.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    compose::NamedContext,
    image::Reference,
    ops::{App, joined::joined, reading},
    store::secrets::Secrets,
    task::{SourceKind, Step},
    watch::graph::{Graph, Vertex},
};

use super::{draft::Draft, proposal::LeftOut};

/// The prefix by which docker builds name an image as a context.
const IMAGE: &str = "docker-image://";

/// Finds which drafts are built on which, and lets each draft take the images of the others from where these are pushed. A draft whose files
/// cannot be read becomes no task, and neither does a draft that is built on it.
pub fn chained(app: &App, mut drafts: Vec<Draft>, out: &mut Vec<LeftOut>) -> Vec<Draft> {
    loop {
        let by_key: BTreeMap<(PathBuf, String), (usize, Reference)> = drafts
            .iter()
            .enumerate()
            .filter_map(|(n, draft)| {
                let place = (draft.entry.file.clone(), draft.entry.recipe.key.clone());
                Some((place, (n, draft.task.stable_images().into_iter().next()?)))
            })
            .collect();
        let made: BTreeMap<Reference, (usize, Reference)> = drafts
            .iter()
            .enumerate()
            .flat_map(|(n, draft)| {
                let goes = draft.task.stable_images();
                let known = draft.known_as.clone().into_iter().zip(goes.clone());
                known
                    .chain(goes.clone().into_iter().zip(goes))
                    .map(move |(known, goes)| (known, (n, goes)))
            })
            .collect();
        let mut refused: BTreeMap<usize, String> = BTreeMap::new();
        for (n, draft) in drafts.iter_mut().enumerate() {
            if let Err(why) = linked(app, draft, n, &by_key, &made) {
                refused.insert(n, why);
            }
        }
        if refused.is_empty() {
            return drafts;
        }
        let mut kept = Vec::new();
        for (n, draft) in drafts.into_iter().enumerate() {
            match refused.remove(&n) {
                Some(why) => out.push(draft.left_out(why)),
                None => kept.push(draft),
            }
        }
        drafts = kept;
    }
}

/// Fills in the images that one draft takes from other drafts.
fn linked(
    app: &App,
    draft: &mut Draft,
    own: usize,
    by_key: &BTreeMap<(PathBuf, String), (usize, Reference)>,
    made: &BTreeMap<Reference, (usize, Reference)>,
) -> Result<(), String> {
    draft.parents.clear();
    let given: BTreeMap<String, NamedContext> =
        draft.entry.recipe.contexts.iter().cloned().collect();
    let mut contexts = BTreeMap::new();
    for (name, place) in given {
        let place = match place {
            NamedContext::Given(place) => place,
            NamedContext::Other(key) => {
                let place = (draft.entry.file.clone(), key.clone());
                let Some((n, image)) = by_key.get(&place) else {
                    return Err(format!(
                        "it is built on `{}`, which does not become a task",
                        key.escape_debug()
                    ));
                };
                draft.parents.insert(*n);
                format!("{IMAGE}{image}")
            }
        };
        contexts.insert(name, place);
    }
    if let Step::Docker(step) = &mut draft.task.step {
        step.contexts.clone_from(&contexts);
    }
    let survey = reading::survey(app, &draft.task, &Secrets::default());
    let bases = survey.map_err(|error| error.one_line())?.bases;
    for base in &bases {
        let Some((n, image)) = made.get(base).filter(|(n, _)| *n != own) else {
            continue;
        };
        draft.parents.insert(*n);
        if image != base {
            contexts
                .entry(base.shortest())
                .or_insert_with(|| format!("{IMAGE}{image}"));
        }
    }
    let own_images = draft.task.stable_images();
    if let Some(base) = bases.iter().find(|base| own_images.contains(base)) {
        return Err(format!(
            "it makes `{}` and is built on it: each run would be the cause of the next",
            base.familiar()
        ));
    }
    if let Step::Docker(step) = &mut draft.task.step {
        step.contexts = contexts;
    }
    Ok(())
}

/// Returns the name of a draft in a cycle: most Dockerfiles have the same name, so theirs are the paths.
fn named(draft: &Draft) -> String {
    match draft.entry.kind {
        SourceKind::Dockerfile => draft.entry.file.display().to_string(),
        SourceKind::Compose | SourceKind::Bake => draft.entry.recipe.key.clone(),
    }
}

/// Puts parents first. Drafts that are built on each other become no tasks.
pub fn in_order(drafts: Vec<Draft>, out: &mut Vec<LeftOut>) -> Vec<Draft> {
    let image = |n: usize| -> Option<Reference> { format!("acrt.invalid/n{n}:1").parse().ok() };
    let images: Vec<Option<Reference>> = (0..drafts.len()).map(image).collect();
    let image = |n: &usize| images.get(*n)?.as_ref();
    let vertices: Vec<Vertex<'_>> = drafts
        .iter()
        .zip(&images)
        .map(|(draft, own)| Vertex {
            pushes: own.as_slice(),
            bases: draft.parents.iter().filter_map(image).collect(),
        })
        .collect();
    let graph = Graph::new(&vertices);
    let place: BTreeMap<usize, usize> = graph
        .order
        .iter()
        .enumerate()
        .map(|(at, n)| (*n, at))
        .collect();
    let cycles: Vec<String> = graph
        .cycles
        .iter()
        .map(|cycle| {
            let names = cycle.iter().map(|n| named(&drafts[*n]));
            joined(names, " -> ")
        })
        .collect();
    let mut ordered: Vec<(usize, Draft)> = Vec::new();
    for (n, mut draft) in drafts.into_iter().enumerate() {
        match place.get(&n) {
            Some(at) => {
                draft.parents = draft
                    .parents
                    .iter()
                    .filter_map(|n| place.get(n))
                    .copied()
                    .collect();
                ordered.push((*at, draft));
            }
            None => {
                let own = graph.cycles.iter().position(|cycle| cycle.contains(&n));
                let why = match own.and_then(|at| cycles.get(at)) {
                    Some(cycle) => {
                        format!("it is built on itself, by way of {}", cycle.escape_debug())
                    }
                    None => "what it is built on is built on itself".to_owned(),
                };
                out.push(draft.left_out(why));
            }
        }
    }
    ordered.sort_by_key(|(at, _)| *at);
    ordered.into_iter().map(|(_, draft)| draft).collect()
}
