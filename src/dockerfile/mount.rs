//! The value of `RUN --mount=`: comma-separated options, of which `from` names a stage or an image.
//!
//! The rules are those of BuildKit's `instructions/commands_runmount.go`.

use std::{borrow::Cow, ops::Range};

use super::{
    problem::Problem,
    text::{Text, Token},
    words::Flag,
};

/// What a mount takes its files from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The value of `from`; without one it is the build context, or nothing.
    pub from: Option<Token>,
    /// The whole value of the flag.
    pub options: Token,
}

/// Reads the value of a `--mount` flag as far as it can be read before variables are known.
///
/// # Errors
///
/// A value that is not comma-separated, or a `from` that holds a variable.
pub(super) fn read(line: &Text<'_>, flag: &Flag) -> Result<Mount, Problem> {
    let at = flag.offset(line);
    let value = flag.parts().1.unwrap_or_default();
    let start = flag.text.len() - value.len();
    let fields = fields(value).map_err(|message| Problem::syntax(value, message).at(at))?;
    let mut from = None;
    for field in &fields {
        let Some((name, value)) = field.text.split_once('=') else {
            continue;
        };
        if !name.eq_ignore_ascii_case("from") {
            continue;
        }
        let end = start + field.range.end;
        from = (!value.is_empty()).then(|| flag.token(line, end.saturating_sub(value.len())..end));
        if value.find('$').is_some_and(|at| at + 1 < value.len()) {
            let message = "`from` of a mount must not hold a variable; name a stage instead";
            return Err(Problem::dependency(value, message).at(at));
        }
    }
    Ok(Mount {
        from,
        options: flag.token(line, start..flag.text.len()),
    })
}

/// A field of a comma-separated line, and its bytes without the quotes round it.
pub(super) struct Field<'t> {
    pub text: Cow<'t, str>,
    pub range: Range<usize>,
}

/// Splits a line at commas, as Go's `encoding/csv` does: a field may stand in double quotes.
///
/// # Errors
///
/// An empty line, or a quote where none may be.
pub(super) fn fields(line: &str) -> Result<Vec<Field<'_>>, &'static str> {
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
        let text = match doubled {
            true => Cow::Owned(text.replace("\"\"", "\"")),
            false => Cow::Borrowed(text),
        };
        fields.push(Field { text, range });
        match line.as_bytes().get(behind) {
            None => return Ok(fields),
            Some(b',') => at = behind + 1,
            Some(_) => return Err("a closing quote must end an option"),
        }
    }
}

/// Returns how many bytes stand before the closing quote, and whether doubled quotes are among them.
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
    use super::super::words;
    use super::*;

    fn texts(line: &str) -> Result<Vec<String>, &'static str> {
        let fields = fields(line)?.into_iter();
        Ok(fields.map(|field| field.text.into_owned()).collect())
    }

    #[test]
    fn fields_are_split_at_commas_outside_quotes() {
        assert_eq!(texts("a,b=c,").unwrap(), ["a", "b=c", ""]);
        assert_eq!(texts("\"a,b\",c").unwrap(), ["a,b", "c"]);
        assert_eq!(texts("\"a\"\"b\"").unwrap(), ["a\"b"]);
        assert_eq!(texts("\"a\",").unwrap(), ["a", ""]);
        assert_eq!(texts("\"\"").unwrap(), [""]);
    }

    #[test]
    fn misplaced_quotes_are_refused() {
        for line in ["", "a\"b", "\"a", "\"a\"b", "a,\"b\"\"", "a, \"b\""] {
            assert!(texts(line).is_err(), "{line}");
        }
    }

    fn from(line: &str) -> Result<Option<(String, Vec<Range<usize>>)>, String> {
        let text = Text::new(line, 0);
        let mount = read(&text, &words::split(line).flags[0]).map_err(|p| p.message)?;
        Ok(mount
            .from
            .map(|from| (from.text, from.place.ranges().to_vec())))
    }

    #[test]
    fn the_source_of_a_mount_is_found_with_its_place() {
        let found = |text: &str, ranges: &[Range<usize>]| Ok(Some((text.into(), ranges.to_vec())));
        assert_eq!(
            from("RUN --mount=from=go:1,target=/x y"),
            found("go:1", &[17..21])
        );
        assert_eq!(
            from("RUN --mount=type=bind,FROM=a y"),
            found("a", &[27..28])
        );
        assert_eq!(from("RUN --mount=from=a,from=b y"), found("b", &[24..25]));
        assert_eq!(
            from("RUN --mount=\"from=a,x=y z\" y"),
            found("a", &[18..19])
        );
        assert_eq!(
            from("RUN --mount='\"from=a\",x=y' y"),
            found("a", &[19..20])
        );
        assert_eq!(from("RUN --mount=from=a,from= y"), Ok(None));
        assert_eq!(from("RUN --mount=type=cache,target=/x y"), Ok(None));
        assert_eq!(from("RUN --mount=from y"), Ok(None));
    }

    #[test]
    fn a_variable_as_source_is_refused() {
        assert!(from("RUN --mount=from=$a,target=/x y").is_err());
        assert!(from("RUN --mount=from=a$,target=/x y").is_ok());
        assert!(from("RUN --mount=from=a,target=$b y").is_ok());
        assert!(from("RUN --mount= y").is_err());
    }
}
