//! The answers of `check-health` about a registry.

use std::time::Duration;

use super::{
    distribution::{Access, Distribution, PASSWORD, USER},
    scripted::{Answer, Scripted},
    service::free_port,
    settings::{anonymous, client, login, nobody, words},
    token_service::{Rules, TokenService},
};

#[tokio::test]
async fn healthy_registry_reports_the_used_credential() {
    let registry = Distribution::with(Access::Password);
    let (registries, _) = client(&nobody(), vec![login(&registry.host(), USER, PASSWORD)]);
    let health = registries.health(&registry.host()).await;
    assert!(health.api.is_ok());
    assert_eq!(health.login.unwrap().as_deref(), Some("the command line"));
    assert_eq!(registry.requests().await, ["GET /v2/ 401", "GET /v2/ 200"]);
    assert!(health.took < Duration::from_secs(10));
}

#[tokio::test]
async fn registry_that_requires_a_login_is_reported() {
    let registry = Distribution::with(Access::Password);
    let health = anonymous().health(&registry.host()).await;
    assert_eq!(health.login, Ok(None));
    let (text, _) = words(health.api.unwrap_err());
    assert!(text.contains("wants a login"), "{text}");
}

#[tokio::test]
async fn token_registry_health_check_requests_no_repository_scope() {
    let service = TokenService::start(Rules::default());
    let registry = Distribution::with(Access::Token {
        realm: service.realm(),
        certificate: service.certificate(),
    });
    assert!(anonymous().health(&registry.host()).await.api.is_ok());
    assert_eq!(service.asked_for(), [Vec::<String>::new()]);
}

#[tokio::test]
async fn wrong_clock_is_detected_by_the_date_header() {
    // The client's clock is at 9 September 2001, 01:46:40.
    let server =
        Scripted::start(|_, _| Answer::status(200).header("Date", "Sun, 09 Sep 2001 01:56:40 GMT"));
    let health = anonymous().health(&server.host()).await;
    assert_eq!(health.clock_ahead.map(|ahead| ahead.as_secs()), Some(600));
}

#[tokio::test]
async fn unreachable_registry_is_unhealthy_and_paused() {
    let host = format!("127.0.0.1:{}", free_port());
    let health = anonymous().health(&host).await;
    assert!(health.api.unwrap_err().is_unreachable());
    assert!(health.budget.paused_until.is_some());
}
