//! `acrt deps`: what a Dockerfile stands on, offline.

use std::collections::BTreeSet;

use crate::support::{Registry, World};

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

/// Dockerfiles that buildah and BuildKit read alike, and the stage to build; `H` is the registry.
const BUILT: [(&str, Option<&str>); 14] = [
    ("FROM H/a:1\n", None),
    (
        "FROM H/a:1 AS b\nFROM H/c:1\nCOPY --from=b /version /v\n",
        None,
    ),
    ("FROM H/a:1 AS unused\nFROM H/c:1\n", None),
    ("ARG T=1\nFROM H/a:$T\n", None),
    ("ARG T\nFROM H/a:${T:-2}\n", None),
    ("FROM H/a:1\nCOPY --from=H/c:1 /version /v\n", None),
    (
        "FROM H/a:1 AS x\nFROM x\nCOPY --from=H/c:1 /version /v\n",
        None,
    ),
    ("FROM H/a:1\nFROM H/c:1\nCOPY --from=0 /version /v\n", None),
    (
        "FROM \\\n  # in between\n  H/a:1 \\\n  AS z\nFROM z\n",
        None,
    ),
    ("from H/a:1\ncopy --from=H/c:1 /version /v\n", None),
    ("FROM scratch\nCOPY --from=H/a:1 /version /v\n", None),
    ("FROM --platform=linux/amd64 H/a:1\n", None),
    ("FROM H/a:1 AS one\nFROM H/c:1 AS two\n", Some("one")),
    (
        "FROM H/a:1 AS p\nFROM H/a:2 AS q\nFROM H/c:1\nCOPY --from=p /version /v\n",
        None,
    ),
];

#[test]
fn a_real_builder_pulls_the_images_that_are_told_and_no_others() {
    let registry = Registry::start();
    for image in ["a:1", "a:2", "c:1"] {
        registry.push(image, &[("version", image)]);
    }
    for (dockerfile, target) in BUILT {
        let world = World::new();
        world.buildah();
        let dockerfile = dockerfile.replace("H/", &registry.image(""));
        let context = world.context("web", &dockerfile);
        let target: Vec<String> = target.iter().map(|t| format!("--target={t}")).collect();

        registry.forget_requests();
        let mut build = world.command(world.path("bin/buildah"));
        build.args(["build", "--tls-verify=false"]).args(&target);
        build.arg(&context);
        world.start(build, "buildah build".to_owned()).wait().ok();
        let tags = registry.requests().into_iter().filter_map(|request| {
            let (name, tag) = request
                .path
                .strip_prefix("/v2/")?
                .split_once("/manifests/")?;
            (!tag.starts_with("sha256:")).then(|| registry.image(&format!("{name}:{tag}")))
        });
        let pulled: BTreeSet<String> = tags.collect();

        let target = target.iter().map(String::as_str);
        let line: Vec<&str> = ["deps", &context].into_iter().chain(target).collect();
        let answer = world.acrt(&line).ok().json();
        let told: BTreeSet<String> = ["runtime", "buildtime"]
            .iter()
            .flat_map(|kind| answer[*kind].as_array().unwrap())
            .map(|image| image.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(told, pulled, "{dockerfile}");
    }
}
