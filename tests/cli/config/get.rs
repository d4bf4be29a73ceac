//! `acrt config get`

use crate::support::World;

use super::{FILE, config};

#[test]
fn config_get_shows_value_key_and_file() {
    let world = World::new();
    world.config("registries: {'r.example:5000': {caFile: /ca.pem}}\n");
    let get = ["get", "registries.r.example:5000.caFile"];
    let shown = config(&world, &get).ok().json();
    assert_eq!(shown["name"], "registries.r.example:5000.caFile");
    assert_eq!(shown["value"], "/ca.pem");
    assert_eq!(shown["source"], world.path(FILE).to_str().unwrap());
    let value = [&get[..], &["--query", "value", "-o", "tsv"]].concat();
    assert_eq!(config(&world, &value).ok().stdout, "/ca.pem\n");
}

#[test]
fn config_get_of_an_unset_key_exits_3_and_of_an_invalid_key_exits_2() {
    let world = World::new();
    config(&world, &["get", "defaults.registry"])
        .exits(3)
        .says(&["`defaults.registry` is not set", "acrt config list"]);
    config(&world, &["get", "defaults"])
        .exits(2)
        .says(&["section.key"]);
}

#[test]
fn config_get_hides_a_secret_and_shows_its_location() {
    let world = World::new();
    world.config("listen: {secret: hunter2, hubToken: 'env:HUB'}\n");
    let value = |key: &str| {
        config(&world, &["get", key, "--query", "value", "-o", "tsv"])
            .ok()
            .stdout
    };
    assert_eq!(value("listen.secret"), "***\n");
    assert_eq!(value("listen.hubToken"), "env:HUB\n");
}
