//! Missing tags and repositories: distinguished from failed lookups and from each other.

use acrt::registry::{LookupError, MissingPart};

use super::{
    distribution::Distribution,
    nginx::Nginx,
    scripted::{Answer, Scripted},
    settings::{anonymous, digest, failure, words},
};

fn what(error: &LookupError) -> Option<MissingPart> {
    match error {
        LookupError::Absent { what, .. } => Some(*what),
        LookupError::Unknown { .. } => None,
    }
}

#[tokio::test]
async fn missing_tag_is_distinguished_from_a_missing_repository() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    registry.push("base:2", "two").await;
    registry.delete("base", &pushed).await;
    let registries = anonymous();

    let gone = failure(&registries, &registry.image("base:1")).await;
    assert_eq!(what(&gone), Some(MissingPart::Tag));
    let (text, hint) = words(gone);
    let image = registry.image("base:1");
    assert_eq!(
        text,
        format!(
            "there is no `{image}`: its repository has no such tag or digest: \
             GET http://{}/v2/base/manifests/1: 404 Not Found: MANIFEST_UNKNOWN: manifest unknown",
            registry.host()
        )
    );
    assert_eq!(
        hint,
        format!(
            "check the tag; to list all: acrt repository show-tags {} --repository base",
            registry.host()
        )
    );
    assert_eq!(
        registry.requests().await,
        [
            "HEAD /v2/base/manifests/1 404",
            "GET /v2/base/manifests/1 404"
        ]
    );
}

#[tokio::test]
async fn unknown_repository_is_reported_as_possibly_private() {
    let server = Scripted::start(|_, _| {
        Answer::status(404).body(r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#)
    });
    let error = failure(&anonymous(), &server.image("nobody/base:1")).await;
    assert_eq!(what(&error), Some(MissingPart::Repository));
    let (text, hint) = words(error);
    assert!(
        text.contains("knows no such repository, or hides it from this login"),
        "{text}"
    );
    assert_eq!(
        hint,
        format!(
            "check the name; if the repository is private, give a login: acrt login {}",
            server.host()
        )
    );
}

#[tokio::test]
async fn head_response_404_is_confirmed_by_get() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let front = Nginx::start(
        registry.port(),
        "if ($request_method = HEAD) { return 404; }",
    );
    assert_eq!(digest(&anonymous(), &front.image("base:1")).await, pushed);
    assert_eq!(
        front.requests().await,
        [
            "HEAD /v2/base/manifests/1 404",
            "GET /v2/base/manifests/1 200"
        ]
    );
}

#[tokio::test]
async fn html_404_response_does_not_make_an_image_absent() {
    let server = Scripted::start(|_, _| {
        Answer::status(404)
            .header("Content-Type", "text/html")
            .body("<html><h1>Not here</h1></html>")
    });
    let error = failure(&anonymous(), &server.image("base:1")).await;
    assert_eq!(what(&error), None);
    let (text, hint) = words(error);
    assert!(
        text.ends_with("404 Not Found: a web page: it is not a registry's answer"),
        "{text}"
    );
    assert_eq!(
        hint,
        format!(
            "see what answers there: acrt check-health {}",
            server.host()
        )
    );
}

#[tokio::test]
async fn forbidden_image_is_not_absent_and_requested_once() {
    let server = Scripted::start(|_, _| {
        Answer::status(403).body(r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#)
    });
    let error = failure(&anonymous(), &server.image("secret/base:1")).await;
    assert_eq!(what(&error), None);
    let (text, hint) = words(error);
    assert!(
        text.contains(&format!("`{}` wants a login", server.host())),
        "{text}"
    );
    assert_eq!(hint, format!("give a login: acrt login {}", server.host()));
    assert_eq!(server.requests(), ["HEAD /v2/secret/base/manifests/1"]);
}
