//! What a line means: the images and stages that it names, after everything is checked that BuildKit checks.
//!
//! The rules are those of BuildKit's `instructions/parse.go`. An instruction that names no image is checked and
//! otherwise forgotten.

use super::{
    directive::parse_bool,
    duration,
    flags::{self, Takes},
    form::{Arguments, Form, Keyword},
    heredoc::{self, Heredoc},
    late::Late,
    mount::{self, Mount},
    problem::Problem,
    text::{Text, Token},
};

/// An instruction, as far as it matters for what a build stands on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    From(From),
    Arg(Vec<Argument>),
    /// `COPY` with its `--from`.
    Copy(Option<Token>),
    /// `RUN` with its mounts.
    Run(Vec<Mount>),
    OnBuild(Box<Trigger>),
    /// An instruction that fails once its stage is built.
    Late(Late),
    Other,
}

impl Instruction {
    /// Tells whether the instruction can name an image, or fail, later on.
    pub fn matters(&self, in_stage: bool) -> bool {
        match self {
            Self::From(_) | Self::OnBuild(_) | Self::Late(_) => true,
            Self::Arg(_) => !in_stage,
            Self::Copy(from) => from.is_some(),
            Self::Run(mounts) => !mounts.is_empty(),
            Self::Other => false,
        }
    }
}

/// `FROM image AS name`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct From {
    pub image: Token,
    pub platform: Option<Token>,
    /// The name in lower case.
    pub name: Option<String>,
}

/// `ARG name=value`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub name: String,
    pub value: Option<Token>,
}

/// What `ONBUILD` holds for a later stage; what is wrong with it shows only there.
pub(super) type Trigger = Result<Instruction, Problem>;

/// A line of the file: an instruction, and the heredocs whose bodies follow.
pub(super) struct Statement {
    pub instruction: Instruction,
    /// What is wrong with it, should its stage be built.
    pub late: Vec<Late>,
    pub heredocs: Vec<Heredoc>,
}

/// Reads a logical line.
///
/// # Errors
///
/// An instruction that does not exist, or whose flags or arguments are wrong.
pub(super) fn read(line: &Text<'_>, escape: char) -> Result<Statement, Problem> {
    let form = Form::of(line, escape)?;
    Ok(Statement {
        heredocs: form.heredocs()?,
        instruction: form.instruction(escape)?,
        late: form.late_problems(escape),
    })
}

const COPY_FLAGS: [(&str, Takes); 6] = [
    ("from", Takes::Value),
    ("chown", Takes::Value),
    ("chmod", Takes::Value),
    ("link", Takes::Switch),
    ("parents", Takes::Switch),
    ("exclude", Takes::Values),
];

const ADD_FLAGS: [(&str, Takes); 7] = [
    ("chown", Takes::Value),
    ("chmod", Takes::Value),
    ("link", Takes::Switch),
    ("keep-git-dir", Takes::Switch),
    ("checksum", Takes::Value),
    ("unpack", Takes::Switch),
    ("exclude", Takes::Values),
];

const RUN_FLAGS: [(&str, Takes); 4] = [
    ("mount", Takes::Values),
    ("device", Takes::Values),
    ("network", Takes::Value),
    ("security", Takes::Value),
];

const HEALTHCHECK_TIMES: [&str; 4] = ["interval", "timeout", "start-period", "start-interval"];

impl Form<'_> {
    fn instruction(&self, escape: char) -> Result<Instruction, Problem> {
        match self.keyword {
            None => Err(self.unknown()),
            Some(Keyword::From) => self.from(),
            Some(Keyword::Arg) => self.arg(),
            Some(Keyword::Copy) => self.copy(),
            Some(Keyword::Run) => self.run(),
            Some(Keyword::OnBuild) => self.on_build(escape),
            Some(keyword) => self.other(keyword).map(|()| Instruction::Other),
        }
    }

    fn from(&self) -> Result<Instruction, Problem> {
        let Arguments::Words(words) = &self.arguments else {
            return Err(self.dependency("`FROM` takes no JSON array"));
        };
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
        self.check_flags(&[("platform", Takes::Value)])
            .map_err(|problem| Problem {
                kind: super::DockerfileErrorKind::Dependency,
                ..problem
            })?;
        Ok(Instruction::From(From {
            image: self.line.token(image.clone()),
            platform: self.flag("platform").filter(|value| !value.text.is_empty()),
            name,
        }))
    }

    fn stage_name(&self, word: &std::ops::Range<usize>) -> Result<String, Problem> {
        let written = self.text(word);
        let name = written.to_lowercase();
        let mut bytes = name.bytes();
        if bytes.next().is_some_and(|b| b.is_ascii_lowercase())
            && bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
        {
            return Ok(name);
        }
        let message =
            "a stage name begins with a letter and holds letters, digits, `-`, `_` and `.` only";
        Err(Problem::dependency(written, message).at(self.line.offset(word.start)))
    }

    fn arg(&self) -> Result<Instruction, Problem> {
        let Arguments::Words(words) = &self.arguments else {
            return Err(self.syntax("`ARG` takes no JSON array"));
        };
        if words.is_empty() {
            return Err(self.syntax("`ARG` needs a name"));
        }
        let mut arguments = Vec::with_capacity(words.len());
        for word in words {
            let text = self.text(word);
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

    fn copy(&self) -> Result<Instruction, Problem> {
        self.check_destination()?;
        self.check_flags(&COPY_FLAGS)?;
        let from = self.flag("from").filter(|from| !from.text.is_empty());
        Ok(Instruction::Copy(from))
    }

    /// The last argument of `COPY` and `ADD` says where to, and so cannot be a heredoc.
    fn check_destination(&self) -> Result<(), Problem> {
        let count = self.arguments.len();
        if count < 2 {
            return Err(self.syntax("at least a source and a destination are needed"));
        }
        let destination = self.arguments.text(self.line.as_str(), count - 1);
        match heredoc::of_word(destination) {
            Ok(Some(_)) => Err(self.syntax("the destination must not be a heredoc")),
            _ => Ok(()),
        }
    }

    fn run(&self) -> Result<Instruction, Problem> {
        self.check_flags(&RUN_FLAGS)?;
        let choices: [(&str, &[&str]); 2] = [
            ("network", &["default", "none", "host"]),
            ("security", &["sandbox", "insecure"]),
        ];
        for (name, choices) in choices {
            if let Some(value) = self.flag(name).filter(|v| !choices.contains(&&*v.text)) {
                let message = format!("`--{name}` takes one of {}", choices.join(", "));
                return Err(Problem::syntax(value.text, message).at(value.place.start()));
            }
        }
        for flag in flags::named(&self.command.flags, "device") {
            let value = flag.parts().1.unwrap_or_default();
            check_device(value)
                .map_err(|message| Problem::syntax(value, message).at(flag.offset(self.line)))?;
        }
        flags::named(&self.command.flags, "mount")
            .map(|flag| mount::read(self.line, flag))
            .collect::<Result<_, _>>()
            .map(Instruction::Run)
    }

    fn on_build(&self, escape: char) -> Result<Instruction, Problem> {
        if self.arguments.len() == 0 {
            return Err(self.syntax("`ONBUILD` needs an instruction"));
        }
        self.check_flags(&[])?;
        let line = self.line.tail(self.command.rest.start);
        // The form of a trigger counts here, its meaning only where it runs; there the escape character is a backslash.
        let form = Form::of(&line, escape)?;
        match form.keyword {
            Some(Keyword::OnBuild) => return Err(self.syntax("`ONBUILD` must not hold `ONBUILD`")),
            Some(Keyword::From | Keyword::Maintainer) => {
                return Err(self.syntax("`ONBUILD` must hold neither `FROM` nor `MAINTAINER`"));
            }
            _ => {}
        }
        let trigger = Form::of(&line, '\\').and_then(|form| {
            let instruction = form.instruction('\\')?;
            let late = form.late_problems(escape).into_iter().next();
            late.map_or(Ok(instruction), |late| Err(late.problem))
        });
        Ok(Instruction::OnBuild(Box::new(trigger)))
    }

    /// Checks an instruction that names no image.
    fn other(&self, keyword: Keyword) -> Result<(), Problem> {
        let count = self.arguments.len();
        match keyword {
            Keyword::Add => {
                self.check_destination()?;
                self.check_flags(&ADD_FLAGS)
            }
            Keyword::Env | Keyword::Label => {
                self.check_flags(&[])?;
                let names = (0..count).step_by(2);
                let mut names = names.map(|n| self.arguments.text(self.line.as_str(), n));
                if count == 0 {
                    return Err(self.syntax("at least one argument is needed"));
                }
                match names.any(str::is_empty) {
                    true => Err(self.syntax("a name must not be blank")),
                    false => Ok(()),
                }
            }
            Keyword::Expose | Keyword::Volume | Keyword::Shell if count == 0 => {
                Err(self.syntax("at least one argument is needed"))
            }
            Keyword::Maintainer | Keyword::User | Keyword::Workdir | Keyword::StopSignal
                if count != 1 =>
            {
                Err(self.syntax("an argument is needed"))
            }
            // BuildKit looks at no flag of this one.
            Keyword::StopSignal => Ok(()),
            Keyword::Shell if matches!(self.arguments, Arguments::Words(_)) => {
                Err(self.syntax("the arguments of `SHELL` must be a JSON array"))
            }
            Keyword::Volume if (0..count).any(|n| self.argument(n).trim().is_empty()) => {
                Err(self.syntax("a volume must not be blank"))
            }
            Keyword::Healthcheck => self.healthcheck(),
            _ => self.check_flags(&[]),
        }
    }

    fn healthcheck(&self) -> Result<(), Problem> {
        match self.argument(0).to_uppercase().as_str() {
            "" => return Err(self.syntax("`HEALTHCHECK` needs `CMD` or `NONE`")),
            "NONE" if self.arguments.len() > 1 => {
                return Err(self.syntax("`HEALTHCHECK NONE` takes no arguments"));
            }
            "NONE" => return Ok(()),
            _ => {}
        }
        let times = HEALTHCHECK_TIMES.map(|name| (name, Takes::Value));
        let known: Vec<_> = times
            .into_iter()
            .chain([("retries", Takes::Value)])
            .collect();
        self.check_flags(&known)?;
        if !self.argument(0).eq_ignore_ascii_case("CMD") {
            return Err(self.syntax("`HEALTHCHECK` needs `CMD` or `NONE`"));
        }
        if self.arguments.len() < 2 {
            return Err(self.syntax("`HEALTHCHECK CMD` needs a command"));
        }
        for time in HEALTHCHECK_TIMES.iter().filter_map(|name| self.flag(name)) {
            let valid = match duration::parse(&time.text) {
                Some(nanoseconds) => nanoseconds == 0 || nanoseconds >= 1_000_000,
                None => time.text.is_empty(),
            };
            if !valid {
                let message = "a duration such as `30s` is needed, of at least 1ms";
                return Err(Problem::syntax(time.text, message).at(time.place.start()));
            }
        }
        match self.flag("retries") {
            Some(retries)
                if !retries.text.is_empty() && !matches!(retries.text.parse::<i32>(), Ok(0..)) =>
            {
                let message = "`--retries` takes a number that is not negative";
                Err(Problem::syntax(retries.text, message).at(retries.place.start()))
            }
            _ => Ok(()),
        }
    }

    fn check_flags(&self, known: &[(&str, Takes)]) -> Result<(), Problem> {
        flags::check(self.line, &self.command.flags, known)
    }

    /// Returns the value of a flag.
    fn flag(&self, name: &str) -> Option<Token> {
        flags::named(&self.command.flags, name)
            .last()?
            .value(self.line)
    }

    fn argument(&self, n: usize) -> &str {
        self.arguments.text(self.line.as_str(), n)
    }

    fn text(&self, range: &std::ops::Range<usize>) -> &str {
        self.line.as_str().get(range.clone()).unwrap_or_default()
    }

    fn unknown(&self) -> Problem {
        let name = self.text(&self.command.name);
        Problem::syntax(name, "there is no such instruction").at(self.offset())
    }

    fn syntax(&self, message: &str) -> Problem {
        Problem::syntax(self.line.as_str().trim(), message).at(self.offset())
    }

    fn dependency(&self, message: &str) -> Problem {
        Problem::dependency(self.line.as_str().trim(), message).at(self.offset())
    }
}

/// Tells whether a word is `AS`; Go folds the long s of older German to an s.
fn is_as(word: &str) -> bool {
    word.eq_ignore_ascii_case("as") || word == "a\u{17f}" || word == "A\u{17f}"
}

/// Checks the value of `--device`, `name[,required]`.
fn check_device(value: &str) -> Result<(), &'static str> {
    let mut named = false;
    for field in mount::fields(value)? {
        let (key, value) = match field.text.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), Some(value)),
            None => (field.text.to_lowercase(), None),
        };
        match (key.as_str(), value) {
            ("required", None) => {}
            ("required", Some(value)) if parse_bool(value).is_some() => {}
            ("required", Some(_)) => return Err("`required` of a device takes a truth value"),
            ("name", Some(_)) if named => return Err("a device has one name"),
            ("name", Some(value)) => named = !value.is_empty(),
            _ if named => return Err("a device has a name and `required` only"),
            _ => named = !field.text.is_empty(),
        }
    }
    Ok(())
}
