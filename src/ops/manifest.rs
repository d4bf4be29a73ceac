//! Manifests of a repository.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, Reference},
};

use super::{
    App,
    inventory::{Described, Inventory},
    repository::{Attributes, Listing, not_found},
    task::named_registry,
};

/// A manifest or an index, in az's shape.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    changeable_attributes: Attributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_media_type: Option<String>,
    created_time: Option<Timestamp>,
    pub digest: Digest,
    image_size: u64,
    last_update_time: Option<Timestamp>,
    media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

/// A manifest, as `az acr repository show-manifests` shows it without `--detail`.
#[derive(Clone, Debug, Serialize)]
pub struct ShortAnswer {
    digest: Digest,
    tags: Vec<String>,
    timestamp: Option<Timestamp>,
}

impl From<ManifestAnswer> for ShortAnswer {
    fn from(manifest: ManifestAnswer) -> Self {
        Self {
            digest: manifest.digest,
            tags: manifest.tags,
            timestamp: manifest.last_update_time,
        }
    }
}

impl ManifestAnswer {
    fn new(described: &Described, tags: Vec<String>) -> Self {
        let manifest = &described.manifest;
        let platform = described.platform.as_ref();
        let parts = manifest.config.iter().chain(&manifest.layers);
        let size: u64 = parts.map(|part| part.size).fold(0, u64::saturating_add);
        Self {
            architecture: platform.map(|it| it.architecture().to_owned()),
            artifact_type: manifest.artifact_type.clone(),
            changeable_attributes: Attributes::OPEN,
            config_media_type: manifest.config.as_ref().map(|it| it.media_type.clone()),
            created_time: described.updated,
            digest: manifest.digest.clone(),
            image_size: if manifest.is_index() {
                u64::try_from(manifest.bytes.len()).unwrap_or(u64::MAX)
            } else {
                size
            },
            last_update_time: described.updated,
            media_type: manifest.media_type.clone(),
            os: platform.map(|it| it.os().to_owned()),
            tags,
        }
    }
}

/// Lists the manifests of a repository: those that its tags point to, those that these list, and those that runs have pushed. No registry but
/// ACR lists others.
///
/// # Errors
///
/// [`Kind::NotFound`] where there are none; [`Kind::Unknown`] where the registry does not answer.
pub async fn list(
    app: &App,
    registry: Option<&str>,
    repository: &str,
    listing: Listing,
) -> Result<Vec<ManifestAnswer>> {
    let registry = named_registry(app, registry, None)?;
    let inventory = Inventory::of(app, &registry, repository)?;
    let mut tags: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for tag in inventory.tags().await? {
        if let Some(seen) = tag.seen {
            tags.entry(seen.digest).or_default().push(tag.name);
        }
    }
    let digests: Vec<Digest> = tags.keys().cloned().chain(inventory.pushed()).collect();
    let all = inventory.describe_all(digests).await?;
    let mut answers: Vec<ManifestAnswer> = all
        .iter()
        .filter_map(|(digest, described)| {
            let tags = tags.remove(digest).unwrap_or_default();
            Some(ManifestAnswer::new(described.as_ref()?, tags))
        })
        .collect();
    if answers.is_empty() {
        let name = inventory.repository.name();
        return Err(Error::new(
            Kind::NotFound,
            format!("there is no manifest in `{name}` that is known"),
        ));
    }
    listing.arrange(&mut answers, |manifest| manifest.last_update_time);
    Ok(answers)
}

pub async fn metadata(app: &App, image: &Reference) -> Result<ManifestAnswer> {
    let inventory = Inventory::of(app, image.registry(), image.repository())?;
    let (digest, tags) = super::repository::named_with(app, image).await?;
    match inventory.describe(&digest).await? {
        Some(described) => Ok(ManifestAnswer::new(&described, tags)),
        None => Err(Error::new(Kind::NotFound, format!("there is no `{image}`"))),
    }
}

/// Returns the bytes of the manifest that an image names.
pub async fn show(app: &App, image: &Reference) -> Result<Vec<u8>> {
    let manifest = app.registries().inspect(image).await;
    Ok(manifest.map_err(not_found)?.bytes)
}
