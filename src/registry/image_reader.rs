//! Reads an image of a registry or a folder in parts: its documents, its referrers, and small blobs.

use crate::image::Digest;

use super::copy::{CopyError, Descriptor, Endpoint, RawDocument};

impl Endpoint {
    /// Returns what cosign has attached to a document under a tag made from its digest; `None` if there is nothing.
    pub async fn attached(&self, digest: &Digest) -> Result<Option<RawDocument>, CopyError> {
        match self {
            Self::Registry(remote) => {
                let tag = format!("{}.att", digest.as_str().replace(':', "-"));
                remote.tagged(&tag).await
            }
            Self::Layout(_) => Ok(None),
        }
    }

    /// Reads a blob of at most `most` bytes.
    ///
    /// # Errors
    ///
    /// [`CopyError`] where it is longer, does not exist, or does not match its digest.
    pub async fn blob(&self, blob: &Descriptor, most: usize) -> Result<Vec<u8>, CopyError> {
        let malformed = |problem: &str| CopyError::Malformed {
            image: self.name(),
            problem: format!("`{}` {problem}", blob.digest),
        };
        let too_long = || malformed(&format!("has more than {most} bytes"));
        let torn = |problem| malformed(&format!("broke off: {problem}"));
        if blob.size > most as u64 {
            return Err(too_long());
        }
        let mut chunks = self.open(blob, 0).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await.map_err(torn)? {
            if bytes.len() + chunk.len() > most {
                return Err(too_long());
            }
            bytes.extend_from_slice(&chunk);
        }
        if !blob.digest.matches(&bytes) {
            return Err(CopyError::Corrupt {
                image: self.name(),
                digest: blob.digest.clone(),
                found: format!("has the content of `{}`", Digest::of(&bytes)),
            });
        }
        Ok(bytes)
    }
}
