//! The bytes of a blob, as a stream from a registry or a disk.

use std::{fs::File, io::Read as _};

use bytes::Bytes;
use reqwest::Response as RawResponse;

use crate::registry::transport::http_client::{self, TransportError};

/// How many bytes of a file are read at once.
const PART: usize = 256 * 1024;

/// The bytes of a blob, in chunks.
pub struct Chunks {
    from: ChunkSource,
    /// Bytes that were put back.
    first: Option<Bytes>,
}

pub enum ChunkSource {
    Response(Box<RawResponse>),
    File(File),
}

impl Chunks {
    pub fn new(from: ChunkSource) -> Self {
        Self { from, first: None }
    }

    /// Puts back bytes that were read too early: the next call returns them.
    pub fn put_back(&mut self, bytes: Bytes) {
        self.first = Some(bytes);
    }

    /// Returns the next bytes; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`TransportError`] or an error of the disk: reading may continue where it broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, String> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match &mut self.from {
            ChunkSource::Response(response) => {
                let chunk = tokio::time::timeout(http_client::PAUSE, response.chunk()).await;
                let chunk =
                    chunk.map_err(|_| TransportError::Silent(http_client::PAUSE).to_string())?;
                chunk.map_err(|error| http_client::broken(error).to_string())
            }
            ChunkSource::File(file) => {
                let mut part = vec![0; PART];
                let read = file.read(&mut part).map_err(|error| error.to_string())?;
                part.truncate(read);
                Ok((read > 0).then(|| part.into()))
            }
        }
    }
}
