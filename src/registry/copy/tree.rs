//! The parts of a manifest or an index. Pure: parses bytes into descriptors, and keeps the bytes unchanged.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use oci_client::manifest::OCI_IMAGE_INDEX_MEDIA_TYPE;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    image::Digest,
    registry::documents::{
        body,
        head::{Defect, form},
        manifest,
    },
};

/// The deepest nesting of indexes.
pub const MAX_DEPTH: usize = 4;

/// More blobs, or entries of an index, than any image has.
const MAX_PARTS: usize = 2000;

/// A descriptor: the media type, digest and size of something that a document names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    /// The type of an artifact, where a list of referrers gives it.
    #[serde(default)]
    pub artifact_type: String,
    pub digest: Digest,
    /// The size in bytes.
    #[serde(default)]
    pub size: u64,
    /// Other places that have it: only layers that must not be distributed have any.
    #[serde(default)]
    pub urls: Vec<String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Returns the descriptor of a document of which only the digest is known.
    pub fn of(digest: &Digest) -> Self {
        Self {
            media_type: String::new(),
            artifact_type: String::new(),
            digest: digest.clone(),
            size: 0,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
        }
    }
}

/// A manifest or an index, with the bytes that its digest is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawDocument {
    pub digest: Digest,
    /// The media type with which it came, or which it declares.
    pub media_type: String,
    pub bytes: Bytes,
    /// The documents below it, if it is an index.
    pub children: Vec<Descriptor>,
    /// The blobs below it, if it is a manifest.
    pub blobs: Vec<Descriptor>,
    /// The document that it refers to, if it is a signature, an SBOM or the like.
    pub subject: Option<Digest>,
}

#[derive(Deserialize)]
struct DocumentParts {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    /// The field of artifact manifests, instead of layers, in drafts of OCI 1.1.
    #[serde(default)]
    blobs: Vec<Descriptor>,
    subject: Option<Descriptor>,
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
}

impl RawDocument {
    /// Parses a document from a response.
    ///
    /// # Errors
    ///
    /// [`Defect`] if it is none, or one of a format that cannot be copied byte for byte.
    pub fn parse(headers: &HeaderMap, bytes: Bytes) -> Result<Self, Defect> {
        let read = body::read(headers, &bytes)?;
        Self::of(read.seen.digest, read.seen.media_type, bytes)
    }

    /// Parses a document of known digest and media type.
    pub fn of(digest: Digest, media_type: String, bytes: Bytes) -> Result<Self, Defect> {
        let (media_type, _) = manifest::parse(&media_type, &bytes)?;
        let parts: DocumentParts = serde_json::from_slice(&bytes)
            .map_err(|problem| form(format!("its manifest is malformed: {problem}")))?;
        let largest = [&parts.layers, &parts.manifests, &parts.blobs].map(Vec::len);
        if largest.iter().any(|len| *len > MAX_PARTS) {
            return Err(form(format!("it has more than {MAX_PARTS} parts")));
        }
        Ok(Self {
            digest,
            media_type,
            bytes,
            children: parts.manifests,
            blobs: parts
                .config
                .into_iter()
                .chain(parts.layers)
                .chain(parts.blobs)
                .collect(),
            subject: parts.subject.map(|subject| subject.digest),
        })
    }

    /// Returns the type for the index of referrers: its own, or that of its config.
    pub fn artifact_type(&self) -> Option<String> {
        let parts: DocumentParts = serde_json::from_slice(&self.bytes).ok()?;
        let of_config = parts.config.map(|config| config.media_type);
        parts.artifact_type.or(of_config)
    }

    /// Returns its entry in an index.
    pub fn entry(&self) -> Value {
        json!({
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.bytes.len(),
        })
    }
}

/// Returns an index without entries.
pub fn empty_index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE,
        "manifests": [],
    })
}

/// Returns the documents directly below some documents, each once, without those of `known`.
pub fn children(above: &[RawDocument], known: &BTreeSet<Digest>) -> Vec<Descriptor> {
    let mut seen = known.clone();
    let all = above.iter().flat_map(|document| &document.children);
    all.filter(|child| seen.insert(child.digest.clone()))
        .cloned()
        .collect()
}

/// Returns the blobs of some documents, each once, the largest first, because the blob that begins last ends last. Layers that must not be
/// distributed are left where their own URLs say.
pub fn blobs<'a>(documents: impl Iterator<Item = &'a RawDocument>) -> Vec<Descriptor> {
    let mut seen = BTreeSet::new();
    let all = documents.flat_map(|document| &document.blobs);
    let mut blobs: Vec<Descriptor> = all
        .filter(|blob| !is_foreign(blob) && seen.insert(blob.digest.clone()))
        .cloned()
        .collect();
    blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
    blobs
}

/// Tells whether a layer must not be distributed, as those of Windows' base images, whose license forbids it.
fn is_foreign(blob: &Descriptor) -> bool {
    let marked = blob.media_type.contains(".foreign.")
        || blob.media_type.contains("image.layer.nondistributable");
    marked && !blob.urls.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn descriptor(text: &str, size: u64) -> String {
        let digest = digest(text);
        format!(r#"{{"mediaType":"t","digest":"{digest}","size":{size}}}"#)
    }

    fn manifest(layers: &[String]) -> RawDocument {
        let body = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
            descriptor("config", 2),
            layers.join(",")
        );
        RawDocument::parse(&HeaderMap::new(), body.into()).unwrap()
    }

    #[test]
    fn copied_manifest_has_its_config_and_layer_blobs_and_keeps_its_bytes() {
        let document = manifest(&[descriptor("a", 10), descriptor("b", 30)]);
        assert_eq!(document.digest, Digest::of(&document.bytes));
        let blobs: Vec<&Digest> = document.blobs.iter().map(|blob| &blob.digest).collect();
        assert_eq!(blobs, [&digest("config"), &digest("a"), &digest("b")]);
    }

    #[test]
    fn artifact_manifest_before_oci_1_1_has_its_blobs_and_keeps_its_type() {
        let media_type = "application/vnd.oci.artifact.manifest.v1+json";
        let body = format!(
            r#"{{"mediaType":"{media_type}","artifactType":"text/x","blobs":[{}]}}"#,
            descriptor("a", 10)
        );
        let document = RawDocument::parse(&HeaderMap::new(), body.into()).unwrap();
        assert_eq!(document.media_type, media_type);
        assert_eq!(document.blobs[0].digest, digest("a"));
    }

    #[test]
    fn blobs_are_sent_once_and_the_largest_first() {
        let documents = [
            manifest(&[descriptor("a", 10), descriptor("b", 30)]),
            manifest(&[descriptor("b", 30), descriptor("c", 20)]),
        ];
        let sizes: Vec<u64> = blobs(documents.iter()).iter().map(|it| it.size).collect();
        assert_eq!(sizes, [30, 20, 10, 2]);
    }

    #[test]
    fn nondistributable_layers_are_not_copied() {
        let foreign = format!(
            r#"{{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"{}","size":5,"urls":["https://mcr.microsoft.com/x"]}}"#,
            digest("w")
        );
        let document = manifest(&[foreign, descriptor("a", 1)]);
        let left: Vec<Digest> = blobs([document].iter())
            .into_iter()
            .map(|blob| blob.digest)
            .collect();
        assert_eq!(left, [digest("config"), digest("a")]);
    }

    #[test]
    fn index_that_names_one_manifest_twice_has_one_child() {
        let entry = descriptor("m", 1);
        let body = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{entry},{entry}]}}"#
        );
        let index = RawDocument::parse(&HeaderMap::new(), body.into()).unwrap();
        let indexes = [index];
        assert_eq!(children(&indexes, &BTreeSet::new()).len(), 1);
        assert_eq!(children(&indexes, &BTreeSet::from([digest("m")])), []);
    }
}
