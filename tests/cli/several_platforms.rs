//! Builds for several platforms with podman and buildah, whose bases are indexes with names that differ between the
//! platforms.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::support::{Authority, BOTH_PLATFORMS, Calls, Gateway, Image, Registry, World};

/// Pushes bases for each platform, with their texts: an index for its own platform only, one for both, and one for all.
fn push(registry: &Registry, amd64: &str, arm64: &str) {
    let image = |platform: &str, text: &str| Image::of(&[("version", text)]).platform(platform);
    let (amd, arm) = (image("linux/amd64", amd64), image("linux/arm64", arm64));
    registry.push_index("base-amd64:1", std::slice::from_ref(&amd));
    registry.push_index("base-arm64:1", std::slice::from_ref(&arm));
    registry.push_index("more-amd64:1", std::slice::from_ref(&amd));
    let both = [image("linux/amd64", "not this"), arm.clone()];
    registry.push_index("more-arm64:1", &both);
    registry.push_index("all:1", &[amd, arm]);
}

/// Checks that the image for each platform is built on the base for it.
fn is_made_of(registry: &Registry, amd64: &str, arm64: &str) {
    let made = registry.document("web:latest");
    let mut seen = Vec::new();
    for entry in made["manifests"].as_array().unwrap() {
        let image = format!("web@{}", entry["digest"].as_str().unwrap());
        let architecture = entry["platform"]["architecture"].as_str().unwrap();
        let text = if architecture == "amd64" {
            amd64
        } else {
            arm64
        };
        for file in ["version", "more", "all"] {
            let found = registry.file(&image, file);
            assert_eq!(found.as_deref(), Some(text), "{file} for {architecture}");
        }
        // The base of one platform is not that of the other.
        for key in ["name", "digest"] {
            let label = format!("org.opencontainers.image.base.{key}");
            assert_eq!(registry.label(&image, &label), None, "{architecture}");
        }
        seen.push(architecture);
    }
    seen.sort_unstable();
    assert_eq!(seen, ["amd64", "arm64"]);
}

fn dockerfile(base: &str, more: &str) -> String {
    format!(
        "ARG TARGETARCH\nFROM {more}/more-$TARGETARCH:1 AS more\nFROM {base}/base-$TARGETARCH:1\n\
         COPY --from=more /version /more\nCOPY --from={base}/all:1 /version /all\n"
    )
}

fn builds_and_rebuilds(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    push(&registry, "one", "one for arm");
    let text = dockerfile(&registry.host(), &registry.host());
    world.task_with(&registry, "web", &text, &BOTH_PLATFORMS);
    world.run("web").ok();
    is_made_of(&registry, "one", "one for arm");
    push(&registry, "two", "two for arm");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    is_made_of(&registry, "two", "two for arm");
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn buildah_builds_each_platform_on_its_manifest_of_the_base_index() {
    builds_and_rebuilds(World::buildah);
}

#[test]
fn podman_builds_each_platform_on_its_manifest_of_the_base_index() {
    builds_and_rebuilds(World::podman);
}

/// The same with some bases on a registry with TLS: acrt itself then pulls those on the registry without.
fn builds_on_registries_with_and_without_tls(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry, authority) = (World::new(), Registry::start(), Authority::new());
    let calls = put_on_path(&world);
    let safe = registry.twin_over_tls(&authority);
    let ca = authority.certificate().display().to_string();
    world.set("SSL_CERT_FILE", &ca);
    world.config(&format!(
        "registries: {{'{}': {{plainHttp: false, caFile: '{ca}'}}}}\n",
        safe.host()
    ));
    push(&registry, "one", "one for arm");
    let text = dockerfile(&registry.host(), &safe.host());
    world.task_with(&registry, "web", &text, &BOTH_PLATFORMS);
    world.run("web").ok();
    is_made_of(&registry, "one", "one for arm");
    let digest = registry.digest("base-arm64:1").unwrap();
    let pulled = calls.of("pull");
    let is_it = |line: &&String| line.ends_with(&format!("/base-arm64@{digest}"));
    let of_arm: Vec<&String> = pulled.iter().filter(is_it).collect();
    assert!(!of_arm.is_empty(), "{pulled:?}");
    let is_named = |line: &&String| line.contains("--platform=linux/arm64");
    assert!(of_arm.iter().all(is_named), "{pulled:?}");
    // A stage with a platform of its own, in a build for this machine's.
    let of_arm = format!(
        "FROM --platform=linux/arm64 {}/base-arm64:1 AS arm\n",
        registry.host()
    );
    let text = format!(
        "{of_arm}FROM {}/all:1\nCOPY --from=arm /version /more\n",
        safe.host()
    );
    world.task(&registry, "one", &text);
    world.run("one").ok();
    assert_eq!(
        registry.file("one:latest", "more").as_deref(),
        Some("one for arm")
    );
}

#[test]
fn buildah_pulls_each_platform_from_a_registry_without_tls() {
    builds_on_registries_with_and_without_tls(World::buildah);
}

#[test]
fn podman_pulls_each_platform_from_a_registry_without_tls() {
    builds_on_registries_with_and_without_tls(World::podman);
}

#[test]
fn buildah_push_of_several_platforms_that_the_registry_refuses_is_a_failed_run() {
    let (world, registry) = (World::new(), Registry::start());
    let refuses = Arc::new(AtomicBool::new(false));
    let is_on = Arc::clone(&refuses);
    let gateway = Gateway::start(&registry, move |head| {
        let is_push = head.starts_with("PUT /v2/web/manifests/1 ");
        (is_push && is_on.load(Ordering::SeqCst)).then_some(
            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )
    });
    world.buildah();
    registry.push_both("base:1", "one", "one");
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let image = gateway.image("web:1");
    let create = ["task", "create", "-n", "web", "-c", &context, "-t", &image];
    world.acrt(&[&create[..], &BOTH_PLATFORMS].concat()).ok();
    world.run("web").ok();
    let before = registry.digest("web:1");
    registry.push_both("base:1", "two", "two");
    refuses.store(true, Ordering::SeqCst);
    let failed =
        format!("the push of `{image}` failed: the builder does not say what it has pushed");
    world.watch_once().exits(1).says(&[&failed]);
    assert_eq!(registry.digest("web:1"), before);
    assert_eq!(world.state_of("web"), "backing-off");
}

#[test]
fn base_tag_overwritten_by_an_image_for_another_platform_is_missing_and_fails_runs() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_both("base:1", "one", "one");
    let from = format!("FROM {}\n", registry.image("base:1"));
    world.task_with(&registry, "both", &from, &BOTH_PLATFORMS);
    world.task_with(&registry, "arm", &from, &["--platform", "linux/arm64"]);
    world.task(&registry, "own", &from);
    for name in ["both", "arm", "own"] {
        world.run(name).ok();
    }
    let other = |platform: &str| Image::of(&[("version", "two")]).platform(platform);
    registry.push_image("base:1", &other("linux/amd64"));
    world.watch_once().prints(&["own: rebuilt"]);
    let says = ["is not made for linux/arm64"];
    for name in ["both", "arm"] {
        assert_eq!(world.state_of(name), "missing", "{name}");
        world.run(name).exits(1).says(&says);
    }
    registry.push_image("base:1", &other("linux/arm64"));
    assert_eq!(world.state_of("own"), "missing");
    world
        .run("own")
        .exits(1)
        .says(&["is not made for linux/amd64"]);
    registry.push_both("base:1", "three", "three");
    world
        .watch_once()
        .ok()
        .prints(&["both: rebuilt", "arm: rebuilt", "own: rebuilt"]);
}

#[test]
fn error_of_platforms_that_podmans_layer_cache_mixes_up_names_the_option() {
    let (world, registry) = (World::new(), Registry::start());
    world.podman();
    world.write("web/own", "mine");
    world.task_with(
        &registry,
        "web",
        "FROM scratch\nCOPY own /own\n",
        &BOTH_PLATFORMS,
    );
    // Later versions may compare the platforms.
    if world.shell("podman --version").ok().stdout.contains(" 4.3") {
        world
            .run("web")
            .exits(1)
            .says(&["buildArgs: [--layers=false]"]);
    }
    world.config("builders: {podman: {buildArgs: [--layers=false]}}\n");
    world.run("web").ok();
}
