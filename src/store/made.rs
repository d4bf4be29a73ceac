//! What runs have made and fetched on each builder, so that it can be removed there: the images of tasks, and the bases that were not there
//! before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    image::{Digest, Reference},
    task::RunId,
};

use super::{Store, file, layout::lock_of};

/// What runs have made on one builder and is still there, as far as known. Without this record, what earlier runs have left there stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MadeOnBuilder {
    /// The images that runs have made, by the builder's ids.
    pub images: BTreeMap<Digest, MadeImage>,
    /// The base images that runs have fetched, by digest: for each, the tasks that are built on it (as `registry/name`), with the last such
    /// run.
    pub bases: BTreeMap<Reference, BTreeMap<String, RunId>>,
    /// The records of BuildKit's cache that runs have made, by id.
    pub cache: BTreeMap<String, MadeRecord>,
    /// When the builder's cache was last pruned.
    pub pruned: Option<Timestamp>,
}

/// An image that runs of a task have made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeImage {
    /// The task, as `registry/name`; empty if the task pushes nothing, so that no run removes its images.
    pub task: String,
    /// The last run that made it.
    pub run: RunId,
    /// The tags that runs gave the image, each with the last such run.
    pub tags: BTreeMap<Reference, RunId>,
}

/// A record of BuildKit's cache that a build has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeRecord {
    /// The task, as `registry/name`.
    pub task: String,
    /// The step that made the record, in a multi-step run; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
    pub run: RunId,
    /// The bases of the build that the record belongs to, directly or not.
    pub bases: BTreeSet<Digest>,
}

impl MadeOnBuilder {
    /// Records an image that a run has made.
    pub fn note_image(&mut self, id: &Digest, task: &str, run: RunId, tags: &[Reference]) {
        let made = self.images.entry(id.clone()).or_insert(MadeImage {
            task: task.to_owned(),
            run,
            tags: BTreeMap::new(),
        });
        // Two tasks may make the same image, which then belongs to the last one.
        task.clone_into(&mut made.task);
        made.run = run;
        made.tags.extend(tags.iter().map(|tag| (tag.clone(), run)));
    }

    /// Records the bases of a run: those of `pulled` that are known to be fetched by runs, or were not there before.
    pub fn note_bases<'r>(
        &mut self,
        task: &str,
        run: RunId,
        pulled: impl Iterator<Item = &'r Reference>,
        absent: &BTreeSet<Reference>,
    ) {
        for base in pulled {
            if absent.contains(base) {
                self.bases.entry(base.clone()).or_default();
            }
            if let Some(tasks) = self.bases.get_mut(base) {
                tasks.insert(task.to_owned(), run);
            }
        }
    }
}

impl Store {
    /// Returns what runs have made on a builder; nothing, where the file is broken.
    pub fn made_on(&self, builder: &str) -> MadeOnBuilder {
        self.all_made().remove(builder).unwrap_or_default()
    }

    /// Changes the record of what runs have made on a builder.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where the file cannot be written.
    pub fn change_made(
        &self,
        builder: &str,
        change: impl FnOnce(&mut MadeOnBuilder),
    ) -> Result<()> {
        let _lock = self.lock(&lock_of(&self.layout.made()))?;
        let mut all = self.all_made();
        let before = all.get(builder).cloned().unwrap_or_default();
        let mut made = before.clone();
        change(&mut made);
        if made == before {
            return Ok(());
        }
        all.insert(builder.to_owned(), made);
        self.write_json(&self.layout.made(), &all)
    }

    fn all_made(&self) -> BTreeMap<String, MadeOnBuilder> {
        file::read_json_or_default(&self.layout.made())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_made_by_runs_are_recorded_until_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let (id, base): (Digest, Reference) = (Digest::of(b"a"), "r.io/base:1".parse().unwrap());
        let other: Reference = "r.io/other:1".parse().unwrap();
        let tag = |text: &str| -> Reference { text.parse().unwrap() };
        store.change_made("docker", |_| ()).unwrap();
        assert!(!store.layout().made().exists(), "nothing to say");
        for (run, absent) in [(1, BTreeSet::from([base.clone()])), (2, BTreeSet::new())] {
            let run = RunId::new(run);
            let noted = |made: &mut MadeOnBuilder| {
                made.note_image(&id, "r/web", run, &[tag(&format!("r.io/web:{run}"))]);
                made.note_bases("r/web", run, [&base, &other].into_iter(), &absent);
            };
            store.change_made("docker", noted).unwrap();
        }
        let made = store.made_on("docker");
        let image = &made.images[&id];
        assert_eq!((image.run, image.tags.len()), (RunId::new(2), 2));
        assert_eq!(image.tags[&tag("r.io/web:ca1")], RunId::new(1));
        assert_eq!(made.bases.len(), 1, "what was there before is not ours");
        assert_eq!(made.bases[&base]["r/web"], RunId::new(2));
        assert_eq!(store.made_on("podman"), MadeOnBuilder::default());
    }
}
