//! `acrt task timer …`

mod add;
mod list;
mod remove;
mod update;

use crate::support::{Registry, World};

/// A machine with buildah at eight in the morning, and a task `web` that has not run.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    world.task(&registry, "web", "FROM scratch\nCOPY Dockerfile /\n");
    (world, registry)
}

/// Runs a command of the group for the task.
fn timer(world: &World, command: &str, options: &[&str]) -> crate::support::Output {
    let line = ["task", "timer", command, "--name", "web"];
    world.acrt(&[&line[..], options].concat())
}
