//! `acrt task delete`

use crate::support::{Registry, World};

#[test]
fn it_takes_the_task_and_leaves_its_runs() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    world.tracked_task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    world.acrt(&["task", "delete", "-n", "web", "--yes"]).ok();
    world.acrt(&["task", "show", "-n", "web"]).exits(3);
    assert_eq!(world.history(), ["web Succeeded"]);
    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok().silent();
}

#[test]
fn without_a_terminal_it_wants_yes() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    world
        .acrt(&[
            "task",
            "create",
            "-n",
            "web",
            "-r",
            "localhost:5000",
            "-t",
            "web",
            "-c",
            &context,
        ])
        .ok();
    world
        .acrt(&["task", "delete", "-n", "web"])
        .exits(1)
        .says(&["--yes"]);
    world.acrt(&["task", "show", "-n", "web"]).ok();
    world
        .acrt(&["task", "delete", "-n", "no", "--yes"])
        .exits(3);
}
