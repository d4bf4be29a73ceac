//! The documents of a registry: indexes and manifests, checked for being what they say they are.

use std::str::FromStr as _;

use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, ImageIndexEntry,
    OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciImageIndex, OciImageManifest,
};
use serde::{Deserialize, de::IgnoredAny};

use crate::image::{Digest, Platform};

/// What is accepted, in one header line: without the first two a registry hands out another representation,
/// with another digest, and without the OCI types an image that is there looks deleted.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// Annotation that marks an entry as something about another entry, as provenance and SBOMs are.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// More entries than any index has that people make.
const MAX_ENTRIES: usize = 1000;

/// Which of the two a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A list of manifests, one for each platform.
    Index,
    /// One image.
    Manifest,
}

/// A document, as far as look-ups need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// The entries of an index that are images, in its order.
    Index(Vec<Entry>),
    /// The config of a manifest.
    Manifest {
        /// The digest of its config.
        config: Digest,
    },
}

/// An image in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The digest of its manifest, or of the index below.
    pub digest: Digest,
    /// Which of the two it is.
    pub kind: Kind,
    /// The platform, where the index says one.
    pub platform: Option<Platform>,
}

/// Why a document is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It is of the format that signs itself anew with each answer.
    #[error("the manifest is of schema 1")]
    Schema1,
    /// It is not JSON, or not of the form that its type asks for.
    #[error("{0}")]
    Form(String),
}

fn form(problem: impl Into<String>) -> Defect {
    Defect::Form(problem.into())
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
pub fn bare(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The fields that tell the documents from each other, whatever they hold.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
}

/// Reads a document that came with `content_type`, which may say nothing; returns it with the media type that it is of.
///
/// # Errors
///
/// [`Defect`] if it is of schema 1, is two kinds at once, contradicts the type it came with, or names no valid digests.
pub fn parse(content_type: &str, body: &[u8]) -> Result<(String, Document), Defect> {
    let announced = kind_of(content_type)?;
    let shape: Shape = serde_json::from_slice(body)
        .map_err(|error| form(format!("it is no manifest: {error}")))?;
    if shape.fs_layers.is_some() || shape.schema_version == Some(1) {
        return Err(Defect::Schema1);
    }
    let kind = match (
        shape.manifests.is_some(),
        shape.layers.is_some() || shape.config.is_some(),
    ) {
        (true, false) => Kind::Index,
        (false, true) => Kind::Manifest,
        (true, true) => return Err(form("it is an index and a manifest at once")),
        (false, false) => return Err(form("it is neither an index nor a manifest")),
    };
    let declared = shape.media_type.as_deref().unwrap_or(content_type);
    for (of, media_type) in [(announced, content_type), (kind_of(declared)?, declared)] {
        if of.is_some_and(|of| of != kind) {
            return Err(form(format!(
                "its content is not of the type `{media_type}` that it comes with"
            )));
        }
    }
    if announced.is_some() && kind_of(declared)?.is_some() && declared != content_type {
        return Err(form(format!(
            "it says to be `{declared}` and comes as `{content_type}`"
        )));
    }
    let media_type = match (announced, kind_of(declared)?, kind) {
        (Some(_), _, _) => content_type,
        (None, Some(_), _) => declared,
        (None, None, Kind::Index) => OCI_IMAGE_INDEX_MEDIA_TYPE,
        (None, None, Kind::Manifest) => OCI_IMAGE_MEDIA_TYPE,
    };
    let document = match kind {
        Kind::Index => Document::Index(entries(body)?),
        Kind::Manifest => Document::Manifest {
            config: config_of(body)?,
        },
    };
    Ok((media_type.to_owned(), document))
}

fn entries(body: &[u8]) -> Result<Vec<Entry>, Defect> {
    let index: OciImageIndex = serde_json::from_slice(body)
        .map_err(|error| form(format!("its index is malformed: {error}")))?;
    if index.manifests.len() > MAX_ENTRIES {
        return Err(form(format!(
            "its index has more than {MAX_ENTRIES} entries"
        )));
    }
    index
        .manifests
        .iter()
        .filter(|entry| is_image(entry))
        .map(entry)
        .collect()
}

/// Tells an image from an attestation, which has no platform to run on or says outright what it is.
fn is_image(entry: &ImageIndexEntry) -> bool {
    let unknown = entry.platform.as_ref().is_some_and(|platform| {
        platform.os.to_string() == "unknown" && platform.architecture.to_string() == "unknown"
    });
    let about_another = entry
        .annotations
        .as_ref()
        .is_some_and(|annotations| annotations.contains_key(REFERENCE_TYPE));
    !unknown && !about_another
}

fn entry(entry: &ImageIndexEntry) -> Result<Entry, Defect> {
    let kind = kind_of(&entry.media_type)?.unwrap_or(Kind::Manifest);
    let platform = entry.platform.as_ref().map(|platform| {
        Platform::new(
            &platform.os.to_string(),
            &platform.architecture.to_string(),
            platform.variant.as_deref(),
        )
    });
    Ok(Entry {
        digest: digest(&entry.digest)?,
        kind,
        platform,
    })
}

fn config_of(body: &[u8]) -> Result<Digest, Defect> {
    let manifest: OciImageManifest = serde_json::from_slice(body)
        .map_err(|error| form(format!("its manifest is malformed: {error}")))?;
    digest(&manifest.config.digest)
}

fn digest(text: &str) -> Result<Digest, Defect> {
    Digest::from_str(text).map_err(|problem| form(super::words::clean(&problem.to_string())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn manifest() -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_IMAGE_MEDIA_TYPE}","config":{{"mediaType":"x","digest":"{A}","size":2}},"layers":[]}}"#
        )
    }

    fn index(entries: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_IMAGE_INDEX_MEDIA_TYPE}","manifests":[{entries}]}}"#
        )
    }

    fn entry_json(digest: &str, more: &str) -> String {
        format!(r#"{{"mediaType":"{OCI_IMAGE_MEDIA_TYPE}","digest":"{digest}","size":1{more}}}"#)
    }

    fn defect(content_type: &str, body: &str) -> String {
        parse(content_type, body.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_index_gives_its_images_and_no_attestations() {
        let body = index(
            &[
                entry_json(
                    A,
                    r#","platform":{"os":"linux","architecture":"arm","variant":"v7"}"#,
                ),
                entry_json(
                    B,
                    r#","platform":{"os":"unknown","architecture":"unknown"}"#,
                ),
                entry_json(
                    B,
                    r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#,
                ),
            ]
            .join(","),
        );
        let (media_type, document) = parse(OCI_IMAGE_INDEX_MEDIA_TYPE, body.as_bytes()).unwrap();
        assert_eq!(media_type, OCI_IMAGE_INDEX_MEDIA_TYPE);
        assert_eq!(
            document,
            Document::Index(vec![Entry {
                digest: A.parse().unwrap(),
                kind: Kind::Manifest,
                platform: Some("linux/arm/v7".parse().unwrap()),
            }])
        );
    }

    #[test]
    fn a_manifest_gives_its_config_and_its_own_type_where_the_answer_has_none() {
        let (media_type, document) = parse("application/json", manifest().as_bytes()).unwrap();
        assert_eq!(media_type, OCI_IMAGE_MEDIA_TYPE);
        assert_eq!(
            document,
            Document::Manifest {
                config: A.parse().unwrap()
            }
        );
    }

    #[test]
    fn schema_1_is_refused_by_type_and_by_content() {
        for content_type in [
            "application/vnd.docker.distribution.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
        ] {
            assert_eq!(parse(content_type, b"{}"), Err(Defect::Schema1));
        }
        let body = br#"{"schemaVersion":1,"fsLayers":[]}"#;
        assert_eq!(parse("application/json", body), Err(Defect::Schema1));
    }

    #[test]
    fn a_document_of_two_kinds_or_of_another_than_it_says_is_refused() {
        assert_eq!(
            defect("", r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#),
            "it is an index and a manifest at once"
        );
        assert_eq!(
            defect(OCI_IMAGE_INDEX_MEDIA_TYPE, &manifest()),
            format!(
                "its content is not of the type `{OCI_IMAGE_INDEX_MEDIA_TYPE}` that it comes with"
            )
        );
        assert_eq!(
            defect(IMAGE_MANIFEST_MEDIA_TYPE, &manifest()),
            format!(
                "it says to be `{OCI_IMAGE_MEDIA_TYPE}` and comes as `{IMAGE_MANIFEST_MEDIA_TYPE}`"
            )
        );
    }

    #[test]
    fn a_web_page_and_other_json_are_no_manifests() {
        assert_eq!(
            defect("text/html", "<html>"),
            "it is a web page, not a registry's answer"
        );
        assert_eq!(
            defect("application/json", "{}"),
            "it is neither an index nor a manifest"
        );
        assert!(defect("", "<html>").starts_with("it is no manifest: expected value"));
    }

    #[test]
    fn digests_that_are_none_do_not_get_through() {
        let body = index(&entry_json("sha256:../../etc\\u001b[2J", ""));
        assert_eq!(
            defect("", &body),
            "digest `sha256:../../etc [2J` must have 64 lower-case hex digits behind the colon"
        );
    }

    #[test]
    fn an_index_without_bounds_is_refused() {
        let entries = vec![entry_json(A, ""); MAX_ENTRIES + 1].join(",");
        assert_eq!(
            defect("", &index(&entries)),
            "its index has more than 1000 entries"
        );
    }

    #[test]
    fn parameters_and_case_of_a_content_type_do_not_matter() {
        assert_eq!(bare("Application/JSON; charset=utf-8"), "application/json");
        assert_eq!(bare(""), "");
    }

    #[test]
    fn a_document_that_lacks_any_field_is_read_or_refused_and_nothing_worse() {
        let entry = entry_json(
            A,
            r#","platform":{"os":"linux","architecture":"arm","variant":"v7"}"#,
        );
        for whole in [index(&entry), manifest()] {
            let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
            for broken in without_each_field(&whole) {
                let _ = parse("", broken.to_string().as_bytes());
            }
        }
    }

    /// Returns a document for each field at any depth, once without it and once with nothing in it.
    fn without_each_field(value: &serde_json::Value) -> Vec<serde_json::Value> {
        let mut variants = Vec::new();
        match value {
            serde_json::Value::Object(fields) => {
                for (name, inner) in fields {
                    let mut without = fields.clone();
                    without.remove(name);
                    variants.push(without.into());
                    for other in without_each_field(inner)
                        .into_iter()
                        .chain([serde_json::Value::Null])
                    {
                        let mut with = fields.clone();
                        with.insert(name.clone(), other);
                        variants.push(with.into());
                    }
                }
            }
            serde_json::Value::Array(items) => {
                variants.push(serde_json::json!([]));
                for inner in items {
                    variants.extend(
                        without_each_field(inner)
                            .into_iter()
                            .map(|inner| serde_json::json!([inner])),
                    );
                }
            }
            _ => {}
        }
        variants
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse("application/json", &bytes);
        }

        #[test]
        fn no_digest_but_a_digest_comes_out(text in "(sha256:)?[0-9a-fA-F:/.]{0,80}") {
            let body = index(&entry_json(&text, ""));
            if let Ok((_, Document::Index(entries))) = parse("", body.as_bytes()) {
                prop_assert_eq!(entries[0].digest.as_str(), text);
                prop_assert_eq!(entries[0].digest.hex().len(), 64);
            }
        }
    }
}
