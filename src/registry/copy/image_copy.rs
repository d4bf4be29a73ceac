//! One copy under way: its documents level by level, and before them all their blobs.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join, stream};

use crate::{image::Digest, registry::client::Registries};

use super::{
    endpoint::{BlobTransfer, Endpoint},
    problem::CopyError,
    request::{Amount, CopyContext, CopyRequest, Progress, ProgressWatcher},
    transfer::transfer,
    tree::{self, Descriptor, RawDocument},
};

/// Blobs, or manifests, that are on their way at once.
pub const AT_ONCE: usize = 6;

/// The largest blob that is on its way for the way alone and not for its bytes, in bytes.
const SMALL: u64 = 256 * 1024;

/// How many small blobs are on their way at once, for each so many milliseconds that a request takes to where they go: the further away
/// that is, the longer each takes, and the less all of them are for anybody on the way.
const MILLIS_FOR_ONE: u128 = 3;

/// The most that are on their way at once.
const MOST_AT_ONCE: usize = 24;

/// Returns how many small blobs are sent at once to a place where a request takes so long.
fn small_at_once(round_trip: Duration) -> usize {
    let wanted = usize::try_from(round_trip.as_millis() / MILLIS_FOR_ONE).unwrap_or(MOST_AT_ONCE);
    wanted.clamp(AT_ONCE, MOST_AT_ONCE)
}

/// How many bytes of manifests and indexes one copy may read in all: they are kept in memory until everything below them is there.
const MAX_DOCUMENTS: u64 = 64 * 1024 * 1024;

/// How many bytes of blobs one copy may name in all: more than any image has that people make, and less than what would take
/// weeks.
const MAX_BLOBS: u64 = 256 * 1024 * 1024 * 1024;

/// One copy under way.
pub struct ImageCopy<'a> {
    /// Where the image comes from.
    pub from: Endpoint,
    /// Where it goes.
    pub to: Endpoint,
    context: CopyContext<'a>,
    amount: RefCell<Amount>,
    /// How many bytes of documents have been read.
    documents: Cell<u64>,
    /// How many bytes of blobs have been named.
    blobs: Cell<u64>,
    /// How long the last request took that asked for a document where the image goes.
    round_trip: Cell<Duration>,
}

impl<'a> ImageCopy<'a> {
    /// Opens both sides. Nothing is read yet, and nothing written but a folder made.
    ///
    /// # Errors
    ///
    /// [`CopyError`] where one of them cannot be opened.
    pub fn new(
        registries: &'a Registries,
        request: &CopyRequest,
        watch: ProgressWatcher<'a>,
    ) -> Result<Self, CopyError> {
        Ok(Self {
            from: Endpoint::source(registries, &request.from)?,
            to: Endpoint::target(registries, &request.to)?,
            context: CopyContext {
                watch,
                clock: &registries.clock,
            },
            amount: RefCell::default(),
            documents: Cell::new(0),
            blobs: Cell::new(0),
            round_trip: Cell::default(),
        })
    }

    /// Returns how much was copied.
    pub fn amount(&self) -> Amount {
        *self.amount.borrow()
    }

    /// Copies a document with everything below it. Returns the digests of all documents that belong to it.
    pub async fn bring(&self, root: &RawDocument) -> Result<Vec<Digest>, CopyError> {
        let mut all = vec![root.digest.clone()];
        let asked = Instant::now();
        if self.to.has_document(&root.digest).await? {
            return Ok(all);
        }
        // What was asked before has made the connection.
        self.round_trip.set(asked.elapsed());
        let mut levels = vec![vec![root.clone()]];
        for _ in 0..tree::MAX_DEPTH {
            let above = levels.last().map(Vec::as_slice).unwrap_or_default();
            let known: BTreeSet<Digest> = all.iter().cloned().collect();
            let children = tree::children(above, &known);
            if children.is_empty() {
                break;
            }
            all.extend(children.iter().map(|child| child.digest.clone()));
            levels.push(self.missing(&children).await?);
        }
        if let Some(deep) =
            tree::too_deep(levels.last().map(Vec::as_slice).unwrap_or_default(), &all)
        {
            return Err(CopyError::malformed(
                &self.from.name(),
                &deep,
                "its indexes lie in each other without end",
            ));
        }
        self.bring_blobs(levels.iter().flatten()).await?;
        for level in levels.iter().rev() {
            stream::iter(level)
                .map(|document| self.write(document, None))
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<()>>()
                .await?;
        }
        Ok(all)
    }

    /// Reads those documents that are not where they go.
    async fn missing(&self, children: &[Descriptor]) -> Result<Vec<RawDocument>, CopyError> {
        let read = stream::iter(children).map(async |child| {
            if self.to.has_document(&child.digest).await? {
                return Ok(None);
            }
            let document = self.from.document(Some(child)).await?;
            self.within(&self.documents, document.bytes.len() as u64, MAX_DOCUMENTS)?;
            Ok(Some(document))
        });
        let read: Vec<Option<RawDocument>> = read.buffered(AT_ONCE).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    async fn bring_blobs(
        &self,
        documents: impl Iterator<Item = &RawDocument>,
    ) -> Result<(), CopyError> {
        let blobs = tree::blobs(documents);
        let sizes = blobs.iter().map(|blob| blob.size);
        let total = sizes.fold(0, u64::saturating_add);
        self.within(&self.blobs, total, MAX_BLOBS)?;
        (self.context.watch)(Progress::Total(total));
        let (small, large): (Vec<&Descriptor>, _) =
            blobs.iter().partition(|blob| blob.size <= SMALL);
        let small = self.bring_each(small, small_at_once(self.round_trip.get()));
        let large = self.bring_each(large, AT_ONCE);
        try_join(small, large).await.map(|_| ())
    }

    async fn bring_each(&self, blobs: Vec<&Descriptor>, at_once: usize) -> Result<(), CopyError> {
        stream::iter(blobs)
            .map(|blob| self.bring_blob(blob))
            .buffer_unordered(at_once)
            .try_collect()
            .await
    }

    /// Takes in that there are so many bytes more, of which there may be `most` in all.
    fn within(&self, count: &Cell<u64>, more: u64, most: u64) -> Result<(), CopyError> {
        count.set(count.get().saturating_add(more));
        if count.get() <= most {
            return Ok(());
        }
        Err(CopyError::Malformed {
            image: self.from.name(),
            problem: format!("it is more than may be copied at once: {most} bytes"),
        })
    }

    async fn bring_blob(&self, blob: &Descriptor) -> Result<(), CopyError> {
        let given = if self.to.has_blob(blob).await? {
            BlobTransfer::Present
        } else {
            transfer(&self.from, &self.to, blob, &self.context).await?
        };
        let mut amount = self.amount.borrow_mut();
        match given {
            BlobTransfer::Present => amount.present += 1,
            BlobTransfer::Mounted => amount.mounted += 1,
            BlobTransfer::Sent => {
                amount.sent += 1;
                amount.bytes += blob.size;
            }
        }
        (self.context.watch)(Progress::Done(&blob.digest, blob.size));
        Ok(())
    }

    /// Writes a document as a tag, or by its digest alone.
    pub async fn write(&self, document: &RawDocument, tag: Option<&str>) -> Result<(), CopyError> {
        self.to.write(document, tag).await?;
        self.amount.borrow_mut().manifests += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_further_away_it_is_the_more_small_blobs_are_sent_at_once() {
        let at_once = |millis| small_at_once(Duration::from_millis(millis));
        assert_eq!([0, 1, 20, 50, 70, 5000].map(at_once), [6, 6, 6, 16, 23, 24]);
    }
}
