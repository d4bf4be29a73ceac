//! `acrt repository show-manifests`

use crate::support::World;

use super::{registry, repository};

#[test]
fn repository_show_manifests_orders_by_time_and_includes_details_on_request() {
    let (world, registry) = (World::new(), registry());
    let show = |words: &[&str]| {
        let words = [&["show-manifests", "--repository", "web"], words].concat();
        repository(&world, &registry, &words).ok().json()
    };
    let short = show(&["--orderby", "time_asc"]);
    assert_eq!(short[0]["tags"], serde_json::json!(["2"]));
    assert_eq!(short[1]["timestamp"], "2026-06-02T00:00:00Z");
    assert!(short[0].get("imageSize").is_none());
    let detailed = show(&["--detail", "--top", "1"]);
    assert_eq!(detailed.as_array().unwrap().len(), 1);
    assert!(detailed[0]["imageSize"].as_u64().unwrap() > 0);
    let host = registry.host();
    let none = [
        "repository",
        "show-manifests",
        "-n",
        &host,
        "--repository",
        "none",
    ];
    world.acrt(&none).exits(3);
}
