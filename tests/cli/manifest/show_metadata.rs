//! `acrt manifest show-metadata`

use crate::support::World;

use super::registry;

#[test]
fn manifest_show_metadata_includes_tags_by_tag_and_by_digest() {
    let (world, registry) = (World::new(), registry());
    let host = registry.host();
    let digest = registry.digest("web:2").unwrap();
    for name in ["web:2".to_owned(), format!("web@{digest}")] {
        let words = ["manifest", "show-metadata", "-r", &host, "-n", &name];
        let shown = world.acrt(&words).ok().json();
        assert_eq!(shown["digest"], digest.as_str());
        assert_eq!(shown["tags"], serde_json::json!(["2"]));
    }
    let words = ["manifest", "show-metadata", "-r", &host, "-n", "web:none"];
    world.acrt(&words).exits(3);
}
