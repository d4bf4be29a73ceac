//! Which builders there are, and one that was found.

pub use crate::sys::builders::{BuilderKind, UnknownBuilder};

use super::{custom, docker, program::Program};

/// What to do about a multi-step task that a builder cannot carry out.
pub const NO_STEPS_HINT: &str = "run the steps with --builder docker, podman or buildah";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Builder {
    Docker {
        program: Program,
        can: docker::Abilities,
    },
    Buildx {
        program: Program,
        /// Whether it builds in the Docker daemon, which then has the image and sees images of its own.
        in_daemon: bool,
    },
    Podman(Program),
    Buildah(Program),
    Buildctl(Program),
    /// Any program, by a template.
    Command(custom::Template),
}

impl Builder {
    pub fn none() -> Self {
        Self::Command(custom::Template::none())
    }

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
