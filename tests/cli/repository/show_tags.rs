//! `acrt repository show-tags`

use serde_json::json;

use crate::support::World;

use super::{registry, repository};

#[test]
fn repository_show_tags_orders_by_name_or_time() {
    let (world, registry) = (World::new(), registry());
    let tags = |options: &[&str]| {
        let words = [&["show-tags", "--repository", "web"], options].concat();
        repository(&world, &registry, &words).ok().json()
    };
    assert_eq!(tags(&[]), json!(["1", "2"]));
    assert_eq!(tags(&["--orderby", "time_asc"]), json!(["2", "1"]));
    assert_eq!(
        tags(&["--orderby", "time_desc", "--top", "1"]),
        json!(["1"])
    );
    let detail = tags(&["--orderby", "time_desc", "--detail", "--top", "1"]);
    assert_eq!(
        detail,
        json!([{
            "changeableAttributes": {"deleteEnabled": true, "listEnabled": true, "readEnabled": true, "writeEnabled": true},
            "createdTime": "2026-06-02T00:00:00Z",
            "digest": registry.digest("web:1"),
            "lastUpdateTime": "2026-06-02T00:00:00Z",
            "name": "1",
            "signed": false
        }])
    );
}

#[test]
fn repository_show_tags_of_a_missing_repository_exits_3() {
    let (world, registry) = (World::new(), registry());
    repository(&world, &registry, &["show-tags", "--repository", "none"])
        .exits(3)
        .says(&["there is no repository", "acrt repository list"]);
}
