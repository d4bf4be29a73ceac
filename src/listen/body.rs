//! The body of a request, limited in size and time.

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
};
use serde_json::Value;

/// The largest body in bytes. Docker Hub includes the whole README and Dockerfile.
pub const LARGEST: usize = 1024 * 1024;

/// The timeout for a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a body.
///
/// # Errors
///
/// 413 if it is too large, before it is read where its length is given; 408 if it takes too long.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, StatusCode> {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > LARGEST) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match tokio::time::timeout(PATIENCE, axum::body::to_bytes(body, LARGEST)).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        // A sender whose connection broke sees no response at all.
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(bytes)) => Ok(bytes.into()),
    }
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
}
