//! `acrt config …`: changes single values of the config file.

mod get;
mod list;
mod set;
mod unset;

use crate::support::{Output, World};

const FILE: &str = "config/acrt/config.yaml";

fn config(world: &World, words: &[&str]) -> Output {
    world.acrt(&[&["config"], words].concat())
}

fn text(world: &World) -> String {
    std::fs::read_to_string(world.path(FILE)).unwrap()
}
