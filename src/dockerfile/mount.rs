//! The value of `RUN --mount=`: comma-separated options, of which `from` names a stage or an image.
//!
//! The rules are those of BuildKit's `instructions/commands_runmount.go`.

use std::{borrow::Cow, ops::Range};

use super::{
    problem::Problem,
    text::{LogicalLine, SourceToken},
    tokenize::Flag,
};

/// The source of a mount's files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MountSource {
    /// The value of `from`. Without one, the mount is a cache that starts empty, unless a stage is called `scratch`.
    pub from: Option<SourceToken>,
    /// The whole value of the flag.
    pub options: SourceToken,
}

/// Reads the value of a `--mount` flag. `None` for a mount type that takes no files, whatever its `from` says: a
/// builder pulls no image for it.
///
/// # Errors
///
/// A value that may hold a `from` and is not comma-separated, or a `from` that holds a variable.
pub(super) fn read(line: &LogicalLine<'_>, flag: &Flag) -> Result<Option<MountSource>, Problem> {
    let at = flag.offset(line);
    let value = flag.parts().1.unwrap_or_default();
    let start = flag.text.len() - value.len();
    let fields = match fields(value) {
        Ok(fields) => fields,
        Err(_) if !value.to_lowercase().contains("from") => return Ok(None),
        Err(message) => return Err(Problem::syntax(value, message).at(at)),
    };
    let options = fields.iter().filter_map(|field| {
        let (name, value) = field.text.split_once('=')?;
        Some((name, value, field))
    });
    let named = |wanted: &'static str| {
        let options = options.clone();
        options.filter(move |(name, ..)| name.eq_ignore_ascii_case(wanted))
    };
    let kind = named("type")
        .next_back()
        .map(|(_, value, _)| value.to_lowercase());
    if matches!(kind.as_deref(), Some("tmpfs" | "secret" | "ssh")) {
        return Ok(None);
    }
    let has_variable = |value: &str| value.find('$').is_some_and(|at| at + 1 < value.len());
    if let Some((_, value, _)) = named("from").find(|(_, value, _)| has_variable(value)) {
        let message = "`from` of a mount must not hold a variable; name a stage instead";
        return Err(Problem::dependency(value, message).at(at));
    }
    let from = named("from")
        .next_back()
        .filter(|(_, value, _)| !value.is_empty());
    let from = from.map(|(_, value, field)| {
        let end = start + field.range.end;
        flag.token(line, end.saturating_sub(value.len())..end)
    });
    let may_be_cache = kind.is_some_and(|kind| kind == "cache" || kind.contains('$'));
    if from.is_none() && !may_be_cache {
        return Ok(None);
    }
    Ok(Some(MountSource {
        from,
        options: flag.token(line, start..flag.text.len()),
    }))
}

/// A field of a comma-separated line, and its bytes without the quotes round it.
struct MountField<'t> {
    text: Cow<'t, str>,
    range: Range<usize>,
}

/// Splits a line at commas, as Go's `encoding/csv` does: a field may stand in double quotes.
///
/// # Errors
///
/// An empty line, or a misplaced quote.
fn fields(line: &str) -> Result<Vec<MountField<'_>>, &'static str> {
    if line.is_empty() {
        return Err("the flag needs a value");
    }
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let (range, doubled) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (length, doubled) = closing_quote(quoted)?;
                (at + 1..at + 1 + length, doubled)
            }
            None => {
                let length = rest.find(',').unwrap_or(rest.len());
                if rest.get(..length).is_some_and(|field| field.contains('"')) {
                    return Err("a quote must stand at the start of an option");
                }
                (at..at + length, false)
            }
        };
        let behind = range.end + usize::from(rest.starts_with('"'));
        let text = line.get(range.clone()).unwrap_or_default();
        let text = if doubled {
            Cow::Owned(text.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(text)
        };
        fields.push(MountField { text, range });
        match line.as_bytes().get(behind) {
            None => return Ok(fields),
            Some(b',') => at = behind + 1,
            Some(_) => return Err("a closing quote must end an option"),
        }
    }
}

/// Returns how many bytes precede the closing quote, and whether doubled quotes are among them.
fn closing_quote(text: &str) -> Result<(usize, bool), &'static str> {
    let mut bytes = text.bytes().enumerate().peekable();
    let mut doubled = false;
    while let Some((at, byte)) = bytes.next() {
        if byte == b'"' && bytes.next_if(|(_, next)| *next == b'"').is_none() {
            return Ok((at, doubled));
        }
        doubled |= byte == b'"';
    }
    Err("the closing quote of an option is missing")
}

#[cfg(test)]
mod tests {
    use super::super::tokenize;
    use super::*;

    fn texts(line: &str) -> Result<Vec<String>, &'static str> {
        let fields = fields(line)?.into_iter();
        Ok(fields.map(|field| field.text.into_owned()).collect())
    }

    #[test]
    fn mount_fields_are_split_at_commas_outside_quotes() {
        assert_eq!(texts("a,b=c,").unwrap(), ["a", "b=c", ""]);
        assert_eq!(texts("\"a,b\",c").unwrap(), ["a,b", "c"]);
        assert_eq!(texts("\"a\"\"b\"").unwrap(), ["a\"b"]);
        assert_eq!(texts("\"a\",").unwrap(), ["a", ""]);
        assert_eq!(texts("\"\"").unwrap(), [""]);
    }

    #[test]
    fn mount_with_misplaced_quotes_is_refused() {
        for line in ["", "a\"b", "\"a", "\"a\"b", "a,\"b\"\"", "a, \"b\""] {
            assert!(texts(line).is_err(), "{line}");
        }
    }

    /// The source of a mount, and where it begins and ends.
    fn from(line: &str) -> Result<Option<String>, String> {
        let text = LogicalLine::new(line, 0);
        let mount = read(&text, &tokenize::split(line).flags[0]).map_err(|p| p.message)?;
        let from = mount.and_then(|mount| mount.from);
        Ok(from.map(|from| format!("{} at {}", from.text, from.place)))
    }

    #[test]
    fn mount_source_is_found_with_its_position() {
        for (line, found) in [
            ("RUN --mount=from=go:1,target=/x y", "go:1 at 17..21"),
            ("RUN --mount=type=bind,FROM=a y", "a at 27..28"),
            ("RUN --mount=from=a,from=b y", "b at 24..25"),
            ("RUN --mount=\"from=a,x=y z\" y", "a at 18..19"),
            ("RUN --mount='\"from=a\",x=y' y", "a at 19..20"),
            ("RUN --mount=from=a\"b\"c y", "abc at 17..18 19..20 21..22"),
        ] {
            assert_eq!(from(line), Ok(Some(found.to_owned())), "{line}");
        }
        assert_eq!(from("RUN --mount=from=a,from= y"), Ok(None));
        assert_eq!(from("RUN --mount=type=cache,target=/x y"), Ok(None));
        assert_eq!(from("RUN --mount=from y"), Ok(None));
    }

    #[test]
    fn mount_source_with_a_variable_is_refused() {
        assert!(from("RUN --mount=from=$a,target=/x y").is_err());
        assert!(from("RUN --mount=from=a$,target=/x y").is_ok());
        assert!(from("RUN --mount=from=a,target=$b y").is_ok());
    }

    #[test]
    fn mount_types_without_files_have_no_source() {
        for kind in ["tmpfs", "secret", "SSH"] {
            let line = format!("RUN --mount=type={kind},from=go:1,target=/x y");
            let text = LogicalLine::new(&line, 0);
            let mount = read(&text, &tokenize::split(&line).flags[0]);
            assert_eq!(mount, Ok(None), "{kind}");
        }
        for kind in ["bind", "cache", "$T", "newer", "tmpfs,type=bind"] {
            let found = from(&format!("RUN --mount=type={kind},from=a y"));
            assert!(matches!(found, Ok(Some(_))), "{kind}");
        }
    }

    #[test]
    fn unsplittable_mount_is_passed_on_unless_it_may_name_an_image() {
        assert_eq!(from("RUN --mount= y"), Ok(None));
        assert_eq!(from("RUN --mount=a\\\"b,target=/x y"), Ok(None));
        assert!(from("RUN --mount=a\\\"b,From=c y").is_err());
    }
}
