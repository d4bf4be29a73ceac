//! Small images and indexes, as bytes.

use acrt::image::Digest;
use serde_json::{Value, json};

use super::scripted::Answer;

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A document that a registry stores.
#[derive(Clone, Debug)]
pub struct Document {
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

impl Document {
    pub fn digest(&self) -> String {
        Digest::of(&self.bytes).to_string()
    }

    pub fn of(media_type: &'static str, value: &Value) -> Self {
        Self {
            media_type,
            bytes: serde_json::to_vec(value).unwrap(),
        }
    }
}

/// Returns the digest of some bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// Returns a normal response with a document.
pub fn answer(document: &Document) -> Answer {
    Answer::status(200)
        .header("Content-Type", document.media_type)
        .header("Docker-Content-Digest", document.digest())
        .body(document.bytes.clone())
}

/// Returns a manifest with this config, these layers and further fields.
pub fn artifact(more: Value, config: &str, layers: &[&str]) -> Document {
    let descriptor =
        |media_type: &str| json!({"mediaType": media_type, "digest": digest_of(b"{}"), "size": 2});
    let layers: Vec<Value> = layers.iter().map(|layer| descriptor(layer)).collect();
    let mut manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
                              "config": descriptor(config), "layers": layers});
    for (name, value) in more.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    Document::of(MANIFEST, &manifest)
}

/// Returns an image config; configs with different seeds differ.
pub fn config(seed: &str, more: Value) -> Vec<u8> {
    let config = json!({"architecture": "amd64", "os": "linux", "author": seed, "config": more,
                        "rootfs": {"type": "layers", "diff_ids": []}});
    serde_json::to_vec(&config).unwrap()
}

/// Returns a manifest without layers.
pub fn manifest(config: &[u8]) -> Document {
    manifest_of(config, &[])
}

/// Returns a manifest with these layers.
pub fn manifest_of(config: &[u8], layers: &[&[u8]]) -> Document {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| {
            json!({"mediaType": "application/vnd.oci.image.layer.v1.tar",
                   "digest": Digest::of(layer).as_str(), "size": layer.len()})
        })
        .collect();
    let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json",
                        "digest": Digest::of(config).as_str(), "size": config.len()});
    Document::of(
        MANIFEST,
        &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}),
    )
}

/// Returns an index entry for a platform, such as `linux/arm64`.
pub fn entry(document: &Document, platform: &str) -> Value {
    let mut parts = platform.split('/');
    let mut platform = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        platform["variant"] = json!(variant);
    }
    json!({"mediaType": document.media_type, "digest": document.digest(), "size": document.bytes.len(),
           "platform": platform})
}

/// Returns an index entry for BuildKit's attestation of another entry.
pub fn attestation(document: &Document, of: &Document) -> Value {
    let mut entry = entry(document, "unknown/unknown");
    entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
                                  "vnd.docker.reference.digest": of.digest()});
    entry
}

pub fn index(entries: &[Value]) -> Document {
    Document::of(
        INDEX,
        &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}),
    )
}
