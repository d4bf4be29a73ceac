//! What must not be removed: what the tasks of this state directory name, were built on and have pushed, and what runs in progress use.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::Result,
    image::{Digest, Reference},
    ops::{App, reading},
    task::{
        Dependency, DependencyKind, ImageDescriptor, Manifests, RunId, RunStatus, Task, TaskKey,
    },
    watch::Baseline,
};

/// What is needed in the repositories of one registry.
#[derive(Debug, Default)]
pub struct RequiredContent {
    repositories: BTreeMap<String, RepositoryNeeds>,
    none: RepositoryNeeds,
}

/// What is needed in one repository, and by what.
#[derive(Debug, Default)]
pub struct RepositoryNeeds {
    pub digests: BTreeMap<Digest, String>,
    pub tags: BTreeMap<String, String>,
    /// The run in progress that pushes to it.
    pushing: Option<String>,
}

impl RequiredContent {
    pub fn of(&self, repository: &str) -> &RepositoryNeeds {
        self.repositories.get(repository).unwrap_or(&self.none)
    }

    /// Returns a description of the run in progress that pushes to a repository.
    pub fn pushing(&self, repository: &str) -> Option<&str> {
        self.of(repository).pushing.as_deref()
    }

    fn repository(&mut self, name: &str) -> &mut RepositoryNeeds {
        self.repositories.entry(name.to_owned()).or_default()
    }
}

/// Returns what is needed in a registry. `own` is the run that asks.
///
/// # Errors
///
/// The error of a state file that cannot be read: it might be the one that needs something.
pub fn of(app: &App, registry: &str, own: Option<RunId>) -> Result<RequiredContent> {
    let mut needed = RequiredContent::default();
    let mut pushes: BTreeMap<TaskKey, BTreeSet<String>> = BTreeMap::new();
    for (key, followed) in app.store.followed()? {
        let (task, baseline) = followed?;
        of_task(app, registry, &key, &baseline, &mut needed);
        of_files(app, registry, &task, &mut needed);
        let images = task.stable_images();
        let here = images
            .iter()
            .filter(|it| app.is_same_registry(it.registry(), registry));
        let mut names: BTreeSet<String> = here.map(|it| it.repository().to_owned()).collect();
        names.extend(super::repositories::of_names(
            registry,
            task.step.image_names(),
        ));
        pushes.insert(key, names);
    }
    let mut succeeded = BTreeSet::new();
    for id in app.store.run_ids()? {
        if own == Some(id) {
            continue;
        }
        let Some(run) = app.store.run(id)? else {
            continue;
        };
        let key = run.task_key().filter(|key| pushes.contains_key(key));
        if run.status == RunStatus::Succeeded
            && let Some(key) = key
            && succeeded.insert(key.clone())
        {
            // The newest of its task. Its baseline is gone if the definition has changed since; its images are in use all the same.
            let last = Baseline {
                dependencies: run.base_image_dependencies.unwrap_or_default(),
                outputs: run.output_images.unwrap_or_default(),
                ..Baseline::default()
            };
            of_task(app, registry, &key, &last, &mut needed);
            continue;
        }
        if !run.status.is_open() {
            continue;
        }
        let who = format!("run {id}");
        let dependencies = run.base_image_dependencies.iter().flatten();
        for dependency in dependencies {
            depends(
                app,
                registry,
                dependency,
                &format!("{who} is built on it"),
                &mut needed,
            );
        }
        for repository in run
            .task_key()
            .and_then(|key| pushes.get(&key))
            .into_iter()
            .flatten()
        {
            needed.repository(repository).pushing = Some(who.clone());
        }
    }
    Ok(needed)
}

fn of_task(
    app: &App,
    registry: &str,
    key: &TaskKey,
    baseline: &Baseline,
    needed: &mut RequiredContent,
) {
    for dependency in &baseline.dependencies {
        let why = format!("task `{key}` is built on it");
        depends(app, registry, dependency, &why, needed);
    }
    for output in &baseline.outputs {
        let why = format!("it is what task `{key}` has pushed last");
        if app.is_same_registry(output.registry(), registry)
            && let Some(digest) = &output.digest
        {
            let digests = &mut needed.repository(output.repository()).digests;
            digests.entry(digest.clone()).or_insert(why);
        }
    }
}

/// Adds the images that a task's files name, by tag. Files that cannot be read name none: what its last run used is needed all the same.
fn of_files(app: &App, registry: &str, task: &Task, needed: &mut RequiredContent) {
    let key = task.key();
    let secrets = app.store.secrets(&key).unwrap_or_default();
    let survey = reading::survey(app, task, &secrets).unwrap_or_default();
    for base in &survey.bases {
        let named = Dependency {
            image: ImageDescriptor::new(base, base.digest().cloned()),
            kind: DependencyKind::Buildtime,
            manifests: Manifests::new(),
            line: 0,
            mirror: None,
        };
        let why = format!("task `{key}` names it");
        depends(app, registry, &named, &why, needed);
    }
}

/// Adds an image that something is built on, and its mirrors.
fn depends(
    app: &App,
    registry: &str,
    dependency: &Dependency,
    why: &str,
    needed: &mut RequiredContent,
) {
    let image = &dependency.image;
    let mut digests: Vec<Digest> = image.digest.iter().cloned().collect();
    digests.extend(dependency.manifests.values().flatten().cloned());
    let here = |other: &str| app.is_same_registry(other, registry);
    if here(image.registry()) {
        add(needed, image, &digests, why);
    }
    let named = image.reference().and_then(|it| app.copy_of(&it));
    let used = dependency.mirror.as_ref().map(|it| it.image.clone());
    let copies: BTreeSet<String> = [named, used]
        .into_iter()
        .flatten()
        .map(|it| it.to_string())
        .collect();
    for copy in copies
        .iter()
        .filter_map(|copy| copy.parse::<Reference>().ok())
    {
        if here(copy.registry()) {
            let why = format!("it is a copy of `{}`: {why}", image.tagged());
            add(needed, &ImageDescriptor::new(&copy, None), &digests, &why);
        }
    }
}

fn add(needed: &mut RequiredContent, image: &ImageDescriptor, digests: &[Digest], why: &str) {
    let repository = needed.repository(image.repository());
    if let Some(tag) = image.tag() {
        repository
            .tags
            .entry(tag.to_owned())
            .or_insert_with(|| why.to_owned());
    }
    for digest in digests {
        let digest = repository.digests.entry(digest.clone());
        digest.or_insert_with(|| why.to_owned());
    }
}
