//! `acrt task identity …`: accepted, and without effect.

mod assign;
mod remove;
mod show;

use crate::support::{Output, World};

/// A world with the task `web`.
fn world() -> World {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "-n", "web", "-r", "localhost:5000", "-c"];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    world
}

fn identity(world: &World, options: &[&str]) -> Output {
    world.acrt(&[&["task", "identity"], options].concat())
}
