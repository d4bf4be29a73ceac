//! Interrupted uploads of large blobs: a file for each, locked by the process that works on it.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{error::Result, image::Digest, sys::secret::Secret};

use super::{Store, lock::Lock};

/// How long an upload is kept. Registries drop theirs sooner or later, too.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// An upload that this process works on. Its file is private, because the URL may be all that is needed to write there.
#[derive(Debug)]
pub struct UploadRecord {
    lock: Lock,
    begun: Timestamp,
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct UploadFile {
    schema: u32,
    begun: Timestamp,
    /// The URL; revealed only to the file.
    location: Secret,
}

impl Store {
    /// Opens the upload of a blob to a repository, `registry/repository`; `None` while another process works on it. Removes uploads that
    /// are too old.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where it cannot be stored.
    pub fn upload(
        &self,
        repository: &str,
        blob: &Digest,
        now: Timestamp,
    ) -> Result<Option<UploadRecord>> {
        self.remove_old_uploads(now);
        let name = Digest::of(format!("{repository} {blob}").as_bytes());
        let lock = self.try_lock(&self.layout.uploads().join(name.hex()))?;
        Ok(lock.map(|lock| UploadRecord { lock, begun: now }))
    }

    fn remove_old_uploads(&self, now: Timestamp) {
        let Ok(entries) = fs::read_dir(self.layout.uploads()) else {
            return;
        };
        for entry in entries.flatten() {
            if let Ok(Some(mut lock)) = self.try_lock(&entry.path())
                && read(&mut lock).is_none_or(|file| is_old(file.begun, now))
            {
                let _ = lock.remove();
            }
        }
    }
}

impl UploadRecord {
    /// Returns the URL at which the upload continues, if an earlier process has begun it.
    pub fn location(&mut self) -> Option<Secret> {
        let file = read(&mut self.lock)?;
        self.begun = file.begun;
        Some(file.location)
    }

    /// Stores the URL at which the upload continues.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn keep(&mut self, location: &Secret) -> Result<()> {
        let file = UploadFile {
            schema: 1,
            begun: self.begun,
            location: location.clone(),
        };
        let text = serde_json::to_string(&file).unwrap_or_default();
        self.lock.write(&text)
    }

    pub fn forget(self) -> Result<()> {
        self.lock.remove()
    }
}

/// Reads the file. A file that a killed process did not finish counts as empty.
fn read(lock: &mut Lock) -> Option<UploadFile> {
    serde_json::from_str(&lock.read().ok()?).ok()
}

fn is_old(begun: Timestamp, now: Timestamp) -> bool {
    now.duration_since(begun) > KEPT || begun > now
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    #[test]
    fn upload_record_is_kept_a_day_for_one_process_at_a_time_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let blob = Digest::of(b"blob");
        let open = |hour| store.upload("r.io/web", &blob, at(hour)).unwrap();
        let mut first = open(0).unwrap();
        assert_eq!(first.location(), None);
        let url = Secret::new(format!("https://r.io/{}", "x".repeat(4000)));
        first.keep(&url).unwrap();
        assert!(open(0).is_none(), "the first one works at it");
        assert!(store.upload("r.io/api", &blob, at(0)).unwrap().is_some());
        drop(first);
        let file = store
            .layout()
            .uploads()
            .join(Digest::of(format!("r.io/web {blob}").as_bytes()).hex());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut second = open(24).unwrap();
        assert_eq!(second.location(), Some(url.clone()));
        // Storing the URL again does not change its age.
        second.keep(&url).unwrap();
        drop(second);
        assert_eq!(open(25).unwrap().location(), None);
    }

    #[test]
    fn finished_upload_leaves_no_record_and_old_records_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let open = |name: &str, hour| {
            let blob = Digest::of(name.as_bytes());
            store.upload("r.io/web", &blob, at(hour)).unwrap().unwrap()
        };
        let url = Secret::new("https://r.io/1");
        for (name, hour) in [("old", 0), ("new", 20)] {
            open(name, hour).keep(&url).unwrap();
        }
        let count = || fs::read_dir(store.layout().uploads()).unwrap().count();
        open("done", 26).forget().unwrap();
        assert_eq!(count(), 1);
    }
}
