//! Detects that a rebuilt image is the same as the one its tag has already: it is not pushed again, so that nothing that depends on it
//! becomes stale.

use std::collections::BTreeMap;

use crate::{
    builder::{BuildRequest, Builder, HeldImage},
    image::{Digest, Reference},
    registry::RegistryImage,
    task::{Dependency, DependencyKind},
    watch::Baseline,
};

use super::{App, platforms};

/// A tag whose image is the same as the one just built.
#[derive(Clone, Debug)]
pub struct Unchanged {
    digest: Digest,
    /// Whether it is byte for byte the same, and not just apart from its timestamps.
    is_exact: bool,
}

/// Returns the tags of a run that are not pushed, with their digests. All tags of a run are one image: if one has to be pushed, so have those
/// that differ in their timestamps.
pub fn tags_left(same: BTreeMap<Reference, Option<Unchanged>>) -> BTreeMap<Reference, Digest> {
    let is_all = same.values().all(Option::is_some);
    let stays = |(tag, same): (Reference, Option<Unchanged>)| {
        let same = same.filter(|same| same.is_exact || is_all)?;
        Some((tag, same.digest))
    };
    same.into_iter().filter_map(stays).collect()
}

/// Returns the digest of a tag if its image is the same as the one just built, and is what the task's last run pushed. `None` where it is
/// not, or that is not known: then the image is pushed. `built` are the images in the builder's store, one for each platform.
pub async fn look(
    app: &App,
    baseline: &Baseline,
    tag: &Reference,
    built: &[HeldImage],
) -> Option<Unchanged> {
    if built.is_empty() {
        return None;
    }
    let pushed = baseline.outputs.iter();
    let mut pushed = pushed.filter(|output| output.reference().as_ref() == Some(tag));
    let digest = pushed.next()?.digest.clone()?;
    let registries = app.registries();
    let there = registries.look(tag).await.ok()?.digest;
    if there != digest {
        return None;
    }
    let kept = registries.kept_images(&tag.at(digest)).await.ok()?;
    let mut open: Vec<&RegistryImage> = kept.iter().collect();
    let mut all_exact = true;
    for image in built {
        let exact = open.iter().position(|kept| is_exact(image, kept));
        all_exact &= exact.is_some();
        let same = || open.iter().position(|kept| image.is_same_as(&kept.config));
        let same = exact.or_else(same)?;
        open.swap_remove(same);
    }
    open.is_empty().then_some(Unchanged {
        digest: there,
        is_exact: all_exact,
    })
}

/// Returns the line for the log about an image that is not pushed.
pub fn in_words(tag: &Reference, digest: &Digest) -> String {
    format!(
        "{} is what was built already, and is not pushed again: {digest}",
        tag.familiar()
    )
}

/// Returns whether a build has another base than the last one: the image then differs, because the digest of the base is in one of its
/// labels.
pub fn is_on_another_base(before: &[Dependency], now: &[Dependency]) -> bool {
    let on = |dependencies: &[Dependency]| -> Vec<Option<Digest>> {
        let runtime = |it: &&Dependency| it.kind == DependencyKind::Runtime;
        let digest = |it: &Dependency| it.image.digest.clone();
        dependencies.iter().filter(runtime).map(digest).collect()
    };
    on(before) != on(now)
}

fn is_exact(image: &HeldImage, kept: &RegistryImage) -> bool {
    let is_its = |id: &Digest| *id == kept.config_digest || *id == kept.manifest;
    image.id.as_ref().is_some_and(is_its)
}

/// Returns the images of a build as the builder holds them, one for each platform; empty where it does not show all of them.
pub async fn parts(
    builder: &Builder,
    request: &BuildRequest,
    built: Option<HeldImage>,
) -> Vec<HeldImage> {
    let Some(built) = built else {
        return Vec::new();
    };
    match builder.list_of(request) {
        Some(list) => parts_of(builder, &list, &built).await,
        None => vec![built],
    }
}

/// Returns the images in a manifest list as the builder holds them; empty where it does not show all of them.
pub async fn parts_of(builder: &Builder, list: &str, built: &HeldImage) -> Vec<HeldImage> {
    let mut parts = Vec::new();
    for line in builder.inspect_parts(list, built) {
        parts.extend(platforms::inspected(&line).await);
    }
    if parts.len() == built.parts.len() {
        parts
    } else {
        Vec::new()
    }
}
