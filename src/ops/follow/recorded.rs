//! What is recorded of images that are there, as a run would have recorded it.

use std::collections::BTreeMap;

use crate::{
    error::Error,
    image::{Digest, Platform, Reference},
    ops::image_check::judge::{Judge, SeenTag},
    registry::Seen,
    task::{Dependency, ImageDescriptor, Manifests},
};

use super::matching::Named;

/// What became of a base for one platform.
pub enum Fate {
    /// It is what the image was built on.
    Current,
    /// It is another one now. Layers do not say what it was.
    Moved(Option<Digest>),
}

/// What is recorded of the bases of one image, as it is put together.
#[derive(Default)]
pub struct Recorded {
    dependencies: BTreeMap<Reference, Dependency>,
    /// Those that are another image now, for any platform.
    moved: BTreeMap<Reference, Option<Digest>>,
}

impl Recorded {
    /// Takes in a base of a registry for one platform.
    pub async fn add(
        &mut self,
        judge: &Judge<'_>,
        named: &Named,
        platform: &Platform,
        fate: Fate,
    ) -> Result<(), String> {
        let (tag, registries) = (&named.reference, judge.app.registries());
        let manifest = match &fate {
            Fate::Current => {
                let SeenTag { image, seen } = judge.seen(tag).ok_or("it was not looked at")?;
                self.entry(named).image.digest = Some(seen.digest.clone());
                let found = registries.manifest_for(image, seen, platform).await;
                found.map_err(|error| Error::from(error).one_line())?
            }
            Fate::Moved(Some(digest)) => {
                let (at, before) = (tag.at(digest.clone()), Seen::at(digest.clone()));
                let found = registries.manifest_for(&at, &before, platform).await;
                // One that its registry has no more is told by its own digest.
                Some(found.ok().flatten().unwrap_or_else(|| digest.clone()))
            }
            Fate::Moved(None) => None,
        };
        self.take(named, platform, manifest, fate);
        Ok(())
    }

    /// Takes in an image that a local task makes: its id stands for it.
    pub fn add_local(&mut self, named: &Named, platform: &Platform, id: &Digest, fate: Fate) {
        self.entry(named).image.digest = Some(id.clone());
        self.take(named, platform, Some(id.clone()), fate);
    }

    fn entry(&mut self, named: &Named) -> &mut Dependency {
        let new = || Dependency {
            image: ImageDescriptor::new(&named.reference, None),
            kind: named.kind,
            manifests: Manifests::new(),
            line: named.line,
            mirror: None,
        };
        self.dependencies
            .entry(named.reference.clone())
            .or_insert_with(new)
    }

    fn take(&mut self, named: &Named, platform: &Platform, manifest: Option<Digest>, fate: Fate) {
        let entry = self.entry(named);
        entry.kind = entry.kind.min(named.kind);
        entry.manifests.insert(platform.clone(), manifest);
        if let Fate::Moved(digest) = fate {
            self.moved.entry(named.reference.clone()).or_insert(digest);
        }
    }

    /// Returns what is recorded. A base that moved for one platform alone has the digest of that one, because the one of now would make all
    /// of it current.
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
