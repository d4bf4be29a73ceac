//! A blob on its way out of its source: checked as it goes, and taken up again where it broke off.

use std::{fs::File, io::Write as _};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use crate::{
    image::DigestHasher,
    registry::transport::{http_client, retry},
};

use super::{
    endpoint::Endpoint,
    problem::CopyError,
    request::{CopyContext, Progress},
    tree::Descriptor,
};

/// How often in a row a source may break off without giving a byte.
const TRIES: usize = 4;

/// What takes the bytes of a blob.
pub enum Sink<'a> {
    /// The body of an upload. The last bytes only come when all of them are known to be right.
    Upload(Sender<Bytes>),
    File(&'a mut File),
}

/// Why a blob did not come to its end.
pub enum Abort {
    /// Its source failed.
    Source(CopyError),
    /// Whoever takes the bytes does not want more, or not now.
    Sink(String),
}

/// A blob that is read, perhaps several times in parts, and checked once.
pub struct BlobReader<'a> {
    source: &'a Endpoint,
    blob: &'a Descriptor,
    checker: DigestHasher,
    /// How many bytes have been checked; they are the first ones.
    checked: u64,
    context: &'a CopyContext<'a>,
}

impl<'a> BlobReader<'a> {
    /// Returns a blob of which nothing was read yet.
    pub fn new(source: &'a Endpoint, blob: &'a Descriptor, context: &'a CopyContext<'a>) -> Self {
        (context.watch)(Progress::Begun(&blob.digest, blob.size));
        Self {
            source,
            blob,
            checker: blob.digest.checker(),
            checked: 0,
            context,
        }
    }

    /// Returns how many bytes have been read, from the beginning.
    pub fn reached(&self) -> u64 {
        self.checked
    }

    /// Hands over the bytes from `from` on, which must not be beyond what was read before. The last of them are handed over
    /// only when all are what the digest says.
    ///
    /// # Errors
    ///
    /// [`Abort`]; the sink then has the beginning of the blob, and never all of it.
    pub async fn pour(&mut self, from: u64, sink: &mut Sink<'_>) -> Result<(), Abort> {
        let mut at = from;
        let mut held: Option<Bytes> = None;
        let mut tries = 0;
        while at < self.blob.size {
            let begun = at;
            let torn = match self.stretch(&mut at, &mut held, sink).await {
                Ok(()) => "it ended too early".to_owned(),
                Err(ReadError::For(stop)) => return Err(stop),
                Err(ReadError::Off(problem)) => problem,
            };
            if at >= self.blob.size {
                break;
            }
            tries = if at > begun { 1 } else { tries + 1 };
            match retry::pause(tries).filter(|_| tries < TRIES) {
                Some(pause) => self.context.clock.sleep(pause).await,
                None => return Err(Abort::Source(self.corrupt(&format!("broke off: {torn}")))),
            }
        }
        let found = self.checker.clone().digest();
        if found != self.blob.digest {
            return Err(Abort::Source(
                self.corrupt(&format!("has the content of `{found}`")),
            ));
        }
        match held {
            Some(last) => give(sink, last).await,
            None => Ok(()),
        }
    }

    /// Reads as far as the source gives, one answer.
    async fn stretch(
        &mut self,
        at: &mut u64,
        held: &mut Option<Bytes>,
        sink: &mut Sink<'_>,
    ) -> Result<(), ReadError> {
        let mut chunks = match self.source.open(self.blob, *at).await {
            Ok(chunks) => chunks,
            Err(error) if error.is_passing() => {
                return Err(ReadError::Off(crate::Error::from(error).one_line()));
            }
            Err(error) => return Err(ReadError::For(Abort::Source(error))),
        };
        while let Some(chunk) = chunks.next().await.map_err(ReadError::Off)? {
            if chunk.is_empty() {
                continue;
            }
            let end = *at + chunk.len() as u64;
            if end > self.blob.size {
                let problem = format!("is longer than its {} bytes", self.blob.size);
                return Err(ReadError::For(Abort::Source(self.corrupt(&problem))));
            }
            self.check(*at, &chunk);
            *at = end;
            if let Some(previous) = held.replace(chunk) {
                give(sink, previous).await.map_err(ReadError::For)?;
            }
        }
        Ok(())
    }

    /// Takes in bytes that begin at `at`, as far as they are new.
    fn check(&mut self, at: u64, chunk: &[u8]) {
        let known = usize::try_from(self.checked.saturating_sub(at)).unwrap_or(usize::MAX);
        if let Some(new) = chunk.get(known..).filter(|new| !new.is_empty()) {
            self.checker.update(new);
            self.checked += new.len() as u64;
            (self.context.watch)(Progress::Sent(&self.blob.digest, self.checked));
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

/// Why one answer was not read to its end.
enum ReadError {
    /// It broke off, and may be taken up again.
    Off(String),
    /// It is of no use to go on.
    For(Abort),
}

async fn give(sink: &mut Sink<'_>, bytes: Bytes) -> Result<(), Abort> {
    match sink {
        Sink::Upload(sender) => {
            match tokio::time::timeout(http_client::PAUSE, sender.send(bytes)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Abort::Sink("the upload was closed".to_owned())),
                Err(_) => Err(Abort::Sink(format!(
                    "nothing was taken for {} seconds",
                    http_client::PAUSE.as_secs()
                ))),
            }
        }
        Sink::File(file) => file
            .write_all(&bytes)
            .map_err(|error| Abort::Sink(error.to_string())),
    }
}
