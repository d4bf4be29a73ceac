//! Secret values, and texts with secret parts. Every room may use them: a secret keeps its type from the flag to the builder.

mod address;
mod masks;

use std::{convert::Infallible, fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

pub use address::{login_as_sent, secrets_of_argument, secrets_of_login, without_login};
pub use masks::Masks;

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

#[cfg(test)]
mod tests {
    use super::*;

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
