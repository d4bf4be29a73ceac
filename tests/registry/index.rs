//! Indexes: the manifest for a platform, at the cost of one GET for an index that moved.

use std::collections::BTreeMap;

use acrt::{
    image::Platform,
    registry::{LookupError, ManifestKind, MissingPart, Registries, ResolvedTag},
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

async fn seen(registries: &Registries, tag: &str) -> ResolvedTag {
    registries.look(&reference(tag)).await.unwrap()
}

/// Looks at a tag and returns each platform's manifest digest.
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
async fn index_takes_one_get_and_gives_each_platform_its_manifest() {
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
async fn changed_attestation_moves_the_index_and_no_platform() {
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
async fn added_platform_moves_the_index_and_no_other_platform() {
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
async fn nested_index_is_resolved() {
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
async fn single_manifest_serves_the_platform_in_its_config_and_may_become_an_index() {
    let registry = Distribution::start();
    let image = registry.image_of("base", "image").await;
    registry.put("base", "1", &image).await;
    let registries = anonymous();
    let tag = registry.image("base:1");
    let all = ["linux/amd64", "linux/amd64/v3", "linux/arm64"];
    assert_eq!(
        manifests(&registries, &tag, &all).await,
        map(&[
            ("linux/amd64", Some(&image)),
            ("linux/amd64/v3", Some(&image)),
            ("linux/arm64", None)
        ])
    );
    // HEAD, the manifest, the config.
    assert_eq!(registry.requests().await.len(), 3);
    let both = ["linux/amd64", "linux/arm64"];

    registry
        .put("base", "1", &index(&[entry(&image, "linux/amd64")]))
        .await;
    assert_eq!(seen(&registries, &tag).await.kind, ManifestKind::Index);
    assert_eq!(
        manifests(&registries, &tag, &both).await,
        map(&[("linux/amd64", Some(&image)), ("linux/arm64", None)])
    );
}

#[tokio::test]
async fn single_manifest_whose_config_names_no_platform_serves_every_platform() {
    let registry = Distribution::start();
    let image = registry.image_with("base", br#"{"config":{}}"#).await;
    registry.put("base", "1", &image).await;
    let both = ["linux/amd64", "linux/arm64"];
    assert_eq!(
        manifests(&anonymous(), &registry.image("base:1"), &both).await,
        map(&[("linux/amd64", Some(&image)), ("linux/arm64", Some(&image))])
    );
}

#[tokio::test]
async fn platform_config_gives_onbuild_triggers_and_labels() {
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
                what: MissingPart::Platform,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn index_read_for_its_digest_is_not_read_again() {
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
async fn wrong_head_digests_are_detected_and_bodies_hashed_from_then_on() {
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
            "it contradicts itself: it gives the content of `{pushed}` for the digest `{lie}`"
        )),
        "{text}"
    );
    assert_eq!(digest(&registries, &tag).await, pushed);
    assert_eq!(
        manifests(&registries, &tag, &["linux/amd64"]).await,
        map(&[("linux/amd64", Some(&amd))])
    );
}

/// A registry with documents by digest and a tag `1` for the first.
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
            Some(document) => documents::answer(document),
            None => Answer::status(404),
        }
    })
}

fn nested(document: &Document) -> Value {
    json!({"mediaType": document.media_type, "digest": document.digest(), "size": 1})
}

#[tokio::test]
async fn index_nesting_is_limited_to_three_levels() {
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
        text.ends_with("its indexes are nested too deeply"),
        "{text}"
    );
    assert!(server.requests().len() <= 4);
}

#[tokio::test]
async fn index_with_too_many_nested_indexes_is_refused_before_all_are_read() {
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

/// A registry with blobs, and a tag `1` for the first document.
fn serving_all(documents: Vec<Document>, blobs: Vec<Vec<u8>>) -> Scripted {
    Scripted::start(move |request, _| {
        let wanted = request.path().rsplit('/').next().unwrap();
        if let Some(blob) = blobs
            .iter()
            .find(|blob| documents::digest_of(blob) == wanted)
        {
            return Answer::status(200).body(blob.clone());
        }
        let found = match wanted {
            "1" => documents.first(),
            digest => documents
                .iter()
                .find(|document| document.digest() == digest),
        };
        found.map_or_else(|| Answer::status(404), documents::answer)
    })
}

/// An image whose config names a platform, or none.
fn image_for(seed: &str, platform: Option<(&str, &str)>) -> (Document, Vec<u8>) {
    let config = match platform {
        Some((os, architecture)) => json!({"author": seed, "os": os, "architecture": architecture}),
        None => json!({"author": seed}),
    };
    let config = serde_json::to_vec(&config).unwrap();
    (documents::manifest(&config), config)
}

#[tokio::test]
async fn single_image_of_an_index_without_platforms_is_used_without_reading_it() {
    let (image, _) = image_for("one", None);
    for entry in [nested(&image), documents::entry(&image, "unknown/unknown")] {
        let index = index(&[entry]);
        let server = serving(vec![index.clone()]);
        assert_eq!(
            manifests(
                &anonymous(),
                &server.image("base:1"),
                &["linux/amd64", "linux/arm64"]
            )
            .await,
            map(&[("linux/amd64", Some(&image)), ("linux/arm64", Some(&image))])
        );
        assert_eq!(
            server.requests(),
            [
                "HEAD /v2/base/manifests/1".to_owned(),
                format!("GET /v2/base/manifests/{}", index.digest())
            ]
        );
    }
}

#[tokio::test]
async fn platforms_missing_in_an_index_are_read_from_the_image_configs() {
    let (amd, amd_config) = image_for("amd", Some(("linux", "amd64")));
    let (arm, arm_config) = image_for("arm", Some(("linux", "arm64")));
    let index = index(&[nested(&amd), nested(&arm)]);
    let server = serving_all(
        vec![index, amd.clone(), arm.clone()],
        vec![amd_config, arm_config],
    );
    let registries = anonymous();
    let tag = server.image("base:1");
    let wanted = ["linux/amd64", "linux/arm64", "linux/s390x"];
    let expected = map(&[
        ("linux/amd64", Some(&amd)),
        ("linux/arm64", Some(&arm)),
        ("linux/s390x", None),
    ]);
    assert_eq!(manifests(&registries, &tag, &wanted).await, expected);
    assert_eq!(server.requests().len(), 2 + 2 * 2);
    assert_eq!(manifests(&registries, &tag, &wanted).await, expected);
    assert_eq!(server.requests().len(), 6 + 1);
}

#[tokio::test]
async fn image_without_platform_is_read_only_for_platforms_that_no_entry_names() {
    let (amd, _) = image_for("amd", None);
    let (arm, arm_config) = image_for("arm", Some(("linux", "arm64")));
    let index = index(&[entry(&amd, "linux/amd64"), nested(&arm)]);
    let server = serving_all(vec![index, arm.clone()], vec![arm_config]);
    let registries = anonymous();
    let tag = server.image("base:1");
    assert_eq!(
        manifests(&registries, &tag, &["linux/amd64"]).await,
        map(&[("linux/amd64", Some(&amd))])
    );
    assert_eq!(server.requests().len(), 2);
    assert_eq!(
        manifests(&registries, &tag, &["linux/arm64", "linux/s390x"]).await,
        map(&[("linux/arm64", Some(&arm)), ("linux/s390x", None)])
    );
}

#[tokio::test]
async fn index_digest_is_compared_where_no_platform_is_known() {
    let (one, one_config) = image_for("one", None);
    let (two, _) = image_for("two", None);
    for (documents, blobs) in [
        // A config without a platform, and an entry that does not exist.
        (vec![one.clone()], vec![one_config]),
        (Vec::new(), Vec::new()),
    ] {
        let index = index(&[nested(&one), nested(&two)]);
        let server = serving_all([vec![index.clone()], documents].concat(), blobs);
        assert_eq!(
            manifests(&anonymous(), &server.image("base:1"), &["linux/amd64"]).await,
            map(&[("linux/amd64", Some(&index))])
        );
    }
    // Too many to read.
    let many: Vec<Value> = (0..100)
        .map(|n| nested(&image_for(&n.to_string(), None).0))
        .collect();
    let many = index(&many);
    let server = serving(vec![many.clone()]);
    assert_eq!(
        manifests(&anonymous(), &server.image("base:1"), &["linux/amd64"]).await,
        map(&[("linux/amd64", Some(&many))])
    );
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn images_of_a_nested_index_inherit_the_platform_of_its_entry() {
    let (amd, _) = image_for("amd", None);
    let (arm, _) = image_for("arm", None);
    let inner = index(&[nested(&arm)]);
    let mut above = nested(&inner);
    above["platform"] = json!({"os": "linux", "architecture": "arm64"});
    let outer = index(&[entry(&amd, "linux/amd64"), above]);
    let server = serving(vec![outer, inner]);
    assert_eq!(
        manifests(
            &anonymous(),
            &server.image("base:1"),
            &["linux/amd64", "linux/arm64", "linux/s390x"]
        )
        .await,
        map(&[
            ("linux/amd64", Some(&amd)),
            ("linux/arm64", Some(&arm)),
            ("linux/s390x", None)
        ])
    );
}

fn windows(document: &Document, version: &str) -> Value {
    let mut entry = entry(document, "windows/amd64");
    entry["platform"]["os.version"] = json!(version);
    entry
}

#[tokio::test]
async fn several_windows_versions_are_all_listed_and_each_can_be_requested() {
    let (old, new, linux) = (
        image_for("old", None).0,
        image_for("new", None).0,
        image_for("linux", None).0,
    );
    let document = index(&[
        windows(&old, "10.0.17763.6"),
        windows(&new, "10.0.20348.9"),
        entry(&linux, "linux/amd64"),
    ]);
    let server = serving(vec![document]);
    let registries = anonymous();
    let tag = server.image("base:1");
    assert_eq!(
        manifests(&registries, &tag, &["windows/amd64", "linux/amd64"]).await,
        map(&[
            ("linux/amd64", Some(&linux)),
            ("windows/amd64", Some(&old)),
            ("windows(10.0.17763.6)/amd64", Some(&old)),
            ("windows(10.0.20348.9)/amd64", Some(&new)),
        ])
    );
    // Another revision of the same build, and a missing build.
    assert_eq!(
        manifests(
            &registries,
            &tag,
            &["windows(10.0.20348.1)/amd64", "windows(10.0.26100.1)/amd64"]
        )
        .await,
        map(&[
            ("windows(10.0.20348.1)/amd64", Some(&new)),
            ("windows(10.0.26100.1)/amd64", None)
        ])
    );
    let one = serving(vec![index(&[windows(&new, "10.0.20348.9")])]);
    assert_eq!(
        manifests(&registries, &one.image("base:1"), &["windows/amd64"]).await,
        map(&[("windows/amd64", Some(&new))])
    );
}

/// A registry whose HEAD names `moved`, while every GET returns `old`.
fn contradicting(old: &Document, moved: String) -> Scripted {
    let old = old.clone();
    Scripted::start(move |request, _| match request.method.as_str() {
        "HEAD" => Answer::manifest(&moved),
        _ => documents::answer(&old),
    })
}

#[tokio::test]
async fn old_manifest_under_a_new_digest_is_an_error_on_every_lookup() {
    let old = index(&[entry(&image_for("old", None).0, "linux/amd64")]);
    let server = contradicting(&old, canned('d'));
    let registries = anonymous();
    let tag = reference(&server.image("base:1"));
    for _ in 0..3 {
        let seen = registries.look(&tag).await.unwrap();
        assert_eq!(seen.digest.to_string(), canned('d'));
        let wanted = [platform("linux/amd64")];
        for error in [
            registries
                .platforms(&tag, &seen, &wanted)
                .await
                .unwrap_err(),
            registries.expect_image(&tag, &seen).await.unwrap_err(),
        ] {
            assert!(!error.is_absent() && !error.is_no_image());
            let (text, _) = words(error);
            let problem = format!(
                "it contradicts itself: it gives the content of `{}` for the digest `{}`",
                old.digest(),
                canned('d')
            );
            assert!(text.ends_with(&problem), "{text}");
        }
    }
}

#[tokio::test]
async fn missing_manifest_of_a_named_digest_does_not_make_the_image_absent() {
    let inner = index(&[entry(&image_for("one", None).0, "linux/amd64")]);
    let outer = index(&[nested(&inner)]);
    let server = Scripted::start(|request, _| match request.method.as_str() {
        "HEAD" => Answer::manifest(&canned('d')),
        _ => Answer::status(404),
    });
    for server in [server, serving(vec![outer])] {
        let registries = anonymous();
        let tag = reference(&server.image("base:1"));
        let seen = registries.look(&tag).await.unwrap();
        let wanted = [platform("linux/amd64")];
        let error = registries
            .platforms(&tag, &seen, &wanted)
            .await
            .unwrap_err();
        assert!(!error.is_absent());
        let (text, _) = words(error);
        assert!(
            text.contains("it contradicts itself: it names `sha256:"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn missing_config_of_a_named_manifest_does_not_make_the_image_absent() {
    let (image, _) = image_for("one", None);
    let server = Scripted::start(move |request, _| match request.target.contains("/blobs/") {
        true => Answer::status(404),
        false => documents::answer(&image),
    });
    let registries = anonymous();
    let tag = reference(&server.image("base:1"));
    let config = registries.config(&tag, &platform("linux/amd64")).await;
    let error = config.unwrap_err();
    assert!(!error.is_absent());
    let (text, _) = words(error);
    assert!(text.contains("lacks its blob `sha256:"), "{text}");
}
