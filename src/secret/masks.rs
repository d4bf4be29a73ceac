//! Masks secrets in what programs and servers say, in every encoding in which these repeat them.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use base64::{
    Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD,
    prelude::BASE64_URL_SAFE_NO_PAD,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{HIDDEN, Secret};

/// Shorter secrets are not searched for in other texts: they would mask half of a log.
const SHORTEST_SECRET: usize = 4;

/// The secrets to mask in what programs and servers say, and the search for all of them in one pass.
#[derive(Debug, Default)]
pub struct Masks {
    values: Vec<String>,
    /// `None` where there is nothing to mask.
    search: Option<MaskSearch>,
}

#[derive(Debug)]
enum MaskSearch {
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
        self.search = Some(search.map_or(MaskSearch::All, MaskSearch::For));
    }

    /// Returns where secrets are, in order. Secrets that overlap are merged: an unmasked part of one would reveal it.
    fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let search = match &self.search {
            None => return Vec::new(),
            Some(MaskSearch::All) => return std::iter::once(0..bytes.len()).collect(),
            Some(MaskSearch::For(search)) => search,
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

/// What is percent-encoded: all but unreserved characters, and but what browsers, forms, Go's paths and logins in URLs leave as it is.
static ENCODED: [AsciiSet; 5] = [
    all_but(b"-._~"),
    all_but(b"-._~!*'()"),
    all_but(b"-._*"),
    all_but(b"-._~$&+:=@"),
    all_but(b"-._~!$&'()*+,;=:"),
];

const fn all_but(kept: &[u8]) -> AsciiSet {
    let mut set = NON_ALPHANUMERIC.remove(kept[0]);
    let mut n = 1;
    while n < kept.len() {
        set = set.remove(kept[n]);
        n += 1;
    }
    set
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
        percent_decode_str(secret).decode_utf8_lossy().into_owned(),
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
        for set in &ENCODED {
            let encoded = utf8_percent_encode(&text, set).to_string();
            all.push(encoded.replace("%20", "+"));
            all.push(lower_hex(&encoded));
            all.push(encoded);
        }
        all.extend(base64(&text));
        all.push(text);
    }
    all
}

/// So many bytes of a secret are masked wherever they are whole on a line of wrapped base64.
const WRAPPED: usize = 6;

/// Returns a secret in base64, by itself and as a part of a longer text: what is the same in front of and behind any other bytes. The parts of a
/// secret that are on one line each, if `base64` or a mail breaks it, are among them.
fn base64(secret: &str) -> Vec<String> {
    let mut all = vec![
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD_NO_PAD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
    ];
    for before in 0..3 {
        let padded = [&b"\0\0"[..before], secret.as_bytes()].concat();
        // A character is six bits. The first ones and the last one also have bits of the neighbours.
        let (start, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for encoded in [
            BASE64_STANDARD_NO_PAD.encode(&padded),
            BASE64_URL_SAFE_NO_PAD.encode(&padded),
        ] {
            all.push(encoded[start..end].to_owned());
        }
    }
    let parts = secret.as_bytes().windows(WRAPPED);
    let parts = parts.filter(|_| secret.len() > 2 * WRAPPED);
    all.extend(parts.map(|part| BASE64_STANDARD.encode(part)));
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
    fn secret_is_masked_in_base64_behind_and_before_other_bytes() {
        for secret in ["glpat-a?b>c~d", "key1", "hunter2"] {
            let masks = Masks::of(&[Secret::new(secret)]);
            for before in ["", "u", "u:", "oauth2:"] {
                for behind in ["", "\n", "\nx", ":xyz"] {
                    let text = format!("{before}{secret}{behind}");
                    for encoded in [
                        BASE64_STANDARD.encode(&text),
                        BASE64_URL_SAFE_NO_PAD.encode(&text),
                    ] {
                        let hidden = masks.hide_in(&encoded);
                        let rest = hidden.split("***").map(str::len).sum::<usize>();
                        let others = (before.len() + behind.len()) * 8;
                        assert!(hidden.contains("***"), "{text:?}: {hidden}");
                        assert!(rest <= others.div_ceil(6) + 4, "{text:?}: {hidden}");
                    }
                }
            }
        }
    }

    #[test]
    fn secret_is_masked_in_base64_that_is_broken_into_lines() {
        let secret: String = (0..120).map(|n| char::from(b'!' + n % 90)).collect();
        let masks = Masks::of(&[Secret::new(&*secret)]);
        for (before, width) in [("", 76), ("user:", 76), ("u", 64), ("", 64)] {
            let encoded = BASE64_STANDARD.encode(format!("{before}{secret}\n"));
            let lines = encoded.as_bytes().chunks(width);
            let shown = lines.map(|line| masks.hide(line.to_vec()));
            let shown: usize = shown.map(|line| line.len() - HIDDEN.len()).sum();
            assert!(shown < 20, "{before}, {width}: {shown} characters");
        }
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
}
