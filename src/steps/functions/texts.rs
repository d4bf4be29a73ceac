//! Functions on text.

use std::collections::HashSet;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use gotmpl::Value;
use sha2::{Digest as _, Sha256};

use super::call::{Call, CallResult, Function, fail};
use crate::steps::marks;

/// The longest text that `repeat` produces.
const LONGEST: usize = 1024 * 1024;

pub(super) const ALL: &[(&str, Function)] = &[
    ("upper", |c| changed(c, str::to_uppercase)),
    ("lower", |c| changed(c, str::to_lowercase)),
    ("title", |c| changed(c, title)),
    ("untitle", |c| {
        changed(c, |text| capitalised(text, str::to_lowercase))
    }),
    ("trim", |c| changed(c, |text| text.trim().to_owned())),
    ("trimAll", |c| {
        let set: HashSet<char> = c.text(0)?.chars().collect();
        let text = c.text(1)?;
        c.made(text.trim_matches(|one| set.contains(&one)).to_owned())
    }),
    ("trimSuffix", |c| {
        let (end, whole) = (c.text(0)?, c.text(1)?);
        c.made(whole.strip_suffix(&end).unwrap_or(&whole).to_owned())
    }),
    ("trimPrefix", |c| {
        let (begin, whole) = (c.text(0)?, c.text(1)?);
        c.made(whole.strip_prefix(&begin).unwrap_or(&whole).to_owned())
    }),
    ("nospace", |c| {
        changed(c, |text| text.split_whitespace().collect())
    }),
    ("trunc", |c| c.made(trunc(c.whole(0)?, &c.text(1)?))),
    ("substr", |c| {
        c.made(substr(c.whole(0)?, c.whole(1)?, &c.text(2)?))
    }),
    ("abbrev", |c| c.made(abbrev(c.whole(0)?, &c.text(1)?))),
    ("repeat", |c| {
        let (times, what) = (usize::try_from(c.whole(0)?).unwrap_or(0), c.text(1)?);
        match times.checked_mul(what.len()) {
            Some(length) if length <= LONGEST => c.made(what.repeat(times)),
            _ => fail("`repeat` makes more than 1 MiB"),
        }
    }),
    ("replace", |c| {
        let (from, to, text) = (c.text(0)?, c.text(1)?, c.text(2)?);
        let count = text.matches(&from).count();
        c.check(text.len().saturating_add(count.saturating_mul(to.len())))?;
        c.made(text.replace(&from, &to))
    }),
    ("quote", |c| each_quoted(c, |one| format!("{one:?}"), '"')),
    ("squote", |c| each_quoted(c, |one| format!("'{one}'"), '\'')),
    ("contains", |c| {
        Ok(Value::Bool(c.text(1)?.contains(&c.text(0)?)))
    }),
    ("hasPrefix", |c| {
        Ok(Value::Bool(c.text(1)?.starts_with(&c.text(0)?)))
    }),
    ("hasSuffix", |c| {
        Ok(Value::Bool(c.text(1)?.ends_with(&c.text(0)?)))
    }),
    ("cat", |c| {
        let mut out = String::new();
        for value in c.args {
            let word = c.marked(value)?;
            c.check(out.len() + word.len() + 1)?;
            if !out.is_empty() && !word.is_empty() {
                out.push(' ');
            }
            out.push_str(&word);
        }
        c.made_marked(out)
    }),
    ("indent", |c| c.made_marked(indent(c)?)),
    ("nindent", |c| c.made_marked(format!("\n{}", indent(c)?))),
    ("plural", |c| match c.whole(2)? {
        1 => c.made_marked(c.marked(c.value(0))?),
        _ => c.made_marked(c.marked(c.value(1))?),
    }),
    ("snakecase", |c| {
        renamed(c, |words| words.join("_").to_lowercase())
    }),
    ("kebabcase", |c| {
        renamed(c, |words| words.join("-").to_lowercase())
    }),
    ("camelcase", |c| {
        renamed(c, |words| {
            let words = words.iter().map(|word| title(&word.to_lowercase()));
            words.collect()
        })
    }),
    ("swapcase", |c| {
        changed(c, |text| {
            let swapped = text.chars().map(|one| match one.is_lowercase() {
                true => one.to_uppercase().collect::<String>(),
                false => one.to_lowercase().collect(),
            });
            swapped.collect()
        })
    }),
    ("wrap", |c| wrapped(c, "\n", false)),
    ("wrapWith", |c| wrapped(c, &c.text(1)?, true)),
    ("base", |c| {
        changed(c, |text| {
            let name = text.trim_end_matches('/').rsplit('/').next();
            let empty = if text.is_empty() { "." } else { "/" };
            name.filter(|it| !it.is_empty()).unwrap_or(empty).to_owned()
        })
    }),
    ("dir", |c| {
        changed(c, |text| {
            clean(text.rfind('/').map_or("", |end| &text[..=end]))
        })
    }),
    ("clean", |c| changed(c, clean)),
    ("ext", |c| {
        changed(c, |text| {
            let name = text.rsplit('/').next().unwrap_or_default();
            name.rfind('.').map_or("", |at| &name[at..]).to_owned()
        })
    }),
    ("isAbs", |c| Ok(Value::Bool(c.text(0)?.starts_with('/')))),
    ("typeOf", |c| c.made(type_of(c.value(0)).to_owned())),
    ("kindOf", |c| c.made(kind_of(c.value(0)).to_owned())),
    ("typeIs", |c| {
        Ok(Value::Bool(c.text(0)? == type_of(c.value(1))))
    }),
    ("kindIs", |c| {
        Ok(Value::Bool(c.text(0)? == kind_of(c.value(1))))
    }),
    ("b32enc", |c| changed(c, base32)),
    ("initials", |c| {
        changed(c, |text| {
            let words = text.split_whitespace();
            words.filter_map(|word| word.chars().next()).collect()
        })
    }),
    ("toString", |c| {
        let last = c.args.last().unwrap_or(&Value::Nil);
        c.made_marked(c.marked(last)?)
    }),
    ("b64enc", |c| {
        changed(c, |text| BASE64_STANDARD.encode(text))
    }),
    ("b64dec", |c| {
        let decoded = BASE64_STANDARD.decode(c.last_text()?.trim()).ok();
        match decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(decoded) => c.made(decoded),
            None => fail("`b64dec` takes base64 of text"),
        }
    }),
    ("sha256sum", |c| {
        changed(c, |text| hex::encode(Sha256::digest(text)))
    }),
    ("date", date),
    ("default", |c| {
        let given = c.args.get(1).filter(|given| given.is_truthy());
        Ok(given.unwrap_or_else(|| c.value(0)).clone())
    }),
    ("empty", |c| Ok(Value::Bool(!c.value(0).is_truthy()))),
    ("coalesce", |c| {
        let first = c.args.iter().find(|one| one.is_truthy());
        Ok(first.cloned().unwrap_or(Value::Nil))
    }),
    ("ternary", |c| {
        Ok(c.value(usize::from(!c.value(2).is_truthy())).clone())
    }),
    ("fail", |c| {
        let last = c.args.last().unwrap_or(&Value::Nil);
        fail(c.marked(last)?)
    }),
    ("all", |c| {
        Ok(Value::Bool(c.args.iter().all(Value::is_truthy)))
    }),
    ("any", |c| {
        Ok(Value::Bool(c.args.iter().any(Value::is_truthy)))
    }),
    ("deepCopy", |c| Ok(c.value(0).clone())),
    ("required", |c| match c.args.get(1) {
        _ if c.args.len() < 2 => {
            fail("`required` takes a message and a value: required \"name it\" .Values.x")
        }
        Some(given) if !matches!(given, Value::Nil) && given.as_str() != Some("") => {
            Ok(given.clone())
        }
        _ => fail(c.marked(c.value(0))?),
    }),
];

/// Returns the last argument, changed. No change turns one byte into more than six.
fn changed(call: &Call<'_>, change: impl Fn(&str) -> String) -> CallResult {
    let text = call.last_text()?;
    call.check(text.len().saturating_mul(6))?;
    call.made(change(&text))
}

/// Returns the last argument, split into words and joined again in another style.
fn renamed(call: &Call<'_>, join: fn(&[String]) -> String) -> CallResult {
    let text = call.last_text()?;
    // Each character can be a word.
    call.check(text.len().saturating_mul(2 * size_of::<String>()))?;
    call.made(join(&parts(&text)))
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

/// Wraps the last argument at spaces, as Sprig does: a longer word stays whole, or `is_cut`.
fn wrapped(call: &Call<'_>, newline: &str, is_cut: bool) -> CallResult {
    let width = usize::try_from(call.whole(0)?).unwrap_or(0).max(1);
    let text: Vec<char> = call.last_text()?.chars().collect();
    // In the worst case each character gets a line.
    call.check(text.len().saturating_mul(size_of::<char>() + newline.len()))?;
    let mut out = String::new();
    let mut at = 0;
    while text.len() - at > width {
        if text[at] == ' ' {
            at += 1;
            continue;
        }
        let space = text[at..=at + width].iter().rposition(|one| *one == ' ');
        let (end, next) = match space {
            Some(space) => (at + space, at + space + 1),
            None if is_cut => (at + width, at + width),
            None => match text[at + width..].iter().position(|one| *one == ' ') {
                Some(space) => (at + width + space, at + width + space + 1),
                None => break,
            },
        };
        out.extend(&text[at..end]);
        out.push_str(newline);
        at = next;
    }
    out.extend(&text[at..]);
    call.made(out)
}

/// Returns the shortest path that means the same, as Go's `path.Clean`.
fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

/// Returns the name of a value's kind in Go.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Function(_) => "func",
    }
}

/// Returns the name of a value's type in Go.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
        other => kind_of(other),
    }
}

/// Encodes a text in base32, with padding.
fn base32(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for bytes in text.as_bytes().chunks(5) {
        let mut group = [0; 8];
        group[3..3 + bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_be_bytes(group);
        let digits = (bytes.len() * 8).div_ceil(5);
        for n in 0..8 {
            let digit = usize::try_from(bits >> (35 - 5 * n) & 31).unwrap_or(0);
            out.push(if n < digits {
                char::from(ALPHABET[digit])
            } else {
                '='
            });
        }
    }
    out
}

/// Keeps the first characters, or for a negative count the last ones.
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

/// Quotes each argument that is not nil. A secret stays marked.
fn each_quoted(call: &Call<'_>, quote: fn(&str) -> String, sign: char) -> CallResult {
    let mut out = String::new();
    for value in call.args {
        if matches!(value, Value::Nil) {
            continue;
        }
        let marked = call.marked(value)?;
        let text = marks::without(&marked);
        // A character becomes at most `\u{10ffff}`.
        call.check(out.len() + 10 * text.len() + 8)?;
        if !out.is_empty() {
            out.push(' ');
        }
        let quoted = quote(&text);
        let inside = quoted.strip_prefix(sign).and_then(|q| q.strip_suffix(sign));
        match inside {
            Some(inside) if marks::has_marks(&marked) => {
                out.extend([
                    &*sign.to_string(),
                    &marks::around(inside),
                    &*sign.to_string(),
                ]);
            }
            _ => out.push_str(&quoted),
        }
    }
    call.made_marked(out)
}

fn indent(call: &Call<'_>) -> Result<String, gotmpl::TemplateError> {
    let by = usize::try_from(call.whole(0)?).unwrap_or(0);
    if by > 1000 {
        return fail("`indent` takes up to 1000");
    }
    let text = call.marked(call.value(1))?;
    let lines = text.matches('\n').count() + 1;
    call.check(text.len() + lines * by)?;
    let pad = " ".repeat(by);
    Ok(pad.clone() + &text.replace('\n', &format!("\n{pad}")))
}

/// Splits a name at characters that are no letters or digits, and before each capital.
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

/// Formats the run's date, `yyyyMMdd-HHmmssz`, by one of Go's layouts.
fn date(call: &Call<'_>) -> CallResult {
    let (layout, time) = (call.text(0)?, call.text(1)?);
    if layout.len() > 1000 {
        return fail("`date` takes a layout of up to 1000 bytes");
    }
    let Ok(time) = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%Sz", &time) else {
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
    call.made(time.strftime(&form).to_string())
}
