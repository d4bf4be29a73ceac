//! Parser directives: the `# name=value` comments at the very top of a file.
//!
//! The rules are those of BuildKit's `parser/directives.go`: one directive a line, each name once, and the first line
//! that is none ends them, be it another comment or a blank line.

use super::{
    problem::Problem,
    text::{Text, Token},
};

/// The directives seen so far, and what they set.
pub(super) struct Directives {
    /// The character that escapes, and that continues a line.
    pub escape: char,
    seen: Vec<String>,
    ended: bool,
}

impl Directives {
    pub fn new() -> Self {
        Self {
            escape: '\\',
            seen: Vec::new(),
            ended: false,
        }
    }

    /// Looks at a line of which leading blanks are gone.
    ///
    /// # Errors
    ///
    /// A directive that was there before, or whose value means nothing.
    pub fn look(&mut self, line: &str) -> Result<(), Problem> {
        if self.ended {
            return Ok(());
        }
        let Some((name, value)) = directive(line) else {
            self.ended = true;
            return Ok(());
        };
        if self.seen.contains(&name) {
            let message = format!("only one `{name}` directive can be used");
            return Err(Problem::syntax(line, message));
        }
        match name.as_str() {
            "escape" => self.escape = escape(value)?,
            "check" => check(value)?,
            _ => {}
        }
        self.seen.push(name);
        Ok(())
    }
}

/// Reads `# name=value`, if the name is one that BuildKit knows; the name in lower case.
fn directive(line: &str) -> Option<(String, &str)> {
    let text = line.strip_prefix('#')?.trim_start();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (name, rest) = text.split_at(end);
    let name = name.to_ascii_lowercase();
    if !matches!(name.as_str(), "syntax" | "escape" | "check") {
        return None;
    }
    let rest = rest.trim_start_matches(is_blank).strip_prefix('=')?;
    match rest.trim_matches(is_blank) {
        // The value may not be empty, so a blank is one where there is nothing else.
        "" => rest.get(..1).map(|blank| (name, blank)),
        value => Some((name, value)),
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

fn escape(value: &str) -> Result<char, Problem> {
    match value {
        "\\" => Ok('\\'),
        "`" => Ok('`'),
        _ => Err(Problem::syntax(
            value,
            "the `escape` directive must be a backslash or a backtick",
        )),
    }
}

/// Checks the options of BuildKit's linter, `skip=…;error=…;experimental=…`; they change nothing here.
fn check(value: &str) -> Result<(), Problem> {
    for option in value.split(';').map(str::trim).filter(|o| !o.is_empty()) {
        let known = match option.split_once('=') {
            Some((name, value)) => match name.trim() {
                "skip" | "experimental" => true,
                "error" => parse_bool(value.trim()).is_some(),
                _ => false,
            },
            None => false,
        };
        if !known {
            return Err(Problem::syntax(
                option,
                "no such option of the `check` directive",
            ));
        }
    }
    Ok(())
}

/// Reads a truth value as Go's `strconv.ParseBool` does.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Finds the image of the frontend that the file asks for, `# syntax=docker/dockerfile:1`, as written.
///
/// Unlike the other directives it is also found behind a `#!` line, and not behind leading blanks. What follows the
/// first space is an argument of the frontend.
pub(super) fn frontend(file: &str) -> Option<Token> {
    let mut rest = file.strip_prefix('\u{feff}').unwrap_or(file);
    if rest.starts_with("#!") {
        rest = rest.split_once('\n')?.1;
    }
    let mut seen = Vec::new();
    loop {
        let line = rest.split('\n').next()?;
        let (name, value) = directive(line.strip_suffix('\r').unwrap_or(line))?;
        if name == "syntax" {
            let image = value.split(' ').next().filter(|image| !image.is_empty())?;
            let start = image.as_ptr() as usize - file.as_ptr() as usize;
            return Some(Text::new(image, start).token(0..image.len()));
        }
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        rest = rest.get(line.len() + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escape_after(lines: &[&str]) -> Result<char, String> {
        let mut directives = Directives::new();
        for line in lines {
            directives.look(line).map_err(|problem| problem.message)?;
        }
        Ok(directives.escape)
    }

    #[test]
    fn names_are_found_in_any_case_and_among_blanks() {
        assert_eq!(escape_after(&["#   EsCaPe   =   `  "]), Ok('`'));
        assert_eq!(escape_after(&["#escape=\\"]), Ok('\\'));
        assert_eq!(
            escape_after(&["# syntax=x", "# check=skip=all", "# escape=`"]),
            Ok('`')
        );
    }

    #[test]
    fn the_first_other_line_ends_the_directives() {
        for other in [
            "",
            "# a comment",
            "# other=value",
            "FROM a",
            "#",
            "# escape",
        ] {
            assert_eq!(escape_after(&[other, "# escape=`"]), Ok('\\'), "{other:?}");
        }
        assert_eq!(escape_after(&["# escape=", "# escape=`"]), Ok('\\'));
    }

    #[test]
    fn a_directive_may_not_come_twice_or_mean_nothing() {
        assert!(escape_after(&["# escape=`", "# escape=`"]).is_err());
        assert!(escape_after(&["# syntax=a", "# Syntax=b"]).is_err());
        assert!(escape_after(&["# escape=^"]).is_err());
        assert!(escape_after(&["# escape=``"]).is_err());
        assert!(escape_after(&["# escape= "]).is_err());
        assert!(escape_after(&["# check=skip"]).is_err());
        assert!(escape_after(&["# check=error=perhaps"]).is_err());
        assert!(escape_after(&["# check=skip=A,B;error=true"]).is_ok());
    }

    fn found(file: &str) -> Option<(String, usize)> {
        frontend(file).map(|token| (token.text, token.place.start()))
    }

    #[test]
    fn the_frontend_is_found_where_it_is_written() {
        assert_eq!(found("# syntax=a/b:1\nFROM x"), Some(("a/b:1".into(), 9)));
        assert_eq!(
            found("\u{feff}#SYNTAX = a/b:1 more \r\nFROM x"),
            Some(("a/b:1".into(), 13))
        );
        assert_eq!(found("# escape=`\n# syntax=a\n"), Some(("a".into(), 20)));
        assert_eq!(
            found("#!/usr/bin/env x\n# syntax=a\n"),
            Some(("a".into(), 26))
        );
        assert_eq!(found("# syntax=s"), Some(("s".into(), 9)));
    }

    #[test]
    fn without_the_directive_there_is_no_frontend() {
        for file in [
            "",
            "FROM a",
            "\n# syntax=a",
            "# x\n# syntax=a",
            "  # syntax=a",
            "# syntax=",
            "#!",
            "# escape=`",
        ] {
            assert_eq!(found(file), None, "{file:?}");
        }
    }
}
