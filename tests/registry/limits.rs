//! A registry with a rate limit, with failures or with slow responses, and the others beside it. No pause takes real
//! time.

use std::time::{Duration, Instant};

use acrt::{
    registry::Registries,
    sys::{clock::Clock, config::RegistrySettings},
};
use futures_util::StreamExt as _;

use super::{
    distribution::Distribution,
    nginx::Nginx,
    scripted::{Answer, Scripted, digest as canned},
    settings::{all, anonymous, client, digest, failure, nobody, reference, with, words},
};

/// A server that answers the first `count` requests with `first`, and all others normally.
fn after(count: usize, first: Answer) -> Scripted {
    Scripted::start(move |_, before| match before < count {
        true => first.clone(),
        false => Answer::manifest(&canned('a')),
    })
}

#[tokio::test]
async fn short_retry_after_is_waited_for_in_seconds_and_date_form() {
    for (value, seconds) in [
        ("3", 3),
        ("0.0005", 1),
        ("Sun, 06 Nov 1994 08:49:41 GMT", 4),
    ] {
        let limited = Answer::status(429)
            .header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .header("Retry-After", value);
        let server = after(1, limited);
        let (registries, clock) = client(&nobody(), Vec::new());
        assert_eq!(
            digest(&registries, &server.image("base:1")).await,
            canned('a')
        );
        assert_eq!(server.requests().len(), 2, "{value}");
        let waited = clock.now().as_millisecond() - 1_000_000_000_000;
        assert!(
            (seconds * 1000..seconds * 1100).contains(&waited),
            "{value}: {waited} ms"
        );
    }
}

#[tokio::test]
async fn retry_after_pause_outlives_changed_credentials_and_settings() {
    let server = after(1, Answer::status(429).header("Retry-After", "600"));
    let (registries, _) = client(&nobody(), Vec::new());
    failure(&registries, &server.image("base:1")).await;
    let logins = vec![super::settings::login(&server.host(), "u", "p")];
    let own = RegistrySettings {
        concurrency: Some(2),
        ..RegistrySettings::default()
    };
    for others in [
        registries.with(&nobody(), logins),
        registries.with(&with(&server.host(), own), Vec::new()),
    ] {
        let error = failure(&others, &server.image("base:2")).await;
        assert_eq!(
            error.retry_at().map(|until| until.as_second()),
            Some(1_000_000_600)
        );
        let budget = others.health(&server.host()).await.budget;
        assert!(budget.paused_until.is_some());
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn nginx_rate_limits_are_recognized_with_seconds_and_with_a_date() {
    let registry = Distribution::start();
    registry.push("base:1", "one").await;
    for (value, seconds) in [("120", 120), ("$http_x_never", 60)] {
        let rules = format!(
            "limit_req zone=one; limit_req_status 429; add_header Retry-After \"{value}\" always;"
        );
        let front = Nginx::start(registry.port(), &rules);
        let (registries, clock) = client(&nobody(), Vec::new());
        digest(&registries, &front.image("base:1")).await;
        let error = failure(&registries, &front.image("base:2")).await;
        assert_eq!(
            (error.asked().status, error.is_absent()),
            (Some(429), false),
            "{value}"
        );
        let left = error.retry_at().unwrap().as_second() - clock.now().as_second();
        assert_eq!(left, seconds, "{value}");
    }
}

#[tokio::test]
async fn long_retry_after_is_reported_at_once_and_no_request_sent_until_then() {
    let server = after(1, Answer::status(429).header("Retry-After", "600"));
    let (registries, clock) = client(&nobody(), Vec::new());
    for name in ["base:1", "base:2", "other:1"] {
        let image = server.image(name);
        let error = failure(&registries, &image).await;
        assert_eq!(error.asked().image, image);
        let (text, hint) = words(error);
        assert!(
            text.starts_with(&format!(
                "cannot find out what `{image}` is: `{}` limits us until 2001-09-09T01:56:40Z",
                server.host()
            )),
            "{text}"
        );
        assert!(hint.starts_with("nothing needs to be done"), "{hint}");
    }
    assert_eq!(server.requests().len(), 1);
    let budget = registries.health(&server.host()).await.budget;
    assert_eq!(budget.paused_until.unwrap().as_second(), 1_000_000_600);
    clock.sleep(Duration::from_secs(601)).await;
    assert_eq!(
        digest(&registries, &server.image("base:1")).await,
        canned('a')
    );
}

#[tokio::test]
async fn rate_limited_registry_does_not_delay_others() {
    let limited = after(usize::MAX, Answer::status(429).header("Retry-After", "600"));
    let healthy = after(0, Answer::status(500));
    let mut tags = Vec::new();
    for n in 0..20 {
        tags.push(reference(&limited.image(&format!("base{n}:1"))));
        tags.push(reference(&healthy.image(&format!("base{n}:1"))));
    }
    let looked = anonymous().look_all(tags).await;
    let found = looked.iter().filter(|(_, seen)| seen.is_ok()).count();
    assert_eq!((looked.len(), found), (40, 20));
    assert_eq!(
        (limited.requests().len(), healthy.requests().len()),
        (1, 20)
    );
}

#[tokio::test]
async fn transient_errors_are_retried_with_growing_backoff_up_to_four_requests() {
    for status in [408, 500, 502, 503, 504] {
        let server = after(2, Answer::status(status));
        assert_eq!(
            digest(&anonymous(), &server.image("base:1")).await,
            canned('a'),
            "{status}"
        );
        assert_eq!(server.requests().len(), 3, "{status}");
    }
    let server = after(usize::MAX, Answer::status(503).body("<html>down</html>"));
    let (registries, clock) = client(&nobody(), Vec::new());
    let error = failure(&registries, &server.image("base:1")).await;
    assert!(!error.is_absent() && !error.is_unreachable());
    assert_eq!(server.requests().len(), 4);
    let waited = clock.now().as_millisecond() - 1_000_000_000_000;
    assert!((5_200..7_800).contains(&waited), "{waited} ms");
    let (text, hint) = words(error);
    assert!(text.contains("is in trouble"), "{text}");
    assert_eq!(
        hint,
        format!(
            "see what answers there: acrt check-health {}",
            server.host()
        )
    );
}

#[tokio::test]
async fn definitive_error_response_is_not_retried() {
    for status in [400, 403, 410, 418, 451] {
        let server = after(usize::MAX, Answer::status(status));
        failure(&anonymous(), &server.image("base:1")).await;
        let gets = server
            .requests()
            .iter()
            .filter(|request| request.starts_with("GET"))
            .count();
        assert_eq!(
            (server.requests().len() - gets, gets <= 1),
            (1, true),
            "{status}"
        );
    }
}

#[tokio::test]
async fn registry_that_fails_every_request_is_paused_after_a_few() {
    let server = after(usize::MAX, Answer::status(500));
    let settings = with(
        &server.host(),
        RegistrySettings {
            concurrency: Some(1),
            ..RegistrySettings::default()
        },
    );
    let (registries, _) = client(&settings, Vec::new());
    let tags = (0..50)
        .map(|n| reference(&server.image(&format!("base{n}:1"))))
        .collect();
    let looked = registries.look_all(tags).await;
    assert!(
        looked
            .iter()
            .all(|(_, seen)| seen.as_ref().is_err_and(|error| error.retry_at().is_some()))
    );
    assert_eq!(server.requests().len(), 12);
}

#[tokio::test]
async fn one_failing_tag_does_not_stop_the_others() {
    let server = Scripted::start(|request, _| match request.path().contains("/broken/") {
        true => Answer::status(500),
        false => Answer::manifest(&canned('a')),
    });
    let mut tags: Vec<_> = (0..30)
        .map(|n| reference(&server.image(&format!("base{n}:1"))))
        .collect();
    tags.push(reference(&server.image("broken:1")));
    let looked = anonymous().look_all(tags).await;
    assert_eq!(looked.iter().filter(|(_, seen)| seen.is_err()).count(), 1);
}

#[tokio::test]
async fn first_request_goes_alone_and_at_most_64_connections_follow() {
    let server =
        Scripted::start(|_, _| Answer::manifest(&canned('a')).after(Duration::from_millis(5)));
    let tags: Vec<String> = (0..1000)
        .map(|n| server.image(&format!("base{n}:1")))
        .collect();
    assert_eq!(all(&anonymous(), &tags).await.len(), 1000);
    assert_eq!(server.requests().len(), 1000);
    assert!(
        (2..=64).contains(&server.busiest()),
        "{} at once",
        server.busiest()
    );
    assert!(
        server.connections() <= 64,
        "{} connections",
        server.connections()
    );
}

#[tokio::test]
async fn configured_concurrency_limit_is_applied() {
    let server =
        Scripted::start(|_, _| Answer::manifest(&canned('a')).after(Duration::from_millis(2)));
    let settings = with(
        &server.host(),
        RegistrySettings {
            concurrency: Some(3),
            ..RegistrySettings::default()
        },
    );
    let tags: Vec<String> = (0..60)
        .map(|n| server.image(&format!("base{n}:1")))
        .collect();
    all(&client(&settings, Vec::new()).0, &tags).await;
    assert_eq!(server.busiest(), 3);
    assert!(
        server.connections() <= 4,
        "{} connections",
        server.connections()
    );
}

#[tokio::test]
async fn configured_rate_limit_is_applied() {
    let server = Scripted::start(|_, _| Answer::manifest(&canned('a')));
    let settings = with(
        &server.host(),
        RegistrySettings {
            requests_per_second: Some(10),
            ..RegistrySettings::default()
        },
    );
    let tags: Vec<String> = (0..60)
        .map(|n| server.image(&format!("base{n}:1")))
        .collect();
    let (registries, clock) = client(&settings, Vec::new());
    all(&registries, &tags).await;
    assert!(clock.now().as_second() >= 1_000_000_005);
}

#[tokio::test]
async fn slow_registry_delays_no_other_registry() {
    let slow = Scripted::start(|_, _| Answer::manifest(&canned('a')).after(Duration::from_secs(2)));
    let quick: Vec<Scripted> = (0..3).map(|_| after(0, Answer::status(500))).collect();
    let mut tags = vec![reference(&slow.image("base:1"))];
    for server in &quick {
        tags.extend((0..20).map(|n| reference(&server.image(&format!("base{n}:1")))));
    }
    let start = Instant::now();
    let mut order = Vec::new();
    let registries = Registries::new(&nobody(), Clock::System, Vec::new());
    let mut looks = registries.looks(tags);
    while let Some((tag, seen)) = looks.next().await {
        assert!(seen.is_ok());
        order.push((tag.registry().to_owned(), start.elapsed()));
    }
    assert_eq!(order.len(), 61);
    assert_eq!(order[60].0, slow.host());
    assert!(order[59].1 < Duration::from_secs(1), "{:?}", order[59].1);
}

#[tokio::test]
async fn rate_limit_headers_of_a_registry_are_recorded() {
    let server = Scripted::start(|_, before| {
        Answer::manifest(&canned('a'))
            .header("ratelimit-limit", "100;w=21600")
            .header("ratelimit-remaining", format!("{};w=21600", 99 - before))
            .header("docker-ratelimit-source", "192.0.2.7")
    });
    let registries = anonymous();
    for tag in ["base:1", "base:2"] {
        digest(&registries, &server.image(tag)).await;
    }
    // The request for it is one more.
    let budget = registries.health(&server.host()).await.budget;
    assert_eq!(budget.remaining.as_deref(), Some("97;w=21600"));
    assert_eq!(budget.source.as_deref(), Some("192.0.2.7"));
}
