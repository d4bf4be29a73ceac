//! The dependencies of an existing image, as a run would have recorded them.

use std::collections::BTreeMap;

use crate::{
    error::Error,
    image::{Digest, Platform, Reference},
    ops::image_check::judge::{BaseComparator, SeenTag},
    registry::ResolvedTag,
    task::{Dependency, ImageDescriptor, Manifests},
};

use super::matching::Named;

/// How a base compares with its tag now, for one platform.
pub enum BaseComparison {
    /// The image was built on what the tag is now.
    Current,
    /// The tag has moved. The old digest is not known where only layers were compared.
    Moved(Option<Digest>),
}

/// Collects the dependencies that are recorded of one image.
#[derive(Default)]
pub struct Recorded {
    dependencies: BTreeMap<Reference, Dependency>,
    /// The bases whose tag has moved for some platform, with the old digest if it is known.
    moved: BTreeMap<Reference, Option<Digest>>,
}

impl Recorded {
    /// Adds a base of a registry for one platform.
    pub async fn add(
        &mut self,
        judge: &BaseComparator<'_>,
        named: &Named,
        platform: &Platform,
        comparison: BaseComparison,
    ) -> Result<(), String> {
        let (tag, registries) = (&named.reference, judge.app.registries());
        let manifest = match &comparison {
            BaseComparison::Current => {
                let SeenTag { image, seen } = judge.seen(tag).ok_or("it was not looked at")?;
                self.entry(named).image.digest = Some(seen.digest.clone());
                let found = registries.manifest_for(image, seen, platform).await;
                found.map_err(|error| Error::from(error).one_line())?
            }
            BaseComparison::Moved(Some(digest)) => {
                let (at, before) = (tag.at(digest.clone()), ResolvedTag::at(digest.clone()));
                let found = registries.manifest_for(&at, &before, platform).await;
                // If the registry no longer has the old image, its digest stands for the manifest.
                Some(found.ok().flatten().unwrap_or_else(|| digest.clone()))
            }
            BaseComparison::Moved(None) => None,
        };
        self.take(named, platform, manifest, comparison);
        Ok(())
    }

    /// Adds a base that a local task makes: its id takes the place of the digest.
    pub fn add_local(
        &mut self,
        named: &Named,
        platform: &Platform,
        id: &Digest,
        comparison: BaseComparison,
    ) {
        self.entry(named).image.digest = Some(id.clone());
        self.take(named, platform, Some(id.clone()), comparison);
    }

    fn entry(&mut self, named: &Named) -> &mut Dependency {
        let new = || Dependency {
            image: ImageDescriptor::new(&named.reference, None),
            kind: named.kind,
            manifests: Manifests::new(),
            is_local: named.is_local,
            line: named.line,
            mirror: None,
        };
        self.dependencies
            .entry(named.reference.clone())
            .or_insert_with(new)
    }

    fn take(
        &mut self,
        named: &Named,
        platform: &Platform,
        manifest: Option<Digest>,
        comparison: BaseComparison,
    ) {
        let entry = self.entry(named);
        entry.kind = entry.kind.min(named.kind);
        entry.manifests.insert(platform.clone(), manifest);
        if let BaseComparison::Moved(digest) = comparison {
            self.moved.entry(named.reference.clone()).or_insert(digest);
        }
    }

    /// Returns the dependencies. A base whose tag moved for only some platforms is recorded with the old digest: with the new one, the base
    /// would count as current.
    pub fn dependencies(self) -> Vec<Dependency> {
        let Self {
            mut dependencies,
            moved,
        } = self;
        for (tag, digest) in moved {
            if let Some(dependency) = dependencies.get_mut(&tag) {
                dependency.image.digest = digest;
            }
        }
        dependencies.into_values().collect()
    }
}
