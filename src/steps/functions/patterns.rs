//! Functions with regular expressions.

use gotmpl::{TemplateError, Value};
use regex::{Captures, Regex, RegexBuilder};

use super::call::{Call, CallResult, Function, fail};
use crate::steps::budget::BYTES_OF_ITEM;

pub(super) const ALL: &[(&str, Function)] = &[
    ("regexMatch", |c| {
        let text = c.text(1)?;
        Ok(Value::Bool(regex(c, &text)?.is_match(&text)))
    }),
    ("regexFind", |c| {
        let text = c.text(1)?;
        let regex = regex(c, &text)?;
        let found = regex.find(&text).map_or("", |found| found.as_str());
        c.made(found.to_owned())
    }),
    ("regexReplaceAll", |c| {
        // `$1x` is the group `1x` both in the crate and in Go.
        let with = c.text(2)?;
        let groups = with.matches('$').count();
        replaced(c, &|found, out| {
            let whole = found.get(0).map_or(0, |whole| whole.len());
            c.check(out.len() + with.len() + groups * whole)?;
            found.expand(&with, out);
            Ok(())
        })
    }),
    ("regexFindAll", |c| {
        let text = c.text(1)?;
        let regex = regex(c, &text)?;
        let most = usize::try_from(c.whole(2)?).unwrap_or(usize::MAX);
        let found = regex.find_iter(&text).take(most);
        let mut all = Vec::new();
        let mut bytes = 0;
        for one in found {
            bytes += one.len() + BYTES_OF_ITEM;
            c.check(bytes)?;
            all.push(one.as_str().to_owned());
        }
        c.texts(all)
    }),
    ("regexSplit", split),
    ("regexQuoteMeta", |c| {
        let text = c.text(0)?;
        c.check(2 * text.len())?;
        let mut out = String::with_capacity(text.len());
        for one in text.chars() {
            if r"\.+*?()|[]{}^$".contains(one) {
                out.push('\\');
            }
            out.push(one);
        }
        c.made(out)
    }),
    ("regexReplaceAllLiteral", |c| {
        let with = c.text(2)?;
        replaced(c, &|_, out| {
            c.check(out.len() + with.len())?;
            out.push_str(&with);
            Ok(())
        })
    }),
];

/// Splits the second argument at the matches into at most as many parts as the third says, as Go does.
fn split(call: &Call<'_>) -> CallResult {
    let text = call.text(1)?;
    let regex = regex(call, &text)?;
    let most = usize::try_from(call.whole(2)?).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let (mut at, mut end) = (0, 0);
    if most == 0 {
        return call.list(Vec::new());
    }
    for found in regex.find_iter(&text) {
        if parts.len() == most - 1 {
            break;
        }
        end = found.start();
        // An empty match at the beginning separates nothing.
        if found.end() > 0 {
            call.check(text.len() + (parts.len() + 1) * BYTES_OF_ITEM)?;
            parts.push(text[at..end].to_owned());
        }
        at = found.end();
    }
    if end != text.len() || text.is_empty() {
        parts.push(text[at..].to_owned());
    }
    call.texts(parts)
}

/// Replaces the matches in the second argument by the texts that `write` writes.
fn replaced(
    call: &Call<'_>,
    write: &dyn Fn(&Captures<'_>, &mut String) -> Result<(), TemplateError>,
) -> CallResult {
    let text = call.text(1)?;
    let regex = regex(call, &text)?;
    let (mut out, mut at) = (String::new(), 0);
    for found in regex.captures_iter(&text) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[at..whole.start()]);
        write(&found, &mut out)?;
        at = whole.end();
    }
    out.push_str(&text[at..]);
    call.made(out)
}

/// Returns the first argument as a regular expression to be searched for in `text`, and charges the search.
///
/// In the worst case a search takes time proportional to the pattern's size times the text's length, so their product is
/// limited. The crate reveals the size of a pattern only by refusing it at a size limit, so several limits are tried.
fn regex(call: &Call<'_>, text: &str) -> Result<Regex, TemplateError> {
    /// Size limits to try, in the bytes that the crate counts.
    const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
    /// The largest product of size and length, in bytes: at worst about a sixth of a second.
    const MAX_WORK: usize = 1 << 30;
    /// How much of that product costs one step.
    const WORK_OF_STEP: usize = 1 << 13;
    const LONGEST: usize = 4096;
    let pattern = call.text(0)?;
    if pattern.len() > LONGEST {
        return fail(format!(
            "a regular expression is longer than {LONGEST} bytes"
        ));
    }
    for size in SIZES {
        let built = RegexBuilder::new(&pattern)
            .size_limit(size)
            .dfa_size_limit(size)
            .nest_limit(50)
            .build();
        call.budget.pay_steps(400 * size / SIZES[0])?;
        match built {
            Ok(regex) => {
                let work = size.saturating_mul(text.len());
                if work > MAX_WORK {
                    return fail("a regular expression is too large for so long a text");
                }
                call.budget.pay_steps(work / WORK_OF_STEP)?;
                return Ok(regex);
            }
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => {
                let shown = call.marked(call.value(0))?;
                return fail(format!("`{shown}` is not a regular expression"));
            }
        }
    }
    fail("a regular expression is larger than 1 MiB")
}
