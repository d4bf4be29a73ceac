//! Reads and writes the baselines of tasks.

use crate::{
    error::{Kind, Result},
    task::TaskKey,
    watch::Baseline,
};

use super::{
    Store,
    cache::{Opened, TaskFiles},
    file,
};

impl Store {
    /// Reads the baseline of a task; an empty one, where there is no file.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] with the file and the place, where it cannot be used.
    pub fn baseline(&self, key: &TaskKey) -> Result<Baseline> {
        let path = self.layout.baseline(key);
        let baseline: Option<Baseline> = file::read_json(&path).map_err(|error| {
            if error.kind() != Kind::Invalid {
                return error;
            }
            error.hint(format!(
                "remove it, and run the task again: rm '{}' && acrt task run {}",
                path.display(),
                key.full_option()
            ))
        })?;
        let baseline = baseline.unwrap_or_default();
        if baseline.schema > Baseline::SCHEMA {
            file::check_schema(&path, baseline.schema, Baseline::SCHEMA)?;
        }
        Ok(baseline)
    }

    pub(super) fn open_baselines(&self) -> Result<Opened<Baseline>> {
        let files = TaskFiles {
            folder: self.layout.baselines_folder(),
            suffix: ".json",
            cache: self.layout.cache("baselines"),
        };
        let store = self.clone();
        files.open(move |key| store.baseline(key).map(Some))
    }

    /// Reads the baselines of all tasks, sorted.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where a folder cannot be read.
    pub fn all_baselines(
        &self,
    ) -> Result<impl Iterator<Item = (TaskKey, Result<Baseline>)> + use<>> {
        self.open_baselines().map(Opened::read_all)
    }

    /// Writes the baseline of a task.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn save_baseline(&self, key: &TaskKey, baseline: &Baseline) -> Result<()> {
        self.write_json(&self.layout.baseline(key), baseline)
    }

    /// Removes the baseline of a task: nothing is followed until it has run again.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn forget_baseline(&self, key: &TaskKey) -> Result<()> {
        file::remove(&self.layout.baseline(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::RunId;

    #[test]
    fn baseline_is_read_back_and_can_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let key = TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        };
        assert_eq!(store.baseline(&key).unwrap(), Baseline::default());
        let baseline = Baseline::succeeded(
            RunId::new(3),
            crate::watch::Built::default(),
            jiff::Timestamp::UNIX_EPOCH,
        );
        store.save_baseline(&key, &baseline).unwrap();
        assert_eq!(store.baseline(&key).unwrap(), baseline);
        store.forget_baseline(&key).unwrap();
        assert_eq!(store.baseline(&key).unwrap(), Baseline::default());
    }
}
