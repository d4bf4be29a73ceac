//! `acrt task check`: what is stale, and why, without building.

use crate::support::{Registry, World};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    (world, registry)
}

#[test]
fn it_names_the_image_and_both_digests_and_builds_nothing() {
    let (world, registry) = world();
    let old = registry.digest("base:1").unwrap();
    assert_eq!(world.state_of("web"), "current");
    let new = registry.push("base:1", &[("version", "two")]);
    let check = world.acrt(&["task", "check"]).ok().json();
    let task = &check[0];
    assert_eq!(task["state"], "stale");
    let image = &task["images"][0];
    assert_eq!(image["image"], registry.image("base:1"));
    assert_eq!(image["state"], "moved");
    assert_eq!(image["line"], 1);
    assert_eq!(image["recordedDigest"], old);
    assert_eq!(image["currentDigest"], new);
    assert_eq!(world.runs().len(), 1);
    // A digest that returns is no update.
    registry.push("base:1", &[("version", "one")]);
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn the_exit_code_tells_when_asked() {
    let (world, registry) = world();
    let check = ["task", "check", "--exit-code"];
    world.acrt(&check).ok();
    registry.push("base:1", &[("version", "two")]);
    world.acrt(&check).exits(10);
    world.acrt(&["task", "check"]).ok();
}

#[test]
fn tag_that_is_gone_is_missing_since_when_and_back_unchanged_is_current() {
    let (world, registry) = world();
    let digest = registry.digest("base:1").unwrap();
    registry.delete("base", &digest);
    let check = world.acrt(&["task", "check"]).exits(4);
    let task = check.json()[0].clone();
    assert_eq!(task["state"], "missing");
    assert_eq!(task["images"][0]["state"], "missing");
    assert!(task["images"][0]["errorSince"].is_string(), "{task}");
    assert_eq!(task["images"][0]["recordedDigest"], digest);
    let why = task["images"][0]["error"].as_str().unwrap();
    assert!(why.contains("base"), "{why}");
    registry.push("base:1", &[("version", "one")]);
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn a_registry_that_is_down_is_unknown_since_when() {
    let (world, registry) = world();
    registry.stop();
    let task = world.acrt(&["task", "check", "-n", "web"]).exits(4).json()[0].clone();
    assert_eq!(task["state"], "unknown");
    assert!(task["images"][0]["errorSince"].is_string(), "{task}");
    registry.restart();
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn one_task_can_be_asked_for() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("web:latest"));
    world.tracked_task(&registry, "site", &dockerfile);
    let check = world.acrt(&["task", "check", "-n", "site"]).ok().json();
    assert_eq!(check.as_array().unwrap().len(), 1);
    assert_eq!(check[0]["name"], "site");
    world.acrt(&["task", "check", "-n", "no"]).exits(3);
}
