//! Lists and removes the repositories, tags and manifests of a registry.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::{Digest, Reference},
    registry::{LookupError, Removal},
    retention::{Policy, Snapshot, manifests},
};

use super::{
    App, Event, EventSink,
    inventory::{Inventory, PushTimes, Tag, named},
    purge::{known_repositories, removes_nothing},
    task::named_registry,
};

/// The order of a list sorted by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOrder {
    /// The oldest first.
    Ascending,
    /// The newest first.
    Descending,
}

/// The order of a list, and how many entries of it are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listing {
    pub top: Option<usize>,
    /// The order by time; by name, if `None`.
    pub order: Option<TimeOrder>,
}

impl Listing {
    /// Sorts and truncates a list. Entries without a time come last.
    pub fn arrange<T>(self, items: &mut Vec<T>, time: impl Fn(&T) -> Option<Timestamp>) {
        match self.order {
            None => {}
            Some(TimeOrder::Ascending) => items.sort_by_key(|item| {
                let time = time(item);
                (time.is_none(), time)
            }),
            Some(TimeOrder::Descending) => items.sort_by_key(|item| {
                let time = time(item);
                (time.is_none(), time.map(std::cmp::Reverse))
            }),
        }
        items.truncate(self.top.unwrap_or(usize::MAX));
    }
}

/// The locks that ACR has for tags and manifests. In any other registry nothing is locked.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attributes {
    delete_enabled: bool,
    list_enabled: bool,
    read_enabled: bool,
    write_enabled: bool,
}

impl Attributes {
    /// Nothing is locked.
    pub const OPEN: Self = Self {
        delete_enabled: true,
        list_enabled: true,
        read_enabled: true,
        write_enabled: true,
    };
}

/// A tag, in az's shape.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TagAnswer {
    changeable_attributes: Attributes,
    created_time: Option<Timestamp>,
    digest: Digest,
    last_update_time: Option<Timestamp>,
    name: String,
    signed: bool,
}

/// A repository, in az's shape.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryAnswer {
    changeable_attributes: Attributes,
    created_time: Option<Timestamp>,
    image_name: String,
    last_update_time: Option<Timestamp>,
    manifest_count: usize,
    registry: String,
    tag_count: usize,
}

/// What was removed with a repository, in az's shape.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemovedAnswer {
    manifests_deleted: Vec<Digest>,
    tags_deleted: Vec<String>,
}

/// Lists the repositories of a registry, sorted. If the registry has no catalog, lists those of tasks and runs, and reports that.
///
/// # Errors
///
/// [`Kind::Unknown`] where the registry does not answer, or refuses the login.
pub async fn list(
    app: &App,
    registry: Option<&str>,
    top: Option<usize>,
    events: &EventSink<'_>,
) -> Result<Vec<String>> {
    let registry = named_registry(app, registry, None)?;
    let mut names = match app.registries().repositories(&registry).await? {
        Some(names) => names,
        None => {
            events.send(Event::Warning(format!(
                "`{registry}` does not list its repositories: these are the ones that tasks and runs push to"
            )));
            let times = PushTimes::of(app, &registry)?;
            known_repositories(app, &registry, &times)?
                .into_iter()
                .collect()
        }
    };
    names.truncate(top.unwrap_or(usize::MAX));
    Ok(names)
}

/// Lists the names of the tags of a repository.
///
/// # Errors
///
/// [`Kind::NotFound`] where there is no such repository; [`Kind::Unknown`] where the registry does not answer.
pub async fn tag_names(
    app: &App,
    registry: Option<&str>,
    repository: &str,
    listing: Listing,
) -> Result<Vec<String>> {
    if listing.order.is_some() {
        let tags = tags(app, registry, repository, listing).await?;
        return Ok(tags.into_iter().map(|tag| tag.name).collect());
    }
    let registry = named_registry(app, registry, None)?;
    let repository = named(&registry, repository)?;
    let mut names = app.registries().tags(&repository).await?;
    if names.is_empty() {
        return Err(no_repository(&repository));
    }
    names.truncate(listing.top.unwrap_or(usize::MAX));
    Ok(names)
}

/// Lists the tags of a repository with what they point to.
pub async fn tags(
    app: &App,
    registry: Option<&str>,
    repository: &str,
    listing: Listing,
) -> Result<Vec<TagAnswer>> {
    let registry = named_registry(app, registry, None)?;
    let inventory = Inventory::of(app, &registry, repository)?;
    let mut answers = Vec::new();
    for tag in inventory.tags().await? {
        let Some(seen) = tag.seen else {
            continue;
        };
        let updated = inventory.updated(&tag.name, &seen.digest).await?;
        answers.push(tag_answer(tag.name, seen.digest, updated));
    }
    if answers.is_empty() {
        return Err(no_repository(&inventory.repository));
    }
    listing.arrange(&mut answers, |tag| tag.last_update_time);
    Ok(answers)
}

pub async fn show(app: &App, registry: Option<&str>, repository: &str) -> Result<RepositoryAnswer> {
    let registry = named_registry(app, registry, None)?;
    let inventory = Inventory::of(app, &registry, repository)?;
    let tags = inventory.tags().await?;
    if tags.is_empty() {
        return Err(no_repository(&inventory.repository));
    }
    let digests = tags.iter().filter_map(|tag| Some(tag.seen.clone()?.digest));
    let all = inventory.describe_all(digests).await?;
    let there = || all.values().flatten();
    let times = || there().filter_map(|described| described.updated);
    Ok(RepositoryAnswer {
        changeable_attributes: Attributes::OPEN,
        created_time: times().min(),
        image_name: inventory.repository.repository().to_owned(),
        last_update_time: times().max(),
        manifest_count: there().count(),
        registry,
        tag_count: tags.len(),
    })
}

pub async fn show_tag(app: &App, image: &Reference) -> Result<TagAnswer> {
    let inventory = Inventory::of(app, image.registry(), image.repository())?;
    let seen = app.registries().look(image).await.map_err(not_found)?;
    let tag = image.tag().unwrap_or_default().to_owned();
    let updated = inventory.updated(&tag, &seen.digest).await?;
    Ok(tag_answer(tag, seen.digest, updated))
}

fn tag_answer(name: String, digest: Digest, updated: Option<Timestamp>) -> TagAnswer {
    TagAnswer {
        changeable_attributes: Attributes::OPEN,
        created_time: updated,
        digest,
        last_update_time: updated,
        name,
        signed: false,
    }
}

/// Returns the image that a command names: with the registry in the name, or else in the given or default registry. A missing tag is
/// `latest`.
///
/// # Errors
///
/// [`Kind::Invalid`] where the text is no image name.
pub fn image(app: &App, registry: Option<&str>, text: &str) -> Result<Reference> {
    let text = text.strip_prefix("https://").unwrap_or(text);
    let host = text.split('/').next().unwrap_or_default();
    match registry {
        None if text.contains('/') => {
            let registry = app.settings.login_server(host);
            image_in(app, Some(&registry), &text[host.len() + 1..])
        }
        registry => image_in(app, registry, text),
    }
}

/// Returns an image in the given or the default registry.
///
/// # Errors
///
/// [`Kind::Invalid`] where the text is no image name.
pub fn image_in(app: &App, registry: Option<&str>, text: &str) -> Result<Reference> {
    let registry = named_registry(app, registry, None)?;
    Reference::within(&registry, text).context(Kind::Invalid, || {
        format!("cannot use the image name `{}`", text.escape_debug())
    })
}

/// Returns the digest that a tag or digest stands for, and all tags of the same manifest: these are removed with it.
pub async fn named_with(app: &App, image: &Reference) -> Result<(Digest, Vec<String>)> {
    let inventory = Inventory::without_times(app, image)?;
    let digest = match image.digest() {
        Some(digest) => digest.clone(),
        None => {
            app.registries()
                .look(image)
                .await
                .map_err(not_found)?
                .digest
        }
    };
    let tags = inventory.tags().await?;
    let same = tags.into_iter().filter(|tag| tag.names(&digest));
    let names = same.map(|tag| tag.name).collect();
    Ok((digest, names))
}

/// Removes a manifest, and with it all tags that point to it.
///
/// # Errors
///
/// [`Kind::NotFound`] where it does not exist; [`Kind::Failed`] where the registry does not remove it.
pub async fn delete_manifest(app: &App, image: &Reference, digest: &Digest) -> Result<()> {
    let mut removed = app.registries().delete_manifest(image, digest).await;
    if wants_no_tags(&removed) {
        let inventory = Inventory::without_times(app, image)?;
        let tags = inventory.tags().await?;
        removed = delete_with_tags(&inventory, digest, &tags).await;
    }
    let place = format!("{}@{digest}", image.name());
    judge(removed, &place, image.registry())
}

/// Tells whether a registry refused to remove a manifest because it has tags, as Google's do.
fn wants_no_tags(removed: &Result<Removal, LookupError>) -> bool {
    let said = removed
        .as_ref()
        .err()
        .and_then(|error| error.asked().said.as_ref());
    said.is_some_and(|said| said.contains("GOOGLE_MANIFEST_DANGLING_TAG"))
}

/// Removes the tags of a manifest, and then the manifest.
async fn delete_with_tags(
    inventory: &Inventory,
    digest: &Digest,
    tags: &[Tag],
) -> Result<Removal, LookupError> {
    for tag in tags.iter().filter(|tag| tag.names(digest)) {
        if let Some(tag) = inventory.tagged(&tag.name) {
            inventory.registries.untag(&tag, digest, false).await?;
        }
    }
    let place = &inventory.repository;
    match inventory.registries.delete_manifest(place, digest).await {
        // It went with its last tag.
        Ok(Removal::Absent) => Ok(Removal::Removed),
        removed => removed,
    }
}

/// Removes a tag, and keeps the manifest.
pub async fn untag(app: &App, image: &Reference) -> Result<()> {
    let registries = app.registries();
    let seen = registries.look(image).await.map_err(not_found)?;
    let removed = registries.untag(image, &seen.digest, true).await;
    judge(removed, &image.to_string(), image.registry())
}

/// Removes all manifests and tags of a repository, and reports the tags that stay.
pub async fn delete(
    app: &App,
    registry: Option<&str>,
    repository: &str,
    events: &EventSink<'_>,
) -> Result<RemovedAnswer> {
    let registry = named_registry(app, registry, None)?;
    let inventory = Inventory::of(app, &registry, repository)?;
    let tags = inventory.tags().await?;
    if tags.is_empty() {
        return Err(no_repository(&inventory.repository));
    }
    let tagged = tags.iter().filter_map(|tag| Some(tag.seen.clone()?.digest));
    let digests: Vec<Digest> = tagged.chain(inventory.pushed()).collect();
    let mut snapshot = Snapshot::default();
    for (digest, described) in inventory.describe_all(digests).await? {
        if let Some(described) = described {
            snapshot.manifests.insert(digest, described.stored());
        }
    }
    let all = Policy {
        takes: &|_| true,
        before: Timestamp::MAX,
        takes_unknown_age: true,
        keep: 0,
    };
    let order = manifests(&snapshot, &all).go;
    for digest in &order {
        let place = &inventory.repository;
        let mut removed = inventory.registries.delete_manifest(place, digest).await;
        if wants_no_tags(&removed) {
            removed = delete_with_tags(&inventory, digest, &tags).await;
        }
        if !matches!(removed, Ok(Removal::Absent)) {
            judge(removed, &format!("{}@{digest}", place.name()), &registry)?;
        }
    }
    let (gone, kept): (Vec<Tag>, Vec<Tag>) = tags
        .into_iter()
        .partition(|tag| order.iter().any(|digest| tag.names(digest)));
    for tag in kept {
        let tag = format!("{}:{}", inventory.repository.name(), tag.name);
        let text = format!("kept `{tag}`: its manifest cannot be read");
        events.send(Event::Warning(text));
    }
    Ok(RemovedAnswer {
        manifests_deleted: order,
        tags_deleted: gone.into_iter().map(|tag| tag.name).collect(),
    })
}

fn judge(removed: Result<Removal, LookupError>, place: &str, registry: &str) -> Result<()> {
    match removed {
        Ok(Removal::Removed) => Ok(()),
        Ok(Removal::Absent) => Err(Error::new(Kind::NotFound, format!("there is no `{place}`"))),
        Ok(Removal::Moved) => Err(
            Error::failed(format!("`{place}` names something else by now")).hint(format!(
                "look at it, and try again: acrt repository show --image {place}"
            )),
        ),
        Ok(Removal::Unsupported) => Err(removes_nothing(registry)),
        Err(error) if error.is_locked() => Err(Error::failed(format!("`{place}` is locked"))
            .because(error)
            .hint("unlock it where its registry keeps such locks")),
        Err(error) => Err(error.of_writing(place)),
    }
}

/// Returns the error about something that does not exist, if that is what a registry answered.
pub fn not_found(error: LookupError) -> Error {
    if error.is_absent() {
        Error::new(
            Kind::NotFound,
            format!("there is no `{}`", error.asked().image),
        )
        .because(error)
    } else {
        error.into()
    }
}

fn no_repository(repository: &Reference) -> Error {
    Error::new(
        Kind::NotFound,
        format!("there is no repository `{}` with a tag", repository.name()),
    )
    .hint(format!(
        "see which there are: acrt repository list {}",
        repository.registry()
    ))
}
