//! Whether an image in a builder's store is the same as one on a registry: the same config and the same layers, regardless of the times at
//! which they were made.

use serde_json::{Value, json};

use super::HeldImage;

/// The fields of a config that do not describe the image: the host that built it, and the parent image of a step in docker's classic
/// builder.
const OF_THE_BUILD: [&str; 3] = ["Hostname", "Domainname", "Image"];

impl HeldImage {
    /// Tells whether an image with this config, as on a registry, behaves the same in every container: it has the same layers, platform and
    /// settings, and was made by the same lines of a Dockerfile, as far as the builder reports them. Only times may differ.
    pub fn is_same_as(&self, config: &Value) -> bool {
        let has_layers = self.config["rootfs"]["diff_ids"].is_array();
        // Only podman and buildah report it. It shows what they leave out of the config: triggers, health checks, shells.
        let history = lines(&self.config["history"]);
        has_layers
            && essence(&self.config) == essence(config)
            && history.is_none_or(|own| Some(own) == lines(&config["history"]))
    }
}

/// Returns the relevant part of a config, without empty values, which only some builders write.
fn essence(config: &Value) -> Value {
    let mut settings = config["config"].as_object().cloned().unwrap_or_default();
    settings.retain(|key, value| !OF_THE_BUILD.contains(&key.as_str()) && !is_empty(value));
    let said = |key: &str| config[key].as_str().unwrap_or_default();
    json!({
        "os": said("os"),
        "architecture": said("architecture"),
        "variant": said("variant"),
        "config": settings,
        "layers": config["rootfs"]["diff_ids"],
    })
}

/// Tells whether a setting is empty. A port or a volume is a key with an empty value, so that only whole settings are tested.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Returns the command behind each layer of a history; `None` where it is not recorded.
fn lines(history: &Value) -> Option<Vec<&str>> {
    let entries = history.as_array()?.iter();
    Some(
        entries
            .map(|entry| entry["created_by"].as_str().unwrap_or_default())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: &str, to: Value) -> Value {
        let mut config = json!({
            "created": "2026-01-01T00:00:00Z",
            "os": "linux", "architecture": "amd64",
            "config": {"Env": ["A=b"], "Labels": {"l": "1"}, "ExposedPorts": {"80/tcp": {}}},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:aa"]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "COPY a"}],
        });
        if !change.is_empty() {
            *config.pointer_mut(change).unwrap() = to;
        }
        config
    }

    fn held(config: Value) -> HeldImage {
        HeldImage {
            config,
            ..HeldImage::default()
        }
    }

    #[test]
    fn images_that_differ_only_in_times_are_the_same() {
        let own = held(config("", Value::Null));
        let later = json!("2026-02-02T00:00:00Z");
        assert!(own.is_same_as(&config("/created", later.clone())));
        assert!(own.is_same_as(&config("/history/0/created", later)));
        for (change, to) in [
            ("/architecture", json!("arm64")),
            ("/config/Env/0", json!("A=c")),
            ("/config/Labels/l", json!("2")),
            ("/config/ExposedPorts", json!({"81/tcp": {}})),
            ("/config/ExposedPorts", json!({})),
            ("/rootfs/diff_ids/0", json!("sha256:bb")),
            ("/rootfs/diff_ids", json!([])),
            ("/history/0/created_by", json!("ONBUILD RUN x")),
        ] {
            assert!(!own.is_same_as(&config(change, to)), "{change}");
        }
    }

    #[test]
    fn equivalent_spellings_of_image_configs_are_the_same() {
        let mut own = config("", Value::Null);
        own["variant"] = json!("");
        own["config"]["Cmd"] = json!([]);
        own["config"]["Image"] = json!("sha256:cc");
        own["config"]["User"] = json!("");
        // docker does not report its history.
        own["history"] = Value::Null;
        assert!(held(own).is_same_as(&config("", Value::Null)));
        assert!(!held(Value::Null).is_same_as(&Value::Null));
    }
}
