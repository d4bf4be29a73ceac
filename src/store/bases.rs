//! What is remembered of tags, in one file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Kind, Result},
    image::Reference,
    watch::{TagRecord, Tags},
};

use super::{Store, file};

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
    /// Reads what is remembered of tags: nothing, where there is no file.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the file and the place, where it cannot be used. Nothing in it is beyond recall: it can be
    /// removed, and every tag is then looked at again.
    pub fn tags(&self) -> Result<Tags> {
        let path = self.layout.bases();
        let hint = || {
            format!(
                "remove `{}`: every tag is then looked at again",
                path.display()
            )
        };
        match file::read_json::<Bases>(&path).map_err(|error| error.hint(hint()))? {
            None => Ok(Tags::default()),
            Some(bases) if bases.schema == SCHEMA => Ok(Tags::new(bases.tags)),
            Some(bases) => Err(Error::new(
                Kind::Invalid,
                format!("cannot use `{}`", path.display()),
            )
            .because(anyhow::anyhow!(
                "it has schema {}, and this acrt knows schema {SCHEMA}",
                bases.schema
            ))
            .hint(hint())),
        }
    }

    /// Writes what is remembered of tags.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
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
        assert_eq!(store.tags().unwrap(), tags);
    }

    #[test]
    fn a_broken_file_is_an_error_that_says_how_to_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        std::fs::write(folder.path().join("bases.json"), "{").unwrap();
        let error = store.tags().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.advice().unwrap().starts_with("remove `"));
    }
}
