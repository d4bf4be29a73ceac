//! Copies images between registries and folders: at once for `acrt import`, and as the step of a task that keeps a copy.

mod memory;
mod places;
pub(super) mod run;
mod survey;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, Platform, Reference},
    registry::{
        Login, ResolvedTag,
        copy::{Amount, CopyProgress, CopyRequest, ImagePlace, Tagged, tags_left},
    },
    store::secrets::Secrets,
    sys::signal::Stop,
    task::{ImportStep, Step, Task, TaskKey},
};

use super::{
    App, Event, EventSink, pushed,
    run_request::{Quick, RunRequest},
};

use memory::StoredCopies;
pub use places::Import;
use places::Target;
pub(super) use places::source;
pub use survey::survey;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportAnswer {
    source: String,
    digest: Digest,
    images: Vec<CopyAnswer>,
    blobs: BlobsAnswer,
}

/// One name of a copy, and what was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CopyAnswer {
    image: String,
    digest: Digest,
    /// `Created`, `Moved` or `Unchanged`.
    state: &'static str,
}

/// What was sent for all names together.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct BlobsAnswer {
    sent: usize,
    mounted: usize,
    present: usize,
    bytes_sent: u64,
}

impl BlobsAnswer {
    fn add(&mut self, amount: &Amount) {
        self.sent += amount.sent;
        self.mounted += amount.mounted;
        self.present += amount.present;
        self.bytes_sent += amount.bytes;
    }
}

/// Copies an image now.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where a name is not valid, [`crate::error::Kind::Unknown`] where a registry does not answer or refuses, [`crate::error::Kind::Failed`] where the
/// source does not exist or is damaged, or a tag points to another image. The tags of one repository change together, with the last request.
pub async fn import(
    app: &App,
    import: &Import,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<ImportAnswer> {
    let source = places::source(app, &import.source, import.source_registry.as_deref())?;
    let targets = places::targets(app, import, &source)?;
    app.registries_with(logins(import, &source)?);
    let options = CopyOptions {
        platforms: &import.platforms,
        all_referrers: import.all_referrers,
        force: import.force,
    };
    let copying = async {
        let verified = verified(app, source.clone()).await?;
        let copies = copy_all(app, &verified, &targets, &options, events).await?;
        let written = written(&targets, &copies);
        let images: Vec<Reference> = written.keys().cloned().collect();
        pushed::confirmed(app, &images, &written, &moved_from(&copies)).await?;
        Ok::<_, Error>(copies)
    };
    let copies = tokio::select! {
        copies = copying => copies?,
        signal = stop.wait() => {
            let text = format!("the copy was stopped by {signal}; only tags with complete copies have changed");
            return Err(Error::new(signal.kind(), text));
        }
    };
    let mut blobs = BlobsAnswer::default();
    let mut images = Vec::new();
    let mut digest = None;
    for copy in copies {
        blobs.add(&copy.amount);
        digest = Some(copy.source);
        images.extend(copy.names.into_iter().map(|(image, state)| CopyAnswer {
            image,
            digest: copy.digest.clone(),
            state: state_of(&state),
        }));
    }
    let digest = digest.ok_or_else(|| Error::invalid("no target to copy to was given"))?;
    Ok(ImportAnswer {
        source: places::name(&source),
        digest,
        images,
        blobs,
    })
}

/// Looks at the source of a copy.
///
/// # Errors
///
/// [`Kind::Failed`] where it does not exist, [`Kind::Unknown`] where its registry does not answer or refuses.
async fn look(app: &App, source: &Reference) -> Result<ResolvedTag> {
    app.registries().look_cached(source).await.map_err(|error| {
        let absent = error.is_absent();
        let error = Error::from(error);
        let kind = if absent { Kind::Failed } else { error.kind() };
        Error::new(kind, format!("cannot find out what `{source}` is")).because(error)
    })
}

/// Returns the source of a copy by the digest that the rules of `verify` accept; as it is, where no rule is for it.
///
/// # Errors
///
/// [`Kind::Failed`] where a rule refuses it, and as [`look`].
async fn verified(app: &App, source: ImagePlace) -> Result<ImagePlace> {
    let ImagePlace::Registry(image) = &source else {
        return Ok(source);
    };
    if !app.verifier.has_rules_for(image) {
        return Ok(source);
    }
    let at = match image.digest() {
        Some(_) => image.clone(),
        None => image.at(look(app, image).await?.digest),
    };
    app.verifier.verify(image, &at).await?;
    Ok(ImagePlace::Registry(at))
}

/// Returns a background run that copies an image.
pub fn quick(app: &App, import: &Import) -> Result<RunRequest> {
    let source = places::source(app, &import.source, import.source_registry.as_deref())?;
    // Report invalid names now, to the user who typed them, and not in a log later.
    let targets = places::targets(app, import, &source)?;
    let name = "import".parse();
    let name = name.map_err(|problem| {
        Error::failed("cannot name the copy").because(anyhow::anyhow!("{problem}"))
    })?;
    let mut secrets = Secrets {
        schema: Secrets::SCHEMA,
        ..Secrets::default()
    };
    if let Some((server, login)) = places::registry(&source).zip(import.login.clone()) {
        secrets.credentials.insert(server.to_owned(), login);
    }
    let names = |tagged: bool| {
        let targets = targets
            .iter()
            .filter(move |it| it.tags.is_empty() != tagged);
        targets.flat_map(Target::names).collect::<Vec<String>>()
    };
    let registry = targets
        .iter()
        .find_map(|target| places::registry(&target.place));
    let registry = registry.or(places::registry(&source));
    let key = TaskKey {
        registry: registry.unwrap_or("localhost").to_owned(),
        name,
    };
    let step = Step::Import(ImportStep {
        source: places::name(&source),
        image_names: names(true),
        repositories: names(false),
        all_referrers: import.all_referrers,
        force: import.force,
        test: Vec::new(),
    });
    let task = Task {
        platforms: import.platforms.clone(),
        ..Task::blank(key, step)
    };
    Ok(RunRequest::quick(Quick { task, secrets }))
}

fn logins(import: &Import, source: &ImagePlace) -> Result<Vec<Login>> {
    let Some(login) = &import.login else {
        return Ok(Vec::new());
    };
    let Some(server) = places::registry(source) else {
        return Err(Error::invalid("a folder is read without a login").hint(
            "leave out --username and --password; a login for the target is kept by docker login",
        ));
    };
    let secrets = Secrets {
        credentials: BTreeMap::from([(server.to_owned(), login.clone())]),
        ..Secrets::default()
    };
    super::credential::logins(None, &secrets)
}

/// The options that all targets share.
struct CopyOptions<'a> {
    platforms: &'a [Platform],
    all_referrers: bool,
    force: bool,
}

struct MadeCopy {
    digest: Digest,
    source: Digest,
    /// Each name, and what was done.
    names: Vec<(String, Tagged)>,
    amount: Amount,
}

/// Copies to the targets one after the other, because later ones can often mount blobs from earlier ones.
async fn copy_all(
    app: &App,
    source: &ImagePlace,
    targets: &[Target],
    options: &CopyOptions<'_>,
    events: &EventSink<'_>,
) -> Result<Vec<MadeCopy>> {
    let registries = app.registries();
    let request = |target: &Target| CopyRequest {
        from: source.clone(),
        to: target.place.clone(),
        tags: target.tags.clone(),
        platforms: options.platforms.to_vec(),
        all_referrers: options.all_referrers,
        force: options.force,
    };
    if targets.len() > 1 && !options.force {
        for target in targets {
            let may = registries.may_copy(&request(target)).await;
            may.map_err(|error| failed(source, target, error.into()))?;
        }
    }
    let memory = StoredCopies { app, events };
    let mut made: Vec<MadeCopy> = Vec::new();
    for target in targets {
        let mut request = request(target);
        if let Some(near) = nearest(&made, targets, target) {
            request.from = near;
            request.platforms.clear();
        }
        let doing = format!(
            "copying {} to {}",
            places::name(source),
            target.names().join(", ")
        );
        events.send(Event::Doing(doing));
        let watch = |progress: CopyProgress<'_>| events.send(Event::Copying(progress));
        let copied = match registries.copy(&request, &watch, &memory).await {
            Ok(copied) => copied,
            Err(error) => {
                let left = put_back(app, targets, &made).await;
                return Err(failed(source, target, tags_left(&left, error.into())));
            }
        };
        let states = if copied.tags.is_empty() {
            vec![Tagged::Created]
        } else {
            copied.tags
        };
        let names: Vec<(String, Tagged)> = target.names().into_iter().zip(states).collect();
        for (name, state) in &names {
            if *state == Tagged::Unchanged {
                let text = format!("`{name}` is that image already: {}", copied.digest);
                events.send(Event::Note(text));
            }
        }
        let whole = made.first().map(|first| first.source.clone());
        made.push(MadeCopy {
            digest: copied.digest,
            source: whole.unwrap_or(copied.source),
            names,
            amount: copied.amount,
        });
    }
    Ok(made)
}

/// Undoes what finished copies did to tags, because another one has failed. Returns the names that stay changed.
async fn put_back(app: &App, targets: &[Target], made: &[MadeCopy]) -> Vec<String> {
    let registries = app.registries();
    let mut left = Vec::new();
    for (target, made) in targets.iter().zip(made).rev() {
        let states = made.names.iter().map(|(_, state)| state.clone());
        let tags: Vec<(String, Tagged)> = target.tags.iter().cloned().zip(states).collect();
        let back = registries.put_back(&target.place, &made.digest, &tags);
        left.extend(back.await);
    }
    left
}

/// Returns the tags in registries that were written, with their digests. A tag that already pointed to the digest was not written.
fn written(targets: &[Target], copies: &[MadeCopy]) -> BTreeMap<Reference, Digest> {
    let mut written = BTreeMap::new();
    for (target, copy) in targets.iter().zip(copies) {
        if target.tags.is_empty() || places::registry(&target.place).is_none() {
            continue;
        }
        let names = copy.names.iter();
        let new = names.filter(|(_, state)| *state != Tagged::Unchanged);
        let images = new.filter_map(|(name, _)| name.parse().ok());
        written.extend(images.map(|image| (image, copy.digest.clone())));
    }
    written
}

/// Returns the digests that moved tags had before.
fn moved_from(copies: &[MadeCopy]) -> BTreeMap<Reference, Digest> {
    let names = copies.iter().flat_map(|copy| &copy.names);
    let moved = names.filter_map(|(name, state)| match state {
        Tagged::Moved(before) => Some((name.parse().ok()?, before.clone())),
        Tagged::Created | Tagged::Unchanged => None,
    });
    moved.collect()
}

/// Returns a finished copy in the registry of `target`, from which its blobs can be mounted instead of sent.
fn nearest(made: &[MadeCopy], targets: &[Target], target: &Target) -> Option<ImagePlace> {
    let ImagePlace::Registry(wanted) = &target.place else {
        return None;
    };
    made.iter()
        .zip(targets)
        .find_map(|(made, target)| match &target.place {
            ImagePlace::Registry(image) if image.registry() == wanted.registry() => {
                Some(ImagePlace::Registry(image.at(made.digest.clone())))
            }
            _ => None,
        })
}

/// Returns the error of a copy, with its source and target.
fn failed(source: &ImagePlace, target: &Target, error: Error) -> Error {
    let (source, names) = (places::name(source), target.names().join("`, `"));
    let text = format!("cannot copy `{source}` to `{names}`");
    Error::new(error.kind(), text).because(error)
}

fn state_of(tagged: &Tagged) -> &'static str {
    match tagged {
        Tagged::Created => "Created",
        Tagged::Moved(_) => "Moved",
        Tagged::Unchanged => "Unchanged",
    }
}
