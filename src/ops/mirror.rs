//! Compares the mirrors that the config file names with their sources, to decide whether a build may use them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::Error,
    image::{Digest, Platform, Reference},
    registry::ResolvedTag,
    task::Manifests,
};

use super::App;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The mirror, with the tag or digest of its source.
    pub image: Reference,
    pub state: MirrorState,
}

/// How a mirror compares with its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorState {
    /// It is the same for all platforms that count, and has this digest.
    Current(Digest),
    /// It is a different image, and has this digest.
    Behind(Digest),
    Missing,
    /// It could not be looked at.
    Unknown(String),
}

impl Mirror {
    /// Returns the mirror by its digest, if a build may use it.
    pub fn usable(&self) -> Option<Reference> {
        match &self.state {
            MirrorState::Current(digest) => Some(self.image.at(digest.clone())),
            _ => None,
        }
    }

    pub fn word(&self) -> &'static str {
        match self.state {
            MirrorState::Current(_) => "current",
            MirrorState::Behind(_) => "behind",
            MirrorState::Missing => "missing",
            MirrorState::Unknown(_) => "unknown",
        }
    }

    /// Returns why it is not used, and what to do; `None` where it is used.
    pub fn complaint(&self, source: &Reference, digest: &Digest) -> Option<String> {
        let image = &self.image;
        // A copy has the digest of its source, so that only its tag can be given.
        let target = match (image.digest(), image.tag()) {
            (None, _) => format!("--image {image}"),
            (Some(_), Some(tag)) => format!("--image {}:{tag}", image.name()),
            (Some(_), None) => format!("--repository {}", image.name()),
        };
        let copy = format!("acrt import --source {source} {target} --force");
        match &self.state {
            MirrorState::Current(_) => None,
            MirrorState::Behind(there) => Some(format!(
                "mirror `{image}` is behind `{source}`: it has {}, and the source {}; the source is used; to update the mirror: {copy}",
                there.short(),
                digest.short()
            )),
            MirrorState::Missing => Some(format!(
                "mirror `{image}` of `{source}` does not exist; the source is used; to create the mirror: {copy}"
            )),
            MirrorState::Unknown(why) => Some(format!(
                "cannot tell whether mirror `{image}` matches `{source}`, so that the source is used: {why}"
            )),
        }
    }
}

/// An image whose mirror is to be compared.
#[derive(Clone, Debug)]
pub struct MirrorQuery {
    /// The digest of the source.
    pub digest: Digest,
    /// The manifests for the platforms that count; if empty, the digest alone decides.
    pub manifests: Manifests,
}

/// Compares mirrors with their sources: one look at each mirror.
pub async fn compare(
    app: &App,
    wanted: &BTreeMap<Reference, MirrorQuery>,
) -> BTreeMap<Reference, Mirror> {
    let copies: BTreeMap<Reference, Reference> = wanted
        .keys()
        .filter_map(|source| Some((source.clone(), app.copy_of(source)?)))
        .collect();
    let open: BTreeSet<Reference> = copies.values().cloned().collect();
    let looked = app.registries().look_all(open.into_iter().collect()).await;
    let looked: BTreeMap<Reference, _> = looked.into_iter().collect();
    let mut found = BTreeMap::new();
    for (source, image) in copies {
        let state = match (looked.get(&image), wanted.get(&source)) {
            (Some(Ok(seen)), Some(wanted)) => judge(app, &image, seen, wanted).await,
            (Some(Err(error)), _) if error.is_absent() => MirrorState::Missing,
            (Some(Err(error)), _) => MirrorState::Unknown(Error::from(error.clone()).one_line()),
            _ => continue,
        };
        found.insert(source, Mirror { image, state });
    }
    found
}

async fn judge(
    app: &App,
    image: &Reference,
    seen: &ResolvedTag,
    wanted: &MirrorQuery,
) -> MirrorState {
    if seen.digest == wanted.digest {
        return MirrorState::Current(seen.digest.clone());
    }
    let platforms: Vec<Platform> = wanted.manifests.keys().cloned().collect();
    if platforms.is_empty() {
        return MirrorState::Behind(seen.digest.clone());
    }
    // A mirror with only some of the platforms has another index, and may be used for these.
    match app.registries().platforms(image, seen, &platforms).await {
        Ok(found) => {
            let mut wanted = wanted.manifests.iter();
            if wanted.all(|(platform, digest)| found.get(platform) == Some(digest)) {
                MirrorState::Current(seen.digest.clone())
            } else {
                MirrorState::Behind(seen.digest.clone())
            }
        }
        Err(error) => MirrorState::Unknown(Error::from(error).one_line()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(state: MirrorState) -> Mirror {
        Mirror {
            image: "registry.lan:5000/base/node:20".parse().unwrap(),
            state,
        }
    }

    #[test]
    fn mirror_is_used_only_with_the_digest_of_its_source() {
        let digest = Digest::of(b"new");
        let used = mirror(MirrorState::Current(digest.clone())).usable();
        let expected = format!("registry.lan:5000/base/node@{digest}");
        assert_eq!(used.unwrap().to_string(), expected);
        for state in [
            MirrorState::Behind(Digest::of(b"old")),
            MirrorState::Missing,
            MirrorState::Unknown("it is down".into()),
        ] {
            assert_eq!(mirror(state).usable(), None);
        }
    }

    #[test]
    fn mirror_that_is_behind_reports_the_import_command() {
        let source: Reference = "node:20".parse().unwrap();
        let digest = Digest::of(b"new");
        let text = mirror(MirrorState::Missing)
            .complaint(&source, &digest)
            .unwrap();
        assert!(
            text.ends_with(
                "acrt import --source docker.io/library/node:20 --image registry.lan:5000/base/node:20 --force"
            ),
            "{text}"
        );
        for (tag, target) in [
            (":20", "--image registry.lan:5000/base/node:20"),
            ("", "--repository registry.lan:5000/base/node"),
        ] {
            let missing = Mirror {
                image: format!("registry.lan:5000/base/node{tag}@{digest}")
                    .parse()
                    .unwrap(),
                state: MirrorState::Missing,
            };
            let pinned: Reference = format!("node{tag}@{digest}").parse().unwrap();
            let text = missing.complaint(&pinned, &digest).unwrap();
            let command = format!("acrt import --source {pinned} {target} --force");
            assert!(text.ends_with(&command), "{text}");
        }
        let current = mirror(MirrorState::Current(digest.clone()));
        assert_eq!(current.complaint(&source, &digest), None);
    }
}
