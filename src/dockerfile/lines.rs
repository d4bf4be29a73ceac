//! Bytes to logical lines: comments dropped, continuations joined, heredoc bodies skipped.
//!
//! The rules are those of BuildKit's `parser/parser.go`.

use super::{
    directive::Directives,
    problem::Problem,
    text::{self, LogicalLine},
};

/// Reads a file from top to bottom.
pub(super) struct LineReader<'f> {
    file: &'f str,
    at: usize,
    directives: Directives,
    /// The first place that podman and buildah read otherwise than BuildKit.
    pub unlike: Option<Problem>,
}

/// A physical line, without the line feed and the carriage returns before it.
struct PhysicalLine<'f> {
    text: &'f str,
    offset: usize,
}

impl<'f> LineReader<'f> {
    pub fn new(file: &'f str) -> Self {
        Self {
            file,
            at: text::start(file),
            directives: Directives::new(),
            unlike: None,
        }
    }

    /// Returns the character that escapes and continues lines.
    pub fn escape(&self) -> char {
        self.directives.escape
    }

    /// Returns the next line that holds an instruction, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// An invalid directive. The next call continues behind it.
    pub fn next(&mut self) -> Result<Option<LogicalLine<'f>>, Problem> {
        while let Some(line) = self.physical() {
            let start = line.text.trim_start();
            let offset = line.offset + (line.text.len() - start.len());
            let escape = self.escape();
            self.directives
                .look(start)
                .map_err(|problem| problem.at(offset))?;
            let is_plain = |c: char| c.is_ascii_graphic() || matches!(c, ' ' | '\t');
            let is_first = line.offset == text::start(self.file);
            if self.escape() != escape && !(is_first && start.chars().all(is_plain)) {
                self.note(
                    start,
                    offset,
                    "podman and buildah read `escape` only in the first line",
                );
            }
            if start.is_empty() || start.starts_with('#') {
                continue;
            }
            let (content, mut continues) = self.continuation(start, offset);
            let mut text = LogicalLine::new(content, offset);
            while continues {
                let Some(line) = self.physical() else { break };
                let start = line.text.trim_start();
                if start.is_empty() || start.starts_with('#') {
                    continue;
                }
                let content;
                (content, continues) = self.continuation(line.text, line.offset);
                text.join(content, line.offset);
            }
            return Ok(Some(text));
        }
        Ok(None)
    }

    /// Skips the body of a heredoc and the line that ends it; returns whether that line was found.
    pub fn skip_heredoc(&mut self, name: &str, without_tabs: bool) -> bool {
        while let Some(line) = self.physical() {
            let text = if without_tabs {
                line.text.trim_start_matches('\t')
            } else {
                line.text
            };
            if text == name {
                return true;
            }
        }
        false
    }

    /// Returns where the next line begins, for [`LineReader::go_back`].
    pub fn position(&self) -> usize {
        self.at
    }

    /// Continues at a position that [`LineReader::position`] returned.
    pub fn go_back(&mut self, position: usize) {
        self.at = position;
    }

    fn physical(&mut self) -> Option<PhysicalLine<'f>> {
        let offset = self.at;
        let rest = self.file.get(offset..).unwrap_or_default();
        if rest.is_empty() {
            return None;
        }
        let (line, length) = match rest.find('\n') {
            Some(end) => (rest.get(..end).unwrap_or_default(), end + 1),
            None => (rest, rest.len()),
        };
        self.at += length;
        let text = line.trim_end_matches('\r');
        if line.len() > text.len() + 1 {
            let message = "podman and buildah remove only one of the carriage returns at its end";
            self.note(text, offset, message);
        }
        Some(PhysicalLine { text, offset })
    }

    /// Splits the continuation off the end of a line. An escaped escape character is no continuation: `\\` ends the
    /// line.
    fn continuation<'l>(&mut self, line: &'l str, offset: usize) -> (&'l str, bool) {
        let escape = self.escape();
        match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
            Some(content) if !content.ends_with(escape) => (content, true),
            Some(_) => {
                let message = "podman and buildah continue a line that ends in two escapes";
                self.note(line, offset, message);
                (line, false)
            }
            None => (line, false),
        }
    }

    fn note(&mut self, line: &str, offset: usize, message: &str) {
        let problem = || Problem::syntax(line.trim(), message).at(offset);
        self.unlike.get_or_insert_with(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str) -> Vec<String> {
        let mut lines = LineReader::new(file);
        std::iter::from_fn(|| lines.next().unwrap())
            .map(|line| line.as_str().to_owned())
            .collect()
    }

    #[test]
    fn lines_drop_comments_and_blank_lines() {
        assert_eq!(
            lines("# c\n\n  FROM a  \n\t# c\nRUN b # c\n"),
            ["FROM a  ", "RUN b # c"]
        );
        assert_eq!(lines(""), Vec::<String>::new());
        assert_eq!(lines("FROM a"), ["FROM a"]);
    }

    #[test]
    fn lines_drop_carriage_returns_and_the_byte_order_mark() {
        assert_eq!(lines("\u{feff}FROM a\r\nRUN b\r\r\n"), ["FROM a", "RUN b"]);
        assert_eq!(lines("FROM a \\\r\n  AS b\r\n"), ["FROM a   AS b"]);
    }

    #[test]
    fn line_continues_after_an_escape_and_blanks() {
        assert_eq!(
            lines("RUN a \\\n b \\ \t\nc\nRUN d"),
            ["RUN a  b c", "RUN d"]
        );
        assert_eq!(lines("RUN a \\\n# c\n\n  b"), ["RUN a   b"]);
        assert_eq!(lines("RUN a\\\n\\\nb"), ["RUN ab"]);
        assert_eq!(lines("RUN a \\"), ["RUN a "]);
        assert_eq!(lines("\\\nFROM a"), ["FROM a"]);
    }

    #[test]
    fn escaped_escape_is_no_continuation() {
        assert_eq!(lines("RUN a\\\\\nRUN b"), ["RUN a\\\\", "RUN b"]);
        assert_eq!(lines("RUN a\\\\\\\nRUN b"), ["RUN a\\\\\\", "RUN b"]);
    }

    #[test]
    fn line_that_podman_and_buildah_read_otherwise_is_noted() {
        let noted = |file: &str| {
            let mut lines = LineReader::new(file);
            while lines.next().unwrap().is_some() {}
            lines.unlike.and_then(|problem| problem.at)
        };
        assert_eq!(noted("FROM a\nRUN a\\\\ \nRUN b"), Some(7));
        assert_eq!(noted("FROM a\nRUN a \\\n b\\\\\\\nRUN b"), Some(15));
        assert_eq!(noted("# escape=`\nRUN a``\nRUN b"), Some(11));
        assert_eq!(noted("FROM a\nRUN a \\\r\r\nRUN b"), Some(7));
        assert_eq!(noted("# syntax=a\n# escape=`\nFROM a"), Some(11));
        assert_eq!(noted("#\u{c}escape=`\nFROM a"), Some(0));
        for file in [
            "\u{feff}# Escape = `\r\n# syntax=a\r\nFROM a\r\n",
            "# syntax=a\n# escape=\\\nFROM a",
            "# a\\\\\nFROM a \\\n  AS b\n",
        ] {
            assert_eq!(noted(file), None, "{file:?}");
        }
    }

    #[test]
    fn escape_directive_changes_the_continuation_character() {
        assert_eq!(
            lines("# escape=`\nRUN a\\\nRUN b `\nc"),
            ["RUN a\\", "RUN b c"]
        );
    }

    #[test]
    fn blanks_are_unicode_white_space() {
        assert_eq!(lines("\u{a0}FROM a\n\u{2003}\n"), ["FROM a"]);
    }

    #[test]
    fn line_longer_than_the_buildkit_limit_is_read() {
        let long = format!("RUN {}", "a".repeat(65_532));
        assert_eq!(lines(&format!("{long}\nRUN b")).len(), 2);
    }

    #[test]
    fn heredoc_ends_at_its_name_alone_on_a_line() {
        let mut lines = LineReader::new("RUN <<E\nE \n\tE\n\\\nE\nRUN b");
        assert_eq!(lines.next().unwrap().unwrap().as_str(), "RUN <<E");
        assert!(lines.skip_heredoc("E", false));
        assert_eq!(lines.next().unwrap().unwrap().as_str(), "RUN b");
        assert!(!lines.skip_heredoc("E", false));
        let mut lines = LineReader::new("RUN <<-E\n\t\tE\nRUN b");
        lines.next().unwrap();
        assert!(lines.skip_heredoc("E", true));
    }

    #[test]
    fn joined_lines_keep_their_positions() {
        let mut lines = LineReader::new("  FROM alp\\\n# c\nine:3");
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line.as_str(), "FROM alpine:3");
        assert_eq!(line.place(5..13).to_string(), "7..10 16..21");
    }
}
