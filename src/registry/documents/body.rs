//! Interprets the body of a response about a tag. Pure: it takes headers and bytes.

use std::sync::Arc;

use reqwest::header::HeaderMap;

use crate::image::Digest;

use super::{
    head::{Defect, ResolvedTag, content_type, digest},
    manifest::{self, Document},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadDocument {
    pub seen: ResolvedTag,
    pub document: Arc<Document>,
    /// Whether the digest in the header matches the body, or is missing.
    pub honest: bool,
}

/// Reads the response to a GET: the digest is computed from the bytes, whatever the header says.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<ReadDocument, Defect> {
    let (media_type, document) = manifest::parse(&content_type(headers), body)?;
    let told = digest(headers);
    let honest = told.as_ref().is_none_or(|digest| digest.matches(body));
    let digest = told.filter(|_| honest).unwrap_or_else(|| Digest::of(body));
    Ok(ReadDocument {
        seen: ResolvedTag {
            digest,
            kind: document.kind(),
            media_type,
        },
        document: Arc::new(document),
        honest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::documents::head::DIGEST;

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
    fn digest_is_that_of_the_bytes_and_a_disagreeing_header_is_flagged() {
        let own = Digest::of(BODY);
        let read = super::read(&headers(&[("content-type", INDEX), (DIGEST, A)]), BODY).unwrap();
        assert_eq!((&read.seen.digest, read.honest), (&own, false));
        let read = super::read(
            &headers(&[("content-type", INDEX), (DIGEST, own.as_str())]),
            BODY,
        )
        .unwrap();
        assert_eq!((&read.seen.digest, read.honest), (&own, true));
        let read = super::read(&headers(&[("content-type", INDEX)]), BODY).unwrap();
        assert_eq!((&read.seen.digest, read.honest), (&own, true));
    }
}
