//! Downloads a blob into a folder, or into a file.

use std::fs::File;

use crate::{image::Reference, registry::client::Registries};

use super::{
    endpoint::{BlobTransfer, Endpoint},
    layout::ImageLayout,
    problem::CopyError,
    reader::{Abort, BlobReader, Sink},
    request::{CopyContext, ImagePlace},
    tree::Descriptor,
};

/// Downloads a blob into a folder.
///
/// # Errors
///
/// [`CopyError`] of either endpoint; then nothing is left under the blob's name, not even a part.
pub async fn save(
    from: &Endpoint,
    to: &ImageLayout,
    blob: &Descriptor,
    context: &CopyContext<'_>,
) -> Result<BlobTransfer, CopyError> {
    let mut new = to.begin(&blob.digest)?;
    let mut reader = BlobReader::new(from, blob, context);
    let poured = reader.pour(0..blob.size, &mut Sink::File(new.file())).await;
    match poured {
        Ok(()) => {}
        Err(Abort::Source(error)) => return Err(error),
        Err(Abort::Sink(problem)) => return Err(new.unwritten(problem)),
    }
    new.keep()?;
    Ok(BlobTransfer::Sent { bytes: blob.size })
}

impl Registries {
    /// Downloads a blob of a repository into a file.
    ///
    /// # Errors
    ///
    /// [`CopyError`], also for a wrong length or digest: then the content of the file is useless.
    pub async fn fetch_blob(
        &self,
        image: &Reference,
        blob: &Descriptor,
        into: &mut File,
    ) -> Result<(), CopyError> {
        let from = Endpoint::source(self, &ImagePlace::Registry(image.clone()))?;
        let context = CopyContext {
            watch: &|_| {},
            clock: &self.clock,
            memory: &(),
        };
        let mut reader = BlobReader::new(&from, blob, &context);
        match reader.pour(0..blob.size, &mut Sink::File(into)).await {
            Ok(()) => Ok(()),
            Err(Abort::Source(error)) => Err(error),
            Err(Abort::Sink(problem)) => Err(CopyError::folder(image.to_string(), problem)),
        }
    }
}
