//! Reads what an image in a builder's own store says of its bases, with the builder's commands, and lists the images that run.

use std::{fmt, rc::Rc};

use tokio::sync::OnceCell;

use crate::{
    builder::{self, Builder, HeldImage},
    error::{Error, Kind, Result},
    image::{Platform, Reference},
    lineage::{Evidence, ImageRecord},
    ops::{App, Event, EventSink},
    registry::copy::ImagePlace,
    sys::{
        command::CommandLine,
        process::{self, Ended},
    },
};

use super::read::{self, Facts, Lineage, PlatformFacts};

/// How many of an image's repositories are asked for what the builder's store does not keep.
const MAX_REPOSITORIES: usize = 3;

/// The maximum number of containers that are read: more than run on one machine.
const MAX_RUNNING: usize = 10_000;

/// The store of a builder. `Display` gives the prefix that skopeo uses for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Docker,
    Containers,
}

impl Store {
    /// Returns the store that a name has as its prefix, and the rest of the name.
    pub fn of(name: &str) -> Option<(Self, &str)> {
        [Self::Docker, Self::Containers]
            .into_iter()
            .find_map(|store| Some((store, name.strip_prefix(store.prefix())?)))
    }

    /// Returns the store whose program is installed, Docker's first.
    pub fn at_hand(app: &App) -> Option<Self> {
        let mut stores = [Self::Docker, Self::Containers].into_iter();
        stores.find(|store| store.program(app).is_some())
    }

    fn program(self, app: &App) -> Option<&'static str> {
        let mut programs = self.programs().iter().copied();
        programs.find(|name| process::find(name, &app.settings.path).is_some())
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Docker => "docker-daemon:",
            Self::Containers => "containers-storage:",
        }
    }

    /// Returns the programs that can read the store, the best first.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Docker => &["docker"],
            Self::Containers => &["podman", "buildah"],
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix())
    }
}

/// The programs of the stores, each looked for once.
#[derive(Default)]
pub struct Stores {
    docker: OnceCell<Result<Builder, String>>,
    containers: OnceCell<Result<Builder, String>>,
}

impl Stores {
    pub async fn read(
        &self,
        app: &App,
        store: Store,
        image: &str,
        wanted: &[Platform],
    ) -> Result<Vec<PlatformFacts>, String> {
        let cell = match store {
            Store::Docker => &self.docker,
            Store::Containers => &self.containers,
        };
        let builder = cell
            .get_or_init(|| async { find(app, store).await.map_err(|error| error.one_line()) })
            .await
            .as_ref()
            .map_err(Clone::clone)?;
        let line = builder.inspect_image(image);
        let line = line.ok_or_else(|| format!("`{store}` says nothing of its images"))?;
        let printed = answer(&line).await.map_err(|error| error.one_line())?;
        let held = HeldImage::parse(&printed).ok_or_else(|| {
            format!(
                "the output of `{}` does not describe an image",
                line.program.display()
            )
        })?;
        let facts = facts(&held)?;
        let platform = facts.record.platform.clone();
        let is_wanted = |own: &Platform| wanted.iter().any(|it| own.distance(it).is_some());
        if !wanted.is_empty() && !platform.as_ref().is_some_and(is_wanted) {
            return Err("it is not made for this platform".to_owned());
        }
        let lineage = with_registries(app, &held, &facts).await;
        Ok(vec![PlatformFacts {
            platform,
            facts: Ok(Facts { lineage, ..facts }),
        }])
    }
}

/// Returns what the image itself says.
pub fn facts(held: &HeldImage) -> Result<Facts, String> {
    let record = ImageRecord::parse(held.config.to_string().as_bytes())?;
    let mut lineage = Lineage::default();
    if !lineage.take(&held.annotations, Evidence::Annotation) {
        lineage.take(&record.labels, Evidence::Label);
    }
    Ok(Facts {
        digest: None,
        record: Rc::new(record),
        lineage,
    })
}

/// Returns the lineage of an image in a store. If the image itself names no base, the registries that it was pulled from or pushed to are
/// asked.
async fn with_registries(app: &App, held: &HeldImage, facts: &Facts) -> Lineage {
    let (mut lineage, record) = (facts.lineage.clone(), &facts.record);
    if lineage.evidence.is_some() {
        return lineage;
    }
    let platforms: Vec<Platform> = record.platform.clone().into_iter().collect();
    for image in held.on_registries().iter().take(MAX_REPOSITORIES) {
        match of_registry(app, image, &platforms).await {
            Ok(found) if found.evidence.is_some() => return found,
            Ok(mut found) => lineage.problems.append(&mut found.problems),
            Err(why) => lineage.problems.push(why),
        }
    }
    lineage
}

async fn of_registry(
    app: &App,
    image: &Reference,
    platforms: &[Platform],
) -> Result<Lineage, String> {
    let read = read::read(app, &ImagePlace::Registry(image.clone()), platforms).await?;
    let first = read.platforms.into_iter().next();
    first.map_or_else(
        || Ok(Lineage::default()),
        |it| it.facts.map(|it| it.lineage),
    )
}

pub struct RunningImage {
    pub store: Store,
    /// The name or id by which its builder finds it.
    pub image: String,
    pub name: String,
    pub containers: Vec<String>,
}

/// Returns the images of the running containers, and whether these are all: not if one of the builders cannot list them.
///
/// # Errors
///
/// [`Kind::Unknown`] where no builder can list them.
pub async fn running(app: &App, events: &EventSink<'_>) -> Result<(Vec<RunningImage>, bool)> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for store in [Store::Docker, Store::Containers] {
        let program = store.programs().first().copied().unwrap_or_default();
        if process::find(program, &app.settings.path).is_none() {
            continue;
        }
        match running_in(app, store, program).await {
            Ok(images) => found.push(images),
            Err(error) => problems.push(error),
        }
    }
    if found.is_empty() {
        let none = "cannot find out which containers run";
        let problem = problems.into_iter().next();
        let error = Error::new(Kind::Unknown, none);
        return Err(match problem {
            Some(problem) => error.because(problem),
            None => error.hint("docker or podman must be on PATH"),
        });
    }
    let are_all = problems.is_empty();
    for problem in problems {
        events.send(Event::Warning(problem.one_line()));
    }
    Ok((found.into_iter().flatten().collect(), are_all))
}

async fn running_in(app: &App, store: Store, program: &str) -> Result<Vec<RunningImage>> {
    let builder = builder::detect(Some(program), &app.settings).await?;
    let Some(line) = builder.running_images() else {
        return Ok(Vec::new());
    };
    let printed = answer(&line).await?;
    let printed = String::from_utf8_lossy(&printed);
    let mut images: Vec<RunningImage> = Vec::new();
    for line in printed.lines().take(MAX_RUNNING) {
        // The id of the image, its name if there is one, and the name of the container.
        let words: Vec<&str> = line.split(' ').collect();
        let [image, .., container] = words.as_slice() else {
            continue;
        };
        let name = words.get(1).filter(|_| words.len() > 2).unwrap_or(image);
        let is_same = |it: &&mut RunningImage| it.image == *image && it.name == *name;
        match images.iter_mut().find(is_same) {
            Some(known) => known.containers.push((*container).to_owned()),
            None => images.push(RunningImage {
                store,
                image: (*image).to_owned(),
                name: (*name).to_owned(),
                containers: vec![(*container).to_owned()],
            }),
        }
    }
    Ok(images)
}

async fn find(app: &App, store: Store) -> Result<Builder> {
    let program = store.program(app).ok_or_else(|| {
        let programs = store.programs().join(" nor ");
        Error::invalid(format!("neither {programs} is on PATH"))
    })?;
    builder::detect(Some(program), &app.settings).await
}

/// Returns the output of a command.
///
/// # Errors
///
/// [`Kind::Unknown`] with its last line, where it fails.
async fn answer(line: &CommandLine) -> Result<Vec<u8>> {
    let reply = process::ask(line).await?;
    if reply.ended == Ended::Exited(0) {
        return Ok(reply.output);
    }
    let last = process::last_line(&reply.errors).unwrap_or_else(|| "it failed".to_owned());
    let cannot = format!("`{line}` failed: {}", last.escape_debug());
    Err(Error::new(Kind::Unknown, cannot))
}
