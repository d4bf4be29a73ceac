//! What must not be removed: what the tasks of this state directory name, were built on and have pushed, and what runs in progress use.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::Result,
    image::{Digest, Reference},
    ops::{App, reading},
    task::{Dependency, ImageDescriptor, RunId, RunStatus, Task, TaskKey},
    watch::Baseline,
};

use super::repositories::of_names;

/// What is needed in the repositories of one registry.
pub struct RequiredContent<'a> {
    app: &'a App,
    registry: &'a str,
    repositories: BTreeMap<String, RepositoryNeeds>,
    none: RepositoryNeeds,
}

/// What is needed in one repository, and by what.
#[derive(Debug, Default)]
pub struct RepositoryNeeds {
    pub digests: BTreeMap<Digest, String>,
    pub tags: BTreeMap<String, String>,
    /// The run in progress that pushes to it.
    pub pushing: Option<String>,
}

/// Returns what is needed in a registry. `own` is the run that asks.
///
/// # Errors
///
/// The error of a state file that cannot be read: it might be the one that needs something.
pub fn of<'a>(app: &'a App, registry: &'a str, own: Option<RunId>) -> Result<RequiredContent<'a>> {
    let mut needed = RequiredContent {
        app,
        registry,
        repositories: BTreeMap::new(),
        none: RepositoryNeeds::default(),
    };
    let mut pushes: BTreeMap<TaskKey, BTreeSet<String>> = BTreeMap::new();
    for (key, followed) in app.store.followed()? {
        let (task, baseline) = followed?;
        needed.add_baseline(&key, &baseline);
        needed.add_files(&task);
        let images = task.stable_images();
        let here = images
            .iter()
            .filter(|it| app.is_same_registry(it.registry(), registry));
        let mut names: BTreeSet<String> = here.map(|it| it.repository().to_owned()).collect();
        names.extend(of_names(registry, task.step.image_names()));
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
            && let Some(key) = &key
            && succeeded.insert(key.clone())
        {
            // The newest of its task. Its baseline is gone if the definition has changed since; its images are in use all the same.
            let last = Baseline {
                dependencies: run.base_image_dependencies.unwrap_or_default(),
                outputs: run.output_images.unwrap_or_default(),
                ..Baseline::default()
            };
            needed.add_baseline(key, &last);
            continue;
        }
        if !run.status.is_open() {
            continue;
        }
        let who = format!("run {id}");
        for dependency in run.base_image_dependencies.iter().flatten() {
            needed.add_dependency(dependency, &format!("{who} is built on it"));
        }
        for repository in key.and_then(|key| pushes.get(&key)).into_iter().flatten() {
            needed.repository(repository).pushing = Some(who.clone());
        }
    }
    Ok(needed)
}

impl RequiredContent<'_> {
    pub fn of(&self, repository: &str) -> &RepositoryNeeds {
        self.repositories.get(repository).unwrap_or(&self.none)
    }

    fn repository(&mut self, name: &str) -> &mut RepositoryNeeds {
        self.repositories.entry(name.to_owned()).or_default()
    }

    fn is_here(&self, registry: &str) -> bool {
        self.app.is_same_registry(registry, self.registry)
    }

    fn add_baseline(&mut self, key: &TaskKey, baseline: &Baseline) {
        for dependency in &baseline.dependencies {
            self.add_dependency(dependency, &format!("task `{key}` is built on it"));
        }
        for output in &baseline.outputs {
            let why = format!("it is what task `{key}` has pushed last");
            if self.is_here(output.registry())
                && let Some(digest) = &output.digest
            {
                let digests = &mut self.repository(output.repository()).digests;
                digests.entry(digest.clone()).or_insert(why);
            }
        }
    }

    /// Adds the images that a task's files name, by tag. Files that cannot be read name none: what its last run used is needed all the
    /// same.
    fn add_files(&mut self, task: &Task) {
        let key = task.key();
        let secrets = self.app.store.secrets(&key).unwrap_or_default();
        let survey = reading::survey(self.app, task, &secrets).unwrap_or_default();
        for base in &survey.bases {
            let digests: Vec<Digest> = base.digest().into_iter().cloned().collect();
            let image = ImageDescriptor::new(base, digests.first().cloned());
            self.add_base(&image, &digests, None, &format!("task `{key}` names it"));
        }
    }

    fn add_dependency(&mut self, dependency: &Dependency, why: &str) {
        let image = &dependency.image;
        let mut digests: Vec<Digest> = image.digest.iter().cloned().collect();
        digests.extend(dependency.manifests.values().flatten().cloned());
        let used = dependency.mirror.as_ref().map(|it| it.image.clone());
        self.add_base(image, &digests, used, why);
    }

    /// Adds an image that something is built on, and its mirrors: the one that was `used`, and the one that the config file names.
    fn add_base(
        &mut self,
        image: &ImageDescriptor,
        digests: &[Digest],
        used: Option<Reference>,
        why: &str,
    ) {
        if self.is_here(image.registry()) {
            self.add(image, digests, why);
        }
        let named = image.reference().and_then(|it| self.app.copy_of(&it));
        let copies: BTreeSet<Reference> = named.into_iter().chain(used).collect();
        for copy in copies {
            if self.is_here(copy.registry()) {
                let why = format!("it is a copy of `{}`: {why}", image.tagged());
                self.add(&ImageDescriptor::new(&copy, None), digests, &why);
            }
        }
    }

    fn add(&mut self, image: &ImageDescriptor, digests: &[Digest], why: &str) {
        let repository = self.repository(image.repository());
        if let Some(tag) = image.tag() {
            let tag = repository.tags.entry(tag.to_owned());
            tag.or_insert_with(|| why.to_owned());
        }
        for digest in digests {
            let digest = repository.digests.entry(digest.clone());
            digest.or_insert_with(|| why.to_owned());
        }
    }
}
