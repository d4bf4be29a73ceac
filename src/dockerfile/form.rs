//! The form of a line: which instruction it is, and how that instruction splits its arguments.
//!
//! The rules are those of BuildKit's `parser/line_parsers.go`. What the arguments mean is for `instruction`.

use std::ops::Range;

use super::{
    heredoc::{self, Heredoc},
    problem::Problem,
    text::Text,
    words::{self, Command, Json},
};

/// The instructions of a Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
}

impl Keyword {
    /// Reads a keyword in any case.
    fn parse(word: &str) -> Option<Self> {
        const KEYWORDS: [(&str, Keyword); 18] = [
            ("ADD", Keyword::Add),
            ("ARG", Keyword::Arg),
            ("CMD", Keyword::Cmd),
            ("COPY", Keyword::Copy),
            ("ENTRYPOINT", Keyword::Entrypoint),
            ("ENV", Keyword::Env),
            ("EXPOSE", Keyword::Expose),
            ("FROM", Keyword::From),
            ("HEALTHCHECK", Keyword::Healthcheck),
            ("LABEL", Keyword::Label),
            ("MAINTAINER", Keyword::Maintainer),
            ("ONBUILD", Keyword::OnBuild),
            ("RUN", Keyword::Run),
            ("SHELL", Keyword::Shell),
            ("STOPSIGNAL", Keyword::StopSignal),
            ("USER", Keyword::User),
            ("VOLUME", Keyword::Volume),
            ("WORKDIR", Keyword::Workdir),
        ];
        let mut known = KEYWORDS.into_iter();
        known
            .find(|(keyword, _)| keyword.eq_ignore_ascii_case(word))
            .map(|(_, keyword)| keyword)
    }
}

/// The arguments of an instruction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    /// As they stand in the line: bytes of it.
    Words(Vec<Range<usize>>),
    /// As a JSON array, decoded.
    Texts(Vec<String>),
}

impl Arguments {
    pub fn len(&self) -> usize {
        match self {
            Self::Words(words) => words.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    /// Returns the text of an argument; nothing if there are not so many.
    pub fn text<'t>(&'t self, line: &'t str, n: usize) -> &'t str {
        match self {
            Self::Words(words) => words.get(n).and_then(|word| line.get(word.clone())),
            Self::Texts(texts) => texts.get(n).map(String::as_str),
        }
        .unwrap_or_default()
    }
}

/// A line, split as its instruction wants it.
pub(super) struct Form<'l> {
    pub line: &'l Text<'l>,
    /// `None` if there is no such instruction.
    pub keyword: Option<Keyword>,
    pub command: Command,
    pub arguments: Arguments,
}

impl<'l> Form<'l> {
    /// Splits a line.
    ///
    /// # Errors
    ///
    /// Arguments that cannot be split: an array of something else than texts, or a pair that is none.
    pub fn of(line: &'l Text<'l>, escape: char) -> Result<Self, Problem> {
        let text = line.as_str();
        let command = words::split(text);
        let keyword = text.get(command.name.clone()).and_then(Keyword::parse);
        let rest = command.rest.clone();
        let arguments = match keyword {
            None => Ok(Arguments::Words(Vec::new())),
            Some(keyword) => arguments(keyword, text, rest.clone(), escape),
        };
        let arguments = arguments
            .map_err(|message| Problem::syntax(text.trim(), message).at(line.offset(rest.start)))?;
        Ok(Self {
            line,
            keyword,
            command,
            arguments,
        })
    }

    /// Returns the heredocs that the line announces: only three instructions can, and not as a JSON array.
    ///
    /// # Errors
    ///
    /// A heredoc's name with quotes that are not closed.
    pub fn heredocs(&self) -> Result<Vec<Heredoc>, Problem> {
        let text = self.line.as_str();
        if !text.contains("<<") {
            return Ok(Vec::new());
        }
        let possible = match self.keyword {
            Some(Keyword::OnBuild) => {
                let trigger = self.line.tail(self.command.rest.start);
                Form::of(&trigger, '\\').is_ok_and(|trigger| trigger.may_announce())
            }
            _ => self.may_announce(),
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
        ) && matches!(self.arguments, Arguments::Words(_))
    }

    /// Returns where the line begins in the file.
    pub fn offset(&self) -> usize {
        self.line.offset(self.command.name.start)
    }
}

fn arguments(
    keyword: Keyword,
    line: &str,
    rest: Range<usize>,
    escape: char,
) -> Result<Arguments, String> {
    let text = line.get(rest.clone()).unwrap_or_default();
    match keyword {
        Keyword::Arg => Ok(Arguments::Words(words::by_quotes(line, rest, escape))),
        Keyword::Env | Keyword::Label => pairs(line, rest, escape),
        Keyword::From | Keyword::Expose => Ok(Arguments::Words(words::by_blanks(line, rest))),
        Keyword::Add | Keyword::Copy | Keyword::Volume => {
            or_json(text, || words::by_blanks(line, rest))
        }
        Keyword::Cmd | Keyword::Entrypoint | Keyword::Run | Keyword::Shell => {
            or_json(text, || whole(rest))
        }
        Keyword::Healthcheck => healthcheck(line, rest),
        Keyword::Maintainer
        | Keyword::OnBuild
        | Keyword::StopSignal
        | Keyword::User
        | Keyword::Workdir => Ok(Arguments::Words(whole(rest))),
    }
}

/// The rest of a line as one argument, or none if there is nothing.
fn whole(rest: Range<usize>) -> Vec<Range<usize>> {
    Some(rest)
        .filter(|rest| !rest.is_empty())
        .into_iter()
        .collect()
}

fn or_json(text: &str, words: impl FnOnce() -> Vec<Range<usize>>) -> Result<Arguments, String> {
    match words::json(text) {
        Json::Texts(texts) => Ok(Arguments::Texts(texts)),
        Json::Others => Err("a JSON array of arguments must hold texts only".to_owned()),
        Json::Not => Ok(Arguments::Words(words())),
    }
}

/// Names and values by turns, of `name=value …` or of the older `name value`.
fn pairs(line: &str, rest: Range<usize>, escape: char) -> Result<Arguments, String> {
    let words = words::by_quotes(line, rest.clone(), escape);
    let text = |range: &Range<usize>| line.get(range.clone()).unwrap_or_default();
    let Some(first) = words.first() else {
        return Ok(Arguments::Words(Vec::new()));
    };
    if !text(first).contains('=') {
        let all = text(&rest);
        let Some(end) = all.find(words::is_separator) else {
            return Err(format!("`{all}` needs a value"));
        };
        let value = all[end..].trim_start_matches(words::is_separator);
        let name = rest.start..rest.start + end;
        return Ok(Arguments::Words(vec![
            name,
            rest.end - value.len()..rest.end,
        ]));
    }
    let mut pairs = Vec::with_capacity(2 * words.len());
    for word in words {
        let Some(equals) = text(&word).find('=') else {
            return Err(format!("`{}` is not of the form name=value", text(&word)));
        };
        pairs.push(word.start..word.start + equals);
        pairs.push(word.start + equals + 1..word.end);
    }
    Ok(Arguments::Words(pairs))
}

/// The type of a health check, and its command.
fn healthcheck(line: &str, rest: Range<usize>) -> Result<Arguments, String> {
    let text = line.get(rest.clone()).unwrap_or_default();
    let is_blank = |c| matches!(c, '\t'..='\r' | ' ');
    let end = text.find(is_blank).unwrap_or(text.len());
    let (kind, behind) = text.split_at(end);
    let command = rest.end - behind.trim_start_matches(is_blank).len()..rest.end;
    let arguments = or_json(behind, || whole(rest.start..rest.start + end))?;
    Ok(match arguments {
        Arguments::Texts(texts) => {
            Arguments::Texts(std::iter::once(kind.to_owned()).chain(texts).collect())
        }
        Arguments::Words(mut words) => {
            words.extend(whole(command));
            Arguments::Words(words)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;

    /// The arguments of a line.
    fn split(line: &str) -> Result<Vec<String>, String> {
        let text = Text::new(line, 0);
        let form = Form::of(&text, '\\').map_err(|problem| problem.message)?;
        let arguments = (0..form.arguments.len()).map(|n| form.arguments.text(line, n).to_owned());
        Ok(arguments.collect())
    }

    fn heredocs(line: &str) -> usize {
        let text = Text::new(line, 0);
        Form::of(&text, '\\').unwrap().heredocs().unwrap().len()
    }

    #[test]
    fn every_instruction_splits_its_arguments_in_its_own_way() {
        assert_eq!(split("FROM a \"b c\"").unwrap(), ["a", "\"b", "c\""]);
        assert_eq!(split("arg a='1 2' b").unwrap(), ["a='1 2'", "b"]);
        assert_eq!(split("RUN a  b").unwrap(), ["a  b"]);
        assert_eq!(split("RUN [\"a\", \"b\"]").unwrap(), ["a", "b"]);
        assert_eq!(split("RUN ['a']").unwrap(), ["['a']"]);
        assert_eq!(split("COPY a b").unwrap(), ["a", "b"]);
        assert_eq!(split("COPY [\"a b\", \"c\"]").unwrap(), ["a b", "c"]);
        assert_eq!(split("USER  a b ").unwrap(), ["a b"]);
        assert_eq!(split("HEALTHCHECK CMD a b").unwrap(), ["CMD", "a b"]);
        assert_eq!(
            split("HEALTHCHECK CMD [\"a\", \"b\"]").unwrap(),
            ["CMD", "a", "b"]
        );
        assert_eq!(split("HEALTHCHECK NONE").unwrap(), ["NONE"]);
        assert_eq!(split("HEALTHCHECK").unwrap(), [""; 0]);
        assert_eq!(split("NONSENSE a b").unwrap(), [""; 0]);
    }

    #[test]
    fn pairs_come_in_two_forms() {
        assert_eq!(
            split("ENV a=1 b=\"2 3\" c=").unwrap(),
            ["a", "1", "b", "\"2 3\"", "c", ""]
        );
        assert_eq!(split("LABEL a b c=d").unwrap(), ["a", "b c=d"]);
        assert_eq!(split("ENV").unwrap(), [""; 0]);
        assert!(split("ENV a").is_err());
        assert!(split("ENV a=1 b").is_err());
    }

    #[test]
    fn an_array_of_other_things_is_refused() {
        for line in [
            "RUN [1]",
            "COPY [\"a\", 1]",
            "VOLUME [{}]",
            "HEALTHCHECK CMD [null]",
        ] {
            assert!(split(line).is_err(), "{line}");
        }
    }

    #[test]
    fn heredocs_belong_to_run_copy_and_add() {
        assert_eq!(heredocs("RUN <<A <<B"), 2);
        assert_eq!(heredocs("COPY <<A b"), 1);
        assert_eq!(heredocs("add <<A b"), 1);
        assert_eq!(heredocs("ONBUILD RUN <<A"), 1);
        assert_eq!(heredocs("ONBUILD ENV a <<A"), 0);
        assert_eq!(heredocs("CMD <<A"), 0);
        assert_eq!(heredocs("RUN [\"<<A\"]"), 0);
        assert_eq!(heredocs("ONBUILD RUN [\"<<A\"]"), 0);
        assert_eq!(heredocs("NONSENSE <<A"), 0);
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

    fn rows(text: &str) -> Result<Vec<Row>, Problem> {
        let mut lines = Lines::new(text);
        let mut rows = Vec::new();
        while let Some(line) = lines.next()? {
            let form = Form::of(&line, lines.escape())?;
            let tail = line.tail(form.command.rest.start);
            let trigger = match form.keyword {
                Some(Keyword::OnBuild) if form.arguments.len() > 0 => {
                    Some(Form::of(&tail, lines.escape())?)
                }
                _ => None,
            };
            let inner = trigger.as_ref().unwrap_or(&form);
            let arguments = &inner.arguments;
            let texts = (0..arguments.len()).map(|n| arguments.text(inner.line.as_str(), n));
            let name = |form: &Form<'_>| form.line.as_str()[form.command.name.clone()].to_owned();
            let mut heredocs = Vec::new();
            for heredoc in form.heredocs()? {
                if !lines.skip_heredoc(&heredoc.name, heredoc.without_tabs)? {
                    return Err(Problem::syntax("", "no end"));
                }
                heredocs.extend(trigger.is_none().then_some(heredoc.name));
            }
            rows.push((
                name(&form),
                trigger.as_ref().map(name),
                matches!(form.arguments, Arguments::Texts(_)),
                form.command
                    .flags
                    .iter()
                    .map(|flag| flag.text.clone())
                    .collect(),
                texts.map(str::to_owned).collect(),
                heredocs,
            ));
        }
        Ok(rows)
    }

    #[test]
    fn every_line_of_the_corpus_is_split_as_buildkit_splits_it() {
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
                (found != case.lines)
                    .then(|| format!("{:?}: {found:?}, not {:?}", case.text, case.lines))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
