//! A Dockerfile, read.

use super::{
    canonical::Stages,
    directive,
    instruction::{self, Instruction},
    lines::Lines,
    problem::{DockerfileError, Problem},
    text::{self, Token},
};

/// A Dockerfile: what its stages stand on, and the bytes that it was read from.
#[derive(Debug)]
pub struct Dockerfile {
    pub(super) bytes: Vec<u8>,
    /// The character that escapes in words.
    pub(super) escape: char,
    /// The image of the frontend, as written behind `# syntax=`.
    pub(super) frontend: Option<Token>,
    pub(super) stages: Stages,
}

impl Dockerfile {
    /// Reads a Dockerfile as BuildKit reads it, every instruction of it.
    ///
    /// # Errors
    ///
    /// The first line that BuildKit would refuse whatever the build's arguments and target are.
    pub fn parse(bytes: &[u8]) -> Result<Self, DockerfileError> {
        let text = text::decode(bytes);
        Self::read(&text, bytes).map_err(|problem| problem.located(&text))
    }

    fn read(text: &str, bytes: &[u8]) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::syntax("", "the file is empty"));
        }
        let (instructions, escape) = instructions(text)?;
        let stages = Stages::of(instructions)?;
        if stages.stages.is_empty() {
            return Err(Problem::dependency(
                "",
                "the file holds no stage: there is no `FROM`",
            ));
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            escape,
            frontend: directive::frontend(text),
            stages,
        })
    }

    /// Returns the image of the frontend that the file asks for with `# syntax=`, as written.
    #[must_use]
    pub fn frontend(&self) -> Option<&str> {
        self.frontend.as_ref().map(|token| token.text.as_str())
    }
}

/// Reads all instructions of a file, and returns those that matter, and the character that escapes in it.
fn instructions(text: &str) -> Result<(Vec<Instruction>, char), Problem> {
    let mut lines = Lines::new(text);
    let mut instructions = Vec::new();
    let mut in_stage = false;
    let mut is_empty = true;
    while let Some(line) = lines.next()? {
        is_empty = false;
        let statement = instruction::read(&line, lines.escape())?;
        let outside = || {
            Problem::syntax(
                line.as_str().trim(),
                "only `ARG` may stand before the first `FROM`",
            )
            .at(line.offset(0))
        };
        match statement.instruction {
            Instruction::From(_) => in_stage = true,
            Instruction::Arg(_) => {}
            _ if !in_stage => return Err(outside()),
            _ => {}
        }
        for heredoc in statement.heredocs {
            if !lines.skip_heredoc(&heredoc.name, heredoc.without_tabs)? {
                let message = "the line that ends this heredoc is missing";
                return Err(Problem::syntax(heredoc.name, message).at(line.offset(0)));
            }
        }
        if statement.instruction.matters(in_stage) {
            instructions.push(statement.instruction);
        }
        if in_stage {
            instructions.extend(statement.late.into_iter().map(Instruction::Late));
        }
    }
    match is_empty {
        true => Err(Problem::syntax("", "the file holds no instruction")),
        false => Ok((instructions, lines.escape())),
    }
}

/// Reads the trigger of an image, an instruction that stands alone.
pub(super) fn trigger(text: &str) -> Result<Instruction, Problem> {
    let mut lines = Lines::new(text);
    let Some(line) = lines.next()? else {
        return Err(Problem::dependency(text, "the trigger is empty"));
    };
    let statement = instruction::read(&line, lines.escape())?;
    for heredoc in statement.heredocs {
        if !lines.skip_heredoc(&heredoc.name, heredoc.without_tabs)? {
            return Err(Problem::dependency(
                text,
                "the heredoc of the trigger has no end",
            ));
        }
    }
    match (statement.instruction, lines.next()?) {
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
