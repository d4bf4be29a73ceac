//! Registries with user and password, and the sources of logins.

use std::fs;

use acrt::{registry::LookupError, sys::settings::Settings};

use super::{
    distribution::{Access, Distribution, PASSWORD, USER},
    scripted::{Answer, Scripted, digest as canned},
    settings::{all, anonymous, at_home, client, digest, failure, login, nobody, words},
};

/// `acrt:hunter2-canary`, as in docker's files.
const AUTH: &str = "YWNydDpodW50ZXIyLWNhbmFyeQ==";

fn home_with(file: &str, text: &str) -> (tempfile::TempDir, Settings) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    let settings = at_home(home.path());
    (home, settings)
}

fn is_refused(error: &LookupError) -> bool {
    !error.is_absent() && !error.is_unreachable() && error.asked().status == Some(401)
}

#[tokio::test]
async fn task_credential_is_sent_after_one_challenge() {
    let registry = Distribution::with(Access::Password);
    let mut tags = Vec::new();
    for n in 0..8 {
        let name = format!("base{n}:1");
        registry.push(&name, &name).await;
        tags.push(registry.image(&name));
    }
    let (registries, _) = client(&nobody(), vec![login(&registry.host(), USER, PASSWORD)]);
    all(&registries, &tags).await;
    let requests = registry.requests().await;
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.ends_with(" 401"))
            .count(),
        1
    );
    assert_eq!(requests.len(), 9);
    assert!(requests.iter().all(|request| request.starts_with("HEAD ")));
}

#[tokio::test]
async fn anonymous_request_reports_the_required_login_and_is_sent_once() {
    let registry = Distribution::with(Access::Password);
    let error = failure(&anonymous(), &registry.image("base:1")).await;
    assert!(is_refused(&error));
    let host = registry.host();
    assert_eq!(
        words(error),
        (
            format!(
                "cannot find out what `{host}/base:1` is: `{host}` wants a login: \
                 HEAD http://{host}/v2/base/manifests/1: 401 Unauthorized"
            ),
            format!("give a login: acrt login {host}")
        )
    );
    assert_eq!(registry.requests().await, ["HEAD /v2/base/manifests/1 401"]);
}

#[tokio::test]
async fn wrong_password_is_sent_once_and_never_shown() {
    let registry = Distribution::with(Access::Password);
    let (registries, _) = client(
        &nobody(),
        vec![login(&registry.host(), USER, "wrong-canary")],
    );
    let error = failure(&registries, &registry.image("base:1")).await;
    assert!(is_refused(&error));
    let debug = format!("{error:?}");
    let (text, hint) = words(error);
    assert!(
        text.contains("refuses the login from the task's own credentials"),
        "{text}"
    );
    assert!(
        ![debug, text, hint]
            .iter()
            .any(|text| text.contains("canary"))
    );
    assert_eq!(
        registry.requests().await,
        [
            "HEAD /v2/base/manifests/1 401",
            "HEAD /v2/base/manifests/1 401"
        ]
    );
}

#[tokio::test]
async fn wrong_password_is_not_sent_again_for_each_of_many_tags() {
    let registry = Distribution::with(Access::Password);
    let (registries, _) = client(&nobody(), vec![login(&registry.host(), USER, "wrong")]);
    let tags = (0..30)
        .map(|n| registry.image(&format!("base{n}:1")).parse().unwrap())
        .collect();
    let looked = registries.look_all(tags).await;
    assert!(
        looked
            .iter()
            .all(|(_, seen)| seen.as_ref().is_err_and(is_refused))
    );
    assert_eq!(registry.requests().await.len(), 2);
}

#[tokio::test]
async fn docker_and_podman_credentials_are_found_in_their_files() {
    let registry = Distribution::with(Access::Password);
    let pushed = registry.push("team/base:1", "one").await;
    let host = registry.host();
    for key in [
        host.clone(),
        format!("http://{host}"),
        format!("https://{host}/v1/"),
        format!("{host}/team"),
    ] {
        let text = format!(r#"{{"auths":{{"{key}":{{"auth":"{AUTH}"}}}}}}"#);
        for file in [".docker/config.json", ".config/containers/auth.json"] {
            let (_home, settings) = home_with(file, &text);
            let (registries, _) = client(&settings, Vec::new());
            assert_eq!(
                digest(&registries, &registry.image("team/base:1")).await,
                pushed,
                "{key} {file}"
            );
        }
    }
}

#[tokio::test]
async fn credential_for_a_path_is_not_used_for_another_path() {
    let registry = Distribution::with(Access::Password);
    registry.push("team/base:1", "one").await;
    let text = format!(
        r#"{{"auths":{{"{}/other":{{"auth":"{AUTH}"}}}}}}"#,
        registry.host()
    );
    let (_home, settings) = home_with(".docker/config.json", &text);
    let (registries, _) = client(&settings, Vec::new());
    assert!(is_refused(
        &failure(&registries, &registry.image("team/base:1")).await
    ));
}

#[tokio::test]
async fn credential_is_not_sent_to_a_registry_whose_name_has_the_same_prefix() {
    let server = Scripted::start(|_, _| {
        Answer::status(401).header("WWW-Authenticate", r#"Basic realm="x""#)
    });
    let text = format!(
        r#"{{"auths":{{"127.0.0.1:{}":{{"auth":"{AUTH}"}},"127.0.0.1":{{"auth":"{AUTH}"}}}}}}"#,
        server.port() / 10
    );
    let (_home, settings) = home_with(".docker/config.json", &text);
    let (registries, _) = client(&settings, Vec::new());
    failure(&registries, &server.image("base:1")).await;
    assert!(
        server
            .received()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[tokio::test]
async fn broken_auth_file_is_reported_and_the_image_is_not_absent() {
    let registry = Distribution::with(Access::Password);
    let (home, settings) = home_with(".docker/config.json", r#"{"auths": hunter2"#);
    let (registries, _) = client(&settings, Vec::new());
    let error = failure(&registries, &registry.image("base:1")).await;
    assert!(!error.is_absent());
    let (text, hint) = words(error);
    let path = home.path().join(".docker/config.json");
    assert!(
        text.ends_with(&format!("`{}` is malformed in line 1", path.display())),
        "{text}"
    );
    assert_eq!(
        hint,
        format!(
            "see which file and key are used: acrt check-health {}",
            registry.host()
        )
    );
}

#[tokio::test]
async fn anonymous_registry_reads_no_auth_file_and_calls_no_helper() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let (_home, settings) = home_with(".docker/config.json", "{");
    let (registries, _) = client(&settings, Vec::new());
    assert_eq!(digest(&registries, &registry.image("base:1")).await, pushed);
}

#[tokio::test]
async fn registry_that_sends_no_challenge_gets_one_probe_of_the_api() {
    let server = Scripted::start(|_, _| Answer::status(401));
    let registries = anonymous();
    for tag in ["base:1", "base:2", "base:3"] {
        assert!(is_refused(&failure(&registries, &server.image(tag)).await));
    }
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn supported_one_of_two_challenges_in_one_header_is_answered() {
    let server = Scripted::start(|request, _| match request.header("authorization") {
        Some("Basic dTpw") => Answer::manifest(&canned('a')),
        _ => Answer::status(401).header(
            "WWW-Authenticate",
            r#"Negotiate, Digest realm="x, y", BASIC realm="a \"b\"""#,
        ),
    });
    let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "p")]);
    assert_eq!(
        digest(&registries, &server.image("base:1")).await,
        canned('a')
    );
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn auth_file_for_a_builder_holds_task_and_user_credentials() {
    let text = format!(r#"{{"auths":{{"other.example":{{"auth":"{AUTH}"}}}}}}"#);
    let (_home, settings) = home_with(".docker/config.json", &text);
    let (registries, _) = client(&settings, Vec::new());
    let format = acrt::registry::AuthFormat::Docker;
    assert!(registries.auth_file(&[], format).unwrap().is_none());
    let file = registries
        .auth_file(&[login("r.example", "u", "p")], format)
        .unwrap()
        .unwrap();
    let file: serde_json::Value = serde_json::from_str(file.reveal()).unwrap();
    assert_eq!(
        file["auths"],
        serde_json::json!({"other.example": {"auth": AUTH}, "r.example": {"auth": "dTpw"}})
    );
}
