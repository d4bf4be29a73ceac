//! Functions on text.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use gotmpl::Value;
use regex::Regex;
use sha2::{Digest as _, Sha256};

use super::{Answer, Function, arg, fail, last_text, shown, text, whole};

/// The longest text that `repeat` and `indent` make of one line.
const LONGEST: usize = 1024 * 1024;

pub(super) const ALL: &[(&str, Function)] = &[
    ("upper", |a| ok(last_text(a).to_uppercase())),
    ("lower", |a| ok(last_text(a).to_lowercase())),
    ("title", |a| ok(title(&last_text(a)))),
    ("untitle", |a| {
        ok(capitalised(&last_text(a), str::to_lowercase))
    }),
    ("trim", |a| ok(last_text(a).trim().to_owned())),
    ("trimAll", |a| {
        let set = text(a, 0);
        ok(text(a, 1).trim_matches(|c| set.contains(c)).to_owned())
    }),
    ("trimSuffix", |a| {
        let (end, whole) = (text(a, 0), text(a, 1));
        ok(whole.strip_suffix(&end).unwrap_or(&whole).to_owned())
    }),
    ("trimPrefix", |a| {
        let (begin, whole) = (text(a, 0), text(a, 1));
        ok(whole.strip_prefix(&begin).unwrap_or(&whole).to_owned())
    }),
    ("nospace", |a| ok(last_text(a).split_whitespace().collect())),
    ("trunc", |a| ok(trunc(whole(a, 0), &text(a, 1)))),
    ("substr", |a| {
        ok(substr(whole(a, 0), whole(a, 1), &text(a, 2)))
    }),
    ("abbrev", |a| ok(abbrev(whole(a, 0), &text(a, 1)))),
    ("repeat", |a| {
        let (times, what) = (usize::try_from(whole(a, 0)).unwrap_or(0), text(a, 1));
        match times.checked_mul(what.len()) {
            Some(length) if length <= LONGEST => ok(what.repeat(times)),
            _ => fail("`repeat` makes more than 1 MiB"),
        }
    }),
    ("replace", |a| {
        ok(text(a, 2).replace(&text(a, 0), &text(a, 1)))
    }),
    ("quote", |a| ok(each_quoted(a, |one| format!("{one:?}")))),
    ("squote", |a| ok(each_quoted(a, |one| format!("'{one}'")))),
    ("contains", |a| {
        Ok(Value::Bool(text(a, 1).contains(&text(a, 0))))
    }),
    ("hasPrefix", |a| {
        Ok(Value::Bool(text(a, 1).starts_with(&text(a, 0))))
    }),
    ("hasSuffix", |a| {
        Ok(Value::Bool(text(a, 1).ends_with(&text(a, 0))))
    }),
    ("cat", |a| {
        let words = a.iter().map(shown).filter(|one| !one.is_empty());
        ok(words.collect::<Vec<_>>().join(" "))
    }),
    ("indent", |a| {
        indent(whole(a, 0), &text(a, 1)).map(|one| text_value(&one))
    }),
    ("nindent", |a| {
        indent(whole(a, 0), &text(a, 1)).map(|one| text_value(&format!("\n{one}")))
    }),
    ("plural", |a| {
        ok(if whole(a, 2) == 1 {
            text(a, 0)
        } else {
            text(a, 1)
        })
    }),
    ("snakecase", |a| {
        ok(parts(&last_text(a)).join("_").to_lowercase())
    }),
    ("kebabcase", |a| {
        ok(parts(&last_text(a)).join("-").to_lowercase())
    }),
    ("camelcase", |a| {
        let words = parts(&last_text(a));
        ok(words
            .iter()
            .map(|word| title(&word.to_lowercase()))
            .collect())
    }),
    ("initials", |a| {
        let all = last_text(a);
        ok(all
            .split_whitespace()
            .filter_map(|word| word.chars().next())
            .collect())
    }),
    ("toString", |a| ok(last_text(a))),
    ("b64enc", |a| ok(BASE64_STANDARD.encode(last_text(a)))),
    ("b64dec", |a| {
        let decoded = BASE64_STANDARD.decode(last_text(a).trim()).ok();
        match decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(decoded) => ok(decoded),
            None => fail("`b64dec` takes base64 of text"),
        }
    }),
    ("sha256sum", |a| {
        let hash = Sha256::digest(last_text(a));
        ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }),
    ("regexMatch", |a| {
        Ok(Value::Bool(regex(a)?.is_match(&text(a, 1))))
    }),
    ("regexFind", |a| {
        let all = text(a, 1);
        let found = regex(a)?
            .find(&all)
            .map_or("", |found| found.as_str())
            .to_owned();
        ok(found)
    }),
    ("regexReplaceAll", |a| {
        // `$1x` would be the group `1x` to the crate, as it is to Go.
        ok(regex(a)?
            .replace_all(&text(a, 1), text(a, 2).as_str())
            .into_owned())
    }),
    ("regexReplaceAllLiteral", |a| {
        let with = text(a, 2);
        ok(regex(a)?
            .replace_all(&text(a, 1), regex::NoExpand(&with))
            .into_owned())
    }),
    ("date", |a| date(&text(a, 0), &text(a, 1))),
    ("default", |a| {
        let given = a.get(1).filter(|given| given.is_truthy());
        Ok(given.unwrap_or_else(|| arg(a, 0)).clone())
    }),
    ("empty", |a| Ok(Value::Bool(!arg(a, 0).is_truthy()))),
    ("coalesce", |a| {
        let first = a.iter().find(|one| one.is_truthy());
        Ok(first.cloned().unwrap_or(Value::Nil))
    }),
    ("ternary", |a| {
        Ok(arg(a, usize::from(!arg(a, 2).is_truthy())).clone())
    }),
    ("fail", |a| fail(last_text(a))),
    ("required", |a| match a.get(1) {
        Some(given) if !matches!(given, Value::Nil) && !shown(given).is_empty() => {
            Ok(given.clone())
        }
        _ => fail(text(a, 0)),
    }),
];

pub(super) fn text_value(text: &str) -> Value {
    Value::String(text.into())
}

fn ok(text: String) -> Answer {
    Ok(Value::String(text.into()))
}

fn capitalised(text: &str, change: fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let end = word.chars().next().map_or(0, char::len_utf8);
        out.push_str(&change(&word[..end]));
        out.push_str(&word[end..]);
    }
    out
}

fn title(text: &str) -> String {
    capitalised(text, str::to_uppercase)
}

/// Keeps the first characters, or for a negative number the last.
fn trunc(count: i64, text: &str) -> String {
    let length = text.chars().count();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return text.chars().skip(length.saturating_sub(wanted)).collect();
    }
    text.chars().take(wanted).collect()
}

fn substr(start: i64, end: i64, text: &str) -> String {
    let from = usize::try_from(start).unwrap_or(0);
    let to = usize::try_from(end).unwrap_or(usize::MAX);
    text.chars().take(to).skip(from).collect()
}

fn abbrev(width: i64, text: &str) -> String {
    let width = usize::try_from(width).unwrap_or(0);
    if width < 4 || text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 3).chain("...".chars()).collect()
}

fn each_quoted(args: &[Value], quote: fn(String) -> String) -> String {
    let given = args.iter().filter(|one| !matches!(one, Value::Nil));
    given
        .map(|one| quote(shown(one)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn indent(by: i64, text: &str) -> Result<String, gotmpl::TemplateError> {
    let by = usize::try_from(by).unwrap_or(0);
    if by > 1000 {
        return fail("`indent` takes up to 1000");
    }
    let pad = " ".repeat(by);
    Ok(pad.clone() + &text.replace('\n', &format!("\n{pad}")))
}

/// Splits a name at what is no letter or digit, and before each capital.
fn parts(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut new = true;
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() {
            new = true;
            was_lower = false;
            continue;
        }
        if new || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
        new = false;
        was_lower = !c.is_uppercase();
    }
    words
}

fn regex(args: &[Value]) -> Result<Regex, gotmpl::TemplateError> {
    let pattern = text(args, 0);
    match Regex::new(&pattern) {
        Ok(regex) => Ok(regex),
        Err(_) => fail(format!("`{pattern}` is no regular expression")),
    }
}

/// Prints the time of a run, `yyyyMMdd-HHmmssz`, by one of Go's layouts.
fn date(layout: &str, time: &str) -> Answer {
    let Ok(time) = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%Sz", time) else {
        return fail("`date` takes the time of the run: now | date \"2006-01-02\"");
    };
    let mut form = layout.replace('%', "%%");
    for (go, ours) in [
        ("2006", "%Y"),
        ("January", "%B"),
        ("Jan", "%b"),
        ("Monday", "%A"),
        ("Mon", "%a"),
        ("MST", "UTC"),
        ("Z07:00", "Z"),
        ("-0700", "+0000"),
        ("01", "%m"),
        ("02", "%d"),
        ("15", "%H"),
        ("03", "%I"),
        ("04", "%M"),
        ("05", "%S"),
        ("06", "%y"),
        ("PM", "%p"),
    ] {
        form = form.replace(go, ours);
    }
    ok(time.strftime(&form).to_string())
}
