//! Registries with user and password, and the sources of logins.

use std::fs;

use acrt::{
    registry::{Login, LoginSource, LookupError},
    sys::settings::Settings,
};

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
        text.contains("refuses the login from the command line"),
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

/// A login of a task that uses only this repository.
fn of_task(task: &str, registry: &str, username: &str, password: &str, repository: &str) -> Login {
    Login {
        repositories: [String::new(), repository.to_owned()].into(),
        source: LoginSource::Task {
            name: task.to_owned(),
            options: format!("--name {task} --registry own.example"),
        },
        ..login(registry, username, password)
    }
}

#[tokio::test]
async fn revoked_login_of_a_task_leaves_a_shared_repository_to_the_login_of_another_task() {
    let registry = Distribution::with(Access::Password);
    let pushed = registry.push("shared:1", "one").await;
    let host = registry.host();
    let revoked = of_task("ta", &host, USER, "revoked", "shared");
    let valid = of_task("tb", &host, USER, PASSWORD, "shared");
    let (registries, _) = client(&nobody(), vec![revoked.clone(), valid]);
    assert_eq!(
        digest(&registries, &registry.image("shared:1")).await,
        pushed
    );
    // Without a login, with the first one, and with the second one.
    assert_eq!(registry.requests().await.len(), 3);
    let text = format!(r#"{{"auths":{{"{host}":{{"auth":"{AUTH}"}}}}}}"#);
    let (_home, settings) = home_with(".docker/config.json", &text);
    let (registries, _) = client(&settings, vec![revoked]);
    assert_eq!(
        digest(&registries, &registry.image("shared:1")).await,
        pushed
    );
}

#[tokio::test]
async fn refused_login_of_a_task_is_reported_with_its_name_and_the_url_of_each_image() {
    let registry = Distribution::with(Access::Password);
    let host = registry.host();
    let mut revoked = of_task("ta", &host, USER, "revoked", "shared");
    revoked.repositories.insert("other".to_owned());
    let (registries, _) = client(&nobody(), vec![revoked]);
    for name in ["other", "shared"] {
        let error = failure(&registries, &registry.image(&format!("{name}:1"))).await;
        assert_eq!(
            words(error),
            (
                format!(
                    "cannot find out what `{host}/{name}:1` is: `{host}` refuses the login from the credentials of task `ta`, \
                     or that login may not pull it: HEAD http://{host}/v2/{name}/manifests/1: 401 Unauthorized"
                ),
                format!(
                    "give the task another login: acrt task credential update --name ta --registry own.example --login-server {host}"
                )
            )
        );
    }
}

#[tokio::test]
async fn login_of_a_task_is_only_sent_for_repositories_of_that_task() {
    let server = Scripted::start(|request, _| match request.header("authorization") {
        Some("Basic bWU6cHc=") => Answer::status(403),
        _ => Answer::status(401).header("WWW-Authenticate", r#"Basic realm="x""#),
    });
    let host = server.host();
    let logins = vec![
        of_task("ta", &host, "ann", "pa", "a"),
        of_task("tb", &host, "bob", "pb", "b"),
    ];
    let text = format!(r#"{{"auths":{{"{host}":{{"auth":"bWU6cHc="}}}}}}"#);
    let (_home, settings) = home_with(".docker/config.json", &text);
    let (registries, _) = client(&settings, logins);
    for name in ["a:1", "b:1", "c:1"] {
        assert!(failure(&registries, &server.image(name)).await.is_refused());
    }
    let sent = |name: &str| -> Vec<String> {
        let requests = server.received().into_iter();
        let own = requests.filter(|it| it.path() == format!("/v2/{name}/manifests/1"));
        own.filter_map(|it| it.header("authorization").map(str::to_owned))
            .collect()
    };
    assert_eq!(sent("a"), ["Basic YW5uOnBh", "Basic bWU6cHc="]);
    assert_eq!(sent("b"), ["Basic Ym9iOnBi", "Basic bWU6cHc="]);
    assert_eq!(sent("c"), ["Basic bWU6cHc="]);
}

#[tokio::test]
async fn repository_that_a_registry_hides_without_the_refused_login_is_not_absent() {
    let server = Scripted::start(|request, _| match request.header("authorization") {
        Some(_) => Answer::status(401).header("WWW-Authenticate", r#"Basic realm="x""#),
        None if request.path().contains("/first/") => {
            Answer::status(401).header("WWW-Authenticate", r#"Basic realm="x""#)
        }
        None => Answer::status(404),
    });
    let host = server.host();
    let logins = vec![of_task("ta", &host, "ann", "revoked", "hidden")];
    let (registries, _) = client(&nobody(), logins);
    assert!(is_refused(
        &failure(&registries, &server.image("first:1")).await
    ));
    assert!(is_refused(
        &failure(&registries, &server.image("hidden:1")).await
    ));
}
