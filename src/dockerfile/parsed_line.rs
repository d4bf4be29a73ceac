//! The parts of a line: its instruction, its flags, and the heredocs that it announces.
//!
//! The rules are those of BuildKit's `parser/line_parsers.go`. `instruction` gives the arguments their meaning.

use super::{
    heredoc::{self, Heredoc},
    problem::Problem,
    text::LogicalLine,
    tokenize::{self, SplitLine},
};

/// The instructions of a Dockerfile, as far as they can name an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Add,
    Arg,
    Copy,
    From,
    OnBuild,
    Run,
    /// An instruction that names no image.
    Other,
}

impl Keyword {
    /// Reads a keyword in any case.
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "ADD" => Self::Add,
            "ARG" => Self::Arg,
            "COPY" => Self::Copy,
            "FROM" => Self::From,
            "ONBUILD" => Self::OnBuild,
            "RUN" => Self::Run,
            "CMD" | "ENTRYPOINT" | "ENV" | "EXPOSE" | "HEALTHCHECK" | "LABEL" | "MAINTAINER"
            | "SHELL" | "STOPSIGNAL" | "USER" | "VOLUME" | "WORKDIR" => Self::Other,
            _ => return None,
        })
    }
}

/// A line, split into keyword, flags and arguments.
pub(super) struct ParsedLine<'l> {
    pub line: &'l LogicalLine<'l>,
    /// `None` for an instruction that BuildKit's own frontend does not have, or not yet.
    pub keyword: Option<Keyword>,
    pub command: SplitLine,
}

impl<'l> ParsedLine<'l> {
    /// Splits a line.
    pub fn of(line: &'l LogicalLine<'l>) -> Self {
        let text = line.as_str();
        let command = tokenize::split(text);
        let keyword = text.get(command.name.clone()).and_then(Keyword::parse);
        Self {
            line,
            keyword,
            command,
        }
    }

    /// Returns the heredocs that the line announces. Three known instructions can have heredocs, unless their arguments
    /// are a JSON array; an unknown instruction may have them too.
    ///
    /// # Errors
    ///
    /// A heredoc's name with quotes that are not closed.
    pub fn heredocs(&self) -> Result<Vec<Heredoc>, Problem> {
        let text = self.line.as_str();
        if !text.contains("<<") {
            return Ok(Vec::new());
        }
        let tail = self.line.tail(self.command.rest.start);
        let possible = match self.keyword {
            Some(Keyword::OnBuild) => ParsedLine::of(&tail).may_announce(),
            Some(_) => self.may_announce(),
            None => true,
        };
        if !possible {
            return Ok(Vec::new());
        }
        heredoc::of_line(text)
            .map_err(|error| Problem::syntax(text.trim(), error.to_string()).at(self.offset()))
    }

    fn may_announce(&self) -> bool {
        matches!(
            self.keyword,
            Some(Keyword::Add | Keyword::Copy | Keyword::Run)
        ) && !self.is_json()
    }

    /// Tells whether the arguments are a JSON array of texts.
    fn is_json(&self) -> bool {
        let rest = self.line.as_str().get(self.command.rest.clone());
        rest.is_some_and(tokenize::is_json)
    }

    /// Returns where the line begins in the file.
    pub fn offset(&self) -> usize {
        self.line.offset(self.command.name.start)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::LineReader;
    use super::*;

    fn heredocs(line: &str) -> usize {
        ParsedLine::of(&LogicalLine::new(line, 0))
            .heredocs()
            .unwrap()
            .len()
    }

    #[test]
    fn run_copy_and_add_lines_have_heredocs() {
        assert_eq!(heredocs("RUN <<A <<B"), 2);
        assert_eq!(heredocs("COPY <<A b"), 1);
        assert_eq!(heredocs("add <<A b"), 1);
        assert_eq!(heredocs("ONBUILD RUN <<A"), 1);
        assert_eq!(heredocs("ONBUILD ENV a <<A"), 0);
        assert_eq!(heredocs("CMD <<A"), 0);
        assert_eq!(heredocs("RUN [\"<<A\"]"), 0);
        assert_eq!(heredocs("ONBUILD RUN [\"<<A\"]"), 0);
        assert_eq!(heredocs("RUN [1, <<A"), 1);
    }

    #[test]
    fn unknown_instruction_may_have_heredocs() {
        assert_eq!(heredocs("PYTHON <<A"), 1);
        assert_eq!(heredocs("ONBUILD PYTHON <<A"), 0);
    }

    /// Keyword, trigger, whether JSON, flags, arguments, names of heredocs.
    type Row = (
        String,
        Option<String>,
        bool,
        Vec<String>,
        Vec<String>,
        Vec<String>,
    );

    /// The lines of a file, as far as they are read.
    fn rows(text: &str) -> Result<Vec<Row>, Problem> {
        let mut lines = LineReader::new(text);
        let mut rows = Vec::new();
        while let Some(line) = lines.next()? {
            let form = ParsedLine::of(&line);
            let tail = line.tail(form.command.rest.start);
            let is_trigger =
                form.keyword == Some(Keyword::OnBuild) && !form.command.rest.is_empty();
            let trigger = is_trigger.then(|| ParsedLine::of(&tail));
            let inner = trigger.as_ref().unwrap_or(&form);
            let text = inner.line.as_str();
            let rest = inner.command.rest.clone();
            let arguments = match inner.keyword {
                Some(Keyword::From) => tokenize::by_blanks(text, rest),
                Some(Keyword::Arg) => tokenize::by_quotes(text, rest, lines.escape()),
                _ => Vec::new(),
            };
            let name =
                |form: &ParsedLine<'_>| form.line.as_str()[form.command.name.clone()].to_owned();
            let mut heredocs = Vec::new();
            if form.keyword.is_some() {
                for heredoc in form.heredocs()? {
                    if !lines.skip_heredoc(&heredoc.name, heredoc.without_tabs) {
                        return Err(Problem::syntax("", "no end"));
                    }
                    heredocs.extend(trigger.is_none().then_some(heredoc.name));
                }
            }
            let arguments = arguments.into_iter().map(|word| text[word].to_owned());
            rows.push((
                name(&form),
                trigger.as_ref().map(name),
                may_have_heredocs(&name(&form)) && form.is_json(),
                form.command
                    .flags
                    .iter()
                    .map(|flag| flag.text.clone())
                    .collect(),
                arguments.collect(),
                heredocs,
            ));
        }
        Ok(rows)
    }

    fn may_have_heredocs(name: &str) -> bool {
        ["add", "copy", "run"].contains(&&*name.to_lowercase())
    }

    /// Reduces a line as BuildKit prints it to the columns of [`rows`].
    fn read(row: Row) -> Row {
        let (name, trigger, is_json, flags, mut arguments, heredocs) = row;
        let inner = trigger.as_ref().unwrap_or(&name).to_lowercase();
        if inner != "from" && inner != "arg" {
            arguments.clear();
        }
        let is_json = is_json && may_have_heredocs(&name);
        (name, trigger, is_json, flags, arguments, heredocs)
    }

    #[test]
    fn line_corpus_is_split_as_by_buildkit() {
        #[derive(serde::Deserialize)]
        struct Case {
            text: String,
            lines: Option<Vec<Row>>,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/data/buildkit-lines.json")).unwrap();
        assert!(cases.len() >= 590);
        let wrong: Vec<String> = cases
            .into_iter()
            .filter_map(|case| {
                let found = rows(&case.text).ok().filter(|rows| !rows.is_empty());
                // These invalid lines name no image, so they are passed on to the builder.
                let passed_on = ["[1]", ",1]", "ENV", "LAB"];
                let expected = match case.lines {
                    None if passed_on.iter().any(|part| case.text.contains(part)) => return None,
                    lines => lines.map(|lines| lines.into_iter().map(read).collect()),
                };
                (found != expected).then(|| format!("{:?}: {found:?}, not {expected:?}", case.text))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
