//! Addresses with a login in them, such as `https://user:password@host/path`.

use std::ops::Range;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;

use super::{HIDDEN, Secret};

/// Returns where the login of an address is, if that may be secret: `user:password` in front of a host, or any login over http, which is
/// usually a token.
fn login_in(address: &str) -> Option<Range<usize>> {
    let (scheme, start) = match address.find("://") {
        Some(at) => (Some(&address[..at]), at + 3),
        None => (None, 0),
    };
    let rest = &address[start..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let (login, host) = authority.rsplit_once('@')?;
    // `name:tag@sha256:…` has no login.
    let is_digest = host.starts_with("sha") && host.contains(':');
    let is_http = scheme.is_some_and(|it| {
        it.to_ascii_lowercase().ends_with("http") || it.to_ascii_lowercase().ends_with("https")
    });
    let is_secret = !is_digest && (login.contains(':') || is_http);
    is_secret.then_some(start..start + login.len())
}

/// Returns an address with its login as `***`, if that may be secret.
#[must_use]
pub fn without_login(address: &str) -> String {
    match login_in(address) {
        Some(login) => format!(
            "{}{HIDDEN}{}",
            &address[..login.start],
            &address[login.end..]
        ),
        None => address.to_owned(),
    }
}

/// Returns the secrets in an argument of a command line that is an address with a login or a query, which is often a signature, or an option
/// with such a value.
#[must_use]
pub fn secrets_of_argument(argument: &str) -> Vec<Secret> {
    let value = match argument.split_once('=') {
        Some((option, value)) if option.starts_with('-') => value,
        _ => argument,
    };
    let mut secrets =
        login_in(value).map_or_else(Vec::new, |login| secrets_of_login(&value[login]));
    let query = value
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('?'));
    let query = query.and_then(|(_, query)| query.split('#').next());
    secrets.extend(query.map(Secret::new));
    secrets
}

/// Returns the secrets in the login of a URL, `user:password` or a token alone: the password or token, and the login as it is sent.
#[must_use]
pub fn secrets_of_login(login: &str) -> Vec<Secret> {
    let secret = login
        .split_once(':')
        .map_or(login, |(_, password)| password);
    vec![
        Secret::new(secret),
        login_as_sent(login),
        login_as_sent(&percent_decode_str(login).decode_utf8_lossy()),
    ]
}

/// Returns a login `user:password` as HTTP and login files have it: in base64.
#[must_use]
pub fn login_as_sent(login: &str) -> Secret {
    Secret::new(BASE64_STANDARD.encode(login))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_shown_without_a_login_that_may_be_secret() {
        for (address, shown) in [
            (
                "https://me:hunter2@example.com/x.git",
                "https://***@example.com/x.git",
            ),
            ("https://hunter2@example.com", "https://***@example.com"),
            ("ssh://git:hunter2@example.com/x", "ssh://***@example.com/x"),
            ("ftp://me:hunter2@example.com", "ftp://***@example.com"),
            ("oci://me:hunter2@r.io/x:1", "oci://***@r.io/x:1"),
            ("me:hunter2@r.io/x:1", "***@r.io/x:1"),
            ("ssh://git@example.com/x", "ssh://git@example.com/x"),
            ("git@example.com:x", "git@example.com:x"),
            ("r.io/x:1@sha256:aa", "r.io/x:1@sha256:aa"),
            ("x:1@sha256:aa", "x:1@sha256:aa"),
            ("https://example.com/a@b", "https://example.com/a@b"),
        ] {
            assert_eq!(without_login(address), shown);
        }
        let secrets = secrets_of_argument("--context=https://me:hunter2@example.com/x=y");
        assert!(secrets.contains(&Secret::new("hunter2")));
        let secrets = secrets_of_argument("--context=https://example.com/x.tgz?sig=hunter2#:y");
        assert!(secrets.contains(&Secret::new("sig=hunter2")));
        assert!(secrets_of_argument("--context=https://example.com").is_empty());
    }
}
