//! What lies behind a digest: the manifests of an index, and the config of an image.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use crate::image::{Digest, Platform, Reference};

use super::{
    client::{Registries, refusal},
    index::{self, ImageConfig},
    look::{Read, Seen},
    manifest::{Document, Entry, Kind},
    problem::{Absence, Asked, LookupError, Trouble},
    question::Question,
};

/// How deep indexes may lie in each other.
const MAX_DEPTH: usize = 3;

/// How many indexes may lie in one.
const MAX_NESTED: usize = 32;

/// How many documents are kept for the next question about them.
const MAX_KEPT: usize = 256;

/// Documents by their digest, which is all that they are: none in here can be out of date.
#[derive(Default)]
pub struct Documents(Mutex<HashMap<Digest, Arc<Document>>>);

impl Documents {
    /// Keeps what was read, for a while.
    pub fn keep(&self, read: &Read) {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if documents.len() >= MAX_KEPT {
            documents.clear();
        }
        documents.insert(read.seen.digest.clone(), Arc::clone(&read.document));
    }

    fn get(&self, digest: &Digest) -> Option<Arc<Document>> {
        let documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        documents.get(digest).cloned()
    }
}

impl Registries {
    /// Finds the manifest that each wanted platform gets of what was seen. `None` is not yet: an index may be
    /// published platform by platform. A single manifest is everybody's.
    ///
    /// # Errors
    ///
    /// [`LookupError`] if an index cannot be read.
    pub async fn platforms(
        &self,
        image: &Reference,
        seen: &Seen,
        wanted: &[Platform],
    ) -> Result<BTreeMap<Platform, Option<Digest>>, LookupError> {
        if seen.kind == Kind::Manifest {
            let same = |platform: &Platform| (platform.clone(), Some(seen.digest.clone()));
            return Ok(wanted.iter().map(same).collect());
        }
        let entries = match &*self.document(image, &seen.digest).await? {
            Document::Index(entries) => self.flatten(image, entries).await?,
            Document::Manifest { .. } => {
                let same = |platform: &Platform| (platform.clone(), Some(seen.digest.clone()));
                return Ok(wanted.iter().map(same).collect());
            }
        };
        let choice = |platform: &Platform| {
            let digest = index::choose(&entries, platform).cloned();
            (platform.clone(), digest)
        };
        Ok(wanted.iter().map(choice).collect())
    }

    /// Reads the config of an image at a digest, an index or one manifest, for a platform.
    ///
    /// # Errors
    ///
    /// [`LookupError`], with [`Absence::Platform`] where the image is not made for the platform.
    pub async fn config(
        &self,
        image: &Reference,
        platform: &Platform,
    ) -> Result<ImageConfig, LookupError> {
        let host = self.host_of(image)?;
        let digest = match image.digest() {
            Some(digest) => digest.clone(),
            None => self.look_at(&host, image, 0).await?.digest,
        };
        let mut document = self.document(image, &digest).await?;
        if let Document::Index(entries) = &*document {
            let entries = self.flatten(image, entries).await?;
            let asked = || self.asked_about(image, &digest);
            let manifest = index::choose(&entries, platform)
                .ok_or_else(|| LookupError::absent(Absence::Platform, asked()))?;
            document = self.document(image, manifest).await?;
        }
        let Document::Manifest { config } = &*document else {
            let problem = "an index stands where a manifest should".to_owned();
            return Err(LookupError::unknown(
                Trouble::BadReply(problem),
                self.asked_about(image, &digest),
            ));
        };
        let answer = host.ask(&Question::config_at(image, config)).await?;
        if answer.reply.status != 200 {
            return Err(refusal(&answer));
        }
        let bad = |problem: String| {
            LookupError::unknown(Trouble::BadReply(problem), answer.asked.clone())
        };
        if !config.matches(&answer.reply.body) {
            return Err(bad("its content is not of its digest".to_owned()));
        }
        ImageConfig::parse(&answer.reply.body)
            .map_err(|problem| bad(format!("its config is malformed: {problem}")))
    }

    /// Returns the images below an index, those of indexes within it too.
    async fn flatten(
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
            if entry.kind == Kind::Manifest {
                images.push(entry);
                continue;
            }
            if !seen.insert(entry.digest.clone()) {
                continue;
            }
            if depth == MAX_DEPTH || seen.len() > MAX_NESTED {
                let problem = "its indexes lie in each other without end".to_owned();
                let asked = self.asked_about(image, &entry.digest);
                return Err(LookupError::unknown(Trouble::BadReply(problem), asked));
            }
            match &*self.document(image, &entry.digest).await? {
                Document::Index(inner) => {
                    open.extend(inner.iter().rev().map(|entry| (entry.clone(), depth + 1)));
                }
                Document::Manifest { .. } => images.push(entry),
            }
        }
        Ok(images)
    }

    async fn document(
        &self,
        image: &Reference,
        digest: &Digest,
    ) -> Result<Arc<Document>, LookupError> {
        if let Some(document) = self.documents.get(digest) {
            return Ok(document);
        }
        let host = self.host_of(image)?;
        let (read, asked) = self
            .read(&host, &Question::document_at(image, digest))
            .await?;
        if read.seen.digest != *digest {
            host.distrust_heads();
            let problem = format!(
                "the document is `{}`, not what was asked for",
                read.seen.digest
            );
            return Err(LookupError::unknown(Trouble::BadReply(problem), asked));
        }
        Ok(read.document)
    }

    fn asked_about(&self, image: &Reference, digest: &Digest) -> Asked {
        Asked {
            registry: image.registry().to_owned(),
            image: image.to_string(),
            method: "GET",
            url: format!("/v2/{}/manifests/{digest}", image.repository()),
            ..Asked::default()
        }
    }
}
