//! The body of a request, limited in size and time.

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use futures_util::StreamExt as _;
use serde_json::Value;

/// The largest body in bytes. Docker Hub includes the whole README and Dockerfile.
pub const LARGEST: usize = 1024 * 1024;

/// The timeout for a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of a refused body is read after the response, in bytes.
const LARGEST_DISCARDED: usize = 8 * LARGEST;

/// Reads a body.
///
/// # Errors
///
/// 413 if it is too large, before it is read where its length is given; 408 if it takes too long; 400 if it is cut short or malformed.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, StatusCode> {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > LARGEST) {
        discard(headers, body);
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let (mut bytes, mut pieces) = (Vec::new(), body.into_data_stream());
    let whole = async {
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| StatusCode::BAD_REQUEST)?;
            if bytes.len() + piece.len() > LARGEST {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(())
    };
    let read = tokio::time::timeout(PATIENCE, whole).await;
    let read = read.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT));
    if read == Err(StatusCode::PAYLOAD_TOO_LARGE) {
        discard(headers, Body::from_stream(pieces));
    }
    read.map(|()| bytes)
}

/// Reads the rest of a refused body in the background, up to a limit: if a connection is closed before its bytes have been read, it is
/// reset, and the sender sees no response.
pub fn discard(headers: &HeaderMap, body: Body) {
    // Such a sender waits for the response before it sends the body.
    if headers.contains_key(EXPECT) {
        return;
    }
    tokio::spawn(tokio::time::timeout(PATIENCE, async move {
        let (mut left, mut pieces) = (LARGEST_DISCARDED, body.into_data_stream());
        while left > 0
            && let Some(Ok(piece)) = pieces.next().await
        {
            left = left.saturating_sub(piece.len());
        }
    }));
}

/// Parses a body as JSON. By default, GitHub sends it in the field `payload` of a form.
pub fn json(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return serde_json::from_str(&field(body, "payload")?).ok();
    }
    serde_json::from_slice(body).ok()
}

/// Returns the first field of this name in a form or a query.
pub fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    let (_, value) = fields.find(|(field, _)| field == name)?;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn webhook_json_is_read_from_the_body_or_a_form_field() {
        let none = HeaderMap::new();
        assert_eq!(json(&none, br#"{"a": 1}"#), Some(json!({"a": 1})));
        assert_eq!(json(&none, b"a=1"), None);
        let kind = "application/x-www-form-urlencoded".parse().unwrap();
        let form = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        let body = b"x=y&payload=%7B%22a%22%3A+1%7D";
        assert_eq!(json(&form, body), Some(json!({"a": 1})));
        assert_eq!(json(&form, b"payload=%7B"), None);
    }

    #[test]
    fn deeply_nested_json_body_is_refused() {
        let deep = "[".repeat(100_000);
        assert_eq!(json(&HeaderMap::new(), deep.as_bytes()), None);
    }

    #[tokio::test]
    async fn oversized_body_is_refused_by_its_header_and_by_its_length() {
        let none = HeaderMap::new();
        let full = vec![b' '; LARGEST];
        assert_eq!(
            read(&none, Body::from(full.clone())).await,
            Ok(full.clone())
        );
        let over = [full, vec![b' ']].concat();
        assert_eq!(
            read(&none, Body::from(over)).await,
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        );
        let length = HeaderMap::from_iter([(CONTENT_LENGTH, "1048577".parse().unwrap())]);
        assert_eq!(
            read(&length, Body::empty()).await,
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        );
    }

    #[tokio::test]
    async fn malformed_body_is_a_bad_request_and_not_too_large() {
        let broken = futures_util::stream::iter([Ok("{"), Err(std::io::Error::other("bad chunk"))]);
        let read = read(&HeaderMap::new(), Body::from_stream(broken)).await;
        assert_eq!(read, Err(StatusCode::BAD_REQUEST));
    }
}
