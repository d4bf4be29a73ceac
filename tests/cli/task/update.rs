//! `acrt task update`: what is given changes, the rest stays.

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
fn without_options_nothing_changes() {
    let (world, _registry) = world();
    let before = world.acrt(&["task", "show", "-n", "web"]).ok().stdout;
    let after = world.acrt(&["task", "update", "-n", "web"]).ok().stdout;
    assert_eq!(after, before);
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn a_list_is_replaced_whole_and_the_rest_stays() {
    let (world, _registry) = world();
    world
        .acrt(&[
            "task",
            "update",
            "-n",
            "web",
            "--arg",
            "A=1",
            "--arg",
            "B=2",
            "--timeout",
            "900",
        ])
        .ok();
    let task = world
        .acrt(&["task", "update", "-n", "web", "--arg", "C=3"])
        .ok()
        .json();
    let arguments = task["step"]["arguments"].as_array().unwrap();
    assert_eq!(arguments.len(), 1);
    assert_eq!(arguments[0]["name"], "C");
    assert_eq!(task["timeout"], 900);
    assert_eq!(task["step"]["imageNames"][0], "web:latest");
}

#[test]
fn a_switched_off_trigger_stays_on_record_as_disabled() {
    let (world, registry) = world();
    let task = world
        .acrt(&[
            "task",
            "update",
            "-n",
            "web",
            "--base-image-trigger-enabled",
            "False",
        ])
        .ok()
        .json();
    assert_eq!(task["trigger"]["baseImageTrigger"]["status"], "Disabled");
    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok().silent();
    world
        .acrt(&[
            "task",
            "update",
            "-n",
            "web",
            "--base-image-trigger-enabled",
        ])
        .ok();
    world.watch_once().ok();
    assert_eq!(world.history(), ["web Succeeded"; 2]);
}

#[test]
fn a_change_of_what_it_stands_on_must_run_before_it_is_followed() {
    let (world, _registry) = world();
    let other = world.context("other", "FROM scratch\nCOPY Dockerfile /\n");
    world
        .acrt(&["task", "update", "-n", "web", "-c", &other])
        .ok()
        .says(&["acrt task run --name web"]);
    assert_eq!(world.state_of("web"), "never-run");
}

#[test]
fn a_task_that_is_not_there_is_said() {
    let (world, _registry) = world();
    world
        .acrt(&["task", "update", "-n", "wab", "--timeout", "900"])
        .exits(3)
        .says(&["wab", "acrt task list"]);
}
