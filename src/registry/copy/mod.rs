//! Copies an image from one place to another, byte for byte, so that its digest stays the same.
//!
//! The order is what makes it safe: blobs first, then manifests from the leaves to the root, the tags last of all. Whatever breaks
//! off before has changed no tag, and what it left is found and not sent again.

mod endpoint;
mod layout;
mod problem;
mod reader;
mod referrers;
mod remote;
mod subset;
mod tree;
mod upload;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fs::File,
    path::PathBuf,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    image::{Digest, Platform, Reference},
    sys::clock::Clock,
};

use super::client::Registries;

use endpoint::{BlobTransfer, Endpoint};
pub use problem::CopyError;
use reader::{Abort, BlobReader, Sink};
pub(super) use tree::Descriptor;
use tree::Document;

/// Blobs, or manifests, that are on their way at once.
const AT_ONCE: usize = 6;

/// How many bytes of manifests and indexes one copy may read in all: they are kept in memory until everything below them is there.
const MAX_DOCUMENTS: u64 = 64 * 1024 * 1024;

/// How many bytes of blobs one copy may name in all: more than any image has that people make, and less than what would take
/// weeks.
const MAX_BLOBS: u64 = 256 * 1024 * 1024 * 1024;

/// Where an image is, or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a registry.
    Registry(Reference),
    /// In a folder of the OCI image layout, under a name if it has one.
    Layout {
        /// The folder.
        folder: PathBuf,
        /// The name of the image in the folder's index.
        name: Option<String>,
    },
}

/// What is copied where.
#[derive(Clone, Debug)]
pub struct CopyRequest {
    /// The image, by tag or digest.
    pub from: Place,
    /// The repository or folder that it goes to; its tag does not matter.
    pub to: Place,
    /// The tags or names that it gets there; without any, it is only there by its digest.
    pub tags: Vec<String>,
    /// The platforms that are copied; all if empty.
    pub platforms: Vec<Platform>,
    /// Whether signatures, SBOMs and whatever else refers to it are copied too.
    pub all_referrers: bool,
    /// Whether a tag that stands for another image there is moved.
    pub force: bool,
}

/// What became of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// It was not there before.
    Created,
    /// It stood for another image before.
    Moved(Digest),
    /// It stood for the same image.
    Unchanged,
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The digest of the image where it went: that of the source, unless some platforms were left out.
    pub digest: Digest,
    /// The digest of the whole image where it came from.
    pub source: Digest,
    /// What became of its tags, in their order.
    pub tags: Vec<Tagged>,
    /// How much was sent.
    pub amount: Amount,
}

/// How much a copy took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Blobs that were sent.
    pub sent: usize,
    /// Blobs that the registry took over from another of its repositories.
    pub mounted: usize,
    /// Blobs that were there already.
    pub present: usize,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// Manifests and indexes that were written.
    pub manifests: usize,
}

/// What happens during a copy, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many bytes of blobs are to be copied in all.
    Total(u64),
    /// A blob begins to be sent.
    Begun(&'a Digest, u64),
    /// So many bytes of it have been sent.
    Sent(&'a Digest, u64),
    /// It is where it should be.
    Done(&'a Digest, u64),
}

/// Who is told of the progress.
pub type Watcher<'a> = &'a dyn Fn(Progress<'_>);

/// What surrounds a copy: who watches it, and the time that its pauses take.
#[derive(Clone, Copy)]
pub struct CopyContext<'a> {
    watch: Watcher<'a>,
    clock: &'a Clock,
}

impl Registries {
    /// Copies an image.
    ///
    /// # Errors
    ///
    /// [`CopyError`]: no tag was changed then, and what was copied so far stays for the next try.
    pub async fn copy(
        &self,
        request: &CopyRequest,
        watch: Watcher<'_>,
    ) -> Result<Copied, CopyError> {
        let copy = Copy {
            from: Endpoint::source(self, &request.from)?,
            to: Endpoint::target(self, &request.to)?,
            context: CopyContext {
                watch,
                clock: &self.clock,
            },
            amount: RefCell::default(),
            documents: Cell::new(0),
            blobs: Cell::new(0),
        };
        let before = copy.standing(&request.tags).await?;
        if let Some(copied) = copy.nothing_to_do(request, &before).await? {
            return Ok(copied);
        }
        let root = copy.from.document(None).await?;
        let source = root.digest.clone();
        let root = subset::of(&copy.from, root, &request.platforms).await?;
        let tags = copy.judge(request, &root, before)?;
        let whole = copy.bring(&root).await?;
        if request.all_referrers {
            copy.bring_referrers(whole).await?;
        }
        for (tag, tagged) in request.tags.iter().zip(&tags) {
            if *tagged != Tagged::Unchanged {
                copy.write(&root, Some(tag)).await?;
            }
        }
        if request.tags.is_empty() {
            copy.to.keep(&root).await?;
        }
        Ok(Copied {
            digest: root.digest,
            source,
            tags,
            amount: copy.amount.into_inner(),
        })
    }
}

impl Registries {
    /// Tells whether a copy would be refused because a tag stands for another image, for whoever copies to several places and wants
    /// all of them or none.
    ///
    /// # Errors
    ///
    /// [`CopyError`], [`CopyError::Exists`] among them.
    pub async fn may_copy(&self, request: &CopyRequest) -> Result<(), CopyError> {
        let copy = Copy {
            from: Endpoint::source(self, &request.from)?,
            to: Endpoint::target(self, &request.to)?,
            context: CopyContext {
                watch: &|_| {},
                clock: &self.clock,
            },
            amount: RefCell::default(),
            documents: Cell::new(0),
            blobs: Cell::new(0),
        };
        let before = copy.standing(&request.tags).await?;
        if before.iter().all(Option::is_none)
            || copy.nothing_to_do(request, &before).await?.is_some()
        {
            return Ok(());
        }
        let root = copy.from.document(None).await?;
        let root = subset::of(&copy.from, root, &request.platforms).await?;
        copy.judge(request, &root, before).map(drop)
    }
}

impl Registries {
    /// Fetches a blob of a repository into a file, as it comes.
    ///
    /// # Errors
    ///
    /// [`CopyError`]: what is in the file is then of no use.
    pub(super) async fn fetch_blob(
        &self,
        image: &Reference,
        blob: &Descriptor,
        into: &mut File,
    ) -> Result<(), CopyError> {
        let from = Endpoint::source(self, &Place::Registry(image.clone()))?;
        let context = CopyContext {
            watch: &|_| {},
            clock: &self.clock,
        };
        let mut reader = BlobReader::new(&from, blob, &context);
        match reader.pour(0, &mut Sink::File(into)).await {
            Ok(()) => Ok(()),
            Err(Abort::Source(error)) => Err(error),
            Err(Abort::Sink(problem)) => Err(CopyError::folder(image.to_string(), problem)),
        }
    }
}

/// One copy under way.
struct Copy<'a> {
    from: Endpoint,
    to: Endpoint,
    context: CopyContext<'a>,
    amount: RefCell<Amount>,
    /// How many bytes of documents have been read.
    documents: Cell<u64>,
    /// How many bytes of blobs have been named.
    blobs: Cell<u64>,
}

impl Copy<'_> {
    /// Returns what each tag stands for now where the image goes.
    async fn standing(&self, tags: &[String]) -> Result<Vec<Option<Digest>>, CopyError> {
        stream::iter(tags)
            .map(|tag| self.to.digest_of(tag))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Ends a copy before it begins whose tags all stand for what the source stands for: two questions, and nothing is read.
    async fn nothing_to_do(
        &self,
        request: &CopyRequest,
        before: &[Option<Digest>],
    ) -> Result<Option<Copied>, CopyError> {
        let Some(Some(digest)) = before.first() else {
            return Ok(None);
        };
        let alike = before.iter().all(|it| it.as_ref() == Some(digest));
        if !alike || !request.platforms.is_empty() || request.all_referrers {
            return Ok(None);
        }
        let source = self.from.digest().await?;
        Ok((source == *digest).then(|| Copied {
            digest: source.clone(),
            source,
            tags: vec![Tagged::Unchanged; before.len()],
            amount: Amount::default(),
        }))
    }

    /// Tells what will become of the tags.
    fn judge(
        &self,
        request: &CopyRequest,
        root: &Document,
        before: Vec<Option<Digest>>,
    ) -> Result<Vec<Tagged>, CopyError> {
        let tags = request.tags.iter().zip(before);
        tags.map(|(tag, before)| match before {
            None => Ok(Tagged::Created),
            Some(there) if there == root.digest => Ok(Tagged::Unchanged),
            Some(there) if request.force => Ok(Tagged::Moved(there)),
            Some(there) => Err(CopyError::Exists {
                image: self.to.tagged(tag),
                there,
                new: root.digest.clone(),
            }),
        })
        .collect()
    }

    /// Copies a document with everything below it. Returns the digests of all documents that belong to it.
    async fn bring(&self, root: &Document) -> Result<Vec<Digest>, CopyError> {
        let mut all = vec![root.digest.clone()];
        if self.to.has_document(&root.digest).await? {
            return Ok(all);
        }
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
                &self.from,
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
    async fn missing(&self, children: &[Descriptor]) -> Result<Vec<Document>, CopyError> {
        let read = stream::iter(children).map(async |child| {
            if self.to.has_document(&child.digest).await? {
                return Ok(None);
            }
            let document = self.from.document(Some(child)).await?;
            self.within(&self.documents, document.bytes.len() as u64, MAX_DOCUMENTS)?;
            Ok(Some(document))
        });
        let read: Vec<Option<Document>> = read.buffered(AT_ONCE).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    async fn bring_blobs(
        &self,
        documents: impl Iterator<Item = &Document>,
    ) -> Result<(), CopyError> {
        let blobs = tree::blobs(documents);
        let sizes = blobs.iter().map(|blob| blob.size);
        let total = sizes.fold(0, u64::saturating_add);
        self.within(&self.blobs, total, MAX_BLOBS)?;
        (self.context.watch)(Progress::Total(total));
        stream::iter(&blobs)
            .map(|blob| self.bring_blob(blob))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Takes in that there are so many bytes more, of which there may be `most` in all.
    fn within(&self, count: &Cell<u64>, more: u64, most: u64) -> Result<(), CopyError> {
        count.set(count.get().saturating_add(more));
        match count.get() <= most {
            true => Ok(()),
            false => Err(CopyError::Malformed {
                image: self.from.name(),
                problem: format!("it is more than may be copied at once: {most} bytes"),
            }),
        }
    }

    async fn bring_blob(&self, blob: &Descriptor) -> Result<(), CopyError> {
        let given = match self.to.has_blob(blob).await? {
            true => BlobTransfer::Present,
            false => self.to.take(&self.from, blob, &self.context).await?,
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
    async fn write(&self, document: &Document, tag: Option<&str>) -> Result<(), CopyError> {
        self.to.write(document, tag).await?;
        self.amount.borrow_mut().manifests += 1;
        Ok(())
    }
}
