//! Reads a blob from its source: verifies it on the way, and continues where it broke off.

use std::{fs::File, io::Write as _, ops::Range};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use crate::{
    image::DigestHasher,
    registry::transport::{http_client, retry},
};

use super::{
    blob_stream::Chunks,
    endpoint::Endpoint,
    problem::CopyError,
    request::{CopyContext, CopyProgress},
    tree::Descriptor,
};

/// How many times in a row a source may break off without delivering a byte.
const TRIES: usize = 4;

/// The destination of a blob's bytes.
pub enum Sink<'a> {
    /// The body of an upload. The last bytes are sent only when all of them are verified.
    Upload(Sender<Bytes>),
    File(&'a mut File),
}

/// Why a blob was not read to its end.
pub enum Abort {
    Source(CopyError),
    /// The destination does not accept more, or not now.
    Sink(String),
}

/// A blob that is read, perhaps several times in parts, and verified once.
pub struct BlobReader<'a> {
    source: &'a Endpoint,
    blob: &'a Descriptor,
    /// The digest so far; `None`, if the beginning was not read here.
    checker: Option<DigestHasher>,
    /// How many bytes from the beginning have been read.
    pub reached: u64,
    /// The open stream of the source, and the offset of its next byte.
    open: Option<(u64, Chunks)>,
    context: &'a CopyContext<'a>,
}

impl<'a> BlobReader<'a> {
    /// Returns a blob of which nothing has been read yet.
    pub fn new(source: &'a Endpoint, blob: &'a Descriptor, context: &'a CopyContext<'a>) -> Self {
        (context.watch)(CopyProgress::Begun(&blob.digest, blob.size));
        Self {
            source,
            blob,
            checker: Some(blob.digest.checker()),
            reached: 0,
            open: None,
            context,
        }
    }

    /// Passes on these bytes. If they are the last ones, and all bytes before them were read here too, the very last are passed on only
    /// after all of them match the digest.
    ///
    /// # Errors
    ///
    /// [`Abort`]; the sink then has the beginning of these bytes, and never all of the blob.
    pub async fn pour(&mut self, bytes: Range<u64>, sink: &mut Sink<'_>) -> Result<(), Abort> {
        self.begin_at(bytes.start);
        let mut part = BlobPart {
            at: bytes.start,
            end: bytes.end,
            held: None,
        };
        let mut tries = 0;
        while part.at < part.end {
            let begun = part.at;
            let torn = match self.stretch(&mut part, sink).await {
                Ok(()) => "it ended too early".to_owned(),
                Err(ReadError::For(stop)) => return Err(stop),
                Err(ReadError::Off(problem)) => problem,
            };
            if part.at >= part.end {
                break;
            }
            tries = if part.at > begun { 1 } else { tries + 1 };
            match retry::pause(tries).filter(|_| tries < TRIES) {
                Some(pause) => self.context.clock.sleep(pause).await,
                None => return Err(Abort::Source(self.corrupt(&format!("broke off: {torn}")))),
            }
        }
        if part.end >= self.blob.size
            && let Some(checker) = &self.checker
        {
            let found = checker.clone().digest();
            if found != self.blob.digest {
                let found = format!("has the content of `{found}`");
                return Err(Abort::Source(self.corrupt(&found)));
            }
        }
        match part.held {
            Some(last) => give(sink, last).await,
            None => Ok(()),
        }
    }

    /// Prepares to read from a byte on.
    fn begin_at(&mut self, start: u64) {
        if start > self.reached {
            self.checker = None;
            self.reached = start;
        } else if start == 0 && self.checker.is_none() {
            self.checker = Some(self.blob.digest.checker());
            self.reached = 0;
        }
    }

    /// Reads as much as the source delivers in one response, or in the rest of one.
    async fn stretch(&mut self, part: &mut BlobPart, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let open = self.open.take().filter(|(at, _)| *at == part.at);
        let mut chunks = match open {
            Some((_, chunks)) => chunks,
            None => self.open_at(part.at).await?,
        };
        // Reading continues after the last byte: nothing may follow.
        let is_last = part.end >= self.blob.size;
        while is_last || part.at < part.end {
            let Some(mut chunk) = chunks.next().await.map_err(ReadError::Off)? else {
                return Ok(());
            };
            if chunk.is_empty() {
                continue;
            }
            let room = part.end - part.at;
            if chunk.len() as u64 > room {
                if is_last {
                    let problem = format!("is longer than its {} bytes", self.blob.size);
                    return Err(ReadError::For(Abort::Source(self.corrupt(&problem))));
                }
                let rest = chunk.split_off(usize::try_from(room).unwrap_or(chunk.len()));
                chunks.put_back(rest);
            }
            self.check(part.at, &chunk);
            part.at += chunk.len() as u64;
            if let Some(previous) = part.held.replace(chunk) {
                give(sink, previous).await.map_err(ReadError::For)?;
            }
        }
        self.open = Some((part.at, chunks));
        Ok(())
    }

    async fn open_at(&self, at: u64) -> Result<Chunks, ReadError> {
        match self.source.open(self.blob, at).await {
            Ok(chunks) => Ok(chunks),
            Err(error) if error.is_passing() => {
                Err(ReadError::Off(crate::Error::from(error).one_line()))
            }
            Err(error) => Err(ReadError::For(Abort::Source(error))),
        }
    }

    /// Adds the bytes at offset `at` to the digest, as far as they are new.
    fn check(&mut self, at: u64, chunk: &[u8]) {
        let known = usize::try_from(self.reached.saturating_sub(at)).unwrap_or(usize::MAX);
        if let Some(new) = chunk.get(known..).filter(|new| !new.is_empty()) {
            if let Some(checker) = &mut self.checker {
                checker.update(new);
            }
            self.reached += new.len() as u64;
            (self.context.watch)(CopyProgress::Sent(&self.blob.digest, self.reached));
        }
    }

    fn corrupt(&self, found: &str) -> CopyError {
        CopyError::Corrupt {
            image: self.source.name(),
            digest: self.blob.digest.clone(),
            found: found.to_owned(),
        }
    }
}

/// Bytes of a blob that are being passed on.
struct BlobPart {
    /// The offset of the next byte.
    at: u64,
    /// The offset after the last byte.
    end: u64,
    /// The bytes read last, which are passed on when more have come.
    held: Option<Bytes>,
}

/// Why one response was not read to its end.
enum ReadError {
    /// It broke off, and can be continued.
    Off(String),
    /// Continuing is useless.
    For(Abort),
}

async fn give(sink: &mut Sink<'_>, bytes: Bytes) -> Result<(), Abort> {
    match sink {
        Sink::Upload(sender) => {
            match tokio::time::timeout(http_client::PAUSE, sender.send(bytes)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Abort::Sink("the upload was closed".to_owned())),
                Err(_) => Err(Abort::Sink(format!(
                    "no data was accepted for {} seconds",
                    http_client::PAUSE.as_secs()
                ))),
            }
        }
        Sink::File(file) => file
            .write_all(&bytes)
            .map_err(|error| Abort::Sink(error.to_string())),
    }
}
