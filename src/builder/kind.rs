//! Which builders there are, and one that was found.

use std::{fmt, str::FromStr};

use super::{custom, docker, program::Program};

/// What to do about a multi-step task that a builder cannot carry out.
pub const NO_STEPS_HINT: &str = "run the steps with --builder docker, podman or buildah";

/// The builders that acrt knows how to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuilderKind {
    /// docker, with or without buildx
    Docker,
    /// docker's buildx, with the BuildKit that it is set to
    Buildx,
    /// podman
    Podman,
    /// buildah
    Buildah,
    /// buildctl, BuildKit's own client
    Buildctl,
    /// Any program, by a template in the config file.
    Command,
}

impl BuilderKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Docker,
        Self::Buildx,
        Self::Podman,
        Self::Buildah,
        Self::Buildctl,
        Self::Command,
    ];

    /// Returns the names of all, as a sentence has them.
    fn list() -> String {
        let names = Self::ALL.map(Self::name);
        match names.split_last() {
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        }
    }

    /// Returns its name, as `--builder` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Buildx => "buildx",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
            Self::Buildctl => "buildctl",
            Self::Command => "command",
        }
    }
}

/// A text that names no builder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no builder `{}`; there are {}", .0.escape_debug(), BuilderKind::list())]
pub struct UnknownBuilder(pub String);

impl FromStr for BuilderKind {
    type Err = UnknownBuilder;

    fn from_str(text: &str) -> Result<Self, UnknownBuilder> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownBuilder(text.into()))
    }
}

impl fmt::Display for BuilderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
    /// Returns which builder it is.
    #[must_use]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_are_known_by_name_in_any_case() {
        assert_eq!("Podman".parse(), Ok(BuilderKind::Podman));
        assert_eq!(
            "kaniko".parse::<BuilderKind>().unwrap_err().to_string(),
            "no builder `kaniko`; there are docker, buildx, podman, buildah, buildctl and command"
        );
    }
}
