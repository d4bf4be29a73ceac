//! `acrt builder …`: what each builder says of itself. What holds when one is away is in `farm.rs`.

mod check;
mod list;
mod prune;

use crate::support::World;

/// A machine with buildah, which a config file calls `here`.
fn world() -> World {
    let world = World::new();
    world.buildah();
    world.config("builders: {here: {kind: buildah, jobs: 3}}\npools: {all: {builders: [here]}}\n");
    world
}
