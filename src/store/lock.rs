//! Locks that are released when their process dies.
//!
//! A lock is an open file, locked by the kernel. If the file was removed before it was locked, the lock is worthless, because a second
//! process would lock a new file of the same name; the file is then opened again.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::error::{Context as _, Error, Kind, Result};

use super::file;

/// The longest text that is read out of a lock file, in bytes.
const MAX_TEXT: u64 = 16 * 1024;

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .context(Kind::Failed, || {
            format!("cannot open the lock `{}`", path.display())
        })
}

/// Takes a lock, or returns `None` at once if another process holds it.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where locking itself fails.
pub(super) fn try_lock(path: &Path) -> Result<Option<Lock>> {
    let cannot = || format!("cannot lock `{}`", path.display());
    loop {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).context(Kind::Failed, cannot),
        }
        if file.metadata().context(Kind::Failed, cannot)?.nlink() > 0 {
            return Ok(Some(Lock {
                file,
                path: path.into(),
            }));
        }
    }
}

/// Creates and takes a lock that does not exist yet, in one step: no process sees it before it is held.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where it cannot be made, or another process holds it.
pub(super) fn take_new(path: &Path) -> Result<Lock> {
    let cannot = || format!("cannot make the lock `{}`", path.display());
    if is_held(path) {
        return Err(Error::failed(cannot()).because(anyhow::anyhow!("another process holds it")));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = file::temporary(folder).context(Kind::Failed, cannot)?;
    let file = file.persist(path).map_err(|error| error.error);
    Ok(Lock {
        file: file.context(Kind::Failed, cannot)?,
        path: path.into(),
    })
}

/// Takes a lock, and waits as long as needed. For locks that are held only briefly.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where locking itself fails.
pub(super) fn lock(path: &Path) -> Result<Lock> {
    let file = open(path)?;
    file.lock()
        .context(Kind::Failed, || format!("cannot lock `{}`", path.display()))?;
    Ok(Lock {
        file,
        path: path.into(),
    })
}

/// Tells whether a process holds the lock at `path`.
pub fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Returns the note of a lock's holder, for messages.
pub fn note(path: &Path) -> String {
    let mut text = String::new();
    if let Ok(file) = File::open(path) {
        // The note only explains: a lock without one is still held.
        let _ = file.take(1024).read_to_string(&mut text);
    }
    text.trim().to_owned()
}

impl Lock {
    /// Tells whether the held file is still the one at its path, so that it keeps other processes out.
    pub fn is_in_place(&self) -> bool {
        let both = self.file.metadata().ok().zip(self.path.metadata().ok());
        both.is_some_and(|(held, now)| (held.dev(), held.ino()) == (now.dev(), now.ino()))
    }

    /// Releases a lock that will not be used again, and removes its file.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn remove(self) -> Result<()> {
        file::remove(&self.path)
    }

    /// Writes into the lock file: who holds the lock, or the data that it guards.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn write(&mut self, text: &str) -> Result<()> {
        let mut write = || -> std::io::Result<()> {
            self.file.rewind()?;
            self.file.set_len(0)?;
            self.file.write_all(text.as_bytes())?;
            self.file.sync_all()
        };
        write().context(Kind::Failed, || file::cannot_write(&self.path))
    }

    /// Returns the text in the lock file.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn read(&mut self) -> Result<String> {
        let mut text = String::new();
        self.file
            .rewind()
            .and_then(|()| (&mut self.file).take(MAX_TEXT).read_to_string(&mut text))
            .context(Kind::Failed, || {
                format!("cannot read `{}`", self.path.display())
            })?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_held_once_and_released_on_drop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut held = try_lock(&path).unwrap().unwrap();
        held.write("pid 7").unwrap();
        assert!(try_lock(&path).unwrap().is_none());
        assert!(is_held(&path));
        assert_eq!(note(&path), "pid 7");
        drop(held);
        assert!(!is_held(&path));
        assert!(try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn new_lock_file_is_locked_before_it_is_visible() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca1");
        let held = take_new(&path).unwrap();
        assert!(is_held(&path));
        assert!(take_new(&path).is_err());
        held.remove().unwrap();
        assert!(!path.exists());
    }
}
