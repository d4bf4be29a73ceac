//! A server that is told: the message by POST, signed as GitHub signs its own, and sent again where that may help.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderName},
};
use sha2::Sha256;

use crate::sys::{clock::Clock, secret::Secret, settings};

/// How long one try may take as a whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pauses between tries; there is one try more.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// The header with the word for what the message tells.
const EVENT: HeaderName = HeaderName::from_static("x-acrt-event");

/// The header with the signature, `sha256=` and hex digits, as GitHub's webhooks have it.
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// One message on its way to a server.
pub struct Request<'a> {
    /// Where it goes.
    pub url: &'a Url,
    /// What it is signed with.
    pub secret: Option<&'a Secret>,
    /// What it tells.
    pub event: &'a str,
    /// The message.
    pub body: Vec<u8>,
}

/// How one try ended that did not succeed.
enum Failed {
    /// Another may succeed.
    Passing(String),
    /// The server does not want it.
    Final(String),
}

/// Sends a message until it is taken, or there is no more sense in sending it.
///
/// # Errors
///
/// Why it was not taken, without its URL.
pub async fn send(request: &Request<'_>, clock: &Clock) -> Result<(), String> {
    let client = client(request.url)?;
    let mut pauses = PAUSES.iter();
    loop {
        let why = match once(&client, request).await {
            Ok(()) => return Ok(()),
            Err(Failed::Final(why)) => return Err(why),
            Err(Failed::Passing(why)) => why,
        };
        match pauses.next() {
            Some(pause) => clock.sleep(*pause).await,
            None => return Err(why),
        }
    }
}

async fn once(client: &Client, request: &Request<'_>) -> Result<(), Failed> {
    let mut post = client
        .post(request.url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header(EVENT, request.event)
        .body(request.body.clone());
    if let Some(secret) = request.secret {
        post = post.header(SIGNATURE, signature(secret, &request.body));
    }
    let answer = post.send().await;
    let answer = answer.map_err(|error| Failed::Passing(words(error.without_url())))?;
    let status = answer.status();
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(Failed::Passing(format!("it answers {status}")))
        }
        _ if status.is_server_error() => Err(Failed::Passing(format!("it answers {status}"))),
        _ => Err(Failed::Final(format!("it answers {status}"))),
    }
}

/// Returns the innermost words of an error: the outer ones say only that a request was sent.
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
    // Somebody else may have chosen a provider before; then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("acrt/", env!("CARGO_PKG_VERSION")))
        // A redirect would turn the POST into a GET, and carry the message to somebody else.
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE);
    if settings::is_loopback(url.host_str().unwrap_or_default()) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(words)
}

/// Returns the signature of a message.
fn signature(secret: &Secret, body: &[u8]) -> String {
    let mut text = String::from("sha256=");
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) {
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            text.push_str(&format!("{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_github_signs() {
        // The example of GitHub's own documentation of webhooks.
        let secret = Secret::new("It's a Secret to Everybody");
        assert_eq!(
            signature(&secret, b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
