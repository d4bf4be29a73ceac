//! Under which digest a builder's command says that it pushed.

use crate::{
    builder::{self, DigestSource},
    error::Result,
    image::Digest,
    store::file,
};

/// The largest file of a digest, in bytes.
const MAX_DIGEST: u64 = 1024;

/// The largest file of BuildKit's metadata, in bytes: it may hold a description of the whole build.
const MAX_METADATA: u64 = 16 * 1024 * 1024;

/// Returns the digest that a command that has ended says, and removes the file that it said it in; none where the registry has to be
/// asked. `printed` is what it printed.
///
/// # Errors
///
/// [`crate::error::Kind`] of [`file::read`] and [`file::remove`].
pub(super) fn digest(source: &DigestSource, printed: &[u8]) -> Result<Option<Digest>> {
    Ok(match source {
        DigestSource::File(path) => {
            let bytes = file::read(path, MAX_DIGEST)?.unwrap_or_default();
            file::remove(path)?;
            String::from_utf8_lossy(&bytes).trim().parse().ok()
        }
        DigestSource::Metadata(path) => {
            let bytes = file::read(path, MAX_METADATA)?.unwrap_or_default();
            file::remove(path)?;
            builder::digest_in_metadata(&bytes)
        }
        DigestSource::Output => builder::digest_in_output(printed),
        DigestSource::Registry => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Digest::of(b"x");
        let path = folder.path().join("digest-1");
        std::fs::write(&path, format!("{wanted}\n")).unwrap();
        let found = digest(&DigestSource::File(path.clone()), b"").unwrap();
        assert_eq!(found.as_ref(), Some(&wanted));
        std::fs::write(&path, format!(r#"{{"containerimage.digest":"{wanted}"}}"#)).unwrap();
        let found = digest(&DigestSource::Metadata(path.clone()), b"").unwrap();
        assert_eq!(found, Some(wanted));
        assert!(!path.exists());
    }

    #[test]
    fn a_builder_that_says_nothing_leaves_the_registry_to_be_asked() {
        let nowhere = DigestSource::Metadata("/nowhere/metadata.json".into());
        assert_eq!(digest(&nowhere, b"").unwrap(), None);
        assert_eq!(digest(&DigestSource::Registry, b"digest: x").unwrap(), None);
    }
}
