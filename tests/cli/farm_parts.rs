//! A build for several platforms on builders none of which has all: built in parts, and joined.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    farm::{buildctl, daemon, toggle},
    support::{BOTH_PLATFORMS, Image, Registry, World, eventually},
};

/// An image for a platform with the machine's own programs, so that `RUN` needs no emulation.
fn image(platform: &str, version: &str) -> Image {
    Image::of(&[("version", version)])
        .shell()
        .platform(platform)
}

/// Pushes an index for several platforms as `base:1`, each with its version.
fn push_base(registry: &Registry, of: &[(&str, &str)]) {
    let images: Vec<Image> = of
        .iter()
        .map(|(platform, version)| image(platform, version))
        .collect();
    registry.push_index("base:1", &images);
}

/// A pool of stand-in daemons with one platform each, and a base for both.
fn farm(daemons: &[(&str, &str)]) -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    buildctl(&world);
    let entry =
        |(name, platform): &(&str, &str)| daemon(&world, name, &format!("platforms: [{platform}]"));
    let entries: String = daemons.iter().map(entry).collect();
    let names: Vec<&str> = daemons.iter().map(|(name, _)| *name).collect();
    world.config(&format!(
        "builders:\n{entries}pools: {{farm: {{builders: [{}], by: order}}}}\ndefaults: {{builder: farm}}\n",
        names.join(", ")
    ));
    push_base(&registry, &[("linux/amd64", "1"), ("linux/arm64", "1")]);
    (world, registry)
}

fn from_base(registry: &Registry) -> String {
    format!("FROM {}\n", registry.image("base:1"))
}

fn trace(world: &World) -> String {
    fs::read_to_string(world.path("trace")).unwrap_or_default()
}

fn log_of(world: &World, run: &Value) -> String {
    let id = run["runId"].as_str().unwrap();
    world.acrt(&["task", "logs", "--run-id", id]).ok().stdout
}

#[test]
fn builders_of_three_kinds_make_one_index_and_a_moved_base_of_one_platform_is_rebuilt() {
    let (world, registry) = (World::new(), Registry::start());
    world.newer_docker();
    world.buildah();
    let address = world.buildkit();
    let mut create = world.command(world.path("bin/docker"));
    create.args([
        "buildx",
        "create",
        "--name=far",
        "--driver=remote",
        &address,
    ]);
    world
        .start(create, "docker buildx create".into())
        .wait()
        .ok();
    world.config(
        "builders:\n  bk: {kind: buildx, builder: far, platforms: [linux/arm64], buildArgs: ['--provenance=true']}\n  ah: {kind: buildah, platforms: [linux/amd64]}\n  dk: {kind: docker, platforms: [linux/s390x]}\npools: {farm: {builders: [bk, ah, dk]}}\ndefaults: {builder: farm}\n",
    );
    let base = |version: &str| {
        let of = [
            ("linux/amd64", "1"),
            ("linux/arm64", "1"),
            ("linux/s390x", version),
        ];
        push_base(&registry, &of);
    };
    base("1");
    let dockerfile = format!("{}COPY Dockerfile /d\n", from_base(&registry));
    let options = [
        "--platform",
        "linux/amd64,linux/arm64,linux/s390x",
        "--image",
        "web:1",
        "--image",
        "api:1",
    ];
    world.task_with(&registry, "web", &dockerfile, &options);
    world.run("web").ok();
    let run = &world.runs()[0];
    let mut by: Vec<&str> = run["builder"].as_str().unwrap().split(", ").collect();
    by.sort_unstable();
    assert_eq!(by, ["ah", "bk", "dk"]);
    let index = registry.document("web:latest");
    let entries = index["manifests"].as_array().unwrap();
    let platforms: Vec<&str> = entries
        .iter()
        .map(|entry| entry["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(platforms, ["amd64", "arm64", "s390x", "unknown"]);
    let arm = &entries[1]["digest"];
    assert_eq!(
        entries[3]["annotations"]["vnd.docker.reference.digest"],
        *arm
    );
    let digest = registry.digest("web:latest");
    assert_eq!(registry.digest("web:1"), digest);
    let outputs = run["outputImages"].as_array().unwrap();
    assert_eq!(outputs.len(), 3);
    assert_eq!(outputs[0]["digest"].as_str().map(str::to_owned), digest);
    assert_eq!(registry.platforms("api:1").len(), 4);
    assert_eq!(registry.tags("web"), ["1", "latest"], "parts have no tags");
    assert_eq!(registry.tags("api"), ["1"]);
    assert_eq!(world.state_of("web"), "current");
    base("2");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_ne!(registry.digest("web:latest"), digest);
    world.watch_once().ok().silent();
    let mut list = world.command(world.path("bin/docker"));
    list.args(["images", "--all", "--quiet"]);
    let kept = world.start(list, "docker images".into()).wait().ok();
    let kept: std::collections::BTreeSet<&str> = kept.stdout.lines().collect();
    assert_eq!(kept.len(), 1, "only what `dk` has built last: {kept:?}");
    // One builder fails its part, while others may have pushed theirs.
    let digest = registry.digest("web:latest");
    for architecture in ["amd64", "arm64"] {
        world.write(&format!("web/only-{architecture}"), "");
    }
    let broken = format!(
        "{}ARG TARGETARCH\nCOPY only-$TARGETARCH /x\n",
        from_base(&registry)
    );
    world.write("web/Dockerfile", &broken);
    let why = "the part for linux/s390x on builder dk failed";
    world.run("web").exits(1).says(&[why, "only-s390x"]);
    assert_eq!(registry.digest("web:latest"), digest);
    assert_eq!(registry.tags("web"), ["1", "latest"]);
}

#[test]
fn failed_platform_build_stops_the_others_and_moves_no_tag() {
    let (world, registry) = farm(&[("amd", "linux/amd64"), ("arm", "linux/arm64")]);
    world.task_with(&registry, "web", &from_base(&registry), &BOTH_PLATFORMS);
    world.run("web").ok();
    let digest = registry.digest("web:latest");
    let broken = format!("{}# BROKEN linux/arm64\n", from_base(&registry));
    world.write("web/Dockerfile", &broken);
    toggle(&world, "amd.slow");
    let begun = Instant::now();
    let why = "the part for linux/arm64 on builder arm failed";
    world.run("web").exits(1).says(&[why, "connection refused"]);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "it was waited for"
    );
    assert_eq!(world.history()[1], "web Failed");
    assert_eq!(registry.digest("web:latest"), digest);
    assert_eq!(registry.tags("web"), ["latest"]);
    let log = log_of(&world, &world.runs()[0]);
    assert!(
        log.contains("\nlinux/arm64 | error: connection refused\n"),
        "{log}"
    );
    assert!(world.processes().is_empty(), "{:?}", world.processes());
}

#[test]
fn platform_build_that_makes_an_image_for_another_platform_fails_and_moves_no_tag() {
    let (world, registry) = (World::new(), Registry::start());
    let script = "exec skopeo --override-arch amd64 copy $3 --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \
         \"docker://${4:-$(sed -n 's/^FROM //p' \"$1\")}\" \"docker://$2\"";
    world.fake("copy", script);
    push_base(&registry, &[("linux/amd64", "1"), ("linux/arm64", "1")]);
    // An index that names the wanted platform, of an image for another one.
    registry.push_index("lie:1", &[image("linux/amd64", "1")]);
    let mut lie = registry.document("lie:1");
    lie["manifests"][0]["platform"]["architecture"] = "arm64".into();
    let index = "application/vnd.oci.image.index.v1+json";
    let lie = registry.put_untagged("lie", index, &lie);
    registry.retag("lie:1", &lie);
    let config = |more: &str| {
        let entry = |name: &str, architecture: &str, more: &str| {
            format!(
                "  {name}: {{kind: command, platforms: [linux/{architecture}], build: [copy, '{{dockerfile}}', '{{image}}'{more}]}}\n"
            )
        };
        let entries = entry("amd", "amd64", "") + &entry("arm", "arm64", more);
        world.config(&format!(
            "builders:\n{entries}pools: {{farm: {{builders: [amd, arm]}}}}\ndefaults: {{builder: farm}}\n"
        ));
    };
    config("");
    let options = ["--platform", "linux/amd64,linux/arm64"];
    world.task_with(&registry, "web", &from_base(&registry), &options);
    let why = "the builder made an image for linux/amd64 where one for linux/arm64 is wanted";
    let part = "the part for linux/arm64 on builder arm failed";
    world.run("web").exits(1).says(&[part, why]);
    config(&format!(", --all, '{}'", registry.image("lie:1")));
    world.run("web").exits(1).says(&[part, why]);
    assert_eq!(registry.digest("web:latest"), None);
    // The Dockerfile itself may set the platform of its image.
    config("");
    let set = format!("FROM --platform=linux/amd64 {}\n", registry.image("base:1"));
    world.write("web/Dockerfile", &set);
    world.fake("copy", &script.replace("^FROM ", "^FROM [^ ]* "));
    world.run("web").ok();
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn acrt_killed_during_platform_builds_moves_no_tag_and_the_next_run_builds_again() {
    let (world, registry) = farm(&[("amd", "linux/amd64"), ("arm", "linux/arm64")]);
    world.task_with(&registry, "web", &from_base(&registry), &BOTH_PLATFORMS);
    world.run("web").ok();
    let digest = registry.digest("web:latest");
    push_base(&registry, &[("linux/amd64", "1"), ("linux/arm64", "2")]);
    toggle(&world, "amd.slow");
    let watch = world.spawn(&["task", "watch", "--once"]);
    eventually("the end of one part", || {
        let ended = trace(&world).matches("- arm").count();
        (ended == 2).then_some(())
    });
    watch.kill();
    toggle(&world, "amd.slow");
    assert_eq!(registry.digest("web:latest"), digest);
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_ne!(registry.digest("web:latest"), digest);
    assert_eq!(registry.tags("web"), ["latest"]);
    assert_eq!(
        registry.platforms("web:latest"),
        ["linux/amd64", "linux/arm64"]
    );
}

#[test]
fn platform_build_whose_builder_disappears_moves_to_another_builder() {
    let daemons = [
        ("amd", "linux/amd64"),
        ("arm1", "linux/arm64"),
        ("arm2", "linux/arm64"),
    ];
    let (world, registry) = farm(&daemons);
    world.task_with(&registry, "web", &from_base(&registry), &BOTH_PLATFORMS);
    world.run("web").ok();
    push_base(&registry, &[("linux/amd64", "2"), ("linux/arm64", "1")]);
    toggle(&world, "arm1.dies");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(world.history()[1..], ["web Error", "web Succeeded"]);
    let runs = world.runs();
    assert_eq!(runs[0]["builder"], "amd, arm2");
    let why = runs[1]["runErrorMessage"].as_str().unwrap();
    let said = "the part for linux/arm64 on builder arm1 failed: builder arm1 does not answer";
    assert!(why.starts_with(said), "{why}");
    assert_eq!(world.state_of("web"), "current");
    // Both builders for one of the platforms do not answer.
    toggle(&world, "arm2.down");
    push_base(&registry, &[("linux/amd64", "3"), ("linux/arm64", "1")]);
    let away = "builder arm2 does not answer since";
    world.watch_once().exits(4).says(&[away]);
    assert_eq!(world.state_of("web"), "waiting");
}

#[test]
fn multi_builder_run_takes_capacity_on_each_of_its_builders() {
    let (world, registry) = farm(&[("amd", "linux/amd64"), ("arm", "linux/arm64")]);
    let options = ["--platform", "linux/arm64"];
    world.task_with(&registry, "one", &from_base(&registry), &options);
    world.task_with(&registry, "both", &from_base(&registry), &BOTH_PLATFORMS);
    let runs = ["one", "both"].map(|name| world.spawn(&["task", "run", "-n", name]));
    for run in runs {
        run.wait().ok();
    }
    let trace = trace(&world);
    let of_arm: Vec<&str> = trace
        .lines()
        .filter(|line| line.ends_with(" arm"))
        .collect();
    assert_eq!(of_arm, ["+ arm", "- arm", "+ arm", "- arm"]);
    assert_eq!(
        registry.platforms("both:latest"),
        ["linux/amd64", "linux/arm64"]
    );
}

#[test]
fn daemon_killed_during_its_platform_build_is_replaced() {
    let (world, registry) = (World::new(), Registry::start());
    let (mut daemons, _calls, config) = world.dockers_over_tls(&["one", "two"]);
    world.buildah();
    let config = config
        .replacen(
            "{kind: docker,",
            "{kind: docker, buildArgs: ['--network=host'], platforms: [linux/amd64],",
            1,
        )
        .replacen(
            "{kind: docker, address",
            "{kind: docker, buildArgs: ['--network=host'], platforms: [linux/arm64], address",
            1,
        );
    world.config(&format!(
        "builders:\n{config}  ah: {{kind: buildah, platforms: [linux/arm64]}}\npools: {{farm: {{builders: [one, two, ah], by: order}}}}\ndefaults: {{builder: farm}}\n"
    ));
    push_base(&registry, &[("linux/amd64", "1"), ("linux/arm64", "1")]);
    world.task_with(&registry, "web", &from_base(&registry), &BOTH_PLATFORMS);
    world.run("web").ok();
    push_base(&registry, &[("linux/amd64", "2"), ("linux/arm64", "1")]);
    let slow = format!(
        "{}RUN sleep 4; cat /version > /built\n",
        from_base(&registry)
    );
    world.write("web/Dockerfile", &slow);
    let watch = world.spawn(&["task", "watch", "--once"]);
    eventually("the step of one part", || {
        let logs = world.state_files();
        let mut logs = logs.iter().filter(|(path, _)| path.ends_with("log"));
        let begun = |text: &str| {
            let mut lines = text.lines();
            lines.any(|line| line.starts_with("linux/arm64 | #") && line.contains("] RUN sleep"))
        };
        logs.any(|(_, text)| begun(text)).then_some(())
    });
    drop(daemons.pop());
    watch.wait().ok().prints(&["web: rebuilt"]);
    assert_eq!(world.history()[1..], ["web Error", "web Succeeded"]);
    assert_eq!(world.runs()[0]["builder"], "one, ah");
    assert_eq!(
        registry.platforms("web:latest"),
        ["linux/amd64", "linux/arm64"]
    );
    assert_eq!(registry.tags("web"), ["latest"]);
}

#[test]
fn part_of_a_build_whose_platforms_have_different_bases_names_its_own_base() {
    let platforms = ["linux/amd64", "linux/arm64"];
    let (world, registry) = farm(&[("one", platforms[0]), ("two", platforms[1])]);
    for (platform, name) in platforms.iter().zip(["base-amd64:1", "base-arm64:1"]) {
        registry.push_image(name, &image(platform, "1"));
    }
    let from = format!(
        "ARG TARGETARCH\nFROM {}/base-$TARGETARCH:1\n",
        registry.host()
    );
    world.task_with(&registry, "web", &from, &BOTH_PLATFORMS);
    let dry = world.acrt(&["task", "run", "--name", "web", "--dry-run"]);
    let plan = dry.ok().stdout;
    let named: Vec<(bool, bool)> = plan
        .lines()
        .map(|line| {
            let names = |base: &str| {
                let name = registry.image(base);
                line.contains(&format!("label:org.opencontainers.image.base.name={name}"))
            };
            (names("base-amd64:1"), names("base-arm64:1"))
        })
        .collect();
    assert_eq!(named, [(true, false), (false, true)], "{plan}");
}
