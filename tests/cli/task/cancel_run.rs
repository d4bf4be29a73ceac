//! `acrt task cancel-run`: a run is stopped from another terminal.

use crate::support::{Gate, Registry, World, processes};

/// Creates the task `web`, whose builds wait at the gate.
fn gated_task(world: &World, registry: &Registry) -> Gate {
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let gate = Gate::new();
    let dockerfile = format!(
        "FROM {}\nRUN {}\n",
        registry.image("base:1"),
        gate.wait_command()
    );
    world.task(registry, "web", &dockerfile);
    gate
}

#[test]
fn cancel_run_ends_a_detached_run_and_its_builder() {
    let (world, registry) = (World::new(), Registry::start());
    let gate = gated_task(&world, &registry);
    world
        .acrt(&["task", "run", "--name", "web", "--no-wait"])
        .ok();
    let _waiting = gate.arrival();
    world
        .acrt(&["task", "cancel-run", "--run-id", "ca1"])
        .ok()
        .says(&["Canceled"]);
    assert_eq!(world.history(), ["web Canceled"]);
    assert!(processes::with_argument(&gate.wait_command()).is_empty());
}

#[test]
fn cancel_run_of_an_ended_or_unknown_run_is_refused() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    world
        .acrt(&["task", "cancel-run", "--run-id", "ca1"])
        .exits(1)
        .says(&["ended with Succeeded"]);
    world
        .acrt(&["task", "cancel-run", "--run-id", "ca2"])
        .exits(3);
}

#[test]
fn cancel_run_of_a_run_of_a_round_ends_only_the_run_which_is_not_made_again_for_the_same_move() {
    let (world, registry) = (World::new(), Registry::start());
    let gate = gated_task(&world, &registry);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    gate.arrival().go_on();
    run.wait().ok();
    let one = registry.digest("base:1").unwrap();
    let two = registry.push_shell("base:1", &[("version", "two")]);
    let round = world.spawn(&["task", "watch", "--once"]);
    let waiting = gate.arrival();
    world.acrt(&["task", "cancel-run", "ca2"]).ok();
    drop(waiting);
    // Not 130: nothing has stopped the round.
    round.wait().exits(1).says(&["ended with Canceled"]);

    world.watch_once().ok();
    assert_eq!(world.history(), ["web Succeeded", "web Canceled"]);
    let check = world.acrt(&["task", "check"]).ok().json();
    assert_eq!(check[0]["state"], "waiting", "{check}");
    let why = check[0]["reason"].as_str().unwrap();
    assert!(why.contains("run ca2 for that was canceled"), "{why}");

    // It moves again: to another digest, or back and to the same one.
    registry.retag("base:1", &one);
    world.watch_once().ok().silent();
    assert_eq!(world.state_of("web"), "current");
    for digest in [two, registry.push_shell("base:3", &[("version", "three")])] {
        registry.retag("base:1", &digest);
        let round = world.spawn(&["task", "watch", "--once"]);
        gate.arrival().go_on();
        round.wait().ok();
        assert_eq!(world.state_of("web"), "current");
    }
}
