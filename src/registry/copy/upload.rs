//! Puts a blob into a registry: mounts it from another repository, or sends it. One request sends all its bytes; an upload that breaks off
//! continues at the offset that the registry reports, even in another process.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>

use reqwest::{Method, Url, header::RANGE};

use crate::{
    image::Digest,
    registry::{
        client::refusal,
        header_text,
        problem::LookupError,
        requests::ask::Answer,
        transport::{request_spec::RequestSpec, retry},
    },
    secret::Secret,
};

use super::{
    endpoint::{BlobTransfer, Endpoint},
    memory::KeptUpload,
    problem::CopyError,
    reader::BlobReader,
    remote::Remote,
    request::CopyContext,
    tree::Descriptor,
    upload_part::{PartOutcome, UploadPart, next, received},
};

/// How many times in a row the upload of one blob is continued without progress.
const TRIES: usize = 4;

/// The bytes of one request where uploads break off: at most that much is lost. The uploads of larger blobs are worth storing.
const PIECE: u64 = 16 * 1024 * 1024;

/// The header with which a registry sets the least number of bytes in each chunk of a blob but the last one.
const LEAST: &str = "OCI-Chunk-Min-Length";

/// An upload that a registry has opened.
pub struct BegunUpload {
    /// The URL for its bytes.
    pub url: Url,
    /// The least number of bytes in a chunk.
    least: u64,
}

/// The result of a request to mount a blob from another repository.
pub enum MountOutcome {
    Mounted,
    /// The other repository does not have it, or the registry cannot mount, and has opened an upload instead.
    Begun(BegunUpload),
    /// The request was refused: those who may write to the target may not read the other repository, or the response makes no sense.
    Refused,
}

/// How the bytes of a blob are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UploadMode {
    /// All that the registry lacks, in one request.
    Rest,
    /// In chunks. Docker Distribution continues an upload only between requests: a request that breaks off ends the upload.
    Pieces,
    /// All of them in one request, from the first byte: the registry does not support chunks.
    Whole,
}

/// The upload of a blob in progress.
struct Upload<'a> {
    target: &'a Remote,
    blob: &'a Descriptor,
    mode: UploadMode,
    /// The URL at which it continues.
    url: Url,
    /// The least number of bytes in a chunk, as the registry has said.
    least: u64,
    /// The offset of the next byte.
    at: u64,
    /// How many bytes the registry had before this process sent any.
    resumed: u64,
    /// The highest offset reached so far.
    furthest: u64,
    /// The stored upload, for other processes.
    kept: Option<Box<dyn KeptUpload + 'a>>,
}

impl Remote {
    /// Mounts a blob from another repository of the registry, `from`.
    pub async fn mount(&self, blob: &Digest, from: &str) -> Result<MountOutcome, CopyError> {
        let request_spec = RequestSpec::begin_upload(&self.image, Some((blob, from)));
        let answer = match self.host.ask(&request_spec).await {
            Ok(answer) => answer,
            Err(error) if error.is_unreachable() || error.is_limited() => {
                return Err(self.unwritten(error));
            }
            // Some services grant no token at all if they deny access to the other repository.
            Err(_) => return Ok(MountOutcome::Refused),
        };
        match answer.response.status {
            201 => Ok(MountOutcome::Mounted),
            202 => {
                let at = request_spec.url(&self.host.origin);
                self.begun(&at, &answer).map(MountOutcome::Begun)
            }
            _ => Ok(MountOutcome::Refused),
        }
    }

    /// Sends a blob from the source, in the upload `begun` if there is one.
    pub async fn upload(
        &self,
        from: &Endpoint,
        blob: &Descriptor,
        context: &CopyContext<'_>,
        begun: Option<BegunUpload>,
    ) -> Result<BlobTransfer, CopyError> {
        let mut upload = Upload::open(self, blob, context, begun).await?;
        let mut reader = BlobReader::new(from, blob, context);
        let mut tries = 0;
        loop {
            let part = upload.part();
            let torn = match self.send_part(&mut reader, blob, &part).await {
                PartOutcome::Done => {
                    let bytes = blob.size - upload.resumed;
                    upload.forget();
                    return Ok(BlobTransfer::Sent { bytes });
                }
                PartOutcome::Stored(next, at) => {
                    upload.goes_on(next, at);
                    if upload.gets_on() {
                        tries = 0;
                    }
                    continue;
                }
                // The bytes that an earlier process sent may be wrong, and some registries do not support chunks: all of it is sent again.
                PartOutcome::Refused(_) if part.bytes != (0..blob.size) => {
                    self.give_up(part.upload).await;
                    upload.begin_anew(UploadMode::Whole).await?;
                    continue;
                }
                PartOutcome::Refused(error) => {
                    self.give_up(part.upload).await;
                    upload.forget();
                    return Err(self.unwritten(error));
                }
                PartOutcome::Failed(error) => {
                    self.give_up(part.upload).await;
                    upload.forget();
                    return Err(error);
                }
                // No request may be sent for longer than is waited here. The upload can go on after that.
                PartOutcome::Broken(error) if error.is_limited() => {
                    return Err(self.unwritten(error));
                }
                PartOutcome::Broken(error) => error,
            };
            upload.go_on_after_break(reader.reached).await?;
            tries = if upload.gets_on() { 1 } else { tries + 1 };
            match retry::pause(tries).filter(|_| tries < TRIES) {
                Some(pause) => context.clock.sleep(pause).await,
                None => {
                    // Another process may continue one that is stored.
                    if upload.kept.is_none() {
                        self.give_up(upload.url).await;
                    }
                    return Err(self.unwritten(torn));
                }
            }
        }
    }

    async fn begin(&self) -> Result<BegunUpload, CopyError> {
        let request_spec = RequestSpec::begin_upload(&self.image, None);
        let answer = self.ask_to_write(&request_spec).await?;
        match answer.response.status {
            202 => self.begun(&request_spec.url(&self.host.origin), &answer),
            _ => Err(self.unwritten(refusal(&answer))),
        }
    }

    /// Parses the response that opens an upload.
    fn begun(&self, from: &Url, answer: &Answer) -> Result<BegunUpload, CopyError> {
        let headers = &answer.response.headers;
        let url = next(&self.host.guard, from, headers).map_err(|problem| {
            let asked = answer.asked.clone();
            self.unwritten(LookupError::bad_reply(problem, asked))
        })?;
        let least = header_text(headers, LEAST).and_then(bytes).unwrap_or(0);
        Ok(BegunUpload { url, least })
    }

    /// Asks how far an upload has come, and returns where it continues; `None`, if it cannot continue.
    async fn progress_of(&self, upload: &Url) -> Option<(Url, u64)> {
        let request_spec = RequestSpec::upload(Method::GET, &self.image, upload.clone());
        let answer = self.host.ask(&request_spec).await.ok()?;
        if answer.response.status != 204 {
            return None;
        }
        let headers = &answer.response.headers;
        let received = received(header_text(headers, RANGE)?)?;
        // Most registries send the URL; without one, the upload stays where it is.
        let next = next(&self.host.guard, upload, headers);
        Some((next.unwrap_or_else(|_| upload.clone()), received))
    }

    /// Cancels an upload. Registries that do not support that drop it after a while.
    pub(super) async fn give_up(&self, upload: Url) {
        let request_spec = RequestSpec::upload(Method::DELETE, &self.image, upload);
        let _ = self.host.ask(&request_spec).await;
    }

    /// Returns how far an upload has come that an earlier process has stored.
    async fn kept_progress(&self, kept: Option<Secret>) -> Option<(BegunUpload, u64)> {
        let kept = kept?;
        let url = self.host.guard.redirect(&self.host.origin, kept.reveal());
        let mut url = url.ok()?;
        let least = url.fragment().and_then(bytes).unwrap_or(0);
        url.set_fragment(None);
        let (url, at) = self.progress_of(&url).await?;
        Some((BegunUpload { url, least }, at))
    }
}

impl<'a> Upload<'a> {
    /// Opens an upload: an interrupted one of an earlier process, or else a new one.
    async fn open(
        target: &'a Remote,
        blob: &'a Descriptor,
        context: &CopyContext<'a>,
        begun: Option<BegunUpload>,
    ) -> Result<Self, CopyError> {
        let is_worth_it = blob.size > PIECE;
        let kept = is_worth_it.then(|| context.memory.upload(&target.place(), &blob.digest));
        let mut kept = kept.flatten();
        let earlier = kept.as_mut().and_then(|kept| kept.location());
        // An upload that broke off once may do so again.
        let mode = match earlier {
            Some(_) => UploadMode::Pieces,
            None => UploadMode::Rest,
        };
        let known = target.kept_progress(earlier).await;
        let (begun, at) = match (known.filter(|(_, at)| *at <= blob.size), begun) {
            (Some(known), begun) => {
                if let Some(begun) = begun {
                    target.give_up(begun.url).await;
                }
                known
            }
            (None, Some(begun)) => (begun, 0),
            (None, None) => (target.begin().await?, 0),
        };
        let mut upload = Self {
            target,
            blob,
            mode,
            resumed: at,
            furthest: at,
            url: begun.url.clone(),
            least: begun.least,
            at,
            kept,
        };
        upload.goes_on(begun.url, at);
        Ok(upload)
    }

    /// Returns the bytes of the next request.
    fn part(&self) -> UploadPart {
        let size = self.blob.size;
        let end = match self.mode {
            UploadMode::Pieces => size.min(self.at.saturating_add(PIECE.max(self.least))),
            UploadMode::Rest | UploadMode::Whole => size,
        };
        UploadPart {
            upload: self.url.clone(),
            bytes: self.at..end,
            is_last: end == size,
        }
    }

    /// Sets where the upload continues, for this process and others.
    fn goes_on(&mut self, url: Url, at: u64) {
        if let Some(kept) = &mut self.kept {
            // The fragment is not sent to a registry, so that it can hold what else must be stored.
            let mut whole = url.clone();
            whole.set_fragment((self.least > 0).then(|| self.least.to_string()).as_deref());
            kept.keep(&Secret::new(whole.as_str()));
        }
        (self.url, self.at) = (url, at);
    }

    /// Tells whether it has come further than ever before.
    fn gets_on(&mut self) -> bool {
        let gets_on = self.at > self.furthest;
        self.furthest = self.furthest.max(self.at);
        gets_on
    }

    /// Finds out where it continues after a request broke off. `read` is how far this process has read the blob.
    async fn go_on_after_break(&mut self, read: u64) -> Result<(), CopyError> {
        let known = match self.mode {
            UploadMode::Rest | UploadMode::Pieces => self.target.progress_of(&self.url).await,
            UploadMode::Whole => None,
        };
        match known.filter(|(_, at)| *at <= read.max(self.at)) {
            Some((url, at)) => {
                self.goes_on(url, at);
                Ok(())
            }
            None => {
                self.target.give_up(self.url.clone()).await;
                let mode = match self.mode {
                    UploadMode::Rest if self.blob.size > PIECE => UploadMode::Pieces,
                    same => same,
                };
                self.begin_anew(mode).await
            }
        }
    }

    /// Begins again with the first byte.
    async fn begin_anew(&mut self, mode: UploadMode) -> Result<(), CopyError> {
        let begun = self.target.begin().await?;
        (self.mode, self.resumed, self.least) = (mode, 0, begun.least);
        self.goes_on(begun.url, 0);
        Ok(())
    }

    /// Tells other processes that there is no upload to continue.
    fn forget(self) {
        if let Some(kept) = self.kept {
            kept.forget();
        }
    }
}

/// Parses a number of bytes: digits only.
fn bytes(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn minimum_chunk_size_header_accepts_only_digits() {
        assert_eq!(bytes("20000000"), Some(20_000_000));
        for text in [
            "",
            "-1",
            "+1",
            " 1",
            "2e7",
            "1, 2",
            "20000000000000000000000",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
