//! Cycles of tasks through undeclared names of a registry: detected by the pushed digests.

use crate::support::{Registry, World};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    (world, registry)
}

/// Checks that one task is in a cycle with this path, and the exit codes.
fn is_cycle(world: &World, name: &str, path: &str) {
    let check = world.acrt(&["task", "check", "-n", name]).exits(1);
    let task = check.json()[0].clone();
    assert_eq!(task["state"], "cycle", "{task}");
    let why = task["reason"].as_str().unwrap();
    assert!(why.ends_with(path), "no `{path}` in {why}");
    world.acrt(&["task", "check", "--exit-code"]).exits(1);
    let cycle = format!("{name}: cycle");
    world
        .acrt(&["task", "watch", "--once", "--repeat"])
        .exits(1)
        .says(&[&cycle, path]);
}

#[test]
fn task_on_its_own_image_under_an_undeclared_alias_stops_after_one_run() {
    let (world, registry) = world();
    let twin = registry.twin();
    registry.push("web:latest", &[("version", "one")]);
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", twin.image("web:latest"));
    world.tracked_task(&registry, "web", &dockerfile);
    is_cycle(&world, "web", "web -> web");
    assert_eq!(world.history(), ["web Succeeded"]);

    // It runs again when its base is something else, and stops again.
    registry.push("web:latest", &[("version", "two")]);
    assert_eq!(world.state_of("web"), "stale");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    is_cycle(&world, "web", "web -> web");
    assert_eq!(world.history(), ["web Succeeded", "web Succeeded"]);

    // With declared names, the cycle is found without a run.
    world.config(&format!(
        "registries: {{'{}': {{aliases: ['{}']}}}}\n",
        registry.host(),
        twin.host()
    ));
    is_cycle(&world, "web", "web -> web");
}

#[test]
fn two_tasks_on_each_other_under_an_undeclared_alias_stop_after_one_run_each() {
    let (world, registry) = world();
    let twin = registry.twin();
    registry.push("b:latest", &[("version", "one")]);
    let from = |name: &str| format!("FROM {}\nCOPY Dockerfile /\n", twin.image(name));
    world.tracked_task(&registry, "a", &from("b:latest"));
    world.tracked_task(&registry, "b", &from("a:latest"));
    is_cycle(&world, "a", "a -> b -> a");
    assert_eq!(world.state_of("b"), "current");
    assert_eq!(world.history(), ["a Succeeded", "b Succeeded"]);

    registry.push("b:latest", &[("version", "two")]);
    world.watch_once().ok().prints(&["a: rebuilt"]);
    // Its push moves the base of the other task, whose own push has moved its base before.
    world.watch_once();
    world.watch_once();
    let runs = world.history().len();
    assert!(runs <= 4, "{:?}", world.history());
    world.watch_once().exits(1);
    assert_eq!(world.history().len(), runs);
}

#[test]
fn parent_image_under_an_undeclared_alias_is_no_cycle() {
    let (world, registry) = world();
    let twin = registry.twin();
    registry.push("base:1", &[("version", "one")]);
    let parent = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "parent", &parent);
    let child = format!("FROM {}\n", twin.image("parent:latest"));
    world.tracked_task(&registry, "child", &child);
    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok();
    world.watch_once().ok();
    world.watch_once().ok().silent();
    assert!(registry.depends_on("child:latest", "parent:latest"));
    assert_eq!(
        world.history()[2..],
        ["parent Succeeded", "child Succeeded"]
    );
}

#[test]
fn dependency_cycle_is_refused_by_the_run_that_closes_it_and_other_runs_read_no_other_task() {
    let (world, registry) = world();
    registry.push("base:1", &[("version", "one")]);
    let from = |image: &str| format!("FROM {}\nCOPY Dockerfile /\n", registry.image(image));
    world.tracked_task(&registry, "parent", &from("base:1"));
    world.tracked_task(&registry, "child", &from("parent:latest"));
    world.context("parent", &from("child:latest"));
    // It behaves as it did without a cycle.
    world.run("child").ok();
    let circle = "parent <- child <- parent";
    world.run("parent").exits(1).says(&[circle]);
    // New digests are looked at again: of another image and of another base.
    let host = registry.host();
    let context = world.path("child").display().to_string();
    let create = ["task", "create", "-n", "child", "-r", &host, "-c", &context];
    world.context("parent", &from("other:latest"));
    world
        .acrt(&[&create[..], &["-t", "other:latest"]].concat())
        .exits(2)
        .says(&["child <- parent <- child"]);
}
