//! Errors and warnings about a task file, with their lines.

use std::fmt;

/// How many bytes of a message are shown.
const LONGEST: usize = 400;

/// How many warnings about one file are shown.
const MOST: usize = 50;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTaskFile {
    /// The line, counted from 1; `None` where the error is about no single line.
    pub line: Option<usize>,
    pub text: String,
}

impl InvalidTaskFile {
    /// Returns an error about the file as a whole.
    pub fn new(text: impl Into<String>) -> Self {
        Self::at(None, text)
    }

    /// Returns an error about a line.
    pub fn at(line: Option<usize>, text: impl Into<String>) -> Self {
        Self {
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for InvalidTaskFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.line, &self.text)
    }
}

impl std::error::Error for InvalidTaskFile {}

/// A warning: the file can be run all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWarning {
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    pub text: String,
}

impl fmt::Display for FileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.line, &self.text)
    }
}

/// The warnings about one file: the first ones, and the number of the others.
#[derive(Clone, Debug, Default)]
pub struct FileWarnings {
    first: Vec<FileWarning>,
    more: usize,
}

impl FileWarnings {
    pub fn add(&mut self, line: Option<usize>, text: impl Into<String>) {
        if self.first.len() == MOST {
            self.more += 1;
            return;
        }
        let text = text.into();
        self.first.push(FileWarning { line, text });
    }

    /// Returns the warnings to show.
    pub fn into_shown(mut self) -> Vec<FileWarning> {
        if self.more > 0 {
            self.first.push(FileWarning {
                line: None,
                text: format!("{} more things are odd about the file", self.more),
            });
        }
        self.first
    }
}

/// Writes a message, shortened where a value is very long.
fn show(f: &mut fmt::Formatter<'_>, line: Option<usize>, text: &str) -> fmt::Result {
    if let Some(line) = line {
        write!(f, "line {line}: ")?;
    }
    if text.len() <= LONGEST {
        return f.write_str(text);
    }
    write!(f, "{}…", &text[..text.floor_char_boundary(LONGEST)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_and_many_notices_are_cut() {
        let problem = InvalidTaskFile::at(Some(3), "ä".repeat(1_000_000));
        assert!(problem.to_string().len() < 420);
        let mut notices = FileWarnings::default();
        for line in 1..=1000 {
            notices.add(Some(line), "odd");
        }
        let told = notices.into_shown();
        assert_eq!(told.len(), 51);
        assert_eq!(
            told[50].to_string(),
            "950 more things are odd about the file"
        );
    }
}
