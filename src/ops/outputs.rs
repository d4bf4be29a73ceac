//! The images that a run has made: whether they arrived in the registry, for which platforms they are, and whether these were wanted.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    builder::{BuildRequest, Builder, HeldImage},
    error::{Error, Result},
    image::{Digest, Platform, Reference},
    task::ImageDescriptor,
};

use super::{
    Event, EventSink,
    clean::BuilderTraces,
    execution::{Execution, Failure},
    inputs::Inputs,
    local, platforms, pushed, unchanged,
};

/// Returns what the last successful run of the task has pushed.
pub(super) fn before(execution: &Execution<'_>) -> BTreeMap<Reference, Digest> {
    let baseline = execution.app.store.baseline(&execution.task.key());
    let outputs = baseline.unwrap_or_default().outputs.into_iter();
    let outputs = outputs.filter_map(|output| Some((output.reference()?, output.digest?)));
    outputs.collect()
}

/// Checks each pushed tag once, before anything of the run is recorded. Returns the pushed images. `before` are the digests from before the
/// push, as far as they are known.
pub(super) async fn confirm(
    execution: &Execution<'_>,
    images: &[Reference],
    reported: &BTreeMap<Reference, Digest>,
    before: &BTreeMap<Reference, Digest>,
    events: &EventSink<'_>,
) -> Result<Vec<ImageDescriptor>, Failure> {
    if images.is_empty() {
        return Ok(Vec::new());
    }
    events.send(Event::Doing("looking at what was pushed".into()));
    let confirming = pushed::confirmed(execution.app, images, reported, before);
    let outputs = execution.until_stopped(execution.stop, confirming);
    outputs.await?.map_err(Failure::unsure)
}

/// Returns the images that the builder has made and keeps.
pub(super) async fn stored(
    execution: &Execution<'_>,
    builder: &Builder,
    images: &[Reference],
) -> Result<Vec<ImageDescriptor>, Failure> {
    let mut outputs = Vec::new();
    for image in images {
        let held = execution
            .unless_stopped(local::held(builder, image))
            .await?;
        let id = held.and_then(|held| held.id).ok_or_else(|| {
            let text = format!(
                "the builder does not have `{}` that it has just built",
                image.familiar()
            );
            Error::failed(text)
                .hint("local images need a builder that keeps them: docker, podman or buildah")
        })?;
        outputs.push(ImageDescriptor::new(image, Some(id)));
    }
    Ok(outputs)
}

/// Returns the platforms of a build: from the pushed images, else from the builder, else the planned ones. Refuses images for other platforms
/// than the wanted ones.
pub(super) async fn platforms_of(
    execution: &Execution<'_>,
    outputs: &[ImageDescriptor],
    built: BTreeSet<Platform>,
    inputs: &Inputs,
) -> Result<BTreeSet<Platform>, Failure> {
    let planned = &inputs.build.platforms;
    let reading = async {
        let pushed = pushed::platforms(execution.app, outputs, planned).await?;
        let configured = if inputs.wanted.is_empty() {
            BTreeSet::new()
        } else {
            pushed::configured(execution.app, outputs, planned).await?
        };
        Ok((pushed, configured))
    };
    let pushed = execution.until_stopped(execution.stop, reading).await?;
    let (made, configured) = match pushed {
        Ok((pushed, configured)) if pushed.is_empty() => (built, configured),
        Ok(read) => read,
        // The tag was found by its digest, and the builder has reported its platforms.
        Err(_) if !built.is_empty() => (built, BTreeSet::new()),
        Err(error) => return Err(Failure::unsure(error)),
    };
    for platforms in [&made, &configured] {
        judge_platforms(platforms, &inputs.wanted, inputs).map_err(Failure::unsure)?;
    }
    Ok(if made.is_empty() {
        planned.iter().cloned().collect()
    } else {
        made
    })
}

/// Records the image that a build has just made, and refuses one for other platforms than the wanted ones. Returns its platforms, empty where
/// the builder does not report them, and the images in the builder's store, one for each platform.
pub(super) async fn built(
    builder: &Builder,
    request: &BuildRequest,
    inputs: &Inputs,
    traces: Option<&BuilderTraces<'_>>,
) -> Result<(BTreeSet<Platform>, Vec<HeldImage>)> {
    let built = platforms::built(builder, request).await;
    let named = built.iter().flat_map(|it| it.platforms.clone());
    let made = pushed::in_words_of(&inputs.build.platforms, named);
    let images = unchanged::parts(builder, request, built).await;
    if let Some(traces) = traces {
        traces.note(images.iter(), &request.images)?;
    }
    let wanted = &request.platforms;
    let judged = judge_platforms(&made, wanted, inputs).map_err(|error| match builder {
        // podman 4 does not compare platforms when it looks for a layer in its cache.
        Builder::Podman(_) if wanted.len() > 1 => error.hint("if the base has the same layers for several platforms, or is `scratch`, podman's cache mixes them up; in the config file: builders: {podman: {buildArgs: [--layers=false]}}"),
        _ => error,
    });
    judged.map(|()| (made, images))
}

/// Refuses an image that is made for other platforms than the wanted ones.
pub(super) fn judge_platforms(
    made: &BTreeSet<Platform>,
    wanted: &[Platform],
    inputs: &Inputs,
) -> Result<()> {
    match pushed::mismatch(made, wanted, &inputs.forced_platforms()) {
        None => Ok(()),
        Some(mismatch) => Err(Error::failed(mismatch).hint(
            "build on an image that is made for it, or with another builder: not every builder respects --platform",
        )),
    }
}
