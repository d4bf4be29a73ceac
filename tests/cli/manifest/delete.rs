//! `acrt manifest delete`

use crate::support::World;

use super::registry;

#[test]
fn manifest_delete_removes_the_manifest_and_its_tags() {
    let (world, registry) = (World::new(), registry());
    let digest = registry.digest("web:2").unwrap();
    let image = registry.image(&format!("web@{digest}"));
    world
        .acrt(&["manifest", "delete", &image])
        .exits(2)
        .says(&["use --yes"]);
    world.acrt(&["manifest", "delete", &image, "--yes"]).ok();
    assert_eq!(registry.tags("web"), ["1"]);
    world
        .acrt(&["manifest", "delete", &image, "--yes"])
        .exits(3);
}
