//! The kinds of builders, and a builder that was found.

pub use crate::sys::builders::{BuilderKind, UnknownBuilder};

use super::{custom, docker, program::Program};

/// The hint for a multi-step task with a builder that cannot run steps.
pub const NO_STEPS_HINT: &str = "run the steps with --builder docker, podman or buildah";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Builder {
    Docker {
        program: Program,
        can: docker::DockerFeatures,
    },
    Buildx {
        program: Program,
        /// Whether it builds in the Docker daemon, which then has the image and can use its own images as bases.
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
        Self::Command(custom::Template::default())
    }

    /// Returns the program of podman or buildah, which share most of their code and options.
    pub(super) fn podman_or_buildah(&self) -> Option<&Program> {
        match self {
            Self::Podman(program) | Self::Buildah(program) => Some(program),
            Self::Docker { .. } | Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => {
                None
            }
        }
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
