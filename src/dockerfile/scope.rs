//! The variables that `FROM` can refer to: the platforms, and the `ARG`s before the first stage.
//!
//! The rules are those of BuildKit's `defaultArgs` and `buildMetaArgs`. A build argument replaces a default that was
//! declared, as it is; nothing else reaches `FROM`, neither `ENV` nor the `ARG` of a stage.

use super::{
    bases::Build,
    canonical::Stages,
    expand::{Budget, Lexer, Variables},
    problem::Problem,
};
use crate::image::Platform;

/// Returns the variables of a build for one target platform.
///
/// # Errors
///
/// A default that cannot be expanded.
pub(super) fn variables(
    file: &Stages,
    build: &Build,
    platform: &Platform,
    lexer: Lexer,
    budget: &Budget,
) -> Result<Variables, Problem> {
    let mut variables = predefined(file, build, platform);
    for argument in &file.arguments {
        let value = match (build.args.get(&argument.name), &argument.value) {
            (Some(given), _) => given.clone(),
            (None, Some(default)) => {
                lexer
                    .word(&default.text, &variables, budget)
                    .map_err(|error| {
                        Problem::dependency(&*default.text, error.to_string())
                            .at(default.place.start())
                    })?
            }
            (None, None) => continue,
        };
        variables.insert(argument.name.clone(), value);
    }
    Ok(variables)
}

fn predefined(file: &Stages, build: &Build, platform: &Platform) -> Variables {
    let target = match &build.target {
        Some(target) if !target.is_empty() => Some(target),
        _ => file
            .stages
            .last()
            .and_then(|stage| stage.from.name.as_ref()),
    };
    let mut variables = Variables::new();
    for (side, platform) in [("BUILD", &build.build_platform), ("TARGET", platform)] {
        for (part, value) in [
            ("PLATFORM", platform.to_string()),
            ("OS", platform.os().to_owned()),
            ("OSVERSION", String::new()),
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
            given.clone_into(value);
        }
    }
    variables
}
