//! `--ago`: the minimum age of what a purge removes.

use jiff::{SignedDuration, Timestamp};

/// The longest age, as in acr-cli: 150 years of 365 days.
const LONGEST: SignedDuration = SignedDuration::from_hours(150 * 365 * 24);

/// An age.
pub type Age = SignedDuration;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no age: days and a Go duration, as 7d, 12h or 2d3h6m", .0.escape_debug())]
pub struct InvalidAge(pub String);

/// Parses an age, `[number]d[duration]` with a Go duration, as in acr-cli. An age above 150 years becomes 150 years.
///
/// # Errors
///
/// [`InvalidAge`], also for a negative age, which would reach into the future.
pub fn parse(text: &str) -> Result<Age, InvalidAge> {
    let invalid = || InvalidAge(text.to_owned());
    let text = text.trim();
    let (days, rest) = match text.split_once('d') {
        Some((days, rest)) if !days.is_empty() && days.bytes().all(|b| b.is_ascii_digit()) => {
            (days.parse().unwrap_or(i64::MAX), rest)
        }
        Some(_) => return Err(invalid()),
        None => (0, text),
    };
    let days = SignedDuration::from_hours(days.min(LONGEST.as_hours() / 24) * 24);
    let rest = match rest {
        "" if text.contains('d') => SignedDuration::ZERO,
        rest => go_duration(rest).ok_or_else(invalid)?,
    };
    Ok(days.saturating_add(rest).min(LONGEST))
}

/// Parses a Go duration: numbers with units, as `1h15m` or `1.5h`; `0` needs no unit.
fn go_duration(text: &str) -> Option<SignedDuration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let number: f64 = number.parse().ok()?;
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        seconds += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" | "μs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = after;
    }
    Some(SignedDuration::try_from_secs_f64(seconds.min(LONGEST.as_secs_f64())).unwrap_or(LONGEST))
}

/// Returns the time before which something must have been updated to be older than `age`.
pub fn before(now: Timestamp, age: Age) -> Timestamp {
    now.checked_sub(age).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_parsed_as_days_or_a_go_duration_only() {
        let hours = |text: &str| parse(text).map(|age| age.as_secs_f64() / 3600.0);
        for (text, expected) in [
            ("7d", 168.0),
            ("0d", 0.0),
            ("0", 0.0),
            ("1h15m", 1.25),
            ("2d3h6m", 51.1),
            ("1.5h", 1.5),
            ("90m", 1.5),
            ("3600s", 1.0),
            ("99999999999999999999d", 150.0 * 365.0 * 24.0),
            ("150000d1h", 150.0 * 365.0 * 24.0),
        ] {
            assert_eq!(hours(text), Ok(expected), "{text}");
        }
        for text in [
            "", "d", "7", "7x", "-1h", "-1d", "1d2", "1w", "h", "1d 2h", "a7d", "1..5h",
        ] {
            assert_eq!(parse(text), Err(InvalidAge(text.into())), "{text}");
        }
    }
}
