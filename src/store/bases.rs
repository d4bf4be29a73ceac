//! What is remembered of tags, in one file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    image::Reference,
    watch::{TagRecord, Tags},
};

use super::{
    Recalled, Store, file,
    recall::{check_schema, recall},
};

/// The layout of the file that this program writes.
const SCHEMA: u32 = 1;

#[derive(Deserialize)]
struct Bases {
    schema: u32,
    tags: BTreeMap<Reference, TagRecord>,
}

#[derive(Serialize)]
struct BasesRef<'a> {
    schema: u32,
    tags: &'a BTreeMap<Reference, TagRecord>,
}

impl Store {
    /// Reads what is remembered of tags: nothing, where there is no file. One that cannot be used is set aside, and every tag is then
    /// looked at again.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where it cannot be read at the moment.
    pub fn tags(&self, now: Timestamp) -> Result<Recalled<Tags>> {
        recall(&self.layout.bases(), now, |path| {
            let Some(bases) = file::read_json::<Bases>(path)? else {
                return Ok(None);
            };
            check_schema(path, bases.schema, SCHEMA)?;
            Ok(Some(Tags::new(bases.tags)))
        })
    }

    /// Writes what is remembered of tags.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn save_tags(&self, tags: &Tags) -> Result<()> {
        let bases = BasesRef {
            schema: SCHEMA,
            tags: tags.records(),
        };
        file::write_json(&self.layout.bases(), &bases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut tags = Tags::default();
        let tag = "r.io/base:1".parse().unwrap();
        tags.miss(
            &tag,
            crate::watch::Miss::unknown("no answer"),
            jiff::Timestamp::UNIX_EPOCH,
        );
        store.save_tags(&tags).unwrap();
        let read = store.tags(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((read.value, read.problem), (tags, None));
    }

    #[test]
    fn file_of_another_layout_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        std::fs::write(store.layout().bases(), r#"{"schema": 9, "tags": {}}"#).unwrap();
        let read = store.tags(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(read.value, Tags::default());
        assert!(read.problem.unwrap().contains("it has schema 9"));
        assert!(!store.layout().bases().exists());
    }
}
