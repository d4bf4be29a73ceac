//! An image that was built once more and has come to be what its tag is already: it is not pushed again, and nothing that depends on it
//! moves.

use std::collections::BTreeMap;

use crate::{
    builder::{BuildRequest, Builder, HeldImage},
    image::{Digest, Reference},
    registry::KeptImage,
    task::{Dependency, DependencyKind},
    watch::Baseline,
};

use super::{App, platforms};

/// A tag that is what was built just now.
#[derive(Clone, Debug)]
pub struct Unchanged {
    digest: Digest,
    /// Whether it is that to the byte, and not but for the times in it.
    is_exact: bool,
}

/// Returns the tags of a run that are not pushed, with their digests. All tags of a run are one image: where one has to be pushed, so are
/// those that differ from it in their times.
pub fn settled(same: BTreeMap<Reference, Option<Unchanged>>) -> BTreeMap<Reference, Digest> {
    let is_all = same.values().all(Option::is_some);
    let stays = |(tag, same): (Reference, Option<Unchanged>)| {
        let same = same.filter(|same| same.is_exact || is_all)?;
        Some((tag, same.digest))
    };
    same.into_iter().filter_map(stays).collect()
}

/// Returns the digest that a tag has, where that is what was built just now, and what the task's last run pushed. None where it is not, or
/// it cannot be told: then it is pushed. `built` are the images as the builder holds them, one for each platform.
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
    let mut open: Vec<&KeptImage> = kept.iter().collect();
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

/// Says that an image is not pushed.
pub fn in_words(tag: &Reference, digest: &Digest) -> String {
    format!(
        "{} is what was built already, and is not pushed again: {digest}",
        tag.familiar()
    )
}

/// Tells whether a build is on another base than the last one: the digest of the base stands in a label of the image, which is then another.
pub fn is_on_another_base(before: &[Dependency], now: &[Dependency]) -> bool {
    let on = |dependencies: &[Dependency]| -> Vec<Option<Digest>> {
        let runtime = |it: &&Dependency| it.kind == DependencyKind::Runtime;
        let digest = |it: &Dependency| it.image.digest.clone();
        dependencies.iter().filter(runtime).map(digest).collect()
    };
    on(before) != on(now)
}

fn is_exact(image: &HeldImage, kept: &KeptImage) -> bool {
    let is_its = |id: &Digest| *id == kept.config_digest || *id == kept.manifest;
    image.id.as_ref().is_some_and(is_its)
}

/// Returns the images that one which was just built consists of, as the builder holds them; none where it does not say.
pub async fn parts(
    builder: &Builder,
    request: &BuildRequest,
    built: Option<HeldImage>,
) -> Vec<HeldImage> {
    let Some(built) = built else {
        return Vec::new();
    };
    if built.parts.is_empty() {
        return vec![built];
    }
    let mut parts = Vec::new();
    for line in builder.inspect_parts(request, &built) {
        parts.extend(platforms::inspected(&line).await);
    }
    if parts.len() == built.parts.len() {
        parts
    } else {
        Vec::new()
    }
}
