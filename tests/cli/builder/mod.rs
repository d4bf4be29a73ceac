//! `acrt builder …`: the status of builders. `farm.rs` tests builders that do not answer.

mod check;
mod list;
mod prune;

use crate::support::World;

/// A machine with a buildah that the config file names `here`.
fn world() -> World {
    let world = World::new();
    world.buildah();
    world.config("builders: {here: {kind: buildah, jobs: 3}}\npools: {all: {builders: [here]}}\n");
    world
}
