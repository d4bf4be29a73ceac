//! Media types: of images with their configs and layers, and of other contents of registries.

use oci_client::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};

/// The config of a manifest without one, as of OCI 1.1.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The types of indexes and manifests of images.
const DOCUMENTS: [&str; 4] = [
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
];

/// Types that old versions of docker gave to the configs of images, and that docker still accepts.
const VAGUE_CONFIGS: [&str; 5] = [
    "",
    "application/octet-stream",
    "application/json",
    "text/html",
    "text/plain",
];

pub fn is_image_config(media_type: &str) -> bool {
    matches!(
        media_type,
        IMAGE_CONFIG_MEDIA_TYPE | IMAGE_DOCKER_CONFIG_MEDIA_TYPE
    ) || VAGUE_CONFIGS.contains(&media_type)
}

/// Tells whether an `artifactType` says that something is no image. Images have one in lists of referrers, too: the type of their configs.
pub fn is_artifact(artifact_type: &str) -> bool {
    !is_image_config(artifact_type) && !DOCUMENTS.contains(&artifact_type)
}

/// Tells whether this is the type of a specific kind of document, neither vague nor used by images.
pub fn is_other_document(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.") && !DOCUMENTS.contains(&media_type)
}

/// Tells whether a layer contains files, in any format.
pub fn is_layer(media_type: &str) -> bool {
    let mut words = media_type.split(|c: char| !c.is_ascii_alphanumeric());
    VAGUE_CONFIGS.contains(&media_type)
        || words.any(|word| {
            matches!(
                word,
                "layer" | "rootfs" | "tar" | "gzip" | "zstd" | "erofs" | "squashfs"
            )
        })
}

/// Returns the common name for a media type: `an artifact`, if there is no better one.
pub fn name(media_type: &str) -> &'static str {
    let has = |parts: &[&str]| parts.iter().any(|part| media_type.contains(part));
    match media_type {
        _ if has(&["helm.config", "helm.chart"]) => "a Helm chart",
        _ if has(&["buildkit.cacheconfig"]) => "a build cache",
        _ if has(&["docker.plugin"]) => "a Docker plugin",
        _ if has(&["attestation", "in-toto", "dsse.envelope"]) => "an attestation",
        _ if has(&["cosign", "sigstore", "notary.signature"]) => "a signature",
        _ if has(&["spdx", "cyclonedx", "syft"]) => "an SBOM",
        _ if has(&["wasm"]) => "a WebAssembly module",
        _ => "an artifact",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_media_types_are_distinguished_from_those_of_signatures() {
        for media_type in [
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+zstd+encrypted",
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.erofs.v1",
            "application/octet-stream",
        ] {
            assert!(is_layer(media_type), "{media_type}");
        }
        for media_type in [
            "application/vnd.dev.cosign.simplesigning.v1+json",
            "application/vnd.in-toto+json",
            "application/vnd.tuf.targets+json",
            "text/spdx+json",
            EMPTY,
        ] {
            assert!(!is_layer(media_type), "{media_type}");
        }
    }

    #[test]
    fn artifact_types_have_readable_names() {
        for (media_type, named) in [
            ("application/vnd.cncf.helm.config.v1+json", "a Helm chart"),
            (
                "application/vnd.dev.cosign.simplesigning.v1+json",
                "a signature",
            ),
            (
                "application/vnd.docker.attestation.manifest.v1+json",
                "an attestation",
            ),
            ("application/vnd.buildkit.cacheconfig.v0", "a build cache"),
            ("application/vnd.unknown.artifact.v1", "an artifact"),
        ] {
            assert_eq!(name(media_type), named, "{media_type}");
        }
    }
}
