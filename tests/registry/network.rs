//! Network failures: no registry, a registry that stops in the middle, a response that is cut off.

use std::time::Duration;

use super::{
    documents::{self, MANIFEST},
    scripted::{Answer, Scripted, digest as canned},
    service::free_port,
    settings::{anonymous, client, digest, failure, nobody, reference, words},
};

#[tokio::test]
async fn unreachable_registry_gets_two_connection_attempts_for_all_its_tags() {
    let host = format!("127.0.0.1:{}", free_port());
    let tags = (0..20)
        .map(|n| reference(&format!("{host}/base{n}:1")))
        .collect();
    let (registries, clock) = client(&nobody(), Vec::new());
    let looked = registries.look_all(tags).await;
    assert_eq!(looked.len(), 20);
    for (tag, seen) in looked {
        let error = seen.unwrap_err();
        assert!(error.is_unreachable());
        assert_eq!(error.asked().image, tag.to_string());
    }
    let waited = clock.now().as_millisecond() - 1_000_000_000_000;
    assert!((400..=600).contains(&waited), "{waited} ms");

    let (text, hint) = words(failure(&registries, &format!("{host}/base0:1")).await);
    assert!(text.starts_with(&format!("cannot find out what `{host}/base0:1` is: `{host}` cannot be reached: HEAD http://{host}/v2/base")), "{text}");
    assert!(text.contains("Connection refused"), "{text}");
    assert_eq!(
        hint,
        format!("see what answers there: acrt check-health {host}")
    );
}

#[tokio::test]
async fn unresolvable_host_name_is_unreachable() {
    let error = failure(&anonymous(), "no-such-host.invalid/base:1").await;
    assert!(error.is_unreachable());
}

#[tokio::test]
async fn interrupted_response_is_retried() {
    for torn in ["", "HTTP/1.1 200 OK\r\nDocker-Con"] {
        let server = Scripted::start(move |_, before| match before {
            1 | 2 => Answer::torn(torn),
            _ => Answer::manifest(&canned('a')),
        });
        let registries = anonymous();
        digest(&registries, &server.image("warm:1")).await;
        assert_eq!(
            digest(&registries, &server.image("base:1")).await,
            canned('a'),
            "{torn}"
        );
        assert_eq!(server.requests().len(), 4, "{torn}");
    }
}

#[tokio::test]
async fn interrupted_manifest_is_retried_and_never_hashed() {
    let document = documents::manifest(b"{}");
    let pushed = document.digest();
    let server = Scripted::start(
        move |request, before| match (request.method.as_str(), before) {
            ("HEAD", _) => Answer::status(405),
            (_, 1) => {
                let length = document.bytes.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {MANIFEST}\r\nContent-Length: {length}\r\n\r\n"
                );
                Answer::torn([head.as_bytes(), &document.bytes[..length - 1]].concat())
            }
            _ => Answer::status(200)
                .header("Content-Type", MANIFEST)
                .body(document.bytes.clone()),
        },
    );
    assert_eq!(digest(&anonymous(), &server.image("base:1")).await, pushed);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn registry_whose_responses_always_break_off_fails() {
    let server = Scripted::start(|_, _| Answer::torn("HTTP/1.1 200 OK\r\nDocker-Con"));
    let error = failure(&anonymous(), &server.image("base:1")).await;
    assert!(error.is_unreachable());
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn connection_closed_by_the_registry_causes_no_extra_request() {
    let server =
        Scripted::start(|_, _| Answer::manifest(&canned('a')).header("Connection", "close"));
    let registries = anonymous();
    for _ in 0..5 {
        digest(&registries, &server.image("base:1")).await;
    }
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn slow_response_is_waited_for() {
    let server =
        Scripted::start(|_, _| Answer::manifest(&canned('a')).after(Duration::from_millis(300)));
    assert_eq!(
        digest(&anonymous(), &server.image("base:1")).await,
        canned('a')
    );
    assert_eq!(server.requests().len(), 1);
}
