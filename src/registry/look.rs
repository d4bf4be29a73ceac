//! What an answer says about a tag: its digest, and what kind of document that is. Pure: headers and bytes in, meaning out.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::{Deserialize, Serialize};

use crate::image::Digest;

use super::manifest::{self, Defect, Document};

pub use super::manifest::Kind;

/// What a tag is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The digest of what the tag names: of the index, where it is one.
    pub digest: Digest,
    /// Whether that is an index or one manifest.
    pub kind: Kind,
    /// The media type that it came with.
    pub media_type: String,
}

/// The header with the digest of what the body is, or would be.
const DIGEST: &str = "docker-content-digest";

/// Reads the answer to a HEAD. Nothing, if it does not say enough and the document itself must be read.
///
/// # Errors
///
/// [`Defect`] if the document must not be read either.
pub fn of_head(headers: &HeaderMap) -> Result<Option<Seen>, Defect> {
    let media_type = content_type(headers);
    let Some(kind) = manifest::kind_of(&media_type)? else {
        return Ok(None);
    };
    Ok(digest(headers).map(|digest| Seen {
        digest,
        kind,
        media_type,
    }))
}

/// Tells whether an answer has a digest that is one.
pub fn tells_digest(headers: &HeaderMap) -> bool {
    digest(headers).is_some()
}

/// A document as it was read, with what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What it is.
    pub seen: Seen,
    /// What it says.
    pub document: Arc<Document>,
    /// Whether the header with the digest told the truth about the body, or was not there.
    pub honest: bool,
}

/// Reads the answer to a GET: the digest is of the bytes as they came, whatever the header says.
///
/// # Errors
///
/// [`Defect`] if it is no index and no manifest.
pub fn of_body(headers: &HeaderMap, body: &[u8]) -> Result<Read, Defect> {
    let (media_type, document) = manifest::parse(&content_type(headers), body)?;
    let told = digest(headers);
    let honest = told.as_ref().is_none_or(|digest| digest.matches(body));
    let digest = told.filter(|_| honest).unwrap_or_else(|| Digest::of(body));
    Ok(Read {
        seen: Seen {
            digest,
            kind: document.kind(),
            media_type,
        },
        document: Arc::new(document),
        honest,
    })
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    manifest::bare(value.unwrap_or_default())
}

fn digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(DIGEST)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const BODY: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_head_with_digest_and_type_is_the_answer() {
        let seen = of_head(&headers(&[("content-type", INDEX), (DIGEST, A)])).unwrap();
        assert_eq!(
            seen,
            Some(Seen {
                digest: A.parse().unwrap(),
                kind: Kind::Index,
                media_type: INDEX.into()
            })
        );
    }

    #[test]
    fn a_head_without_a_valid_digest_or_a_known_type_needs_the_body() {
        for pairs in [
            &[("content-type", INDEX)][..],
            &[("content-type", INDEX), (DIGEST, "hello")],
            &[("content-type", INDEX), (DIGEST, "")],
            &[(DIGEST, A)],
            &[("content-type", "application/json"), (DIGEST, A)],
        ] {
            assert_eq!(of_head(&headers(pairs)), Ok(None), "{pairs:?}");
        }
    }

    #[test]
    fn schema_1_and_web_pages_are_not_even_read() {
        let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        assert_eq!(
            of_head(&headers(&[("content-type", schema1), (DIGEST, A)])),
            Err(Defect::Schema1)
        );
        assert!(of_head(&headers(&[("content-type", "text/html; charset=utf-8")])).is_err());
    }

    #[test]
    fn the_bytes_decide_and_a_header_that_disagrees_is_told() {
        let own = Digest::of(BODY);
        let read = of_body(&headers(&[("content-type", INDEX), (DIGEST, A)]), BODY).unwrap();
        assert_eq!((&read.seen.digest, read.honest), (&own, false));
        let read = of_body(
            &headers(&[("content-type", INDEX), (DIGEST, own.as_str())]),
            BODY,
        )
        .unwrap();
        assert_eq!((&read.seen.digest, read.honest), (&own, true));
        let read = of_body(&headers(&[("content-type", INDEX)]), BODY).unwrap();
        assert_eq!((&read.seen.digest, read.honest), (&own, true));
    }
}
