//! Every image that a build needs, on all of its platforms.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    build::Build,
    context::Contexts,
    expand::Lexer,
    file::{self, Dockerfile},
    graph::{Source, StageGraph},
    problem::{Cursor, DockerfileError, Problem},
    reach::BaseUse,
    scope::GraphInput,
    text::{self, SourceRange},
};
use crate::image::{Platform, Reference};

/// An image that a build depends on, and the place in the file that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// The line of the name, counted from 1.
    pub line: usize,
    /// The column of the name in characters, counted from 1.
    pub column: usize,
    /// The name as written in the file.
    pub written: String,
    /// The name after variables are replaced, as a builder reads it.
    pub name: String,
    pub reference: Reference,
    pub kind: BaseKind,
    /// The platforms for which the build uses a manifest of the image.
    pub platforms: BTreeSet<Platform>,
    /// Whether a stage begins with the image, so that the triggers in its configuration run.
    pub is_from: bool,
    /// Whether a digest can take the place of the name.
    pub pinning: Pinning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BaseKind {
    /// The base of the built image: the end of the target's chain of `FROM`.
    Runtime,
    /// A stage that files are copied from, or the base of such a stage.
    Buildtime,
    /// The frontend that reads the file, named by `# syntax=`.
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
    /// A digest can be written at this place.
    Place(SourceRange),
    /// No digest can be written, for this reason.
    Impossible(Unpinnable),
}

/// Why a digest cannot replace an image's name. `Display` completes "it cannot be pinned: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unpinnable {
    /// The name means different images on the platforms of the build.
    #[error("its name differs between the platforms of the build")]
    Platforms,
    /// The name is written in an `ONBUILD` trigger in the configuration of another image.
    #[error("it is named by an `ONBUILD` trigger of another image")]
    Trigger,
    /// A named context replaces the image.
    #[error("it is named by a build context")]
    Context,
    /// The name comes from a build argument.
    #[error("it is named by the build argument `BUILDKIT_SYNTAX`")]
    Argument,
    /// A frontend other than Docker's reads the file and may know a stage of this name.
    #[error("it may be a stage that another frontend reads")]
    Stage,
}

/// A part of the file that only its own frontend can read; it may name further images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadPart {
    /// The line, counted from 1; 0 if it is the whole file.
    pub line: usize,
    /// The column in characters, counted from 1; 0 if it is the whole file.
    pub column: usize,
    /// The text there.
    pub written: String,
}

/// The images found in a file for a build.
#[derive(Default)]
struct FoundBases {
    /// The images of all stages, each with its offset in the file.
    bases: Vec<(usize, BaseImage)>,
    /// The parts that only another frontend can read.
    unread: Vec<Problem>,
    /// As [`Dockerfile::forced_platforms`].
    forced: BTreeMap<Platform, Platform>,
}

/// What one place of the file names on some of the platforms.
struct PlaceUse {
    name: String,
    source: Source,
    platforms: BTreeSet<Platform>,
}

impl Dockerfile {
    /// Returns the images that the target of a build needs, on every platform of the build, in the order of the file.
    ///
    /// An image that is both continued by `FROM` and copied from counts as a runtime one.
    ///
    /// Where a frontend other than Docker's reads the file, these are the images that can be found without it;
    /// [`Dockerfile::unread`] returns the rest.
    pub fn bases(&self, build: &Build) -> Result<Vec<BaseImage>, DockerfileError> {
        let text = text::decode(&self.bytes);
        let bases = self.find_bases(build).and_then(|mut found| {
            found.bases.extend(self.frontend_base(build)?);
            Ok(found.bases)
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

    /// Returns the platforms of the build for which `FROM --platform=` makes the image for another one, each with that one.
    pub fn forced_platforms(&self, build: &Build) -> BTreeMap<Platform, Platform> {
        // `bases` reports the errors of the build itself.
        self.find_bases(build).unwrap_or_default().forced
    }

    /// Returns, in the order of the file, the parts that only the file's own frontend can read, if it is not Docker's.
    pub fn unread(&self, build: &Build) -> Vec<UnreadPart> {
        if !self.is_foreign(build) {
            return Vec::new();
        }
        if self.stages.stages.is_empty() {
            return vec![UnreadPart {
                line: 0,
                column: 0,
                written: "the whole file".to_owned(),
            }];
        }
        let lines = self.unread.iter();
        let lines = lines.map(|line| (Some(line.offset), line.text.clone()));
        // `bases` reports the errors of the build itself.
        let problems = self.find_bases(build).unwrap_or_default().unread;
        let problems = problems
            .into_iter()
            .map(|problem| (problem.at, problem.text));
        let unread: BTreeSet<(Option<usize>, String)> = lines.chain(problems).collect();
        let text = text::decode(&self.bytes);
        let mut cursor = Cursor::new(&text);
        let located = unread.into_iter().map(|(offset, written)| {
            let (line, column) = offset.map_or((0, 0), |offset| cursor.position(offset));
            UnreadPart {
                line,
                column,
                written,
            }
        });
        located.collect()
    }

    /// Finds the images of all stages.
    fn find_bases(&self, build: &Build) -> Result<FoundBases, Problem> {
        let is_foreign = self.is_foreign(build);
        if let Some(problem) = self.problem().filter(|_| !is_foreign) {
            return Err(problem);
        }
        let contexts = Contexts::new(&build.contexts);
        let triggers = build.on_build.iter().map(|(image, triggers)| {
            let triggers = triggers.iter().map(|text| file::trigger(text));
            (image, triggers.collect())
        });
        let triggers = triggers.collect();
        let own = [build.build_platform.clone()];
        let platforms = match build.platforms.as_slice() {
            [] => &own,
            platforms => platforms,
        };
        let mut uses = Vec::new();
        let mut unread = Vec::new();
        let mut forced = BTreeMap::new();
        for platform in platforms {
            let graph = StageGraph::new(GraphInput {
                file: &self.stages,
                foreign: is_foreign.then_some(&self.unread),
                lexer: Lexer::new(self.escape),
                build,
                contexts: &contexts,
                triggers: &triggers,
                platform,
            })?;
            let (found, problems) = graph.uses()?;
            let own = found.iter().filter(|it| it.runtime);
            let other = own.filter(|it| *it.platform != *platform);
            forced.extend(other.map(|it| (platform.clone(), it.platform.clone().into_owned())));
            uses.extend(found);
            unread.extend(problems);
        }
        if platforms.len() == 1 {
            // A place that names no image matters only where it names one on another platform of the build.
            uses.retain(|found| found.source.image().is_some());
        }
        uses.sort_by_key(|found| found.name.key());
        let runtime: BTreeSet<Reference> = uses
            .iter()
            .filter(|found| found.runtime)
            .filter_map(|found| found.source.image().cloned())
            .collect();
        let mut bases = Vec::with_capacity(uses.len());
        let mut uses = uses.into_iter().peekable();
        while let Some(first) = uses.next() {
            let key = first.name.key();
            let others = std::iter::from_fn(|| uses.next_if(|next| next.name.key() == key));
            bases.extend(of_place(first, others, &runtime));
        }
        Ok(FoundBases {
            bases,
            unread,
            forced,
        })
    }

    fn frontend_base(&self, build: &Build) -> Result<Option<(usize, BaseImage)>, Problem> {
        let given = file::given_frontend(&build.args);
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

/// Makes one base of each image that a place names, from its uses on all platforms.
fn of_place<'d>(
    first: BaseUse<'d>,
    others: impl Iterator<Item = BaseUse<'d>>,
    runtime: &BTreeSet<Reference>,
) -> impl Iterator<Item = (usize, BaseImage)> {
    let (name, is_from, is_doubtful) = (first.name, first.is_from, first.is_doubtful);
    let mut meanings = vec![PlaceUse::of(first)];
    for other in others {
        let mut known = meanings.iter_mut();
        match known.find(|meaning| meaning.source == other.source) {
            Some(meaning) => {
                meaning.platforms.insert(other.platform.into_owned());
            }
            None => meanings.push(PlaceUse::of(other)),
        }
    }
    let differs = meanings.len() > 1;
    let pinning = move |source: &Source| match (name.place(), source) {
        _ if differs => Pinning::Impossible(Unpinnable::Platforms),
        (_, Source::Instead(_)) => Pinning::Impossible(Unpinnable::Context),
        _ if is_doubtful => Pinning::Impossible(Unpinnable::Stage),
        (Some(place), _) => Pinning::Place(place.clone()),
        (None, _) => Pinning::Impossible(Unpinnable::Trigger),
    };
    meanings.into_iter().filter_map(move |meaning| {
        let pinning = pinning(&meaning.source);
        let reference = meaning.source.image()?.clone();
        let base = BaseImage {
            line: 0,
            column: 0,
            written: name.token.text.clone(),
            name: meaning.name,
            kind: if runtime.contains(&reference) {
                BaseKind::Runtime
            } else {
                BaseKind::Buildtime
            },
            platforms: meaning.platforms,
            is_from,
            pinning,
            reference,
        };
        Some((name.key().0, base))
    })
}

impl PlaceUse {
    fn of(found: BaseUse<'_>) -> Self {
        Self {
            name: match &found.source {
                Source::Instead(reference) => reference.to_string(),
                _ => found.base_name.into_owned(),
            },
            source: found.source,
            platforms: BTreeSet::from([found.platform.into_owned()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::DockerfileErrorKind;
    use std::collections::BTreeMap;

    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    fn build() -> Build {
        Build {
            args: BTreeMap::new(),
            target: None,
            platforms: vec![platform("linux/arm64")],
            build_platform: platform("linux/amd64"),
            contexts: BTreeMap::new(),
            on_build: BTreeMap::new(),
            without_frontend: false,
        }
    }

    fn bases(file: &str, build: &Build) -> Vec<BaseImage> {
        let dockerfile = Dockerfile::parse(file.as_bytes()).unwrap();
        dockerfile.bases(build).unwrap()
    }

    fn unread(file: &str, build: &Build) -> Vec<(usize, String)> {
        let dockerfile = Dockerfile::parse_with(file.as_bytes(), &build.args).unwrap();
        let unread = dockerfile.unread(build).into_iter();
        unread.map(|unread| (unread.line, unread.written)).collect()
    }

    fn error(file: &str) -> DockerfileError {
        let dockerfile = Dockerfile::parse(file.as_bytes());
        dockerfile
            .and_then(|file| file.bases(&build()))
            .unwrap_err()
    }

    #[test]
    fn bases_are_in_file_order_with_line_and_column() {
        let file = "# comment\n\nFROM é AS é\n";
        assert_eq!((error(file).line, error(file).column), (3, 11));
        let file = "# syntax=f\nFROM golang:1 AS go\nFROM alpine\nRUN --mount=from=b:1,target=/x \\\n  --mount=from=c,target=/y z\nCOPY --from=go / /\n";
        let found: Vec<_> = bases(file, &build())
            .into_iter()
            .map(|base| (base.line, base.column, base.written, base.kind))
            .collect();
        assert_eq!(
            found,
            [
                (1, 10, "f".to_owned(), BaseKind::Frontend),
                (2, 6, "golang:1".to_owned(), BaseKind::Buildtime),
                (3, 6, "alpine".to_owned(), BaseKind::Runtime),
                (4, 18, "b:1".to_owned(), BaseKind::Buildtime),
                (5, 16, "c".to_owned(), BaseKind::Buildtime),
            ]
        );
    }

    #[test]
    fn image_that_the_target_continues_is_a_runtime_base_at_every_mention() {
        let file =
            "FROM a:1 AS x\nFROM docker.io/library/a:1\nCOPY --from=x / /\nCOPY --from=a:1 / /\n";
        let kinds: Vec<_> = bases(file, &build()).iter().map(|base| base.kind).collect();
        assert_eq!(kinds, [BaseKind::Runtime; 3]);
    }

    #[test]
    fn each_base_has_the_platforms_it_is_used_for() {
        let file = "FROM --platform=$BUILDPLATFORM a AS x\nFROM b\nCOPY --from=x / /\nCOPY --from=c / /\nRUN --mount=from=d,target=/x y\n";
        let platforms: Vec<String> = bases(file, &build())
            .iter()
            .map(|base| base.platforms.iter().map(Platform::to_string).collect())
            .collect();
        assert_eq!(
            platforms,
            ["linux/amd64", "linux/arm64", "linux/arm64", "linux/arm64"]
        );
        let several = Build {
            platforms: vec![platform("linux/arm64"), platform("linux/arm/v7")],
            ..build()
        };
        let found = bases("FROM a\n", &several);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].platforms.len(), 2);
        let none = Build {
            platforms: Vec::new(),
            ..build()
        };
        assert_eq!(
            bases("FROM a\n", &none)[0].platforms,
            BTreeSet::from([platform("linux/amd64")])
        );
    }

    #[test]
    fn base_has_its_written_and_its_normalized_name() {
        let build = Build {
            args: BTreeMap::from([("T".to_owned(), "1".into())]),
            ..build()
        };
        let base = bases("ARG T\nFROM \"my/app\":$T\n", &build).remove(0);
        assert_eq!(base.written, "\"my/app\":$T");
        assert_eq!(base.name, "my/app:1");
        assert_eq!(base.reference.to_string(), "docker.io/my/app:1");
    }

    #[test]
    fn onbuild_triggers_run_for_from_images_only() {
        let from: Vec<_> = bases("FROM a\nCOPY --from=b / /\n", &build())
            .iter()
            .map(|base| base.is_from)
            .collect();
        assert_eq!(from, [true, false]);
    }

    #[test]
    fn onbuild_trigger_image_is_placed_at_its_from_and_cannot_be_pinned() {
        let build = Build {
            on_build: BTreeMap::from([(
                "a".parse().unwrap(),
                vec![
                    "COPY --from=b / /".to_owned(),
                    "RUN --mount=from=c,target=/x --mount=from=b,target=/y z".to_owned(),
                ],
            )]),
            ..build()
        };
        let found: Vec<_> = bases("FROM scratch AS s\nFROM a\n", &build)
            .into_iter()
            .map(|base| (base.line, base.written, base.pinning))
            .collect();
        let trigger = Pinning::Impossible(Unpinnable::Trigger);
        assert!(matches!(found[0].2, Pinning::Place(_)));
        assert_eq!(
            found[1..],
            [
                (2, "b".to_owned(), trigger.clone()),
                (2, "c".to_owned(), trigger.clone()),
                (2, "b".to_owned(), trigger),
            ]
        );
    }

    #[test]
    fn named_context_image_is_placed_at_the_name_it_replaces() {
        let build = Build {
            contexts: BTreeMap::from([("a".to_owned(), "docker-image://b:1".to_owned())]),
            ..build()
        };
        let base = bases("FROM a\n", &build).remove(0);
        assert_eq!(base.written, "a");
        assert_eq!(base.name, "docker.io/library/b:1");
        assert_eq!(base.pinning, Pinning::Impossible(Unpinnable::Context));
    }

    const FOREIGN: &str = "# syntax=x/y\nFROM alpine AS a\nINCLUDE b\nFROM node\nFROM ./c\n";

    #[test]
    fn platform_is_forced_only_by_from_of_the_last_stage_and_only_to_another_one() {
        let build = Build {
            platforms: vec![platform("linux/arm64"), platform("linux/amd64")],
            ..build()
        };
        let forced = |text: &str| {
            let found = Dockerfile::parse(text.as_bytes()).unwrap();
            let found = found.forced_platforms(&build).into_iter();
            let found = found.map(|(platform, forced)| format!("{platform} to {forced}"));
            found.collect::<Vec<_>>()
        };
        let none: [&str; 0] = [];
        assert_eq!(forced("FROM a\n"), none);
        assert_eq!(forced("FROM --platform=$TARGETPLATFORM a\n"), none);
        // The same image, for the machine that builds, is only copied from.
        let copied = "FROM --platform=linux/amd64 a AS b\nFROM a\nCOPY --from=b /x /\n";
        assert_eq!(forced(copied), none);
        let always = ["linux/arm64 to linux/amd64"];
        assert_eq!(forced("FROM --platform=linux/amd64 a\n"), always);
        assert_eq!(forced("FROM --platform=linux/amd64 scratch\n"), always);
        assert_eq!(
            forced("FROM --platform=linux/amd64 a AS b\nFROM b\n"),
            always
        );
    }

    #[test]
    fn lines_of_another_frontend_are_reported_once_for_all_platforms() {
        let several = Build {
            platforms: vec![platform("linux/arm64"), platform("linux/amd64")],
            target: Some("d".to_owned()),
            ..build()
        };
        let told = [(0, "d"), (3, "INCLUDE b"), (5, "./c")];
        let told = told.map(|(line, written)| (line, written.to_owned()));
        assert_eq!(unread(FOREIGN, &several), told);
        assert_eq!(unread(FOREIGN, &build()), told[1..]);
        let dockers = Build {
            args: BTreeMap::from([("BUILDKIT_SYNTAX".to_owned(), "docker/dockerfile".into())]),
            ..build()
        };
        assert_eq!(unread("FROM a\nINCLUDE b\n", &dockers), []);
    }

    #[test]
    fn name_that_may_be_a_stage_of_another_frontend_cannot_be_pinned() {
        let found = bases(FOREIGN, &build()).into_iter();
        let found: Vec<_> = found.map(|base| (base.written, base.pinning)).collect();
        let stage = Pinning::Impossible(Unpinnable::Stage);
        assert!(matches!(found[1].1, Pinning::Place(_)), "{found:?}");
        assert_eq!(found[2], ("node".to_owned(), stage));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn frontend_may_be_set_by_a_build_argument() {
        let build = Build {
            args: BTreeMap::from([("BUILDKIT_SYNTAX".to_owned(), "d/f:1 x".into())]),
            ..build()
        };
        let base = bases("FROM scratch\n", &build).remove(0);
        assert_eq!(
            (base.kind, base.written.as_str()),
            (BaseKind::Frontend, "d/f:1")
        );
        assert_eq!(base.pinning, Pinning::Impossible(Unpinnable::Argument));
    }

    #[test]
    fn dockerfile_errors_have_their_position() {
        for (file, line, column, text) in [
            ("FROM alpine\n\nFROM --platform=foo busybox", 3, 17, "foo"),
            ("FROM alpine AS a\nCOPY --from=9 / /\n", 2, 13, "9"),
            ("ARG A=${\nFROM alpine\n", 1, 7, "${"),
            ("FROM alpine\nRUN a \\\n  --b\nFROM Alpine", 4, 6, "Alpine"),
            (
                "FROM a AS x\nRUN --mount=from=b,target=/y --mount=from=x,target=/z q",
                2,
                43,
                "x",
            ),
            ("FROM a AS x\nONBUILD COPY --from=7 / /\nFROM x", 2, 21, "7"),
            ("# escape=`\nFROM a AS b\nCOPY --from=`b / /", 3, 13, "`b"),
        ] {
            let error = error(file);
            assert_eq!(error.kind, DockerfileErrorKind::Dependency, "{file}");
            assert_eq!(
                (error.line, error.column, error.text.as_str()),
                (line, column, text),
                "{file}"
            );
        }
        let error = error("FROM alpine\nADD --from=x a b\n");
        assert_eq!(error.kind, DockerfileErrorKind::Syntax);
        assert_eq!(
            error.to_string(),
            "line 2, column 5: `--from=x`: unknown flag `--from`"
        );
    }

    #[test]
    fn missing_target_error_has_no_position() {
        let dockerfile = Dockerfile::parse(b"FROM a AS b\n").unwrap();
        let build = Build {
            target: Some("c".to_owned()),
            ..build()
        };
        let error = dockerfile.bases(&build).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`c`: the file has no stage of this name; there are `b`"
        );
    }
}
