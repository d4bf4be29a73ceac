//! What is known of each task.

use crate::{
    error::{Error, Kind, Result},
    task::TaskKey,
    watch::Known,
};

use super::{Store, cache::TaskFiles, file};

impl Store {
    /// Reads what is known of a task: nothing, where there is no file.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the file and the place, where it cannot be used.
    pub fn known(&self, key: &TaskKey) -> Result<Known> {
        let path = self.layout.known(key);
        let known: Known = file::read_json(&path)?.unwrap_or_default();
        if known.schema > Known::SCHEMA {
            return Err(
                Error::new(Kind::Invalid, format!("cannot use `{}`", path.display())).because(
                    anyhow::anyhow!(
                        "it has schema {}, and this acrt knows schema {}",
                        known.schema,
                        Known::SCHEMA
                    ),
                ),
            );
        }
        Ok(known)
    }

    /// Reads what is known of all tasks, sorted.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path, where a folder cannot be read.
    pub(super) fn all_known(&self) -> Result<Vec<(TaskKey, Result<Known>)>> {
        let files = TaskFiles {
            folder: self.layout.known_folder(),
            suffix: ".json",
            cache: self.layout.cache("known"),
        };
        files.read_all(|key| self.known(key).map(Some))
    }

    /// Writes what is known of a task.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn save_known(&self, key: &TaskKey, known: &Known) -> Result<()> {
        file::write_json(&self.layout.known(key), known)
    }

    /// Forgets what is known of a task: nothing is followed until it has run again.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn forget_known(&self, key: &TaskKey) -> Result<()> {
        file::remove(&self.layout.known(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::RunId;

    #[test]
    fn what_is_known_is_read_back_and_can_be_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let key = TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        };
        assert_eq!(store.known(&key).unwrap(), Known::default());
        let known = Known::succeeded(
            RunId::new(3),
            crate::watch::Built::default(),
            jiff::Timestamp::UNIX_EPOCH,
        );
        store.save_known(&key, &known).unwrap();
        assert_eq!(store.known(&key).unwrap(), known);
        store.forget_known(&key).unwrap();
        assert_eq!(store.known(&key).unwrap(), Known::default());
    }
}
