//! How one blob gets into a folder, or into a file.

use std::fs::File;

use crate::{image::Reference, registry::client::Registries};

use super::{
    endpoint::{BlobTransfer, Endpoint},
    layout::ImageLayout,
    problem::CopyError,
    reader::{Abort, BlobReader, Sink},
    request::{CopyContext, Place},
    tree::Descriptor,
};

/// Reads a blob into a folder.
///
/// # Errors
///
/// [`CopyError`] of either side; then it is not there, not even in part under its name.
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
    /// Fetches a blob of a repository into a file, as it comes.
    ///
    /// # Errors
    ///
    /// [`CopyError`]: what is in the file is then of no use.
    pub(in crate::registry) async fn fetch_blob(
        &self,
        image: &Reference,
        blob: &Descriptor,
        into: &mut File,
    ) -> Result<(), CopyError> {
        let from = Endpoint::source(self, &Place::Registry(image.clone()))?;
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
