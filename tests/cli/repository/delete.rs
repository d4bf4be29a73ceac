//! `acrt repository delete`

use crate::support::{Registry, World};

use super::{registry, repository};

#[test]
fn repository_delete_of_an_image_removes_all_its_tags_after_confirmation() {
    let (world, registry) = (World::new(), registry());
    let digest = registry.digest("web:1").unwrap();
    registry.retag("web:stable", &digest);
    let delete = ["delete", "--image", "web:1"];
    repository(&world, &registry, &delete)
        .exits(2)
        .says(&["use --yes"]);
    assert_eq!(registry.tags("web"), ["1", "2", "stable"]);
    let host = registry.host();
    let asked = world.spawn_on_terminal(&["repository", "delete", "-n", &host, "-t", "web:1"]);
    asked.stdout_has("'web:1', 'web:stable'");
    asked.kill();
    repository(&world, &registry, &[&delete[..], &["--yes"]].concat()).ok();
    assert_eq!(registry.tags("web"), ["2"]);
    repository(&world, &registry, &[&delete[..], &["--yes"]].concat()).exits(3);
}

#[test]
fn repository_delete_removes_all_tags_and_manifests() {
    let (world, registry) = (World::new(), registry());
    let digest = registry.digest("web:1").unwrap();
    let removed = repository(&world, &registry, &["delete", "--repository", "web", "-y"]).ok();
    let answer = removed.json();
    assert_eq!(answer["tagsDeleted"], serde_json::json!(["1", "2"]));
    assert_eq!(answer["manifestsDeleted"].as_array().unwrap().len(), 2);
    assert_eq!(registry.tags("web"), [""; 0]);
    assert_eq!(registry.digest(&format!("web@{digest}")), None);
    assert_eq!(registry.tags("other"), ["1"]);
}

#[test]
fn repository_delete_reports_a_registry_that_refuses_deletion() {
    let (world, registry) = (World::new(), Registry::without_delete());
    registry.push("web:1", &[("a", "1")]);
    repository(&world, &registry, &["delete", "--image", "web:1", "--yes"])
        .exits(1)
        .says(&["does not delete tags or manifests"]);
}
