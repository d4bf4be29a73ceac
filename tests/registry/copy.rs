//! Copies between registries: what is sent, in which order, and what happens on failures.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use acrt::{
    image::Digest,
    registry::{
        Registries,
        copy::{Copied, CopyError, CopyRequest, ImagePlace, Tagged},
    },
    sys::config::RegistrySettings,
};
use serde_json::json;

use super::{
    distribution::{Access, Distribution, PASSWORD, USER},
    documents::{self, Document},
    nginx::{Authority, Nginx},
    scripted::{Answer, Request, Scripted},
    settings::{anonymous, client, login, nobody, reference},
    token_service::{Rules, TokenService},
};

fn request(from: &str, to: &str, tag: &str) -> CopyRequest {
    CopyRequest {
        from: ImagePlace::Registry(reference(from)),
        to: ImagePlace::Registry(reference(to)),
        tags: vec![tag.to_owned()],
        platforms: Vec::new(),
        all_referrers: false,
        force: false,
    }
}

async fn copy(registries: &Registries, request: &CopyRequest) -> Result<Copied, CopyError> {
    registries.copy(request, &|_| {}, &()).await
}

fn count(requests: &[String], what: &str) -> usize {
    let all = requests.iter();
    all.filter(|request| request.starts_with(what)).count()
}

/// An index of two platforms, one of them with an attestation.
async fn index(registry: &Distribution, repository: &str) -> Document {
    let amd64 = registry
        .layered(repository, "amd64", &[b"shared", b"amd64"])
        .await;
    let arm64 = registry
        .layered(repository, "arm64", &[b"shared", b"arm64"])
        .await;
    let about = registry
        .layered(repository, "about", &[b"provenance"])
        .await;
    let index = documents::index(&[
        documents::entry(&amd64, "linux/amd64"),
        documents::entry(&arm64, "linux/arm64"),
        documents::attestation(&about, &amd64),
    ]);
    registry.put(repository, "1", &index).await;
    index
}

#[tokio::test]
async fn index_is_copied_byte_for_byte_with_its_manifests_and_the_tag_last() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let index = index(&source, "base").await;
    let (from, to) = (source.image("base:1"), target.image("own/base:1"));
    let copied = copy(&anonymous(), &request(&from, &to, "1")).await.unwrap();
    assert_eq!(copied.digest.as_str(), index.digest());
    assert_eq!(copied.tags, [Tagged::Created]);
    // Three configs, two layers of their own, one shared, one of the attestation.
    assert_eq!(copied.amount.sent, 7);
    assert_eq!(target.get("own/base/manifests/1").await, Some(index.bytes));
    let asked = target.requests().await;
    assert_eq!(count(&asked, "PUT /v2/own/base/manifests/"), 5);
    assert_eq!(asked.last().unwrap(), "PUT /v2/own/base/manifests/1 201");
    assert_eq!(count(&source.requests().await, "GET /v2/base/blobs/"), 7);
}

#[tokio::test]
async fn copy_of_an_unchanged_tag_takes_two_head_requests() {
    let (source, target) = (Distribution::start(), Distribution::start());
    index(&source, "base").await;
    let wanted = request(&source.image("base:1"), &target.image("base:1"), "1");
    copy(&anonymous(), &wanted).await.unwrap();
    let (before, after) = (source.requests().await.len(), target.requests().await.len());
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!(copied.tags, [Tagged::Unchanged]);
    let asked = source.requests().await.split_off(before);
    assert_eq!(asked, ["HEAD /v2/base/manifests/1 200"]);
    let asked = target.requests().await.split_off(after);
    assert_eq!(asked, ["HEAD /v2/base/manifests/1 200"]);
}

#[tokio::test]
async fn second_tag_of_a_copied_image_sends_no_blob() {
    let (source, target) = (Distribution::start(), Distribution::start());
    index(&source, "base").await;
    let (from, to) = (source.image("base:1"), target.image("base:1"));
    copy(&anonymous(), &request(&from, &to, "1")).await.unwrap();
    let before = target.requests().await.len();
    let copied = copy(&anonymous(), &request(&from, &to, "2")).await.unwrap();
    assert_eq!(copied.amount.sent, 0);
    let asked = target.requests().await.split_off(before);
    assert_eq!(count(&asked, "PUT"), 1, "{asked:?}");
    assert_eq!(count(&asked, "HEAD /v2/base/blobs/"), 0, "{asked:?}");
}

#[tokio::test]
async fn existing_tag_of_another_image_is_kept_without_force() {
    let (source, target) = (Distribution::start(), Distribution::start());
    source.push("base:1", "new").await;
    let old = target.push("base:1", "old").await;
    let mut wanted = request(&source.image("base:1"), &target.image("base:1"), "1");
    let error = copy(&anonymous(), &wanted).await.unwrap_err();
    assert!(matches!(&error, CopyError::Exists { there, .. } if there.as_str() == old));
    assert_eq!(count(&target.requests().await, "POST"), 0);
    wanted.force = true;
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!(copied.tags, [Tagged::Moved(old.parse().unwrap())]);
}

/// A registry that answers the first request with bytes of a blob with 429 and this `Retry-After`.
fn limiting(seconds: u64) -> Scripted {
    let limited = AtomicUsize::new(0);
    Scripted::start(move |request, n| match request.method.as_str() {
        "POST" => Answer::status(202).header("Location", format!("/v2/own/blobs/uploads/{n}")),
        "PUT" if !request.target.contains("/uploads/") => Answer::status(201),
        "PUT" if limited.fetch_add(1, Ordering::SeqCst) == 0 => {
            Answer::status(429).header("Retry-After", seconds.to_string())
        }
        "PUT" => Answer::status(201),
        "DELETE" => Answer::status(204),
        "GET" if request.target.contains("/uploads/") => Answer::status(204).header("Range", "0-0"),
        _ => Answer::status(404),
    })
}

#[tokio::test]
async fn limit_on_the_bytes_of_a_blob_is_waited_out_or_reported() {
    let source = Distribution::start();
    source.push("base:1", "new").await;
    for (seconds, puts) in [(7, 2), (3600, 1)] {
        let target = limiting(seconds);
        let (registries, clock) = client(&nobody(), Vec::new());
        let start = clock.now();
        let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
        let copied = copy(&registries, &wanted).await;
        let asked = target.requests();
        assert_eq!(
            count(&asked, "PUT /v2/own/blobs/uploads/"),
            puts,
            "{asked:?}"
        );
        if seconds == 7 {
            copied.unwrap();
            let waited = clock.now().duration_since(start).as_secs();
            assert!((7..20).contains(&waited), "{waited}");
            // The upload that has no byte is canceled.
            assert_eq!(
                count(&asked, "DELETE /v2/own/blobs/uploads/"),
                1,
                "{asked:?}"
            );
            continue;
        }
        let error = copied.unwrap_err();
        let until = match &error {
            CopyError::Write { why, .. } => why.retry_at(),
            _ => None,
        };
        let pause = until.map(|until| until.duration_since(start).as_secs());
        assert_eq!(pause, Some(3600), "{error:?}");
    }
}

#[tokio::test]
async fn missing_manifest_of_an_index_is_named() {
    let (image, gone) = (documents::manifest(b"there"), documents::manifest(b"gone"));
    let list = documents::index(&[
        documents::entry(&image, "linux/amd64"),
        documents::entry(&gone, "linux/arm64"),
    ]);
    let source = Scripted::start(move |request, _| match request.path() {
        "/v2/base/manifests/1" => documents::answer(&list),
        path if path.ends_with(&image.digest()) => documents::answer(&image),
        _ => Answer::status(404),
    });
    let target = Distribution::start();
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let error = copy(&anonymous(), &wanted).await.unwrap_err();
    let error = acrt::Error::from(error).one_line();
    let expected = format!(
        "cannot copy `{}`, which is malformed: `{}`: its index lists this manifest, which does not exist",
        source.image("base:1"),
        gone.digest()
    );
    assert_eq!(error, expected);
}

#[tokio::test]
async fn folder_that_has_lost_a_layer_is_completed() {
    let source = Distribution::start();
    let image = source.layered("base", "seed", &[b"layer"]).await;
    source.put("base", "1", &image).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("copies");
    let mut wanted = request(&source.image("base:1"), "localhost/unused:1", "own");
    wanted.to = ImagePlace::Layout {
        folder: folder.clone(),
        name: None,
    };
    copy(&anonymous(), &wanted).await.unwrap();
    let layer = folder.join(format!(
        "blobs/{}",
        documents::digest_of(b"layer").replace(':', "/")
    ));
    for force in [false, true] {
        std::fs::remove_file(&layer).unwrap();
        wanted.force = force;
        let copied = copy(&anonymous(), &wanted).await.unwrap();
        assert_eq!(copied.tags, [Tagged::Unchanged]);
        assert_eq!(copied.amount.sent, 1);
        assert_eq!(std::fs::read(&layer).unwrap(), b"layer");
    }
}

#[tokio::test]
async fn forced_copy_looks_for_each_blob_of_an_image_that_is_there() {
    let (source, target) = (Distribution::start(), Distribution::start());
    index(&source, "base").await;
    let mut wanted = request(&source.image("base:1"), &target.image("base:1"), "1");
    copy(&anonymous(), &wanted).await.unwrap();
    let before = target.requests().await.len();
    wanted.force = true;
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!(copied.tags, [Tagged::Unchanged]);
    assert_eq!((copied.amount.present, copied.amount.sent), (7, 0));
    let asked = target.requests().await.split_off(before);
    assert_eq!(count(&asked, "HEAD /v2/base/blobs/"), 7, "{asked:?}");
    assert_eq!(count(&asked, "P"), 0, "{asked:?}");
}

#[tokio::test]
async fn existing_tag_is_kept_where_the_registry_answers_only_get() {
    let source = Distribution::start();
    source.push("base:1", "new").await;
    let old = documents::manifest(b"old");
    for status in [400, 404, 405, 501] {
        let there = old.clone();
        let target = Scripted::start(move |request: &Request, _| {
            match (request.method.as_str(), request.path()) {
                ("GET", "/v2/base/manifests/1") => documents::answer(&there),
                _ => Answer::status(status),
            }
        });
        let wanted = request(&source.image("base:1"), &target.image("base:1"), "1");
        let error = copy(&anonymous(), &wanted).await.unwrap_err();
        assert!(
            matches!(&error, CopyError::Exists { there, .. } if there.as_str() == old.digest()),
            "{status}: {error:?}"
        );
        assert_eq!(count(&target.requests(), "P"), 0, "{status}");
    }
}

#[tokio::test]
async fn blobs_within_one_registry_are_mounted_and_not_sent() {
    let registry = Distribution::start();
    index(&registry, "base").await;
    let wanted = request(&registry.image("base:1"), &registry.image("own:1"), "1");
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!((copied.amount.mounted, copied.amount.sent), (7, 0));
    let asked = registry.requests().await;
    assert_eq!(count(&asked, "GET /v2/base/blobs/"), 0);
    assert_eq!(count(&asked, "PUT /v2/own/blobs/"), 0);
}

#[tokio::test]
async fn source_with_password_and_target_with_token_each_get_their_own_credential() {
    let service = TokenService::start(Rules {
        login: Some("writer:secret"),
        ..Rules::default()
    });
    let target = Distribution::with(Access::Token {
        realm: service.realm(),
        certificate: service.certificate(),
    });
    let source = Distribution::with(Access::Password);
    let index = index(&source, "base").await;
    let logins = vec![
        login(&source.host(), USER, PASSWORD),
        login(&target.host(), "writer", "secret"),
    ];
    let (registries, _) = client(&nobody(), logins);
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let copied = copy(&registries, &wanted).await.unwrap();
    assert_eq!(copied.digest.as_str(), index.digest());
    let tokens: Vec<String> = service.received().into_iter().map(|it| it.target).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(
        tokens[0].contains("repository%3Aown%3Apull%2Cpush"),
        "{tokens:?}"
    );
}

#[tokio::test]
async fn large_blobs_are_copied_both_ways_over_one_tls_connection() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let authority = Authority::new();
    let fronts = [&source, &target].map(|it| Nginx::with_tls(it.port(), "", &authority));
    let [from, to] = &fronts;
    let layer: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let document = source.layered("base", "x", &[&layer, b"small"]).await;
    source.put("base", "1", &document).await;
    let mut settings = nobody();
    for front in &fronts {
        let own = RegistrySettings {
            plain_http: Some(false),
            ca_file: Some(authority.certificate()),
            ..RegistrySettings::default()
        };
        settings.config.registries.insert(front.host(), own);
    }
    let (registries, _) = client(&settings, Vec::new());
    let wanted = request(&from.image("base:1"), &to.image("own:1"), "1");
    let copied = copy(&registries, &wanted).await.unwrap();
    assert_eq!(copied.amount.sent, 3);
    let path = format!("own/blobs/{}", Digest::of(&layer));
    assert_eq!(target.get(&path).await, Some(layer));
    assert_eq!((from.connections().await, to.connections().await), (1, 1));
}

#[tokio::test]
async fn pull_only_credential_is_reported_as_lacking_push_permission() {
    let service = TokenService::start(Rules {
        denied: vec!["own"],
        ..Rules::default()
    });
    let target = Distribution::with(Access::Token {
        realm: service.realm(),
        certificate: service.certificate(),
    });
    let source = Distribution::start();
    source.push("base:1", "x").await;
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let error = acrt::Error::from(copy(&anonymous(), &wanted).await.unwrap_err());
    let place = target.image("own");
    assert!(
        error
            .one_line()
            .starts_with(&format!("cannot write to `{place}`: `{}` ", target.host())),
        "{}",
        error.one_line()
    );
    assert!(error.advice().unwrap().contains("acrt login "));
}

#[tokio::test]
async fn interrupted_copy_is_completed_by_sending_missing_blobs() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let document = source.layered("base", "x", &[b"one", b"two"]).await;
    source.put("base", "1", &document).await;
    // The remains of a killed copy: some blobs, no manifest.
    target.upload("own", b"one").await;
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!((copied.amount.present, copied.amount.sent), (1, 2));
    assert_eq!(count(&source.requests().await, "GET /v2/base/blobs/"), 2);
}

#[tokio::test]
async fn windows_platform_copies_all_its_versions_or_the_named_one() {
    let (from, to) = (Distribution::start(), Distribution::start());
    let mut entries = Vec::new();
    for version in ["10.0.17763.6", "10.0.20348.9"] {
        let image = from.image_of("base", version).await;
        let mut windows = documents::entry(&image, "windows/amd64");
        windows["platform"]["os.version"] = json!(version);
        entries.push(windows);
    }
    let linux = from.image_of("base", "linux").await;
    entries.push(documents::entry(&linux, "linux/amd64"));
    from.put("base", "1", &documents::index(&entries)).await;
    let copied = async |platform: &str| {
        let mut wanted = request(&from.image("base:1"), &to.image("base:1"), "1");
        wanted.platforms = vec![platform.parse().unwrap()];
        wanted.force = true;
        copy(&anonymous(), &wanted).await.unwrap();
        let bytes = to.get("base/manifests/1").await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        document["manifests"].clone()
    };
    assert_eq!(copied("windows/amd64").await, json!(entries[..2]));
    assert_eq!(copied("windows(10.0.20348.1)/amd64").await, json!(null));
}

#[tokio::test]
async fn copy_of_one_platform_is_a_manifest_and_of_two_a_new_index() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let whole = index(&source, "base").await;
    let mut wanted = request(&source.image("base:1"), &target.image("base:1"), "1");
    wanted.platforms = vec!["linux/arm64".parse().unwrap()];
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!(copied.source.as_str(), whole.digest());
    let manifest = target.get("base/manifests/1").await.unwrap();
    assert_eq!(Digest::of(&manifest), copied.digest);
    assert_eq!(copied.amount.sent, 3);

    wanted.tags = vec!["2".into()];
    wanted.platforms.push("linux/amd64".parse().unwrap());
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    let index = target.get("base/manifests/2").await.unwrap();
    assert_eq!(Digest::of(&index), copied.digest);
    // The attestation of a platform is copied with it.
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 3);

    wanted.platforms = vec!["linux/s390x".parse().unwrap()];
    let error = copy(&anonymous(), &wanted).await.unwrap_err();
    assert!(matches!(error, CopyError::Platform { .. }), "{error:?}");
}

#[tokio::test]
async fn platform_of_an_index_in_an_index_is_copied_and_a_missing_one_refused() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let inner = index(&source, "base").await;
    let mut nested = documents::entry(&inner, "linux/arm64");
    nested.as_object_mut().unwrap().remove("platform");
    source.put("base", "1", &documents::index(&[nested])).await;
    let mut wanted = request(&source.image("base:1"), &target.image("base:1"), "1");
    wanted.platforms = vec!["linux/arm64".parse().unwrap()];
    copy(&anonymous(), &wanted).await.unwrap();
    let copied = target.get("base/manifests/1").await.unwrap();
    let inner: serde_json::Value = serde_json::from_slice(&inner.bytes).unwrap();
    assert_eq!(
        inner["manifests"][1]["digest"],
        Digest::of(&copied).as_str()
    );
    wanted.platforms = vec!["linux/s390x".parse().unwrap()];
    let error = copy(&anonymous(), &wanted).await.unwrap_err();
    assert!(matches!(error, CopyError::Platform { .. }), "{error:?}");
}

#[tokio::test]
async fn single_manifest_is_copied_only_for_its_own_platform() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let config = documents::config("image", json!({"os": "linux", "architecture": "amd64"}));
    source.upload("base", &config).await;
    let image = documents::manifest(&config);
    source.put("base", "1", &image).await;
    let mut wanted = request(&source.image("base:1"), &target.image("base:1"), "1");
    wanted.platforms = vec!["linux/arm64".parse().unwrap()];
    let error = copy(&anonymous(), &wanted).await.unwrap_err();
    assert!(matches!(error, CopyError::Platform { .. }), "{error:?}");
    wanted.platforms = vec!["linux/amd64".parse().unwrap()];
    copy(&anonymous(), &wanted).await.unwrap();
}

#[tokio::test]
async fn referrers_are_copied_on_request() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let image = source.layered("base", "x", &[b"layer"]).await;
    source.put("base", "1", &image).await;
    let config = documents::config("signature", json!({}));
    source.upload("base", &config).await;
    let mut signature: serde_json::Value =
        serde_json::from_slice(&documents::manifest(&config).bytes).unwrap();
    signature["artifactType"] = "application/vnd.example.signature".into();
    signature["subject"] = json!({"mediaType": documents::MANIFEST, "digest": image.digest(), "size": image.bytes.len()});
    let signature = Document {
        media_type: documents::MANIFEST,
        bytes: serde_json::to_vec(&signature).unwrap(),
    };
    source.put("base", &signature.digest(), &signature).await;
    // This registry has no referrers API, so signatures are under the fallback tag.
    let list = documents::index(&[
        json!({"mediaType": documents::MANIFEST, "digest": signature.digest(), "size": signature.bytes.len()}),
    ]);
    let tag = image.digest().replace(':', "-");
    source.put("base", &tag, &list).await;

    let mut wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    wanted.all_referrers = true;
    copy(&anonymous(), &wanted).await.unwrap();
    let path = format!("own/manifests/{}", signature.digest());
    assert_eq!(target.get(&path).await, Some(signature.bytes.clone()));
    let list = target.get(&format!("own/manifests/{tag}")).await.unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(list["manifests"][0]["digest"], signature.digest().as_str());
    assert_eq!(
        list["manifests"][0]["artifactType"],
        "application/vnd.example.signature"
    );
}

/// A source with an image of one layer; the test decides the responses for that layer.
fn source(
    layer: &'static [u8],
    blob: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
) -> Scripted {
    let config = documents::config("x", json!({}));
    let manifest = documents::manifest_of(&config, &[layer]);
    let path = format!("blobs/{}", Digest::of(layer));
    let seen = AtomicUsize::new(0);
    Scripted::start(move |request, _| {
        if request.path().ends_with(&path) {
            return blob(request, seen.fetch_add(1, Ordering::SeqCst));
        }
        if request.path().contains("/blobs/") {
            return Answer::status(200).body(config.clone());
        }
        Answer::status(200)
            .header("Content-Type", documents::MANIFEST)
            .header("Docker-Content-Digest", manifest.digest())
            .body(manifest.bytes.clone())
    })
}

fn beginning(layer: &[u8], sent: usize) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", layer.len()).into_bytes();
    bytes.extend_from_slice(&layer[..sent]);
    bytes
}

#[tokio::test]
async fn interrupted_source_blob_is_resumed_with_a_range_request() {
    let layer: &[u8] = b"0123456789";
    let source = source(layer, move |request, before| {
        match (before, request.header("range")) {
            (0, None) => Answer::torn(beginning(layer, 4)),
            (1, Some("bytes=4-")) => Answer::status(206).body(&layer[4..]),
            other => panic!("{other:?}"),
        }
    });
    let target = Distribution::start();
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!(copied.amount.sent, 2);
    let path = format!("own/blobs/{}", Digest::of(layer));
    assert_eq!(target.get(&path).await.as_deref(), Some(layer));
}

#[tokio::test]
async fn source_without_range_support_is_read_again_and_verified_once() {
    let layer: &[u8] = b"0123456789";
    let source = source(layer, move |_, before| match before {
        0 => Answer::torn(beginning(layer, 4)),
        _ => Answer::status(200).body(layer),
    });
    let target = Distribution::start();
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    copy(&anonymous(), &wanted).await.unwrap();
    let path = format!("own/blobs/{}", Digest::of(layer));
    assert_eq!(target.get(&path).await.as_deref(), Some(layer));
}

#[tokio::test]
async fn source_that_always_breaks_off_fails_the_copy_and_nothing_is_tagged() {
    let layer: &[u8] = b"0123456789";
    let source = source(layer, move |_, _| Answer::torn(beginning(layer, 0)));
    let target = Distribution::start();
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let error = acrt::Error::from(copy(&anonymous(), &wanted).await.unwrap_err());
    assert!(
        error.one_line().contains("broke off"),
        "{}",
        error.one_line()
    );
    assert_eq!(count(&target.requests().await, "PUT /v2/own/manifests/"), 0);
}

#[tokio::test]
async fn blob_with_a_wrong_digest_is_never_uploaded_whole() {
    for wrong in [b"9876543210".as_slice(), b"01234567890", b"012345678"] {
        let layer: &[u8] = b"0123456789";
        let source = source(layer, move |_, _| Answer::status(200).body(wrong));
        let target = Distribution::start();
        let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
        let error = copy(&anonymous(), &wanted).await.unwrap_err();
        assert!(matches!(error, CopyError::Corrupt { .. }), "{error:?}");
        let asked = target.requests().await;
        assert_eq!(count(&asked, "PUT /v2/own/manifests/"), 0, "{asked:?}");
        assert_eq!(
            target
                .get(&format!("own/blobs/{}", Digest::of(wrong)))
                .await,
            None
        );
    }
}

#[tokio::test]
async fn copy_waits_for_the_retry_after_of_the_source() {
    let layer: &[u8] = b"0123456789";
    let source = source(layer, move |_, before| match before {
        0 => Answer::status(429).header("Retry-After", "7"),
        _ => Answer::status(200).body(layer),
    });
    let target = Distribution::start();
    let (registries, clock) = client(&nobody(), Vec::new());
    let begun = clock.now();
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    copy(&registries, &wanted).await.unwrap();
    assert!(clock.now().duration_since(begun).as_secs() >= 7);
}

/// A target that accepts everything unless the test says otherwise, and records it.
fn target(
    odd: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
) -> (Scripted, Arc<Mutex<Vec<String>>>) {
    let took = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&took);
    let target = Scripted::start(move |request, _| {
        if let Some(answer) = odd(request) {
            return answer;
        }
        match request.method.as_str() {
            "POST" => Answer::status(202).header("Location", "/v2/own/blobs/uploads/1?state=a"),
            "PUT" => {
                list.lock().unwrap().push(request.body.clone());
                Answer::status(201)
            }
            _ => Answer::status(404),
        }
    });
    (target, took)
}

#[tokio::test]
async fn interrupted_upload_resumes_at_the_offset_of_the_registry() {
    let layer: &[u8] = b"0123456789";
    let source = source(layer, move |request, _| match request.header("range") {
        Some("bytes=4-") => Answer::status(206).body(&layer[4..]),
        _ => Answer::status(200).body(layer),
    });
    let first = AtomicUsize::new(0);
    let digest = Digest::of(layer).to_string().replace(':', "%3A");
    let (target, took) = target(move |request| {
        let of_layer = request.method == "PUT" && request.target.contains(&digest);
        if of_layer && first.fetch_add(1, Ordering::SeqCst) == 0 {
            return Some(Answer::status(502));
        }
        (request.method == "GET" && request.path().contains("/uploads/")).then(|| {
            Answer::status(204)
                .header("Range", "0-3")
                .header("Location", "/v2/own/blobs/uploads/1?state=b")
        })
    });
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    copy(&anonymous(), &wanted).await.unwrap();
    assert!(
        took.lock().unwrap().contains(&"456789".to_owned()),
        "{took:?}"
    );
    let requests = target.received();
    let rest = requests
        .iter()
        .find(|request| request.body == "456789")
        .unwrap();
    assert_eq!(rest.header("content-range"), Some("4-9"));
    assert!(rest.target.contains("state=b"), "{}", rest.target);
}

#[tokio::test]
async fn full_disk_of_the_target_is_reported_and_nothing_is_tagged() {
    let layer: &[u8] = b"0123456789";
    let source = source(layer, move |_, _| Answer::status(200).body(layer));
    let (target, _) = target(|request| {
        (request.method == "PUT").then(|| {
            Answer::status(507)
                .body(r#"{"errors":[{"code":"UNKNOWN","message":"no space left on device"}]}"#)
        })
    });
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let error = acrt::Error::from(copy(&anonymous(), &wanted).await.unwrap_err());
    let text = error.one_line();
    assert!(text.contains("no space left on device"), "{text}");
    assert_eq!(count(&target.requests(), "PUT /v2/own/manifests/"), 0);
}

#[tokio::test]
async fn target_that_stores_another_digest_fails_the_copy() {
    let layer: &[u8] = b"0123456789";
    let source = source(layer, move |_, _| Answer::status(200).body(layer));
    let (target, _) = target(|request| {
        (request.method == "PUT" && request.path().contains("/manifests/")).then(|| {
            Answer::status(201).header("Docker-Content-Digest", super::scripted::digest('a'))
        })
    });
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let error = acrt::Error::from(copy(&anonymous(), &wanted).await.unwrap_err());
    assert!(
        error.one_line().contains("it stored `sha256:aaaa"),
        "{}",
        error.one_line()
    );
}

#[tokio::test]
async fn upload_location_on_a_forbidden_host_is_refused() {
    let layer: &[u8] = b"0123456789";
    let source = source(layer, move |_, _| Answer::status(200).body(layer));
    let (target, _) = target(|request| {
        (request.method == "POST")
            .then(|| Answer::status(202).header("Location", "ftp://example.com/x"))
    });
    let wanted = request(&source.image("base:1"), &target.image("own:1"), "1");
    let error = acrt::Error::from(copy(&anonymous(), &wanted).await.unwrap_err());
    assert!(
        error
            .one_line()
            .contains("it sends the upload to a forbidden address"),
        "{}",
        error.one_line()
    );
}

#[tokio::test]
async fn image_is_copied_to_an_oci_layout_and_back() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let index = index(&source, "base").await;
    let folder = tempfile::tempdir().unwrap();
    let layout = |name: Option<&str>| ImagePlace::Layout {
        folder: folder.path().join("images"),
        name: name.map(str::to_owned),
    };
    let mut wanted = request(&source.image("base:1"), "unused:1", "base-1");
    wanted.to = layout(None);
    copy(&anonymous(), &wanted).await.unwrap();
    let again = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!(again.tags, [Tagged::Unchanged]);

    let mut wanted = request("unused:1", &target.image("own:1"), "1");
    wanted.from = layout(Some("base-1"));
    let copied = copy(&anonymous(), &wanted).await.unwrap();
    assert_eq!(copied.digest.as_str(), index.digest());
    assert_eq!(target.get("own/manifests/1").await, Some(index.bytes));
    wanted.from = layout(Some("other"));
    let error = copy(&anonymous(), &wanted).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::Unnamed { names, .. } if *names == ["base-1"]),
        "{error:?}"
    );
}

#[tokio::test]
async fn copy_over_its_size_limit_is_refused_before_any_blob_is_read() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let image = source.layered("base", "1", &[b"a"]).await;
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.bytes).unwrap();
    manifest["config"]["size"] = json!(200_u64 << 30);
    manifest["layers"][0]["size"] = json!(200_u64 << 30);
    let large = Document {
        bytes: serde_json::to_vec(&manifest).unwrap(),
        ..image
    };
    source.put("base", "large", &large).await;
    let wanted = request(&source.image("base:large"), &target.image("base:1"), "1");
    let error = copy(&anonymous(), &wanted).await.unwrap_err();
    let told = acrt::Error::from(error).one_line();
    assert!(told.contains("more than may be copied at once"), "{told}");
    assert_eq!(count(&source.requests().await, "GET /v2/base/blobs/"), 0);
    assert_eq!(count(&target.requests().await, "POST"), 0);
}
