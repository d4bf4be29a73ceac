//! `acrt manifest show`

use crate::support::World;

use super::registry;

#[test]
fn manifest_show_prints_the_bytes_of_the_registry() {
    let (world, registry) = (World::new(), registry());
    let (host, image) = (registry.host(), registry.image("web:2"));
    let shown = world.acrt(&["manifest", "show", &image]).ok().json();
    assert_eq!(shown, registry.manifest("web:2"));
    let raw = ["manifest", "show", "-r", &host, "-n", "web:2", "--raw"];
    let raw = world.acrt(&raw).ok().stdout;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&raw).unwrap(),
        shown
    );
    world
        .acrt(&["manifest", "show", &registry.image("web:none")])
        .exits(3);
    world
        .acrt(&["manifest", "show", "web:1"])
        .exits(2)
        .says(&["names no registry"]);
}
