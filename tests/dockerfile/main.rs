//! Dependencies of Dockerfiles: cases with results, properties, and a long run of broken files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod cases;
mod fuzz;
mod properties;

use std::collections::BTreeMap;

use acrt::{
    dockerfile::{BaseImage, Build, Dockerfile, Pinning, Unpinnable},
    image::{Digest, Platform},
};

/// Returns a build for `platforms`, on linux/amd64.
fn build(platforms: &[&str]) -> Build {
    Build {
        args: BTreeMap::new(),
        target: None,
        platforms: platforms.iter().map(|text| text.parse().unwrap()).collect(),
        build_platform: Platform::new("linux", "amd64", None),
        contexts: BTreeMap::new(),
        on_build: BTreeMap::new(),
        without_frontend: false,
    }
}

/// Returns a digest to pin a base to.
fn pin(base: &BaseImage) -> Option<Digest> {
    Some(Digest::of(base.reference.to_string().as_bytes()))
}

/// Checks the invariants for any bytes; returns whether they are a buildable Dockerfile.
fn check(bytes: &[u8], build: &Build) -> bool {
    let Ok(file) = Dockerfile::parse(bytes) else {
        return false;
    };
    let Ok(bases) = file.bases(build) else {
        return false;
    };
    assert_eq!(
        file.rewritten(&bases, &|_| None),
        bytes,
        "a copy without pins is the file"
    );
    let pinned = file.rewritten(&bases, &|base| Some(base.reference.at(pin(base)?)));
    let copy = Dockerfile::parse(&pinned).unwrap();
    let found = copy.bases(build).unwrap();
    assert_eq!(
        found.len(),
        bases.len(),
        "{}",
        String::from_utf8_lossy(&pinned)
    );
    assert_eq!(copy.unread(build).len(), file.unread(build).len());
    let has_stages_elsewhere = bases
        .iter()
        .any(|base| base.pinning == Pinning::Impossible(Unpinnable::Stage));
    for (base, found) in bases.iter().zip(&found) {
        let wanted = match &base.pinning {
            Pinning::Place(_) => base.reference.at(pin(base).unwrap()),
            Pinning::Impossible(_) => base.reference.clone(),
        };
        assert_eq!(
            found.reference,
            wanted,
            "{}",
            String::from_utf8_lossy(&pinned)
        );
        // An image that can be pinned in only one of its places is two images in the copy, each with a kind of its own.
        assert!(
            found.kind == base.kind || has_stages_elsewhere,
            "{}",
            String::from_utf8_lossy(&pinned)
        );
    }
    true
}
