//! The dependencies of a build, updated when its real platforms are known.

use std::collections::BTreeSet;

use crate::{
    error::Result,
    image::{Platform, Reference},
    ops::{App, inputs::Inputs},
    task::{Manifests, one_manifest},
};

use super::{Resolved, decided::Resolution};

impl Resolved {
    /// Updates the manifests of the dependencies to the platforms that the images were really made for. The digests stay, because the build
    /// was pinned to them.
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
        // An image that cannot be resolved for these platforms was not used for them.
        let used = inputs.platforms_of_bases(platforms).unwrap_or_default();
        for dependency in &mut self.dependencies {
            let Some(tag) = dependency.image.reference() else {
                continue;
            };
            let platforms = match used.get(&tag) {
                Some(platforms) => platforms.clone(),
                // The platform is in the image's name, and the planned one was pinned.
                None => instead(&dependency.manifests, &planned, made),
            };
            if let Some(answer) = self.answers.get(&tag) {
                dependency.manifests = manifests(app, &tag, answer, &platforms).await?;
            }
        }
        Ok(())
    }
}

/// Returns the platforms with the planned ones replaced by those that were made.
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
    answer: &Resolution,
    platforms: &BTreeSet<Platform>,
) -> Result<Manifests> {
    match answer {
        Resolution::Found { seen, mirror, .. } => {
            // The mirror may have been read because the source does not answer.
            let copy = mirror.as_ref().and_then(|mirror| mirror.usable());
            let copy = copy.filter(|copy| copy.digest() == Some(&seen.digest));
            let image = copy.as_ref().unwrap_or(tag);
            let wanted: Vec<Platform> = platforms.iter().cloned().collect();
            let found = app.registries().platforms(image, seen, &wanted).await?;
            Ok(found.into_iter().collect())
        }
        Resolution::Kept(held) => Ok(one_manifest(held.image.digests_of(tag).last(), platforms)),
        Resolution::Stored(image) => Ok(one_manifest(image.id.as_ref(), platforms)),
        Resolution::Fixed { .. } | Resolution::Local(_) | Resolution::Made => Ok(Manifests::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_platforms_replace_planned_ones() {
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
