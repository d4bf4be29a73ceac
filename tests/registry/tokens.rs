//! Registries with tokens, from a service that counts its requests.

use super::{
    distribution::{Access, Distribution},
    scripted::{Answer, Scripted, digest as canned},
    settings::{all, anonymous, client, digest, failure, login, nobody, words},
    token_service::{Rules, TokenService},
};

/// A registry with a token service, and a tag `1` in each repository.
async fn guarded(service: &TokenService, repositories: &[String]) -> Distribution {
    let names: Vec<&str> = repositories.iter().map(String::as_str).collect();
    let registry = Distribution::with(Access::Token {
        realm: service.realm(),
        certificate: service.certificate(),
    });
    let registry = registry.upload_with(service.token_for(&names));
    for name in repositories {
        registry.push(&format!("{name}:1"), name).await;
    }
    registry
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("base/r{n:02}")).collect()
}

fn tags(registry: &Distribution, repositories: &[String]) -> Vec<String> {
    repositories
        .iter()
        .map(|name| registry.image(&format!("{name}:1")))
        .collect()
}

fn count(requests: &[String], what: &str) -> usize {
    requests
        .iter()
        .filter(|request| request.contains(what))
        .count()
}

#[tokio::test]
async fn first_tag_takes_challenge_token_and_head_and_the_next_only_head() {
    let service = TokenService::start(Rules::default());
    let registry = guarded(&service, &names(1)).await;
    let registries = anonymous();
    for _ in 0..3 {
        digest(&registries, &registry.image("base/r00:1")).await;
    }
    assert_eq!(
        registry.requests().await,
        [
            "HEAD /v2/base/r00/manifests/1 401",
            "HEAD /v2/base/r00/manifests/1 200",
            "HEAD /v2/base/r00/manifests/1 200",
            "HEAD /v2/base/r00/manifests/1 200"
        ]
    );
    assert_eq!(service.asked_for(), [["base/r00"]]);
}

#[tokio::test]
async fn sixteen_repositories_share_one_token_and_one_challenge_serves_all() {
    let service = TokenService::start(Rules::default());
    let names = names(40);
    let registry = guarded(&service, &names).await;
    let registries = anonymous();
    assert_eq!(all(&registries, &tags(&registry, &names)).await.len(), 40);
    let requests = registry.requests().await;
    assert_eq!(
        (count(&requests, "HEAD "), count(&requests, " 401")),
        (41, 1)
    );
    let mut sizes: Vec<usize> = service.asked_for().iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [8, 16, 16]);

    all(&registries, &tags(&registry, &names)).await;
    assert_eq!(
        (registry.requests().await.len(), service.asked_for().len()),
        (81, 3)
    );
}

#[tokio::test]
async fn tags_of_one_repository_share_one_token() {
    let service = TokenService::start(Rules::default());
    let registry = guarded(&service, &names(1)).await;
    let mut tags = Vec::new();
    for n in 0..20 {
        registry.push(&format!("base/r00:t{n}"), "same").await;
        tags.push(registry.image(&format!("base/r00:t{n}")));
    }
    all(&anonymous(), &tags).await;
    assert_eq!(service.asked_for(), [["base/r00"]]);
    assert_eq!(registry.requests().await.len(), 21);
}

#[tokio::test]
async fn token_service_that_grants_one_repository_at_a_time_is_detected() {
    for rules in [
        Rules {
            only_first: true,
            ..Rules::default()
        },
        Rules {
            one_scope: true,
            ..Rules::default()
        },
    ] {
        let service = TokenService::start(rules);
        let names = names(20);
        let registry = guarded(&service, &names).await;
        let registries = anonymous();
        assert_eq!(all(&registries, &tags(&registry, &names)).await.len(), 20);
        let asked = service.asked_for();
        assert!(
            asked.iter().filter(|asked| asked.len() > 1).count() <= 2,
            "{asked:?}"
        );
        assert!(asked.len() <= 22, "{asked:?}");

        all(&registries, &tags(&registry, &names)).await;
        let again = service.asked_for();
        assert!(
            again.iter().filter(|asked| asked.len() > 1).count() <= 2,
            "{again:?}"
        );
    }
}

#[tokio::test]
async fn denied_repository_does_not_affect_others_of_its_token() {
    let service = TokenService::start(Rules {
        denied: vec!["base/r01"],
        ..Rules::default()
    });
    let names = names(4);
    let registry = guarded(&service, &names).await;
    let tags = tags(&registry, &names)
        .iter()
        .map(|tag| tag.parse().unwrap())
        .collect();
    let looked = anonymous().look_all(tags).await;
    let refused: Vec<String> = looked
        .iter()
        .filter(|(_, seen)| seen.is_err())
        .map(|(tag, _)| tag.repository().to_owned())
        .collect();
    assert_eq!(refused, ["base/r01"]);
    assert_eq!(service.asked_for().len(), 2);
    let requests = registry.requests().await;
    assert_eq!(count(&requests, "/base/r01/"), 2);
}

#[tokio::test]
async fn catalog_and_delete_requests_ask_for_their_own_scopes() {
    let service = TokenService::start(Rules::default());
    let registry = guarded(&service, &names(2)).await;
    let registries = anonymous();
    let listed = registries.repositories(&registry.host()).await.unwrap();
    assert_eq!(listed.unwrap(), names(2));
    let image: acrt::image::Reference = registry.image("base/r00:1").parse().unwrap();
    let seen = registries.look(&image).await.unwrap();
    let removed = registries.delete_manifest(&image, &seen.digest).await;
    assert!(
        matches!(removed, Ok(acrt::registry::Removal::Removed)),
        "{removed:?}"
    );
    assert!(registries.look(&image).await.unwrap_err().is_absent());
    let mut scopes: Vec<String> = service.scopes().concat();
    scopes.sort();
    scopes.dedup();
    assert_eq!(
        scopes,
        [
            "registry:catalog:*",
            "repository:base/r00:pull",
            "repository:base/r00:pull,delete"
        ]
    );
}

#[tokio::test]
async fn credential_is_sent_to_the_token_service_and_not_to_the_registry() {
    let service = TokenService::start(Rules {
        login: Some("u:p"),
        ..Rules::default()
    });
    let registry = guarded(&service, &names(1)).await;
    let (registries, _) = client(&nobody(), vec![login(&registry.host(), "u", "p")]);
    digest(&registries, &registry.image("base/r00:1")).await;
    assert_eq!(
        service.received()[0].header("authorization"),
        Some("Basic dTpw")
    );
    assert_eq!(service.received().len(), 1);
}

#[tokio::test]
async fn credential_refused_by_the_token_service_is_reported_and_sent_once() {
    let service = TokenService::start(Rules {
        login: Some("u:p"),
        ..Rules::default()
    });
    let names = names(20);
    let registry = guarded(&service, &names).await;
    let (registries, _) = client(
        &nobody(),
        vec![login(&registry.host(), "u", "wrong-canary")],
    );
    let error = failure(&registries, &registry.image("base/r00:1")).await;
    let (text, _) = words(error);
    assert!(
        text.contains("refuses the login from the command line"),
        "{text}"
    );
    assert!(
        text.ends_with("/token: 401 Unauthorized: UNAUTHORIZED: wrong password"),
        "{text}"
    );
    assert!(
        !text.contains("canary") && !text.contains("scope="),
        "{text}"
    );
    assert_eq!(service.received().len(), 1);
    for tag in tags(&registry, &names) {
        let error = failure(&registries, &tag).await;
        assert_eq!(error.asked().image, tag);
    }
    assert_eq!(service.received().len(), 1);
}

#[tokio::test]
async fn wrong_password_is_not_sent_again_for_each_of_many_repositories() {
    let service = TokenService::start(Rules {
        login: Some("u:p"),
        ..Rules::default()
    });
    let names = names(60);
    let registry = guarded(&service, &names).await;
    let (registries, _) = client(&nobody(), vec![login(&registry.host(), "u", "wrong")]);
    let tags = tags(&registry, &names)
        .iter()
        .map(|tag| tag.parse().unwrap())
        .collect();
    let looked = registries.look_all(tags).await;
    assert!(looked.iter().all(|(_, seen)| seen.is_err()));
    // For the group of the first repository, and for the first one alone.
    assert_eq!(service.received().len(), 2);
    assert_eq!(registry.requests().await.len(), 1);
}

#[tokio::test]
async fn identity_token_is_exchanged_by_a_form_request() {
    let service = Scripted::start(|request, _| {
        assert_eq!(request.method, "POST");
        Answer::status(200).body(r#"{"access_token":"granted"}"#)
    });
    let realm = format!("http://{}/oauth2/token", service.host());
    let server = bearer_server(&realm);
    let (registries, _) = client(&nobody(), vec![login(&server.host(), "<token>", "idt")]);
    assert_eq!(
        digest(&registries, &server.image("base:1")).await,
        canned('a')
    );
    assert_eq!(
        service.received()[0].body,
        "grant_type=refresh_token&refresh_token=idt&client_id=acrt&service=s&scope=repository%3Abase%3Apull"
    );
    assert_eq!(service.received()[0].header("authorization"), None);
}

/// A registry that accepts only the token `granted`.
fn bearer_server(realm: &str) -> Scripted {
    let challenge = format!(r#"Bearer realm="{realm}",service="s",error="invalid_token""#);
    Scripted::start(move |request, _| match request.header("authorization") {
        Some("Bearer granted") => Answer::manifest(&canned('a')),
        _ => Answer::status(401).header("WWW-Authenticate", challenge.clone()),
    })
}

#[tokio::test]
async fn revoked_token_is_requested_once_more() {
    let service = Scripted::start(|_, before| {
        Answer::status(200).body(format!(r#"{{"token":"token{before}"}}"#))
    });
    let realm = format!("http://{}/token", service.host());
    // The first token is valid for two requests.
    let server =
        Scripted::start(
            move |request, before| match (request.header("authorization"), before) {
                (Some("Bearer token0"), 0..3) | (Some("Bearer token1"), _) => {
                    Answer::manifest(&canned('a'))
                }
                _ => Answer::status(401).header(
                    "WWW-Authenticate",
                    format!(r#"Bearer realm="{realm}",service="s",error="invalid_token""#),
                ),
            },
        );
    let registries = anonymous();
    for _ in 0..4 {
        digest(&registries, &server.image("base:1")).await;
    }
    assert_eq!(service.requests().len(), 2);
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn scope_of_the_registry_challenge_is_requested_once() {
    let service = Scripted::start(|request, _| {
        let wide = request.target.contains("registry%3Acatalog");
        Answer::status(200).body(format!(
            r#"{{"token":"{}"}}"#,
            if wide { "wide" } else { "narrow" }
        ))
    });
    let realm = format!("http://{}/token", service.host());
    let server = Scripted::start(move |request, _| {
        match request.header("authorization") {
        Some("Bearer wide") => Answer::manifest(&canned('a')),
        _ => Answer::status(401).header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="{realm}",service="s",scope="registry:catalog:*",error="insufficient_scope""#),
        ),
    }
    });
    assert_eq!(
        digest(&anonymous(), &server.image("base:1")).await,
        canned('a')
    );
    assert_eq!((service.requests().len(), server.requests().len()), (2, 3));
}

#[tokio::test]
async fn registry_that_refuses_every_token_fails_after_a_few_requests() {
    let service = Scripted::start(|_, before| {
        Answer::status(200).body(format!(r#"{{"token":"token{before}"}}"#))
    });
    let realm = format!("http://{}/token", service.host());
    let server = Scripted::start(move |_, before| {
        Answer::status(401).header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="{realm}",service="s",scope="x:{before}:y",error="insufficient_scope""#),
        )
    });
    let error = failure(&anonymous(), &server.image("base:1")).await;
    assert!(!error.is_absent());
    assert_eq!((service.requests().len(), server.requests().len()), (2, 3));
}

#[tokio::test]
async fn failing_token_service_is_not_an_authorization_refusal() {
    let service = Scripted::start(|_, _| Answer::status(500).body("oops"));
    let server = bearer_server(&format!("http://{}/token?secret=1", service.host()));
    let error = failure(&anonymous(), &server.image("base:1")).await;
    assert!(error.retry_at().is_some());
    let (text, _) = words(error);
    assert!(text.contains("is in trouble"), "{text}");
    assert!(
        text.ends_with("/token: 500 Internal Server Error: oops"),
        "{text}"
    );
    assert_eq!((service.requests().len(), server.requests().len()), (4, 1));
}

#[tokio::test]
async fn rate_limited_token_service_pauses_the_whole_registry() {
    let service = Scripted::start(|_, _| Answer::status(429).header("Retry-After", "120"));
    let server = bearer_server(&format!("http://{}/token", service.host()));
    let registries = anonymous();
    for name in ["base:1", "other:1"] {
        let error = failure(&registries, &server.image(name)).await;
        assert_eq!(
            error.retry_at().map(|until| until.as_second()),
            Some(1_000_000_120)
        );
    }
    assert_eq!((service.requests().len(), server.requests().len()), (1, 1));
}

#[tokio::test]
async fn response_401_without_a_challenge_makes_the_client_probe_the_api() {
    let service = Scripted::start(|_, _| Answer::status(200).body(r#"{"token":"granted"}"#));
    let realm = format!("http://{}/token", service.host());
    let server = Scripted::start(move |request, _| {
        match (request.path(), request.header("authorization")) {
            (_, Some("Bearer granted")) => Answer::manifest(&canned('a')),
            ("/v2/", _) => Answer::status(401).header(
                "WWW-Authenticate",
                format!(r#"Bearer realm="{realm}",service="s""#),
            ),
            _ => Answer::status(401),
        }
    });
    let registries = anonymous();
    for tag in ["base:1", "base:2"] {
        assert_eq!(digest(&registries, &server.image(tag)).await, canned('a'));
    }
    assert_eq!(
        server.requests(),
        [
            "HEAD /v2/base/manifests/1",
            "GET /v2/",
            "HEAD /v2/base/manifests/1",
            "HEAD /v2/base/manifests/2"
        ]
    );
}

/// A token service that accepts `u:p` and refuses other logins, and `denied`, with a status; its tokens are the scopes.
fn strict_service(status: u16, denied: &'static str) -> Scripted {
    Scripted::start(move |request, _| {
        let is_accepted = request.header("authorization") == Some("Basic dTpw");
        if !is_accepted || request.target.contains(denied) {
            return Answer::status(status).body(r#"{"errors":[{"code":"DENIED","message":"no"}]}"#);
        }
        let scopes = request.target.replace(['?', '&', '=', '%'], "_");
        Answer::status(200).body(format!(r#"{{"token":"{scopes}"}}"#))
    })
}

/// A registry that accepts tokens with the repository in them.
fn scoped_server(realm: &str, error: &'static str) -> Scripted {
    let challenge = format!(r#"Bearer realm="{realm}",service="s",error="{error}""#);
    Scripted::start(move |request, _| {
        let repository = request.path().trim_start_matches("/v2/");
        let repository = repository.split("/manifests/").next().unwrap();
        match request.header("authorization") {
            Some(token) if token.contains(&format!("_3A{repository}_3A")) => {
                Answer::manifest(&canned('a'))
            }
            _ => Answer::status(401).header("WWW-Authenticate", challenge.clone()),
        }
    })
}

fn many(server: &Scripted, count: usize) -> Vec<acrt::image::Reference> {
    let tags = (0..count).map(|n| server.image(&format!("r{n:02}:1")).parse().unwrap());
    tags.collect()
}

#[tokio::test]
async fn wrong_password_that_a_token_service_forbids_is_not_sent_for_each_repository() {
    for status in [400, 403] {
        let service = strict_service(status, "nothing");
        let server = scoped_server(&format!("http://{}/token", service.host()), "");
        let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "wrong")]);
        let looked = registries.look_all(many(&server, 12)).await;
        assert!(looked.iter().all(|(_, seen)| {
            seen.as_ref()
                .is_err_and(acrt::registry::LookupError::is_refused)
        }));
        // For the group, and for no repository at all.
        assert_eq!(service.requests().len(), 2, "{:?}", service.requests());
    }
}

#[tokio::test]
async fn login_that_lacks_rights_for_one_repository_is_used_for_the_others() {
    let service = strict_service(403, "r00");
    let server = scoped_server(&format!("http://{}/token", service.host()), "");
    let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "p")]);
    let looked = registries.look_all(many(&server, 12)).await;
    let refused: Vec<&str> = looked
        .iter()
        .filter(|(_, seen)| seen.is_err())
        .map(|(tag, _)| tag.repository())
        .collect();
    assert_eq!(refused, ["r00"]);
}

#[tokio::test]
async fn token_service_that_refuses_the_login_of_a_task_gets_that_of_another_one() {
    for status in [401, 403] {
        let service = strict_service(status, "nothing");
        let server = scoped_server(&format!("http://{}/token", service.host()), "");
        let of_task = |password: &str| acrt::registry::Login {
            repositories: (0..12).map(|n| format!("r{n:02}")).collect(),
            ..login(&server.host(), "u", password)
        };
        let (registries, _) = client(&nobody(), vec![of_task("revoked"), of_task("p")]);
        let looked = registries.look_all(many(&server, 12)).await;
        assert!(looked.iter().all(|(_, seen)| seen.is_ok()));
        assert_eq!(service.requests().len(), 3, "{:?}", service.requests());
    }
}

#[tokio::test]
async fn public_repository_is_read_without_the_refused_login_of_a_task() {
    let service = Scripted::start(|request, _| match request.header("authorization") {
        Some(_) => Answer::status(401),
        None => Answer::status(200).body(r#"{"token":"granted"}"#),
    });
    let server = bearer_server(&format!("http://{}/token", service.host()));
    let of_task = acrt::registry::Login {
        repositories: ["base".to_owned()].into(),
        ..login(&server.host(), "u", "revoked")
    };
    let (registries, _) = client(&nobody(), vec![of_task]);
    assert_eq!(
        digest(&registries, &server.image("base:1")).await,
        canned('a')
    );
}

#[tokio::test]
async fn token_of_a_group_that_is_refused_as_invalid_is_followed_by_one_for_each_repository() {
    let service = Scripted::start(|request, _| {
        let first = request.target.split("&scope=").nth(1).unwrap();
        Answer::status(200).body(format!(r#"{{"token":"{}"}}"#, first.replace('%', "_")))
    });
    let realm = format!("http://{}/token", service.host());
    let server = scoped_server(&realm, "invalid_token");
    let registries = anonymous();
    for (tag, seen) in registries.look_all(many(&server, 20)).await {
        assert!(seen.is_ok(), "{tag}: {seen:?}");
    }
}

/// Removes a manifest, and expects that it is removed.
async fn remove(registries: &acrt::registry::Registries, image: &str) {
    let digest = canned('a').parse().unwrap();
    let removed = registries
        .delete_manifest(&image.parse().unwrap(), &digest)
        .await;
    assert!(
        matches!(removed, Ok(acrt::registry::Removal::Removed)),
        "{removed:?}"
    );
}

#[tokio::test]
async fn token_to_delete_is_requested_as_one_to_push_where_the_service_knows_no_such_action() {
    // As Quay does.
    let service = Scripted::start(|request, _| {
        if request.target.contains("delete") {
            return Answer::status(400).body("Unable to decode repository and actions");
        }
        let token = match request.target.contains("pull%2Cpush") {
            true => "granted",
            false => "narrow",
        };
        Answer::status(200).body(format!(r#"{{"token":"{token}"}}"#))
    });
    let challenge = format!(r#"Bearer realm="http://{}/token""#, service.host());
    let server = Scripted::start(move |request, _| match request.header("authorization") {
        Some("Bearer granted") => Answer::status(202),
        _ => Answer::status(401).header("WWW-Authenticate", challenge.clone()),
    });
    let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "p")]);
    for name in ["base:1", "base:2", "other:1"] {
        remove(&registries, &server.image(name)).await;
    }
    let scopes: Vec<String> = service
        .requests()
        .iter()
        .map(|request| request.split("?").nth(1).unwrap_or("none").to_owned())
        .collect();
    assert_eq!(
        scopes,
        [
            "scope=repository%3Abase%3Apull%2Cdelete",
            // Whether the login is good at all.
            "",
            "scope=repository%3Abase%3Apull%2Cpush",
            "scope=repository%3Aother%3Apull%2Cpush",
        ]
    );
}

#[tokio::test]
async fn password_is_sent_where_the_registry_demands_it_in_place_of_a_token() {
    // As Harbor does for its catalog.
    let service = Scripted::start(|_, _| Answer::status(200).body(r#"{"token":"granted"}"#));
    let realm = format!(r#"Bearer realm="http://{}/token""#, service.host());
    let server = Scripted::start(move |request, _| {
        match (request.path(), request.header("authorization")) {
            ("/v2/_catalog", Some("Basic dTpw")) => Answer::status(200)
                .header("Content-Type", "application/json")
                .body(r#"{"repositories":["team/web"]}"#),
            ("/v2/_catalog", Some(_)) => {
                Answer::status(401).header("WWW-Authenticate", r#"Basic realm="harbor""#)
            }
            (_, Some("Bearer granted")) => Answer::manifest(&canned('a')),
            _ => Answer::status(401).header("WWW-Authenticate", realm.clone()),
        }
    });
    let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "p")]);
    let listed = registries.repositories(&server.host()).await.unwrap();
    assert_eq!(listed.unwrap(), ["team/web"]);
    digest(&registries, &server.image("base:1")).await;
    let sent = server.received();
    let last = sent.last().unwrap().header("authorization");
    assert_eq!(last, Some("Bearer granted"));
}

#[tokio::test]
async fn registry_that_has_another_token_service_is_asked_for_its_challenge_again() {
    let grants = |token: &'static str| {
        Scripted::start(move |_, _| Answer::status(200).body(format!(r#"{{"token":"{token}"}}"#)))
    };
    let (old, new) = (grants("old"), grants("new"));
    let realms = [&old, &new].map(|it| format!(r#"Bearer realm="http://{}/token""#, it.host()));
    let server = Scripted::start(move |request, before| {
        let (token, realm) = match before {
            0..2 => ("Bearer old", &realms[0]),
            _ => ("Bearer new", &realms[1]),
        };
        match request.header("authorization") {
            Some(sent) if sent == token => Answer::manifest(&canned('a')),
            _ => Answer::status(401).header("WWW-Authenticate", realm.clone()),
        }
    });
    let registries = anonymous();
    let image = server.image("base:1");
    digest(&registries, &image).await;
    assert!(failure(&registries, &image).await.is_refused());
    digest(&registries, &image).await;
    digest(&registries, &image).await;
    assert_eq!(new.requests().len(), 1);
}

#[tokio::test]
async fn registry_that_answered_basic_for_a_while_is_asked_for_tokens_again() {
    let service = Scripted::start(|_, _| Answer::status(200).body(r#"{"token":"granted"}"#));
    let realm = format!(r#"Bearer realm="http://{}/token""#, service.host());
    let server =
        Scripted::start(
            move |request, before| match (before, request.header("authorization")) {
                (0, _) => Answer::status(401).header("WWW-Authenticate", "Basic realm=proxy"),
                (_, Some("Bearer granted")) => Answer::manifest(&canned('a')),
                _ => Answer::status(401).header("WWW-Authenticate", realm.clone()),
            },
        );
    let registries = anonymous();
    let image = server.image("base:1");
    assert!(failure(&registries, &image).await.is_refused());
    digest(&registries, &image).await;
}
