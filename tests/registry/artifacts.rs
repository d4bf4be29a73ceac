//! Tags that are no images: recognised without additional requests.

use acrt::registry::{
    LookupError, ManifestKind,
    copy::{CopyRequest, ImagePlace},
};
use serde_json::json;

use super::{
    distribution::Distribution,
    documents::{self, Document, INDEX, attestation, entry, index},
    scripted::{Answer, Scripted},
    settings::{anonymous, reference, words},
};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

fn helm_chart() -> Document {
    documents::artifact(
        json!({}),
        "application/vnd.cncf.helm.config.v1+json",
        &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
    )
}

/// A registry that returns one document for every name.
fn serving(document: Document) -> Scripted {
    Scripted::start(move |_, _| documents::answer(&document))
}

fn is_no_image_but(error: LookupError, image: &str, what: &str) {
    assert!(error.is_no_image() && !error.is_absent() && !error.is_unreachable());
    let (text, hint) = words(error);
    let expected =
        format!("nothing can be built on `{image}`: it is not an image but {what}: GET ");
    assert!(text.starts_with(&expected), "{text}");
    assert_eq!(
        hint,
        "name a tag that is an image, or push an image under this one"
    );
}

#[tokio::test]
async fn helm_chart_is_recognized_with_one_get() {
    let registry = Distribution::start();
    registry.upload("chart", b"{}").await;
    let pushed = registry.put("chart", "1", &helm_chart()).await;
    let registries = anonymous();
    let tag = reference(&registry.image("chart:1"));
    for _ in 0..3 {
        let seen = registries.look(&tag).await.unwrap();
        let error = registries.expect_image(&tag, &seen).await.unwrap_err();
        is_no_image_but(
            error,
            &tag.to_string(),
            "a Helm chart (application/vnd.cncf.helm.config.v1+json)",
        );
        let wanted = ["linux/amd64".parse().unwrap()];
        let error = registries.platforms(&tag, &seen, &wanted).await;
        assert!(error.unwrap_err().is_no_image());
        let error = registries.config(&tag.at(seen.digest), &wanted[0]).await;
        assert!(error.unwrap_err().is_no_image());
    }
    let head = "HEAD /v2/chart/manifests/1 200".to_owned();
    let get = format!("GET /v2/chart/manifests/{pushed} 200");
    assert_eq!(
        registry.requests().await,
        [head.clone(), get, head.clone(), head]
    );
}

#[tokio::test]
async fn helm_chart_is_copied_and_its_files_are_read() {
    let (from, to) = (Distribution::start(), Distribution::start());
    from.upload("chart", b"{}").await;
    let chart = helm_chart();
    from.put("chart", "1", &chart).await;
    let source = reference(&from.image("chart:1"));
    let registries = anonymous();
    let request = CopyRequest {
        from: ImagePlace::Registry(source.clone()),
        to: ImagePlace::Registry(reference(&to.image("chart:1"))),
        tags: vec!["1".to_owned()],
        platforms: Vec::new(),
        all_referrers: false,
        force: false,
    };
    registries.copy(&request, &|_| {}, &()).await.unwrap();
    assert_eq!(to.get("chart/manifests/1").await, Some(chart.bytes));
    let files = registries.artifact(&source).await.unwrap();
    let mut kept = tempfile::NamedTempFile::new().unwrap();
    let fetched = registries.fetch_blob(&source, &files[0].layer, kept.as_file_mut());
    fetched.await.unwrap();
    assert_eq!(std::fs::read(kept.path()).unwrap(), b"{}");
}

#[tokio::test]
async fn image_manifest_is_recognized_and_read_once() {
    let registry = Distribution::start();
    let amd = registry.image_of("base", "amd").await;
    registry.put("base", "single", &amd).await;
    let provenance = registry.image_of("base", "provenance").await;
    let document = index(&[entry(&amd, "linux/amd64"), attestation(&provenance, &amd)]);
    registry.put("base", "index", &document).await;
    let registries = anonymous();
    for _ in 0..2 {
        for name in ["base:single", "base:index"] {
            let tag = reference(&registry.image(name));
            let seen = registries.look(&tag).await.unwrap();
            registries.expect_image(&tag, &seen).await.unwrap();
        }
    }
    assert_eq!(registry.requests().await.len(), 4 + 2);
}

#[tokio::test]
async fn other_artifact_types_are_not_images() {
    let image = documents::manifest(b"{}");
    for (document, what) in [
        (
            documents::artifact(
                json!({}),
                CONFIG,
                &["application/vnd.dev.cosign.simplesigning.v1+json"],
            ),
            "a signature (application/vnd.dev.cosign.simplesigning.v1+json)",
        ),
        (
            documents::artifact(
                json!({"artifactType": "application/vnd.acme.rocket"}),
                EMPTY,
                &["text/plain"],
            ),
            "an artifact (application/vnd.acme.rocket)",
        ),
        (
            documents::artifact(json!({}), EMPTY, &["text/markdown"]),
            "an artifact (text/markdown)",
        ),
        (
            index(&[attestation(&image, &image)]),
            "an index that lists no image",
        ),
        (
            Document::of(
                INDEX,
                &json!({"schemaVersion": 2, "mediaType": INDEX, "artifactType": "doc/example",
                        "manifests": []}),
            ),
            "an artifact (doc/example)",
        ),
    ] {
        let server = serving(document);
        let tag = reference(&server.image("base:1"));
        let registries = anonymous();
        let seen = registries.look(&tag).await.unwrap();
        let error = registries.expect_image(&tag, &seen).await.unwrap_err();
        is_no_image_but(error, &tag.to_string(), what);
        assert_eq!(server.requests().len(), 2, "{what}");
    }
}

#[tokio::test]
async fn manifest_of_an_unknown_media_type_has_a_digest_and_is_no_image() {
    let media_type = "application/vnd.oci.artifact.manifest.v1+json";
    let document = Document::of(
        media_type,
        &json!({"mediaType": media_type, "artifactType": "sbom/example", "blobs": []}),
    );
    let server = serving(document.clone());
    let tag = reference(&server.image("base:1"));
    let registries = anonymous();
    let seen = registries.look(&tag).await.unwrap();
    assert_eq!(
        (seen.digest.to_string(), seen.kind, seen.media_type.as_str()),
        (document.digest(), ManifestKind::Manifest, media_type)
    );
    // It was read by the look, so it is not read again.
    let error = registries.expect_image(&tag, &seen).await.unwrap_err();
    is_no_image_but(error, &tag.to_string(), "an artifact (sbom/example)");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn artifact_in_an_index_without_platform_is_skipped() {
    let config = br#"{"os":"linux","architecture":"amd64"}"#;
    let (image, chart) = (documents::manifest(config), helm_chart());
    let bare = |document: &Document| json!({"mediaType": document.media_type, "digest": document.digest(), "size": 1});
    let index = index(&[bare(&chart), bare(&image)]);
    let documents = [index, image.clone(), chart];
    let server = Scripted::start(move |request, _| {
        let wanted = request.path().rsplit('/').next().unwrap();
        let found = documents
            .iter()
            .find(|document| document.digest() == wanted);
        match found.or_else(|| documents.first().filter(|_| wanted == "1")) {
            Some(document) => documents::answer(document),
            None => Answer::status(200).body(config.to_vec()),
        }
    });
    let tag = reference(&server.image("base:1"));
    let registries = anonymous();
    let seen = registries.look(&tag).await.unwrap();
    let wanted = ["linux/amd64".parse().unwrap()];
    let found = registries.platforms(&tag, &seen, &wanted).await.unwrap();
    assert_eq!(
        found[&wanted[0]].as_ref().map(ToString::to_string),
        Some(image.digest())
    );
}
