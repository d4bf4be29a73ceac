//! `acrt repository show`

use crate::support::World;

use super::{registry, repository};

#[test]
fn repository_show_prints_repository_tag_and_manifest_with_the_keys_of_az() {
    let (world, registry) = (World::new(), registry());
    let digest = registry.digest("web:1").unwrap();
    let show = |options: &[&str]| {
        let words = [&["show"], options].concat();
        repository(&world, &registry, &words).ok().json()
    };
    let web = show(&["--repository", "web"]);
    assert_eq!(web["imageName"], "web");
    assert_eq!(web["registry"], registry.host().as_str());
    assert_eq!(
        (&web["manifestCount"], &web["tagCount"]),
        (&2.into(), &2.into())
    );
    assert_eq!(web["createdTime"], "2026-06-01T00:00:00Z");
    assert_eq!(web["lastUpdateTime"], "2026-06-02T00:00:00Z");
    let tag = show(&["--image", "web:1"]);
    assert_eq!(
        (&tag["name"], &tag["digest"]),
        (&"1".into(), &digest.as_str().into())
    );
    let manifest = show(&["-t", &format!("web@{digest}")]);
    assert_eq!(manifest["tags"][0], "1");
    assert_eq!(manifest["os"], "linux");
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert!(manifest["imageSize"].as_u64().unwrap() > 0);
}

#[test]
fn repository_show_requires_image_or_repository_and_a_missing_one_exits_3() {
    let (world, registry) = (World::new(), registry());
    repository(&world, &registry, &["show"]).exits(2);
    repository(
        &world,
        &registry,
        &["show", "--repository", "a", "--image", "b"],
    )
    .exits(2);
    repository(&world, &registry, &["show", "--image", "web:none"])
        .exits(3)
        .says(&["there is no"]);
}
