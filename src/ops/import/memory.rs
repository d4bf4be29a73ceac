//! What copies take from the state directory: in which repositories blobs already exist, and where an interrupted upload can continue.

use std::collections::BTreeSet;

use crate::{
    image::{Digest, Reference},
    ops::{App, EventSink, recall},
    registry::copy::{CopyMemory, KeptUpload, RepositoryBlobs},
    store::{blobs::RepositoryRecord, uploads::UploadRecord},
    sys::secret::Secret,
    task::{Dependency, ImageDescriptor, Run},
    watch::Baseline,
};

/// How many of the newest runs are searched for images that they pushed.
const RUNS: usize = 50;

/// How many images are returned in all.
const MAX_IMAGES: usize = 64;

/// The state directory, as copies use it.
pub struct StoredCopies<'a> {
    pub app: &'a App,
    /// Receives what could not be stored.
    pub events: &'a EventSink<'a>,
}

impl CopyMemory for StoredCopies<'_> {
    fn repositories(&self, registry: &str) -> Vec<RepositoryBlobs> {
        let registry = self.app.aliases.registry(registry);
        let known = self.app.store.blobs_of(&registry).into_iter();
        let known = known.map(|record| RepositoryBlobs {
            repository: record.repository,
            blobs: record.blobs.into_iter().collect(),
        });
        known.collect()
    }

    /// Returns the images that the newest runs and the last run of each task pushed or were built on. Records that cannot be read are left
    /// out.
    fn images(&self, registry: &str) -> Vec<Reference> {
        let store = &self.app.store;
        let ids = store.run_ids().unwrap_or_default().into_iter().take(RUNS);
        let runs: Vec<Run> = ids.filter_map(|id| store.run(id).ok().flatten()).collect();
        let baselines = store.all_baselines().into_iter().flatten();
        let mut baselines: Vec<Baseline> = baselines.filter_map(|(_, it)| it.ok()).collect();
        baselines.sort_by_key(|it| std::cmp::Reverse(it.recorded));
        let base = |dependency: &Dependency| dependency.image.clone();
        let of_runs = runs
            .iter()
            .flat_map(|run| run.output_images.clone().unwrap_or_default());
        let bases_of_runs = runs.iter().flat_map(|run| {
            let bases = run.base_image_dependencies.iter().flatten();
            bases.map(base)
        });
        let all = of_runs
            .chain(baselines.iter().flat_map(|it| it.outputs.clone()))
            .chain(bases_of_runs)
            .chain((baselines.iter()).flat_map(|it| it.dependencies.iter().map(base)));
        let mut seen = BTreeSet::new();
        let images = all.filter_map(|image| self.on(registry, &image));
        let images = images.filter(|image| seen.insert(image.clone()));
        images.take(MAX_IMAGES).collect()
    }

    fn upload(&self, repository: &str, blob: &Digest) -> Option<Box<dyn KeptUpload + '_>> {
        let store = &self.app.store;
        let record = store.upload(repository, blob, self.app.clock.now());
        let record = record.ok().flatten()?;
        Some(Box::new(StoredUpload(record)))
    }

    fn learn(&self, registry: &str, has: RepositoryBlobs, lacks: &[RepositoryBlobs]) {
        let record = |blobs: &RepositoryBlobs| RepositoryRecord {
            registry: self.app.aliases.registry(registry).into_owned(),
            repository: blobs.repository.clone(),
            blobs: blobs.blobs.iter().cloned().collect(),
        };
        let lacks: Vec<RepositoryRecord> = lacks.iter().map(record).collect();
        let store = &self.app.store;
        if let Err(error) = store.note_blobs(&record(&has), &lacks) {
            recall::report_unkept("cannot store what was copied", &error, self.events);
        }
    }
}

/// An upload in the state directory. If its position cannot be stored, the upload still works, and is only not continued later.
struct StoredUpload(UploadRecord);

impl KeptUpload for StoredUpload {
    fn location(&mut self) -> Option<Secret> {
        self.0.location()
    }

    fn keep(&mut self, location: &Secret) {
        let _ = self.0.keep(location);
    }

    fn forget(self: Box<Self>) {
        let _ = self.0.forget();
    }
}

impl StoredCopies<'_> {
    /// Returns an image by its digest, under the given name of its registry, if it is in this registry.
    fn on(&self, registry: &str, image: &ImageDescriptor) -> Option<Reference> {
        let is_there = self.app.is_same_registry(image.registry(), registry);
        let digest = image.digest.as_ref().filter(|_| is_there)?;
        let name = format!("{registry}/{}@{digest}", image.repository());
        name.parse().ok()
    }
}
