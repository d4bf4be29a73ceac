//! The digest of a tag: one HEAD, and a GET only where the registry leaves no other way.

use acrt::registry::Kind;

use super::{
    distribution::Distribution,
    documents::{self, DOCKER_MANIFEST, INDEX, MANIFEST},
    nginx::Nginx,
    scripted::{Answer, Scripted, digest as canned},
    settings::{all, anonymous, digest, failure, reference, words},
};

#[tokio::test]
async fn a_tag_takes_one_head_and_nothing_else() {
    let registry = Distribution::start();
    let pushed = registry.push("library/base:1", "one").await;
    let seen = anonymous()
        .look(&reference(&registry.image("library/base:1")))
        .await
        .unwrap();
    assert_eq!(
        (seen.digest.to_string(), seen.kind, seen.media_type),
        (pushed, Kind::Manifest, MANIFEST.to_owned())
    );
    assert_eq!(
        registry.requests().await,
        ["HEAD /v2/library/base/manifests/1 200"]
    );
}

#[tokio::test]
async fn an_index_is_told_from_a_manifest_without_reading_it() {
    let registry = Distribution::start();
    let image = registry.image_of("base", "one").await;
    let index = documents::index(&[documents::entry(&image, "linux/amd64")]);
    let pushed = registry.put("base", "1", &index).await;
    let seen = anonymous()
        .look(&reference(&registry.image("base:1")))
        .await
        .unwrap();
    assert_eq!(
        (seen.digest.to_string(), seen.kind, seen.media_type),
        (pushed, Kind::Index, INDEX.to_owned())
    );
    assert_eq!(registry.requests().await.len(), 1);
}

#[tokio::test]
async fn a_moved_tag_has_another_digest_at_the_next_look() {
    let registry = Distribution::start();
    let registries = anonymous();
    let first = registry.push("base:1", "one").await;
    assert_eq!(digest(&registries, &registry.image("base:1")).await, first);
    let second = registry.push("base:1", "two").await;
    assert_ne!(first, second);
    assert_eq!(digest(&registries, &registry.image("base:1")).await, second);
}

#[tokio::test]
async fn many_tags_take_one_head_each_however_often_they_are_named() {
    let registry = Distribution::start();
    let mut tags = Vec::new();
    for n in 0..30 {
        let name = format!("base{}:{n}", n % 7);
        registry.push(&name, &name).await;
        tags.push(registry.image(&name));
        tags.push(registry.image(&name));
    }
    let seen = all(&anonymous(), &tags).await;
    assert_eq!(seen.len(), 30);
    let mut requests = registry.requests().await;
    requests.sort_unstable();
    requests.dedup();
    assert_eq!(requests.len(), 30);
    assert!(requests.iter().all(|request| request.starts_with("HEAD ")));
}

#[tokio::test]
async fn every_kind_of_manifest_is_asked_for_and_nothing_compressed() {
    let server = Scripted::start(|_, _| Answer::manifest(&canned('a')));
    digest(&anonymous(), &server.image("base:1")).await;
    let request = &server.received()[0];
    assert_eq!(
        request.header("accept"),
        Some(
            "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
             application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        )
    );
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert!(request.header("user-agent").unwrap().starts_with("acrt/"));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn without_a_digest_in_the_answer_the_bytes_are_hashed_and_heads_are_given_up() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let other = registry.push("base:2", "two").await;
    let front = Nginx::start(registry.port(), "proxy_hide_header Docker-Content-Digest;");
    let registries = anonymous();
    assert_eq!(digest(&registries, &front.image("base:1")).await, pushed);
    assert_eq!(digest(&registries, &front.image("base:2")).await, other);
    assert_eq!(
        front.requests().await,
        [
            "HEAD /v2/base/manifests/1 200",
            "GET /v2/base/manifests/1 200",
            "GET /v2/base/manifests/2 200"
        ]
    );
}

#[tokio::test]
async fn a_digest_that_is_none_counts_as_missing() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    for header in ["hello", "sha256:../../etc/passwd", "sha256:ABC"] {
        let rules = format!(
            "proxy_hide_header Docker-Content-Digest; add_header Docker-Content-Digest '{header}' always;"
        );
        let front = Nginx::start(registry.port(), &rules);
        assert_eq!(
            digest(&anonymous(), &front.image("base:1")).await,
            pushed,
            "{header}"
        );
        assert_eq!(front.requests().await.len(), 2, "{header}");
    }
}

#[tokio::test]
async fn a_header_that_disagrees_with_the_body_is_distrusted_from_then_on() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let rules = format!(
        "proxy_hide_header Docker-Content-Digest; add_header Docker-Content-Digest '{}' always;
         if ($request_method = HEAD) {{ return 405; }}",
        canned('f')
    );
    let front = Nginx::start(registry.port(), &rules);
    assert_eq!(digest(&anonymous(), &front.image("base:1")).await, pushed);
    assert_eq!(
        front.requests().await,
        [
            "HEAD /v2/base/manifests/1 405",
            "GET /v2/base/manifests/1 200"
        ]
    );
}

#[tokio::test]
async fn a_registry_that_knows_no_head_is_asked_with_get_from_then_on() {
    for status in [405, 501] {
        let registry = Distribution::start();
        let pushed = registry.push("base:1", "one").await;
        let rules = format!("if ($request_method = HEAD) {{ return {status}; }}");
        let front = Nginx::start(registry.port(), &rules);
        let registries = anonymous();
        for _ in 0..2 {
            assert_eq!(digest(&registries, &front.image("base:1")).await, pushed);
        }
        assert_eq!(
            front.requests().await,
            [
                format!("HEAD /v2/base/manifests/1 {status}"),
                "GET /v2/base/manifests/1 200".into(),
                "GET /v2/base/manifests/1 200".into()
            ]
        );
    }
}

#[tokio::test]
async fn a_digest_reference_is_answered_with_itself_or_not_at_all() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let registries = anonymous();
    assert_eq!(
        digest(&registries, &registry.image(&format!("base@{pushed}"))).await,
        pushed
    );

    let liar = Scripted::start(|_, _| Answer::manifest(&canned('b')));
    let (words, _) =
        words(failure(&registries, &liar.image(&format!("base@{}", canned('a')))).await);
    assert!(
        words.ends_with(&format!(
            "it answers with `{}` for another digest",
            canned('b')
        )),
        "{words}"
    );
}

#[tokio::test]
async fn schema_1_is_refused_by_its_name_and_not_read() {
    let server = Scripted::start(|_, _| {
        Answer::status(200)
            .header(
                "Content-Type",
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
            )
            .header("Docker-Content-Digest", canned('a'))
    });
    let (words, hint) = words(failure(&anonymous(), &server.image("old:1")).await);
    let image = server.image("old:1");
    assert!(
        words.starts_with(&format!(
            "cannot find out what `{image}` is: it is stored in the outdated schema 1 format"
        )),
        "{words}"
    );
    assert_eq!(hint, "push the image again with any current builder");
    assert_eq!(server.requests(), ["HEAD /v2/old/manifests/1"]);
}

#[tokio::test]
async fn dockers_own_manifests_are_as_good_as_ocis() {
    let server = Scripted::start(|_, _| {
        Answer::status(200)
            .header("Content-Type", DOCKER_MANIFEST)
            .header("Docker-Content-Digest", canned('a'))
    });
    let seen = anonymous()
        .look(&reference(&server.image("base:1")))
        .await
        .unwrap();
    assert_eq!(
        (seen.kind, seen.media_type.as_str()),
        (Kind::Manifest, DOCKER_MANIFEST)
    );
}
