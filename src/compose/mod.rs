//! What compose and bake files say is built. Reads no file itself, and builds nothing.
//!
//! The way of a compose file: text → YAML with its bounds (`steps::yaml`) → variables ([`variables`]) → a tree whose nodes know file
//! and line ([`tree`], [`files`]) → `include`, `extends` and overrides put together ([`project`]) → what each service builds ([`service`]).
//! The rules are those of compose-go, which `docker compose config` shows; `tests/cli/task/adopt_compose.rs` compares the two.

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

pub use bake::{bake, has_expression};
pub use files::{Choice, MAIN as FILE_NAMES, OVERRIDES};
pub use project::{open, project_variable};

/// What compose and bake files are read with: the outside world, as far as they may ask for it.
pub trait Outside {
    /// Returns the text of a file; none where there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, on one line.
    fn read(&self, path: &Path) -> Result<Option<String>, String>;

    /// Returns the value of a variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Something in a file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// The line, counted from 1; none where no single line is to blame.
    pub line: Option<usize>,
    /// The path of the key, such as `services.web.build`; empty where the file as a whole is meant.
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
    /// Says what is wrong, for those who know the file.
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

/// What a build takes from elsewhere under a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// The image of another service or target of the same file.
    Other(String),
    /// A folder, an image, a URL, as `--build-context` takes it.
    Given(String),
}

/// What one service or target builds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipe {
    /// The name of the service or the target.
    pub key: String,
    /// The images, as they are named in the file; the first is its main name.
    pub images: Vec<String>,
    /// The context: an absolute path, or a URL.
    pub context: String,
    /// The Dockerfile, seen from the context.
    pub dockerfile: Option<String>,
    /// The text of the Dockerfile, where the file itself holds it.
    pub inline: Option<String>,
    /// Build arguments that have a value.
    pub args: Vec<(String, String)>,
    pub target: Option<String>,
    /// The platforms; empty is the builder's own.
    pub platforms: Vec<String>,
    pub contexts: Vec<(String, Place)>,
    /// Further options, each one argument of `docker build`.
    pub options: Vec<String>,
    pub no_cache: bool,
    /// The profiles of which a service is.
    pub profiles: Vec<String>,
    /// Whether the file names the image, so that it is not made from the names of project and service.
    pub is_named: bool,
    /// What of the build is not heeded.
    #[serde(skip)]
    pub unheeded: Vec<String>,
    /// What each run of it needs besides its files.
    #[serde(skip)]
    pub needs: Vec<String>,
}

/// What a file says is built.
#[derive(Clone, Debug, Default)]
pub struct Recipes {
    /// The name of the project; empty for a bake file.
    pub project: String,
    /// What is built, in the order of the file.
    pub recipes: Vec<Recipe>,
    /// The images of all services, built or not, or why a service cannot be read; nothing of a bake file.
    pub services: Vec<(String, Result<ServiceImage, Problem>)>,
    /// What is not taken, and why: services without a build, and those that cannot be read.
    pub left_out: Vec<(String, LeftOut)>,
    /// The compose files that make the project, without those that these name.
    pub main_files: Vec<PathBuf>,
    /// The files that were read or looked for.
    pub files: Vec<PathBuf>,
    /// Variables that are used and not set, which docker compose takes to be empty.
    pub unset: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceImage {
    /// As the file names it, or as compose does.
    pub name: String,
    /// Whether the file names it, so that it is not made from the names of project and service.
    pub is_named: bool,
    /// The file, the line, and the path of the key that name it, or the service.
    place: (PathBuf, usize, String),
}

impl ServiceImage {
    /// Makes a problem of it, with its place.
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
    /// It is a target that bake does not build by default.
    NoDefault,
    /// What it says cannot be used.
    Unusable(Problem),
}

/// Tells whether a context is somewhere else than on this machine.
fn is_remote(context: &str) -> bool {
    const BEGINNINGS: [&str; 3] = ["git@", "github.com/", "ssh:"];
    context.contains("://") || BEGINNINGS.iter().any(|it| context.starts_with(it))
}

/// Returns a path seen from a folder, without `.` and with `..` taken back as compose does it.
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
