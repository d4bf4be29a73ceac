//! The contents behind a digest: the manifests of an index, and the config of an image.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::image::{Digest, Platform, Reference};

use super::{
    client::{Registries, read, success},
    documents::{
        head::{ManifestKind, ResolvedTag},
        index::{self, Choice, ImageConfig},
        manifest::{Document, Entry},
    },
    problem::{FailedRequest, LookupError, LookupFailure, MissingPart},
    transport::request_spec::RequestSpec,
};

/// The deepest nesting of indexes.
const MAX_DEPTH: usize = 3;

/// The most indexes within one.
const MAX_NESTED: usize = 32;

/// The most images of an index whose configs are read for their platforms, where the index does not give these.
const MAX_UNNAMED: usize = 16;

impl Registries {
    /// Finds the manifest for each wanted platform of a resolved tag. The result has an entry for each platform:
    ///
    /// - `None` says that it is missing: the index gives the platforms of its images, and this one is not among them.
    /// - Where the index does not give them, a single image is for every platform; of several images, the configs tell. If
    ///   those do not either, the value is the digest of the index itself, which changes with whatever is in it.
    /// - A single manifest is for the operating system and the architecture in its config, whatever the variant; for every platform, if the
    ///   config names none.
    ///
    /// Where `windows/amd64` is wanted and there are images for several versions of Windows, it gets the first, and there is one more entry
    /// for each version, `windows(10.0.20348.1)/amd64`. A platform with a version gets the image of that version, else of the same build,
    /// which is the first three numbers.
    pub async fn platforms(
        &self,
        image: &Reference,
        seen: &ResolvedTag,
        wanted: &[Platform],
    ) -> Result<BTreeMap<Platform, Option<Digest>>, LookupError> {
        let mut entries = match &*self.named_document(image, &seen.digest).await? {
            Document::Index(entries) => self.flatten(image, entries).await?,
            Document::NoImage { what, .. } => {
                return Err(self.no_image(image, &seen.digest, what));
            }
            Document::Manifest { config } => {
                let config = self.config_at(image, config).await?;
                let made = config.platform.as_ref();
                let found = |wanted: &Platform| {
                    let fits = made.is_none_or(|made| made.has_architecture_of(wanted));
                    (wanted.clone(), fits.then(|| seen.digest.clone()))
                };
                return Ok(wanted.iter().map(found).collect());
            }
        };
        let is_open = |platform| index::choose(&entries, platform) == Choice::Open;
        if wanted.iter().any(is_open) {
            self.name_platforms(image, &mut entries).await?;
        }
        let wanted: BTreeSet<Platform> = wanted
            .iter()
            .flat_map(|platform| index::versions(&entries, platform))
            .collect();
        let found = |platform: Platform| {
            let digest = match index::choose(&entries, &platform) {
                Choice::Manifest(digest) => Some(digest.clone()),
                Choice::Open => Some(seen.digest.clone()),
                Choice::Missing => None,
            };
            (platform, digest)
        };
        Ok(wanted.into_iter().map(found).collect())
    }

    /// Checks that a resolved tag is an image, or an index of images: one GET for a new digest, none for one that was read before. A HEAD
    /// cannot tell an image from a Helm chart.
    ///
    /// # Errors
    ///
    /// [`LookupError::is_no_image`] if it is something else; any other [`LookupError`] if it cannot be read.
    pub async fn expect_image(
        &self,
        image: &Reference,
        seen: &ResolvedTag,
    ) -> Result<(), LookupError> {
        match &*self.named_document(image, &seen.digest).await? {
            Document::NoImage { what, .. } => Err(self.no_image(image, &seen.digest, what)),
            Document::Index(_) | Document::Manifest { .. } => Ok(()),
        }
    }

    /// Returns the manifest for one platform of a resolved tag; `None` where the image is not made for the platform.
    ///
    /// # Errors
    ///
    /// As [`Self::platforms`].
    pub async fn manifest_for(
        &self,
        image: &Reference,
        seen: &ResolvedTag,
        platform: &Platform,
    ) -> Result<Option<Digest>, LookupError> {
        let platforms = std::slice::from_ref(platform);
        let mut found = self.platforms(image, seen, platforms).await?;
        Ok(found.remove(platform).flatten())
    }

    /// Reads the config of an image at a digest, of an index or a manifest, for a platform.
    ///
    /// # Errors
    ///
    /// [`LookupError`], with [`Absence::Platform`] where the image is not made for the platform.
    pub async fn config(
        &self,
        image: &Reference,
        platform: &Platform,
    ) -> Result<ImageConfig, LookupError> {
        let seen = match image.digest() {
            Some(digest) => ResolvedTag::at(digest.clone()),
            None => self.look(image).await?,
        };
        let mut document = self.document(image, &seen.digest).await?;
        if let Document::Index(_) = &*document {
            let manifest = self
                .manifest_for(image, &seen, platform)
                .await?
                .filter(|digest| *digest != seen.digest)
                .ok_or_else(|| {
                    let asked = self.asked_about(image, &seen.digest);
                    LookupError::absent(MissingPart::Platform, asked)
                })?;
            document = self.named_document(image, &manifest).await?;
        }
        match &*document {
            Document::Manifest { config } => {
                let config = self.config_at(image, config).await?;
                Ok((*config).clone())
            }
            Document::NoImage { what, .. } => Err(self.no_image(image, &seen.digest, what)),
            Document::Index(_) => {
                let problem = "it has an index where a manifest is expected".to_owned();
                let asked = self.asked_about(image, &seen.digest);
                Err(LookupError::bad_reply(problem, asked))
            }
        }
    }

    /// Returns the images in an index, with those of nested indexes. An image without a platform gets that of its entry's parent.
    pub(super) async fn flatten(
        &self,
        image: &Reference,
        entries: &[Entry],
    ) -> Result<Vec<Entry>, LookupError> {
        let mut images = Vec::new();
        let mut open: Vec<(Entry, usize)> = entries
            .iter()
            .rev()
            .map(|entry| (entry.clone(), 1))
            .collect();
        let mut seen = BTreeSet::new();
        while let Some((entry, depth)) = open.pop() {
            if entry.kind == ManifestKind::Manifest {
                images.push(entry);
                continue;
            }
            if !seen.insert((entry.digest.clone(), entry.platform.clone())) {
                continue;
            }
            if depth == MAX_DEPTH || seen.len() > MAX_NESTED {
                let problem = "its indexes are nested too deeply".to_owned();
                let asked = self.asked_about(image, &entry.digest);
                return Err(LookupError::bad_reply(problem, asked));
            }
            match &*self.named_document(image, &entry.digest).await? {
                Document::Index(inner) => {
                    let inner = inner.iter().rev().map(|inner| Entry {
                        platform: inner.platform.clone().or_else(|| entry.platform.clone()),
                        ..inner.clone()
                    });
                    open.extend(inner.map(|inner| (inner, depth + 1)));
                }
                Document::Manifest { .. } => images.push(entry),
                Document::NoImage { .. } => {}
            }
        }
        Ok(images)
    }

    /// Sets the platform of images for which the index gives none to that in their configs, and removes entries that are no images. If
    /// there are too many, they are left as they are.
    pub(super) async fn name_platforms(
        &self,
        image: &Reference,
        entries: &mut Vec<Entry>,
    ) -> Result<(), LookupError> {
        let is_unnamed = |entry: &&Entry| entry.platform.is_none();
        if entries.iter().filter(is_unnamed).count() > MAX_UNNAMED {
            return Ok(());
        }
        let mut images = Vec::with_capacity(entries.len());
        for mut entry in std::mem::take(entries) {
            if entry.platform.is_none() {
                match self.platform_of(image, &entry.digest).await {
                    Ok(platform) => entry.platform = platform,
                    Err(error) if error.is_no_image() => continue,
                    // The index of a copy may list images that were not copied.
                    Err(error) if error.is_absent() => {}
                    Err(error) => return Err(error),
                }
            }
            images.push(entry);
        }
        *entries = images;
        Ok(())
    }

    /// Returns the platform in the config of a manifest.
    pub(super) async fn platform_of(
        &self,
        image: &Reference,
        manifest: &Digest,
    ) -> Result<Option<Platform>, LookupError> {
        match &*self.document(image, manifest).await? {
            Document::Manifest { config } => {
                Ok(self.config_at(image, config).await?.platform.clone())
            }
            Document::NoImage { what, .. } => Err(self.no_image(image, manifest, what)),
            Document::Index(_) => Ok(None),
        }
    }

    /// Returns a document that the registry itself has just named. If it does not exist, that does not mean that the image is gone.
    async fn named_document(
        &self,
        image: &Reference,
        digest: &Digest,
    ) -> Result<Arc<Document>, LookupError> {
        let document = self.document(image, digest).await;
        document.map_err(|error| of_named(digest, error))
    }

    /// Returns a document by digest: from the cache, or with one request for all concurrent callers.
    pub(super) async fn document(
        &self,
        image: &Reference,
        digest: &Digest,
    ) -> Result<Arc<Document>, LookupError> {
        if let Some(document) = self.cache().document(digest) {
            return Ok(document);
        }
        let place = (image.name(), digest.clone());
        let read = async || Box::pin(self.read_document(image, digest)).await;
        let document = self.cache().document_flights.join(place, read).await;
        document.map_err(|error| error.shared_by(&image.to_string()))
    }

    async fn read_document(
        &self,
        image: &Reference,
        digest: &Digest,
    ) -> Result<Arc<Document>, LookupError> {
        let host = self.host_of(image)?;
        let (read, asked) = read(&host, &RequestSpec::document_at(image, digest)).await?;
        self.cache().keep_document(&read);
        if read.seen.digest != *digest {
            // Neither can be believed: a cache in between may be out of date, and the tag may have moved or not.
            let problem = format!(
                "it contradicts itself: it gives the content of `{}` for the digest `{digest}`",
                read.seen.digest
            );
            return Err(LookupError::bad_reply(problem, asked));
        }
        Ok(read.document)
    }

    /// Returns the config of an image by its digest, as [`Self::document`] does.
    pub(super) async fn config_at(
        &self,
        image: &Reference,
        digest: &Digest,
    ) -> Result<Arc<ImageConfig>, LookupError> {
        if let Some(config) = self.cache().config(digest) {
            return Ok(config);
        }
        let place = (image.name(), digest.clone());
        let read = async || {
            let config = self.stored_config(image, digest, ImageConfig::parse);
            let config = Arc::new(Box::pin(config).await?);
            self.cache().keep_config(digest, &config);
            Ok(config)
        };
        let config = self.cache().config_flights.join(place, read).await;
        config.map_err(|error| error.shared_by(&image.to_string()))
    }

    /// Reads the config of an image by digest, parsed with `parse`. If it does not exist, that does not mean that the image is gone: its
    /// manifest names it.
    pub(super) async fn stored_config<T>(
        &self,
        image: &Reference,
        digest: &Digest,
        parse: impl FnOnce(&[u8]) -> serde_json::Result<T>,
    ) -> Result<T, LookupError> {
        let host = self.host_of(image)?;
        let answer = success(host.ask(&RequestSpec::config_at(image, digest)).await?);
        let answer = answer.map_err(|error| of_named(digest, error))?;
        let bad = |problem: String| LookupError::bad_reply(problem, answer.asked.clone());
        if !digest.matches(&answer.response.body) {
            return Err(bad("its content does not match its digest".to_owned()));
        }
        parse(&answer.response.body)
            .map_err(|problem| bad(format!("its config is malformed: {problem}")))
    }

    fn no_image(&self, image: &Reference, digest: &Digest, what: &str) -> LookupError {
        let asked = self.asked_about(image, digest);
        LookupError::unknown(LookupFailure::NoImage(what.to_owned()), asked)
    }

    fn asked_about(&self, image: &Reference, digest: &Digest) -> FailedRequest {
        FailedRequest {
            method: "GET",
            url: format!("/v2/{}/manifests/{digest}", image.repository()),
            ..FailedRequest::about(image)
        }
    }
}

/// Returns the error of a request for content that the registry itself has just named: it cannot be absent.
fn of_named(digest: &Digest, error: LookupError) -> LookupError {
    if !error.is_absent() {
        return error;
    }
    let problem = format!("it contradicts itself: it names `{digest}` but does not have it");
    let asked = error.asked().clone();
    LookupError::bad_reply(problem, asked)
}
