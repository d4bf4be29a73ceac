//! `acrt deps`: the dependencies of a Dockerfile, offline.

use std::collections::BTreeSet;

use crate::support::{Image, Registry, World};

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
fn deps_distinguishes_runtime_and_buildtime_images() {
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
    // It sent no request and created no file.
    assert!(!world.state().exists());
}

#[test]
fn deps_depend_on_build_arguments_and_target() {
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
fn deps_reports_dockerfile_error_with_file_line_and_column() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\nCOPY --from=9 a b\nFROM\n");
    world
        .acrt(&["deps", &context])
        .exits(2)
        .says(&[&format!("{context}/Dockerfile"), "line 3"]);
}

#[test]
fn deps_reports_lines_of_another_frontend_as_untracked() {
    let world = World::new();
    let context = world.context(
        "web",
        "# syntax=devthefuture/dockerfile-x\nFROM ./base/dockerfile#dev AS dev\nFROM node:20\n\
         INCLUDE ./common.dockerfile\nCOPY --from=dev /a /a\nCOPY --from=golang:1.22 /b /b\nFROM alpine\n",
    );
    let deps = world.acrt(&["deps", &context]).ok().json();
    assert_eq!(deps["frontend"], "devthefuture/dockerfile-x");
    assert_eq!(
        deps["runtime"],
        serde_json::json!(["docker.io/library/alpine:latest"])
    );
    assert_eq!(
        deps["buildtime"],
        serde_json::json!(["docker.io/library/golang:1.22", "docker.io/library/node:20"])
    );
    let images = deps["images"].as_array().unwrap();
    let unread = images.iter().filter(|image| image["reference"].is_null());
    let unread: Vec<_> = unread
        .map(|image| (&image["line"], &image["written"], &image["reason"]))
        .collect();
    let reason = serde_json::json!("untracked: read by another frontend");
    assert_eq!(
        unread,
        [
            (&2.into(), &"./base/dockerfile#dev".into(), &reason),
            (&4.into(), &"INCLUDE ./common.dockerfile".into(), &reason),
        ]
    );
    world
        .acrt(&["deps", &context, "-o", "table"])
        .ok()
        .prints(&["INCLUDE ./common.dockerfile", "untracked: read by another"]);
}

#[test]
fn deps_passes_on_names_that_are_no_images() {
    let world = World::new();
    let context = world.context(
        "web",
        " #check=foo\nFROM alpine:3\nEXPOSE +25\nSTOPSIGNAL SIGNEW\nRUN --new=1 x\nINCLUDE y\n",
    );
    let deps = world.acrt(&["deps", &context]).ok().json();
    assert_eq!(deps["images"].as_array().unwrap().len(), 1);
    assert_eq!(
        deps["runtime"],
        serde_json::json!(["docker.io/library/alpine:3"])
    );
}

#[test]
fn deps_named_context_may_be_called_context() {
    let world = World::new();
    let context = world.context("web", "FROM alpine:3\nCOPY --from=context /a /a\n");
    let deps = world
        .acrt(&[
            "deps",
            &context,
            "--build-context=context=docker-image://busybox",
        ])
        .ok()
        .json();
    assert_eq!(
        deps["buildtime"],
        serde_json::json!(["docker.io/library/busybox:latest"])
    );
}

#[test]
fn deps_finds_a_containerfile() {
    for name in ["dockerfile", "Containerfile"] {
        let world = World::new();
        world.write(&format!("web/{name}"), "FROM alpine:3\n");
        world.acrt(&["deps", "web"]).ok().prints(&["alpine:3"]);
        world.write(&format!("web/{name}"), "FROM A\n");
        let file = format!("web/{name}");
        world.acrt(&["deps", "web"]).exits(2).says(&[&file]);
    }
}

#[test]
fn deps_with_digests_includes_images_of_onbuild_triggers() {
    let (world, registry) = (World::new(), Registry::start());
    let tools = registry.push("tools:1", &[("tool", "one")]);
    registry.push("assets:1", &[("asset", "one")]);
    let copy = format!("COPY --from={} /tool /tool", registry.image("tools:1"));
    let base = Image::of(&[("version", "one")]).on_build(&copy);
    let base = registry.push_image("base:1", &base);
    let file = format!(
        "FROM {} AS a\nFROM {}@{base}\nCOPY --from=a / /\n",
        registry.image("assets:1"),
        registry.image("base"),
    );
    let context = world.context("web", &file);
    let buildtime = |options: &[&str]| {
        let line = [&["deps", &context], options].concat();
        world.acrt(&line).ok().json()["buildtime"].clone()
    };
    let (assets, tool) = (registry.image("assets:1"), registry.image("tools:1"));
    assert_eq!(buildtime(&[]), serde_json::json!([assets]), "offline");
    assert_eq!(buildtime(&["--digests"]), serde_json::json!([assets, tool]));
    let table = ["deps", &context, "--digests", "-o", "table"];
    world.acrt(&table).ok().prints(&["DIGEST", "sha256:"]);
    let deps = world.acrt(&["deps", &context, "--digests"]).ok().json();
    let images = deps["images"].as_array().unwrap();
    let brought = images.iter().find(|image| image["reference"] == *tool);
    let brought = brought.unwrap();
    assert_eq!(brought["digest"], *tools);
    assert_eq!(brought["line"], 2);
    let reason = brought["reason"].as_str().unwrap();
    assert!(reason.contains("ONBUILD"), "{reason}");
}

/// Dockerfiles that buildah and BuildKit read the same way, and the stage to build; `H` is the registry.
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
fn builder_pulls_exactly_the_images_that_deps_reports() {
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
