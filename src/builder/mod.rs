//! A build request as the command lines of one builder. Runs nothing.

pub mod buildah;
pub mod buildctl;
pub mod buildkit;
pub mod buildx;
mod cache;
pub mod connection;
pub mod container;
pub mod custom;
pub mod detect;
pub mod docker;
mod docker_client;
pub mod failure_excerpt;
pub mod held;
mod image_policy;
pub mod kind;
pub mod leftovers;
pub mod placement;
pub mod platform;
mod platform_args;
pub mod program;
pub mod request;
mod same_image;
pub mod storage;
mod used;

pub use buildah::list_prefix;
pub use buildkit::digest_in_metadata;
pub use cache::CacheRecord;
pub use connection::{docker_client, lacks_buildx, reachability};
pub use container::{ContainerRequest, FolderMount};
pub use detect::{ORDER, check_name, chosen_name, detect};
pub use failure_excerpt::{
    FailureExcerpt, Refusal, has_lost_its_daemon, is_out_of_disk, lacks_netavark, refusal,
};
pub use held::HeldImage;
pub use kind::{Builder, BuilderKind, UnknownBuilder};
pub use leftovers::{Leftover, working_containers};
pub use platform::BuilderPlatforms;
pub use program::{Program, Question};
pub use request::{BuildCommand, BuildRequest, DigestSource, Purpose, Unpinned};
pub use storage::CacheLimits;

use crate::{
    error::{Error, Result},
    image::{Digest, Reference},
    sys::{command::CommandLine, settings::Settings},
};

use program::is_since;

impl Builder {
    /// Returns the commands of a build, in order.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] for a request that this builder does not support.
    pub fn plan(&self, request: &BuildRequest) -> Result<Vec<BuildCommand>> {
        let (program, built) = match self {
            Self::Docker { program, can } => (program, docker::plan(program, *can, request)?),
            Self::Buildx { program, in_daemon } => {
                (program, buildx::plan(program, *in_daemon, request))
            }
            Self::Podman(program) => (program, buildah::plan(program, request)?),
            Self::Buildah(program) => {
                let tidy = buildah::removing_containers(program);
                (program, buildah::plan(&tidy, request)?)
            }
            Self::Buildctl(program) => (program, buildctl::plan(program, request)?),
            Self::Command(template) => return Ok(template.plan(request)),
        };
        let mut commands = if self.builds_from_own_images(request) {
            fetches(program, self.has_tls_flag(), request)
        } else {
            Vec::new()
        };
        commands.extend(built);
        Ok(commands)
    }

    /// Tells whether the builder uses an image in its own store instead of the registry's image of the same name.
    fn builds_from_own_images(&self, request: &BuildRequest) -> bool {
        match self {
            Self::Docker { .. } => request.platforms.len() < 2,
            Self::Buildx { in_daemon, .. } => *in_daemon && request.platforms.len() < 2,
            Self::Podman(_) | Self::Buildah(_) => true,
            Self::Buildctl(_) | Self::Command(_) => false,
        }
    }

    /// Returns the names of ignore files in a context for this builder, the one that takes precedence first.
    pub fn ignore_files(&self) -> &'static [&'static str] {
        match self {
            Self::Podman(_) | Self::Buildah(_) => &[".containerignore", ".dockerignore"],
            Self::Docker { .. } | Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => {
                &[".dockerignore"]
            }
        }
    }

    /// Returns the suffixes of ignore files beside a Dockerfile for this builder, the one that takes precedence first: other than in a context,
    /// podman and buildah prefer `.dockerignore`.
    pub fn ignore_suffixes(&self) -> &'static [&'static str] {
        match self {
            Self::Podman(_) | Self::Buildah(_) => &[".dockerignore", ".containerignore"],
            _ => self.ignore_files(),
        }
    }

    /// Tells whether the builder's client may add the Dockerfile to the context that it sends to another machine, under its whole path.
    pub fn may_send_dockerfile(&self) -> bool {
        matches!(self, Self::Podman(_))
    }

    /// Tells whether the builder reads an ignore file beside the Dockerfile. Docker's classic builder does not; of a custom program it is
    /// not known.
    pub fn reads_ignore_file_beside(&self, settings: &Settings) -> bool {
        match self {
            Self::Docker { can, .. } => can.load || settings.has_buildkit,
            Self::Command(_) => false,
            Self::Podman(_) | Self::Buildah(_) | Self::Buildx { .. } | Self::Buildctl(_) => true,
        }
    }

    /// Tells whether it pulls the frontend that a Dockerfile names with `# syntax=` to read it, and does not read it itself. A custom program
    /// may.
    pub fn pulls_frontends(&self, settings: &Settings) -> bool {
        match self {
            Self::Docker { can, .. } => can.load || settings.has_buildkit,
            Self::Podman(_) | Self::Buildah(_) => false,
            Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => true,
        }
    }

    /// Returns the query whether it reads heredocs, if it reads Dockerfiles itself.
    pub fn heredocs(&self, settings: &Settings) -> Option<Question<bool>> {
        let version = |program: &Program| program.call(&["--version"]);
        match self {
            Self::Podman(program) => {
                Some(Question::new(version(program), |it| is_since(it, (4, 8))))
            }
            Self::Buildah(program) => {
                Some(Question::new(version(program), |it| is_since(it, (1, 33))))
            }
            Self::Docker { program, .. } if !self.pulls_frontends(settings) => {
                let line = program.call(&connection::SERVER_VERSION);
                Some(Question::new(line, |it| is_since(it, (23, 0))))
            }
            Self::Docker { .. } | Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => {
                None
            }
        }
    }

    /// Tells whether it can push an image without a tag. Other builders push an image by its name in their store.
    pub fn pushes_by_digest(&self) -> bool {
        match self {
            Self::Buildctl(_) => true,
            Self::Buildx { in_daemon, .. } => !in_daemon,
            Self::Docker { .. } | Self::Podman(_) | Self::Buildah(_) | Self::Command(_) => false,
        }
    }

    /// Tells whether a registry without TLS is given on the command line, and not in the builder's settings.
    fn has_tls_flag(&self) -> bool {
        self.podman_or_buildah().is_some()
    }

    /// Returns the command that pushes an image in the builder's store. `request` has the credentials and the registries without TLS; its
    /// scratch folder takes the file with the digest.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] for a builder without such a command.
    pub fn push(&self, request: &BuildRequest, image: &Reference) -> Result<BuildCommand> {
        match self {
            Self::Docker { program, .. } | Self::Buildx { program, .. } => {
                Ok(docker_client::push(program, request, image))
            }
            Self::Podman(program) | Self::Buildah(program) => {
                Ok(buildah::push(program, request, 0, image, None))
            }
            Self::Buildctl(_) => Err(Error::invalid(format!(
                "buildctl cannot push `{image}`: it holds no images on this machine"
            ))
            .hint(kind::NO_STEPS_HINT)),
            Self::Command(template) => template.push(request, image),
        }
    }

    /// Returns the command that prints the builder's version; `None` where it has none.
    pub fn version(&self) -> Option<CommandLine> {
        match self {
            // Asks the daemon too, because a client alone builds nothing.
            Self::Docker { program, .. } => Some(
                program
                    .call(&["version", "--format"])
                    .arg("client {{.Client.Version}}, daemon {{.Server.Version}}"),
            ),
            Self::Buildx { program, .. } => Some(program.call(&["buildx", "version"])),
            Self::Podman(program) | Self::Buildah(program) => Some(program.call(&["--version"])),
            // The daemon again: nothing is printed where no daemon answers.
            Self::Buildctl(program) => Some(
                program
                    .call(&["debug", "workers", "--format"])
                    .arg("daemon {{(index . 0).BuildkitVersion.Version}}"),
            ),
            Self::Command(_) => None,
        }
    }
}

/// Returns pulls of the images that cannot be pinned where they are named, each tagged with its name in the store: the builder would
/// otherwise use an older copy of its own.
fn fetches(program: &Program, has_tls_flag: bool, request: &BuildRequest) -> Vec<BuildCommand> {
    let mut commands = Vec::new();
    for unpinned in &request.unpinned {
        let (image, fixed) = (&unpinned.image, unpinned.pinned());
        let pull = program.call(&["pull"]);
        // A build for a named platform would not accept an image for another one. docker by itself refuses an image that does not state the
        // platform as it is written; podman and buildah warn.
        let takes_platform = has_tls_flag || program.is_for_named_platforms(request);
        let platform = unpinned.platform.iter().filter(|_| takes_platform);
        let is_plain = has_tls_flag && request.is_plain(image);
        let pull = pull
            .flags("--platform", platform.map(ToString::to_string))
            .flags("--tls-verify", is_plain.then_some("false"));
        let pull = program::with_logins(pull, request.auth_dir.as_deref())
            .arg("--")
            .arg(fixed.to_string());
        commands.push(BuildCommand::new(Purpose::Pull(fixed.clone()), pull));
        let tag = program.call(&["tag", "--"]);
        let tag = tag.arg(fixed.to_string()).arg(image.to_string());
        commands.push(BuildCommand::new(Purpose::Tidy, tag));
    }
    commands
}

/// Finds the digest in the output of `docker push`: `latest: digest: sha256:… size: 528`.
pub fn digest_in_output(output: &[u8]) -> Option<Digest> {
    let text = String::from_utf8_lossy(output);
    text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("digest: ")?;
        rest.split_whitespace().next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpinned_image_is_pulled_by_digest_where_a_builder_would_use_a_local_one() {
        let program = Program {
            path: "docker".into(),
            global_args: vec![],
            build_args: vec![],
        };
        let mut request = BuildRequest {
            unpinned: vec![Unpinned {
                image: "node:20".parse().unwrap(),
                digest: Digest::of(b"x"),
                platform: Some("linux/arm64".parse().unwrap()),
            }],
            ..BuildRequest::default()
        };
        let lines_of = |request: &BuildRequest, in_daemon| {
            let program = program.clone();
            let builder = Builder::Buildx { program, in_daemon };
            request::tests::printed(&builder.plan(request).unwrap())
        };
        let lines = |in_daemon| lines_of(&request, in_daemon);
        let digest = Digest::of(b"x");
        assert_eq!(
            lines(true)[..2],
            [
                format!("docker pull -- docker.io/library/node@{digest}"),
                format!("docker tag -- docker.io/library/node@{digest} docker.io/library/node:20"),
            ]
        );
        assert_eq!(lines(false).len(), 1);
        let pin = format!("--build-context=node:20=docker-image://docker.io/library/node@{digest}");
        assert!(lines(false)[0].contains(&pin), "{}", lines(false)[0]);
        request.platforms = vec!["linux/arm64".parse().unwrap()];
        let pull = &lines_of(&request, true)[0];
        assert!(pull.contains(" pull --platform=linux/arm64 -- "), "{pull}");
    }

    #[test]
    fn digest_is_found_in_docker_push_output() {
        let digest = Digest::of(b"x");
        let output = format!(
            "The push refers to repository [localhost:5000/web]\n5f70: Pushed\nlatest: digest: {digest} size: 528\n"
        );
        assert_eq!(digest_in_output(output.as_bytes()), Some(digest));
        assert_eq!(digest_in_output(b"denied\n"), None);
    }
}
