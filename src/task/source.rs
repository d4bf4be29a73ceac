//! Where a task was adopted from, so that it can be said that its file says something else now.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// Where a task was adopted from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskSource {
    /// The compose file, the bake file or the Dockerfile.
    pub path: PathBuf,
    /// What kind of file it is.
    pub kind: SourceKind,
    /// The service or the target; the name of the file of a Dockerfile.
    pub key: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// The files of the compose project, where they are others than docker compose finds beside `path` by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Whether the service is started anew, where it is running, when its image has changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compose_up: bool,
    /// What the file said of it: another digest is another build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Digest>,
    /// What the definition was when it was adopted: another digest is a hand's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Digest>,
}

/// What kind of file a task was adopted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A compose file, with all that it includes.
    Compose,
    /// A file of docker buildx bake.
    Bake,
    Dockerfile,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compose => "compose",
            Self::Bake => "bake",
            Self::Dockerfile => "dockerfile",
        })
    }
}

impl TaskSource {
    /// Tells whether two tasks are the same service, target or Dockerfile.
    pub fn is_same_place(&self, other: &Self) -> bool {
        (&self.path, self.kind, &self.key) == (&other.path, other.kind, &other.key)
    }
}
