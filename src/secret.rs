//! Secret values, and texts with secret parts. Every room may use them: a secret keeps its type from the flag to the builder.

use std::{convert::Infallible, fmt, ops::Range, str::FromStr};

use aho_corasick::AhoCorasick;
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};

/// A password, a token or a secret argument. `Display` and `Debug` print it as `***`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value itself, for the one place that must pass it on.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The text that is shown in place of a secret.
const HIDDEN: &str = "***";

/// Shorter secrets are not searched for in other texts: they would mask half of a log.
const SHORTEST_SECRET: usize = 4;

/// A text with secret parts, which `Display` and `Debug` print as `***`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct MaskedText {
    text: String,
    /// The secret parts as byte ranges: in order, not adjacent, not empty.
    secret: Vec<Range<usize>>,
}

impl MaskedText {
    /// Returns a text with secret parts, given as ranges of bytes in any order.
    ///
    /// A range that does not begin and end at character boundaries, or exceeds the text, makes all of it secret.
    #[must_use]
    pub fn with_secrets(
        text: impl Into<String>,
        ranges: impl IntoIterator<Item = Range<usize>>,
    ) -> Self {
        let text = text.into();
        let ranges: Vec<Range<usize>> = ranges.into_iter().collect();
        let fits = |range: &Range<usize>| {
            text.is_char_boundary(range.start) && text.is_char_boundary(range.end)
        };
        if !ranges.iter().all(fits) {
            return Self::from(Secret::new(text));
        }
        let mut ranges: Vec<Range<usize>> = ranges.into_iter().filter(|r| !r.is_empty()).collect();
        ranges.sort_by_key(|range| range.start);
        let mut secret: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match secret.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => secret.push(range),
            }
        }
        Self { text, secret }
    }

    /// Returns the text itself, for the one place that must pass it on.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Returns whether any part of it is secret.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        !self.secret.is_empty()
    }

    /// Returns whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the byte ranges of the secret parts, in order.
    #[must_use]
    pub fn secret_ranges(&self) -> &[Range<usize>] {
        &self.secret
    }

    /// Returns the secret parts.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        self.secret
            .iter()
            .map(|range| Secret::new(&self.text[range.clone()]))
    }

    /// Returns the whole text as a secret.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        Secret::new(self.text.clone())
    }

    /// Splits the text at the first `separator`, which is in neither part.
    #[must_use]
    pub fn split_once(&self, separator: char) -> Option<(Self, Self)> {
        let at = self.text.find(separator)?;
        Some((
            self.part(0..at),
            self.part(at + separator.len_utf8()..self.text.len()),
        ))
    }

    /// Returns the text without its first `bytes` bytes, which must end at a character boundary.
    #[must_use]
    pub fn skip(&self, bytes: usize) -> Self {
        self.part(bytes..self.text.len())
    }

    /// Returns a part of the text; the byte range must be at character boundaries.
    fn part(&self, wanted: Range<usize>) -> Self {
        let secret = self.secret.iter().map(|range| {
            let start = range.start.clamp(wanted.start, wanted.end) - wanted.start;
            let end = range.end.clamp(wanted.start, wanted.end) - wanted.start;
            start..end
        });
        Self {
            secret: secret.filter(|range| !range.is_empty()).collect(),
            text: self.text[wanted].to_owned(),
        }
    }
}

impl From<String> for MaskedText {
    fn from(text: String) -> Self {
        Self {
            text,
            secret: Vec::new(),
        }
    }
}

impl From<&str> for MaskedText {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Secret> for MaskedText {
    fn from(secret: Secret) -> Self {
        let Secret(text) = secret;
        let whole = 0..text.len();
        Self {
            text,
            secret: (!whole.is_empty()).then_some(whole).into_iter().collect(),
        }
    }
}

impl fmt::Display for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        for range in &self.secret {
            f.write_str(&self.text[shown..range.start])?;
            f.write_str(HIDDEN)?;
            shown = range.end;
        }
        f.write_str(&self.text[shown..])
    }
}

impl fmt::Debug for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// The secrets to mask in what programs and servers say, and the search for all of them in one pass.
#[derive(Debug, Default)]
pub struct Masks {
    values: Vec<String>,
    /// `None` where there is nothing to mask.
    search: Option<Search>,
}

#[derive(Debug)]
enum Search {
    For(AhoCorasick),
    /// There are too many values to search for: all output is masked.
    All,
}

impl Masks {
    /// Returns the search for each line of these secrets, as it is and in the encodings in which programs and servers repeat it.
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut masks = Self::default();
        masks.add(secrets);
        masks
    }

    /// Masks further secrets.
    pub fn add<'s>(&mut self, secrets: impl IntoIterator<Item = &'s Secret>) {
        let before = self.values.len();
        for secret in secrets {
            let whole = secret.reveal();
            for line in whole.lines().filter(|it| it.len() >= SHORTEST_SECRET) {
                self.values.extend(encodings(line));
            }
            if whole.contains('\n') {
                self.values.push(BASE64_STANDARD.encode(whole));
            }
        }
        if self.values.len() == before {
            return;
        }
        self.values.retain(|it| it.len() >= SHORTEST_SECRET);
        self.values.sort_unstable();
        self.values.dedup();
        let search = AhoCorasick::new(&self.values);
        self.search = Some(search.map_or(Search::All, Search::For));
    }

    /// Returns where secrets are, in order. Secrets that overlap are merged: an unmasked part of one would reveal it.
    fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let search = match &self.search {
            None => return Vec::new(),
            Some(Search::All) => return std::iter::once(0..bytes.len()).collect(),
            Some(Search::For(search)) => search,
        };
        // Nearly always there is none, and this test is faster.
        if !search.is_match(bytes) {
            return Vec::new();
        }
        let mut found: Vec<Range<usize>> = Vec::new();
        for one in search.find_overlapping_iter(bytes) {
            let mut start = one.start();
            while let Some(last) = found.pop_if(|last| start < last.end) {
                start = start.min(last.start);
            }
            found.push(start..one.end());
        }
        found
    }

    /// Replaces every secret in `bytes` with `***`.
    #[must_use]
    pub fn hide(&self, bytes: Vec<u8>) -> Vec<u8> {
        let found = self.find(&bytes);
        if found.is_empty() {
            return bytes;
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for secret in found {
            out.extend_from_slice(&bytes[at..secret.start]);
            out.extend_from_slice(HIDDEN.as_bytes());
            at = secret.end;
        }
        out.extend_from_slice(&bytes[at..]);
        out
    }

    /// Returns a text with every secret replaced by `***`.
    #[must_use]
    pub fn hide_in(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.hide(text.into())).into_owned()
    }

    /// Masks an HTTP answer. The texts of JSON are masked as a reader decodes them, however the server has escaped them.
    #[must_use]
    pub fn hide_in_answer(&self, body: Vec<u8>) -> Vec<u8> {
        if self.search.is_none() {
            return body;
        }
        let Ok(decoded) = serde_json::from_slice::<serde_json::Value>(&body) else {
            return self.hide(body);
        };
        let mut masked = decoded.clone();
        self.hide_in_json(&mut masked);
        // An answer without secrets stays as it was written.
        if masked == decoded {
            self.hide(body)
        } else {
            self.hide(masked.to_string().into_bytes())
        }
    }

    /// Masks the texts of a JSON value.
    fn hide_in_json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.hide_in(text),
            serde_json::Value::Array(items) => {
                items.iter_mut().for_each(|item| self.hide_in_json(item));
            }
            serde_json::Value::Object(fields) => {
                fields
                    .values_mut()
                    .for_each(|value| self.hide_in_json(value));
            }
            _ => {}
        }
    }

    /// Returns where an unfinished line can be cut, so that no secret is cut in two.
    #[must_use]
    pub fn safe_end(&self, bytes: &[u8]) -> usize {
        let longest = self.values.iter().map(String::len).max().unwrap_or(1);
        let end = bytes.len().saturating_sub(longest - 1);
        let mut found = self.find(bytes).into_iter();
        found
            .find(|secret| secret.start < end && end < secret.end)
            .map_or(end, |secret| secret.start)
    }
}

/// Longer secrets are searched for only as they are, so that the search stays small.
const LONGEST_ENCODED: usize = 16 * 1024;

/// Returns a secret as it is, and as other programs write it: quoted in JSON or Go, encoded in URLs and logins, and with blanks collapsed by
/// a shell.
fn encodings(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned()];
    if secret.len() > LONGEST_ENCODED {
        return all;
    }
    let collapsed: Vec<&str> = secret.split_whitespace().collect();
    for text in [
        secret.to_owned(),
        percent_decoded(secret),
        collapsed.join(" "),
    ] {
        if text.len() < SHORTEST_SECRET {
            continue;
        }
        let is_control = |c: char| c < ' ';
        all.push(quoted(&text, 'u', is_control));
        // Go's encoding of JSON, and Python's.
        let is_html =
            |c: char| is_control(c) || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        all.push(quoted(&text, 'u', is_html));
        all.push(quoted(&text, 'u', |c| is_control(c) || !c.is_ascii()));
        // Go's `%q`.
        all.push(quoted(&text, 'x', char::is_control));
        // Unreserved characters, those of browsers, of forms, of Go's paths, and of logins in URLs.
        for kept in [
            "-._~",
            "-._~!*'()",
            "-._*",
            "-._~$&+:=@",
            "-._~!$&'()*+,;=:",
        ] {
            let encoded = percent_encoded(&text, kept);
            all.push(encoded.replace("%20", "+"));
            all.push(lower_hex(&encoded));
            all.push(encoded);
        }
        all.push(BASE64_STANDARD.encode(&text));
        all.push(BASE64_STANDARD_NO_PAD.encode(&text));
        all.push(text);
    }
    all
}

/// Returns the inside of a quoted text: with `\"`, `\\`, `\n`, and each other character that `is_escaped` names as `\u001b` or `\x1b`.
fn quoted(text: &str, escape: char, is_escaped: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_escaped(c) && escape == 'x' => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)))
            }
            c if is_escaped(c) => {
                let units = c.encode_utf16(&mut [0; 2]).to_vec();
                out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
            c => out.push(c),
        }
    }
    out
}

fn percent_encoded(text: &str, kept: &str) -> String {
    let bytes = text.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    bytes.collect()
}

/// Returns a percent-encoded text with lower-case digits in its encodings.
fn lower_hex(encoded: &str) -> String {
    let mut digits = 0;
    let lower = encoded.chars().map(|c| {
        if c == '%' {
            digits = 2;
            return c;
        }
        let is_digit = digits > 0;
        digits -= i32::from(is_digit);
        if is_digit { c.to_ascii_lowercase() } else { c }
    });
    lower.collect()
}

/// Decodes `%XX` in a part of a URL. What is no encoding stays as it is.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

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

/// Returns the secrets in an argument of a command line that is an address with a login, or an option with such a value.
#[must_use]
pub fn secrets_of_argument(argument: &str) -> Vec<Secret> {
    let value = match argument.split_once('=') {
        Some((option, value)) if option.starts_with('-') => value,
        _ => argument,
    };
    login_in(value).map_or_else(Vec::new, |login| secrets_of_login(&value[login]))
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
        login_as_sent(&percent_decoded(login)),
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
    fn secret_is_masked_in_every_encoding_in_which_programs_repeat_it() {
        let masks = Masks::of(&[Secret::new("pa<ss&w\"or\\d\t+é/1")]);
        for said in [
            "pa<ss&w\"or\\d\t+é/1",
            r#"pa<ss&w\"or\\d\t+é/1"#,
            r#"pa\u003css\u0026w\"or\\d\t+é/1"#,
            r#"pa<ss&w\"or\\d\t+\u00e9/1"#,
            "pa%3Css%26w%22or%5Cd%09%2B%C3%A9%2F1",
            "pa%3css%26w%22or%5cd%09%2b%c3%a9%2f1",
            "pa%3Css&w%22or%5Cd%09+%C3%A9%2F1",
            "pa<ss&w\"or\\d +é/1",
            "cGE8c3MmdyJvclxkCSvDqS8x",
        ] {
            assert_eq!(masks.hide_in(&format!("a {said} b")), "a *** b", "{said}");
        }
        let blanks = Masks::of(&[Secret::new("a  bc\td ")]);
        assert_eq!(blanks.hide_in("echo a bc d"), "echo ***");
        let encoded = Masks::of(&[Secret::new("x%20yz")]);
        assert_eq!(encoded.hide_in("x yz, x%20yz"), "***, ***");
        let several = Masks::of(&[Secret::new("one1\ntwo2\n")]);
        assert_eq!(several.hide_in("b25lMQp0d28yCg== two2"), "*** ***");
    }

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
        assert_eq!(Masks::of(&secrets).hide_in("'hunter2'"), "'***'");
        assert!(secrets_of_argument("--context=https://example.com").is_empty());
    }

    #[test]
    fn secret_is_masked_in_json_however_it_is_escaped() {
        let masks = Masks::of(&[Secret::new("pass&word1")]);
        let body = r#"{"errors":[{"message":"no \u0070ass\u0026word1"}]}"#;
        let hidden = masks.hide_in_answer(body.into());
        assert_eq!(
            String::from_utf8(hidden).unwrap(),
            r#"{"errors":[{"message":"no ***"}]}"#
        );
        let other = r#"{ "a": "b" }"#;
        assert_eq!(masks.hide_in_answer(other.into()), other.as_bytes());
    }

    #[test]
    fn secret_is_printed_as_stars() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn masked_text_hides_only_its_secret_parts() {
        let text = MaskedText::with_secrets("user:hunter2@host", vec![9..12, 5..10]);
        assert_eq!(text.to_string(), "user:***@host");
        assert_eq!(format!("{text:?}"), "\"user:***@host\"");
        assert_eq!(text.reveal(), "user:hunter2@host");
        assert_eq!(MaskedText::from(Secret::new("x")).to_string(), "***");
        assert!(!MaskedText::from(Secret::new("")).has_secret());
    }

    #[test]
    fn split_masked_text_keeps_its_secret_parts() {
        let text = MaskedText::with_secrets("A=a=hunter2", std::iter::once(4..11));
        let (name, value) = text.split_once('=').unwrap();
        assert_eq!((name.reveal(), name.has_secret()), ("A", false));
        assert_eq!(
            (value.reveal(), value.to_string().as_str()),
            ("a=hunter2", "a=***")
        );
        let secrets: Vec<_> = value.secrets().collect();
        assert_eq!(secrets, [Secret::new("hunter2")]);
    }

    #[test]
    fn masked_text_with_an_invalid_range_is_secret_as_a_whole() {
        assert_eq!(
            MaskedText::with_secrets("äb", std::iter::once(1..2)).to_string(),
            "***"
        );
        assert_eq!(
            MaskedText::with_secrets("ab", std::iter::once(1..9)).to_string(),
            "***"
        );
    }
}
