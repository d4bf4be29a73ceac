//! The cache of answers, so that nothing is requested twice: documents by digest, which cannot be out of date, as long as the process
//! lives; and looks at tags, as long as a caller accepts them as recent.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    image::{Digest, Reference},
    registry::documents::{
        body::ReadDocument, head::ResolvedTag, index::ImageConfig, manifest::Document,
    },
};

use super::in_flight::InFlightRequests;

/// The most documents, and the most configs, that are kept: enough for the images of ten thousand tasks.
const MAX_KEPT: usize = 4096;

/// A digest in a repository: another repository may have what this one lacks.
type RepositoryDigest = (String, Digest);

/// All cached answers, for every login.
#[derive(Debug, Default)]
pub struct Cache {
    documents: Mutex<BoundedMap<Arc<Document>>>,
    configs: Mutex<BoundedMap<Arc<ImageConfig>>>,
    tags: Mutex<RememberedTags>,
    pub document_flights: InFlightRequests<RepositoryDigest, Arc<Document>>,
    pub config_flights: InFlightRequests<RepositoryDigest, Arc<ImageConfig>>,
    /// Looks in progress for callers that accept a recent answer.
    pub look_flights: InFlightRequests<Reference, ResolvedTag>,
}

/// Values by digest; the oldest are dropped when there are too many.
#[derive(Debug)]
struct BoundedMap<T> {
    values: HashMap<Digest, T>,
    order: VecDeque<Digest>,
}

impl<T> Default for BoundedMap<T> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Clone> BoundedMap<T> {
    fn keep(&mut self, digest: &Digest, value: T) {
        if self.values.insert(digest.clone(), value).is_some() {
            return;
        }
        self.order.push_back(digest.clone());
        if self.order.len() > MAX_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }

    fn get(&self, digest: &Digest) -> Option<T> {
        self.values.get(digest).cloned()
    }
}

/// The answers of looks at tags since remembering began.
#[derive(Debug, Default)]
struct RememberedTags {
    /// How many callers want them remembered.
    holders: usize,
    seen: HashMap<Reference, ResolvedTag>,
}

/// As long as this lives, the answers of looks at tags are remembered for `look_cached` and `look_all_cached`: a round holds it, so that a
/// tag is looked at once, however many of its runs are built on it.
#[derive(Debug)]
#[must_use = "what was seen is forgotten when this is dropped"]
pub struct SeenTags(Arc<Cache>);

impl Drop for SeenTags {
    fn drop(&mut self) {
        let mut tags = lock(&self.0.tags);
        tags.holders = tags.holders.saturating_sub(1);
        if tags.holders == 0 {
            tags.seen.clear();
        }
    }
}

/// The answers of registries as one value, for another process, which then need not ask again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheExport {
    pub tags: BTreeMap<Reference, ResolvedTag>,
    /// The indexes and manifests behind the tags, as far as they were read.
    documents: BTreeMap<Digest, Document>,
    /// The configs behind these, as far as they were read.
    configs: BTreeMap<Digest, ImageConfig>,
}

impl Cache {
    /// Returns a document, if it was read before.
    pub fn document(&self, digest: &Digest) -> Option<Arc<Document>> {
        lock(&self.documents).get(digest)
    }

    pub fn keep_document(&self, read: &ReadDocument) {
        lock(&self.documents).keep(&read.seen.digest, Arc::clone(&read.document));
    }

    /// Returns the config of an image, if it was read before.
    pub fn config(&self, digest: &Digest) -> Option<Arc<ImageConfig>> {
        lock(&self.configs).get(digest)
    }

    pub fn keep_config(&self, digest: &Digest, config: &Arc<ImageConfig>) {
        lock(&self.configs).keep(digest, Arc::clone(config));
    }

    /// Remembers the answers of looks at tags from now on.
    pub fn hold_tags(self: &Arc<Self>) -> SeenTags {
        lock(&self.tags).holders += 1;
        SeenTags(Arc::clone(self))
    }

    /// Records the answer of a look at a tag, if remembering is on; a look without an answer is not recorded.
    pub fn looked<E>(&self, tag: &Reference, seen: &Result<ResolvedTag, E>) {
        let mut tags = lock(&self.tags);
        match seen {
            Ok(seen) if tags.holders > 0 => {
                tags.seen.insert(tag.clone(), seen.clone());
            }
            Ok(_) => {}
            Err(_) => {
                tags.seen.remove(tag);
            }
        }
    }

    /// Returns the remembered answer about a tag, if there is one.
    pub fn seen(&self, tag: &Reference) -> Option<ResolvedTag> {
        lock(&self.tags).seen.get(tag).cloned()
    }

    /// Drops the remembered answer about a tag.
    pub fn forget_tag(&self, tag: &Reference) {
        lock(&self.tags).seen.remove(tag);
    }

    /// Returns the remembered answers about these tags, with the documents behind them, or behind digests that they name.
    pub fn export<'a>(&self, tags: impl IntoIterator<Item = &'a Reference>) -> CacheExport {
        let mut answers = CacheExport::default();
        for tag in tags {
            let seen = self.seen(tag);
            let known = tag.digest().or(seen.as_ref().map(|seen| &seen.digest));
            let mut open: Vec<Digest> = known.into_iter().cloned().collect();
            while let Some(digest) = open.pop() {
                let document = self.document(&digest);
                let Some(document) = document.filter(|_| !answers.documents.contains_key(&digest))
                else {
                    continue;
                };
                match &*document {
                    Document::Index(entries) => {
                        open.extend(entries.iter().map(|entry| entry.digest.clone()));
                    }
                    Document::Manifest { config } => {
                        let known = self.config(config);
                        let known = known.map(|known| (config.clone(), (*known).clone()));
                        answers.configs.extend(known);
                    }
                    Document::NoImage { .. } => {}
                }
                answers.documents.insert(digest, (*document).clone());
            }
            answers.tags.extend(seen.map(|seen| (tag.clone(), seen)));
        }
        answers
    }

    /// Takes over the answers of another process. They are remembered as long as this process lives.
    pub fn import(&self, answers: CacheExport) {
        for (digest, document) in answers.documents {
            lock(&self.documents).keep(&digest, Arc::new(document));
        }
        for (digest, config) in answers.configs {
            lock(&self.configs).keep(&digest, Arc::new(config));
        }
        let mut tags = lock(&self.tags);
        tags.holders += 1;
        tags.seen.extend(answers.tags);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: usize) -> Digest {
        Digest::of(n.to_string().as_bytes())
    }

    #[test]
    fn oldest_cached_response_is_dropped_over_the_limit() {
        let mut kept = BoundedMap::default();
        for n in 0..=MAX_KEPT {
            kept.keep(&digest(n), n);
        }
        kept.keep(&digest(5), 5);
        assert_eq!(kept.values.len(), MAX_KEPT);
        assert_eq!(kept.get(&digest(0)), None);
        assert_eq!(kept.get(&digest(1)), Some(1));
        assert_eq!(kept.get(&digest(MAX_KEPT)), Some(MAX_KEPT));
    }
}
