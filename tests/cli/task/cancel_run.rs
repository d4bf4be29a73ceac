//! `acrt task cancel-run`: a run is stopped from another terminal.

use crate::support::{Gate, Registry, World, processes};

#[test]
fn a_run_that_goes_on_by_itself_is_canceled_with_its_builder() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let gate = Gate::new();
    let dockerfile = format!(
        "FROM {}\nRUN {}\n",
        registry.image("base:1"),
        gate.wait_command()
    );
    world.task(&registry, "web", &dockerfile);
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
fn a_run_that_has_ended_or_never_was_cannot_be_canceled() {
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
