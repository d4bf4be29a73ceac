//! Every image that a build needs, on all of its platforms.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    context::Contexts,
    expand::{Budget, Lexer},
    file::Dockerfile,
    graph::{Graph, Source, Use},
    problem::{Cursor, DockerfileError, Problem},
    text::{self, Place},
};
use crate::image::{Platform, Reference};

/// The build argument that names the frontend in place of `# syntax=`.
const SYNTAX: &str = "BUILDKIT_SYNTAX";

/// What decides which images a build needs, besides the file.
#[derive(Clone, Debug)]
pub struct Build {
    /// Build arguments by name.
    pub args: BTreeMap<String, String>,
    /// The stage to build; the last one if there is none.
    pub target: Option<String>,
    /// The platforms to build for; the platform of the builder if there is none.
    pub platforms: Vec<Platform>,
    /// The platform that the builder itself runs on.
    pub build_platform: Platform,
    /// Named contexts, by name, as `--build-context` has them.
    pub contexts: BTreeMap<String, String>,
    /// Triggers that the configurations of images hold, as far as the caller knows them.
    pub on_build: BTreeMap<Reference, Vec<String>>,
}

/// An image that a build stands on, at one place of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// The line of the name, counted from 1.
    pub line: usize,
    /// The column of the name in characters, counted from 1.
    pub column: usize,
    /// The name as it stands in the file.
    pub written: String,
    /// The name that it comes to once variables are replaced, as a builder reads it.
    pub name: String,
    /// The image that is meant.
    pub reference: Reference,
    /// What the image is for.
    pub kind: BaseKind,
    /// The platforms of which a manifest is used.
    pub platforms: BTreeSet<Platform>,
    /// Whether a stage begins with the image, so that the triggers in its configuration run.
    pub is_from: bool,
    /// Whether a digest can take the place of the name.
    pub pinning: Pinning,
}

/// What a base image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BaseKind {
    /// What is built continues it: the end of the target's chain of `FROM`.
    Runtime,
    /// What is built takes files from it, or from a stage that continues it.
    Buildtime,
    /// It reads the file, as `# syntax=` asks for.
    Frontend,
}

impl fmt::Display for BaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runtime => "Runtime",
            Self::Buildtime => "Buildtime",
            Self::Frontend => "Frontend",
        })
    }
}

/// Whether a digest can take the place of an image's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinning {
    /// It can, there.
    Place(Place),
    /// It cannot.
    Impossible(Unpinnable),
}

/// Why a digest cannot take the place of an image's name. `Display` completes "it cannot be pinned: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unpinnable {
    /// The name means different images on the platforms of the build.
    #[error("its name differs between the platforms of the build")]
    Platforms,
    /// The name stands in the configuration of another image.
    #[error("it is named by an `ONBUILD` trigger of another image")]
    Trigger,
    /// A named context stands in its place.
    #[error("it is named by a build context")]
    Context,
    /// A build argument names it.
    #[error("it is named by the build argument `BUILDKIT_SYNTAX`")]
    Argument,
}

/// One place of the file, and what it means on all platforms.
struct Spot {
    first: Use,
    meanings: Vec<Meaning>,
    runtime: bool,
}

/// What a place means on some of the platforms.
struct Meaning {
    source: Source,
    name: String,
    platforms: BTreeSet<Platform>,
}

impl Dockerfile {
    /// Returns the images that the target of a build needs, on every platform of the build, in the order of the file.
    ///
    /// An image that is both continued and copied from is a runtime one wherever it stands.
    ///
    /// # Errors
    ///
    /// What the target stands on cannot be told; BuildKit would refuse to build it.
    pub fn bases(&self, build: &Build) -> Result<Vec<BaseImage>, DockerfileError> {
        let text = text::decode(&self.bytes);
        let bases = self.find_bases(build).and_then(|mut bases| {
            bases.extend(self.frontend_base(build)?);
            Ok(bases)
        });
        let mut bases = bases.map_err(|problem| problem.located(&text))?;
        bases.sort_by_key(|(offset, _)| *offset);
        let mut cursor = Cursor::new(&text);
        let located = bases.into_iter().map(|(offset, base)| {
            let (line, column) = cursor.position(offset);
            BaseImage {
                line,
                column,
                ..base
            }
        });
        Ok(located.collect())
    }

    /// The images of all stages, each with its offset in the file.
    fn find_bases(&self, build: &Build) -> Result<Vec<(usize, BaseImage)>, Problem> {
        let contexts = Contexts::new(&build.contexts);
        let mut spots: BTreeMap<(usize, usize), Spot> = BTreeMap::new();
        let own = [build.build_platform.clone()];
        let platforms = match build.platforms.as_slice() {
            [] => &own,
            platforms => platforms,
        };
        for platform in platforms {
            let budget = Budget::new();
            let words = (Lexer::new(self.escape), &budget);
            let graph = Graph::new(&self.stages, build, &contexts, platform, words)?;
            for found in graph.uses()? {
                match spots.get_mut(&(found.name.offset, found.name.number)) {
                    Some(spot) => spot.add(found),
                    None => {
                        let key = (found.name.offset, found.name.number);
                        spots.insert(key, Spot::new(found));
                    }
                }
            }
        }
        let runtime: BTreeSet<Reference> = spots
            .values()
            .filter(|spot| spot.runtime)
            .flat_map(|spot| {
                let meanings = spot.meanings.iter();
                meanings.filter_map(|meaning| meaning.source.image())
            })
            .cloned()
            .collect();
        Ok(spots
            .into_values()
            .flat_map(|spot| spot.bases(&runtime))
            .collect())
    }

    fn frontend_base(&self, build: &Build) -> Result<Option<(usize, BaseImage)>, Problem> {
        let given = build
            .args
            .get(SYNTAX)
            .and_then(|given| given.trim().split(' ').next());
        let (written, pinning) = match (given, &self.frontend) {
            (Some(given), _) => (given, Pinning::Impossible(Unpinnable::Argument)),
            (None, Some(token)) => (token.text.as_str(), Pinning::Place(token.place.clone())),
            (None, None) => return Ok(None),
        };
        let offset = match &pinning {
            Pinning::Place(place) => place.start(),
            Pinning::Impossible(_) => 0,
        };
        let reference = written
            .parse()
            .map_err(|error: crate::image::InvalidReference| {
                Problem::dependency(written, error.to_string()).at(offset)
            })?;
        let base = BaseImage {
            line: 0,
            column: 0,
            written: written.to_owned(),
            name: written.to_owned(),
            reference,
            kind: BaseKind::Frontend,
            platforms: BTreeSet::from([build.build_platform.clone()]),
            is_from: false,
            pinning,
        };
        Ok(Some((offset, base)))
    }
}

impl Source {
    fn image(&self) -> Option<&Reference> {
        match self {
            Self::Image(reference) | Self::Instead(reference) => Some(reference),
            Self::None | Self::Invalid(_) => None,
        }
    }
}

impl Spot {
    fn new(first: Use) -> Self {
        Self {
            runtime: first.runtime,
            meanings: vec![Meaning::of(&first)],
            first,
        }
    }

    fn add(&mut self, found: Use) {
        self.runtime |= found.runtime;
        let mut meanings = self.meanings.iter_mut();
        match meanings.find(|meaning| meaning.source == found.source) {
            Some(meaning) => {
                meaning.platforms.insert(found.platform);
            }
            None => self.meanings.push(Meaning::of(&found)),
        }
    }

    /// One base for every image that the place means.
    fn bases(self, runtime: &BTreeSet<Reference>) -> Vec<(usize, BaseImage)> {
        let Self {
            first, meanings, ..
        } = self;
        let differs = meanings.len() > 1;
        let pinning = |source: &Source| match (&first.name.place, source) {
            _ if differs => Pinning::Impossible(Unpinnable::Platforms),
            (_, Source::Instead(_)) => Pinning::Impossible(Unpinnable::Context),
            (Some(place), _) => Pinning::Place(place.clone()),
            (None, _) => Pinning::Impossible(Unpinnable::Trigger),
        };
        let bases = meanings.into_iter().filter_map(|meaning| {
            let reference = meaning.source.image()?.clone();
            let base = BaseImage {
                line: 0,
                column: 0,
                written: first.name.text.clone(),
                name: meaning.name,
                kind: match runtime.contains(&reference) {
                    true => BaseKind::Runtime,
                    false => BaseKind::Buildtime,
                },
                platforms: meaning.platforms,
                is_from: first.is_from,
                pinning: pinning(&meaning.source),
                reference,
            };
            Some((first.name.offset, base))
        });
        bases.collect()
    }
}

impl Meaning {
    fn of(found: &Use) -> Self {
        Self {
            source: found.source.clone(),
            name: match &found.source {
                Source::Instead(reference) => reference.to_string(),
                _ => found.base_name.clone(),
            },
            platforms: BTreeSet::from([found.platform.clone()]),
        }
    }
}
