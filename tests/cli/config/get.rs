//! `acrt config get`

use crate::support::World;

use super::{FILE, config};

#[test]
fn a_value_is_shown_with_its_key_and_its_file() {
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
fn what_is_not_set_is_exit_3_and_what_is_no_key_exit_2() {
    let world = World::new();
    config(&world, &["get", "defaults.registry"])
        .exits(3)
        .says(&["`defaults.registry` is not set", "acrt config list"]);
    config(&world, &["get", "defaults"])
        .exits(2)
        .says(&["section.key"]);
}

#[test]
fn a_secret_is_not_shown_and_where_it_is_kept_is() {
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
