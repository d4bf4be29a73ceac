//! How a blob gets into a registry: one request for its bytes, and as many more as it takes where connections break.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    future::{self, Either},
    stream,
};
use reqwest::{
    Method, Request, Response as RawResponse, Url,
    header::{
        AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue,
        LOCATION, RANGE,
    },
};
use tokio::sync::mpsc;

use crate::image::Digest;
use crate::registry::{
    auth::flow::Authorization,
    client::refusal,
    problem::{Asked, LookupError, LookupFailure},
    requests::{ask::Answer, attempt::Attempt},
    transport::{
        http_client::{self, Response, TransportError, told},
        request_spec::RequestSpec,
        retry::{self, RetryVerdict},
    },
};

use super::{
    endpoint::{BlobTransfer, Endpoint},
    problem::CopyError,
    reader::{Abort, BlobReader, Sink},
    remote::Remote,
    request::CopyContext,
    tree::Descriptor,
};

/// How often the upload of one blob is taken up again without getting on.
const TRIES: usize = 4;

/// How long a registry may take to check and store a blob that it has got as a whole.
const COMMIT: Duration = Duration::from_secs(600);

/// Parts of a blob between the source and the target: enough to keep both busy, and small in memory.
const IN_FLIGHT: usize = 4;

/// How one attempt at the bytes of a blob ended.
enum UploadAttempt {
    /// It is stored.
    Done,
    /// It broke off, and may be taken up again.
    ReadError(LookupError),
    /// There is no more sense in trying.
    Failed(CopyError),
}

/// What came of the wish that a registry takes a blob over from another of its repositories.
pub enum MountOutcome {
    /// It has.
    Mounted,
    /// It does not have it there, or does no such thing, and has begun an upload in its place.
    Begun(Url),
    /// It was not to be asked that: who may write to the one repository may not read the other, or what came back makes no sense.
    Refused,
}

impl Remote {
    /// Has a blob taken over from another repository of the registry, `from`.
    pub async fn mount(&self, blob: &Digest, from: &str) -> Result<MountOutcome, CopyError> {
        let request_spec = RequestSpec::begin_upload(&self.image, Some((blob, from)));
        let answer = match self.host.ask(&request_spec).await {
            Ok(answer) => answer,
            Err(error) if error.is_unreachable() || error.is_limited() => {
                return Err(self.unwritten(error));
            }
            // Some services grant no token at all where they would not grant one for the other repository.
            Err(_) => return Ok(MountOutcome::Refused),
        };
        match answer.response.status {
            201 => Ok(MountOutcome::Mounted),
            202 => {
                let at = request_spec.url(&self.host.origin);
                self.location(&at, &answer).map(MountOutcome::Begun)
            }
            _ => Ok(MountOutcome::Refused),
        }
    }

    /// Sends a blob of another side, to where an upload of it has `begun` if one has.
    pub async fn upload(
        &self,
        from: &Endpoint,
        blob: &Descriptor,
        context: &CopyContext<'_>,
        begun: Option<Url>,
    ) -> Result<BlobTransfer, CopyError> {
        let mut upload = match begun {
            Some(upload) => upload,
            None => self.begin().await?,
        };
        let mut reader = BlobReader::new(from, blob, context);
        let (mut at, mut tries) = (0, 0);
        loop {
            let torn = match self.attempt(&mut reader, blob, &upload, at).await {
                UploadAttempt::Done => return Ok(BlobTransfer::Sent),
                UploadAttempt::Failed(error) => {
                    self.give_up(upload).await;
                    return Err(error);
                }
                UploadAttempt::ReadError(error) => error,
            };
            let before = at;
            let known = self.progress_of(&upload).await;
            (upload, at) = match known.filter(|(_, at)| *at <= reader.reached()) {
                Some(known) => known,
                None => (self.begin().await?, 0),
            };
            tries = if at > before { 1 } else { tries + 1 };
            match retry::pause(tries).filter(|_| tries < TRIES) {
                Some(pause) => context.clock.sleep(pause).await,
                None => return Err(self.unwritten(torn)),
            }
        }
    }

    /// Begins an upload, and returns where its bytes go.
    async fn begin(&self) -> Result<Url, CopyError> {
        let request_spec = RequestSpec::begin_upload(&self.image, None);
        let answer = self.ask_to_write(&request_spec).await?;
        match answer.response.status {
            202 => self.location(&request_spec.url(&self.host.origin), &answer),
            _ => Err(self.unwritten(refusal(&answer))),
        }
    }

    fn location(&self, from: &Url, answer: &Answer) -> Result<Url, CopyError> {
        next(&self.host.guard, from, &answer.response.headers).map_err(|problem| {
            let asked = answer.asked.clone();
            self.unwritten(LookupError::bad_reply(problem, asked))
        })
    }

    /// Asks how far an upload has come, and returns where it goes on; nothing, if it cannot.
    async fn progress_of(&self, upload: &Url) -> Option<(Url, u64)> {
        let request_spec = RequestSpec::upload(Method::GET, &self.image, upload.clone());
        let answer = self.host.ask(&request_spec).await.ok()?;
        if answer.response.status != 204 {
            return None;
        }
        let range = answer.response.headers.get(RANGE)?.to_str().ok()?;
        let received = received(range)?;
        let next = next(&self.host.guard, upload, &answer.response.headers).ok()?;
        Some((next, received))
    }

    /// Tells the registry that nothing more comes. Those that do not hear it forget by themselves.
    pub(super) async fn give_up(&self, upload: Url) {
        let request_spec = RequestSpec::upload(Method::DELETE, &self.image, upload);
        let _ = self.host.ask(&request_spec).await;
    }

    /// Sends the bytes of a blob from `at` on, with which it is complete.
    async fn attempt(
        &self,
        reader: &mut BlobReader<'_>,
        blob: &Descriptor,
        upload: &Url,
        at: u64,
    ) -> UploadAttempt {
        let mut url = upload.clone();
        url.query_pairs_mut()
            .append_pair("digest", blob.digest.as_str());
        let request_spec = RequestSpec::upload(Method::PUT, &self.image, url.clone());
        let attempt = Attempt::new(&self.host, &request_spec);
        let pass = match attempt.authorization().await {
            Ok(pass) => pass,
            Err(error) => return UploadAttempt::Failed(self.unwritten(error)),
        };
        let asked = attempt.asked("PUT", &url);
        let (sender, receiver) = mpsc::channel::<Bytes>(IN_FLIGHT);
        let mut request = Request::new(Method::PUT, url.clone());
        *request.headers_mut() = self.headers(blob, at, &url, &pass);
        *request.body_mut() = Some(body(receiver));
        let http_client = self.host.client_to(&url, 0);
        let (poured, answered) = side_by_side(reader, at, sender, http_client.open(request)).await;
        match (poured, answered) {
            (Err(Abort::Source(error)), _) => UploadAttempt::Failed(error),
            (_, Some(Ok(response))) => self.judge(response, &attempt, &pass, asked).await,
            (_, Some(Err(broken))) => UploadAttempt::ReadError(torn(broken, asked)),
            (Err(Abort::Sink(problem)), None) => {
                UploadAttempt::ReadError(LookupError::bad_reply(problem, asked))
            }
            (Ok(()), None) => UploadAttempt::ReadError(torn(TransportError::Silent(COMMIT), asked)),
        }
    }

    fn headers(&self, blob: &Descriptor, at: u64, url: &Url, pass: &Authorization) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let octets = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, octets);
        let left = blob.size.saturating_sub(at);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(left));
        if at > 0 {
            let range = format!("{at}-{}", blob.size.saturating_sub(1));
            headers.extend(
                HeaderValue::from_str(&range)
                    .ok()
                    .map(|range| (CONTENT_RANGE, range)),
            );
        }
        if let Some(login) = pass.header().filter(|_| self.host.is_own(url)) {
            headers.insert(AUTHORIZATION, login.clone());
        }
        headers
    }

    /// Judges what a registry says of a blob that it was sent.
    async fn judge(
        &self,
        mut response: RawResponse,
        attempt: &Attempt<'_>,
        pass: &Authorization,
        asked: Asked,
    ) -> UploadAttempt {
        let status = response.status().as_u16();
        let body = http_client::words_of(&mut response).await;
        if matches!(status, 200..=204) {
            return UploadAttempt::Done;
        }
        let response = Response {
            status,
            headers: std::mem::take(response.headers_mut()),
            body,
            http2: false,
            rest: None,
        };
        let asked = told(asked, &response);
        if status == 401 && matches!(pass, Authorization::Token { .. }) {
            // The token has run out on the way; what is asked for next brings a new one.
            let _ = attempt.next_authorization(pass, &response).await;
            return UploadAttempt::ReadError(LookupError::unknown(
                LookupFailure::Refused { login: None },
                asked,
            ));
        }
        match retry::verdict(status, None) {
            RetryVerdict::Final if status == 404 => {
                let problem = "it has forgotten the upload".to_owned();
                UploadAttempt::ReadError(LookupError::bad_reply(problem, asked))
            }
            RetryVerdict::Final => {
                let answer = Answer {
                    asked,
                    login: pass.login().map(str::to_owned),
                    had_token: matches!(pass, Authorization::Token { .. }),
                    response,
                };
                UploadAttempt::Failed(self.unwritten(refusal(&answer)))
            }
            RetryVerdict::Again | RetryVerdict::Limited(_) => {
                let until = self.host.now();
                UploadAttempt::ReadError(LookupError::unknown(
                    LookupFailure::Server { until },
                    asked,
                ))
            }
        }
    }
}

/// Reads from the source and writes to the registry at the same time. Whoever ends early ends the other; a registry that has got
/// all bytes gets some more time to store them.
async fn side_by_side(
    reader: &mut BlobReader<'_>,
    at: u64,
    sender: mpsc::Sender<Bytes>,
    answer: impl Future<Output = Result<RawResponse, TransportError>>,
) -> (
    Result<(), Abort>,
    Option<Result<RawResponse, TransportError>>,
) {
    let mut sink = Sink::Upload(sender);
    let answer = pin!(answer);
    let pouring = {
        let pour = pin!(reader.pour(at, &mut sink));
        match future::select(pour, answer).await {
            Either::Left((poured, answer)) => Ok((poured, answer)),
            Either::Right((answered, _)) => Err(answered),
        }
    };
    match pouring {
        // It did not wait for the end: what it says is why.
        Err(answered) => (Ok(()), Some(answered)),
        Ok((Err(stop), _)) => (Err(stop), None),
        Ok((Ok(()), answer)) => {
            drop(sink);
            let answered = tokio::time::timeout(COMMIT, answer).await;
            (Ok(()), answered.ok())
        }
    }
}

fn body(receiver: mpsc::Receiver<Bytes>) -> reqwest::Body {
    let parts = stream::unfold(receiver, async |mut receiver| {
        let part = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(part), receiver))
    });
    reqwest::Body::wrap_stream(parts.boxed())
}

fn torn(broken: TransportError, asked: Asked) -> LookupError {
    match broken {
        TransportError::Network(error) => {
            LookupError::unknown(LookupFailure::Network(std::sync::Arc::new(error)), asked)
        }
        other => LookupError::bad_reply(other.to_string(), asked),
    }
}

/// Returns where an upload goes on, as the answer says.
fn next(
    guard: &crate::registry::transport::url_policy::UrlPolicy,
    from: &Url,
    headers: &HeaderMap,
) -> Result<Url, String> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or("it does not say where the upload goes")?;
    guard
        .redirect(from, location)
        .map_err(|forbidden| format!("it sends the upload to where it must not: {forbidden}"))
}

/// Returns how many bytes an upload has, out of `0-99`. Some say `0-0` of one without any, which costs one byte sent twice, or none:
/// such an upload is begun anew.
fn received(range: &str) -> Option<u64> {
    let last: u64 = range
        .trim_start_matches("bytes=")
        .strip_prefix("0-")?
        .parse()
        .ok()?;
    match last {
        0 => None,
        last => last.checked_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_an_upload_tells_where_it_goes_on() {
        assert_eq!(received("0-99"), Some(100));
        assert_eq!(received("bytes=0-1048575"), Some(1_048_576));
    }

    #[test]
    fn an_upload_whose_range_says_nothing_is_begun_anew() {
        for range in ["0-0", "", "0--1", "5-9", "0-x", "bytes=0-"] {
            assert_eq!(received(range), None, "{range}");
        }
    }
}
