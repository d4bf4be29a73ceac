//! The images and stages that an instruction names.
//!
//! The rules are those of BuildKit's `instructions/parse.go`, as far as they decide which images are named. Everything
//! else is checked by the builder, which may be newer than this file.

use std::ops::Range;

use super::{
    mount::{self, MountSource},
    parsed_line::{Keyword, ParsedLine},
    problem::Problem,
    text::{LogicalLine, SourceToken},
    tokenize,
};

/// An instruction, as far as it affects what a build depends on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    From(From),
    Arg(Vec<Argument>),
    Copy(Option<SourceToken>),
    Run(Vec<MountSource>),
    OnBuild(Box<Trigger>),
    Other,
}

impl Instruction {
    /// Tells whether the instruction can name an image or fail later.
    pub fn matters(&self, in_stage: bool) -> bool {
        match self {
            Self::From(_) => true,
            Self::Arg(_) => !in_stage,
            Self::Copy(from) => from.is_some(),
            Self::Run(mounts) => !mounts.is_empty(),
            Self::OnBuild(trigger) => match trigger.as_ref() {
                Ok(instruction) => instruction.matters(true),
                Err(_) => true,
            },
            Self::Other => false,
        }
    }
}

/// `FROM image AS name`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct From {
    pub image: SourceToken,
    pub platform: Option<SourceToken>,
    /// The name in lower case.
    pub name: Option<String>,
}

impl From {
    /// Returns the `FROM scratch` that stands for a `FROM` line which only another frontend can read.
    pub fn nothing() -> Self {
        Self {
            image: SourceToken {
                text: "scratch".to_owned(),
                place: LogicalLine::new("", 0).place(0..0),
            },
            platform: None,
            name: None,
        }
    }
}

/// `ARG name=value`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub name: String,
    pub value: Option<SourceToken>,
}

/// The instruction of an `ONBUILD`, for a later stage; its errors count only there.
pub(super) type Trigger = Result<Instruction, Problem>;

/// Tells whether a lower-case text is a valid stage name.
pub(super) fn is_stage_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

impl ParsedLine<'_> {
    /// Reads the instruction of the line.
    ///
    /// # Errors
    ///
    /// An image that cannot be determined: the arguments of a `FROM` or an `ARG` are invalid, or a flag that names an
    /// image is.
    pub fn instruction(&self, escape: char) -> Result<Instruction, Problem> {
        match self.keyword {
            Some(Keyword::From) => self.from(),
            Some(Keyword::Arg) => self.arg(escape),
            Some(Keyword::Copy) => Ok(Instruction::Copy(self.flag("from")?)),
            Some(Keyword::Add) => self.add(),
            Some(Keyword::Run) => self.run(),
            Some(Keyword::OnBuild) => self.on_build(),
            Some(Keyword::Other) | None => Ok(Instruction::Other),
        }
    }

    fn from(&self) -> Result<Instruction, Problem> {
        let words = tokenize::by_blanks(self.line.as_str(), self.command.rest.clone());
        let (image, name) = match words.as_slice() {
            [image] => (image, None),
            [image, keyword, name] if is_as(self.text(keyword)) => {
                (image, Some(self.stage_name(name)?))
            }
            _ => {
                return Err(
                    self.dependency("`FROM` takes an image, or an image, `AS` and a stage name")
                );
            }
        };
        let dependency = |problem| Problem {
            kind: super::DockerfileErrorKind::Dependency,
            ..problem
        };
        // An unknown flag may choose another image.
        self.refuse_flags(|name| name != "platform")
            .map_err(dependency)?;
        Ok(Instruction::From(From {
            image: self.line.token(image.clone()),
            platform: self.flag("platform").map_err(dependency)?,
            name,
        }))
    }

    fn stage_name(&self, word: &Range<usize>) -> Result<String, Problem> {
        let written = self.text(word);
        let name = written.to_lowercase();
        if is_stage_name(&name) {
            return Ok(name);
        }
        let message =
            "a stage name begins with a letter and holds letters, digits, `-`, `_` and `.` only";
        Err(Problem::dependency(written, message).at(self.line.offset(word.start)))
    }

    fn arg(&self, escape: char) -> Result<Instruction, Problem> {
        let words = tokenize::by_quotes(self.line.as_str(), self.command.rest.clone(), escape);
        if words.is_empty() {
            return Err(self.syntax("`ARG` needs a name"));
        }
        let mut arguments = Vec::with_capacity(words.len());
        for word in words {
            let text = self.text(&word);
            let (name, value) = match text.split_once('=') {
                Some(("", _)) => return Err(self.syntax("the name of an `ARG` must not be blank")),
                Some((name, _)) => {
                    let start = word.start + name.len() + 1;
                    (name, Some(self.line.token(start..word.end)))
                }
                None => (text, None),
            };
            let name = name.to_owned();
            arguments.push(Argument { name, value });
        }
        Ok(Instruction::Arg(arguments))
    }

    /// Refuses `ADD --from`: `ADD` takes files from no image today, and a later syntax must not be overlooked.
    fn add(&self) -> Result<Instruction, Problem> {
        self.refuse_flags(|name| name == "from")?;
        Ok(Instruction::Other)
    }

    fn run(&self) -> Result<Instruction, Problem> {
        let flags = self.command.flags.iter();
        flags
            .filter(|flag| flag.parts().0 == "mount")
            .filter_map(|flag| mount::read(self.line, flag).transpose())
            .collect::<Result<_, _>>()
            .map(Instruction::Run)
    }

    fn on_build(&self) -> Result<Instruction, Problem> {
        let line = self.line.tail(self.command.rest.start);
        let form = ParsedLine::of(&line);
        let trigger = match form.keyword {
            Some(Keyword::OnBuild) => return Err(self.syntax("`ONBUILD` must not hold `ONBUILD`")),
            Some(Keyword::From) => return Err(self.syntax("`ONBUILD` must not hold `FROM`")),
            Some(Keyword::Arg) => Ok(Instruction::Other),
            // In a trigger the escape character is always a backslash.
            _ => form.instruction('\\'),
        };
        Ok(Instruction::OnBuild(Box::new(trigger)))
    }

    /// Refuses the flags whose names `is_refused` returns true for.
    fn refuse_flags(&self, is_refused: impl Fn(&str) -> bool) -> Result<(), Problem> {
        let mut flags = self.command.flags.iter();
        match flags.find(|flag| is_refused(flag.parts().0)) {
            None => Ok(()),
            Some(flag) => {
                let message = format!("unknown flag `--{}`", flag.parts().0);
                Err(Problem::syntax(&*flag.text, message).at(flag.offset(self.line)))
            }
        }
    }

    /// Returns the value of a flag that may occur once and needs a value, which may be empty.
    fn flag(&self, name: &str) -> Result<Option<SourceToken>, Problem> {
        let mut flags = self.command.flags.iter();
        let mut named = flags.by_ref().filter(|flag| flag.parts().0 == name);
        let Some(flag) = named.next() else {
            return Ok(None);
        };
        let wrong = |message| Problem::syntax(&*flag.text, message).at(flag.offset(self.line));
        if named.next().is_some() {
            return Err(wrong(format!("flag `--{name}` is given twice")));
        }
        let value = flag.value(self.line);
        let value = value.ok_or_else(|| wrong(format!("flag `--{name}` needs a value")))?;
        Ok(Some(value).filter(|value| !value.text.is_empty()))
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.line.as_str().get(range.clone()).unwrap_or_default()
    }

    fn syntax(&self, message: &str) -> Problem {
        Problem::syntax(self.line.as_str().trim(), message).at(self.offset())
    }

    fn dependency(&self, message: &str) -> Problem {
        Problem::dependency(self.line.as_str().trim(), message).at(self.offset())
    }
}

/// Tells whether a word is `AS` in any case; Go's case folding also takes the long s (`ſ`) for an s.
fn is_as(word: &str) -> bool {
    word.eq_ignore_ascii_case("as") || word == "a\u{17f}" || word == "A\u{17f}"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Instruction, String> {
        let text = LogicalLine::new(line, 0);
        ParsedLine::of(&text).instruction('\\').map_err(|problem| {
            let at = problem.at.unwrap_or_default();
            format!("{at}: {}", problem.message)
        })
    }

    #[test]
    fn instruction_without_an_image_is_passed_on_unchecked() {
        for line in [
            "NONSENSE x",
            "EXPOSE +25 http 70000",
            "STOPSIGNAL SIGFOO",
            "HEALTHCHECK --interval=5 --new=1 PING",
            "ENV a",
            "LABEL",
            "SHELL bash",
            "VOLUME []",
            "CMD [1]",
            "ADD --new a",
            "COPY a",
            "COPY --new=1 --chown a <<E",
            "RUN --new --network=moon x",
            "RUN --mount=type=moon,phase=\"full\" x",
            "RUN --mount=\"broken x",
            "RUN --mount x",
            "ONBUILD",
            "ONBUILD --x NONSENSE y",
            "ONBUILD ARG =x",
            "ONBUILD MAINTAINER x",
        ] {
            let instruction = read(line).unwrap();
            assert!(!instruction.matters(true), "{line}: {instruction:?}");
        }
    }

    #[test]
    fn invalid_instruction_that_may_name_an_image_is_refused_with_its_position() {
        for (line, problem) in [
            ("FROM --new=x a", "5: unknown flag `--new`"),
            ("FROM --platform a", "5: flag `--platform` needs a value"),
            ("COPY --link --from a b", "12: flag `--from` needs a value"),
            (
                "COPY --from=a --from=b c d",
                "5: flag `--from` is given twice",
            ),
            ("ADD --from=a b c", "4: unknown flag `--from`"),
            ("ONBUILD FROM a", "0: `ONBUILD` must not hold `FROM`"),
        ] {
            assert_eq!(read(line), Err(problem.to_owned()), "{line}");
        }
        assert!(read("RUN --mount=type=bind,\\\"from=a x").is_err());
    }

    #[test]
    fn flag_with_an_empty_value_names_no_image() {
        assert_eq!(read("COPY --from= a b"), Ok(Instruction::Copy(None)));
        assert!(matches!(
            read("FROM --platform= a"),
            Ok(Instruction::From(From { platform: None, .. }))
        ));
    }
}
