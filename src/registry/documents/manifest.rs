//! Parses indexes and manifests, and checks that they are what they claim to be.

use std::{collections::BTreeMap, str::FromStr as _};

use oci_client::manifest::{OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciImageManifest};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    image::{Digest, Platform},
    registry::error_text::clean,
};

use super::{
    head::{Defect, ManifestKind, form, kind_of},
    kinds,
};

/// The annotation that marks an entry as being about another entry, as provenance and SBOMs are.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// More entries than any index has.
const MAX_ENTRIES: usize = 1000;

/// The name of an unknown operating system or architecture.
const UNKNOWN: &str = "unknown";

/// A document, as far as look-ups need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Document {
    /// The entries of an index that are images, in order.
    Index(Vec<Entry>),
    Manifest {
        config: Digest,
    },
    /// Something other than an image: a Helm chart, a signature, files.
    NoImage {
        /// Whether it is a manifest or an index.
        kind: ManifestKind,
        /// A description with its media type, safe to be shown.
        what: String,
    },
}

impl Document {
    /// Returns whether it is an index or a manifest.
    pub fn kind(&self) -> ManifestKind {
        match self {
            Self::Index(_) => ManifestKind::Index,
            Self::Manifest { .. } => ManifestKind::Manifest,
            Self::NoImage { kind, .. } => *kind,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The digest of its manifest, or of a nested index.
    pub digest: Digest,
    /// Whether that is a manifest or an index.
    pub kind: ManifestKind,
    /// The platform, where the index gives one.
    pub platform: Option<Platform>,
}

/// The fields that distinguish the kinds of documents, whatever their values.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentShape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    /// The field of artifact manifests in drafts of OCI 1.1.
    blobs: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
}

impl DocumentShape {
    fn kind(&self) -> Result<ManifestKind, Defect> {
        let is_manifest = self.layers.is_some() || self.config.is_some() || self.blobs.is_some();
        match (self.manifests.is_some(), is_manifest) {
            (true, false) => Ok(ManifestKind::Index),
            (false, true) => Ok(ManifestKind::Manifest),
            (true, true) => Err(form("it is an index and a manifest at once")),
            (false, false) => Err(form("it is neither an index nor a manifest")),
        }
    }
}

/// Parses a document with `content_type`, which may be unspecific; returns it with its media type.
///
/// # Errors
///
/// [`Defect`] if it is of schema 1, is of two kinds at once, contradicts its `content_type`, or has invalid digests.
pub fn parse(content_type: &str, body: &[u8]) -> Result<(String, Document), Defect> {
    let announced = kind_of(content_type)?;
    let shape: DocumentShape = serde_json::from_slice(body)
        .map_err(|error| form(format!("it is no manifest: {error}")))?;
    if shape.fs_layers.is_some() || shape.schema_version == Some(1) {
        return Err(Defect::Schema1);
    }
    let kind = shape.kind()?;
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
            "it declares `{declared}`, but is served as `{content_type}`"
        )));
    }
    let media_type = match (announced, kind_of(declared)?, kind) {
        _ if kinds::is_other_document(declared) => declared,
        (Some(_), _, _) => content_type,
        (None, Some(_), _) => declared,
        (None, None, ManifestKind::Index) => OCI_IMAGE_INDEX_MEDIA_TYPE,
        (None, None, ManifestKind::Manifest) => OCI_IMAGE_MEDIA_TYPE,
    };
    let artifact = shape.artifact_type.as_deref();
    let artifact = artifact.filter(|artifact| kinds::is_artifact(artifact));
    let other = artifact.or(Some(declared).filter(|declared| kinds::is_other_document(declared)));
    let document = match (other, kind) {
        (Some(media_type), kind) => no_image(kind, media_type),
        (None, ManifestKind::Index) => index_of(body)?,
        (None, ManifestKind::Manifest) => manifest_of(body)?,
    };
    Ok((media_type.to_owned(), document))
}

fn no_image(kind: ManifestKind, media_type: &str) -> Document {
    let what = format!("{} ({})", kinds::name(media_type), clean(media_type));
    Document::NoImage { kind, what }
}

/// The fields of an index that are read.
#[derive(Deserialize)]
struct StoredIndex {
    manifests: Vec<StoredEntry>,
}

/// An entry as the OCI image specification stores it. The type of oci-client lacks `artifactType`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredEntry {
    media_type: String,
    digest: String,
    artifact_type: Option<String>,
    platform: Option<StoredPlatform>,
    annotations: Option<BTreeMap<String, IgnoredAny>>,
}

/// The platform of an entry, or of an image's config.
#[derive(Deserialize)]
pub struct StoredPlatform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
}

impl StoredPlatform {
    /// Returns the platform, unless a required part is missing.
    pub fn platform(&self) -> Option<Platform> {
        let known = |part: &Option<String>| {
            let part = part.clone().unwrap_or_default();
            Some(part).filter(|part| !part.is_empty() && part != UNKNOWN)
        };
        let (os, architecture) = (known(&self.os)?, known(&self.architecture)?);
        let platform = Platform::new(&os, &architecture, self.variant.as_deref());
        Some(platform.with_os_version(self.os_version.as_deref().unwrap_or_default()))
    }

    fn is_unknown(&self) -> bool {
        let is_unknown = |part: &Option<String>| part.as_deref() == Some(UNKNOWN);
        is_unknown(&self.os) && is_unknown(&self.architecture)
    }
}

/// Parses an index, without the entries that are no images. An entry for an unknown platform counts as an attestation that an old builder
/// did not mark as one, unless there are no other entries.
fn index_of(body: &[u8]) -> Result<Document, Defect> {
    let index: StoredIndex = serde_json::from_slice(body)
        .map_err(|error| form(format!("its index is malformed: {error}")))?;
    let total = index.manifests.len();
    if total > MAX_ENTRIES {
        return Err(form(format!(
            "its index has more than {MAX_ENTRIES} entries"
        )));
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for stored in &index.manifests {
        let Some(entry) = image(stored)? else {
            continue;
        };
        let platform = stored.platform.as_ref();
        if platform.is_some_and(StoredPlatform::is_unknown) {
            unknown.push(entry);
        } else {
            known.push(entry);
        }
    }
    let entries = if known.is_empty() { unknown } else { known };
    if entries.is_empty() && total > 0 {
        return Ok(Document::NoImage {
            kind: ManifestKind::Index,
            what: "an index that lists no image".to_owned(),
        });
    }
    Ok(Document::Index(entries))
}

/// Parses an entry that is, or may be, an image. An entry about another entry is an attestation.
fn image(stored: &StoredEntry) -> Result<Option<Entry>, Defect> {
    let annotations = stored.annotations.as_ref();
    let about_another = annotations.is_some_and(|all| all.contains_key(REFERENCE_TYPE));
    let artifact = stored.artifact_type.as_deref();
    let kind = kind_of(&stored.media_type)?;
    let is_other =
        kinds::is_other_document(&stored.media_type) || artifact.is_some_and(kinds::is_artifact);
    if about_another || is_other {
        return Ok(None);
    }
    Ok(Some(Entry {
        digest: digest(&stored.digest)?,
        kind: kind.unwrap_or(ManifestKind::Manifest),
        platform: stored.platform.as_ref().and_then(StoredPlatform::platform),
    }))
}

/// Parses a manifest: an image has an image's config and, unless it has no layers, at least one layer of files.
fn manifest_of(body: &[u8]) -> Result<Document, Defect> {
    let manifest: OciImageManifest = serde_json::from_slice(body)
        .map_err(|error| form(format!("its manifest is malformed: {error}")))?;
    let config = digest(&manifest.config.digest)?;
    let of_config = manifest.config.media_type.as_str();
    let layers = || {
        manifest
            .layers
            .iter()
            .map(|layer| layer.media_type.as_str())
    };
    let other = match of_config {
        // OCI's marker for a missing config: then the layers tell the type.
        kinds::EMPTY => Some(layers().find(|of| *of != kinds::EMPTY).unwrap_or(of_config)),
        _ if !kinds::is_image_config(of_config) => Some(of_config),
        _ if layers().any(kinds::is_layer) => None,
        _ => layers().next(),
    };
    Ok(match other {
        Some(media_type) => no_image(ManifestKind::Manifest, media_type),
        None => Document::Manifest { config },
    })
}

fn digest(text: &str) -> Result<Digest, Defect> {
    Digest::from_str(text).map_err(|problem| form(clean(&problem.to_string())))
}

#[cfg(test)]
mod tests {
    use oci_client::manifest::IMAGE_MANIFEST_MEDIA_TYPE;
    use proptest::prelude::*;

    use super::*;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn manifest() -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_IMAGE_MEDIA_TYPE}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{A}","size":2}},"layers":[]}}"#
        )
    }

    /// A manifest with a config and layers of these types, and other fields.
    fn manifest_with(more: &str, config: &str, layers: &[&str]) -> String {
        let descriptor = |of: &&str| format!(r#"{{"mediaType":"{of}","digest":"{A}","size":2}}"#);
        let layers: Vec<String> = layers.iter().map(descriptor).collect();
        format!(
            r#"{{"schemaVersion":2,{more}"config":{},"layers":[{}]}}"#,
            descriptor(&config),
            layers.join(",")
        )
    }

    /// Returns the description of a document that is no image; `None` for an image.
    fn what(content_type: &str, body: &str) -> Option<String> {
        match parse(content_type, body.as_bytes()).unwrap().1 {
            Document::NoImage { what, .. } => Some(what),
            Document::Index(_) | Document::Manifest { .. } => None,
        }
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
    fn index_lists_its_images_without_attestations() {
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
                kind: ManifestKind::Manifest,
                platform: Some("linux/arm/v7".parse().unwrap()),
            }])
        );
    }

    #[test]
    fn manifest_has_its_config_and_its_own_type_when_the_response_has_none() {
        let (media_type, document) = parse("application/json", manifest().as_bytes()).unwrap();
        assert_eq!(media_type, OCI_IMAGE_MEDIA_TYPE);
        assert_eq!(
            document,
            Document::Manifest {
                config: A.parse().unwrap()
            }
        );
    }

    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

    #[test]
    fn manifests_of_all_builders_are_images() {
        let docker = "application/vnd.docker.container.image.v1+json";
        let docker_layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        for (more, config, layers) in [
            ("", CONFIG, &[LAYER][..]),
            ("", CONFIG, &[]),
            ("", docker, &[docker_layer]),
            ("", docker, &[foreign, docker_layer]),
            ("", "application/octet-stream", &[docker_layer]),
            (r#""artifactType":"","#, CONFIG, &[LAYER]),
            (
                r#""artifactType":"application/vnd.oci.image.config.v1+json","#,
                CONFIG,
                &[LAYER],
            ),
        ] {
            let body = manifest_with(more, config, layers);
            assert_eq!(what("", &body), None, "{body}");
            assert_eq!(what(OCI_IMAGE_MEDIA_TYPE, &body), None, "{body}");
        }
    }

    #[test]
    fn artifact_manifest_is_reported_with_its_type() {
        let empty = kinds::EMPTY;
        for (more, config, layers, expected) in [
            (
                "",
                "application/vnd.cncf.helm.config.v1+json",
                &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"][..],
                "a Helm chart (application/vnd.cncf.helm.config.v1+json)",
            ),
            (
                "",
                CONFIG,
                &["application/vnd.dev.cosign.simplesigning.v1+json"],
                "a signature (application/vnd.dev.cosign.simplesigning.v1+json)",
            ),
            (
                "",
                CONFIG,
                &[
                    "application/vnd.in-toto+json",
                    "application/vnd.in-toto+json",
                ],
                "an attestation (application/vnd.in-toto+json)",
            ),
            (
                r#""artifactType":"application/vnd.acme.rocket","#,
                empty,
                &["text/plain"],
                "an artifact (application/vnd.acme.rocket)",
            ),
            (
                r#""artifactType":"doc/example","#,
                CONFIG,
                &[LAYER],
                "an artifact (doc/example)",
            ),
            ("", empty, &["text/markdown"], "an artifact (text/markdown)"),
            (
                "",
                empty,
                &[empty],
                "an artifact (application/vnd.oci.empty.v1+json)",
            ),
            (
                "",
                "application/vnd.unknown.config.v1+json",
                &[LAYER],
                "an artifact (application/vnd.unknown.config.v1+json)",
            ),
            (
                r#""mediaType":"application/vnd.acme.manifest.v3+json","#,
                CONFIG,
                &[LAYER],
                "an artifact (application/vnd.acme.manifest.v3+json)",
            ),
        ] {
            let body = manifest_with(more, config, layers);
            assert_eq!(what("", &body).as_deref(), Some(expected), "{body}");
        }
        let old = r#"{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","artifactType":"sbom/example","blobs":[]}"#;
        assert_eq!(what("", old).as_deref(), Some("an artifact (sbom/example)"));
        let evil = manifest_with("", "a\\u001b[2J\\n", &[]);
        assert_eq!(what("", &evil).as_deref(), Some("an artifact (a [2J)"));
    }

    #[test]
    fn index_of_artifacts_only_is_no_image_and_an_empty_index_is_an_index() {
        let attestation = r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#;
        let bundle = r#","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json""#;
        let cache = format!(
            r#"{{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"{A}","size":1}},{{"mediaType":"{LAYER}","digest":"{B}","size":1}}"#
        );
        for entries in [
            entry_json(A, attestation),
            [entry_json(A, attestation), entry_json(B, bundle)].join(","),
            cache,
        ] {
            let no_image = what("", &index(&entries));
            assert_eq!(
                no_image.as_deref(),
                Some("an index that lists no image"),
                "{entries}"
            );
        }
        assert_eq!(
            parse("", index("").as_bytes()).unwrap().1,
            Document::Index(vec![])
        );
        let of_artifacts = index(&entry_json(A, "")).replacen('{', r#"{"artifactType":"x/y","#, 1);
        assert_eq!(
            what("", &of_artifacts).as_deref(),
            Some("an artifact (x/y)")
        );
    }

    #[test]
    fn entry_with_an_unknown_platform_is_an_image_only_without_other_entries() {
        let unknown = r#","platform":{"os":"unknown","architecture":"unknown"}"#;
        let platforms = |entries: &[String]| match parse("", index(&entries.join(",")).as_bytes()) {
            Ok((_, Document::Index(entries))) => entries
                .into_iter()
                .map(|entry| entry.platform.map(|platform| platform.to_string()))
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(platforms(&[entry_json(A, unknown)]), [None]);
        assert_eq!(
            platforms(&[entry_json(A, unknown), entry_json(B, unknown)]),
            [None, None]
        );
        let linux = r#","platform":{"os":"linux","architecture":"amd64"}"#;
        assert_eq!(
            platforms(&[entry_json(A, linux), entry_json(B, unknown)]),
            [Some("linux/amd64".to_owned())]
        );
        for open in [
            "",
            r#","platform":null"#,
            r#","platform":{}"#,
            r#","platform":{"os":"linux","architecture":""}"#,
            r#","platform":{"os":"linux","architecture":"unknown"}"#,
        ] {
            assert_eq!(platforms(&[entry_json(A, open)]), [None], "{open}");
        }
        let windows =
            r#","platform":{"os":"windows","architecture":"amd64","os.version":"10.0.20348.1"}"#;
        let expected = [Some("windows(10.0.20348.1)/amd64".to_owned())];
        assert_eq!(platforms(&[entry_json(A, windows)]), expected);
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
    fn document_that_is_ambiguous_or_contradicts_its_media_type_is_refused() {
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
                "it declares `{OCI_IMAGE_MEDIA_TYPE}`, but is served as `{IMAGE_MANIFEST_MEDIA_TYPE}`"
            )
        );
    }

    #[test]
    fn html_and_other_json_are_no_manifests() {
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
    fn invalid_digests_are_refused() {
        let body = index(&entry_json("sha256:../../etc\\u001b[2J", ""));
        assert_eq!(
            defect("", &body),
            "digest `sha256:../../etc [2J` must have 64 lower-case hex digits behind the colon"
        );
    }

    #[test]
    fn index_with_too_many_entries_is_refused() {
        let entries = vec![entry_json(A, ""); MAX_ENTRIES + 1].join(",");
        assert_eq!(
            defect("", &index(&entries)),
            "its index has more than 1000 entries"
        );
    }

    #[test]
    fn document_without_any_one_field_is_parsed_or_refused_without_a_panic() {
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

    /// Returns variants of a document: for each field at any depth, one without it and one with an empty value.
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
        fn arbitrary_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse("application/json", &bytes);
        }

        #[test]
        fn parsed_digest_is_always_valid(text in "(sha256:)?[0-9a-fA-F:/.]{0,80}") {
            let body = index(&entry_json(&text, ""));
            if let Ok((_, Document::Index(entries))) = parse("", body.as_bytes()) {
                prop_assert_eq!(entries[0].digest.as_str(), text);
                prop_assert_eq!(entries[0].digest.hex().len(), 64);
            }
        }
    }
}
