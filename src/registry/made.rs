//! What an image on a registry was made for, as its index and its configs say it, and which digests are part of it.

use std::collections::BTreeSet;

use crate::image::{Digest, Platform, Reference};

use super::{
    client::Registries,
    documents::manifest::{Document, Entry},
    problem::LookupError,
};

impl Registries {
    /// Returns the platforms that an image is made for: those of the entries of an index, without attestations, and that of the config where
    /// it is one image or an entry says none. Empty where nothing says one, as with artifacts that are no image. `image` has a digest.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the image cannot be read.
    pub async fn made_for(&self, image: &Reference) -> Result<BTreeSet<Platform>, LookupError> {
        let Some(digest) = image.digest() else {
            return Ok(BTreeSet::new());
        };
        let mut images = match &*self.document(image, digest).await? {
            Document::Index(entries) => self.flatten(image, entries).await?,
            Document::Manifest { .. } => {
                return Ok(self.platform_of(image, digest).await?.into_iter().collect());
            }
            Document::NoImage { .. } => return Ok(BTreeSet::new()),
        };
        self.name_platforms(image, &mut images).await?;
        Ok(images.into_iter().filter_map(|one| one.platform).collect())
    }

    /// Tells whether `digest` is that of an image or an index within the index that `image` names by its digest.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the index cannot be read.
    pub async fn lists(&self, image: &Reference, digest: &Digest) -> Result<bool, LookupError> {
        let Some(index) = image.digest() else {
            return Ok(false);
        };
        let document = self.document(image, index).await?;
        let Document::Index(entries) = &*document else {
            return Ok(false);
        };
        let is_it = |entry: &Entry| entry.digest == *digest;
        Ok(entries.iter().any(is_it) || self.flatten(image, entries).await?.iter().any(is_it))
    }
}
