//! What is kept so that nothing is asked twice: answers by digest, which cannot be out of date, for as long as the process
//! lives; and what tags were seen as, for as long as a caller takes this for recent enough.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    image::{Digest, Reference},
    registry::documents::{body::Read, head::Seen, index::ImageConfig, manifest::Document},
};

use super::flights::Flights;

/// How many documents, and how many configs, are kept: those of the images of ten thousand tasks.
const MAX_KEPT: usize = 4096;

/// A digest in a repository: what one repository does not give, another may.
type RepositoryDigest = (String, Digest);

/// All that is kept, whatever login it was asked with.
#[derive(Debug, Default)]
pub struct Cache {
    documents: Mutex<KeptAnswer<Arc<Document>>>,
    configs: Mutex<KeptAnswer<Arc<ImageConfig>>>,
    tags: Mutex<RememberedTags>,
    pub document_flights: Flights<RepositoryDigest, Arc<Document>>,
    pub config_flights: Flights<RepositoryDigest, Arc<ImageConfig>>,
    /// Tags that are being looked at for callers that would take a recent answer.
    pub look_flights: Flights<Reference, Seen>,
}

/// Values by digest; the oldest go where there are too many.
#[derive(Debug)]
struct KeptAnswer<T> {
    values: HashMap<Digest, T>,
    order: VecDeque<Digest>,
}

impl<T> Default for KeptAnswer<T> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Clone> KeptAnswer<T> {
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

/// What tags were seen as since it was asked to remember.
#[derive(Debug, Default)]
struct RememberedTags {
    /// How many want that.
    holders: usize,
    seen: HashMap<Reference, Seen>,
}

/// For as long as this lives, what tags are seen as is remembered, and is what `look_cached` and `look_all_cached` return:
/// a round holds it, so that however many of its runs are built on a tag, it is looked at once.
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

/// What registries have answered, as one value: for another process, which then asks them for nothing of it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answers {
    pub tags: BTreeMap<Reference, Seen>,
    /// The indexes and manifests behind them, as far as they were read.
    documents: BTreeMap<Digest, Document>,
    /// The configs of these, as far as they were read.
    configs: BTreeMap<Digest, ImageConfig>,
}

impl Cache {
    /// Returns a document, if it was read before.
    pub fn document(&self, digest: &Digest) -> Option<Arc<Document>> {
        lock(&self.documents).get(digest)
    }

    /// Keeps a document that was read.
    pub fn keep_document(&self, read: &Read) {
        lock(&self.documents).keep(&read.seen.digest, Arc::clone(&read.document));
    }

    /// Returns the config of an image, if it was read before.
    pub fn config(&self, digest: &Digest) -> Option<Arc<ImageConfig>> {
        lock(&self.configs).get(digest)
    }

    /// Keeps the config of an image that was read.
    pub fn keep_config(&self, digest: &Digest, config: &Arc<ImageConfig>) {
        lock(&self.configs).keep(digest, Arc::clone(config));
    }

    /// Remembers what tags are seen as from now on.
    pub fn hold_tags(self: &Arc<Self>) -> SeenTags {
        lock(&self.tags).holders += 1;
        SeenTags(Arc::clone(self))
    }

    /// Takes in what a look at a tag came to; nothing is remembered of one without an answer.
    pub fn looked<E>(&self, tag: &Reference, seen: &Result<Seen, E>) {
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

    /// Returns what a tag was seen as, if that is remembered.
    pub fn seen(&self, tag: &Reference) -> Option<Seen> {
        lock(&self.tags).seen.get(tag).cloned()
    }

    /// Forgets what a tag was seen as.
    pub fn forget_tag(&self, tag: &Reference) {
        lock(&self.tags).seen.remove(tag);
    }

    /// Returns what is known of these tags, and of what lies behind them, or behind digests that they name.
    pub fn export<'a>(&self, tags: impl IntoIterator<Item = &'a Reference>) -> Answers {
        let mut answers = Answers::default();
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

    /// Takes up what another process knows. Its tags are remembered for as long as this process lives.
    pub fn import(&self, answers: Answers) {
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
    fn the_oldest_goes_where_there_are_too_many() {
        let mut kept = KeptAnswer::default();
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
