//! Numbers and dates of a compose file as texts: docker compose reads `0755` as a number, and passes on `493`.
//!
//! The rules are those of Go's yaml.v3, and of Go's formatting.

/// Returns the text that docker compose makes of an unquoted value.
pub fn handed_on(text: &str) -> String {
    match text {
        "true" | "True" | "TRUE" => return "true".to_owned(),
        "false" | "False" | "FALSE" => return "false".to_owned(),
        _ => {}
    }
    let found = whole(text).or_else(|| float(text)).or_else(|| date(text));
    found.unwrap_or_else(|| text.to_owned())
}

fn whole(text: &str) -> Option<String> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (digits, radix) = match digits.get(..2) {
        Some("0x" | "0X") => (&digits[2..], 16),
        Some("0o" | "0O") => (&digits[2..], 8),
        Some("0b" | "0B") => (&digits[2..], 2),
        Some(two) if two.starts_with('0') => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = sign * i128::from_str_radix(digits, radix).ok()?;
    let fits = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number);
    fits.then(|| number.to_string())
}

fn float(text: &str) -> Option<String> {
    let digits = text.trim_start_matches(['-', '+']);
    let leads = digits.strip_prefix('.').unwrap_or(digits);
    let is_number = leads.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && text.len() - digits.len() <= 1;
    let number: f64 = text.parse().ok().filter(|_| is_number)?;
    if !number.is_finite() {
        return None;
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    Some(if (-4..6).contains(&exponent) || number == 0.0 {
        format!("{number}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    })
}

fn date(text: &str) -> Option<String> {
    let is_date = text.len() == 10
        && text.bytes().enumerate().all(|(n, b)| match n {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    let date: jiff::civil::Date = text.parse().ok().filter(|_| is_date)?;
    Some(format!("{date} 00:00:00 +0000 UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_numbers_are_formatted_as_by_docker_compose() {
        for (text, wanted) in [
            ("0755", "493"),
            ("1e3", "1000"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            (".5", "0.5"),
            ("yes", "yes"),
            ("12345678901234567890", "12345678901234567890"),
            ("2024-01-01", "2024-01-01 00:00:00 +0000 UTC"),
            ("0o17", "15"),
            ("-0", "0"),
            ("1.0", "1"),
            ("1.50", "1.5"),
            ("+5", "5"),
            ("089", "89"),
            ("1e30", "1e+30"),
            ("1e5", "100000"),
            ("1e6", "1e+06"),
            ("20240101.1", "2.02401011e+07"),
            ("-123456.7", "-123456.7"),
            ("0b11", "3"),
            ("True", "true"),
            ("1.20.3", "1.20.3"),
            ("0.00001", "1e-05"),
            ("1.", "1"),
            ("-", "-"),
            ("1-2", "1-2"),
            ("0", "0"),
        ] {
            assert_eq!(handed_on(text), wanted, "{text}");
        }
    }
}
