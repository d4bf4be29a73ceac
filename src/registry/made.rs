//! The platforms of an image on a registry, from its index and its configs, and the digests that are part of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::image::{Digest, Platform, Reference};

use super::{
    client::Registries,
    documents::manifest::{Document, Entry},
    problem::LookupError,
};

/// One image of a registry, with its config.
#[derive(Clone, Debug)]
pub struct RegistryImage {
    pub manifest: Digest,
    pub config_digest: Digest,
    /// Its config, of the OCI image specification 1.1.
    pub config: Value,
}

impl Registries {
    /// Reads the configs of all images in `image`, which has a digest: of one image, or of those of an index without attestations.
    pub async fn kept_images(&self, image: &Reference) -> Result<Vec<RegistryImage>, LookupError> {
        let Some(digest) = image.digest() else {
            return Ok(Vec::new());
        };
        let manifests = match &*self.document(image, digest).await? {
            Document::Index(entries) => {
                let images = self.flatten(image, entries).await?.into_iter();
                images.map(|entry| entry.digest).collect()
            }
            Document::Manifest { .. } | Document::NoImage { .. } => vec![digest.clone()],
        };
        let mut images = Vec::new();
        for manifest in manifests {
            if let Document::Manifest { config } = &*self.document(image, &manifest).await? {
                let parse = |body: &[u8]| serde_json::from_slice(body);
                images.push(RegistryImage {
                    config: self.stored_config(image, config, parse).await?,
                    config_digest: config.clone(),
                    manifest,
                });
            }
        }
        Ok(images)
    }

    /// Returns the platforms of an image: those of the entries of an index, without attestations, and that in the config of a single image
    /// or of an entry without a platform. Empty where none is given, as for artifacts that are no images. `image` has a digest.
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

    /// Returns the platforms of an image as [`Self::made_for`], but by the configs of its images where they name another operating system or
    /// architecture than the index: a builder may write the wanted platform into the index, whatever it has made. Configs seldom name a
    /// variant.
    pub async fn configured_for(
        &self,
        image: &Reference,
    ) -> Result<BTreeSet<Platform>, LookupError> {
        let listed = match image.digest() {
            Some(digest) => match &*self.document(image, digest).await? {
                Document::Index(entries) => self.flatten(image, entries).await?,
                _ => return self.made_for(image).await,
            },
            None => return Ok(BTreeSet::new()),
        };
        let mut found = BTreeSet::new();
        for entry in listed {
            let configured = match self.platform_of(image, &entry.digest).await {
                Ok(configured) => configured,
                Err(error) if error.is_no_image() => continue,
                Err(error) => return Err(error),
            };
            let listed = entry.platform.as_ref();
            let is_same =
                |it: &Platform| listed.is_some_and(|listed| it.has_architecture_of(listed));
            found.extend(match configured {
                Some(configured) if !is_same(&configured) => Some(configured),
                _ => entry.platform,
            });
        }
        Ok(found)
    }

    /// Tells whether `digest` is that of an image or an index within the index `image`, which is given by digest.
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
