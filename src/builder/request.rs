//! A build request in acrt's own terms, and the steps that a builder makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
};

use crate::{
    image::{Digest, Platform, Reference},
    sys::{command::CommandLine, secret::Secret},
};

/// The prefix of an image in the value of a named context.
pub(super) const IMAGE: &str = "docker-image://";

/// What is to be built. No field is an option of a particular builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRequest {
    /// The folder of the build's files.
    pub context: PathBuf,
    /// The pinned copy of the Dockerfile, outside the context.
    pub dockerfile: PathBuf,
    /// The images, with registry and tag.
    pub images: Vec<Reference>,
    pub args: Vec<(String, String)>,
    /// Build arguments with secret values.
    pub secret_args: Vec<(String, Secret)>,
    /// The target stage; the last one if unset.
    pub target: Option<String>,
    /// The platforms; the builder's own if empty.
    pub platforms: Vec<Platform>,
    pub no_cache: bool,
    /// Named contexts: a folder, or an image as `docker-image://name`.
    pub contexts: BTreeMap<String, String>,
    /// Further options of the docker family, each one argument.
    pub options: Vec<String>,
    /// An image that stores the build cache on its registry, for builders that support it.
    pub cache: Option<Reference>,
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest, for builders that support them.
    pub annotations: BTreeMap<String, String>,
    pub push: bool,
    /// Whether the images are pushed without their tags, for a builder with [`super::Builder::pushes_by_digest`].
    pub by_digest: bool,
    /// The login servers that are reached without TLS.
    pub plain_http: BTreeSet<String>,
    /// The images that the build takes from registries, at their digests, each with the platforms that are needed.
    pub bases: BTreeMap<Reference, BTreeSet<Platform>>,
    /// Images that the build names by tag in places that cannot be pinned.
    pub unpinned: Vec<Unpinned>,
    /// A folder for small files that the builder writes.
    pub scratch: PathBuf,
    /// The policy for the images of the build, for podman and buildah, which read it from [`BuildRequest::policy_file`].
    pub policy: Option<String>,
    /// The ignore file that belongs to the Dockerfile alone, read from [`BuildRequest::ignore_file`].
    pub ignore: Option<Vec<u8>>,
    /// A folder with a `config.json` and an `auth.json` for this build alone.
    pub auth_dir: Option<PathBuf>,
    pub run_id: String,
}

/// An image that a build names by tag in a place that cannot be pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpinned {
    /// The image by tag.
    pub image: Reference,
    pub digest: Digest,
    /// The platform that is used of it; `None` for the builder's own.
    pub platform: Option<Platform>,
}

impl Unpinned {
    /// Returns the image by digest.
    pub fn pinned(&self) -> Reference {
        self.image.at(self.digest.clone())
    }
}

impl BuildRequest {
    /// Returns the platforms in the form of builder options, `linux/amd64,linux/arm64`; `None` for the builder's own.
    pub(super) fn platform_list(&self) -> Option<String> {
        let platforms: Vec<String> = self.platforms.iter().map(ToString::to_string).collect();
        (!platforms.is_empty()).then(|| platforms.join(","))
    }

    /// Returns the names of its images, as options and arguments take them.
    pub(super) fn image_names(&self) -> impl Iterator<Item = String> {
        self.images.iter().map(ToString::to_string)
    }

    /// Returns the value of a named context as resolved: an image by digest.
    pub fn resolved_context(&self, place: &str) -> String {
        let decided = place.strip_prefix(IMAGE).and_then(|it| self.pinned(it));
        decided.map_or_else(|| place.to_owned(), |image| format!("{IMAGE}{image}"))
    }

    /// Returns the image of this name by digest, where it is one that cannot be pinned in the Dockerfile.
    pub(super) fn pinned(&self, name: &str) -> Option<Reference> {
        let named: Reference = name.parse().ok()?;
        let unpinned = self.unpinned.iter().find(|one| one.image == named)?;
        Some(unpinned.pinned())
    }

    /// Returns the file of the policy for its images.
    pub fn policy_file(&self) -> PathBuf {
        self.scratch.join("policy.json")
    }

    /// Returns the file beside the Dockerfile that takes precedence over the ignore file of the context.
    pub fn ignore_file(&self) -> PathBuf {
        self.dockerfile.with_extension("dockerignore")
    }

    /// Tells whether the registry of an image is reached without TLS.
    pub fn is_plain(&self, image: &Reference) -> bool {
        self.plain_http.contains(image.registry())
    }
}

/// One command of a build, and its purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildCommand {
    pub purpose: Purpose,
    pub line: CommandLine,
    /// Where the digest of the pushed image is found.
    pub digest: DigestSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    Pull(Reference),
    Build,
    Push(Reference),
    /// Builds and pushes the images.
    Publish(Vec<Reference>),
    /// Tags or removes what is only on this machine.
    Tidy,
}

impl BuildCommand {
    /// Returns a command that reports no digest, if it pushes at all.
    pub fn new(purpose: Purpose, line: CommandLine) -> Self {
        Self {
            purpose,
            line,
            digest: DigestSource::Registry,
        }
    }
}

impl Purpose {
    pub fn pushes(&self) -> &[Reference] {
        match self {
            Self::Push(image) => std::slice::from_ref(image),
            Self::Publish(images) => images,
            Self::Pull(_) | Self::Build | Self::Tidy => &[],
        }
    }

    /// Describes the present activity, as `building localhost:5000/web:1`.
    pub fn progress_text(&self, images: &[Reference]) -> String {
        let made = images.first().map(|image| format!(" {}", image.familiar()));
        let made = made.unwrap_or_default();
        match self {
            Self::Pull(image) => format!("pulling {}", image.familiar()),
            Self::Build => format!("building{made}"),
            Self::Push(image) => format!("pushing {}", image.familiar()),
            Self::Publish(_) => format!("building and pushing{made}"),
            Self::Tidy => "tidying up".to_owned(),
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull(image) => write!(f, "the pull of `{image}`"),
            Self::Build => f.write_str("the build"),
            Self::Push(image) => write!(f, "the push of `{image}`"),
            Self::Publish(_) => f.write_str("the build and push"),
            Self::Tidy => f.write_str("tidying up on the builder"),
        }
    }
}

/// Where the digest of a pushed image is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestSource {
    /// In a file that the command writes.
    File(PathBuf),
    /// In the metadata file that BuildKit's clients write.
    Metadata(PathBuf),
    /// In the output of the command.
    Output,
    /// On the registry, or nothing is pushed.
    Registry,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request with all options, for the tests of all builders.
    pub fn full() -> BuildRequest {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        BuildRequest {
            context: "/src/my web".into(),
            dockerfile: "/state/runs/ca1/Dockerfile".into(),
            images: vec![
                "localhost:5000/web:1".parse().unwrap(),
                "ghcr.io/a/web:1".parse().unwrap(),
            ],
            args: vec![("A".into(), "-b c".into())],
            secret_args: vec![("TOKEN".into(), Secret::new("hunter2"))],
            target: Some("prod".into()),
            platforms: vec!["linux/amd64".parse().unwrap()],
            no_cache: true,
            contexts: BTreeMap::new(),
            options: Vec::new(),
            cache: None,
            labels: map(&[("l", "1")]),
            annotations: map(&[("n", "2")]),
            push: true,
            by_digest: false,
            plain_http: BTreeSet::from(["localhost:5000".to_owned()]),
            bases: BTreeMap::from([(
                format!("localhost:5000/base@sha256:{}", "a".repeat(64))
                    .parse()
                    .unwrap(),
                BTreeSet::from(["linux/amd64".parse().unwrap()]),
            )]),
            unpinned: Vec::new(),
            scratch: "/state/runs/ca1".into(),
            policy: None,
            ignore: None,
            auth_dir: None,
            run_id: "ca1".into(),
        }
    }

    /// Prints a plan in a readable form.
    pub fn printed(commands: &[BuildCommand]) -> Vec<String> {
        commands
            .iter()
            .map(|command| command.line.to_string())
            .collect()
    }
}
