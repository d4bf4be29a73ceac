//! The wordings that come with the program: one data file for each service, and no code for any.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The names of the presets, with their files.
const FILES: [(&str, &str); 6] = [
    ("discord", include_str!("presets/discord.yaml")),
    ("gotify", include_str!("presets/gotify.yaml")),
    ("ntfy", include_str!("presets/ntfy.yaml")),
    ("slack", include_str!("presets/slack.yaml")),
    ("teams", include_str!("presets/teams.yaml")),
    ("telegram", include_str!("presets/telegram.yaml")),
];

/// What a service is told with: templates, as a receiver of the config file has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preset {
    /// The service, and what of it the URL is.
    pub about: String,
    /// What such a URL looks like.
    pub url: String,
    /// The names of the `values` that it needs.
    pub values: Vec<String>,
    pub headers: BTreeMap<String, String>,
    /// The title of a message, where it is another than acrt's own.
    pub title: Option<String>,
    pub body: String,
}

/// Returns the names of all presets, with their files as they are written.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.into_iter()
}

/// Returns the preset of this name.
pub fn preset(name: &str) -> Option<Preset> {
    let (_, text) = FILES.into_iter().find(|(known, _)| *known == name)?;
    // Each is read by a test.
    serde_yaml::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_read_and_says_what_it_is_for() {
        for (name, _) in all() {
            let preset = preset(name).unwrap_or_else(|| panic!("{name}"));
            assert!(preset.url.starts_with("https://"), "{name}");
            assert!(
                !preset.about.is_empty() && !preset.body.is_empty(),
                "{name}"
            );
        }
        assert_eq!(preset("pager"), None);
    }
}
