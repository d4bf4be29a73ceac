//! Named contexts: with `--build-context name=…` a folder or an image replaces an image or a stage.
//!
//! The rules are those of BuildKit's `dockerui`: names are compared as Docker prints them, without `:latest`.

use std::collections::{BTreeMap, HashMap};

use crate::image::{Platform, Reference};

/// What a named context holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Context {
    Image(Reference),
    /// Files from elsewhere: a folder, a repository, an archive, a local image, or none at all.
    Files,
    /// A text that is no valid image name.
    Invalid(String),
}

pub(super) struct Contexts(HashMap<String, Context>);

impl Contexts {
    pub fn new(contexts: &BTreeMap<String, String>) -> Self {
        let contexts = contexts.iter().map(|(name, value)| {
            // `name::platform` is for one platform only.
            let (name, platform) = match name.split_once("::") {
                Some((name, platform)) => (name, format!("::{platform}")),
                None => (name.as_str(), String::new()),
            };
            let name = name
                .parse()
                .map_or_else(|_| name.to_owned(), |name: Reference| name.shortest());
            (name + &platform, Context::parse(value))
        });
        Self(contexts.collect())
    }

    /// Returns the context that replaces an image or a stage, if there is one.
    pub fn get(&self, name: &Reference, platform: &Platform) -> Option<&Context> {
        if self.0.is_empty() {
            return None;
        }
        let name = name.shortest();
        self.0
            .get(&format!("{name}::{platform}"))
            .or_else(|| self.0.get(&name))
    }
}

impl Context {
    fn parse(value: &str) -> Self {
        let Some(image) = value.strip_prefix("docker-image:") else {
            return Self::Files;
        };
        match image.strip_prefix("//").unwrap_or(image) {
            "scratch" => Self::Files,
            image => image
                .parse()
                .map_or_else(|_| Self::Invalid(image.to_owned()), Self::Image),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contexts(pairs: &[(&str, &str)]) -> Contexts {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Contexts::new(&pairs.collect())
    }

    fn found(contexts: &Contexts, name: &str) -> Option<Context> {
        let platform = Platform::new("linux", "amd64", None);
        contexts.get(&name.parse().unwrap(), &platform).cloned()
    }

    #[test]
    fn context_names_are_normalized_as_by_docker() {
        let contexts = contexts(&[
            ("alpine", "./x"),
            ("docker.io/library/node:latest", "./y"),
            ("ghcr.io/a/b:1", "./z"),
        ]);
        for name in [
            "alpine",
            "alpine:latest",
            "docker.io/library/alpine",
            "node",
            "ghcr.io/a/b:1",
        ] {
            assert_eq!(found(&contexts, name), Some(Context::Files), "{name}");
        }
        for name in ["alpine:3", "ghcr.io/alpine", "ghcr.io/a/b", "other/alpine"] {
            assert_eq!(found(&contexts, name), None, "{name}");
        }
    }

    #[test]
    fn named_context_may_be_an_image() {
        let contexts = contexts(&[
            ("a", "docker-image://alpine:3"),
            ("b", "docker-image://scratch"),
            ("c", "docker-image://Alpine"),
            ("d", "https://example.com/x.tar"),
        ]);
        assert_eq!(
            found(&contexts, "a"),
            Some(Context::Image("alpine:3".parse().unwrap()))
        );
        assert_eq!(found(&contexts, "b"), Some(Context::Files));
        assert_eq!(
            found(&contexts, "c"),
            Some(Context::Invalid("Alpine".into()))
        );
        assert_eq!(found(&contexts, "d"), Some(Context::Files));
    }

    #[test]
    fn named_context_may_be_for_one_platform() {
        let contexts = contexts(&[
            ("a::linux/amd64", "docker-image://b"),
            ("a", "docker-image://c"),
            ("d::linux/arm64", "docker-image://b"),
        ]);
        assert_eq!(
            found(&contexts, "a"),
            Some(Context::Image("b".parse().unwrap()))
        );
        assert_eq!(found(&contexts, "d"), None);
    }
}
