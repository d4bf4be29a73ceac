//! `acrt repository delete`

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Gateway, Registry, World};

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

#[test]
fn repository_delete_removes_tags_first_where_the_registry_deletes_no_tagged_manifest() {
    let (world, registry) = (World::new(), registry());
    let tag_is_gone = AtomicBool::new(false);
    let gateway = Gateway::start(&registry, move |head| {
        let removed = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let refused = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 52\r\nConnection: close\r\n\r\n{\"errors\":[{\"code\":\"GOOGLE_MANIFEST_DANGLING_TAG\"}]}";
        let which = head.strip_prefix("DELETE /v2/web/manifests/")?;
        if !which.starts_with("sha256:") {
            tag_is_gone.store(true, Ordering::SeqCst);
            return Some(removed);
        }
        // The registry behind it removes the tags with the manifest.
        let is_tagged = !tag_is_gone.swap(false, Ordering::SeqCst);
        is_tagged.then_some(refused)
    });
    let host = gateway.host();
    let line = ["repository", "delete", "-n", &host, "--yes"];
    world.acrt(&[&line[..], &["-t", "web:1"]].concat()).ok();
    assert_eq!(registry.tags("web"), ["2"]);
    let all = world.acrt(&[&line[..], &["--repository", "web"]].concat());
    assert_eq!(all.ok().json()["tagsDeleted"], serde_json::json!(["2"]));
    assert_eq!(registry.tags("web"), [""; 0]);
}

#[test]
fn repository_delete_reports_a_tag_whose_manifest_cannot_be_read_as_kept() {
    let (world, registry) = (World::new(), registry());
    let gateway = Gateway::start(&registry, |head| {
        let schema1 = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.distribution.manifest.v1+prettyjws\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let tags = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 39\r\nConnection: close\r\n\r\n{\"name\":\"web\",\"tags\":[\"1\",\"2\",\"older\"]}";
        let is_old = head.contains(" /v2/web/manifests/older ");
        let listed = head.starts_with("GET /v2/web/tags/list").then_some(tags);
        is_old.then_some(schema1).or(listed)
    });
    let host = gateway.host();
    let deleted = world.acrt(&[
        "repository",
        "delete",
        "-n",
        &host,
        "--repository",
        "web",
        "-y",
    ]);
    let deleted = deleted.ok();
    assert_eq!(deleted.json()["tagsDeleted"], serde_json::json!(["1", "2"]));
    deleted.says(&[&format!("kept `{host}/web:older`")]);
}
