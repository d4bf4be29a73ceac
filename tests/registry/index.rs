//! Indexes: what a platform gets of them, at the price of one GET for an index that moved.

use std::collections::BTreeMap;

use acrt::{
    image::Platform,
    registry::{Absence, Kind, LookupError, Registries, Seen},
};
use serde_json::{Value, json};

use super::{
    distribution::Distribution,
    documents::{self, Document, attestation, entry, index},
    nginx::Nginx,
    scripted::{Answer, Scripted, digest as canned},
    settings::{anonymous, digest, reference, words},
};

fn platform(text: &str) -> Platform {
    Platform::parse(text, &Platform::host()).unwrap()
}

async fn seen(registries: &Registries, tag: &str) -> Seen {
    registries.look(&reference(tag)).await.unwrap()
}

/// Looks at a tag and returns the digest of each platform's manifest.
async fn manifests(
    registries: &Registries,
    tag: &str,
    wanted: &[&str],
) -> BTreeMap<String, Option<String>> {
    let seen = seen(registries, tag).await;
    let wanted: Vec<Platform> = wanted.iter().map(|text| platform(text)).collect();
    let found = registries
        .platforms(&reference(tag), &seen, &wanted)
        .await
        .unwrap();
    found
        .into_iter()
        .map(|(platform, digest)| {
            (
                platform.to_string(),
                digest.map(|digest| digest.to_string()),
            )
        })
        .collect()
}

fn map(pairs: &[(&str, Option<&Document>)]) -> BTreeMap<String, Option<String>> {
    pairs
        .iter()
        .map(|(platform, document)| ((*platform).to_owned(), document.map(Document::digest)))
        .collect()
}

#[tokio::test]
async fn an_index_costs_one_get_and_gives_each_platform_its_manifest() {
    let registry = Distribution::start();
    let (amd, arm) = (
        registry.image_of("base", "amd").await,
        registry.image_of("base", "arm").await,
    );
    let document = index(&[entry(&amd, "linux/amd64"), entry(&arm, "linux/arm64/v8")]);
    let pushed = registry.put("base", "1", &document).await;
    let registries = anonymous();
    let tag = registry.image("base:1");
    assert_eq!(
        manifests(
            &registries,
            &tag,
            &["linux/amd64", "linux/arm64", "linux/s390x"]
        )
        .await,
        map(&[
            ("linux/amd64", Some(&amd)),
            ("linux/arm64", Some(&arm)),
            ("linux/s390x", None)
        ])
    );
    manifests(&registries, &tag, &["linux/arm64"]).await;
    assert_eq!(
        registry.requests().await,
        [
            "HEAD /v2/base/manifests/1 200".to_owned(),
            format!("GET /v2/base/manifests/{pushed} 200"),
            "HEAD /v2/base/manifests/1 200".to_owned()
        ]
    );
}

#[tokio::test]
async fn another_attestation_moves_the_index_and_no_platform() {
    let registry = Distribution::start();
    let image = registry.image_of("base", "image").await;
    let registries = anonymous();
    let tag = registry.image("base:1");
    let mut digests = Vec::new();
    for seed in ["monday", "tuesday"] {
        let provenance = registry.image_of("base", seed).await;
        let document = index(&[
            entry(&image, "linux/amd64"),
            attestation(&provenance, &image),
        ]);
        digests.push(registry.put("base", "1", &document).await);
        assert_eq!(
            seen(&registries, &tag).await.digest.to_string(),
            digests[digests.len() - 1]
        );
        assert_eq!(
            manifests(&registries, &tag, &["linux/amd64", "unknown/unknown"]).await,
            map(&[("linux/amd64", Some(&image)), ("unknown/unknown", None)])
        );
    }
    assert_ne!(digests[0], digests[1]);
}

#[tokio::test]
async fn an_added_platform_moves_the_index_and_no_other_platform() {
    let registry = Distribution::start();
    let (amd, arm) = (
        registry.image_of("base", "amd").await,
        registry.image_of("base", "arm").await,
    );
    let registries = anonymous();
    let tag = registry.image("base:1");
    registry
        .put("base", "1", &index(&[entry(&amd, "linux/amd64")]))
        .await;
    let both = ["linux/amd64", "linux/arm64"];
    assert_eq!(
        manifests(&registries, &tag, &both).await,
        map(&[("linux/amd64", Some(&amd)), ("linux/arm64", None)])
    );
    registry
        .put(
            "base",
            "1",
            &index(&[entry(&amd, "linux/amd64"), entry(&arm, "linux/arm64")]),
        )
        .await;
    assert_eq!(
        manifests(&registries, &tag, &both).await,
        map(&[("linux/amd64", Some(&amd)), ("linux/arm64", Some(&arm))])
    );
}

#[tokio::test]
async fn an_index_within_an_index_is_looked_into() {
    let registry = Distribution::start();
    let (amd, arm) = (
        registry.image_of("base", "amd").await,
        registry.image_of("base", "arm").await,
    );
    let inner = index(&[entry(&arm, "linux/arm64")]);
    registry.put("base", "inner", &inner).await;
    let nested =
        json!({"mediaType": inner.media_type, "digest": inner.digest(), "size": inner.bytes.len()});
    registry
        .put("base", "1", &index(&[entry(&amd, "linux/amd64"), nested]))
        .await;
    assert_eq!(
        manifests(
            &anonymous(),
            &registry.image("base:1"),
            &["linux/amd64", "linux/arm64"]
        )
        .await,
        map(&[("linux/amd64", Some(&amd)), ("linux/arm64", Some(&arm))])
    );
    assert_eq!(registry.requests().await.len(), 3);
}

#[tokio::test]
async fn a_single_manifest_is_every_platforms_and_may_become_an_index() {
    let registry = Distribution::start();
    let image = registry.image_of("base", "image").await;
    registry.put("base", "1", &image).await;
    let registries = anonymous();
    let tag = registry.image("base:1");
    let both = ["linux/amd64", "linux/arm64"];
    assert_eq!(
        manifests(&registries, &tag, &both).await,
        map(&[("linux/amd64", Some(&image)), ("linux/arm64", Some(&image))])
    );
    assert_eq!(registry.requests().await.len(), 1);

    registry
        .put("base", "1", &index(&[entry(&image, "linux/amd64")]))
        .await;
    assert_eq!(seen(&registries, &tag).await.kind, Kind::Index);
    assert_eq!(
        manifests(&registries, &tag, &both).await,
        map(&[("linux/amd64", Some(&image)), ("linux/arm64", None)])
    );
}

#[tokio::test]
async fn the_config_of_a_platform_tells_triggers_and_labels() {
    let registry = Distribution::start();
    let config = |seed: &str, command: &str| {
        documents::config(seed, json!({"OnBuild": [command], "Labels": {"k": seed}}))
    };
    let amd = registry.image_with("base", &config("amd", "RUN amd")).await;
    let arm = registry.image_with("base", &config("arm", "RUN arm")).await;
    let document = index(&[entry(&amd, "linux/amd64"), entry(&arm, "linux/arm64")]);
    let pushed = registry.put("base", "1", &document).await;
    let registries = anonymous();
    let image = reference(&registry.image(&format!("base@{pushed}")));
    let found = registries
        .config(&image, &platform("linux/arm64"))
        .await
        .unwrap();
    assert_eq!(
        (found.on_build, found.labels["k"].as_str()),
        (vec!["RUN arm".to_owned()], "arm")
    );
    assert_eq!(registry.requests().await.len(), 3);

    let single = reference(&registry.image(&format!("base@{}", amd.digest())));
    assert_eq!(
        registries
            .config(&single, &platform("linux/amd64"))
            .await
            .unwrap()
            .on_build,
        ["RUN amd"]
    );

    let error = registries
        .config(&image, &platform("linux/s390x"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            LookupError::Absent {
                what: Absence::Platform,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_index_that_was_read_for_its_digest_is_not_read_again() {
    let registry = Distribution::start();
    let amd = registry.image_of("base", "amd").await;
    registry
        .put("base", "1", &index(&[entry(&amd, "linux/amd64")]))
        .await;
    let front = Nginx::start(registry.port(), "proxy_hide_header Docker-Content-Digest;");
    let found = manifests(&anonymous(), &front.image("base:1"), &["linux/amd64"]).await;
    assert_eq!(found, map(&[("linux/amd64", Some(&amd))]));
    assert_eq!(
        front.requests().await,
        [
            "HEAD /v2/base/manifests/1 200",
            "GET /v2/base/manifests/1 200"
        ]
    );
}

#[tokio::test]
async fn a_registry_whose_heads_lie_is_found_out_and_its_bytes_are_hashed_from_then_on() {
    let registry = Distribution::start();
    let amd = registry.image_of("base", "amd").await;
    let pushed = registry
        .put("base", "1", &index(&[entry(&amd, "linux/amd64")]))
        .await;
    let lie = canned('f');
    let rules = format!(
        "proxy_hide_header Docker-Content-Digest; add_header Docker-Content-Digest '{lie}' always;
         rewrite ^/v2/base/manifests/{lie}$ /v2/base/manifests/1 last;"
    );
    let front = Nginx::start(registry.port(), &rules);
    let registries = anonymous();
    let tag = front.image("base:1");
    let first = seen(&registries, &tag).await;
    assert_eq!(first.digest.to_string(), lie);
    let error = registries
        .platforms(&reference(&tag), &first, &[platform("linux/amd64")])
        .await
        .unwrap_err();
    let (text, _) = words(error);
    assert!(
        text.ends_with(&format!(
            "the document is `{pushed}`, not what was asked for"
        )),
        "{text}"
    );
    assert_eq!(digest(&registries, &tag).await, pushed);
    assert_eq!(
        manifests(&registries, &tag, &["linux/amd64"]).await,
        map(&[("linux/amd64", Some(&amd))])
    );
}

/// A registry with documents under their digests and a tag `1` for the first.
fn serving(documents: Vec<Document>) -> Scripted {
    Scripted::start(move |request, _| {
        let wanted = request.path().rsplit('/').next().unwrap();
        let found = match wanted {
            "1" => documents.first(),
            digest => documents
                .iter()
                .find(|document| document.digest() == digest),
        };
        match found {
            Some(document) => Answer::status(200)
                .header("Content-Type", document.media_type)
                .header("Docker-Content-Digest", document.digest())
                .body(document.bytes.clone()),
            None => Answer::status(404),
        }
    })
}

fn nested(document: &Document) -> Value {
    json!({"mediaType": document.media_type, "digest": document.digest(), "size": 1})
}

#[tokio::test]
async fn indexes_lie_three_deep_in_each_other_and_no_deeper() {
    let image = documents::manifest(b"{}");
    let first = index(&[entry(&image, "linux/amd64")]);
    let second = index(&[nested(&first)]);
    let third = index(&[nested(&second)]);
    let fourth = index(&[nested(&third)]);
    let server = serving(vec![third.clone(), second.clone(), first.clone()]);
    assert_eq!(
        manifests(&anonymous(), &server.image("base:1"), &["linux/amd64"]).await,
        map(&[("linux/amd64", Some(&image))])
    );
    let server = serving(vec![fourth, third, second, first]);
    let registries = anonymous();
    let tag = server.image("base:1");
    let top = seen(&registries, &tag).await;
    let error = registries
        .platforms(&reference(&tag), &top, &[platform("linux/amd64")])
        .await
        .unwrap_err();
    let (text, _) = words(error);
    assert!(
        text.ends_with("its indexes lie in each other without end"),
        "{text}"
    );
    assert!(server.requests().len() <= 4);
}

#[tokio::test]
async fn an_index_that_is_wide_with_indexes_is_refused_before_all_are_read() {
    let inner: Vec<Document> = (0..100)
        .map(|n| {
            index(&[json!({"mediaType": documents::MANIFEST, "digest": canned('a'), "size": n})])
        })
        .collect();
    let outer = index(&inner.iter().map(nested).collect::<Vec<_>>());
    let mut all = vec![outer];
    all.extend(inner);
    let server = serving(all);
    let registries = anonymous();
    let tag = server.image("base:1");
    let top = seen(&registries, &tag).await;
    assert!(
        registries
            .platforms(&reference(&tag), &top, &[platform("linux/amd64")])
            .await
            .is_err()
    );
    assert!(server.requests().len() < 40);
}
