//! The value of `RUN --mount=`: comma-separated options, of which `from` names a stage or an image.
//!
//! The rules are those of BuildKit's `instructions/commands_runmount.go`.

use std::{borrow::Cow, ops::Range};

use super::{
    directive::parse_bool,
    expand::Lexer,
    late,
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

/// Checks the options of a mount, as far as no variable decides them.
///
/// # Errors
///
/// The first option that does not exist, or does not go with the others.
pub(super) fn check(options: &str, lexer: Lexer) -> Result<(), String> {
    let mut mount = Options::default();
    for field in fields(options)? {
        match field.text.split_once('=') {
            Some((name, value)) => {
                let value = late::expanded(value, lexer)?;
                mount.set(&name.to_lowercase(), value.as_deref())?;
            }
            None => mount.set_switch(&field.text.to_lowercase())?,
        }
    }
    mount.check()
}

/// Which options a mount has.
struct Options {
    /// The type; `None` if a variable decides it.
    kind: Option<String>,
    used: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kind: Some("bind".to_owned()),
            used: Vec::new(),
        }
    }
}

impl Options {
    fn is(&self, kinds: &[&str]) -> bool {
        let kind = self.kind.as_deref();
        kind.is_none_or(|kind| kinds.contains(&kind))
    }

    fn set_switch(&mut self, name: &str) -> Result<(), String> {
        match name {
            "ro" | "readonly" | "rw" | "readwrite" => Ok(()),
            "required" => self.check_required(),
            _ => Err(format!("option `{name}` needs a value")),
        }
    }

    /// Takes an option, with its value unless a variable decides it.
    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let known = |choices: &[&str]| {
            value.is_none_or(|value| choices.contains(&value.to_lowercase().as_str()))
        };
        let number = |base| {
            let is_digit = |c: char| c.is_digit(base);
            value.is_none_or(|v| v.chars().all(is_digit) && u32::from_str_radix(v, base).is_ok())
        };
        let valid = match name {
            "type" => {
                self.kind = value.map(str::to_lowercase);
                known(&["bind", "cache", "tmpfs", "secret", "ssh"])
            }
            "from" | "source" | "src" | "target" | "dst" | "destination" | "id" | "env" => true,
            "ro" | "readonly" | "rw" | "readwrite" => {
                value.is_none_or(|value| parse_bool(value).is_some())
            }
            "required" => {
                self.check_required()?;
                value.is_none_or(|value| parse_bool(value).is_some())
            }
            "size" if self.is(&["tmpfs"]) => value.is_none_or(is_size),
            "size" => return Err("option `size` is for `tmpfs` only".to_owned()),
            "sharing" => known(&["shared", "private", "locked"]),
            "mode" => number(8),
            "uid" | "gid" => number(10),
            _ => return Err(format!("there is no option `{name}`")),
        };
        if !valid {
            let value = value.unwrap_or_default();
            return Err(format!("option `{name}` cannot be `{value}`"));
        }
        if value != Some("") {
            self.used.push(name.to_owned());
        }
        Ok(())
    }

    fn check_required(&self) -> Result<(), String> {
        match self.is(&["secret", "ssh"]) {
            true => Ok(()),
            false => Err("option `required` is for `secret` and `ssh` only".to_owned()),
        }
    }

    fn check(&self) -> Result<(), String> {
        let uses = |names: &[&str]| self.used.iter().any(|used| names.contains(&used.as_str()));
        let kind = self.kind.as_deref().unwrap_or_default();
        let wrong = match kind {
            _ if self.kind.is_none() => None,
            "bind" | "tmpfs" if uses(&["mode", "uid", "gid"]) => {
                Some("options `mode`, `uid` and `gid` are for `cache`, `secret` and `ssh` only")
            }
            "bind" | "tmpfs" | "ssh" | "secret" if uses(&["sharing"]) => {
                Some("option `sharing` is for `cache` only")
            }
            "secret" if uses(&["from"]) => Some("a secret comes from no stage"),
            "secret" if !uses(&["source", "src", "target", "dst", "destination", "id"]) => {
                Some("a secret needs an `id`, a source or a target")
            }
            "secret" if uses(&["source", "src"]) && uses(&["id"]) => {
                Some("a secret has an `id` or a source")
            }
            _ => None,
        };
        wrong.map_or(Ok(()), |message| Err(message.to_owned()))
    }
}

/// Tells whether a text is a number of bytes, as in `512m`, `1.5GiB` or `64`.
fn is_size(text: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.rfind(is_number).map_or(0, |at| at + 1);
    let (number, unit) = text.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_lowercase();
    let unit = unit
        .strip_suffix("ib")
        .or(unit.strip_suffix('b'))
        .unwrap_or(&unit);
    number.parse::<f64>().is_ok_and(|n| n >= 0.0)
        && matches!(unit, "" | "k" | "m" | "g" | "t" | "p")
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

    /// The source of a mount, and where it begins and ends.
    fn from(line: &str) -> Result<Option<String>, String> {
        let text = Text::new(line, 0);
        let mount = read(&text, &words::split(line).flags[0]).map_err(|p| p.message)?;
        let from = mount
            .from
            .map(|from| format!("{} at {}", from.text, from.place));
        Ok(from)
    }

    #[test]
    fn the_source_of_a_mount_is_found_with_its_place() {
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
    fn a_variable_as_source_is_refused() {
        assert!(from("RUN --mount=from=$a,target=/x y").is_err());
        assert!(from("RUN --mount=from=a$,target=/x y").is_ok());
        assert!(from("RUN --mount=from=a,target=$b y").is_ok());
        assert!(from("RUN --mount= y").is_err());
    }

    fn checked(options: &str) -> Result<(), String> {
        check(options, Lexer::new('\\').unknown_variables())
    }

    #[test]
    fn options_go_with_the_type_of_the_mount() {
        for options in [
            "type=bind,from=a,source=/x,target=/y,rw",
            "target=/y,ro=false",
            "type=cache,target=/x,sharing=locked,mode=0755,uid=1,gid=1,id=a",
            "type=tmpfs,target=/x,size=1.5GiB",
            "type=secret,id=a,required,mode=0400",
            "type=secret,target=/x,env=A",
            "type=ssh,required=true",
            "type=$T,size=1,mode=1",
            "type=CACHE,target=$X,sharing=$S",
        ] {
            assert_eq!(checked(options), Ok(()), "{options}");
        }
        for options in [
            "type=foo",
            "type=bind,foo=bar",
            "type=bind,target",
            "type=bind,sharing=shared",
            "type=cache,sharing=mine",
            "type=bind,required",
            "required,type=secret,id=a",
            "type=bind,mode=0755",
            "type=cache,mode=9",
            "type=cache,uid=-1",
            "type=cache,size=1",
            "type=tmpfs,size=much",
            "type=tmpfs,size=1x",
            "type=secret",
            "type=secret,id=a,from=b",
            "type=secret,id=a,source=b",
            "ro=perhaps",
            "target='",
            "",
        ] {
            assert!(checked(options).is_err(), "{options}");
        }
    }
}
