//! The annotations, and labels, with which a builder names the base of an image.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md>

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::image::{Digest, Reference};

use super::base::{Base, shown};

/// The annotation with the name of the base.
const NAME: &str = "org.opencontainers.image.base.name";

/// The annotation with the digest of the base.
const DIGEST: &str = "org.opencontainers.image.base.digest";

/// The name that stands for no base.
const SCRATCH: &str = "scratch";

/// The base in annotations or labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Annotated {
    Nothing,
    /// There is no base: buildah writes both empty for an image from `scratch`.
    Scratch,
    Base(Box<Base>),
    /// Unusable values, and why.
    Unusable(String),
}

/// Reads the base from annotations or labels.
pub fn annotated(notes: &BTreeMap<String, String>) -> Annotated {
    let [name, digest] = [NAME, DIGEST].map(|key| notes.get(key).map(|value| value.trim()));
    let is_empty = |value: Option<&str>| value.unwrap_or_default().is_empty();
    match (name, digest) {
        (None, None) => return Annotated::Nothing,
        (Some(SCRATCH), _) => return Annotated::Scratch,
        _ if is_empty(name) && is_empty(digest) => return Annotated::Scratch,
        _ => {}
    }
    let name = name.filter(|name| !name.is_empty());
    let digest = digest.filter(|digest| !digest.is_empty());
    let image = match name.map(str::parse::<Reference>).transpose() {
        Ok(image) => image,
        Err(_) => return unusable(NAME, name, "names no image"),
    };
    let digest = match digest.map(str::parse::<Digest>).transpose() {
        Ok(digest) => digest,
        Err(_) => return unusable(DIGEST, digest, "is no digest"),
    };
    Annotated::Base(Box::new(Base {
        written: shown(name.unwrap_or_default()),
        digest: digest.or_else(|| image.as_ref()?.digest().cloned()),
        image,
        platform: None,
        is_frontend: false,
    }))
}

fn unusable(key: &str, value: Option<&str>, why: &str) -> Annotated {
    let value = shown(value.unwrap_or_default());
    Annotated::Unusable(format!("`{key}` {why}: `{value}`"))
}

/// Returns the annotations of a manifest or an index; empty where it has none.
pub fn annotations_of(document: &[u8]) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Annotations {
        annotations: Option<BTreeMap<String, String>>,
    }
    let read = serde_json::from_slice::<Annotations>(document).ok();
    read.and_then(|read| read.annotations).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn base(pairs: &[(&str, &str)]) -> Base {
        match annotated(&notes(pairs)) {
            Annotated::Base(base) => *base,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn base_annotation_without_a_tag_means_latest_and_with_only_a_digest_no_tag() {
        let digest = Digest::of(b"x");
        let tagless = base(&[(NAME, "node"), (DIGEST, digest.as_str())]);
        assert_eq!(
            tagless.tag().unwrap().to_string(),
            "docker.io/library/node:latest"
        );
        assert_eq!(tagless.digest.as_ref(), Some(&digest));
        let pinned = base(&[(NAME, &format!("r.io/node@{digest}"))]);
        assert_eq!((pinned.tag(), pinned.digest), (None, Some(digest.clone())));
        let both = base(&[(NAME, &format!("r.io/node:20@{digest}"))]);
        assert_eq!(both.tag().unwrap().to_string(), "r.io/node:20");
        let nameless = base(&[(DIGEST, digest.as_str())]);
        assert_eq!((nameless.image, nameless.digest), (None, Some(digest)));
    }

    #[test]
    fn empty_base_annotations_mean_scratch() {
        for pairs in [
            &[(NAME, ""), (DIGEST, "")][..],
            &[(NAME, "scratch")],
            &[(NAME, " ")],
        ] {
            assert_eq!(annotated(&notes(pairs)), Annotated::Scratch, "{pairs:?}");
        }
        assert_eq!(annotated(&notes(&[("a", "b")])), Annotated::Nothing);
    }

    #[test]
    fn invalid_base_annotation_is_shown_without_control_characters() {
        for value in [
            "https://r.io/node:20",
            "node:20\u{1b}[2J\nx",
            "No Name",
            &"n".repeat(100_000),
        ] {
            match annotated(&notes(&[(NAME, value)])) {
                Annotated::Unusable(why) => {
                    assert!(!why.contains(char::is_control), "{why}");
                    assert!(why.len() < 500, "{}", why.len());
                }
                other => panic!("{value}: {other:?}"),
            }
        }
        let text = annotated(&notes(&[(NAME, "node"), (DIGEST, "sha256:../../etc")]));
        assert!(matches!(text, Annotated::Unusable(_)), "{text:?}");
    }
}
