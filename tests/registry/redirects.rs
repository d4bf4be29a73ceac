//! Redirects of registries: followed if that is safe, and never with a login for another host.

use super::{
    distribution::Distribution,
    nginx::{Authority, Nginx},
    scripted::{Answer, Scripted, digest as canned},
    settings::{anonymous, client, digest, failure, login, nobody, with, words},
};
use acrt::sys::config::RegistrySettings;

#[tokio::test]
async fn redirect_to_another_host_is_followed_without_the_credential() {
    let other = Scripted::start(|_, _| Answer::manifest(&canned('a')));
    let target = format!("http://{}/elsewhere", other.host());
    let server = Scripted::start(move |request, _| match request.header("authorization") {
        Some(_) => Answer::status(307).header("Location", target.clone()),
        None => Answer::status(401).header("WWW-Authenticate", "Basic realm=x"),
    });
    let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "p")]);
    assert_eq!(
        digest(&registries, &server.image("base:1")).await,
        canned('a')
    );
    assert_eq!(other.requests(), ["HEAD /elsewhere"]);
    assert_eq!(other.received()[0].header("authorization"), None);
}

#[tokio::test]
async fn redirect_to_another_port_is_followed_for_the_digest() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let rules = format!(
        "location /v2/base/ {{ return 307 http://127.0.0.1:{}$request_uri; }}",
        registry.port()
    );
    let front = Nginx::start(registry.port(), &rules);
    assert_eq!(digest(&anonymous(), &front.image("base:1")).await, pushed);
    assert_eq!(front.requests().await, ["HEAD /v2/base/manifests/1 307"]);
    assert_eq!(registry.requests().await, ["HEAD /v2/base/manifests/1 200"]);
}

#[tokio::test]
async fn redirect_within_the_registry_keeps_the_credential() {
    let server =
        Scripted::start(
            |request, _| match (request.path(), request.header("authorization")) {
                (_, None) => Answer::status(401).header("WWW-Authenticate", "Basic realm=x"),
                ("/v2/nginx/manifests/1", _) => {
                    Answer::status(301).header("Location", "/v2/library/nginx/manifests/1")
                }
                ("/v2/library/nginx/manifests/1", Some("Basic dTpw")) => {
                    Answer::manifest(&canned('a'))
                }
                _ => Answer::status(404),
            },
        );
    let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "p")]);
    assert_eq!(
        digest(&registries, &server.image("nginx:1")).await,
        canned('a')
    );
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn redirect_to_another_repository_gets_a_token_for_it() {
    let service = Scripted::start(|request, _| {
        let library = request
            .target
            .contains("repository%3Aproxy%2Flibrary%2Fnginx%3Apull");
        Answer::status(200).body(format!(
            r#"{{"token":"{}"}}"#,
            if library { "right" } else { "wrong" }
        ))
    });
    let realm = format!("http://{}/token", service.host());
    let server = Scripted::start(move |request, _| {
        match (request.path(), request.header("authorization")) {
            (_, None) => {
                Answer::status(401).header("WWW-Authenticate", format!("Bearer realm=\"{realm}\""))
            }
            ("/v2/proxy/nginx/manifests/1", _) => {
                Answer::status(301).header("Location", "/v2/proxy/library/nginx/manifests/1")
            }
            (_, Some("Bearer right")) => Answer::manifest(&canned('a')),
            _ => Answer::status(403),
        }
    });
    assert_eq!(
        digest(&anonymous(), &server.image("proxy/nginx:1")).await,
        canned('a')
    );
    assert_eq!((server.requests().len(), service.requests().len()), (3, 2));
}

/// A registry name that redirects every request to the same path below `/v2/team/` of `host`.
fn vanity(host: String) -> Scripted {
    Scripted::start(move |request, _| {
        let rest = request.target.strip_prefix("/v2/").unwrap();
        let team = if rest.is_empty() { "" } else { "team/" };
        Answer::status(307).header("Location", format!("http://{host}/v2/{team}{rest}"))
    })
}

/// A token service that grants `granted-to-NAME`, for the user or `nobody`, for one scope.
fn granting(scope: &'static str) -> Scripted {
    Scripted::start(move |request, _| {
        assert!(request.target.contains(scope), "{}", request.target);
        let user = match request.header("authorization") {
            Some("Basic Yjpw") => "b",
            Some(other) => panic!("{other}"),
            None => "nobody",
        };
        Answer::status(200).body(format!(r#"{{"token":"granted-to-{user}"}}"#))
    })
}

/// A registry that accepts tokens granted to `user`.
fn entered_by(user: &'static str, service: &Scripted) -> Scripted {
    let challenge = format!(
        r#"Bearer realm="http://{}/token",service="s""#,
        service.host()
    );
    let token = format!("Bearer granted-to-{user}");
    Scripted::start(move |request, _| match request.header("authorization") {
        Some(given) if given == token => Answer::manifest(&canned('a')),
        _ => Answer::status(401).header("WWW-Authenticate", challenge.clone()),
    })
}

#[tokio::test]
async fn vanity_name_uses_anonymous_tokens_of_the_registry_behind_it() {
    let service = granting("repository%3Ateam%2Fbase%3Apull");
    let registry = entered_by("nobody", &service);
    let name = vanity(registry.host());
    // A login for the name is not used for the host behind it.
    let (registries, _) = client(&nobody(), vec![login(&name.host(), "a", "canary")]);
    for _ in 0..3 {
        assert_eq!(
            digest(&registries, &name.image("base:1")).await,
            canned('a')
        );
    }
    // One challenge and one token for all looks.
    assert_eq!(
        (
            name.requests().len(),
            registry.requests().len(),
            service.requests().len()
        ),
        (3, 4, 1)
    );
    assert_eq!(registry.requests()[0], "HEAD /v2/team/base/manifests/1");
}

#[tokio::test]
async fn credential_for_the_registry_behind_a_vanity_name_is_sent_only_there() {
    let service = granting("repository%3Ateam%2Fbase%3Apull");
    let registry = entered_by("b", &service);
    let name = vanity(registry.host());
    let logins = vec![login(&registry.host(), "b", "p")];
    let (registries, _) = client(&nobody(), logins);
    assert_eq!(
        digest(&registries, &name.image("base:1")).await,
        canned('a')
    );
    assert!(
        name.received()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
    // If the registry requires the login itself, it gets it.
    let plain = Scripted::start(|request, _| match request.header("authorization") {
        Some("Basic Yjpw") => Answer::manifest(&canned('b')),
        None => Answer::status(401).header("WWW-Authenticate", "Basic realm=x"),
        Some(other) => panic!("{other}"),
    });
    let name = vanity(plain.host());
    let both = vec![
        login(&name.host(), "a", "p"),
        login(&plain.host(), "b", "p"),
    ];
    let (registries, _) = client(&nobody(), both);
    assert_eq!(
        digest(&registries, &name.image("base:1")).await,
        canned('b')
    );
    assert!(
        name.received()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[tokio::test]
async fn vanity_name_and_the_registry_behind_it_each_get_their_own_credential() {
    let service = granting("repository%3Abase%3Apull");
    let registry = entered_by("b", &service);
    let target = registry.host();
    let name = Scripted::start(move |request, _| match request.header("authorization") {
        Some("Basic YTpw") => {
            Answer::status(302).header("Location", format!("http://{target}{}", request.target))
        }
        None => Answer::status(401).header("WWW-Authenticate", "Basic realm=x"),
        Some(other) => panic!("{other}"),
    });
    let logins = vec![
        login(&name.host(), "a", "p"),
        login(&registry.host(), "b", "p"),
    ];
    let (registries, _) = client(&nobody(), logins);
    for _ in 0..2 {
        assert_eq!(
            digest(&registries, &name.image("base:1")).await,
            canned('a')
        );
    }
    assert_eq!((name.requests().len(), registry.requests().len()), (3, 3));
}

#[tokio::test]
async fn registry_behind_a_vanity_name_is_reported_as_requiring_a_login() {
    let registry =
        Scripted::start(|_, _| Answer::status(401).header("WWW-Authenticate", "Basic realm=x"));
    let name = vanity(registry.host());
    let (registries, _) = client(&nobody(), vec![login(&name.host(), "a", "canary")]);
    let (text, hint) = words(failure(&registries, &name.image("base:1")).await);
    let (image, host) = (name.image("base:1"), registry.host());
    assert_eq!(
        text,
        format!(
            "cannot find out what `{image}` is: `{host}` wants a login: \
             HEAD http://{host}/v2/team/base/manifests/1: 401 Unauthorized"
        )
    );
    assert_eq!(hint, format!("give a login: acrt login {host}"));
    assert!(registries.health(&name.host()).await.api.is_err());
    assert!(
        registry
            .received()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[tokio::test]
async fn redirect_target_that_is_no_registry_gets_no_credential_for_its_challenge() {
    let storage =
        Scripted::start(|_, _| Answer::status(401).header("WWW-Authenticate", "Basic realm=x"));
    let target = format!("http://{}/bucket/object", storage.host());
    let server =
        Scripted::start(move |_, _| Answer::status(307).header("Location", target.clone()));
    let logins = vec![
        login(&server.host(), "a", "p"),
        login(&storage.host(), "b", "p"),
    ];
    let (registries, _) = client(&nobody(), logins);
    assert!(
        !failure(&registries, &server.image("base:1"))
            .await
            .is_absent()
    );
    let received = storage.received();
    assert_eq!(
        storage.requests(),
        ["HEAD /bucket/object", "GET /bucket/object"]
    );
    assert!(
        received
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[tokio::test]
async fn head_that_storage_refuses_is_followed_by_a_get() {
    let manifest = br#"{"schemaVersion":2,"manifests":[]}"#;
    let storage = Scripted::start(move |request, _| match request.method.as_str() {
        "GET" => Answer::status(200)
            .header("Content-Type", super::documents::INDEX)
            .body(manifest),
        _ => Answer::status(403),
    });
    let target = format!("http://{}/bucket/object?signature=get", storage.host());
    let server =
        Scripted::start(move |_, _| Answer::status(307).header("Location", target.clone()));
    let registries = anonymous();
    let expected = acrt::image::Digest::of(manifest);
    for _ in 0..2 {
        assert_eq!(
            digest(&registries, &server.image("base:1")).await,
            expected.as_str()
        );
    }
    // The second look asks for the document at once.
    let methods: Vec<String> = storage.received().into_iter().map(|it| it.method).collect();
    assert_eq!(methods, ["HEAD", "GET", "GET"]);
}

#[tokio::test]
async fn forbidden_token_realm_of_a_registry_behind_a_vanity_name_is_refused() {
    let registry = Scripted::start(|_, _| {
        Answer::status(401).header("WWW-Authenticate", r#"Bearer realm="file:///etc/passwd""#)
    });
    let name = vanity(registry.host());
    let (text, _) = words(failure(&anonymous(), &name.image("base:1")).await);
    assert!(
        text.contains("its token service has a forbidden address"),
        "{text}"
    );
}

#[tokio::test]
async fn redirect_loop_is_ended_with_an_error() {
    let server = Scripted::start(|_, before| {
        Answer::status(302).header("Location", format!("/v2/{before}"))
    });
    let error = failure(&anonymous(), &server.image("base:1")).await;
    assert!(!error.is_absent());
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn redirect_from_tls_to_plain_http_is_refused() {
    let registry = Distribution::start();
    let plain = Scripted::start(|_, _| Answer::manifest(&canned('a')));
    let authority = Authority::new();
    let rules = format!(
        "location /v2/base/ {{ return 307 http://127.0.0.1:{}$request_uri; }}",
        plain.port()
    );
    let front = Nginx::with_tls(registry.port(), &rules, &authority);
    let own = RegistrySettings {
        plain_http: Some(false),
        ca_file: Some(authority.certificate()),
        ..RegistrySettings::default()
    };
    let (registries, _) = client(&with(&front.host(), own), Vec::new());
    let (text, _) = words(failure(&registries, &front.image("base:1")).await);
    assert!(
        text.ends_with("is plain http, and the registry is not"),
        "{text}"
    );
    assert_eq!(plain.connections(), 0);
}

#[tokio::test]
async fn malformed_redirect_is_an_error() {
    for location in [
        "",
        "http://",
        "ftp://127.0.0.1/",
        "http://u:p@127.0.0.1/",
        "//",
    ] {
        let server = Scripted::start(move |_, _| Answer::status(307).header("Location", location));
        let error = failure(&anonymous(), &server.image("base:1")).await;
        assert!(!error.is_absent() && !error.is_unreachable(), "{location}");
        assert!(server.requests().len() <= 4, "{location}");
    }
}

#[tokio::test]
async fn write_that_is_redirected_to_another_registry_is_refused_and_that_one_gets_no_request() {
    let other = Scripted::start(|request, _| match request.header("authorization") {
        Some(_) => Answer::status(202),
        None => Answer::status(401).header("WWW-Authenticate", "Basic realm=x"),
    });
    let target = other.host();
    let server = Scripted::start(move |_, _| {
        let place = format!("http://{target}/v2/prod/app/manifests/1");
        Answer::status(307).header("Location", place)
    });
    let (registries, _) = client(&nobody(), vec![login(&other.host(), "b", "p")]);
    let image = server.image("base:1").parse().unwrap();
    let digest = canned('a').parse().unwrap();
    let removed = registries.delete_manifest(&image, &digest).await;
    let (text, _) = words(removed.unwrap_err());
    assert!(
        text.ends_with(&format!(
            "it redirects DELETE to another registry: use `{}` in its place",
            other.host()
        )),
        "{text}"
    );
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn write_that_is_redirected_within_its_registry_is_repeated_there() {
    let server = Scripted::start(|request, _| match request.path() {
        path if path.starts_with("/v2/library/") => Answer::status(202),
        path => Answer::status(307).header("Location", path.replace("/v2/", "/v2/library/")),
    });
    let image = server.image("base:1").parse().unwrap();
    let digest = canned('a').parse().unwrap();
    let removed = anonymous().delete_manifest(&image, &digest).await;
    assert!(
        matches!(removed, Ok(acrt::registry::Removal::Removed)),
        "{removed:?}"
    );
}
