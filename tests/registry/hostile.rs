//! Malicious responses, and servers that are no registries. Nothing may panic, hang, or be trusted.

use std::time::{Duration, Instant};

use super::{
    documents::{INDEX, MANIFEST},
    scripted::{Answer, Scripted, digest as canned},
    settings::{anonymous, client, failure, login, nobody, reference, words},
};

/// A server that answers HEAD without a digest, and GET with `body` of `media_type`.
fn body(media_type: &'static str, body: impl Into<Vec<u8>>) -> Scripted {
    let body = body.into();
    Scripted::start(move |_, _| {
        Answer::status(200)
            .header("Content-Type", media_type)
            .body(body.clone())
    })
}

#[tokio::test]
async fn html_response_with_status_200_is_refused() {
    let server = body(
        "text/html; charset=utf-8",
        "<html>Please log in to the hotel's network</html>",
    );
    let error = failure(&anonymous(), &server.image("base:1")).await;
    assert!(!error.is_absent());
    let (text, hint) = words(error);
    assert!(
        text.ends_with("200 OK: it is a web page, not a registry's answer"),
        "{text}"
    );
    assert_eq!(
        hint,
        format!(
            "see what answers there: acrt check-health {}",
            server.host()
        )
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn documents_that_are_no_manifests_are_refused_with_one_sentence_each() {
    let both = format!(
        r#"{{"schemaVersion":2,"manifests":[],"layers":[],"config":{{"mediaType":"x","digest":"{}","size":1}}}}"#,
        canned('a')
    );
    let deep = "[".repeat(100_000);
    for (media_type, text, problem) in [
        (INDEX, "", "it is no manifest: EOF while parsing a value"),
        (INDEX, "{}", "it is neither an index nor a manifest"),
        (INDEX, "null", "it is no manifest: invalid type: null"),
        (
            INDEX,
            r#"{"manifests":[{}]}"#,
            "its index is malformed: missing field `mediaType`",
        ),
        (
            INDEX,
            both.as_str(),
            "it is an index and a manifest at once",
        ),
        (
            MANIFEST,
            r#"{"schemaVersion":2,"manifests":[]}"#,
            "its content is not of the type",
        ),
        ("application/json", deep.as_str(), "it is no manifest: "),
    ] {
        let server = body(media_type, text);
        let error = failure(&anonymous(), &server.image("base:1")).await;
        assert!(!error.is_absent() && !error.is_unreachable(), "{problem}");
        let (words, _) = words(error);
        assert!(words.contains(problem), "{words}\n{problem}");
    }
}

#[tokio::test]
async fn manifest_over_the_size_limit_is_refused() {
    let server = body(INDEX, vec![b' '; 5 * 1024 * 1024]);
    let (text, _) = words(failure(&anonymous(), &server.image("base:1")).await);
    assert!(
        text.ends_with("the body is longer than 4194304 bytes"),
        "{text}"
    );
}

#[tokio::test]
async fn compressed_manifest_is_refused() {
    let server = Scripted::start(|_, _| {
        Answer::status(200)
            .header("Content-Type", INDEX)
            .header("Content-Encoding", "gzip")
            .body("bomb")
    });
    let (text, _) = words(failure(&anonymous(), &server.image("base:1")).await);
    assert!(
        text.ends_with("the body comes with the encoding `gzip`, which was not asked for"),
        "{text}"
    );
}

#[tokio::test]
async fn endless_error_body_is_cut_to_one_line() {
    let server = Scripted::start(|_, _| {
        let words = format!(
            "\x1b[2J\x1b]52;c;ZXZpbA==\x07denied\r\n{}",
            "x".repeat(1_000_000)
        );
        Answer::status(418)
            .header("Content-Type", "text/plain")
            .body(words)
    });
    let (text, _) = words(failure(&anonymous(), &server.image("base:1")).await);
    assert!(!text.chars().any(char::is_control));
    assert!(text.len() < 700, "{}", text.len());

    let server = Scripted::start(|request, _| match request.method.as_str() {
        "HEAD" => Answer::status(404),
        _ => Answer::status(404).body(format!(
            r#"{{"errors":[{{"code":"X\u001b[2J","message":"{}"}}]}}"#,
            "y".repeat(60_000)
        )),
    });
    let (text, _) = words(failure(&anonymous(), &server.image("base:1")).await);
    assert!(!text.chars().any(char::is_control));
    assert!(text.len() < 700, "{}", text.len());
}

#[tokio::test]
async fn challenge_with_a_forbidden_realm_is_not_followed() {
    for (realm, problem) in [
        (
            "/token",
            "is not an absolute http or https URL without a login in it",
        ),
        (
            "file:///etc/passwd",
            "is not an absolute http or https URL without a login in it",
        ),
        (
            "http://u:p@127.0.0.1/token",
            "is not an absolute http or https URL without a login in it",
        ),
        (
            "gopher://127.0.0.1/",
            "is not an absolute http or https URL without a login in it",
        ),
    ] {
        let server = Scripted::start(move |_, _| {
            Answer::status(401).header("WWW-Authenticate", format!(r#"Bearer realm="{realm}""#))
        });
        let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "p")]);
        let (text, _) = words(failure(&registries, &server.image("base:1")).await);
        assert!(
            text.contains("its token service has a forbidden address"),
            "{text}"
        );
        assert!(text.ends_with(problem), "{text}");
        assert_eq!(server.requests().len(), 1, "{realm}");
    }
}

#[tokio::test]
async fn redirect_of_the_token_service_does_not_receive_the_credential() {
    let thief = Scripted::start(|_, _| Answer::status(200).body(r#"{"token":"stolen"}"#));
    let place = format!("http://{}/token", thief.host());
    let service =
        Scripted::start(move |_, _| Answer::status(307).header("Location", place.clone()));
    let realm = format!("http://{}/token", service.host());
    let server = Scripted::start(move |_, _| {
        Answer::status(401).header("WWW-Authenticate", format!(r#"Bearer realm="{realm}""#))
    });
    let (registries, _) = client(&nobody(), vec![login(&server.host(), "u", "p")]);
    let (text, _) = words(failure(&registries, &server.image("base:1")).await);
    assert!(
        text.ends_with("its token service answers with something else than a token"),
        "{text}"
    );
    assert_eq!(thief.connections(), 0);
}

#[tokio::test]
async fn unusable_token_is_not_sent() {
    for token in [
        r#"{"token":"a\r\nX-Evil: 1"}"#,
        r#"{"token":"é"}"#,
        r#"{"token":" "}"#,
        r#"{"token":5}"#,
        "[]",
        "",
    ] {
        let service = Scripted::start(move |_, _| Answer::status(200).body(token));
        let realm = format!("http://{}/token", service.host());
        let server = Scripted::start(move |_, _| {
            Answer::status(401).header("WWW-Authenticate", format!(r#"Bearer realm="{realm}""#))
        });
        let error = failure(&anonymous(), &server.image("base:1")).await;
        assert!(!error.is_absent(), "{token}");
        assert_eq!(server.requests().len(), 1, "{token}");
    }
}

#[tokio::test]
async fn token_over_the_size_limit_is_refused() {
    let service = Scripted::start(|_, _| Answer::status(200).body(vec![b'x'; 300_000]));
    let realm = format!("http://{}/token", service.host());
    let server = Scripted::start(move |_, _| {
        Answer::status(401).header("WWW-Authenticate", format!(r#"Bearer realm="{realm}""#))
    });
    let (text, _) = words(failure(&anonymous(), &server.image("base:1")).await);
    assert!(
        text.ends_with("the body is longer than 262144 bytes"),
        "{text}"
    );
}

#[tokio::test]
async fn config_blob_with_a_wrong_digest_is_not_used() {
    let document = super::documents::manifest(b"{}");
    let digest = document.digest();
    let server = Scripted::start(move |request, _| match request.path().contains("/blobs/") {
        true => Answer::status(200).body(r#"{"config":{"OnBuild":["RUN evil"]}}"#),
        false => Answer::status(200)
            .header("Content-Type", MANIFEST)
            .header("Docker-Content-Digest", document.digest())
            .body(document.bytes.clone()),
    });
    let image = reference(&server.image(&format!("base@{digest}")));
    let error = anonymous()
        .config(&image, &"linux/amd64".parse().unwrap())
        .await
        .unwrap_err();
    let (text, _) = words(error);
    assert!(
        text.ends_with("its content does not match its digest"),
        "{text}"
    );
}

#[tokio::test]
async fn response_that_is_not_http_is_an_error() {
    for raw in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"HTTP/1.1 999999 What\r\n\r\n",
        b"\0\0\0\0",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ] {
        let server = Scripted::start(move |_, _| Answer::torn(raw));
        let error = failure(&anonymous(), &server.image("base:1")).await;
        assert!(!error.is_absent());
        // A HEAD cannot have a wrong body, so the last one falls back to GET.
        assert!(server.requests().len() <= 5, "{:?}", server.requests());
    }
}

#[tokio::test]
async fn malformed_headers_neither_panic_nor_count() {
    let server = Scripted::start(|_, _| {
        Answer::status(429)
            .header("Retry-After", "\u{fffd}\u{1f4a9}")
            .header("Date", "yesterday")
            .header("ratelimit-limit", "9".repeat(5000))
            .header("WWW-Authenticate", "\"\\")
    });
    let start = Instant::now();
    let registries = anonymous();
    let error = failure(&registries, &server.image("base:1")).await;
    assert!(error.retry_at().is_some());
    assert!(start.elapsed() < Duration::from_secs(5));
}
