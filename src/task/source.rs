//! The file that a task was adopted from, to report when that file says something else now.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// The file that a task was adopted from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskSource {
    /// The compose file, the bake file or the Dockerfile.
    pub path: PathBuf,
    /// What kind of file it is.
    pub kind: SourceKind,
    /// The service or the target; for a Dockerfile, its file name.
    pub key: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// The files of the compose project, where docker compose would not find them beside `path` by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Whether a running service is recreated when its image has changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compose_up: bool,
    /// The other services of the file with the same image, which are recreated too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// The digest of the file's entry when it was adopted: it changes when the build in the file changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Digest>,
    /// The digest of the definition when it was adopted: it changes when the definition is edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Digest>,
}

/// What kind of file a task was adopted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A compose file, with all files that it includes.
    Compose,
    /// A file of docker buildx bake.
    Bake,
    Dockerfile,
}
