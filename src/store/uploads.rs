//! Where uploads of large blobs go on that were broken off. A file for each, locked by the process that works at it.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{error::Result, image::Digest, sys::secret::Secret};

use super::{
    Store,
    lock::{self, Lock},
};

/// How long an upload is kept. Registries forget theirs sooner or later too.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// An upload that this process works at. The file is private, for to know the URL may be enough to write there.
#[derive(Debug)]
pub struct UploadRecord {
    lock: Lock,
    begun: Timestamp,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct UploadFile {
    schema: u32,
    begun: Timestamp,
    /// The URL; revealed for the file alone.
    location: Secret,
}

impl Store {
    /// Returns the upload of a blob to a repository, `registry/repository`; `None` while another process works at it. Those that are too
    /// old are removed.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where it cannot be kept.
    pub fn upload(
        &self,
        repository: &str,
        blob: &Digest,
        now: Timestamp,
    ) -> Result<Option<UploadRecord>> {
        self.remove_old_uploads(now);
        let name = Digest::of(format!("{repository} {blob}").as_bytes());
        let lock = lock::try_lock(&self.layout.uploads().join(name.hex()))?;
        Ok(lock.map(|lock| UploadRecord { lock, begun: now }))
    }

    fn remove_old_uploads(&self, now: Timestamp) {
        let Ok(entries) = fs::read_dir(self.layout.uploads()) else {
            return;
        };
        for entry in entries.flatten() {
            if let Ok(Some(mut lock)) = lock::try_lock(&entry.path())
                && read(&mut lock).is_none_or(|file| is_old(file.begun, now))
            {
                let _ = lock.remove();
            }
        }
    }
}

impl UploadRecord {
    /// Returns the URL at which it goes on, if an earlier process has begun it.
    pub fn location(&mut self) -> Option<Secret> {
        let file = read(&mut self.lock)?;
        self.begun = file.begun;
        Some(file.location)
    }

    /// Takes in at which URL it goes on.
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

/// Reads what is kept. A file that a killed process has not written as a whole holds nothing.
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
    fn upload_is_kept_for_a_day_for_one_process_at_a_time_and_for_its_owner_alone() {
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
        // It is as old as it was.
        second.keep(&url).unwrap();
        drop(second);
        assert_eq!(open(25).unwrap().location(), None);
    }

    #[test]
    fn upload_that_is_done_leaves_no_file_and_old_ones_are_removed() {
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
