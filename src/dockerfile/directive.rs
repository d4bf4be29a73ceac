//! Parser directives: the `# name=value` comments at the very top of a file.
//!
//! The rules are those of BuildKit's `parser/directives.go`: one directive per line, each name once, and the first line
//! that is no directive ends them, be it another comment or a blank line.

use super::problem::Problem;

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

    /// Reads a line whose leading blanks are removed.
    ///
    /// # Errors
    ///
    /// A directive that occurs twice, or whose value is invalid.
    pub fn look(&mut self, line: &str) -> Result<(), Problem> {
        if self.ended {
            return Ok(());
        }
        let Some((name, value)) = directive(line, "#") else {
            self.ended = true;
            return Ok(());
        };
        if self.seen.contains(&name) {
            let message = format!("only one `{name}` directive can be used");
            return Err(Problem::syntax(line, message));
        }
        if self.seen.iter().any(|seen| seen == "check") {
            let message = format!(
                "`{name}` must be above `check`, with which older builders end the directives"
            );
            return Err(Problem::syntax(line, message));
        }
        if name == "escape" {
            self.escape = escape(value)?;
        }
        self.seen.push(name);
        Ok(())
    }
}

/// Reads `# name=value` if BuildKit knows the name; returns the name in lower case.
pub(super) fn directive<'l>(line: &'l str, comment: &str) -> Option<(String, &'l str)> {
    let text = line.strip_prefix(comment)?.trim_start();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (name, rest) = text.split_at(end);
    let name = name.to_ascii_lowercase();
    if !matches!(name.as_str(), "syntax" | "escape" | "check") {
        return None;
    }
    let rest = rest.trim_start_matches(is_blank).strip_prefix('=')?;
    match rest.trim_matches(is_blank) {
        // BuildKit allows no empty value: where only blanks follow, the first blank is the value.
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
    fn directives_are_found_in_any_case_and_with_blanks() {
        assert_eq!(escape_after(&["#   EsCaPe   =   `  "]), Ok('`'));
        assert_eq!(escape_after(&["#escape=\\"]), Ok('\\'));
        assert_eq!(
            escape_after(&["# syntax=x", "# escape=`", "# check=skip=all"]),
            Ok('`')
        );
    }

    #[test]
    fn check_directive_is_passed_on() {
        assert_eq!(
            escape_after(&["# escape=`", "# check=no;such=option"]),
            Ok('`')
        );
    }

    #[test]
    fn directive_below_check_is_refused() {
        // BuildKit before 0.15, podman and buildah would not see it.
        for line in ["# escape=`", "# syntax=a"] {
            let problem = escape_after(&["# check=skip=all", line]).unwrap_err();
            assert!(problem.contains("must be above `check`"), "{problem}");
        }
    }

    #[test]
    fn first_other_line_ends_the_directives() {
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
    fn duplicate_or_invalid_directive_is_refused() {
        assert!(escape_after(&["# escape=`", "# escape=`"]).is_err());
        assert!(escape_after(&["# syntax=a", "# Syntax=b"]).is_err());
        assert!(escape_after(&["# escape=^"]).is_err());
        assert!(escape_after(&["# escape=``"]).is_err());
        assert!(escape_after(&["# escape= "]).is_err());
        assert!(escape_after(&["# check=a", "# check=a"]).is_err());
    }
}
