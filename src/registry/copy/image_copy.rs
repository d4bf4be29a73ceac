//! One copy in progress: documents level by level, and before them all their blobs.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join, stream};

use crate::{image::Digest, registry::client::Registries};

use super::{
    download::save,
    endpoint::{BlobTransfer, Endpoint},
    memory::CopyMemory,
    mounts::Mounts,
    problem::CopyError,
    remote::Remote,
    request::{Amount, CopyContext, CopyProgress, CopyRequest, ProgressWatcher},
    tree::{self, Descriptor, RawDocument},
    upload::MountOutcome,
};

/// How many blobs, or manifests, are transferred concurrently.
pub const AT_ONCE: usize = 6;

/// The largest blob, in bytes, whose transfer takes mainly the round trip and not the bandwidth.
const SMALL: u64 = 256 * 1024;

/// How many milliseconds of the round trip to the target allow one more concurrent small blob: with a longer round trip each takes longer,
/// and uses less of the bandwidth.
const MILLIS_FOR_ONE: u128 = 3;

/// The most small blobs that are transferred concurrently.
const MOST_AT_ONCE: usize = 24;

/// Returns how many small blobs are sent concurrently at this round-trip time.
fn small_at_once(round_trip: Duration) -> usize {
    let wanted = usize::try_from(round_trip.as_millis() / MILLIS_FOR_ONE).unwrap_or(MOST_AT_ONCE);
    wanted.clamp(AT_ONCE, MOST_AT_ONCE)
}

/// The size in bytes from which a blob is looked for in other repositories before it is sent: a smaller one is sent sooner.
const WORTH_A_SEARCH: u64 = 1024 * 1024;

/// The most bytes of manifests and indexes in one copy: they are kept in memory until everything below them is there.
const MAX_DOCUMENTS: u64 = 64 * 1024 * 1024;

/// The most bytes of blobs in one copy: more than any image has, and less than what would take weeks.
const MAX_BLOBS: u64 = 256 * 1024 * 1024 * 1024;

pub struct ImageCopy<'a> {
    pub registries: &'a Registries,
    pub from: Endpoint,
    pub to: Endpoint,
    context: CopyContext<'a>,
    /// Whether each blob is looked for, also those of documents that are there.
    sees_all: bool,
    /// Where its blobs may be mounted from, if the target is a registry.
    mounts: Option<Mounts<'a>>,
    amount: RefCell<Amount>,
    /// The bytes of documents read so far.
    documents: Cell<u64>,
    /// The bytes of blobs listed so far.
    blobs: Cell<u64>,
    /// How long the last request for a document at the target took.
    round_trip: Cell<Duration>,
}

impl<'a> ImageCopy<'a> {
    /// Opens both endpoints. Nothing is read yet, and nothing is written except that a missing folder is made.
    pub fn new(
        registries: &'a Registries,
        request: &CopyRequest,
        watch: ProgressWatcher<'a>,
        memory: &'a dyn CopyMemory,
    ) -> Result<Self, CopyError> {
        let from = Endpoint::source(registries, &request.from)?;
        let to = Endpoint::target(registries, &request.to)?;
        let target = to.remote();
        let mounts = target.map(|target| Mounts::new(registries, memory, target, from.remote()));
        Ok(Self {
            registries,
            sees_all: request.force,
            mounts,
            from,
            to,
            context: CopyContext {
                watch,
                clock: &registries.clock,
                memory,
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

    /// Copies a document with everything below it. Returns the digests of all its documents.
    pub async fn bring(&self, root: &RawDocument) -> Result<Vec<Digest>, CopyError> {
        let mut all = vec![root.digest.clone()];
        let asked = Instant::now();
        if self.to.has_document(&root.digest).await? && !self.sees_all {
            return Ok(all);
        }
        // The request before has opened the connection.
        self.round_trip.set(asked.elapsed());
        let mut levels = vec![vec![root.clone()]];
        loop {
            let above = levels.last().map(Vec::as_slice).unwrap_or_default();
            let known: BTreeSet<Digest> = all.iter().cloned().collect();
            let children = tree::children(above, &known);
            let Some(first) = children.first() else {
                break;
            };
            if levels.len() > tree::MAX_DEPTH {
                let problem = "its indexes are nested too deeply";
                return Err(CopyError::malformed(
                    &self.from.name(),
                    &first.digest,
                    problem,
                ));
            }
            all.extend(children.iter().map(|child| child.digest.clone()));
            levels.push(self.missing(&children).await?);
        }
        self.bring_blobs(levels.iter().flatten()).await?;
        for level in levels.iter().rev() {
            stream::iter(level)
                .map(|document| self.write_missing(document))
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<()>>()
                .await?;
        }
        Ok(all)
    }

    /// Reads those documents that are missing at the target.
    async fn missing(&self, children: &[Descriptor]) -> Result<Vec<RawDocument>, CopyError> {
        let read = stream::iter(children).map(async |child| {
            if !self.sees_all && self.to.has_document(&child.digest).await? {
                return Ok(None);
            }
            let document = self.from.document(Some(child)).await;
            let document = document.map_err(|error| match error.is_absent() {
                true => CopyError::malformed(
                    &self.from.name(),
                    &child.digest,
                    "its index lists this manifest, which does not exist",
                ),
                false => error,
            })?;
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
        (self.context.watch)(CopyProgress::Total(total));
        let plan = self.mounts.as_ref().map(|mounts| mounts.plan(&blobs));
        let plan = plan.unwrap_or_default();
        let blobs = blobs.iter();
        let planned = blobs.map(|blob| (blob, plan.get(&blob.digest).map(String::as_str)));
        let (small, large): (Vec<_>, Vec<_>) = planned.partition(|(blob, _)| blob.size <= SMALL);
        let small = self.bring_each(small, small_at_once(self.round_trip.get()));
        let large = self.bring_each(large, AT_ONCE);
        try_join(small, large).await.map(|_| ())
    }

    /// Transfers blobs, each with the repository that is known to have it.
    async fn bring_each(
        &self,
        blobs: Vec<(&Descriptor, Option<&str>)>,
        at_once: usize,
    ) -> Result<(), CopyError> {
        stream::iter(blobs)
            .map(|(blob, known_in)| self.bring_blob(blob, known_in))
            .buffer_unordered(at_once)
            .try_collect()
            .await
    }

    /// Adds `more` bytes to a count, and checks that it stays within `most`.
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

    async fn bring_blob(&self, blob: &Descriptor, known_in: Option<&str>) -> Result<(), CopyError> {
        let given = match (&self.to, &self.mounts) {
            (Endpoint::Registry(target), Some(mounts)) => {
                let given = self.give(target, mounts, blob, known_in).await?;
                mounts.has(&blob.digest);
                given
            }
            (Endpoint::Layout(layout), _) if !layout.has_blob(blob) => {
                save(&self.from, layout, blob, &self.context).await?
            }
            _ => BlobTransfer::Present,
        };
        let mut amount = self.amount.borrow_mut();
        match given {
            BlobTransfer::Present => amount.present += 1,
            BlobTransfer::Mounted => amount.mounted += 1,
            BlobTransfer::Sent { bytes } => {
                amount.sent += 1;
                amount.bytes += bytes;
            }
        }
        (self.context.watch)(CopyProgress::Done(&blob.digest, blob.size));
        Ok(())
    }

    /// Puts a blob into a repository: mounts it from another one that is known to have it, which takes one request, or else sends it.
    async fn give(
        &self,
        target: &Remote,
        mounts: &Mounts<'a>,
        blob: &Descriptor,
        known_in: Option<&str>,
    ) -> Result<BlobTransfer, CopyError> {
        let mut upload = match known_in.filter(|repository| mounts.is_open(repository)) {
            Some(repository) => match take_over(target, mounts, blob, repository).await? {
                MountOutcome::Mounted => return Ok(BlobTransfer::Mounted),
                MountOutcome::Begun(upload) => Some(upload),
                MountOutcome::Refused => None,
            },
            None => None,
        };
        if target.has_blob(&blob.digest).await? {
            if let Some(upload) = upload {
                target.give_up(upload.url).await;
            }
            return Ok(BlobTransfer::Present);
        }
        if known_in.is_none()
            && blob.size >= WORTH_A_SEARCH
            && let Some(repository) = mounts.search(&blob.digest).await
        {
            match take_over(target, mounts, blob, &repository).await? {
                MountOutcome::Mounted => return Ok(BlobTransfer::Mounted),
                MountOutcome::Begun(begun) => upload = Some(begun),
                MountOutcome::Refused => {}
            }
        }
        target.upload(&self.from, blob, &self.context, upload).await
    }

    /// Stores what this copy has learnt for later copies.
    pub fn remember(&self) {
        if let Some(mounts) = &self.mounts {
            mounts.remember();
        }
    }

    /// Writes a document by its digest, unless it is known to be there: some registries refuse to write the same again.
    async fn write_missing(&self, document: &RawDocument) -> Result<(), CopyError> {
        if self.sees_all && self.to.has_document(&document.digest).await? {
            return Ok(());
        }
        self.write(document, None).await
    }

    /// Writes a document as a tag, or by digest alone.
    pub async fn write(&self, document: &RawDocument, tag: Option<&str>) -> Result<(), CopyError> {
        self.to.write(document, tag).await?;
        self.amount.borrow_mut().manifests += 1;
        Ok(())
    }
}

/// Asks the registry to mount a blob from another repository, and records what the response says of that repository.
async fn take_over(
    target: &Remote,
    mounts: &Mounts<'_>,
    blob: &Descriptor,
    repository: &str,
) -> Result<MountOutcome, CopyError> {
    let outcome = target.mount(&blob.digest, repository).await?;
    match &outcome {
        MountOutcome::Mounted => {}
        MountOutcome::Begun(_) => mounts.miss(repository, &blob.digest),
        MountOutcome::Refused => mounts.close(repository),
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_small_blobs_are_sent_in_parallel_to_a_target_with_more_latency() {
        let at_once = |millis| small_at_once(Duration::from_millis(millis));
        assert_eq!([0, 1, 20, 50, 70, 5000].map(at_once), [6, 6, 6, 16, 23, 24]);
    }
}
