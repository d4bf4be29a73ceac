//! Where a registry sends us: followed as far as it is safe, and never with a login to another host.

use super::{
    distribution::Distribution,
    nginx::{Authority, Nginx},
    scripted::{Answer, Scripted, digest as canned},
    settings::{anonymous, client, digest, failure, login, nobody, with, words},
};
use acrt::sys::settings::RegistrySettings;

#[tokio::test]
async fn a_redirect_to_another_host_is_followed_without_the_login() {
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
async fn nginx_redirects_to_another_port_and_the_digest_is_found_there() {
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
async fn a_redirect_within_the_registry_keeps_the_login() {
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
async fn a_redirect_to_another_repository_gets_a_token_for_that_one() {
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

#[tokio::test]
async fn redirects_end() {
    let server = Scripted::start(|_, before| {
        Answer::status(302).header("Location", format!("/v2/{before}"))
    });
    let error = failure(&anonymous(), &server.image("base:1")).await;
    assert!(!error.is_absent());
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn no_redirect_leads_from_tls_to_plain_http() {
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
async fn a_redirect_without_sense_is_no_answer() {
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
