//! What a build was built on, worked out anew once it is known for which platforms it was.

use std::collections::BTreeSet;

use crate::{
    error::Result,
    image::{Platform, Reference},
    ops::{App, inputs::Inputs},
    task::{Manifests, one_manifest},
};

use super::{Resolved, decided::Answer};

impl Resolved {
    /// Takes in for which platforms the images of a build were really made: of each image that it depends on, the manifests of those count.
    /// The digests stay, because the build was pinned to them.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Unknown`] where an index cannot be read.
    pub async fn made_for(
        &mut self,
        app: &App,
        inputs: &Inputs,
        made: &BTreeSet<Platform>,
    ) -> Result<()> {
        let planned: BTreeSet<Platform> = inputs.build.platforms.iter().cloned().collect();
        if made.is_empty() || *made == planned {
            return Ok(());
        }
        let platforms: Vec<Platform> = made.iter().cloned().collect();
        // What cannot be read for other platforms was not built for them.
        let used = inputs.platforms_of_bases(platforms).unwrap_or_default();
        for dependency in &mut self.dependencies {
            let Some(tag) = dependency.image.reference() else {
                continue;
            };
            let platforms = match used.get(&tag) {
                Some(platforms) => platforms.clone(),
                // Its name says the platform, and the planned one was pinned.
                None => instead(&dependency.manifests, &planned, made),
            };
            if let Some(answer) = self.answers.get(&tag) {
                dependency.manifests = manifests(app, &tag, answer, &platforms).await?;
            }
        }
        Ok(())
    }
}

/// Returns the platforms with those that were made in place of those that were planned.
fn instead(
    manifests: &Manifests,
    planned: &BTreeSet<Platform>,
    made: &BTreeSet<Platform>,
) -> BTreeSet<Platform> {
    let kept = manifests.keys().filter(|it| !planned.contains(it)).cloned();
    let replaced = manifests.keys().any(|it| planned.contains(it));
    let made = made.iter().filter(|_| replaced).cloned();
    kept.chain(made).collect()
}

async fn manifests(
    app: &App,
    tag: &Reference,
    answer: &Answer,
    platforms: &BTreeSet<Platform>,
) -> Result<Manifests> {
    match answer {
        Answer::Found { seen, mirror, .. } => {
            // A copy may have been read because the source does not answer.
            let copy = mirror.as_ref().and_then(|mirror| mirror.usable());
            let copy = copy.filter(|copy| copy.digest() == Some(&seen.digest));
            let image = copy.as_ref().unwrap_or(tag);
            let wanted: Vec<Platform> = platforms.iter().cloned().collect();
            let found = app.registries().platforms(image, seen, &wanted).await?;
            Ok(found.into_iter().collect())
        }
        Answer::Kept(held) => Ok(one_manifest(held.image.digests_of(tag).last(), platforms)),
        Answer::Stored(image) => Ok(one_manifest(image.id.as_ref(), platforms)),
        Answer::Fixed { .. } | Answer::Local(_) | Answer::Made => Ok(Manifests::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_planned_gives_way_to_what_was_made() {
        let set = |texts: &[&str]| -> BTreeSet<Platform> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let manifests =
            |texts: &[&str]| -> Manifests { set(texts).into_iter().map(|it| (it, None)).collect() };
        let (planned, made) = (set(&["linux/amd64"]), set(&["linux/arm64"]));
        let both = manifests(&["linux/amd64", "linux/s390x"]);
        assert_eq!(
            instead(&both, &planned, &made),
            set(&["linux/arm64", "linux/s390x"])
        );
        let other = manifests(&["linux/s390x"]);
        assert_eq!(instead(&other, &planned, &made), set(&["linux/s390x"]));
    }
}
