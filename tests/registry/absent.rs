//! What is not there: told from what could not be found out, and a tag from a repository.

use acrt::registry::{Absence, LookupError};

use super::{
    distribution::Distribution,
    nginx::Nginx,
    scripted::{Answer, Scripted},
    settings::{anonymous, digest, failure, words},
};

fn what(error: &LookupError) -> Option<Absence> {
    match error {
        LookupError::Absent { what, .. } => Some(*what),
        LookupError::Unknown { .. } => None,
    }
}

#[tokio::test]
async fn a_tag_that_is_gone_is_told_from_a_repository_that_never_was() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    registry.push("base:2", "two").await;
    registry.delete("base", &pushed).await;
    let registries = anonymous();

    let gone = failure(&registries, &registry.image("base:1")).await;
    assert_eq!(what(&gone), Some(Absence::Tag));
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
    assert_eq!(hint, "check the tag; `acrt deps` shows which line names it");
    assert_eq!(
        registry.requests().await,
        [
            "HEAD /v2/base/manifests/1 404",
            "GET /v2/base/manifests/1 404"
        ]
    );
}

#[tokio::test]
async fn a_repository_that_the_registry_does_not_know_may_be_hidden() {
    let server = Scripted::start(|_, _| {
        Answer::status(404).body(r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#)
    });
    let error = failure(&anonymous(), &server.image("nobody/base:1")).await;
    assert_eq!(what(&error), Some(Absence::Repository));
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
async fn a_404_to_head_alone_is_not_believed() {
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
async fn a_404_that_is_a_web_page_says_nothing_about_the_image() {
    let server = Scripted::start(|_, _| {
        Answer::status(404)
            .header("Content-Type", "text/html")
            .body("<html><h1>Not here</h1></html>")
    });
    let error = failure(&anonymous(), &server.image("base:1")).await;
    assert_eq!(what(&error), None);
    let (text, hint) = words(error);
    assert!(
        text.ends_with("404 Not Found: a web page: it is no registry's answer"),
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
async fn what_the_registry_forbids_is_not_absent_and_is_asked_once() {
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
