//! `acrt builder list`

use super::world;
use crate::support::own_platform;

#[test]
fn builder_list_shows_kind_state_and_capacity() {
    let world = world();
    let all = world.acrt(&["builder", "list"]).ok().json();
    let one = &all[0];
    assert_eq!(one["name"], "here");
    assert_eq!(
        (&one["kind"], &one["state"]),
        (&"buildah".into(), &"ready".into())
    );
    assert_eq!((&one["running"], &one["jobs"]), (&0.into(), &3.into()));
    assert_eq!(one["pools"][0], "all");
    let (os, architecture) = own_platform();
    assert_eq!(one["platforms"][0], format!("{os}/{architecture}"));
    let table = world.acrt(&["builder", "list", "-o", "table"]).ok().stdout;
    let named = format!("  {os}/{architecture}  ");
    assert!(table.contains(&named), "{table}");
    let version = one["version"].as_str().unwrap();
    assert!(version.contains("buildah version"), "{version}");
    world.config("");
    assert_eq!(
        world.acrt(&["builder", "list"]).ok().json()[0]["name"],
        "buildah"
    );
}

#[test]
fn builder_list_shows_an_unreachable_builder_with_a_read_only_state_directory() {
    let world = world();
    world.fake(
        "docker",
        "echo 'Cannot connect to the Docker daemon' >&2; exit 1",
    );
    world.config("builders: {away: {kind: docker, address: 'tcp://127.0.0.1:1'}}\n");
    let listed = world.acrt_read_only(&["builder", "list"]).ok().json();
    assert_eq!(listed[0]["state"], "away");
}
