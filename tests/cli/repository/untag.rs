//! `acrt repository untag`

use crate::support::World;

use super::{registry, repository};

#[test]
fn repository_untag_removes_the_tag_and_keeps_the_image() {
    let (world, registry) = (World::new(), registry());
    let digest = registry.digest("web:1").unwrap();
    registry.retag("web:stable", &digest);
    repository(&world, &registry, &["untag", "--image", "web:1"]).ok();
    assert_eq!(registry.tags("web"), ["2", "stable"]);
    assert_eq!(registry.digest("web:stable"), Some(digest.clone()));
    repository(&world, &registry, &["untag", "--image", "web:stable"]).ok();
    assert_eq!(registry.digest(&format!("web@{digest}")), Some(digest));
    repository(&world, &registry, &["untag", "--image", "web:none"]).exits(3);
}

#[test]
fn repository_untag_of_a_digest_is_refused() {
    let (world, registry) = (World::new(), registry());
    let digest = registry.digest("web:1").unwrap();
    repository(
        &world,
        &registry,
        &["untag", "-t", &format!("web@{digest}")],
    )
    .exits(2)
    .says(&["only a tag", &format!("/web@{digest}\n")]);
}
