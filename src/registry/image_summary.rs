//! The layers of an image, and how its containers start, from one manifest and one config.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use crate::image::{Digest, Platform, Reference};

use super::{
    client::Registries,
    inventory::{Inspected, ManifestPart},
    problem::{FailedRequest, LookupError, MissingPart},
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSummary {
    /// When it was made, from its config.
    pub created: Option<Timestamp>,
    /// Its layers with their compressed sizes in bytes, the lowest first.
    pub layers: Vec<(Digest, u64)>,
    /// The environment variables of its containers.
    pub env: BTreeMap<String, String>,
    /// The program that is started.
    pub entrypoint: Vec<String>,
    /// Its arguments, or the program where there is no entrypoint.
    pub cmd: Vec<String>,
    /// The user of its containers.
    pub user: String,
    /// The working directory.
    pub working_dir: String,
    pub labels: BTreeMap<String, String>,
    /// The ports that it declares to listen on.
    pub ports: BTreeSet<String>,
}

/// A config of the OCI image specification 1.1.
#[derive(Default, Deserialize)]
struct StoredImage {
    created: Option<serde_json::Value>,
    config: Option<StoredRun>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct StoredRun {
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
}

impl Registries {
    /// Reads an image that is given by digest: two requests for a manifest, for an index one more to get the manifest for `platform`.
    pub async fn summary(
        &self,
        image: &Reference,
        platform: Option<&Platform>,
    ) -> Result<ImageSummary, LookupError> {
        let mut manifest = self.inspect(image).await?;
        if manifest.is_index() {
            let child = child_for(&manifest, platform);
            let child = child.ok_or_else(|| {
                LookupError::absent(MissingPart::Platform, FailedRequest::about(image))
            })?;
            manifest = self.inspect(&image.at(child)).await?;
        }
        let layers = manifest
            .layers
            .iter()
            .map(|it| (it.digest.clone(), it.size));
        let mut summary = ImageSummary {
            layers: layers.collect(),
            ..ImageSummary::default()
        };
        let Some(config) = &manifest.config else {
            return Ok(summary);
        };
        let parse = |body: &[u8]| serde_json::from_slice::<StoredImage>(body);
        let stored = self.stored_config(image, &config.digest, parse).await?;
        summary.take(stored);
        Ok(summary)
    }
}

/// Returns the manifest of an index for a platform; the only one, where none is wanted.
fn child_for(index: &Inspected, platform: Option<&Platform>) -> Option<Digest> {
    let distance = |part: &ManifestPart| part.platform.as_ref()?.distance(platform?);
    let children = index.children.iter();
    let nearest = children.filter_map(|it| Some((distance(it)?, it)));
    let nearest = nearest.min_by_key(|(distance, _)| *distance);
    let nearest = nearest
        .map(|(_, it)| it)
        .or(match index.children.as_slice() {
            [only] => Some(only),
            _ => None,
        });
    nearest.map(|it| it.digest.clone())
}

impl ImageSummary {
    fn take(&mut self, stored: StoredImage) {
        let created = stored.created.as_ref().and_then(|it| it.as_str());
        self.created = created.and_then(|it| it.parse().ok());
        let run = stored.config.unwrap_or_default();
        let env = run.env.unwrap_or_default();
        self.env = env
            .into_iter()
            .map(|it| match it.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => (it, String::new()),
            })
            .collect();
        self.entrypoint = run.entrypoint.unwrap_or_default();
        self.cmd = run.cmd.unwrap_or_default();
        self.user = run.user.unwrap_or_default();
        self.working_dir = run.working_dir.unwrap_or_default();
        self.labels = run.labels.unwrap_or_default();
        self.ports = run.exposed_ports.unwrap_or_default().into_keys().collect();
    }

    /// Returns the compressed size of all layers in bytes.
    pub fn size(&self) -> u64 {
        let sizes = self.layers.iter().map(|(_, size)| *size);
        sizes.fold(0, u64::saturating_add)
    }
}
