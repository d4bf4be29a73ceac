//! Authentication of webhooks: whether a sender has the secret.
//!
//! All comparisons take constant time: the MAC verifies a signature, and other values are compared by a MAC of both.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::sys::secret::Secret;

/// The header in which GitHub, Gitea and Forgejo send an HMAC-SHA256 over the body, as `sha256=` and hex digits.
const SIGNATURE: &str = "x-hub-signature-256";

/// The header in which GitLab sends the secret itself.
const GITLAB_TOKEN: &str = "x-gitlab-token";

/// The query parameter for the secret, by the web hook specification of CloudEvents.
const QUERY_FIELD: &str = "access_token";

/// What a request proves before its body is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It has the secret.
    Secret,
    /// It has a signature, which must be checked against the body.
    Signed(Vec<u8>),
    /// It does not have the secret.
    Missing,
}

impl Proof {
    /// Finds the proof in headers and query: the secret as a bearer token, as a basic password, as the whole `Authorization`, as GitLab's
    /// token or in the query; else a signature.
    pub fn of(secret: &Secret, headers: &HeaderMap, query: &str) -> Self {
        // A secret may have other than ASCII characters, which `to_str` refuses.
        let text = |name: &str| std::str::from_utf8(headers.get(name)?.as_bytes()).ok();
        let authorization = text(AUTHORIZATION.as_str()).unwrap_or_default();
        let mut presented = vec![authorization.to_owned()];
        presented.extend(after_scheme(authorization, "bearer").map(str::to_owned));
        presented.extend(after_scheme(authorization, "basic").and_then(password));
        presented.extend(text(GITLAB_TOKEN).map(str::to_owned));
        presented.extend(
            form_urlencoded::parse(query.as_bytes())
                .filter(|(name, _)| name == QUERY_FIELD)
                .map(|(_, value)| value.into_owned()),
        );
        if presented.iter().any(|value| is_secret(secret, value)) {
            return Self::Secret;
        }
        let signature = text(SIGNATURE)
            .and_then(|value| value.strip_prefix("sha256="))
            .and_then(bytes_of_hex);
        signature.map_or(Self::Missing, Self::Signed)
    }
}

/// Tells whether a request has any credential at all, right or wrong.
pub fn is_shown(headers: &HeaderMap, query: &str) -> bool {
    let in_query = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == QUERY_FIELD);
    in_query || headers.contains_key(AUTHORIZATION) || headers.contains_key(GITLAB_TOKEN)
}

/// Tells whether `signature` is the HMAC-SHA256 of `body` with the secret as key.
pub fn is_signed(secret: &Secret, signature: &[u8], body: &[u8]) -> bool {
    mac(secret, body).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

/// Returns the HMAC-SHA256 of `message` with the secret as key, in hex digits.
pub fn signature(secret: &Secret, message: &[u8]) -> String {
    let mac = mac(secret, message).map(|mac| mac.finalize().into_bytes());
    mac.map(hex::encode).unwrap_or_default()
}

/// Tells whether a value is the secret.
pub fn is_secret(secret: &Secret, value: &str) -> bool {
    let of = |text: &str| Some(mac(secret, text.as_bytes())?.finalize());
    of(value).is_some_and(|value| Some(value) == of(secret.reveal()))
}

/// Begins a MAC with the secret as key. `None` for an empty secret, which proves nothing.
fn mac(secret: &Secret, message: &[u8]) -> Option<Hmac<Sha256>> {
    let key = secret.reveal().as_bytes();
    let mac = (!key.is_empty()).then(|| Hmac::<Sha256>::new_from_slice(key))?;
    Some(mac.ok()?.chain_update(message))
}

fn after_scheme<'h>(authorization: &'h str, scheme: &str) -> Option<&'h str> {
    let (found, rest) = authorization.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Returns the password of a basic login, whatever its user name.
fn password(login: &str) -> Option<String> {
    let login = String::from_utf8(STANDARD.decode(login).ok()?).ok()?;
    login
        .split_once(':')
        .map(|(_, password)| password.to_owned())
}

/// Reads the hex digits of 32 bytes.
pub fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    // Exactly 32 bytes: where no secret is set, Gitea sends only `sha256=`.
    hex::decode(text).ok().filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(headers: &[(&'static str, &str)], query: &str) -> Proof {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    axum::http::HeaderName::from_static(name),
                    value.parse().unwrap(),
                )
            })
            .collect();
        Proof::of(&Secret::new("s3cret:with colon"), &headers, query)
    }

    #[test]
    fn webhook_secret_is_accepted_in_every_supported_header() {
        let basic = STANDARD.encode("anybody:s3cret:with colon");
        for (name, value) in [
            ("authorization", "Bearer s3cret:with colon".to_owned()),
            ("authorization", "bearer s3cret:with colon".to_owned()),
            ("authorization", "s3cret:with colon".to_owned()),
            ("authorization", format!("Basic {basic}")),
            ("x-gitlab-token", "s3cret:with colon".to_owned()),
        ] {
            assert_eq!(
                proof(&[(name, &value)], ""),
                Proof::Secret,
                "{name} {value}"
            );
        }
        let query = "a=b&access_token=s3cret%3Awith+colon";
        assert_eq!(proof(&[], query), Proof::Secret);
    }

    #[test]
    fn webhook_secret_that_is_not_ascii_is_accepted_in_headers() {
        let secret = Secret::new("pässword");
        for (name, value) in [
            ("authorization", "Bearer pässword"),
            ("x-gitlab-token", "pässword"),
        ] {
            let value = axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value)]);
            assert_eq!(Proof::of(&secret, &headers, ""), Proof::Secret, "{name}");
        }
    }

    #[test]
    fn other_headers_are_no_webhook_secret() {
        for (name, value) in [
            ("authorization", ""),
            ("authorization", "Bearer"),
            ("authorization", "Bearer s3cret"),
            ("authorization", "Bearer s3cret:with colon2"),
            ("authorization", "Basic !!!"),
            ("authorization", "Basic czNjcmV0"),
            ("x-gitlab-token", "S3CRET:WITH COLON"),
            ("x-hub-signature-256", "sha256="),
            ("x-hub-signature-256", "sha256=abcd"),
        ] {
            assert_eq!(
                proof(&[(name, value)], ""),
                Proof::Missing,
                "{name} {value}"
            );
        }
        assert_eq!(proof(&[], "access_token="), Proof::Missing);
        assert_eq!(proof(&[], ""), Proof::Missing);
    }

    #[test]
    fn empty_webhook_secret_refuses_every_request() {
        let empty = Secret::new("");
        assert_eq!(Proof::of(&empty, &HeaderMap::new(), ""), Proof::Missing);
        assert!(!is_signed(&empty, &[0; 32], b""));
    }

    /// The example in GitHub's documentation.
    #[test]
    fn webhook_signature_is_verified_as_by_github() {
        let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let Proof::Signed(signature) = proof(&[(SIGNATURE, &format!("sha256={hex}"))], "") else {
            panic!("no signature was found");
        };
        let secret = Secret::new("It's a Secret to Everybody");
        assert!(is_signed(&secret, &signature, b"Hello, World!"));
        assert!(!is_signed(&secret, &signature, b"Hello, World"));
        assert!(!is_signed(
            &Secret::new("another"),
            &signature,
            b"Hello, World!"
        ));
    }
}
