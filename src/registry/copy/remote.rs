//! A repository as an endpoint of a copy.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderValue;

use crate::{
    image::{Digest, Reference},
    registry::{
        client::{Registries, defective, refusal, resolve},
        documents::head,
        header_text,
        problem::LookupError,
        requests::{ask::Answer, host::Host},
        transport::request_spec::{Access, RequestSpec},
    },
};

use super::{
    blob_stream::{ChunkSource, Chunks},
    problem::CopyError,
    tree::{Descriptor, RawDocument},
};

/// A repository, and the selected image in it.
pub struct Remote {
    pub(in crate::registry) host: Arc<Host>,
    pub image: Reference,
}

/// Whether a registry itself adds a written document to the list of referrers, as its response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The registry does.
    ByRegistry,
    /// The client must write the list.
    ByNobody,
}

impl Remote {
    /// Returns the repository of an image.
    pub fn new(registries: &Registries, image: &Reference) -> Result<Self, CopyError> {
        Ok(Self {
            host: registries.host_of(image).map_err(CopyError::Read)?,
            image: image.clone(),
        })
    }

    /// Returns the same repository with another image selected.
    pub fn at(&self, image: Reference) -> Self {
        let host = Arc::clone(&self.host);
        Self { host, image }
    }

    /// Returns the repository for messages.
    pub fn place(&self) -> String {
        self.image.name()
    }

    /// Returns why it could not be written.
    pub fn unwritten(&self, why: LookupError) -> CopyError {
        CopyError::Write {
            place: self.place(),
            why,
        }
    }

    /// Sends a request to the source.
    pub async fn ask(&self, request_spec: &RequestSpec) -> Result<Answer, CopyError> {
        self.host.ask(request_spec).await.map_err(CopyError::Read)
    }

    /// Sends a request to the target, with permission to write.
    pub async fn ask_to_write(&self, request_spec: &RequestSpec) -> Result<Answer, CopyError> {
        let answer = self.host.ask(request_spec).await;
        answer.map_err(|error| self.unwritten(error))
    }

    /// Returns the digest of the image, without reading it where the registry reports it.
    pub async fn digest(&self) -> Result<Digest, CopyError> {
        let answer = self.ask(&RequestSpec::head(&self.image)).await?;
        match head::seen(&answer.response.headers) {
            Ok(Some(seen)) if answer.response.status == 200 => Ok(seen.digest),
            // Only the body says more, about a document or about an error.
            _ => Ok(self.document(None).await?.digest),
        }
    }

    /// Returns the image with a tag in this repository.
    pub fn with_tag(&self, tag: &str) -> Result<Reference, CopyError> {
        let image = format!("{}:{tag}", self.image.name());
        image.parse().map_err(|_| CopyError::Malformed {
            image: self.place(),
            problem: format!("`{tag}` is no tag"),
        })
    }

    /// Returns the digest of a tag of this repository; `None`, if there is no such tag.
    pub async fn digest_of(&self, tag: &str) -> Result<Option<Digest>, CopyError> {
        let image = self.with_tag(tag)?;
        // With permission to push: the token for it serves the rest of the copy.
        let to_push = |request_spec: RequestSpec| request_spec.with(|it| it.access = Access::Push);
        match resolve(&self.host, &image, to_push, |_| ()).await {
            Ok(seen) => Ok(Some(seen.digest)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.unwritten(error)),
        }
    }

    /// Reads the document with `digest`, or else the selected image.
    pub async fn document(&self, digest: Option<&Digest>) -> Result<RawDocument, CopyError> {
        let wanted = digest.or(self.image.digest());
        let request_spec = match wanted {
            Some(digest) => RequestSpec::document_at(&self.image, digest),
            None => RequestSpec::document(&self.image),
        };
        let answer = self.ask(&request_spec).await?;
        if answer.response.status != 200 {
            return Err(CopyError::Read(refusal(&answer)));
        }
        let body = Bytes::from(answer.response.body);
        if let Some(digest) = wanted.filter(|digest| !digest.matches(&body)) {
            return Err(CopyError::Corrupt {
                image: self.image.to_string(),
                digest: digest.clone(),
                found: format!("has the content of `{}`", Digest::of(&body)),
            });
        }
        let mut document = RawDocument::parse(&answer.response.headers, body)
            .map_err(|defect| CopyError::Read(defective(defect, answer.asked)))?;
        if let Some(digest) = wanted {
            document.digest = digest.clone();
        }
        Ok(document)
    }

    /// Opens a blob from the byte `from` on.
    pub async fn open(&self, blob: &Descriptor, from: u64) -> Result<Chunks, CopyError> {
        let request_spec = RequestSpec::blob(&self.image, &blob.digest, from);
        let mut answer = self.ask(&request_spec).await?;
        let skip = match answer.response.status {
            206 if from > 0 => 0,
            // The registry does not support ranges, and sends the blob from the beginning.
            200 => from,
            _ => return Err(CopyError::Read(refusal(&answer))),
        };
        let Some(body) = answer.response.rest.take() else {
            return Err(CopyError::Read(refusal(&answer)));
        };
        let mut chunks = Chunks::new(ChunkSource::Response(body));
        skip_bytes(&mut chunks, skip)
            .await
            .map_err(|problem| CopyError::Read(LookupError::bad_reply(problem, answer.asked)))?;
        Ok(chunks)
    }

    pub async fn has_document(&self, digest: &Digest) -> Result<bool, CopyError> {
        let request_spec = RequestSpec::head_at_to_push(&self.image, digest);
        self.is_there(&request_spec).await
    }

    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, CopyError> {
        let request_spec = RequestSpec::head_blob(&self.image, digest);
        self.is_there(&request_spec).await
    }

    async fn is_there(&self, request_spec: &RequestSpec) -> Result<bool, CopyError> {
        let answer = self.ask_to_write(request_spec).await?;
        match answer.response.status {
            200 => Ok(true),
            // Some registries do not support HEAD. What is there already may be sent again.
            400 | 404 | 405 | 410 | 501 => Ok(false),
            _ => Err(self.unwritten(refusal(&answer))),
        }
    }

    /// Writes a document under a tag, or by digest alone.
    pub async fn write(
        &self,
        document: &RawDocument,
        tag: Option<&str>,
    ) -> Result<Listed, CopyError> {
        let which = tag.unwrap_or(document.digest.as_str());
        let media_type =
            HeaderValue::from_str(&document.media_type).map_err(|_| CopyError::Malformed {
                image: self.place(),
                problem: "its media type cannot be sent".to_owned(),
            })?;
        let body = document.bytes.clone();
        let request_spec = RequestSpec::put_manifest(&self.image, which, media_type, body);
        let answer = self.ask_to_write(&request_spec).await?;
        if !matches!(answer.response.status, 200..=202) {
            return Err(self.unwritten(refusal(&answer)));
        }
        self.expect(&answer, &document.digest)?;
        if answer.response.headers.contains_key("oci-subject") {
            Ok(Listed::ByRegistry)
        } else {
            Ok(Listed::ByNobody)
        }
    }

    /// Checks that a registry stored the document unchanged.
    fn expect(&self, answer: &Answer, digest: &Digest) -> Result<(), CopyError> {
        let told = header_text(&answer.response.headers, head::DIGEST);
        match told.filter(|told| *told != digest.as_str()) {
            Some(told) => {
                let problem = format!(
                    "it stored `{}` where it was given `{digest}`",
                    crate::registry::error_text::clean(told)
                );
                Err(self.unwritten(LookupError::bad_reply(problem, answer.asked.clone())))
            }
            None => Ok(()),
        }
    }
}

/// Tells whether the registry says that there is no such tag. Docker Hub answers 401 where it may only be hidden.
fn is_missing(error: &LookupError) -> bool {
    error.is_absent() && matches!(error.asked().status, Some(404 | 410))
}

/// Reads and drops the first `count` bytes of a response that ignored the range.
async fn skip_bytes(chunks: &mut Chunks, count: u64) -> Result<(), String> {
    let mut left = count;
    while left > 0 {
        let Some(chunk) = chunks.next().await? else {
            return Err("the blob is shorter than it was before".to_owned());
        };
        let len = chunk.len() as u64;
        if len > left {
            // Chunks are cut by the network, so that the rest of this one is kept for the reader.
            let rest = chunk.slice(usize::try_from(left).unwrap_or(chunk.len())..);
            chunks.put_back(rest);
            return Ok(());
        }
        left -= len;
    }
    Ok(())
}
