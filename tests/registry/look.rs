//! The digest of a tag: one HEAD, and a GET only if the registry requires one.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use acrt::registry::ManifestKind;

use super::{
    distribution::Distribution,
    documents::{self, DOCKER_MANIFEST, Document, INDEX, MANIFEST},
    nginx::Nginx,
    scripted::{Answer, Scripted, digest as canned},
    settings::{all, anonymous, client, digest, failure, nobody, reference, words},
};

#[tokio::test]
async fn tag_lookup_takes_one_head_request() {
    let registry = Distribution::start();
    let pushed = registry.push("library/base:1", "one").await;
    let seen = anonymous()
        .look(&reference(&registry.image("library/base:1")))
        .await
        .unwrap();
    assert_eq!(
        (seen.digest.to_string(), seen.kind, seen.media_type),
        (pushed, ManifestKind::Manifest, MANIFEST.to_owned())
    );
    assert_eq!(
        registry.requests().await,
        ["HEAD /v2/library/base/manifests/1 200"]
    );
}

#[tokio::test]
async fn index_is_distinguished_from_a_manifest_without_reading_it() {
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
        (pushed, ManifestKind::Index, INDEX.to_owned())
    );
    assert_eq!(registry.requests().await.len(), 1);
}

#[tokio::test]
async fn moved_tag_has_another_digest_at_the_next_lookup() {
    let registry = Distribution::start();
    let registries = anonymous();
    let first = registry.push("base:1", "one").await;
    assert_eq!(digest(&registries, &registry.image("base:1")).await, first);
    let second = registry.push("base:1", "two").await;
    assert_ne!(first, second);
    assert_eq!(digest(&registries, &registry.image("base:1")).await, second);
}

#[tokio::test]
async fn repeated_tags_take_one_head_request_each() {
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
async fn accept_header_lists_every_manifest_type_and_no_compression() {
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
async fn missing_digest_header_makes_the_body_hashed_and_head_skipped() {
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
async fn invalid_digest_header_counts_as_missing() {
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
async fn digest_header_that_disagrees_with_the_body_is_distrusted_from_then_on() {
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
async fn registry_that_refuses_head_gets_get_requests_from_then_on() {
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

/// A registry that answers its first HEADs unusually, and all others normally.
fn recovering(
    document: &Document,
    odd: impl Fn(usize) -> Option<Answer> + Send + Sync + 'static,
) -> Scripted {
    let (document, heads) = (document.clone(), AtomicUsize::new(0));
    Scripted::start(move |request, _| {
        let odd = match request.method.as_str() {
            "HEAD" => odd(heads.fetch_add(1, Ordering::SeqCst)),
            _ => None,
        };
        odd.unwrap_or_else(|| documents::answer(&document))
    })
}

fn methods(server: &Scripted) -> String {
    let methods = server.received();
    methods
        .iter()
        .map(|request| request.method.replace("HEAD", "h").replace("GET", "g"))
        .collect()
}

#[tokio::test]
async fn head_is_tried_again_after_ten_lookups_and_used_if_it_works() {
    let document = documents::manifest(b"{}");
    for odd in [
        Answer::status(405),
        Answer::status(200).header("Content-Type", MANIFEST),
    ] {
        let server = recovering(&document, move |n| (n < 2).then(|| odd.clone()));
        let registries = anonymous();
        for _ in 0..25 {
            let found = digest(&registries, &server.image("base:1")).await;
            assert_eq!(found, document.digest());
        }
        // Refused, ten looks with GET, refused again, ten looks, then accepted.
        let ten = "g".repeat(10);
        assert_eq!(methods(&server), format!("hg{ten}hg{ten}hhh"));
    }
}

#[tokio::test]
async fn head_is_tried_again_after_an_hour() {
    let document = documents::manifest(b"{}");
    let server = recovering(&document, |n| (n == 0).then(|| Answer::status(501)));
    let (registries, clock) = client(&nobody(), Vec::new());
    let tag = server.image("base:1");
    digest(&registries, &tag).await;
    clock.sleep(Duration::from_secs(3599)).await;
    digest(&registries, &tag).await;
    assert_eq!(methods(&server), "hgg");
    clock.sleep(Duration::from_secs(1)).await;
    digest(&registries, &tag).await;
    digest(&registries, &tag).await;
    assert_eq!(methods(&server), "hgghh");
}

#[tokio::test]
async fn head_after_a_wrong_digest_is_trusted_only_with_an_agreeing_body() {
    let document = documents::manifest(b"{}");
    let lie = document.clone();
    // Its digests are wrong until the second trial, also in the headers of GETs.
    let requests = AtomicUsize::new(0);
    let server = Scripted::start(move |request, _| {
        let n = requests.fetch_add(1, Ordering::SeqCst);
        let mut answer = match (n, request.method.as_str()) {
            (0, _) => return Answer::status(405),
            (_, "HEAD") => documents::answer(&document).body(Vec::new()),
            _ => documents::answer(&document),
        };
        if n < 24 {
            answer.headers.retain(|(name, _)| name == "Content-Type");
            answer = answer.header("Docker-Content-Digest", canned('f'));
        }
        answer
    });
    let registries = anonymous();
    for _ in 0..25 {
        assert_eq!(
            digest(&registries, &server.image("base:1")).await,
            lie.digest()
        );
    }
    // 405 and a body that reveals the wrong digest; a trial that is wrong again; one that is right, from the 25th
    // request on.
    let ten = "g".repeat(10);
    assert_eq!(methods(&server), format!("hg{ten}hg{ten}hghh"));
}

#[tokio::test]
async fn digest_reference_is_answered_with_its_digest_or_an_error() {
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
async fn schema_1_manifest_is_refused_by_type_without_reading_it() {
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
async fn docker_manifest_types_are_accepted_like_oci_types() {
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
        (ManifestKind::Manifest, DOCKER_MANIFEST)
    );
}
