//! Bounds of a context's size, wherever it comes from: a few bytes can unpack to any number.

use std::{fs, io, path::Path};

use crate::sys::blocking::Cancellation;

/// The most bytes in all files of a context.
pub const MAX_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// The most files and folders in a context.
pub const MAX_ENTRIES: usize = 500_000;

/// The most bytes of archives and files that are downloaded for one context.
pub const MAX_DOWNLOAD: u64 = 2 * 1024 * 1024 * 1024;

/// The context is larger than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is more than a context may have: 8 GiB, and 500,000 files")]
pub struct TooLarge;

/// Tells whether the files below a folder exceed the bounds of a context. Symbolic links are not followed, and files that are removed
/// meanwhile do not count.
///
/// # Errors
///
/// Where the folder itself cannot be read.
pub fn is_exceeded(root: &Path, wanted: &Cancellation) -> io::Result<bool> {
    exceeds(root, wanted, MAX_BYTES, MAX_ENTRIES)
}

fn exceeds(root: &Path, wanted: &Cancellation, bytes: u64, entries: usize) -> io::Result<bool> {
    let mut folders = vec![fs::read_dir(root)?];
    let (mut size, mut count) = (0_u64, 0_usize);
    while let Some(folder) = folders.last_mut() {
        let Some(entry) = folder.next() else {
            folders.pop();
            continue;
        };
        let Ok(entry) = entry else { continue };
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        count += 1;
        size = size.saturating_add(metadata.len());
        if size > bytes || count > entries {
            return Ok(true);
        }
        if wanted.is_over() {
            return Ok(false);
        }
        if metadata.is_dir()
            && let Ok(below) = fs::read_dir(entry.path())
        {
            folders.push(below);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_size_is_counted_without_following_links() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/b/c"), [0; 100_000]).unwrap();
        std::os::unix::fs::symlink("/", root.path().join("a/link")).unwrap();
        let over = |bytes, entries| {
            exceeds(root.path(), &Cancellation::default(), bytes, entries).unwrap()
        };
        assert!(!over(200_000, 4));
        assert!(over(99_999, 4));
        assert!(over(200_000, 3));
        assert!(is_exceeded(&root.path().join("none"), &Cancellation::default()).is_err());
    }
}
