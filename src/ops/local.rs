//! Local images, which stay with the builder: which images are local, and what the builder has under their names now.
//!
//! Local images are compared by the id that the builder gives them. No registry is asked for them, so that an image of the same name in a
//! registry is never mistaken for one.

use std::collections::BTreeSet;

use crate::{
    builder::{self, Builder, HeldImage},
    error::{Error, Result},
    image::Reference,
    sys::settings::Settings,
    task::Task,
};

use super::{App, platforms};

/// Returns the images that local tasks make, by canonical name. Only a local task is built on them.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be read.
pub fn images_for(app: &App, task: &Task) -> Result<BTreeSet<Reference>> {
    if !task.is_local() {
        return Ok(BTreeSet::new());
    }
    let stored = app.store.tasks()?;
    let tasks: Vec<Task> = stored.filter_map(|stored| stored.task.ok()).collect();
    Ok(made_by(app, &tasks))
}

/// Returns the images of the local tasks among `tasks`, by canonical name.
pub fn made_by<'t>(app: &App, tasks: impl IntoIterator<Item = &'t Task>) -> BTreeSet<Reference> {
    let local = tasks.into_iter().filter(|task| task.is_local());
    let images = local.flat_map(Task::stable_images);
    images.map(|image| app.canonical(&image)).collect()
}

/// Returns what a builder holds under the name of a local image; `None` where it holds nothing.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where the builder has no image store of its own.
pub async fn held(builder: &Builder, image: &Reference) -> Result<Option<HeldImage>> {
    let line = builder.inspect_image(&image.to_string()).ok_or_else(|| {
        Error::invalid(format!(
            "{} keeps no images that others could be built on",
            builder.kind()
        ))
        .hint("local images need docker, podman or buildah: --builder docker")
    })?;
    Ok(platforms::inspected(&line).await)
}

/// Returns the builder that holds local images: the chosen one, else the machine's.
pub async fn store(choice: Option<&str>, settings: &Settings) -> Result<Builder> {
    builder::detect(choice.or(settings.builder.as_deref()), settings).await
}
