//! Which builders there are, and one that was found.

pub use crate::sys::builders::{BuilderKind, UnknownBuilder};

use super::{custom, docker, program::Program};

/// What to do about a multi-step task that a builder cannot carry out.
pub const NO_STEPS_HINT: &str = "run the steps with --builder docker, podman or buildah";

/// A builder that can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Builder {
    /// docker
    Docker {
        /// The docker client.
        program: Program,
        /// What it can do.
        can: docker::Abilities,
    },
    /// docker's buildx
    Buildx {
        /// The docker client.
        program: Program,
        /// Whether it builds in the Docker daemon, which then has the image and sees images of its own.
        in_daemon: bool,
    },
    /// podman
    Podman(Program),
    /// buildah
    Buildah(Program),
    /// buildctl
    Buildctl(Program),
    /// Any program, by a template.
    Command(custom::Template),
}

impl Builder {
    /// What stands in for a builder where a run needs none.
    pub fn none() -> Self {
        Self::Command(custom::Template::none())
    }

    /// Returns which builder it is.
    pub fn kind(&self) -> BuilderKind {
        match self {
            Self::Docker { .. } => BuilderKind::Docker,
            Self::Buildx { .. } => BuilderKind::Buildx,
            Self::Podman(_) => BuilderKind::Podman,
            Self::Buildah(_) => BuilderKind::Buildah,
            Self::Buildctl(_) => BuilderKind::Buildctl,
            Self::Command(_) => BuilderKind::Command,
        }
    }
}
