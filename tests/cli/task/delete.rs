//! `acrt task delete`

use crate::support::{Output, Registry, World, program};

#[test]
fn task_delete_removes_the_task_and_keeps_its_runs() {
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
fn task_delete_without_a_terminal_requires_yes() {
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
        .exits(2)
        .says(&["--yes"]);
    world.acrt(&["task", "show", "-n", "web"]).ok();
    world
        .acrt(&["task", "delete", "-n", "no", "--yes"])
        .exits(3);
}

/// Answers the question on a terminal on which the task `web` is being deleted.
fn answered(world: &World, answer: &str) -> Output {
    let mut sh = world.command("/bin/sh");
    let line = "printf '%s\\n' \"$3\" | \"$1\" -qec \"'$2' task delete -n web\" /dev/null";
    sh.args(["-c", line, "sh"]).arg(program("script"));
    sh.args([env!("CARGO_BIN_EXE_acrt"), answer]);
    world.start(sh, format!("delete with {answer:?}")).wait()
}

#[test]
fn task_delete_on_a_terminal_prompts_and_deletes_only_after_yes() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "-n", "web", "-r", "localhost:5000", "-c"];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    for answer in ["n", "", "yesterday"] {
        answered(&world, answer).exits(1).prints(&[
            "Are you sure you want to delete the task 'web' (y/n): ",
            "operation cancelled",
        ]);
    }
    world.acrt(&["task", "show", "-n", "web"]).ok();
    answered(&world, "Y").ok();
    world.acrt(&["task", "show", "-n", "web"]).exits(3);
}
