//! Interprets the headers of a response about a tag: its digest, and the kind of document. Pure: it takes headers.

use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::{Deserialize, Serialize};

use crate::{image::Digest, registry::header_text};

/// The header with the digest of the body, even if the body is not sent.
pub const DIGEST: &str = "docker-content-digest";

/// The present state of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedTag {
    /// The digest of the tag: of the index, where it is one.
    pub digest: Digest,
    /// Whether the digest is of an index or of a manifest.
    pub kind: ManifestKind,
    /// The media type of the response.
    pub media_type: String,
}

impl ResolvedTag {
    /// Returns the state of a tag of which only the digest is known. It counts as an index: reading one as an index also shows that it is a
    /// manifest.
    pub const fn at(digest: Digest) -> Self {
        Self {
            digest,
            kind: ManifestKind::Index,
            media_type: String::new(),
        }
    }
}

/// The kind of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManifestKind {
    /// A list of manifests, one for each platform.
    Index,
    /// One image.
    Manifest,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It is of schema 1, which is signed anew in each response.
    #[error("the manifest is of schema 1")]
    Schema1,
    /// It is not JSON, or does not have the form of its type.
    #[error("{0}")]
    Form(String),
}

/// Returns that a document does not have the required form.
pub fn form(problem: impl Into<String>) -> Defect {
    Defect::Form(problem.into())
}

/// Reads the response to a HEAD. `None` if it does not say enough, so that the document must be read.
///
/// # Errors
///
/// [`Defect`] if the document must not be read either.
pub fn seen(headers: &HeaderMap) -> Result<Option<ResolvedTag>, Defect> {
    let media_type = content_type(headers);
    let Some(kind) = kind_of(&media_type)? else {
        return Ok(None);
    };
    Ok(digest(headers).map(|digest| ResolvedTag {
        digest,
        kind,
        media_type,
    }))
}

/// Returns the kind of a media type, or `None` for an unspecific one.
///
/// # Errors
///
/// [`Defect::Schema1`] for the two types of schema 1, and [`Defect::Form`] for a web page.
pub fn kind_of(media_type: &str) -> Result<Option<ManifestKind>, Defect> {
    match media_type {
        OCI_IMAGE_INDEX_MEDIA_TYPE | IMAGE_MANIFEST_LIST_MEDIA_TYPE => {
            Ok(Some(ManifestKind::Index))
        }
        OCI_IMAGE_MEDIA_TYPE | IMAGE_MANIFEST_MEDIA_TYPE => Ok(Some(ManifestKind::Manifest)),
        "application/vnd.docker.distribution.manifest.v1+json"
        | "application/vnd.docker.distribution.manifest.v1+prettyjws" => Err(Defect::Schema1),
        _ if is_web_page(media_type) => Err(form("it is a web page, not a registry's answer")),
        _ => Ok(None),
    }
}

pub fn is_web_page(media_type: &str) -> bool {
    matches!(media_type, "text/html" | "application/xhtml+xml")
}

/// Returns the media type in the headers, without its parameters, in lower case; empty, if there is none.
pub fn content_type(headers: &HeaderMap) -> String {
    let text = header_text(headers, CONTENT_TYPE).unwrap_or_default();
    let bare = text.split(';').next().unwrap_or_default();
    bare.trim().to_ascii_lowercase()
}

/// Returns the digest in the headers, if it is valid.
pub fn digest(headers: &HeaderMap) -> Option<Digest> {
    header_text(headers, DIGEST)?.trim().parse().ok()
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
    fn head_response_with_digest_and_type_is_sufficient() {
        let seen = super::seen(&headers(&[("content-type", INDEX), (DIGEST, A)])).unwrap();
        assert_eq!(
            seen,
            Some(ResolvedTag {
                digest: A.parse().unwrap(),
                kind: ManifestKind::Index,
                media_type: INDEX.into()
            })
        );
    }

    #[test]
    fn head_response_without_a_valid_digest_or_known_type_needs_the_body() {
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
    fn head_response_of_schema_1_or_html_is_refused_without_the_body() {
        let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        assert_eq!(
            seen(&headers(&[("content-type", schema1), (DIGEST, A)])),
            Err(Defect::Schema1)
        );
        assert!(seen(&headers(&[("content-type", "text/html; charset=utf-8")])).is_err());
    }

    #[test]
    fn content_type_parameters_and_case_are_ignored() {
        let json = headers(&[("content-type", "Application/JSON; charset=utf-8")]);
        assert_eq!(content_type(&json), "application/json");
        assert_eq!(content_type(&headers(&[])), "");
    }
}
