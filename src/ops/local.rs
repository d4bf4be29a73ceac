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
    task::{ImageDescriptor, Task},
    watch::Baseline,
};

use super::{App, platforms};

/// The registry in the key of tasks whose images stay with the builder.
pub const LOCAL: &str = "localhost";

/// Returns the images that local tasks make, by canonical name. Only a local task is built on them. An image that its last run, in
/// `baseline`, has taken from the builder stays local while the task that makes it is broken or gone, unless another task pushes it; so do
/// the images that a task with a broken definition made last.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be read.
pub fn images_for(app: &App, task: &Task, baseline: &Baseline) -> Result<BTreeSet<Reference>> {
    if !task.is_local() {
        return Ok(BTreeSet::new());
    }
    let taken = baseline.dependencies.iter().filter(|it| it.is_local);
    let mut images: Vec<Reference> = taken.filter_map(|it| it.image.reference()).collect();
    let mut tasks = Vec::new();
    for stored in app.store.tasks()? {
        match stored.task {
            Ok(task) => tasks.push(task),
            Err(_) if stored.key.registry == LOCAL => {
                let made = app.store.baseline(&stored.key).unwrap_or_default().outputs;
                images.extend(made.iter().filter_map(ImageDescriptor::reference));
            }
            Err(_) => {}
        }
    }
    let mut images: BTreeSet<Reference> = images.iter().map(|it| app.canonical(it)).collect();
    for image in tasks
        .iter()
        .filter(|task| !task.is_local())
        .flat_map(Task::stable_images)
    {
        images.remove(&app.canonical(&image));
    }
    images.extend(made_by(app, &tasks));
    Ok(images)
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
