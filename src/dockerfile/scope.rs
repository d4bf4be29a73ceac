//! The variables that `FROM` can refer to: the platforms, and the `ARG`s before the first stage.
//!
//! The rules are those of BuildKit's `defaultArgs` and `buildMetaArgs`. A build argument replaces the default of a
//! declared `ARG`, without expansion; `ENV` and the `ARG`s of a stage do not reach `FROM`.

use std::collections::BTreeMap;

use super::{
    build::Build,
    context::Contexts,
    expand::{BuildVariables, ExpansionBudget, Lexer},
    file::UnreadLine,
    instruction::Trigger,
    problem::Problem,
    stages::Stages,
    text::SourceToken,
};
use crate::image::{Platform, Reference};

/// The inputs of a stage graph.
#[derive(Clone, Copy)]
pub(super) struct GraphInput<'d> {
    pub file: &'d Stages,
    /// The lines that only a frontend other than Docker's can read, where one reads the file.
    pub foreign: Option<&'d Vec<UnreadLine>>,
    /// How the file's words are read.
    pub lexer: Lexer,
    pub build: &'d Build,
    pub contexts: &'d Contexts,
    /// The triggers of images' configurations.
    pub triggers: &'d BTreeMap<&'d Reference, Vec<Trigger>>,
    /// The target platform.
    pub platform: &'d Platform,
}

/// Adds an `ARG` with its build argument, or else its default.
///
/// # Errors
///
/// A default that cannot be expanded.
pub(super) fn add_argument(
    variables: &mut BuildVariables,
    given: GraphInput<'_>,
    name: &str,
    default: Option<&SourceToken>,
    budget: &ExpansionBudget,
) -> Result<(), Problem> {
    let value = match (given.build.args.get(name), default) {
        (Some(value), _) => value.reveal().to_owned(),
        (None, Some(default)) => {
            given
                .lexer
                .word(&default.text, variables, budget)
                .map_err(|error| {
                    let offset = default.place.start();
                    Problem::dependency(&*default.text, error.to_string()).at(offset)
                })?
        }
        (None, None) => return Ok(()),
    };
    variables.insert(name.to_owned(), value);
    Ok(())
}

/// Returns the variables that need no declaration.
pub(super) fn predefined(given: GraphInput<'_>) -> BuildVariables {
    let build = given.build;
    let last = given.file.stages.last();
    let target = match &build.target {
        Some(target) if !target.is_empty() => Some(target),
        _ => last.and_then(|stage| stage.from.name.as_ref()),
    };
    let mut variables = BuildVariables::new();
    for (side, platform) in [("BUILD", &build.build_platform), ("TARGET", given.platform)] {
        for (part, value) in [
            ("PLATFORM", platform.to_string()),
            ("OS", platform.os().to_owned()),
            (
                "OSVERSION",
                platform.os_version().unwrap_or_default().to_owned(),
            ),
            ("ARCH", platform.architecture().to_owned()),
            ("VARIANT", platform.variant().unwrap_or_default().to_owned()),
        ] {
            variables.insert(format!("{side}{part}"), value);
        }
    }
    let target = target.map_or("default", String::as_str);
    variables.insert("TARGETSTAGE".to_owned(), target.to_owned());
    for (name, value) in &mut variables {
        if let Some(given) = build.args.get(name) {
            given.reveal().clone_into(value);
        }
    }
    variables
}
