//! Registries with TLS: certificates are trusted for each registry separately.

use acrt::sys::{config::RegistrySettings, settings::Settings};

use super::{
    distribution::Distribution,
    nginx::{Authority, Nginx},
    settings::{all, client, digest, failure, nobody, with, words},
};

fn trusting(host: &str, authority: &Authority) -> Settings {
    with(
        host,
        RegistrySettings {
            plain_http: Some(false),
            ca_file: Some(authority.certificate()),
            ..RegistrySettings::default()
        },
    )
}

#[tokio::test]
async fn private_certificate_authority_of_the_config_file_is_trusted() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let authority = Authority::new();
    let front = Nginx::with_tls(registry.port(), "", &authority);
    let (registries, _) = client(&trusting(&front.host(), &authority), Vec::new());
    assert_eq!(digest(&registries, &front.image("base:1")).await, pushed);
    assert_eq!(front.requests().await, ["HEAD /v2/base/manifests/1 200"]);
}

#[tokio::test]
async fn unknown_certificate_is_refused_once_with_the_setting_to_change() {
    let registry = Distribution::start();
    let front = Nginx::with_tls(registry.port(), "", &Authority::new());
    let strict = RegistrySettings {
        plain_http: Some(false),
        ..RegistrySettings::default()
    };
    let (registries, clock) = client(&with(&front.host(), strict), Vec::new());
    let error = failure(&registries, &front.image("base:1")).await;
    assert!(error.is_unreachable());
    assert_eq!(clock.now().as_millisecond(), 1_000_000_000_000);
    let (text, hint) = words(error);
    assert!(
        text.contains("invalid peer certificate: UnknownIssuer"),
        "{text}"
    );
    assert_eq!(
        hint,
        format!(
            "if its certificate is from a private authority, set `caFile` for `{}` in the config file",
            front.host()
        )
    );
    assert!(front.requests().await.is_empty());
}

#[tokio::test]
async fn tls_verification_is_skipped_for_the_configured_registry_only() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let authority = Authority::new();
    let lenient = Nginx::with_tls(registry.port(), "", &authority);
    let strict = Nginx::with_tls(registry.port(), "", &authority);
    let skip = RegistrySettings {
        plain_http: Some(false),
        skip_verify: true,
        ..RegistrySettings::default()
    };
    let mut settings = with(&lenient.host(), skip);
    let no_skip = RegistrySettings {
        plain_http: Some(false),
        ..RegistrySettings::default()
    };
    settings.config.registries.insert(strict.host(), no_skip);
    let (registries, _) = client(&settings, Vec::new());
    assert_eq!(digest(&registries, &lenient.image("base:1")).await, pushed);
    assert!(
        failure(&registries, &strict.image("base:1"))
            .await
            .is_unreachable()
    );
}

#[tokio::test]
async fn host_that_a_registry_leads_to_has_its_own_tls_settings() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let authority = Authority::new();
    let front = Nginx::with_tls(registry.port(), "", &authority);
    let name = Nginx::start(
        registry.port(),
        &format!(
            "location /v2/ {{ return 307 https://{}$request_uri; }}",
            front.host()
        ),
    );
    let (registries, _) = client(&trusting(&front.host(), &authority), Vec::new());
    assert_eq!(digest(&registries, &name.image("base:1")).await, pushed);

    let (registries, _) = client(&nobody(), Vec::new());
    let (_, hint) = words(failure(&registries, &name.image("base:1")).await);
    assert_eq!(
        hint,
        format!(
            "if its certificate is from a private authority, set `caFile` for `{}` in the config file",
            front.host()
        )
    );
}

#[tokio::test]
async fn client_certificate_is_sent_to_a_registry_that_requests_one() {
    let registry = Distribution::start();
    let pushed = registry.push("base:1", "one").await;
    let authority = Authority::new();
    let rules = format!(
        "ssl_client_certificate {}; ssl_verify_client on;",
        authority.certificate().display()
    );
    let front = Nginx::with_tls(registry.port(), &rules, &authority);
    let (certificate, key) = authority.issue("client", "127.0.0.2");
    let own = RegistrySettings {
        plain_http: Some(false),
        ca_file: Some(authority.certificate()),
        client_certificate: Some(certificate),
        client_key: Some(key),
        ..RegistrySettings::default()
    };
    let (registries, _) = client(&with(&front.host(), own), Vec::new());
    assert_eq!(digest(&registries, &front.image("base:1")).await, pushed);

    let (registries, _) = client(&trusting(&front.host(), &authority), Vec::new());
    let error = failure(&registries, &front.image("base:1")).await;
    assert_eq!(error.asked().status, Some(400));
}

#[tokio::test]
async fn requests_to_one_registry_share_one_http2_connection() {
    let registry = Distribution::start();
    let mut tags = Vec::new();
    let authority = Authority::new();
    let front = Nginx::with_tls(registry.port(), "", &authority);
    registry.push("base:1", "one").await;
    for n in 0..300 {
        tags.push(front.image(&format!("base:t{n}")));
    }
    let (registries, _) = client(&trusting(&front.host(), &authority), Vec::new());
    let looked = registries
        .look_all(tags.iter().map(|tag| tag.parse().unwrap()).collect())
        .await;
    assert!(
        looked
            .iter()
            .all(|(_, seen)| seen.as_ref().is_err_and(|error| error.is_absent()))
    );
    assert_eq!(front.requests().await.len(), 600);
    // The connection of the test's own marker request has no other request on it.
    assert_eq!(front.connections().await, 1);
    all(&registries, &[front.image("base:1")]).await;
    assert_eq!(front.connections().await, 1);
}

#[tokio::test]
async fn very_many_tags_take_a_few_http2_connections_and_one_head_each() {
    let registry = Distribution::start();
    let authority = Authority::new();
    let rules = format!(
        "location /v2/ {{
            default_type {};
            add_header Docker-Content-Digest sha256:{};
            return 200;
        }}",
        super::documents::INDEX,
        "a".repeat(64)
    );
    let front = Nginx::with_tls(registry.port(), &rules, &authority);
    let (registries, _) = client(&trusting(&front.host(), &authority), Vec::new());
    let tags: Vec<String> = (0..5000)
        .map(|n| front.image(&format!("base{n}:1")))
        .collect();
    assert_eq!(all(&registries, &tags).await.len(), 5000);
    assert_eq!(front.requests().await.len(), 5000);
    assert_eq!(front.connections().await, 2);
}

#[tokio::test]
async fn unusable_tls_setting_is_reported_with_its_file() {
    let host = "127.0.0.1:1";
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("ca.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    for (file, problem) in [
        (
            "/nowhere/ca.pem".into(),
            "cannot read `/nowhere/ca.pem`: No such file or directory (os error 2)".to_owned(),
        ),
        (
            empty.clone(),
            format!("`{}` holds no PEM certificate", empty.display()),
        ),
    ] {
        let own = RegistrySettings {
            plain_http: Some(false),
            ca_file: Some(file),
            ..RegistrySettings::default()
        };
        let (registries, _) = client(&with(host, own), Vec::new());
        let error = failure(&registries, &format!("{host}/base:1")).await;
        assert!(!error.is_absent() && !error.is_unreachable());
        let (text, hint) = words(error);
        assert!(text.ends_with(&problem), "{text}");
        assert_eq!(
            hint,
            format!("correct `registries` in the config file, then: acrt check-health {host}")
        );
    }
}

#[tokio::test]
async fn plain_http_response_on_a_tls_port_is_reported_as_such() {
    let registry = Distribution::start();
    let front = Nginx::with_tls(registry.port(), "", &Authority::new());
    let (registries, _) = client(&nobody(), Vec::new());
    let (text, hint) = words(failure(&registries, &front.image("base:1")).await);
    assert!(text.contains("400 Bad Request"), "{text}");
    assert_eq!(
        hint,
        format!(
            "`{}` seems to speak TLS: set `plainHttp: false` for it in the config file",
            front.host()
        )
    );
}

#[tokio::test]
async fn tls_connection_to_a_plain_http_port_is_reported_as_such() {
    let registry = Distribution::start();
    let own = RegistrySettings {
        plain_http: Some(false),
        ..RegistrySettings::default()
    };
    let (registries, _) = client(&with(&registry.host(), own), Vec::new());
    let (_, hint) = words(failure(&registries, &registry.image("base:1")).await);
    assert_eq!(
        hint,
        format!(
            "`{}` seems to speak plain http: set `plainHttp: true` for it in the config file",
            registry.host()
        )
    );
}
