//! Which repositories have which blobs, as far as copies have seen.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{error::Result, image::Digest};

use super::{Store, file, layout::lock_of};

/// How many blobs are remembered in all; the repositories that were not copied to for the longest time are dropped first.
const MAX_BLOBS: usize = 10_000;

/// A repository that was copied to, or from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRecord {
    pub registry: String,
    pub repository: String,
    /// The blobs that were seen in it.
    pub blobs: BTreeSet<Digest>,
}

/// All repositories, the last one copied to at the end. The file only saves transfers: without it, each layer is sent to each repository.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct BlobsFile {
    schema: u32,
    repositories: Vec<RepositoryRecord>,
}

impl Store {
    /// Returns the repositories of a registry with known blobs; none, where the file is broken.
    pub fn blobs_of(&self, registry: &str) -> Vec<RepositoryRecord> {
        let mut all = self.blobs().repositories;
        all.retain(|record| record.registry == registry);
        all
    }

    /// Records the blobs that a repository has, and those that other repositories turned out not to have.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where the file cannot be written.
    pub fn note_blobs(&self, has: &RepositoryRecord, lacks: &[RepositoryRecord]) -> Result<()> {
        let _lock = self.lock(&lock_of(&self.layout.blobs()))?;
        let mut all = self.blobs();
        for lacking in lacks {
            for record in all.repositories.iter_mut().filter(|it| it.is_of(lacking)) {
                record.blobs.retain(|blob| !lacking.blobs.contains(blob));
            }
        }
        let old = all.repositories.iter().position(|it| it.is_of(has));
        let mut record = old.map_or_else(|| has.clone(), |at| all.repositories.remove(at));
        record.blobs.extend(has.blobs.iter().cloned());
        all.repositories.push(record);
        all.repositories.retain(|record| !record.blobs.is_empty());
        all.shorten();
        all.schema = 1;
        self.write_json(&self.layout.blobs(), &all)
    }

    fn blobs(&self) -> BlobsFile {
        file::read_json_or_default(&self.layout.blobs())
    }
}

impl RepositoryRecord {
    fn is_of(&self, other: &Self) -> bool {
        (&self.registry, &self.repository) == (&other.registry, &other.repository)
    }
}

impl BlobsFile {
    fn shorten(&mut self) {
        let mut left = MAX_BLOBS;
        for record in self.repositories.iter_mut().rev() {
            while record.blobs.len() > left {
                record.blobs.pop_first();
            }
            left -= record.blobs.len();
        }
        self.repositories.retain(|record| !record.blobs.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(repository: &str, blobs: impl IntoIterator<Item = usize>) -> RepositoryRecord {
        let blobs = blobs.into_iter();
        RepositoryRecord {
            registry: "r.io".into(),
            repository: repository.into(),
            blobs: blobs.map(|n| Digest::of(&n.to_le_bytes())).collect(),
        }
    }

    #[test]
    fn recorded_blobs_of_a_repository_are_kept_until_reported_missing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        store.note_blobs(&record("a", [1, 2]), &[]).unwrap();
        store.note_blobs(&record("b", [3]), &[]).unwrap();
        store.note_blobs(&record("a", [4]), &[]).unwrap();
        assert_eq!(
            store.blobs_of("r.io"),
            [record("b", [3]), record("a", [1, 2, 4])]
        );
        assert_eq!(store.blobs_of("other.io"), []);
        let lacks = [record("a", [2]), record("b", [3])];
        store.note_blobs(&record("c", [5]), &lacks).unwrap();
        assert_eq!(
            store.blobs_of("r.io"),
            [record("a", [1, 4]), record("c", [5])]
        );
    }

    #[test]
    fn blobs_of_the_least_recently_copied_repository_are_dropped_over_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        store.note_blobs(&record("old", 0..10), &[]).unwrap();
        let half = MAX_BLOBS / 2;
        store.note_blobs(&record("a", 0..half), &[]).unwrap();
        store.note_blobs(&record("b", 0..half - 4), &[]).unwrap();
        let known = store.blobs_of("r.io");
        let sizes: Vec<_> = known.iter().map(|it| it.blobs.len()).collect();
        assert_eq!(sizes, [4, half, half - 4]);
    }

    #[test]
    fn broken_blobs_file_is_ignored_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        std::fs::write(store.layout().blobs(), "{").unwrap();
        assert_eq!(store.blobs_of("r.io"), []);
        store.note_blobs(&record("a", [1]), &[]).unwrap();
        assert_eq!(store.blobs_of("r.io"), [record("a", [1])]);
    }
}
