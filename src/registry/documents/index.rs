//! Chooses the manifest of an index for a platform, and parses the config of an image.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::image::{Digest, Platform};

use super::manifest::{Entry, StoredPlatform};

/// What an index has for a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    Manifest(&'a Digest),
    /// Nothing: the index gives the platforms of its images, and this one is not among them.
    Missing,
    /// Unknown: it may be one of the images without a platform in the index.
    Open,
}

/// Returns the manifest for `wanted`: the nearest of those that run on it, the first of equals. If the index gives no platforms, its only
/// image is for all of them.
pub fn choose<'a>(entries: &'a [Entry], wanted: &Platform) -> Choice<'a> {
    let nearest = entries
        .iter()
        .filter_map(|entry| {
            let distance = entry.platform.as_ref()?.distance(wanted)?;
            Some((distance, &entry.digest))
        })
        .min_by_key(|(distance, _)| *distance);
    match (nearest, entries) {
        (Some((_, digest)), _) => Choice::Manifest(digest),
        (None, [only]) if only.platform.is_none() => Choice::Manifest(&only.digest),
        _ if entries.iter().any(|entry| entry.platform.is_none()) => Choice::Open,
        _ => Choice::Missing,
    }
}

/// Returns `wanted`, and a platform for each version of its operating system, if the index has several and `wanted` has none: Windows' base
/// images are each for one version.
pub fn versions(entries: &[Entry], wanted: &Platform) -> BTreeSet<Platform> {
    let matching = entries
        .iter()
        .filter_map(|entry| entry.platform.as_ref())
        .filter(|platform| platform.distance(wanted).is_some());
    let versions: BTreeSet<&str> = matching.filter_map(Platform::os_version).collect();
    let mut platforms = BTreeSet::from([wanted.clone()]);
    if wanted.os_version().is_none() && versions.len() > 1 {
        platforms.extend(
            versions
                .into_iter()
                .map(|version| wanted.with_os_version(version)),
        );
    }
    platforms
}

/// The parts of an image's config that affect builds on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Its platform, where it is given.
    pub platform: Option<Platform>,
    /// The `ONBUILD` instructions, which run in every build on this image.
    pub on_build: Vec<String>,
    pub labels: BTreeMap<String, String>,
    /// When the image was made, where a valid time is given.
    #[serde(default)]
    pub created: Option<jiff::Timestamp>,
}

/// The config as stored: of the OCI image specification, with Docker's own `OnBuild`.
#[derive(Deserialize)]
struct StoredImageConfig {
    config: Option<StoredConfig>,
    created: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StoredConfig {
    on_build: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
}

impl ImageConfig {
    /// Parses a config blob.
    pub fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let stored: StoredImageConfig = serde_json::from_slice(body)?;
        let platform = serde_json::from_slice::<StoredPlatform>(body);
        let config = stored.config.unwrap_or_default();
        Ok(Self {
            platform: platform.ok().and_then(|platform| platform.platform()),
            on_build: config.on_build.unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
            created: stored
                .created
                .and_then(|created| created.as_str()?.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::documents::head::ManifestKind;

    fn entry(digit: char, platform: Option<&str>) -> Entry {
        Entry {
            digest: digest(digit),
            kind: ManifestKind::Manifest,
            platform: platform.map(|platform| platform.parse().unwrap()),
        }
    }

    fn digest(digit: char) -> Digest {
        format!("sha256:{}", digit.to_string().repeat(64))
            .parse()
            .unwrap()
    }

    fn chosen(entries: &[Entry], wanted: &str) -> Option<Digest> {
        match choose(entries, &wanted.parse().unwrap()) {
            Choice::Manifest(digest) => Some(digest.clone()),
            Choice::Missing | Choice::Open => None,
        }
    }

    #[test]
    fn index_entry_is_selected_by_any_spelling_of_its_platform() {
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
    fn exact_variant_is_selected_before_an_older_one() {
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
    fn first_of_two_equal_entries_is_selected_and_one_without_platform_last() {
        let entries = [
            entry('0', None),
            entry('a', Some("linux/amd64")),
            entry('b', Some("linux/amd64")),
        ];
        assert_eq!(chosen(&entries, "linux/amd64"), Some(digest('a')));
        let arm = "linux/arm64".parse().unwrap();
        assert_eq!(choose(&entries, &arm), Choice::Open);
        assert_eq!(choose(&entries[1..], &arm), Choice::Missing);
        assert_eq!(choose(&[], &arm), Choice::Missing);
    }

    #[test]
    fn single_image_of_an_index_without_platforms_fits_every_platform() {
        let entries = [entry('0', None), entry('1', None)];
        assert_eq!(chosen(&entries[..1], "linux/s390x"), Some(digest('0')));
        let s390x = "linux/s390x".parse().unwrap();
        assert_eq!(choose(&entries, &s390x), Choice::Open);
    }

    #[test]
    fn windows_platform_without_a_version_selects_every_version_of_the_index() {
        let entries = [
            entry('2', Some("windows(10.0.20348.9)/amd64")),
            entry('7', Some("windows(10.0.17763.6)/amd64")),
            entry('a', Some("linux/amd64")),
        ];
        let any: Platform = "windows/amd64".parse().unwrap();
        let all: Vec<(String, Option<Digest>)> = versions(&entries, &any)
            .iter()
            .map(|platform| {
                (
                    platform.to_string(),
                    chosen(&entries, &platform.to_string()),
                )
            })
            .collect();
        assert_eq!(
            all,
            [
                ("windows(10.0.17763.6)/amd64".to_owned(), Some(digest('7'))),
                ("windows(10.0.20348.9)/amd64".to_owned(), Some(digest('2'))),
                ("windows/amd64".to_owned(), Some(digest('2'))),
            ]
        );
        // The image of the next month, with the same build number, replaces that of the last month.
        assert_eq!(
            chosen(&entries, "windows(10.0.17763.1)/amd64"),
            Some(digest('7'))
        );
        assert_eq!(chosen(&entries, "windows(10.0.26100.1)/amd64"), None);
        assert_eq!(versions(&entries[1..], &any).len(), 1);
        let linux = "linux/amd64".parse().unwrap();
        assert_eq!(versions(&entries, &linux), BTreeSet::from([linux]));
    }

    #[test]
    fn image_config_may_have_onbuild_triggers_and_labels_or_neither() {
        let body =
            br#"{"architecture":"amd64","config":{"OnBuild":["COPY . /app"],"Labels":{"a":"b"}}}"#;
        let config = ImageConfig::parse(body).unwrap();
        assert_eq!(config.on_build, ["COPY . /app"]);
        assert_eq!(config.labels["a"], "b");
        assert_eq!(config.platform, None);
        let windows = br#"{"os":"windows","architecture":"amd64","os.version":"10.0.20348.1","variant":null}"#;
        let platform = ImageConfig::parse(windows).unwrap().platform;
        assert_eq!(platform.unwrap().to_string(), "windows(10.0.20348.1)/amd64");
        let nothing = br#"{"config":{"OnBuild":null,"Labels":null}}"#;
        assert_eq!(ImageConfig::parse(nothing).unwrap(), ImageConfig::default());
        assert_eq!(ImageConfig::parse(b"{}").unwrap(), ImageConfig::default());
        assert!(ImageConfig::parse(b"<html>").is_err());
    }
}
