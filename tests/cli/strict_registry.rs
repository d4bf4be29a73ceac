//! A registry that answers 406 to each request whose `Accept` does not match: tests every command that uses a registry.

use crate::support::{Image, Proxy, Registry, World};

#[test]
fn all_commands_work_with_a_registry_that_requires_content_negotiation() {
    let (world, registry, other) = (World::new(), Registry::start(), Registry::start());
    let amd64 = Image::of(&[("a", "1")]).platform("linux/amd64");
    let arm64 = Image::of(&[("a", "2")]).platform("linux/arm64");
    registry.push_index("base:1", &[amd64, arm64]);
    registry.push("web:1", &[("a", "web")]);
    registry.push("old:1", &[("a", "old")]);
    other.push("far:1", &[("a", "far")]);
    let strict = Proxy::to(&registry);
    strict.be_strict();
    let host = strict.host();
    let (base, web) = (strict.image("base:1"), strict.image("web:1"));

    let far = other.image("far:1");
    world.acrt(&["import", "--source", &far, "-n", &host]).ok();
    let out = other.image("copy:1");
    let line = ["import", "--source", &base, "-t", &out];
    world.acrt(&[&line[..], &["--all-referrers"]].concat()).ok();
    let within = world
        .acrt(&["import", "--source", &base, "-t", &strict.image("within:1")])
        .ok();
    assert_eq!(within.json()["blobs"]["mounted"], 4, "{within}");

    let create = [
        "task", "create", "-n", "mirror", "-r", &host, "--import", &base,
    ];
    let options = ["--image", "kept:1", "--platform", "linux/arm64"];
    world.acrt(&[&create[..], &options].concat()).ok();
    world.run("mirror").ok();
    world.acrt(&["task", "check"]).ok();
    world.watch_once().ok();
    world.acrt(&["image", "check", &web]);

    let health = world.acrt(&["check-health", &host]);
    health.prints(&["its API answers"]);
    for line in [
        &["repository", "list", "-n", &host][..],
        &["repository", "show", "-n", &host, "--repository", "web"],
        &[
            "repository",
            "show-tags",
            "-n",
            &host,
            "--repository",
            "web",
        ],
        &[
            "repository",
            "show-manifests",
            "-n",
            &host,
            "--repository",
            "web",
        ],
        &["manifest", "list-metadata", &strict.image("base")],
        &["manifest", "show", &base],
        &["manifest", "show-metadata", &base],
        &[
            "purge",
            "-r",
            &host,
            "--filter",
            "web:.*",
            "--ago",
            "0d",
            "--untagged",
        ],
        &["repository", "untag", "-n", &host, "-t", "old:1"],
        &["manifest", "delete", &strict.image("far:1"), "--yes"],
    ] {
        world.acrt(line).ok();
    }
    assert_eq!(registry.tags("web"), [""; 0]);
    assert_eq!(registry.digest("old:1"), None);
    assert_eq!(registry.digest("far:1"), None);
    assert_eq!(registry.platforms("within:1").len(), 2);
}
