//! Groups instructions into stages with the crate `dockerfile-parser`.
//!
//! The crate knows the instructions of a Dockerfile, but not BuildKit's lines, heredocs, quotes and escapes, and it
//! recurses where a line is continued. So it gets a canonical text: one line for each instruction that matters, with a
//! number in place of every word from the file. It cannot refuse that text or split it differently. See
//! `docs/design/0001-dockerfile-parser.md`; only this file uses the crate.

use std::fmt::Write as _;

use dockerfile_parser as canonical;

use super::{
    instruction::{Argument, From, Instruction},
    problem::Problem,
};

/// The instructions of a file that matter, grouped.
#[derive(Debug, Default)]
pub(super) struct Stages {
    /// The `ARG`s before the first stage: all that `FROM` can refer to.
    pub arguments: Vec<Argument>,
    pub stages: Vec<Stage>,
}

/// A `FROM` and the instructions behind it that name an image or a stage, or may do so later.
#[derive(Debug)]
pub(super) struct Stage {
    pub from: From,
    pub steps: Vec<Instruction>,
}

impl Stages {
    /// Groups the instructions of a file: the crate finds the arguments and the stages, and the instructions between
    /// two `FROM`s belong to the first.
    ///
    /// # Errors
    ///
    /// No file can cause one: the canonical text is always read back as written.
    pub fn of(instructions: Vec<Instruction>) -> Result<Self, Problem> {
        let text = write(&instructions);
        let file = canonical::Dockerfile::parse(&text).map_err(|_| misread())?;
        let mut numbers = file.instructions.iter().map(number);
        let mut next = numbers.next();
        let mut stages = Self::default();
        for (n, instruction) in instructions.into_iter().enumerate() {
            if next == Some(Some(n)) {
                next = numbers.next();
                stages.begin(instruction)?;
            } else if let Some(stage) = stages.stages.last_mut() {
                stage.steps.push(instruction);
            }
        }
        match next {
            None => Ok(stages),
            Some(_) => Err(misread()),
        }
    }

    fn begin(&mut self, instruction: Instruction) -> Result<(), Problem> {
        match instruction {
            Instruction::From(from) => self.stages.push(Stage {
                from,
                steps: Vec::new(),
            }),
            Instruction::Arg(arguments) => self.arguments.extend(arguments),
            _ => return Err(misread()),
        }
        Ok(())
    }
}

fn misread() -> Problem {
    Problem::syntax("", "the file cannot be split into stages")
}

/// Writes a line for each stage, and for each `ARG` before the first.
fn write(instructions: &[Instruction]) -> String {
    let mut text = String::new();
    let mut in_stage = false;
    for (n, instruction) in instructions.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = match instruction {
            Instruction::From(_) => {
                in_stage = true;
                writeln!(text, "FROM i{n}")
            }
            Instruction::Arg(_) if !in_stage => writeln!(text, "ARG i{n}"),
            _ => Ok(()),
        };
    }
    text
}

/// Returns the number in a canonical instruction.
fn number(line: &canonical::Instruction) -> Option<usize> {
    let word = match line {
        canonical::Instruction::From(from) => &from.image.content,
        canonical::Instruction::Arg(argument) => &argument.name.content,
        _ => return None,
    };
    word.strip_prefix('i')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::{parsed_line::ParsedLine, text::LogicalLine};
    use super::*;

    fn stages(lines: &[&str]) -> Stages {
        let read = |line: &&str| {
            ParsedLine::of(&LogicalLine::new(line, 0))
                .instruction('\\')
                .unwrap()
        };
        Stages::of(lines.iter().map(read).collect()).unwrap()
    }

    #[test]
    fn instructions_are_grouped_by_the_preceding_from() {
        let stages = stages(&[
            "ARG A=1 B",
            "FROM a AS x",
            "RUN --mount=from=b c",
            "FROM d",
            "COPY --from=x e f",
            "ONBUILD RUN g",
        ]);
        let arguments: Vec<&str> = stages.arguments.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(arguments, ["A", "B"]);
        let images: Vec<&str> = stages
            .stages
            .iter()
            .map(|stage| stage.from.image.text.as_str())
            .collect();
        assert_eq!(images, ["a", "d"]);
        assert!(
            matches!(stages.stages[0].steps.as_slice(), [Instruction::Run(mounts)] if mounts.len() == 1)
        );
        assert!(matches!(
            stages.stages[1].steps.as_slice(),
            [Instruction::Copy(Some(_)), Instruction::OnBuild(_)]
        ));
    }

    #[test]
    fn stages_are_written_with_placeholders_for_image_names() {
        let text = write(
            &stages(&["FROM ${A:-\"x\"}"])
                .stages
                .into_iter()
                .map(|stage| Instruction::From(stage.from))
                .collect::<Vec<_>>(),
        );
        assert_eq!(text, "FROM i0\n");
    }
}
