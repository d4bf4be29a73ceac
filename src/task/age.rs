//! The minimum age of an image before anything is built on it.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};

/// A duration such as `3d`, `36h`, `1w 2d`, or a number of seconds. A day has 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age(SignedDuration);

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a duration, as 3d, 36h or 90m", .0.escape_debug())]
pub struct InvalidAge(pub String);

impl Age {
    pub fn duration(self) -> SignedDuration {
        self.0
    }
}

impl FromStr for Age {
    type Err = InvalidAge;

    fn from_str(text: &str) -> Result<Self, InvalidAge> {
        let invalid = || InvalidAge(text.into());
        if let Ok(seconds) = text.trim().parse::<u32>() {
            return Ok(Self(SignedDuration::from_secs(seconds.into())));
        }
        let span: Span = text.trim().parse().map_err(|_| invalid())?;
        let duration = span
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .map_err(|_| invalid())?;
        if duration.is_negative() {
            Err(invalid())
        } else {
            Ok(Self(duration))
        }
    }
}

impl TryFrom<String> for Age {
    type Error = InvalidAge;

    fn try_from(text: String) -> Result<Self, InvalidAge> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> Self {
        age.to_string()
    }
}

impl fmt::Display for Age {
    /// Writes days, hours, minutes and seconds, leaving out zeros: `1d 12h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3_600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, unit)| format!("{count}{unit}"))
            .collect();
        if parts.is_empty() {
            f.write_str("0s")
        } else {
            f.write_str(&parts.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_parsed_and_printed_in_human_units() {
        for (text, seconds, written) in [
            ("3d", 259_200, "3d"),
            ("36h", 129_600, "1d 12h"),
            ("1w", 604_800, "7d"),
            ("90", 90, "1m 30s"),
            ("0", 0, "0s"),
        ] {
            let age: Age = text.parse().unwrap();
            assert_eq!(age.duration().as_secs(), seconds, "{text}");
            assert_eq!(age.to_string(), written);
            assert_eq!(written.parse(), Ok(age));
        }
        for text in ["", "soon", "-3d", "3 fortnights"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
    }
}
