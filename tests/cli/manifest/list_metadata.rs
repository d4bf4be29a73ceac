//! `acrt manifest list-metadata`

use crate::support::World;

use super::registry;

#[test]
fn manifest_list_metadata_lists_manifests_of_tags_and_indexes_for_either_repository_syntax() {
    let (world, registry) = (World::new(), registry());
    let host = registry.host();
    let place = registry.image("web");
    let list = |words: &[&str]| {
        let words = [&["manifest", "list-metadata"], words].concat();
        world.acrt(&words).ok().json()
    };
    let all = list(&[&place, "--orderby", "time_desc"]);
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(all[0]["tags"][0], "2");
    assert_eq!(all[0]["architecture"], "amd64");
    assert_eq!(
        all[0]["configMediaType"],
        "application/vnd.oci.image.config.v1+json"
    );
    let index = all
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["tags"][0] == "1")
        .unwrap();
    assert_eq!(
        index["mediaType"],
        "application/vnd.oci.image.index.v1+json"
    );
    assert!(index.get("architecture").is_none());
    assert_eq!(
        list(&["-r", &host, "-n", "web"]).as_array().unwrap().len(),
        4
    );
    assert_eq!(
        list(&["-r", &host, "-n", "web", "--top", "2"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    world.acrt(&["manifest", "list-metadata"]).exits(2);
    world.acrt(&["manifest", "list-metadata", "web"]).exits(2);
    world
        .acrt(&["manifest", "list-metadata", "-r", &host, "-n", "none"])
        .exits(3);
}
