//! The builders of a run, and for which platforms each builds.

use crate::{
    builder::{self, Builder, BuilderKind},
    error::{Context as _, Kind, Result},
    image::Platform,
};

use super::{App, execution::Execution, inputs::Inputs, placing, platforms};

#[derive(Debug)]
pub(super) struct PlacedBuilder {
    /// The name in the config file, else its kind.
    pub name: String,
    pub builder: Builder,
    /// The platforms that it builds for; if empty, all of the run.
    pub platforms: Vec<Platform>,
}

impl PlacedBuilder {
    /// Returns a placeholder for a run that needs no builder.
    pub fn none() -> Self {
        Self {
            name: String::new(),
            builder: Builder::none(),
            platforms: Vec::new(),
        }
    }

    /// Finds a builder by its name, else the chosen one.
    ///
    /// # Errors
    ///
    /// As [`builder::detect`].
    pub async fn find(app: &App, name: Option<&str>, platforms: Vec<Platform>) -> Result<Self> {
        let builder = builder::detect(name, &app.settings).await?;
        let own = name.and_then(|name| app.settings.config.builders.get_key_value(name));
        let name = match own {
            Some((name, own)) if own.kind.is_some() => name.clone(),
            _ => builder.kind().to_string(),
        };
        Ok(Self {
            name,
            builder,
            platforms,
        })
    }
}

/// Returns the builders of a run: one, or one for each part.
pub(super) async fn all(execution: &Execution<'_>) -> Result<Vec<PlacedBuilder>> {
    let app = execution.app;
    let placed = if execution.placed.is_empty() {
        placing::fit(app, &execution.task)?
    } else {
        execution.placed.clone()
    };
    let mut builders = Vec::new();
    for part in placed {
        builders.push(PlacedBuilder::find(app, Some(&part.builder), part.platforms).await?);
    }
    if builders.is_empty() {
        builders.push(PlacedBuilder::find(app, None, Vec::new()).await?);
    }
    Ok(builders)
}

/// Returns the builder of a run that has only one.
pub(super) async fn one(execution: &Execution<'_>) -> Result<PlacedBuilder> {
    Ok(all(execution).await?.swap_remove(0))
}

/// Returns the builder whose own images a build may use; a placeholder where the build has several builders.
pub(super) fn holder(builders: &[PlacedBuilder]) -> Builder {
    match builders {
        [one] => one.builder.clone(),
        _ => Builder::none(),
    }
}

/// Sets what depends on the builders of a build: its platforms, and whether a frontend is pulled. `named` are the platforms of the task, if it
/// names any.
///
/// # Errors
///
/// [`Kind::Invalid`] where one of the builders reads the Dockerfile otherwise than acrt.
pub(super) async fn apply(
    app: &App,
    named: &[Platform],
    inputs: &mut Inputs,
    builders: &[PlacedBuilder],
) -> Result<()> {
    let pulls = |on: &PlacedBuilder| on.builder.pulls_frontends(&app.settings);
    inputs.has_frontend = builders.iter().any(pulls);
    inputs.build.without_frontend = !builders.iter().all(pulls);
    for on in builders {
        refuse_other_reading(app, &on.builder, inputs).await?;
    }
    if let [one] = builders {
        inputs.build_with(&platforms::of(app, &one.builder).await, named);
        return Ok(());
    }
    inputs.parts.clear();
    for on in builders {
        let own = platforms::of(app, &on.builder).await.own;
        inputs.parts.push((own, on.platforms.clone()));
    }
    inputs.wanted = named.to_vec();
    inputs.build.platforms = named.to_vec();
    Ok(())
}

/// Refuses a Dockerfile that the builder reads otherwise than BuildKit, and acrt with it: what acrt has resolved is not what would be built.
async fn refuse_other_reading(app: &App, builder: &Builder, inputs: &Inputs) -> Result<()> {
    let heredoc = inputs.dockerfile.heredoc();
    let question = builder.heredocs(&app.settings);
    let reads_heredocs = match question.filter(|_| heredoc.is_some()) {
        Some(question) => platforms::ask(&question).await.unwrap_or(false),
        None => true,
    };
    let unlike = || match builder.kind() {
        BuilderKind::Podman | BuilderKind::Buildah => inputs.dockerfile.unlike_buildah(),
        BuilderKind::Docker
        | BuilderKind::Buildx
        | BuilderKind::Buildctl
        | BuilderKind::Command => None,
    };
    let misread = heredoc.filter(|_| !reads_heredocs).or_else(unlike);
    let text = || {
        format!(
            "cannot build `{}` with {}",
            inputs.path.display(),
            builder.kind()
        )
    };
    let refused = misread.map_or(Ok(()), Err).context(Kind::Invalid, text);
    refused.map_err(|error| {
        error.hint("change the line, or build with BuildKit: --builder docker or buildx")
    })
}
