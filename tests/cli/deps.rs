//! `acrt deps`: what a Dockerfile stands on, offline.

use crate::support::World;

const DOCKERFILE: &str = "\
ARG TAG=20
FROM golang:1.22 AS build
RUN make
FROM build AS unused
FROM node:${TAG}-alpine
COPY --from=build /bin/app /app
COPY --from=ghcr.io/acme/assets@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa /a /a
";

#[test]
fn runtime_and_buildtime_images_are_told_apart() {
    let world = World::new();
    let context = world.context("web", DOCKERFILE);
    let deps = world.acrt(&["deps", &context]).ok().json();
    assert_eq!(
        deps["runtime"],
        serde_json::json!(["docker.io/library/node:20-alpine"])
    );
    let buildtime: Vec<_> = deps["buildtime"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i.as_str().unwrap())
        .collect();
    assert_eq!(buildtime.len(), 2, "{buildtime:?}");
    assert!(buildtime.contains(&"docker.io/library/golang:1.22"));
    // It asked nobody and made nothing.
    assert!(!world.state().exists());
}

#[test]
fn arguments_and_target_decide() {
    let world = World::new();
    let context = world.context("web", DOCKERFILE);
    let runtime = |options: &[&str]| {
        let deps = world
            .acrt(&[&["deps", &context], options].concat())
            .ok()
            .json();
        deps["runtime"][0].as_str().unwrap().to_owned()
    };
    assert_eq!(
        runtime(&["--arg", "TAG=22"]),
        "docker.io/library/node:22-alpine"
    );
    assert_eq!(
        runtime(&["--target", "unused"]),
        "docker.io/library/golang:1.22"
    );
}

#[test]
fn a_mistake_is_named_with_file_line_and_column() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\nCOPY --from=9 a b\nFROM\n");
    world
        .acrt(&["deps", &context])
        .exits(2)
        .says(&[&format!("{context}/Dockerfile"), "line 3"]);
}
