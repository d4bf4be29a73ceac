//! The config of an image, as far as it shows what the image was built on.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::image::{Digest, Platform};

use super::bounded::list;

/// More layers, or entries of a history, than any image has.
const MAX_ENTRIES: usize = 10_000;

/// The parts of an image's config that show how it was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageRecord {
    /// Its platform, where it is given.
    pub platform: Option<Platform>,
    /// The labels, inherited ones too.
    pub labels: BTreeMap<String, String>,
    /// When it was made, where that is given.
    pub created: Option<Timestamp>,
    /// The digests of its uncompressed layers, the lowest first.
    pub layers: Vec<Digest>,
    /// The steps that made it, with and without layers.
    pub history: Vec<HistoryEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HistoryEntry {
    #[serde(default)]
    pub created: Option<String>,
    #[serde(default)]
    pub created_by: Option<String>,
    #[serde(default)]
    pub empty_layer: bool,
}

#[derive(Deserialize)]
struct StoredRecord {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    created: Option<String>,
    config: Option<LabelConfig>,
    rootfs: Option<StoredLayers>,
    #[serde(default, deserialize_with = "list::<_, _, MAX_ENTRIES>")]
    history: Vec<HistoryEntry>,
}

#[derive(Deserialize)]
struct LabelConfig {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct StoredLayers {
    #[serde(default, deserialize_with = "list::<_, _, MAX_ENTRIES>")]
    diff_ids: Vec<String>,
}

impl ImageRecord {
    /// Parses a config.
    pub fn parse(config: &[u8]) -> Result<Self, String> {
        let stored: StoredRecord = serde_json::from_slice(config)
            .map_err(|problem| format!("its config is malformed: {problem}"))?;
        let layers = stored.rootfs.unwrap_or_default().diff_ids;
        let layers: Result<Vec<Digest>, _> = layers.iter().map(|it| it.parse()).collect();
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let platform = text(&stored.os).zip(text(&stored.architecture));
        let platform = platform.map(|(os, architecture)| {
            Platform::new(&os, &architecture, text(&stored.variant).as_deref())
                .with_os_version(stored.os_version.as_deref().unwrap_or_default())
        });
        Ok(Self {
            platform,
            labels: stored.config.and_then(|it| it.labels).unwrap_or_default(),
            created: stored.created.and_then(|created| created.parse().ok()),
            layers: layers.map_err(|_| "its config names layers by no digests".to_owned())?,
            history: stored.history,
        })
    }
}
