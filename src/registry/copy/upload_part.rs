//! One request with bytes of a blob: all that are left, or a chunk.

use std::{ops::Range, pin::pin, time::Duration};

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

use crate::{
    registry::{
        auth::flow::Authorization,
        client::refusal,
        header_text,
        problem::{FailedRequest, LookupError, LookupFailure},
        requests::{ask::Answer, attempt::Attempt, outcome::NextStep},
        transport::{
            http_client::{self, Response, TransportError},
            request_spec::RequestSpec,
            retry::{self, RetryVerdict},
            url_policy::UrlPolicy,
        },
    },
    secret::Secret,
};

use super::{
    problem::CopyError,
    reader::{Abort, BlobReader, Sink},
    remote::Remote,
    tree::Descriptor,
};

/// How long a registry may take to verify and store a complete blob.
const COMMIT: Duration = Duration::from_secs(600);

/// How many chunks are buffered between source and target: enough to keep both busy, with little memory.
const IN_FLIGHT: usize = 4;

/// The bytes of a blob in one request.
#[derive(Clone, Debug)]
pub struct UploadPart {
    pub upload: Url,
    pub bytes: Range<u64>,
    /// Whether they complete the blob.
    pub is_last: bool,
}

/// The result of one request with bytes of a blob.
pub enum PartOutcome {
    Done,
    /// The bytes are stored, and the upload continues at this URL and offset.
    Stored(Url, u64),
    /// It broke off, and can be continued.
    Broken(LookupError),
    Refused(LookupError),
    /// Further tries are useless.
    Failed(CopyError),
}

impl Remote {
    pub async fn send_part(
        &self,
        reader: &mut BlobReader<'_>,
        blob: &Descriptor,
        part: &UploadPart,
    ) -> PartOutcome {
        let mut url = part.upload.clone();
        let method = if part.is_last {
            Method::PUT
        } else {
            Method::PATCH
        };
        if part.is_last {
            url.query_pairs_mut()
                .append_pair("digest", blob.digest.as_str());
        }
        let request_spec = RequestSpec::upload(method.clone(), &self.image, url.clone());
        let attempt = Attempt::new(&self.host, &request_spec);
        let authorization = match attempt.authorization().await {
            Ok(authorization) => authorization,
            Err(error) => return PartOutcome::Failed(self.unwritten(error)),
        };
        let asked = attempt.destination.asked(request_spec.verb(), &url);
        let (sender, receiver) = mpsc::channel::<Bytes>(IN_FLIGHT);
        let mut request = Request::new(method, url.clone());
        *request.headers_mut() = self.headers(part, blob.size, &url, &authorization);
        let secrets = http_client::secrets_in(&request);
        *request.body_mut() = Some(body(receiver));
        let http_client = self.host.client_to(&url, 0);
        let answer = http_client.open(request);
        let (poured, answered) = side_by_side(reader, part.bytes.clone(), sender, answer).await;
        match (poured, answered) {
            (Err(Abort::Source(error)), _) => PartOutcome::Failed(error),
            (_, Some(Ok(response))) => {
                let answer = answer_of(response, asked, &authorization, &secrets).await;
                self.judge(answer, part, &attempt, &authorization).await
            }
            (_, Some(Err(broken))) => PartOutcome::Broken(torn(broken, asked)),
            (Err(Abort::Sink(problem)), None) => {
                PartOutcome::Broken(LookupError::bad_reply(problem, asked))
            }
            (Ok(()), None) => PartOutcome::Broken(torn(TransportError::Silent(COMMIT), asked)),
        }
    }

    fn headers(
        &self,
        part: &UploadPart,
        size: u64,
        url: &Url,
        authorization: &Authorization,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let octets = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, octets);
        let Range { start, end } = part.bytes;
        headers.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
        let is_all = start == 0 && end == size;
        if !is_all && start < end {
            let range = HeaderValue::from_str(&format!("{start}-{}", end - 1));
            headers.extend(range.ok().map(|range| (CONTENT_RANGE, range)));
        }
        if let Some(login) = authorization.header().filter(|_| self.host.is_own(url)) {
            headers.insert(AUTHORIZATION, login.clone());
        }
        headers
    }

    /// Judges the response to bytes of a blob.
    async fn judge(
        &self,
        answer: Answer,
        part: &UploadPart,
        attempt: &Attempt<'_>,
        authorization: &Authorization,
    ) -> PartOutcome {
        let Response { status, .. } = answer.response;
        match status {
            200..=204 if part.is_last => return PartOutcome::Done,
            200..=204 => return self.stored(&answer, part),
            _ => {}
        }
        if status == 401 && matches!(authorization, Authorization::Token { .. }) {
            // The token has expired meanwhile; the next request gets a new one.
            let _ = attempt
                .next_authorization(authorization, &answer.response)
                .await;
            let why = LookupFailure::Refused { login: None };
            return PartOutcome::Broken(LookupError::unknown(why, answer.asked));
        }
        let asked_pause = self.host.asked_pause(&answer.response);
        match retry::verdict(status, asked_pause) {
            RetryVerdict::Final if status == 404 => {
                let problem = "it has forgotten the upload".to_owned();
                PartOutcome::Broken(LookupError::bad_reply(problem, answer.asked))
            }
            RetryVerdict::Final => PartOutcome::Refused(refusal(&answer)),
            RetryVerdict::Limited(pause) => {
                match self.host.limited(pause, 1, answer.asked.clone()) {
                    NextStep::Failed(error) => PartOutcome::Broken(error),
                    NextStep::Again(_) | NextStep::Done(_) => {
                        PartOutcome::Broken(self.faulty(answer))
                    }
                }
            }
            RetryVerdict::Again => PartOutcome::Broken(self.faulty(answer)),
        }
    }

    /// Returns that the registry had a temporary error.
    fn faulty(&self, answer: Answer) -> LookupError {
        let until = self.host.now();
        LookupError::unknown(LookupFailure::Server { until }, answer.asked)
    }

    /// Reads the URL and the offset at which an upload continues after a chunk: the registry may have stored fewer bytes than were sent.
    fn stored(&self, answer: &Answer, part: &UploadPart) -> PartOutcome {
        let headers = &answer.response.headers;
        let taken = header_text(headers, RANGE).and_then(received);
        let taken = taken.unwrap_or(part.bytes.end);
        match next(&self.host.guard, &part.upload, headers) {
            Ok(next) => PartOutcome::Stored(next, taken.min(part.bytes.end)),
            Err(problem) => {
                PartOutcome::Refused(LookupError::bad_reply(problem, answer.asked.clone()))
            }
        }
    }
}

async fn answer_of(
    mut response: RawResponse,
    asked: FailedRequest,
    authorization: &Authorization,
    secrets: &[Secret],
) -> Answer {
    let status = response.status().as_u16();
    let body = http_client::words_of(&mut response, secrets).await;
    let response = Response {
        status,
        headers: std::mem::take(response.headers_mut()),
        body,
        http2: false,
        rest: None,
    };
    Answer::new(response, asked, authorization)
}

/// Reads from the source and writes to the registry at the same time. If one ends early, the other is ended; a registry that has received
/// all bytes gets more time to store them.
async fn side_by_side(
    reader: &mut BlobReader<'_>,
    bytes: Range<u64>,
    sender: mpsc::Sender<Bytes>,
    answer: impl Future<Output = Result<RawResponse, TransportError>>,
) -> (
    Result<(), Abort>,
    Option<Result<RawResponse, TransportError>>,
) {
    let mut sink = Sink::Upload(sender);
    let answer = pin!(answer);
    let pouring = {
        let pour = pin!(reader.pour(bytes, &mut sink));
        match future::select(pour, answer).await {
            Either::Left((poured, answer)) => Ok((poured, answer)),
            Either::Right((answered, _)) => Err(answered),
        }
    };
    match pouring {
        // It did not wait for the end: its response says why.
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

fn torn(broken: TransportError, asked: FailedRequest) -> LookupError {
    match broken {
        TransportError::Network(error) => {
            LookupError::unknown(LookupFailure::Network(std::sync::Arc::new(error)), asked)
        }
        other => LookupError::bad_reply(other.to_string(), asked),
    }
}

/// Returns the URL at which an upload continues, from the response.
pub fn next(guard: &UrlPolicy, from: &Url, headers: &HeaderMap) -> Result<Url, String> {
    let location = header_text(headers, LOCATION).ok_or("it does not say where the upload goes")?;
    guard
        .redirect(from, location)
        .map_err(|forbidden| format!("it sends the upload to a forbidden address: {forbidden}"))
}

/// Returns how many bytes an upload has, from `0-99`. Some registries send `0-0` for an empty upload, so it counts as no byte: the upload is
/// begun again, which costs one byte at most.
pub fn received(range: &str) -> Option<u64> {
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
    fn range_header_of_an_upload_gives_its_offset() {
        assert_eq!(received("0-99"), Some(100));
        assert_eq!(received("bytes=0-1048575"), Some(1_048_576));
    }

    #[test]
    fn upload_without_a_usable_range_header_is_restarted() {
        for range in ["0-0", "", "0--1", "5-9", "0-x", "bytes=0-"] {
            assert_eq!(received(range), None, "{range}");
        }
    }
}
