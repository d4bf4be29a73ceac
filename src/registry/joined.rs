//! Builds an index over the images of a build that was made in parts, each for some of the platforms. All parts are in its repository
//! already.

use std::collections::{BTreeMap, BTreeSet};

use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
};
use serde_json::{Value, json};

use crate::image::{Digest, Platform, Reference};

use super::{
    client::Registries,
    inventory::Inspected,
    problem::{FailedRequest, LookupError},
};

/// What one part of a build has pushed.
#[derive(Clone, Debug)]
pub struct JoinedPart {
    /// The digest: of an image, of an index of several images, or of an index of an image with its attestations.
    pub digest: Digest,
    /// The platforms that it was to be built for.
    pub platforms: Vec<Platform>,
}

/// An index of parts, of the [OCI image specification](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-index.md), or a
/// Docker manifest list where all parts are Docker images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedIndex {
    pub digest: Digest,
    media_type: &'static str,
    bytes: Vec<u8>,
}

impl Registries {
    /// Builds an index of `parts`, all of which are in `repository`. Writes nothing. The same parts give the same index, whichever builder
    /// has built which of them. `annotations` are those of the index; a Docker manifest list has none.
    pub async fn join(
        &self,
        repository: &Reference,
        parts: &[JoinedPart],
        annotations: &BTreeMap<String, String>,
    ) -> Result<JoinedIndex, LookupError> {
        let mut read = Vec::new();
        for part in parts {
            let image = repository.at(part.digest.clone());
            let document = self.inspect(&image).await?;
            let (_, platform) = self.made(&image, &document).await?;
            read.push((document, platform, part));
        }
        let mut entries = Vec::new();
        for (document, platform, part) in &read {
            let listed = listed(document, platform.as_ref(), part);
            entries.extend(listed.ok_or_else(|| {
                let asked = FailedRequest::about(&repository.at(part.digest.clone()));
                LookupError::bad_reply("it is neither an image nor an index".to_owned(), asked)
            })?);
        }
        Ok(index(entries, annotations))
    }

    /// Writes an index of [`Self::join`] under the name in `image`: a tag, or its digest.
    pub async fn put_index(
        &self,
        image: &Reference,
        index: &JoinedIndex,
    ) -> Result<(), LookupError> {
        self.put(image, index.media_type, index.bytes.clone()).await
    }
}

/// Returns the entries for a part: those of its own index unchanged, with all attestations, or one entry for its image.
fn listed(
    document: &Inspected,
    made_for: Option<&Platform>,
    part: &JoinedPart,
) -> Option<Vec<Value>> {
    if document.is_index() {
        let index: Value = serde_json::from_slice(&document.bytes).ok()?;
        return index["manifests"].as_array().cloned();
    }
    document.config.as_ref()?;
    let planned = match part.platforms.as_slice() {
        // An image seldom states its variant, and never that it is used for another platform.
        [planned] => Some(planned),
        _ => made_for,
    };
    let mut entry = json!({
        "mediaType": document.media_type,
        "digest": document.digest,
        "size": document.bytes.len(),
    });
    if let Some(planned) = planned {
        let made = made_for.and_then(Platform::os_version);
        let version = planned.os_version().or(made);
        entry["platform"] = written(planned, version);
    }
    Some(vec![entry])
}

fn written(platform: &Platform, version: Option<&str>) -> Value {
    let mut fields = json!({ "architecture": platform.architecture(), "os": platform.os() });
    if let Some(variant) = platform.variant() {
        fields["variant"] = variant.into();
    }
    if let Some(version) = version {
        fields["os.version"] = version.into();
    }
    fields
}

/// Writes an index of these entries: images in the order of their platforms, then their attestations.
fn index(mut entries: Vec<Value>, annotations: &BTreeMap<String, String>) -> JoinedIndex {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut seen = BTreeSet::new();
    entries.retain(|entry| seen.insert((text(&entry["digest"]), entry["platform"].to_string())));
    let place = |entry: &Value| {
        let of = &entry["platform"];
        let (os, architecture) = (text(&of["os"]), text(&of["architecture"]));
        let platform = Platform::new(&os, &architecture, of["variant"].as_str());
        (os == "unknown", platform, text(&entry["digest"]))
    };
    entries.sort_by_key(place);
    let is_dockers = |entry: &Value| entry["mediaType"] == IMAGE_MANIFEST_MEDIA_TYPE;
    let is_list = entries.iter().all(is_dockers);
    let media_type = if is_list {
        IMAGE_MANIFEST_LIST_MEDIA_TYPE
    } else {
        OCI_IMAGE_INDEX_MEDIA_TYPE
    };
    let mut document = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": entries,
    });
    if !is_list && !annotations.is_empty() {
        document["annotations"] = json!(annotations);
    }
    // A `Value` of valid UTF-8 with strings as keys can always be written.
    let bytes = document.to_string().into_bytes();
    JoinedIndex {
        digest: Digest::of(&bytes),
        media_type,
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

    fn entry(media_type: &str, name: &str, platform: Option<&str>) -> Value {
        let mut entry = json!({
            "mediaType": media_type,
            "digest": Digest::of(name.as_bytes()),
            "size": 1,
        });
        let platform: Option<Platform> = platform.map(|it| it.parse().unwrap());
        entry["platform"] = match platform {
            Some(platform) => written(&platform, platform.os_version()),
            None => json!({"os": "unknown", "architecture": "unknown"}),
        };
        entry
    }

    fn document(index: &JoinedIndex) -> Value {
        serde_json::from_slice(&index.bytes).unwrap()
    }

    #[test]
    fn joined_index_is_the_same_for_any_order_of_its_parts_with_attestations_last() {
        let amd = entry(OCI, "amd", Some("linux/amd64"));
        let mut attested = entry(OCI, "attested", None);
        attested["annotations"] = json!({"vnd.docker.reference.digest": amd["digest"]});
        let arm = entry(OCI, "arm", Some("linux/arm/v6"));
        let annotations = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let of = |entries: &[&Value]| {
            let entries = entries.iter().copied().cloned().collect();
            index(entries, &annotations)
        };
        let joined = of(&[&arm, &amd, &attested]);
        assert_eq!(joined, of(&[&amd, &attested, &arm, &amd]));
        let document = document(&joined);
        assert_eq!(document["manifests"], json!([amd, arm, attested]));
        assert_eq!(document["mediaType"], OCI_IMAGE_INDEX_MEDIA_TYPE);
        assert_eq!(document["annotations"]["a"], "b");
        assert_eq!(joined.digest, Digest::of(&joined.bytes));
        assert_eq!(document["manifests"][1]["platform"]["variant"], "v6");
    }

    #[test]
    fn docker_images_are_joined_to_a_docker_manifest_list() {
        let amd = entry(IMAGE_MANIFEST_MEDIA_TYPE, "amd", Some("linux/amd64"));
        let arm = entry(IMAGE_MANIFEST_MEDIA_TYPE, "arm", Some("linux/arm/v6"));
        let annotations = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let list = document(&index(vec![amd.clone(), arm], &annotations));
        assert_eq!(list["mediaType"], IMAGE_MANIFEST_LIST_MEDIA_TYPE);
        assert!(list.get("annotations").is_none());
        let oci = entry(OCI, "arm", Some("linux/arm/v6"));
        let mixed = document(&index(vec![amd, oci], &annotations));
        assert_eq!(mixed["mediaType"], OCI_IMAGE_INDEX_MEDIA_TYPE);
    }
}
