//! The built-in message formats for chat services: one data file for each service, and no code.

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

/// The message templates for a service, as in the config file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preset {
    /// The service, and which of its URLs is needed.
    pub about: String,
    /// An example of such a URL.
    pub url: String,
    /// The names of the `values` that the preset needs.
    pub values: Vec<String>,
    pub headers: BTreeMap<String, String>,
    /// The title of a message, where it differs from acrt's own.
    pub title: Option<String>,
    pub body: String,
}

/// Returns the names of all presets, with their files as written.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.into_iter()
}

/// Returns the preset of this name.
pub fn preset(name: &str) -> Option<Preset> {
    let (_, text) = FILES.into_iter().find(|(known, _)| *known == name)?;
    // A test reads every preset.
    serde_yaml::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notification_preset_can_be_parsed_and_has_a_description() {
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
