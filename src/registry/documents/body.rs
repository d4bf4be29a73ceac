//! What the body of an answer says about a tag. Pure: headers and bytes in, meaning out.

use std::sync::Arc;

use reqwest::header::HeaderMap;

use crate::image::Digest;

use super::{
    head::{Defect, Seen, content_type, digest},
    manifest::{self, Document},
};

/// A document as it was read, with what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub seen: Seen,
    pub document: Arc<Document>,
    /// Whether the header with the digest told the truth about the body, or was not there.
    pub honest: bool,
}

/// Reads the answer to a GET: the digest is of the bytes as they came, whatever the header says.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Read, Defect> {
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
    fn the_bytes_decide_and_a_header_that_disagrees_is_told() {
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
