//! Checks whether images are built on their newest bases, without a task, without stored state, and without building.
//!
//! `read` reads what an image of a registry or a folder says of its bases, and `held` reads the same for an image of a builder's own store.
//! Each base is looked at once, and `judge` compares.

pub(super) mod answer;
pub(super) mod assumed;
mod composed;
pub(super) mod held;
pub(super) mod judge;
pub(super) mod read;
mod subject;

use std::{collections::BTreeMap, path::PathBuf};

use futures_util::{StreamExt as _, future::join_all, stream};

use crate::{
    error::{Kind, Result},
    image::Platform,
    registry::copy::ImagePlace,
};

use super::{App, Event, EventSink, check, joined::counted, look::looking_at};

pub use answer::ImageCheckAnswer;
use answer::Row;
pub use assumed::AssumedBase;
use judge::BaseComparator;
use subject::{Subject, SubjectPlace};

/// How many images of one registry are read at once; its own limits may be lower.
const READ_AT_ONCE: usize = 16;

#[derive(Clone, Debug, Default)]
pub struct ImageCheckRequest {
    /// The images as the user wrote them.
    pub images: Vec<String>,
    /// Whether the images of running containers are checked too.
    pub running: bool,
    /// Compose files, or folders with one, whose images are checked too.
    pub compose: Vec<PathBuf>,
    /// The platforms to check; if empty, all that an image has.
    pub platforms: Vec<Platform>,
    /// The base that is assumed for images that name none.
    pub assumed: AssumedBase,
}

#[derive(Debug)]
pub struct ImageCheckReport {
    /// Each image, for each of its platforms.
    pub images: Vec<ImageCheckAnswer>,
    /// The worst state that was found, as the kind that picks the exit code; `None` if everything is current.
    pub worst: Option<Kind>,
}

/// Checks for each image whether its bases are still what they were when it was built.
///
/// # Errors
///
/// [`Kind::Invalid`] where a name, the Dockerfile, or a compose file as a whole cannot be used; [`Kind::Unknown`] where the running
/// containers cannot be listed. A problem with one image is in its answer.
pub async fn check(
    app: &App,
    request: ImageCheckRequest,
    events: &EventSink<'_>,
) -> Result<ImageCheckReport> {
    let (mut all, mut unknown) = (Vec::new(), None);
    for name in &request.images {
        all.push(subject::subject(app, name)?);
    }
    for path in &request.compose {
        let is_one_of_many = request.compose.len() > 1;
        all.extend(composed::subjects(app, path, is_one_of_many, events)?);
    }
    if request.running {
        let (running, are_all) = held::running(app, events).await?;
        unknown = (!are_all).then_some(Kind::Unknown);
        for one in running {
            let held::RunningImage {
                store,
                image,
                name,
                containers,
            } = one;
            all.push(Subject {
                containers,
                ..Subject::new(format!("{store}{name}"), SubjectPlace::Held(store, image))
            });
        }
    }
    let mut subjects = Vec::new();
    for subject in all {
        subject.add_to(&mut subjects);
    }
    let assumed = assumed::Assumed::read(&request.assumed)?;
    events.send(reading_images(subjects.len()));
    let rows = read_all(app, &subjects, &request.platforms).await;
    let tags = judge::tags(&rows, &assumed);
    events.send(looking_at(tags.len()));
    let judge = BaseComparator::look(app, assumed, tags, &rows, events).await;
    let images: Vec<ImageCheckAnswer> = stream::iter(&rows)
        .map(|row| judge.answer(row))
        .buffered(READ_AT_ONCE)
        .collect()
        .await;
    let states = images.iter().filter_map(|image| image.state.exit());
    let worst = check::worst_of(states.chain(unknown));
    Ok(ImageCheckReport { images, worst })
}

/// Returns the event that says how many images are being read.
pub fn reading_images<'a>(images: usize) -> Event<'a> {
    Event::Doing(format!("reading {}", counted(images, "image")))
}

/// Reads all images, those of different registries and stores concurrently, and returns them in the order given.
async fn read_all(app: &App, subjects: &[Subject], platforms: &[Platform]) -> Vec<Row> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (n, subject) in subjects.iter().enumerate() {
        let group = match &subject.place {
            SubjectPlace::Stored(ImagePlace::Registry(image)) => image.registry().to_owned(),
            SubjectPlace::Stored(ImagePlace::Layout { .. }) | SubjectPlace::Nowhere(_) => {
                String::new()
            }
            SubjectPlace::Held(store, _) | SubjectPlace::Either(store, ..) => store.to_string(),
        };
        groups.entry(group).or_default().push(n);
    }
    let stores = held::Stores::default();
    let stores = &stores;
    let read = groups.into_values().map(|group| async move {
        stream::iter(group)
            .map(async |n| (n, read_one(app, &subjects[n], stores, platforms).await))
            .buffer_unordered(READ_AT_ONCE)
            .collect::<Vec<_>>()
            .await
    });
    let mut read: Vec<(usize, Vec<Row>)> = join_all(read).await.into_iter().flatten().collect();
    read.sort_by_key(|(n, _)| *n);
    read.into_iter().flat_map(|(_, rows)| rows).collect()
}

async fn read_one(
    app: &App,
    subject: &Subject,
    stores: &held::Stores,
    platforms: &[Platform],
) -> Vec<Row> {
    let mut name = subject.name.clone();
    let read = match &subject.place {
        SubjectPlace::Stored(place) => of_place(app, place, platforms).await,
        SubjectPlace::Held(store, image) => stores.read(app, *store, image, platforms).await,
        SubjectPlace::Either(store, image, place) => {
            match (stores.read(app, *store, image, platforms).await, place) {
                (Err(why), Some(place)) => {
                    let read = of_place(app, place, platforms).await;
                    read.map_err(|of_registry| format!("{of_registry}; {why}"))
                }
                (read, _) => {
                    name = format!("{store}{image}");
                    read
                }
            }
        }
        SubjectPlace::Nowhere(why) => Err(why.clone()),
    };
    let row = |platform, facts| Row {
        image: name.clone(),
        services: subject.services.clone(),
        containers: subject.containers.clone(),
        platform,
        facts,
    };
    match read {
        Ok(images) => {
            let images = images.into_iter();
            images.map(|one| row(one.platform, one.facts)).collect()
        }
        Err(why) => vec![row(None, Err(why))],
    }
}

async fn of_place(
    app: &App,
    place: &ImagePlace,
    platforms: &[Platform],
) -> Result<Vec<read::PlatformFacts>, String> {
    let read = read::read(app, place, platforms).await;
    read.map(|read| read.platforms)
}
