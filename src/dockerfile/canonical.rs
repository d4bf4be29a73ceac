//! Stages, by way of the crate `dockerfile-parser`.
//!
//! The crate knows the instructions of a Dockerfile and neither BuildKit's lines nor its heredocs, quotes and escapes,
//! and it recurses where a line is continued. So it gets a canonical text: one line for each instruction that
//! matters, with a number in place of every word that somebody else wrote. It cannot refuse that text, nor split it in
//! another way. See `docs/design/0001-dockerfile-parser.md`; nothing outside this file knows the crate.

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
    /// Groups the instructions of a file.
    ///
    /// # Errors
    ///
    /// None that a file can cause: the canonical text is always read back as it was written.
    pub fn of(instructions: Vec<Instruction>) -> Result<Self, Problem> {
        let text = write(&instructions);
        let mut instructions: Vec<_> = instructions.into_iter().map(Some).collect();
        let mut stages = Self::default();
        let file = canonical::Dockerfile::parse(&text).map_err(|_| misread())?;
        for line in &file.instructions {
            let instruction = number(line)
                .and_then(|number| instructions.get_mut(number)?.take())
                .ok_or_else(misread)?;
            stages.push(instruction);
        }
        Ok(stages)
    }

    fn push(&mut self, instruction: Instruction) {
        match (instruction, self.stages.last_mut()) {
            (Instruction::From(from), _) => self.stages.push(Stage {
                from,
                steps: Vec::new(),
            }),
            (Instruction::Arg(arguments), None) => self.arguments.extend(arguments),
            (step, Some(stage)) => stage.steps.push(step),
            (_, None) => {}
        }
    }
}

fn misread() -> Problem {
    Problem::syntax("", "the file cannot be split into stages")
}

/// Writes one line for each instruction that matters; `ARG` matters before the first stage only.
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
            Instruction::Copy(Some(_)) => writeln!(text, "COPY --from=i{n} s d"),
            Instruction::Run(mounts) if !mounts.is_empty() => writeln!(text, "RUN i{n}"),
            Instruction::OnBuild(_) => writeln!(text, "ONBUILD i{n}"),
            Instruction::Late(_) => writeln!(text, "LATE i{n}"),
            _ => Ok(()),
        };
    }
    text
}

/// Returns the number that stands in a canonical instruction.
fn number(line: &canonical::Instruction) -> Option<usize> {
    let word = match line {
        canonical::Instruction::From(from) => from.image.content.clone(),
        canonical::Instruction::Arg(argument) => argument.name.content.clone(),
        canonical::Instruction::Copy(copy) => copy.flags.first()?.value.content.clone(),
        canonical::Instruction::Run(run) => run.as_shell()?.to_string(),
        canonical::Instruction::Misc(other) => other.arguments.to_string(),
        _ => return None,
    };
    word.trim().strip_prefix('i')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::{instruction, text::Text};
    use super::*;

    fn stages(lines: &[&str]) -> Stages {
        let read = |line: &&str| instruction::read(&Text::new(line, 0), '\\').unwrap();
        Stages::of(lines.iter().map(|line| read(line).instruction).collect()).unwrap()
    }

    #[test]
    fn instructions_are_grouped_by_the_from_before_them() {
        let stages = stages(&[
            "ARG A=1 B",
            "FROM a AS x",
            "ARG C",
            "RUN --mount=from=b c",
            "RUN c",
            "FROM d",
            "COPY --from=x e f",
            "COPY e f",
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
    fn words_never_reach_the_crate() {
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
