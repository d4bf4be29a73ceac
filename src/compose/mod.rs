//! Reads what compose and bake files build. Does no I/O of its own, and builds nothing.
//!
//! A compose file passes these stages: text → bounded YAML (`steps::yaml`) → variables ([`variables`]) → a tree whose nodes know file and
//! line ([`tree`], [`files`]) → `include`, `extends` and overrides merged ([`project`]) → the build of each service ([`service`]). The
//! rules are those of compose-go, as in `docker compose config`; `tests/cli/task/adopt_compose.rs` compares the two.

mod bake;
mod dotenv;
mod files;
mod project;
mod scalar;
mod service;
mod tree;
mod variables;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

pub use bake::{OVERRIDE as BAKE_OVERRIDE, bake, bake_file, has_expression};
pub use files::{FileSelection, MAIN as FILE_NAMES, OVERRIDES};
pub use project::{open, project_variable};
pub use variables::unset_of_service;

/// The files and variables that compose and bake files may read.
pub trait ComposeInputs {
    /// Returns the text of a file; `None` where it does not exist.
    ///
    /// # Errors
    ///
    /// Why the file cannot be read, on one line.
    fn read(&self, path: &Path) -> Result<Option<String>, String>;

    /// Returns the value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;
}

/// An error in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// The line, counted from 1; `None` where the error is about no single line.
    pub line: Option<usize>,
    /// The path of the key, such as `services.web.build`; empty for the file as a whole.
    pub key: String,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.file.display())?;
        match (self.line, self.key.is_empty()) {
            (None, true) => write!(f, ": {}", self.text),
            _ => write!(f, ", {}", self.within()),
        }
    }
}

impl Problem {
    /// Returns an error about a file, or a key of it, without a line.
    fn new(file: &Path, key: &str, text: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: key.to_owned(),
            text: text.into(),
        }
    }

    /// Formats the error without the file's name.
    pub fn within(&self) -> String {
        let line = self.line.map(|line| format!("line {line}"));
        let key = Some(&self.key).filter(|key| !key.is_empty());
        let key = key.map(|key| format!("`{}`", key.escape_debug()));
        let place: Vec<String> = line.into_iter().chain(key).collect();
        if place.is_empty() {
            self.text.clone()
        } else {
            format!("{}: {}", place.join(", "), self.text)
        }
    }
}

impl std::error::Error for Problem {}

/// The source of a build's named context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NamedContext {
    /// The image of another service or target of the same file.
    Other(String),
    /// A folder, an image or a URL, as in `--build-context`.
    Given(String),
}

/// The build of one service or target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComposeBuild {
    /// The name of the service or the target.
    pub key: String,
    /// The image names in the file; the first is the main one.
    pub images: Vec<String>,
    /// The context: an absolute path, or a URL.
    pub context: String,
    /// The Dockerfile, relative to the context.
    pub dockerfile: Option<String>,
    /// The text of the Dockerfile, where it is inline.
    pub inline: Option<String>,
    /// Build arguments that have a value.
    pub args: Vec<(String, String)>,
    pub target: Option<String>,
    /// The platforms; empty for the builder's own.
    pub platforms: Vec<String>,
    pub contexts: Vec<(String, NamedContext)>,
    /// Further options, each one argument of `docker build`.
    pub options: Vec<String>,
    pub no_cache: bool,
    /// The profiles of the service.
    pub profiles: Vec<String>,
    /// Whether the file names the image, instead of compose deriving it from the names of project and service.
    pub is_named: bool,
    /// Keys of the build that are ignored.
    #[serde(skip)]
    pub ignored: Vec<String>,
    /// What each run needs besides the files.
    #[serde(skip)]
    pub needs: Vec<String>,
}

/// The builds of a file.
#[derive(Clone, Debug, Default)]
pub struct ComposeBuilds {
    /// The name of the project; empty for a bake file.
    pub project: String,
    /// The builds, in the order of the file.
    pub recipes: Vec<ComposeBuild>,
    /// The images of all services, built or not, or why a service cannot be read; empty for a bake file.
    pub services: Vec<(String, Result<ServiceImage, Problem>)>,
    /// Services and targets that are left out, with the reason: those without a build, and those that cannot be read.
    pub left_out: Vec<(String, LeftOut)>,
    /// The compose files of the project, without the files that they include or extend.
    pub main_files: Vec<PathBuf>,
    /// The files that were read or looked for.
    pub files: Vec<PathBuf>,
    /// The files that give the services variables of their containers; they were not read.
    pub env_files: Vec<PathBuf>,
    /// Variables that are used and not set, which docker compose takes as empty.
    pub unset: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceImage {
    /// The name in the file, or the one that compose derives.
    pub name: String,
    /// Whether the file names the image, instead of compose deriving it from the names of project and service.
    pub is_named: bool,
    /// The file, line and key path that name the image, or those of the service.
    place: (PathBuf, usize, String),
}

impl ServiceImage {
    /// Returns an error at the place that names the image.
    pub fn problem(&self, text: impl Into<String>) -> Problem {
        let (file, line, key) = self.place.clone();
        Problem {
            file,
            line: Some(line),
            key,
            text: text.into(),
        }
    }
}

/// Why a service or a target is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    NoBuild,
    /// A target that bake does not build by default.
    NoDefault,
    /// An error in its keys.
    Unusable(Problem),
}

fn is_remote(context: &str) -> bool {
    const BEGINNINGS: [&str; 3] = ["git@", "github.com/", "ssh:"];
    context.contains("://") || BEGINNINGS.iter().any(|it| context.starts_with(it))
}

/// Resolves a path against a folder, removing `.` and `..` as compose does.
pub fn seen_from(folder: &Path, path: &str) -> PathBuf {
    let mut result = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(result.pop()),
            part => result.push(part),
        }
    }
    result
}
