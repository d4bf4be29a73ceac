//! Durations: seconds, as in az, or with units.

use crate::task::Age;

/// Parses `600`, `10m` or `1h 30m` to seconds.
pub fn seconds(text: &str) -> Result<u32, String> {
    let problem = || {
        format!(
            "`{}` is not a duration: seconds, or as 90s, 10m, 2h or 3d",
            text.escape_debug()
        )
    };
    let span: Age = text.parse().map_err(|_| problem())?;
    u32::try_from(span.duration().as_secs()).map_err(|_| problem())
}

/// Parses a timeout, which is at least one second.
pub fn timeout(text: &str) -> Result<u32, String> {
    match seconds(text)? {
        0 => Err("a timeout must be at least 1 second".into()),
        seconds => Ok(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_without_a_unit_is_seconds_and_units_are_accepted() {
        for (text, expected) in [
            ("600", 600),
            ("10m", 600),
            ("1h 30m", 5400),
            ("3d", 259_200),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "-5", "-1m", "10x", "9999999999", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert!(timeout("0").is_err() && timeout("1").is_ok());
    }
}
