//! Which manifest of an index a platform gets, and what the config of an image says.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::image::{Digest, Platform};

use super::manifest::Entry;

/// Returns the manifest that `wanted` gets: the nearest of those that run on it, the first of equals.
pub fn choose<'a>(entries: &'a [Entry], wanted: &Platform) -> Option<&'a Digest> {
    entries
        .iter()
        .filter_map(|entry| {
            let distance = entry.platform.as_ref()?.distance(wanted)?;
            Some((distance, &entry.digest))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, digest)| digest)
}

/// What the config of an image says that its builds depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Instructions that run in every build on this image.
    pub on_build: Vec<String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

/// The config as it is stored: of the OCI image specification, with `OnBuild` of Docker's own.
#[derive(Deserialize)]
struct Stored {
    config: Option<StoredConfig>,
}

#[derive(Deserialize)]
struct StoredConfig {
    #[serde(rename = "OnBuild")]
    on_build: Option<Vec<String>>,
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl ImageConfig {
    /// Reads a config blob.
    ///
    /// # Errors
    ///
    /// What is wrong with the JSON.
    pub fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let stored: Stored = serde_json::from_slice(body)?;
        Ok(stored.config.map_or_else(Self::default, |config| Self {
            on_build: config.on_build.unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::manifest::Kind;

    fn entry(digit: char, platform: Option<&str>) -> Entry {
        Entry {
            digest: digest(digit),
            kind: Kind::Manifest,
            platform: platform.map(|platform| platform.parse().unwrap()),
        }
    }

    fn digest(digit: char) -> Digest {
        format!("sha256:{}", digit.to_string().repeat(64))
            .parse()
            .unwrap()
    }

    fn chosen(entries: &[Entry], wanted: &str) -> Option<Digest> {
        choose(entries, &wanted.parse().unwrap()).cloned()
    }

    #[test]
    fn a_platform_gets_its_own_manifest_however_it_is_spelled() {
        let entries = [
            entry('a', Some("linux/amd64")),
            entry('b', Some("linux/arm64/v8")),
            entry('c', Some("windows/amd64")),
        ];
        assert_eq!(chosen(&entries, "linux/arm64"), Some(digest('b')));
        assert_eq!(chosen(&entries, "linux/x86_64"), Some(digest('a')));
        assert_eq!(chosen(&entries, "windows/amd64"), Some(digest('c')));
        assert_eq!(chosen(&entries, "linux/s390x"), None);
    }

    #[test]
    fn an_exact_variant_goes_before_an_older_one_wherever_it_stands() {
        let entries = [
            entry('5', Some("linux/arm/v5")),
            entry('6', Some("linux/arm/v6")),
            entry('7', Some("linux/arm/v7")),
        ];
        assert_eq!(chosen(&entries, "linux/arm/v7"), Some(digest('7')));
        assert_eq!(chosen(&entries[..2], "linux/arm/v7"), Some(digest('6')));
        assert_eq!(chosen(&entries[1..], "linux/arm/v5"), None);
    }

    #[test]
    fn the_first_of_two_equals_wins_and_entries_without_platform_are_nobodys() {
        let entries = [
            entry('0', None),
            entry('a', Some("linux/amd64")),
            entry('b', Some("linux/amd64")),
        ];
        assert_eq!(chosen(&entries, "linux/amd64"), Some(digest('a')));
    }

    #[test]
    fn a_config_gives_triggers_and_labels_and_may_have_neither() {
        let body =
            br#"{"architecture":"amd64","config":{"OnBuild":["COPY . /app"],"Labels":{"a":"b"}}}"#;
        let config = ImageConfig::parse(body).unwrap();
        assert_eq!(config.on_build, ["COPY . /app"]);
        assert_eq!(config.labels["a"], "b");
        let nothing = br#"{"config":{"OnBuild":null,"Labels":null}}"#;
        assert_eq!(ImageConfig::parse(nothing).unwrap(), ImageConfig::default());
        assert_eq!(ImageConfig::parse(b"{}").unwrap(), ImageConfig::default());
        assert!(ImageConfig::parse(b"<html>").is_err());
    }
}
