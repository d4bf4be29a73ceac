//! What was pushed: the digest that a builder reports, whether each tag has it, and for which platforms the image is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    builder::{self, DigestSource, Purpose},
    error::{Error, Result},
    image::{Digest, Platform, Reference},
    registry::{LookupError, ResolvedTag},
    store::file,
    task::ImageDescriptor,
};

use super::{App, joined::joined};

/// The largest file with a digest, in bytes.
const MAX_DIGEST: u64 = 1024;

/// The largest metadata file of BuildKit, in bytes: it may hold a description of the whole build.
const MAX_METADATA: u64 = 16 * 1024 * 1024;

/// The pauses before a tag with the wrong digest is looked at again: a registry behind a cache may be late.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// Returns the digest that a command has reported, and removes the file that it was reported in; `None` where the registry has to be asked.
/// `printed` is the output of the command.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the command has written no digest into its file, and the kinds of [`file::read`] and [`file::remove`].
pub(super) fn digest(
    purpose: &Purpose,
    source: &DigestSource,
    printed: &[u8],
) -> Result<Option<Digest>> {
    Ok(match source {
        DigestSource::File(path) => {
            // podman as a client of a remote service writes no file.
            let Some(bytes) = file::read(path, MAX_DIGEST)? else {
                return Ok(None);
            };
            file::remove(path)?;
            let digest = String::from_utf8_lossy(&bytes).trim().parse();
            // `buildah manifest push` ends with 0 and an empty file where the registry has refused the push.
            Some(digest.map_err(|_| not_reported(purpose))?)
        }
        DigestSource::Metadata(path) => {
            let bytes = file::read(path, MAX_METADATA)?.unwrap_or_default();
            file::remove(path)?;
            builder::digest_in_metadata(&bytes)
        }
        DigestSource::Output => builder::digest_in_output(printed),
        DigestSource::Registry => None,
    })
}

/// Looks at each pushed tag, and returns the pushed images with their digests: the digest that the builder or the copy reported, or that of
/// an index which contains it. A tag without a digest in `reported` only has to have moved. If another client has moved the tag since, it is
/// enough that the image is in the registry; a tag that still has its digest of `before`, from before the push, has not moved.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where an image has not arrived, [`crate::error::Kind::Unknown`] where its registry does not answer, each after three looks within four
/// seconds.
pub(super) async fn confirmed(
    app: &App,
    images: &[Reference],
    reported: &BTreeMap<Reference, Digest>,
    before: &BTreeMap<Reference, Digest>,
) -> Result<Vec<ImageDescriptor>> {
    let mut found: BTreeMap<Reference, Digest> = BTreeMap::new();
    let mut open: Vec<Reference> = images.to_vec();
    let mut pauses = PAUSES.into_iter();
    loop {
        let mut problems = BTreeMap::new();
        let mut moved = Vec::new();
        for (image, looked) in app.registries().look_all(open).await {
            let now = looked.as_ref().ok().map(|seen| &seen.digest);
            let stays = now.is_some() && now == before.get(&image);
            if now.is_some() && !stays {
                moved.push(image.clone());
            }
            let judged = match reported.get(&image) {
                None if stays => Err(not_moved(&image)),
                reported => judge(app, &image, looked, reported).await,
            };
            match judged {
                Ok(digest) => drop(found.insert(image, digest)),
                Err(problem) => drop(problems.insert(image, problem)),
            }
        }
        if pauses.len() == 0 {
            moved.retain(|image| problems.contains_key(image));
            for (image, digest) in arrived(app, moved, reported).await {
                problems.remove(&image);
                found.insert(image, digest);
            }
        }
        let Some((image, problem)) = problems.pop_first() else {
            let descriptor = |image| ImageDescriptor::new(image, found.get(image).cloned());
            return Ok(images.iter().map(descriptor).collect());
        };
        let Some(pause) = pauses.next() else {
            return Err(problem);
        };
        app.clock.sleep(pause).await;
        open = problems.into_keys().chain([image]).collect();
    }
}

/// Returns those images that are in their registries by the reported digest, whatever their tags point to now.
async fn arrived(
    app: &App,
    images: Vec<Reference>,
    reported: &BTreeMap<Reference, Digest>,
) -> Vec<(Reference, Digest)> {
    let mut found = Vec::new();
    for image in images {
        if let Some(digest) = reported.get(&image)
            && app
                .registries()
                .look(&image.at(digest.clone()))
                .await
                .is_ok()
        {
            found.push((image, digest.clone()));
        }
    }
    found
}

/// Compares the digest of a tag with the one that was pushed to it.
async fn judge(
    app: &App,
    image: &Reference,
    looked: Result<ResolvedTag, LookupError>,
    reported: Option<&Digest>,
) -> Result<Digest> {
    let seen = match looked {
        Ok(seen) => seen,
        Err(error) if error.is_absent() => return Err(not_there(image, reported)),
        Err(error) => return Err(unseen(image, error)),
    };
    let Some(reported) = reported.filter(|digest| **digest != seen.digest) else {
        return Ok(seen.digest);
    };
    let there = image.at(seen.digest.clone());
    match app.registries().lists(&there, reported).await {
        Ok(true) => Ok(seen.digest),
        Ok(false) => Err(Error::failed(format!(
                "`{image}` is not what was pushed: it is {}, and {reported} was pushed",
                seen.digest
            ),
        )
        .hint("see who else pushes to this tag, and whether something in front of the registry keeps pushes from it")),
        Err(error) => Err(unseen(image, error)),
    }
}

fn not_there(image: &Reference, reported: Option<&Digest>) -> Error {
    let pushed = match reported {
        Some(digest) => format!("pushing {digest} succeeded"),
        None => "pushing it succeeded".to_owned(),
    };
    Error::failed(format!("the push of `{image}` has not arrived: {pushed}, but the registry has no such tag"))
    .hint(format!(
        "something in front of `{}` may answer pushes in its place; to see what answers: acrt check-health {0}",
        image.registry()
    ))
}

fn not_moved(image: &Reference) -> Error {
    Error::failed(format!(
        "the push of `{image}` has not arrived: the tag still has the image from before"
    ))
    .hint(can_push(image))
}

fn not_reported(purpose: &Purpose) -> Error {
    let failed = Error::failed(format!(
        "{purpose} failed: the builder does not say what it has pushed"
    ));
    match purpose.pushes().first() {
        Some(image) => failed.hint(can_push(image)),
        None => failed,
    }
}

fn can_push(image: &Reference) -> String {
    let registry = image.registry();
    format!("see whether `{registry}` takes pushes: acrt check-health {registry}")
}

fn unseen(image: &Reference, error: LookupError) -> Error {
    let error = Error::from(error);
    let text = format!("cannot see the pushed image `{image}`");
    Error::new(error.kind(), text).because(error)
}

/// Returns the platforms of the pushed images, written like those in `planned` where they mean the same; empty where no image names any.
///
/// # Errors
///
/// [`crate::error::Kind::Unknown`] where an image cannot be read.
pub(super) async fn platforms(
    app: &App,
    outputs: &[ImageDescriptor],
    planned: &[Platform],
) -> Result<BTreeSet<Platform>> {
    let read = async |image: Reference| app.registries().made_for(&image).await;
    read_each(outputs, planned, read).await
}

/// As [`platforms`], by the configs of the images: an index may name the platform that was asked for instead of the one that was built.
///
/// # Errors
///
/// As [`platforms`].
pub(super) async fn configured(
    app: &App,
    outputs: &[ImageDescriptor],
    planned: &[Platform],
) -> Result<BTreeSet<Platform>> {
    let read = async |image: Reference| app.registries().configured_for(&image).await;
    read_each(outputs, planned, read).await
}

async fn read_each(
    outputs: &[ImageDescriptor],
    planned: &[Platform],
    read_one: impl AsyncFn(Reference) -> Result<BTreeSet<Platform>, LookupError>,
) -> Result<BTreeSet<Platform>> {
    let mut read = BTreeSet::new();
    let mut made = BTreeSet::new();
    for output in outputs {
        let Some((image, digest)) = output.reference().zip(output.digest.clone()) else {
            continue;
        };
        if read.insert(digest.clone()) {
            let found = read_one(image.at(digest)).await;
            made.extend(found.map_err(|error| unseen(&image, error))?);
        }
    }
    Ok(in_words_of(planned, made))
}

/// Replaces platforms by the planned ones that they mean. Images rarely name the variant of an architecture, or the version of an operating
/// system.
pub(super) fn in_words_of(
    planned: &[Platform],
    made: impl IntoIterator<Item = Platform>,
) -> BTreeSet<Platform> {
    let mut found = BTreeSet::new();
    for platform in made {
        if planned.contains(&platform) {
            found.insert(platform);
            continue;
        }
        let (os, architecture) = (platform.os(), platform.architecture());
        let platform = Platform::new(os, architecture, platform.variant());
        let plain = Platform::new(platform.os(), platform.architecture(), None);
        let says_no_more = platform == plain;
        let meant = planned.iter().filter(|it| {
            says_no_more && it.os() == platform.os() && it.architecture() == platform.architecture()
        });
        let meant: Vec<Platform> = meant.cloned().collect();
        if meant.is_empty() {
            found.insert(platform);
        } else {
            found.extend(meant)
        }
    }
    found
}

/// Returns an error text if an image is not for the wanted platforms.
///
/// `forced` are the platforms for which the Dockerfile itself makes the image for another one, each with that one. `None` where the
/// platforms are right, where none are wanted, or where those of the image are not known.
pub(super) fn mismatch(
    made: &BTreeSet<Platform>,
    wanted: &[Platform],
    forced: &BTreeMap<Platform, Platform>,
) -> Option<String> {
    let wanted: BTreeSet<Platform> = wanted.iter().cloned().collect();
    let instead: BTreeSet<&Platform> = wanted.iter().filter_map(|it| forced.get(it)).collect();
    let is_made = |it: &Platform| {
        made.contains(it) || forced.get(it).is_some_and(|other| made.contains(other))
    };
    let is_right = || {
        made.iter()
            .all(|it| wanted.contains(it) || instead.contains(it))
    };
    if wanted.is_empty() || made.is_empty() || (wanted.iter().all(is_made) && is_right()) {
        return None;
    }
    Some(format!(
        "the builder made an image for {} where one for {} is wanted",
        joined(made, ", "),
        joined(&wanted, ", ")
    ))
}

/// Returns a note if the platforms of an image are not the planned ones.
pub(super) fn surprise(made: &BTreeSet<Platform>, planned: &[Platform]) -> Option<String> {
    let planned: BTreeSet<Platform> = planned.iter().cloned().collect();
    (*made != planned).then(|| {
        let (made, planned) = (joined(made, ", "), joined(&planned, ", "));
        format!(
            "the image is for {made} and not, as was expected, for {planned}; {made} is followed"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<Platform> {
        list(texts).into_iter().collect()
    }

    fn list(texts: &[&str]) -> Vec<Platform> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn image_config_without_a_variant_has_the_planned_variant() {
        let words = |planned: &[&str], made: &[&str]| in_words_of(&list(planned), list(made));
        assert_eq!(
            words(&["linux/arm/v6"], &["linux/arm"]),
            set(&["linux/arm/v6"])
        );
        assert_eq!(
            words(&["linux/amd64/v2"], &["linux/amd64"]),
            set(&["linux/amd64/v2"])
        );
        assert_eq!(
            words(&["linux/arm"], &["linux/arm/v6"]),
            set(&["linux/arm/v6"])
        );
        assert_eq!(
            words(&["linux/amd64"], &["linux/arm64"]),
            set(&["linux/arm64"])
        );
        let both = ["linux/arm/v6", "linux/arm/v7"];
        assert_eq!(words(&both, &both), set(&both));
    }

    #[test]
    fn image_for_an_unrequested_platform_is_reported() {
        let found = |made: &[&str], wanted: &[&str], forced: &[(&str, &str)]| {
            let parsed = |text: &str| text.parse::<Platform>().unwrap();
            let forced = forced.iter();
            let forced = forced.map(|(platform, other)| (parsed(platform), parsed(other)));
            mismatch(&set(made), &list(wanted), &forced.collect())
        };
        assert_eq!(
            found(&["linux/amd64"], &["windows/amd64"], &[]).as_deref(),
            Some("the builder made an image for linux/amd64 where one for windows/amd64 is wanted")
        );
        let two = ["linux/amd64", "linux/arm64"];
        assert!(found(&["linux/amd64"], &two, &[]).is_some());
        assert!(found(&two, &["linux/amd64"], &[]).is_some());
        assert_eq!(found(&two, &two, &[]), None);
        assert_eq!(found(&["linux/arm64"], &[], &[]), None);
        assert_eq!(found(&[], &two, &[]), None);
        // `FROM --platform=linux/amd64` sets it, whatever is wanted.
        let amd64 = [("linux/arm64", "linux/amd64")];
        assert_eq!(found(&["linux/amd64"], &["linux/arm64"], &amd64), None);
        assert_eq!(found(&["linux/amd64"], &two, &amd64), None);
        // Builders of an index may name the platforms that were asked for.
        assert_eq!(found(&two, &two, &amd64), None);
        // A part for one platform is not excused by what is set for another one.
        assert!(found(&["linux/amd64"], &["linux/s390x"], &amd64).is_some());
        assert!(found(&["linux/s390x"], &["linux/arm64"], &amd64).is_some());
    }

    fn push() -> Purpose {
        Purpose::Push("localhost:5000/web:1".parse().unwrap())
    }

    #[test]
    fn digest_file_of_a_builder_is_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Digest::of(b"x");
        let path = folder.path().join("digest-1");
        std::fs::write(&path, format!("{wanted}\n")).unwrap();
        let found = digest(&push(), &DigestSource::File(path.clone()), b"").unwrap();
        assert_eq!(found.as_ref(), Some(&wanted));
        std::fs::write(&path, format!(r#"{{"containerimage.digest":"{wanted}"}}"#)).unwrap();
        let found = digest(&push(), &DigestSource::Metadata(path.clone()), b"").unwrap();
        assert_eq!(found, Some(wanted));
        assert!(!path.exists());
    }

    #[test]
    fn empty_digest_file_of_a_builder_is_a_failed_push() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digest-1");
        std::fs::write(&path, "").unwrap();
        let failed = digest(&push(), &DigestSource::File(path), b"").unwrap_err();
        assert_eq!(
            failed.to_string(),
            "the push of `localhost:5000/web:1` failed: the builder does not say what it has pushed"
        );
        assert_eq!(
            failed.advice(),
            Some("see whether `localhost:5000` takes pushes: acrt check-health localhost:5000")
        );
    }

    #[test]
    fn missing_builder_digest_is_looked_up_in_the_registry() {
        for nowhere in [
            DigestSource::Metadata("/nowhere/metadata.json".into()),
            DigestSource::File("/nowhere/digest-1".into()),
            DigestSource::Registry,
        ] {
            assert_eq!(digest(&push(), &nowhere, b"digest: x").unwrap(), None);
        }
    }
}
