//! What the headers of an answer say about a tag: its digest, and what kind of document that is. Pure: headers in, meaning out.

use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// The header with the digest of what the body is, or would be.
pub const DIGEST: &str = "docker-content-digest";

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

impl Seen {
    /// Returns what a digest is taken for that was not looked at: an index, because reading one tells of a manifest too.
    pub const fn at(digest: Digest) -> Self {
        Self {
            digest,
            kind: Kind::Index,
            media_type: String::new(),
        }
    }
}

/// Which of the two a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A list of manifests, one for each platform.
    Index,
    /// One image.
    Manifest,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It is of the format that signs itself anew with each answer.
    #[error("the manifest is of schema 1")]
    Schema1,
    /// It is not JSON, or not of the form that its type asks for.
    #[error("{0}")]
    Form(String),
}

/// Says that a document is not of the form that it should have.
pub fn form(problem: impl Into<String>) -> Defect {
    Defect::Form(problem.into())
}

/// Reads the answer to a HEAD. Nothing, if it does not say enough and the document itself must be read.
///
/// # Errors
///
/// [`Defect`] if the document must not be read either.
pub fn seen(headers: &HeaderMap) -> Result<Option<Seen>, Defect> {
    let media_type = content_type(headers);
    let Some(kind) = kind_of(&media_type)? else {
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

/// Returns which kind a media type is, or nothing for one that says neither.
///
/// # Errors
///
/// [`Defect::Schema1`] for its two types, and [`Defect::Form`] for a page for people.
pub fn kind_of(media_type: &str) -> Result<Option<Kind>, Defect> {
    match media_type {
        OCI_IMAGE_INDEX_MEDIA_TYPE | IMAGE_MANIFEST_LIST_MEDIA_TYPE => Ok(Some(Kind::Index)),
        OCI_IMAGE_MEDIA_TYPE | IMAGE_MANIFEST_MEDIA_TYPE => Ok(Some(Kind::Manifest)),
        "application/vnd.docker.distribution.manifest.v1+json"
        | "application/vnd.docker.distribution.manifest.v1+prettyjws" => Err(Defect::Schema1),
        "text/html" | "application/xhtml+xml" => {
            Err(form("it is a web page, not a registry's answer"))
        }
        _ => Ok(None),
    }
}

/// Returns a `Content-Type` without its parameters, in lower case.
fn bare(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Returns the media type that the headers name, without its parameters, in lower case; empty, if they name none.
pub fn content_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    bare(value.unwrap_or_default())
}

/// Returns the digest that the headers name, if it is one.
pub fn digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(DIGEST)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_head_with_digest_and_type_is_the_answer() {
        let seen = super::seen(&headers(&[("content-type", INDEX), (DIGEST, A)])).unwrap();
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
            assert_eq!(seen(&headers(pairs)), Ok(None), "{pairs:?}");
        }
    }

    #[test]
    fn schema_1_and_web_pages_are_not_even_read() {
        let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        assert_eq!(
            seen(&headers(&[("content-type", schema1), (DIGEST, A)])),
            Err(Defect::Schema1)
        );
        assert!(seen(&headers(&[("content-type", "text/html; charset=utf-8")])).is_err());
    }

    #[test]
    fn parameters_and_case_of_a_content_type_do_not_matter() {
        assert_eq!(bare("Application/JSON; charset=utf-8"), "application/json");
        assert_eq!(bare(""), "");
    }
}
