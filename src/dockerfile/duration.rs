//! Durations in the form of Go's `time.ParseDuration`, which `HEALTHCHECK` takes.

/// Reads a duration such as `1m30s`, in nanoseconds; `None` if it is none, or is longer than 292 years.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i64 = 0;
    loop {
        let (number, unit, behind) = number_and_unit(rest)?;
        total = total.checked_add(nanoseconds(number, unit)?)?;
        rest = behind;
        if rest.is_empty() {
            return Some(if negative { -total } else { total });
        }
    }
}

/// Splits the first number and its unit off.
fn number_and_unit(text: &str) -> Option<(&str, i64, &str)> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !is_number(c))?;
    let (number, rest) = text.split_at(end);
    let end = rest.find(is_number).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let unit = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    Some((number, unit, rest))
}

fn nanoseconds(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || whole.len() + fraction.len() == 0 {
        return None;
    }
    let whole: i64 = match whole {
        "" => 0,
        whole => whole.parse().ok()?,
    };
    let mut result = whole.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.chars() {
        place /= 10;
        result = result.checked_add(i64::from(digit.to_digit(10)?) * place)?;
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        assert_eq!(parse("1m30s"), Some(90_000_000_000));
        assert_eq!(parse("1.5h"), Some(5_400_000_000_000));
        assert_eq!(parse("-1ms"), Some(-1_000_000));
        assert_eq!(parse("+.5s"), Some(500_000_000));
        assert_eq!(parse("1µs"), Some(1_000));
        assert_eq!(parse("0"), Some(0));
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "-",
            "1",
            "s",
            ".s",
            "1.2.3s",
            "1x",
            "1 s",
            "s1",
            "9999999999h",
            "1S",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
