//! The contents of a repository: its tags and manifests, and when these were pushed or made.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::{Digest, Platform, Reference},
    lineage::is_build_time,
    registry::{Inspected, LookupError, LookupFailure, Registries, ResolvedTag},
    retention::StoredManifest,
    task::RunStatus,
};

use super::App;

/// The default number of concurrent requests.
const AT_ONCE: usize = 8;

/// When the runs of this state directory pushed images to a registry.
#[derive(Debug, Default)]
pub struct PushTimes {
    tags: HashMap<(String, String, Digest), Timestamp>,
    digests: HashMap<(String, Digest), Timestamp>,
}

impl PushTimes {
    /// Reads what the runs pushed to a registry. Records that cannot be read are left out.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where the folder of runs cannot be read.
    pub fn of(app: &App, registry: &str) -> Result<Self> {
        let mut times = Self::default();
        for id in app.store.run_ids()? {
            let Ok(Some(run)) = app.store.run(id) else {
                continue;
            };
            let pushed = run.finish_time.unwrap_or(run.last_updated_time);
            for output in run.output_images.iter().flatten() {
                let Some(digest) = &output.digest else {
                    continue;
                };
                if run.status != RunStatus::Succeeded
                    || !app.is_same_registry(output.registry(), registry)
                {
                    continue;
                }
                let repository = output.repository();
                if let Some(tag) = output.tag() {
                    let key = (repository.to_owned(), tag.to_owned(), digest.clone());
                    let time = times.tags.entry(key).or_insert(pushed);
                    *time = (*time).max(pushed);
                }
                let key = (repository.to_owned(), digest.clone());
                let time = times.digests.entry(key).or_insert(pushed);
                *time = (*time).max(pushed);
            }
        }
        Ok(times)
    }

    /// Returns the repositories that runs pushed to.
    pub fn repositories(&self) -> impl Iterator<Item = &str> {
        self.digests
            .keys()
            .map(|(repository, _)| repository.as_str())
    }

    /// Returns the digests that runs pushed to a repository.
    pub fn digests<'a>(&'a self, repository: &'a str) -> impl Iterator<Item = &'a Digest> {
        let all = self.digests.keys();
        all.filter(move |(other, _)| other == repository)
            .map(|(_, digest)| digest)
    }
}

#[derive(Clone, Debug)]
pub struct Tag {
    pub name: String,
    /// The manifest; `None` where the registry's answer cannot be read.
    pub seen: Option<ResolvedTag>,
}

impl Tag {
    /// Tells whether it points to the manifest with this digest.
    pub fn names(&self, digest: &Digest) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|seen| seen.digest == *digest)
    }
}

/// A manifest with data from its config.
#[derive(Clone, Debug)]
pub struct Described {
    pub manifest: Inspected,
    /// When a run of this state directory pushed it, else when it was made; `None` where neither is known.
    pub updated: Option<Timestamp>,
    pub platform: Option<Platform>,
}

impl Described {
    /// Returns the data by which retention decides whether the manifest may be removed.
    pub fn stored(&self) -> StoredManifest {
        let children = self.manifest.children.iter();
        StoredManifest {
            children: children.map(|child| child.digest.clone()).collect(),
            subject: self.manifest.subject.clone(),
            updated: self.updated,
        }
    }
}

/// A repository that is being read. Manifests are cached.
pub struct Inventory {
    /// The repository, named by any of its images.
    pub repository: Reference,
    pub registries: Rc<Registries>,
    times: Rc<PushTimes>,
    width: usize,
    /// The names of all tags that the registry has listed so far.
    listed: RefCell<BTreeSet<String>>,
    read: RefCell<BTreeMap<Digest, Option<Rc<Described>>>>,
}

impl Inventory {
    /// Returns the repository of this name, with the times at which runs pushed to it.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where it is not a valid repository name; [`Kind::Failed`] where the folder of runs cannot be read.
    pub fn of(app: &App, registry: &str, repository: &str) -> Result<Self> {
        let times = Rc::new(PushTimes::of(app, registry)?);
        Ok(Self::new(app, named(registry, repository)?, times, AT_ONCE))
    }

    /// Returns the repository of an image, without push times.
    pub fn without_times(app: &App, image: &Reference) -> Result<Self> {
        let repository = named(image.registry(), image.repository())?;
        Ok(Self::new(app, repository, Rc::default(), AT_ONCE))
    }

    /// Returns the repository of an image. `width` is the number of concurrent requests.
    pub fn new(app: &App, repository: Reference, times: Rc<PushTimes>, width: usize) -> Self {
        Self {
            repository,
            registries: app.registries(),
            times,
            width,
            listed: RefCell::default(),
            read: RefCell::default(),
        }
    }

    /// Returns the image of this repository with that tag.
    pub fn tagged(&self, tag: &str) -> Option<Reference> {
        format!("{}:{tag}", self.repository.name()).parse().ok()
    }

    /// Lists the tags with what they point to now, sorted by name.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, or refuses.
    pub async fn tags(&self) -> Result<Vec<Tag>, LookupError> {
        let names = self.registries.tags(&self.repository).await?;
        self.listed.borrow_mut().extend(names.iter().cloned());
        let looks = stream::iter(names).map(async |name: String| {
            let Some(image) = self.tagged(&name) else {
                return Ok(Some(Tag { name, seen: None }));
            };
            match self.registries.look(&image).await {
                Ok(seen) => Ok(Some(Tag {
                    name,
                    seen: Some(seen),
                })),
                // The tag was removed after the list was read, or the list is out of date.
                Err(error) if error.is_absent() => Ok(None),
                Err(LookupError::Unknown {
                    why: LookupFailure::Schema1 | LookupFailure::BadReply(_),
                    ..
                }) => Ok(Some(Tag { name, seen: None })),
                Err(error) => Err(error),
            }
        });
        let tags: Vec<Option<Tag>> = looks.buffered(self.width).try_collect().await?;
        Ok(tags.into_iter().flatten().collect())
    }

    /// Looks at the tags that runs pushed with these digests and that the registry has not listed, and returns those that still have them:
    /// some registries list tags late, or not all of them.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, or refuses.
    pub async fn unlisted(&self, digests: &[Digest]) -> Result<Vec<(String, Digest)>, LookupError> {
        let repository = self.repository.repository();
        let mut pushed: Vec<(String, Digest)> = Vec::new();
        for (other, tag, digest) in self.times.tags.keys() {
            let is_unlisted = !self.listed.borrow().contains(tag);
            if other == repository && is_unlisted && digests.contains(digest) {
                pushed.push((tag.clone(), digest.clone()));
            }
        }
        pushed.sort();
        let looks = stream::iter(pushed).map(async |(tag, digest): (String, Digest)| {
            let Some(image) = self.tagged(&tag) else {
                return Ok(None);
            };
            match self.registries.look(&image).await {
                Ok(seen) => Ok((seen.digest == digest).then_some((tag, digest))),
                Err(error) if error.is_absent() => Ok(None),
                Err(error) => Err(error),
            }
        });
        let there: Vec<_> = looks.buffered(self.width).try_collect().await?;
        Ok(there.into_iter().flatten().collect())
    }

    /// Returns when a run pushed a tag with this digest, else when its manifest was updated.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, or refuses.
    pub async fn updated(
        &self,
        tag: &str,
        digest: &Digest,
    ) -> Result<Option<Timestamp>, LookupError> {
        let repository = self.repository.repository().to_owned();
        let key = (repository, tag.to_owned(), digest.clone());
        if let Some(time) = self.times.tags.get(&key) {
            return Ok(Some(*time));
        }
        let described = self.describe(digest).await?;
        Ok(described.and_then(|described| described.updated))
    }

    /// Reads a manifest; `None` where the registry has none with this digest.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, or refuses.
    pub async fn describe(&self, digest: &Digest) -> Result<Option<Rc<Described>>, LookupError> {
        if let Some(known) = self.read.borrow().get(digest) {
            return Ok(known.clone());
        }
        let image = self.repository.at(digest.clone());
        let described = match self.registries.inspect(&image).await {
            Err(error) if error.is_absent() => None,
            inspected => Some(Rc::new(self.described(&image, inspected?).await?)),
        };
        self.read
            .borrow_mut()
            .insert(digest.clone(), described.clone());
        Ok(described)
    }

    /// Reads manifests, and all that they list.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, or refuses.
    pub async fn describe_all(
        &self,
        digests: impl IntoIterator<Item = Digest>,
    ) -> Result<BTreeMap<Digest, Option<Rc<Described>>>, LookupError> {
        let mut all = BTreeMap::new();
        let mut open: Vec<Digest> = digests.into_iter().collect();
        while !open.is_empty() {
            open.sort();
            open.dedup();
            open.retain(|digest| !all.contains_key(digest));
            let reads = stream::iter(std::mem::take(&mut open)).map(async |digest: Digest| {
                let described = self.describe(&digest).await?;
                Ok::<_, LookupError>((digest, described))
            });
            let read: Vec<_> = reads.buffer_unordered(self.width).try_collect().await?;
            for (digest, described) in read {
                let children = described.iter().flat_map(|it| &it.manifest.children);
                open.extend(children.map(|child| child.digest.clone()));
                all.insert(digest, described);
            }
        }
        Ok(all)
    }

    /// Returns the digests that runs of this state directory pushed here.
    pub fn pushed(&self) -> Vec<Digest> {
        let repository = self.repository.repository();
        self.times.digests(repository).cloned().collect()
    }

    /// Returns the referrers of a manifest; `None` where the registry has no referrers API.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, or refuses.
    pub async fn referrers(&self, digest: &Digest) -> Result<Option<Vec<Digest>>, LookupError> {
        self.registries.referrers(&self.repository, digest).await
    }

    async fn described(
        &self,
        image: &Reference,
        manifest: Inspected,
    ) -> Result<Described, LookupError> {
        let repository = self.repository.repository().to_owned();
        let pushed = self
            .times
            .digests
            .get(&(repository, manifest.digest.clone()));
        let (mut created, platform) = match self.registries.made(image, &manifest).await {
            // A config that cannot be read has no data.
            Err(error) if error.is_absent() => (None, None),
            Err(LookupError::Unknown {
                why: LookupFailure::BadReply(_),
                ..
            }) => (None, None),
            made => made?,
        };
        created = created
            .filter(is_build_time)
            .or(manifest.created.filter(is_build_time));
        if created.is_none() && pushed.is_none() {
            // An index is as old as its first image: its images were made together.
            for child in &manifest.children {
                let child = Box::pin(self.describe(&child.digest)).await?;
                created = child.and_then(|child| child.updated);
                if created.is_some() {
                    break;
                }
            }
        }
        Ok(Described {
            updated: pushed.copied().or(created),
            manifest,
            platform,
        })
    }
}

/// Returns a repository of a registry, named by an image.
///
/// # Errors
///
/// [`Kind::Invalid`] where it is not a valid repository name, or has a tag or a digest.
pub fn named(registry: &str, repository: &str) -> Result<Reference> {
    let wrong = || format!("`{}` is no name of a repository", repository.escape_debug());
    let own = repository.strip_prefix(registry);
    let own = own.and_then(|rest| rest.strip_prefix('/'));
    let own = own.unwrap_or(repository);
    let hint = match own.split_once('/') {
        Some((host, _)) if host.contains(':') => {
            "leave out the registry, or name the same one twice"
        }
        _ => "leave out the tag or digest",
    };
    if own.contains([':', '@']) {
        return Err(Error::invalid(wrong()).hint(hint));
    }
    format!("{registry}/{own}")
        .parse()
        .context(Kind::Invalid, wrong)
}
