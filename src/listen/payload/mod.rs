//! Parses the bodies of webhooks: one function for each kind of sender.
//!
//! Senders are told apart by their headers where these differ, else by the shape of their JSON. Only pushes of tags count. A field that is
//! missing or of another type than documented makes an event say less, and is never an error.

mod cloud_event;
mod fields;
mod registries;
mod repositories;

use axum::http::HeaderMap;
use serde_json::Value;

use super::hint::Hint;

/// The content of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsedWebhook {
    /// Where to look; empty, for an event other than a push.
    Hints(Vec<Hint>),
    /// Azure Event Grid expects this validation code in the response before it sends events.
    Validation(String),
}

/// The format of the body is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUnderstood;

/// Tells whether a request says where to look without a body in JSON: a CloudEvent in binary mode has its attributes in headers.
pub fn needs_no_body(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-type")
}

/// Parses a body. `registry` replaces the sender's name for the registry of every image.
pub fn read(
    headers: &HeaderMap,
    body: &Value,
    registry: Option<&str>,
) -> Result<ParsedWebhook, NotUnderstood> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let hints = if let Some(event) = header("x-gitlab-event") {
        repositories::gitlab(event, body)
    } else if let Some(event) = header("x-github-event") {
        match event {
            "package" | "registry_package" => {
                Vec::from_iter(registries::github_package(body, registry))
            }
            _ => repositories::github(event, body),
        }
    } else if let Some(kind) = header("ce-type") {
        let subject = header("ce-subject").map(cloud_event::header_value);
        let kind = cloud_event::header_value(kind);
        cloud_event::binary(&kind, subject.as_deref(), body, registry)
    } else {
        return by_shape(body, registry);
    };
    Ok(ParsedWebhook::Hints(hints))
}

fn by_shape(body: &Value, registry: Option<&str>) -> Result<ParsedWebhook, NotUnderstood> {
    let has = |key: &str| body.get(key).is_some();
    let hints = if let Some(events) = body.as_array() {
        if let Some(code) = events.iter().find_map(cloud_event::validation_code) {
            return Ok(ParsedWebhook::Validation(code));
        }
        let read = |event| cloud_event::structured(event, registry);
        events.iter().flat_map(read).collect()
    } else if has("specversion") {
        cloud_event::structured(body, registry)
    } else if let Some(events) = body.get("events").and_then(Value::as_array) {
        let read = |event| registries::distribution(event, registry);
        events.iter().filter_map(read).collect()
    } else if has("target") && has("action") {
        // Azure Container Registry sends the events of Docker Distribution singly, without an envelope.
        Vec::from_iter(registries::distribution(body, registry))
    } else if has("push_data") {
        Vec::from_iter(registries::docker_hub(body, registry))
    } else if has("event_data") {
        registries::harbor(body, registry)
    } else if has("docker_url") {
        registries::quay(body, registry)
    } else {
        return Err(NotUnderstood);
    };
    Ok(ParsedWebhook::Hints(hints))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;
    use crate::listen::{Change, SourceHint};

    fn parsed(
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> Result<ParsedWebhook, NotUnderstood> {
        parsed_for(headers, body, None)
    }

    fn parsed_for(
        headers: &[(&'static str, &'static str)],
        body: &str,
        registry: Option<&str>,
    ) -> Result<ParsedWebhook, NotUnderstood> {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    axum::http::HeaderName::from_static(name),
                    axum::http::HeaderValue::from_static(value),
                )
            })
            .collect();
        read(&headers, &serde_json::from_str(body).unwrap(), registry)
    }

    fn images(names: &[&str]) -> Result<ParsedWebhook, NotUnderstood> {
        let hints = names.iter().map(|name| Hint::Image(name.parse().unwrap()));
        Ok(ParsedWebhook::Hints(hints.collect()))
    }

    fn source(urls: &[&str], change: Change) -> Result<ParsedWebhook, NotUnderstood> {
        Ok(ParsedWebhook::Hints(vec![Hint::Source(SourceHint {
            repository: urls.iter().map(|url| (*url).to_owned()).collect(),
            change,
        })]))
    }

    macro_rules! data {
        ($name:literal) => {
            include_str!(concat!("../../../tests/data/webhooks/", $name, ".json"))
        };
    }

    #[test]
    fn every_sender_has_a_body_and_every_body_is_read_by_a_test() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/webhooks");
        let bodies = std::fs::read_dir(folder).unwrap().map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.trim_end_matches(".json").to_owned()
        });
        let bodies: Vec<String> = bodies.collect();
        for body in &bodies {
            let is_read = include_str!("mod.rs").contains(&format!("data!(\"{body}\")"));
            assert!(is_read, "{body}");
        }
        for file in [
            include_str!("registries.rs"),
            include_str!("repositories.rs"),
        ] {
            for function in file.split("\npub fn ").skip(1) {
                let end = |c: char| !c.is_ascii_lowercase();
                let sender = function.split(end).next().unwrap();
                assert!(bodies.iter().any(|it| it.starts_with(sender)), "{sender}");
            }
        }
    }

    #[test]
    fn distribution_webhook_counts_only_the_tagged_manifest_of_a_push() {
        assert_eq!(
            parsed(&[], data!("distribution-push")),
            images(&[concat!(
                "192.168.100.227:5000/team/hello-world:1.2",
                "@sha256:fea8895f450959fa676bcc1df0611ea93823a735a01205fd8622846041d0c7cf"
            )])
        );
    }

    #[test]
    fn cloud_event_in_headers_names_its_image_without_a_body() {
        let headers = [("ce-type", "x"), ("ce-subject", "r.io/base:1")];
        assert_eq!(parsed(&headers, "null"), images(&["r.io/base:1"]));
        for subject in ["r.io%2Fbase%3A1", "\"r.io/base:1\"", "\"r.io\\/base%3a1\""] {
            let headers = [("ce-type", "x"), ("ce-subject", subject)];
            assert_eq!(parsed(&headers, "null"), images(&["r.io/base:1"]));
        }
        let with = |name| {
            HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static("x"))])
        };
        assert!(needs_no_body(&with("ce-type")) && !needs_no_body(&with("ce-id")));
    }

    #[test]
    fn data_of_a_cloud_event_may_be_json_in_base64() {
        let data = BASE64_STANDARD.encode(r#"{"image": "r.io/base:1"}"#);
        let body = format!(r#"{{"specversion": "1.0", "type": "x", "data_base64": "{data}"}}"#);
        assert_eq!(parsed(&[], &body), images(&["r.io/base:1"]));
        let broken = r#"{"specversion": "1.0", "subject": "r.io/b:1", "data_base64": "%"}"#;
        assert_eq!(parsed(&[], broken), images(&["r.io/b:1"]));
    }

    #[test]
    fn image_of_a_cloud_event_without_a_registry_is_in_that_of_its_source_as_written() {
        let body = r#"{"specversion": "1.0", "data": {"image": ["b15:1", "docker.io/node:20"]}}"#;
        assert_eq!(
            parsed_for(&[], body, Some("r.io")),
            images(&["r.io/b15:1", "r.io/library/node:20"])
        );
        assert_eq!(
            parsed(&[], body),
            images(&["docker.io/library/b15:1", "docker.io/library/node:20"])
        );
    }

    #[test]
    fn registry_of_a_webhook_source_overrides_that_of_the_body() {
        assert_eq!(
            parsed_for(&[], data!("distribution-push"), Some("registry.lan:5000")),
            images(&[concat!(
                "registry.lan:5000/team/hello-world:1.2",
                "@sha256:fea8895f450959fa676bcc1df0611ea93823a735a01205fd8622846041d0c7cf"
            )])
        );
    }

    #[test]
    fn azure_webhook_with_a_single_event_is_parsed() {
        // The digest in Azure's documentation is invalid.
        assert_eq!(
            parsed(&[], data!("acr-push")),
            images(&["myregistry.azurecr.io/hello-world:v1"])
        );
        assert_eq!(parsed(&[], data!("acr-delete")), images(&[]));
    }

    #[test]
    fn event_grid_webhook_has_a_list_of_events_and_a_validation_code() {
        assert_eq!(
            parsed(&[], data!("event-grid-push")),
            images(&[concat!(
                "demo.azurecr.io/aci-helloworld:v1",
                "@sha256:213bbc182920ab41e18edc2001e06abcca6735d87782d9cef68abd83941cf0e5"
            )])
        );
        assert_eq!(
            parsed(&[], data!("event-grid-validation")),
            Ok(ParsedWebhook::Validation(
                "512d38b6-c7b8-40c8-89fe-f46f9e9622b6".into()
            ))
        );
    }

    #[test]
    fn docker_hub_webhook_means_docker_io() {
        assert_eq!(
            parsed(&[], data!("docker-hub-push")),
            images(&["docker.io/svendowideit/testhook:latest"])
        );
    }

    #[test]
    fn harbor_webhook_with_a_digest_as_its_tag_has_no_tag() {
        assert_eq!(
            parsed(&[], data!("harbor-push")),
            images(&[concat!(
                "harbor.example.com/alpine/alpine:3.17",
                "@sha256:954b378c375d852eb3c63ab88978f640b4348b01c1b3456a024a81536dafbbf4"
            )])
        );
        assert_eq!(
            parsed(&[], data!("harbor-cloud-event")),
            images(&[concat!(
                "harbor.example.com/library/alpine:latest",
                "@sha256:954b378c375d852eb3c63ab88978f640b4348b01c1b3456a024a81536dafbbf4"
            )])
        );
        let pull = data!("harbor-push").replace("PUSH_ARTIFACT", "PULL_ARTIFACT");
        assert_eq!(parsed(&[], &pull), images(&[]));
    }

    #[test]
    fn quay_webhook_tags_may_be_a_list_or_an_object() {
        assert_eq!(
            parsed(&[], data!("quay-push")),
            images(&["quay.io/dgangaia/test:latest", "quay.io/dgangaia/test:2.1"])
        );
        assert_eq!(
            parsed(&[], data!("quay-push-2013")),
            images(&["quay.io/devtable/ubuntu:latest"])
        );
    }

    #[test]
    fn github_package_webhook_owner_is_lowercased_and_child_manifests_have_no_tag() {
        let event = [("x-github-event", "registry_package")];
        assert_eq!(
            parsed(&event, data!("github-package")),
            images(&[concat!(
                "ghcr.io/codertocat/hello-world:nightly",
                "@sha256:3da1996a8115d7616457760d9920b815241d0a03b34cf5f04e9a0e9d8de37498"
            )])
        );
        let child = data!("github-package").replace("nightly", "");
        assert_eq!(parsed(&event, &child), images(&[]));
    }

    #[test]
    fn git_push_webhook_has_branch_and_commit() {
        assert_eq!(
            parsed(&[("x-github-event", "push")], data!("github-push")),
            source(
                &[
                    "https://github.com/Codertocat/Hello-World.git",
                    "git@github.com:Codertocat/Hello-World.git"
                ],
                Change::Push {
                    branch: "main".into(),
                    commit: "59b20b8d5c6ff8d09518216e87bb4f0f9c4c2d0a".into()
                }
            )
        );
        assert_eq!(
            parsed(&[("x-gitlab-event", "Push Hook")], data!("gitlab-push")),
            source(
                &[
                    "http://example.com/mike/diaspora.git",
                    "git@example.com:mike/diaspora.git"
                ],
                Change::Push {
                    branch: "feature/login".into(),
                    commit: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7".into()
                }
            )
        );
    }

    #[test]
    fn deleted_branch_git_tag_and_ping_webhooks_are_no_push() {
        let push = data!("github-push");
        let gone = push.replace(
            "59b20b8d5c6ff8d09518216e87bb4f0f9c4c2d0a\",\n  \"repository",
            "0000000000000000000000000000000000000000\",\n  \"repository",
        );
        let tag = push.replace("refs/heads/", "refs/tags/");
        for body in [gone.as_str(), &tag] {
            assert_eq!(parsed(&[("x-github-event", "push")], body), images(&[]));
        }
        let ping = r#"{"zen": "Keep it logically awesome.", "hook_id": 1}"#;
        assert_eq!(parsed(&[("x-github-event", "ping")], ping), images(&[]));
        let gone = data!("gitlab-push").replace(
            "\"checkout_sha\": \"da1560886d4f094c3e6c9ef40349f7d38b5d27d7\"",
            "\"checkout_sha\": null",
        );
        assert_eq!(
            parsed(&[("x-gitlab-event", "Push Hook")], &gone),
            images(&[])
        );
    }

    #[test]
    fn pull_request_webhook_tells_whether_it_is_from_a_fork() {
        let github = data!("github-pull-request");
        assert_eq!(
            parsed(&[("x-github-event", "pull_request")], github),
            source(
                &[
                    "https://github.com/Codertocat/Hello-World.git",
                    "git@github.com:Codertocat/Hello-World.git"
                ],
                Change::PullRequest {
                    number: 2,
                    into: "master".into(),
                    commit: "ec26c3e57ca3a959ca5aad62de7213c562f8c821".into(),
                    from_fork: true
                }
            )
        );
        assert_eq!(
            parsed(
                &[("x-gitlab-event", "Merge Request Hook")],
                data!("gitlab-merge-request")
            ),
            source(
                &[
                    "http://example.com/gitlabhq/gitlab-test.git",
                    "git@example.com:gitlabhq/gitlab-test.git"
                ],
                Change::PullRequest {
                    number: 1,
                    into: "master".into(),
                    commit: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7".into(),
                    from_fork: false
                }
            )
        );
        let closed = github.replace("synchronize", "closed");
        assert_eq!(
            parsed(&[("x-github-event", "pull_request")], &closed),
            images(&[])
        );
    }

    #[test]
    fn cloud_event_webhook_has_the_image_in_its_data_or_subject() {
        let base = images(&["registry.lan:5000/team/base:1"]);
        assert_eq!(parsed(&[], data!("cloud-event")), base);
        let subject =
            r#"{"specversion": "1.0", "type": "x", "subject": "registry.lan:5000/team/base:1"}"#;
        assert_eq!(parsed(&[], subject), base);
        assert_eq!(parsed(&[], &format!("[{subject}]")), base);
        let binary = [
            ("ce-type", "com.example.image.published"),
            ("ce-subject", "registry.lan:5000/team/base:1"),
        ];
        assert_eq!(parsed(&binary, "{}"), base);
        assert_eq!(
            parsed(
                &[("ce-type", "x")],
                r#"{"image": "registry.lan:5000/team/base:1"}"#
            ),
            base
        );
        let list = r#"{"specversion": "1.0", "data": {"image": ["r.io/a:1", "r.io/b:2@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#;
        assert_eq!(
            parsed(&[], list),
            images(&[
                "r.io/a:1",
                concat!(
                    "r.io/b:2",
                    "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
                )
            ])
        );
    }

    #[test]
    fn incomplete_webhook_bodies_are_ignored_and_unknown_ones_reported() {
        for body in [
            r#"{"events": []}"#,
            r#"{"events": [null, 1, {"action": "push"}, {"action": "push", "target": []}]}"#,
            r#"{"push_data": {}}"#,
            r#"{"event_data": {"resources": null}, "type": "PUSH_ARTIFACT"}"#,
            r#"{"docker_url": "quay.io/a/b"}"#,
            r#"{"docker_url": "nonsense", "updated_tags": ["1"]}"#,
            r#"{"specversion": "1.0", "subject": "not an image", "data": {"image": 5}}"#,
            r#"{"push_data": {"tag": "a b\n"}, "repository": {"repo_name": "x/y"}}"#,
            "[]",
        ] {
            assert_eq!(parsed(&[], body), images(&[]), "{body}");
        }
        for event in ["push", "pull_request", "package", "star"] {
            let headers = [("x-github-event", event)];
            assert_eq!(parsed(&headers, "{}"), images(&[]), "{event}");
        }
        for body in ["{}", "null", "17", r#""push""#, r#"{"text": "hello"}"#] {
            assert_eq!(parsed(&[], body), Err(NotUnderstood), "{body}");
        }
    }
}
