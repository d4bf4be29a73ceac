//! Compares the mirrors of what one task depends on with their sources.

use std::collections::BTreeMap;

use crate::{
    error::Result,
    image::Reference,
    ops::{App, Event, EventSink, mirror},
    task::Step,
    watch::Snapshot,
};

use super::answer::{CheckAnswer, MirrorAnswer};

/// Compares the mirrors of what a task depends on with their sources now, and adds which of them cannot be used.
pub async fn look_at_mirrors(
    app: &App,
    task: &mut CheckAnswer,
    loaded: &[Snapshot],
    events: &EventSink<'_>,
) -> Result<()> {
    let own = loaded.iter().find(|one| one.task.key() == task.key());
    // A task that copies an image reads the source itself.
    let Some(own) = own.filter(|one| !matches!(one.task.step, Step::Import(_))) else {
        return Ok(());
    };
    let mut wanted = BTreeMap::new();
    for image in &task.images {
        let source: Option<Reference> = image.image.parse().ok();
        let (Some(source), Some(digest)) = (source, image.current_digest.clone()) else {
            continue;
        };
        let copy = app.copy_of(&source).map(|copy| app.canonical(&copy));
        if copy.is_some_and(|copy| !own.pushes.contains(&copy)) {
            // The manifests that are known belong to the digest that the last image was built on.
            let recorded = own.baseline.dependencies.iter().find(|dependency| {
                dependency.image.tagged() == image.image
                    && dependency.image.digest.as_ref() == Some(&digest)
            });
            let manifests = recorded.map(|dependency| dependency.manifests.clone());
            let manifests = manifests.unwrap_or_default();
            wanted.insert(source, mirror::MirrorQuery { digest, manifests });
        }
    }
    let found = mirror::compare(app, &wanted).await;
    for image in &mut task.images {
        let source = image.image.parse::<Reference>().ok();
        let Some((source, found)) = source.and_then(|source| found.get_key_value(&source)) else {
            continue;
        };
        let digest = image.current_digest.as_ref();
        let advice = digest.and_then(|digest| found.complaint(source, digest));
        if let Some(text) = &advice {
            events.send(Event::Warning(text.clone()));
        }
        image.mirror = Some(MirrorAnswer::new(found, advice));
    }
    Ok(())
}
