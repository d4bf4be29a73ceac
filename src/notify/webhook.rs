//! Delivers notifications by POST, signed like GitHub's webhooks, with retries.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use sha2::Sha256;

use crate::{
    secret::{Masks, Secret},
    sys::{clock::Clock, proxy},
};

use super::{delivery_error::DeliveryError, payload::NotificationPayload};

/// The timeout of one attempt.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pauses between attempts, of which there is one more.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// The header with the kind of the event.
const EVENT: HeaderName = HeaderName::from_static("x-acrt-event");

/// The header with the signature: `sha256=` and hex digits, as in GitHub's webhooks.
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// One message for a server.
pub struct Request<'a> {
    pub url: &'a Url,
    /// The secret that the message is signed with.
    pub secret: Option<&'a Secret>,
    pub event: &'a str,
    pub payload: &'a NotificationPayload,
    /// What the response may repeat and must not be shown.
    pub masks: &'a Masks,
}

/// How an attempt failed.
enum AttemptError {
    /// A retry may succeed at once.
    Passing(String),
    Lasting(DeliveryError),
}

/// Sends a message until it is accepted or a retry makes no sense. Returns the response.
///
/// # Errors
///
/// Why the message was not accepted, without its URL.
pub async fn send(request: &Request<'_>, clock: &Clock) -> Result<String, DeliveryError> {
    let client = client(request.url).map_err(DeliveryError::Failed)?;
    let mut pauses = PAUSES.iter();
    loop {
        let why = match once(&client, request).await {
            Ok(answer) => return Ok(answer),
            Err(AttemptError::Lasting(error)) => return Err(error),
            Err(AttemptError::Passing(why)) => why,
        };
        match pauses.next() {
            Some(pause) => clock.sleep(*pause).await,
            None => return Err(DeliveryError::Failed(why)),
        }
    }
}

async fn once(client: &Client, request: &Request<'_>) -> Result<String, AttemptError> {
    let headers = headers(request.payload);
    let headers = headers.map_err(|why| AttemptError::Lasting(DeliveryError::Failed(why)))?;
    let mut post = client
        .post(request.url.clone())
        .header(EVENT, request.event)
        .headers(headers)
        .body(request.payload.body.clone());
    if let Some(secret) = request.secret {
        post = post.header(SIGNATURE, signature(secret, &request.payload.body));
    }
    let answer = post.send().await;
    let answer = answer.map_err(|error| AttemptError::Passing(words(error.without_url())))?;
    let status = answer.status();
    let said = beginning(answer, request.masks).await;
    let told = match said.as_str() {
        "" => format!("it answers {status}"),
        said => format!("it answers {status}: {said}"),
    };
    match status {
        _ if status.is_success() => Ok(told),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(AttemptError::Passing(told))
        }
        _ if status.is_server_error() => Err(AttemptError::Passing(told)),
        _ if is_of_message(status) => Err(AttemptError::Lasting(DeliveryError::Refused(told))),
        _ => Err(AttemptError::Lasting(DeliveryError::Failed(told))),
    }
}

/// Tells whether a status is about the message, and not about the URL or the login, which may be mended.
fn is_of_message(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY
    )
}

/// Returns the headers of a message; without a Content-Type from its templates, the body is JSON where it parses as JSON, else
/// text.
fn headers(payload: &NotificationPayload) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let kind = match serde_json::from_slice::<serde::de::IgnoredAny>(&payload.body) {
        Ok(_) => "application/json",
        Err(_) => "text/plain; charset=utf-8",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in &payload.headers {
        let unusable = || format!("`{name}` cannot be a header");
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let mut value = HeaderValue::from_str(&encoded(value)).map_err(|_| unusable())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// How many bytes go into one encoded word, which may have 75 characters (RFC 2047, section 2).
const WORD: usize = 45;

/// Returns a header's value on one line. Text that is not ASCII is encoded as in RFC 2047.
fn encoded(value: &str) -> String {
    let line = value.split(char::is_control).collect::<Vec<_>>().join(" ");
    let line = line.trim();
    if line.is_ascii() {
        return line.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    for c in line.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let encode = |word: &String| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word));
    words.iter().map(encode).collect::<Vec<_>>().join(" ")
}

/// How much of a response is shown, in characters.
const SHOWN: usize = 200;

/// How much of a response is read, in bytes, so that what is shown of it ends with no part of a secret.
const READ: usize = 8 * 1024;

/// Returns the start of a response's body, which says why a message was refused.
async fn beginning(mut answer: Response, masks: &Masks) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < READ
        && let Ok(Some(piece)) = answer.chunk().await
    {
        bytes.extend_from_slice(&piece);
    }
    shown(bytes, masks)
}

fn shown(body: Vec<u8>, masks: &Masks) -> String {
    let body = masks.hide_in_answer(body);
    let text = String::from_utf8_lossy(&body);
    let words: Vec<&str> = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|it| !it.is_empty())
        .collect();
    words.join(" ").chars().take(SHOWN).collect()
}

/// Returns the innermost message of an error: the outer ones only say that a request was sent.
fn words(error: reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        words = cause.to_string();
        next = cause.source();
    }
    words
}

fn client(url: &Url) -> Result<Client, String> {
    proxy::of(url)?;
    // It follows no redirect, which would turn the POST into a GET, and carry the message to another server.
    let mut builder = proxy::client().timeout(PATIENCE);
    if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(words)
}

/// Returns the signature of a message.
fn signature(secret: &Secret, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes());
    let signed = mac.map(|mac| mac.chain_update(body).finalize().into_bytes());
    format!("sha256={}", signed.map(hex::encode).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_header_is_one_line_of_ascii() {
        assert_eq!(
            encoded("web: failure\r\nX-Evil: 1"),
            "web: failure  X-Evil: 1"
        );
        assert_eq!(encoded("wëb"), "=?UTF-8?B?d8OrYg==?=");
        let long = encoded(&"ü".repeat(60));
        assert!(long.split(' ').all(|word| word.len() <= 75) && long.split(' ').count() == 3);
    }

    #[test]
    fn secret_at_the_end_of_what_is_shown_of_a_response_is_masked() {
        let masks = Masks::of(&[Secret::new("hunter2-token")]);
        let body = format!("{} hunter2-token", "x".repeat(SHOWN - 8));
        let text = shown(body.into_bytes(), &masks);
        assert_eq!(text, format!("{} ***", "x".repeat(SHOWN - 8)));
    }

    #[test]
    fn notification_content_type_is_json_if_the_body_parses_as_json() {
        let kind = |body: &str| {
            let payload = NotificationPayload {
                body: body.into(),
                ..NotificationPayload::default()
            };
            headers(&payload).unwrap()[CONTENT_TYPE]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(kind("{}"), "application/json");
        assert_eq!(kind("web failed"), "text/plain; charset=utf-8");
        let own = NotificationPayload {
            headers: vec![("content-type".into(), "text/html".into())],
            ..NotificationPayload::default()
        };
        assert_eq!(headers(&own).unwrap()[CONTENT_TYPE], "text/html");
        let bad = NotificationPayload {
            headers: vec![("a b".into(), "1".into())],
            ..NotificationPayload::default()
        };
        assert_eq!(headers(&bad).unwrap_err(), "`a b` cannot be a header");
    }

    #[test]
    fn notification_is_signed_as_github_signs() {
        // The example from GitHub's documentation of webhooks.
        let secret = Secret::new("It's a Secret to Everybody");
        assert_eq!(
            signature(&secret, b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
