//! What can be said about a copy without a run and without a registry.

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::Digest,
    ops::survey::Survey,
    task::{ImportStep, Task},
};

/// Returns what can be said about a copy without a run and without a registry.
///
/// # Errors
///
/// [`Kind::Invalid`] where its source is not an image in a registry, or its copy has no name.
pub fn survey(task: &Task, step: &ImportStep) -> Result<Survey> {
    let source = step.source().context(Kind::Invalid, || {
        format!("cannot use the source of task `{}`", task.name)
    })?;
    if step.image_names.is_empty() {
        return Err(Error::invalid(format!(
            "task `{}` copies an image and gives the copy no name",
            task.name
        ))
        .hint("give --image repository:tag"));
    }
    let definition = format!("{}\n{}", step.source, step.image_names.join("\n"));
    Ok(Survey {
        digest: Some(Digest::of(definition.as_bytes())),
        bases: vec![source],
        pushes: task.stable_images(),
        ..Survey::default()
    })
}
