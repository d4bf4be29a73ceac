//! A parsed Dockerfile.

use std::collections::BTreeMap;

use crate::secret::MaskedText;

use super::{
    build::Build,
    frontend,
    heredoc::Heredoc,
    instruction::{From, Instruction},
    lines::LineReader,
    parsed_line::{Keyword, ParsedLine},
    problem::{DockerfileError, Problem},
    stages::Stages,
    text::{self, LogicalLine, SourceToken},
};

/// The build argument that names the frontend in place of `# syntax=`.
const SYNTAX: &str = "BUILDKIT_SYNTAX";

/// How much of a line an error shows, in characters.
const MOST_TEXT: usize = 120;

/// A Dockerfile: what its stages depend on, and the bytes that it was read from.
#[derive(Debug)]
pub struct Dockerfile {
    pub(super) bytes: Vec<u8>,
    /// The character that escapes in words.
    pub(super) escape: char,
    /// The image of the frontend, as written behind `# syntax=`.
    pub(super) frontend: Option<SourceToken>,
    pub(super) stages: Stages,
    /// The lines that Docker's own frontend cannot read, in order.
    pub(super) unread: Vec<UnreadLine>,
    /// The first line with a heredoc.
    heredoc: Option<Problem>,
    /// The first place that podman and buildah read otherwise than BuildKit, besides heredocs.
    unlike_buildah: Option<Problem>,
    /// Whether the file has only comments and blank lines.
    is_empty: bool,
}

/// A line that Docker's own frontend cannot read.
#[derive(Debug)]
pub(super) struct UnreadLine {
    pub text: String,
    /// The byte offset of the line's start.
    pub offset: usize,
    pub in_stage: bool,
    /// Why the images of the file are unknown without this line; `None` if only the builder needs to read it.
    problem: Option<Problem>,
}

impl Dockerfile {
    /// Reads a Dockerfile as BuildKit reads it, as far as it names images.
    ///
    /// # Errors
    ///
    /// The first line from which BuildKit could not find the images, whatever the build's arguments and target are; no
    /// error if the file asks for a frontend other than Docker's.
    pub fn parse(bytes: &[u8]) -> Result<Self, DockerfileError> {
        Self::parse_with(bytes, &BTreeMap::new())
    }

    /// Reads a Dockerfile for a build with these arguments: one of them may name another frontend.
    pub fn parse_with(
        bytes: &[u8],
        args: &BTreeMap<String, MaskedText>,
    ) -> Result<Self, DockerfileError> {
        let text = text::decode(bytes);
        let located = |problem: Problem| problem.located(&text);
        let (mut lines, mut reader) = (LineReader::new(&text), FileReader::default());
        reader.read_all(&mut lines);
        let file = Self {
            bytes: bytes.to_vec(),
            escape: lines.escape(),
            frontend: frontend::of_file(&text),
            stages: Stages::of(reader.instructions).map_err(located)?,
            unread: reader.unread,
            heredoc: reader.heredoc,
            unlike_buildah: lines.unlike,
            is_empty: !reader.has_lines,
        };
        match file.problem() {
            Some(problem) if !file.names_foreign(args) => Err(located(problem)),
            _ => Ok(file),
        }
    }

    /// Returns the image of the frontend that a build with these arguments asks for, as written: that of the build argument
    /// `BUILDKIT_SYNTAX`, else that of `# syntax=`.
    pub fn frontend<'a>(&'a self, args: &'a BTreeMap<String, MaskedText>) -> Option<&'a str> {
        let of_file = self.frontend.as_ref().map(|token| token.text.as_str());
        given_frontend(args).or(of_file)
    }

    /// Returns where the file has a heredoc, as an error for a builder that reads none.
    pub fn heredoc(&self) -> Option<DockerfileError> {
        self.located(&self.heredoc)
    }

    /// Returns the first place that podman and buildah read otherwise than BuildKit, whatever their version.
    pub fn unlike_buildah(&self) -> Option<DockerfileError> {
        self.located(&self.unlike_buildah)
    }

    fn located(&self, problem: &Option<Problem>) -> Option<DockerfileError> {
        let problem = problem.clone()?;
        Some(problem.located(&text::decode(&self.bytes)))
    }

    /// Tells whether a frontend other than Docker's reads the file, and every builder of the build pulls it.
    pub fn is_foreign(&self, build: &Build) -> bool {
        !build.without_frontend && self.names_foreign(&build.args)
    }

    /// Tells whether a build with these arguments asks for a frontend other than Docker's.
    fn names_foreign(&self, args: &BTreeMap<String, MaskedText>) -> bool {
        self.frontend(args)
            .is_some_and(|image| !frontend::is_dockers(image))
    }

    /// Returns why Docker's own frontend cannot find the images of the file.
    pub(super) fn problem(&self) -> Option<Problem> {
        let no_stage = || {
            let mut words = self
                .unread
                .iter()
                .filter_map(|line| line.text.split_whitespace().next());
            let slip =
                words.find(|word| strsim::damerau_levenshtein(&word.to_uppercase(), "FROM") == 1);
            let meant = slip.map_or(String::new(), |word| format!("; `{word}` is none"));
            let message = &format!("the file holds no stage: there is no `FROM`{meant}");
            let without = self.stages.stages.is_empty();
            without.then(|| {
                if self.is_empty {
                    Problem::syntax("", "the file holds no instruction")
                } else {
                    Problem::dependency("", message)
                }
            })
        };
        let mut unread = self.unread.iter();
        unread
            .find_map(|line| line.problem.clone())
            .or_else(no_stage)
    }
}

/// Returns the frontend image that a build argument names.
pub(super) fn given_frontend(args: &BTreeMap<String, MaskedText>) -> Option<&str> {
    args.get(SYNTAX)?.reveal().trim().split(' ').next()
}

/// The instructions read from the lines of a file.
#[derive(Default)]
struct FileReader {
    instructions: Vec<Instruction>,
    unread: Vec<UnreadLine>,
    in_stage: bool,
    /// Whether a heredoc of an unknown instruction was not closed: then no others are searched for, so that the file is
    /// read only once.
    has_open_heredoc: bool,
    /// The first line with a heredoc.
    heredoc: Option<Problem>,
    has_lines: bool,
}

impl FileReader {
    fn read_all(&mut self, lines: &mut LineReader<'_>) {
        loop {
            match lines.next() {
                Ok(None) => return,
                Ok(Some(line)) => {
                    self.has_lines = true;
                    self.read(&line, lines);
                }
                Err(problem) => {
                    let (text, offset) = (problem.text.clone(), problem.at.unwrap_or_default());
                    self.leave(&text, offset, Some(problem));
                }
            }
        }
    }

    fn read(&mut self, line: &LogicalLine<'_>, lines: &mut LineReader<'_>) {
        let form = ParsedLine::of(line);
        let read = match form.keyword {
            Some(Keyword::Arg) if self.in_stage => Ok(Instruction::Other),
            _ => form.instruction(lines.escape()),
        };
        self.in_stage |= form.keyword == Some(Keyword::From);
        match read {
            Ok(instruction) => self.add(instruction),
            Err(problem) => self.leave(line.as_str(), form.offset(), Some(problem)),
        }
        match form.keyword {
            None => {
                self.leave(line.as_str(), form.offset(), None);
                self.seek_heredocs(&form, lines);
            }
            Some(_) => self.skip_heredocs(&form, lines),
        }
    }

    fn add(&mut self, instruction: Instruction) {
        let belongs_to_stage = !matches!(instruction, Instruction::From(_) | Instruction::Arg(_));
        if !instruction.matters(self.in_stage) {
            return;
        }
        if belongs_to_stage && !self.in_stage {
            // The stage begins in a line that only another frontend can read.
            self.in_stage = true;
            self.instructions.push(Instruction::From(From::nothing()));
        }
        self.instructions.push(instruction);
    }

    /// Records a line that this parser cannot read.
    fn leave(&mut self, text: &str, offset: usize, problem: Option<Problem>) {
        self.unread.push(UnreadLine {
            text: text.trim().chars().take(MOST_TEXT).collect(),
            offset,
            in_stage: self.in_stage,
            problem,
        });
    }

    fn skip_heredocs(&mut self, form: &ParsedLine<'_>, lines: &mut LineReader<'_>) {
        let heredocs = match form.heredocs() {
            Ok(heredocs) => heredocs,
            Err(problem) => return self.leave(form.line.as_str(), form.offset(), Some(problem)),
        };
        self.note_heredoc(form, &heredocs);
        for heredoc in heredocs {
            if !lines.skip_heredoc(&heredoc.name, heredoc.without_tabs) {
                let message = "the line that ends this heredoc is missing";
                let problem = Problem::syntax(heredoc.name, message).at(form.offset());
                return self.leave(form.line.as_str(), form.offset(), Some(problem));
            }
        }
    }

    fn note_heredoc(&mut self, form: &ParsedLine<'_>, heredocs: &[Heredoc]) {
        if let Some(heredoc) = heredocs.first() {
            let message =
                "this version of the builder reads the lines of a heredoc as instructions";
            let problem = || Problem::syntax(heredoc.name.as_str(), message).at(form.offset());
            self.heredoc.get_or_insert_with(problem);
        }
    }

    /// Skips the heredocs of an unknown instruction, if it has any.
    fn seek_heredocs(&mut self, form: &ParsedLine<'_>, lines: &mut LineReader<'_>) {
        if self.has_open_heredoc {
            return;
        }
        let here = lines.position();
        let heredocs = form.heredocs().unwrap_or_default();
        self.note_heredoc(form, &heredocs);
        let mut heredocs = heredocs.iter();
        if !heredocs.all(|heredoc| lines.skip_heredoc(&heredoc.name, heredoc.without_tabs)) {
            lines.go_back(here);
            self.has_open_heredoc = true;
        }
    }
}

/// Reads an `ONBUILD` trigger from an image's configuration: one instruction alone.
pub(super) fn trigger(text: &str) -> Result<Instruction, Problem> {
    let mut lines = LineReader::new(text);
    let Some(line) = lines.next()? else {
        return Err(Problem::dependency(text, "the trigger is empty"));
    };
    let form = ParsedLine::of(&line);
    let instruction = form.instruction(lines.escape())?;
    for heredoc in form.heredocs()? {
        if !lines.skip_heredoc(&heredoc.name, heredoc.without_tabs) {
            return Err(Problem::dependency(
                text,
                "the heredoc of the trigger has no end",
            ));
        }
    }
    match (instruction, lines.next()?) {
        (Instruction::From(_), _) => {
            Err(Problem::dependency(text, "a trigger must not be a `FROM`"))
        }
        (_, Some(_)) => Err(Problem::dependency(
            text,
            "a trigger must be one instruction",
        )),
        (instruction, None) => Ok(instruction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> FileReader {
        let mut reader = FileReader::default();
        reader.read_all(&mut LineReader::new(file));
        reader
    }

    fn unread(file: &str) -> Vec<String> {
        let lines = read(file);
        lines.unread.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn unknown_line_of_another_frontend_is_kept_as_unread() {
        assert_eq!(
            unread("INCLUDE a \\\n  b\nFROM x y\nRUN z\n\nCOPY --from c d\n"),
            ["INCLUDE a   b", "FROM x y", "COPY --from c d"]
        );
        assert_eq!(unread("# escape=^\nFROM a"), ["^"]);
        assert_eq!(unread("FROM a\nRUN <<E\nFROM b\n"), ["RUN <<E"]);
    }

    #[test]
    fn heredoc_of_an_unknown_instruction_holds_no_instructions() {
        assert_eq!(
            unread("PYTHON <<E\nFROM a import b\nE\nFROM x"),
            ["PYTHON <<E"]
        );
        let lines = read("PYTHON <<E\nFROM a\nPYTHON <<F\nF\n");
        assert_eq!(lines.instructions.len(), 1);
        assert_eq!(lines.unread.len(), 3, "after one that ends nowhere none is");
    }

    #[test]
    fn dockerfile_errors_are_reported_only_for_the_docker_frontend() {
        let problem = |file: &str, args: &[(&str, &str)]| {
            let args = args.iter().map(|(k, v)| ((*k).to_owned(), (*v).into()));
            Dockerfile::parse_with(file.as_bytes(), &args.collect()).err()
        };
        let file = "FROM a b\n";
        assert!(problem(file, &[]).is_some());
        assert!(problem(&format!("# syntax=docker/dockerfile:1\n{file}"), &[]).is_some());
        let foreign = format!("# syntax=x/y\n{file}");
        assert!(problem(&foreign, &[]).is_none());
        assert!(problem(&foreign, &[(SYNTAX, "docker/dockerfile")]).is_some());
        assert!(problem(file, &[(SYNTAX, "x/y cmdline")]).is_none());
        assert!(problem("", &[(SYNTAX, "x/y")]).is_none());
        assert!(problem("RUN a\nNONSENSE b\nFROM c\n", &[]).is_none());
    }

    #[test]
    fn builder_without_frontends_reads_no_file_of_another_frontend() {
        let build = Build {
            without_frontend: true,
            ..Build::on_host(&[])
        };
        let error = |file: &str| {
            let file = Dockerfile::parse(file.as_bytes()).unwrap();
            assert_eq!(file.unread(&build), []);
            file.bases(&build).unwrap_err().to_string()
        };
        let mount = "# syntax=x/y\nFROM a\nRUN --mount=from=tarball:/x,target=/y z\n";
        assert!(error(mount).contains("line 3"), "{}", error(mount));
        assert!(error("# syntax=x/y\nINCLUDE a\n").contains("no stage"));
    }

    #[test]
    fn first_heredoc_of_a_file_is_found() {
        let line = |file: &str| {
            let file = Dockerfile::parse(file.as_bytes()).unwrap();
            file.heredoc().map(|error| error.line)
        };
        assert_eq!(line("FROM a\nRUN x\nCOPY <<E <<F /\nE\nF\n"), Some(3));
        assert_eq!(line("FROM a\nPYTHON <<E\nE\n"), Some(2));
        assert_eq!(line("FROM a\nRUN cat <<<E\n"), None);
    }
}
