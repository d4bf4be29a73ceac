//! The disk usage of a builder, what of it may be removed, and whether its cache can be stored on a registry.

use crate::sys::command::CommandLine;

use super::{Builder, Question, buildah};

/// How much of a builder's cache is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheLimits {
    /// At most this many bytes.
    pub bytes: Option<u64>,
    /// What was used within this many hours.
    pub hours: Option<u32>,
}

impl Builder {
    /// Returns the query for its disk usage; `None` for a builder that does not report it.
    pub fn disk_usage(&self) -> Option<Question<Option<String>>> {
        match self {
            Self::Docker { program, .. } | Self::Podman(program) => {
                let usage = program.call(&["system", "df", "--format", "{{.Type}}: {{.Size}}"]);
                Some(Question::new(usage, kinds))
            }
            Self::Buildx { program, .. } => {
                Some(Question::new(program.call_buildx(&["buildx", "du"]), total))
            }
            Self::Buildctl(program) => Some(Question::new(program.call(&["du"]), total)),
            Self::Buildah(_) | Self::Command(_) => None,
        }
    }

    /// Returns the query whether its cache can be stored on a registry; `None` where it needs none. The BuildKit in a Docker daemon can do so
    /// only with containerd's image store.
    pub fn can_export_cache(&self) -> Option<Question<bool>> {
        match self {
            Self::Docker { program, .. } | Self::Buildx { program, .. } => {
                let inspect = program.call_buildx(&["--debug", "buildx", "inspect"]);
                Some(Question::new(inspect, exports_cache))
            }
            Self::Podman(_) | Self::Buildah(_) | Self::Buildctl(_) | Self::Command(_) => None,
        }
    }

    /// Returns the command that prunes unused records of its cache; `None` for a builder without a cache of its own.
    pub fn prune_cache(&self, keep: &CacheLimits) -> Option<CommandLine> {
        let by_docker = |line: CommandLine| {
            let unused = keep.hours.map(|hours| format!("until={hours}h"));
            line.flags("--keep-storage", keep.bytes.map(|it| it.to_string()))
                .flags("--filter", unused)
        };
        match self {
            Self::Docker { program, .. } => {
                Some(by_docker(program.call(&["builder", "prune", "--force"])))
            }
            Self::Buildx { program, .. } => {
                let line = program.call_buildx(&["buildx", "prune", "--force"]);
                Some(by_docker(line))
            }
            Self::Buildctl(program) => {
                // In megabytes of 1000 × 1000 bytes.
                let kept = keep.bytes.map(|bytes| (bytes / 1_000_000).to_string());
                let line = program.call(&["prune"]).flags("--keep-storage", kept);
                Some(line.flags("--keep-duration", keep.hours.map(|it| format!("{it}h"))))
            }
            Self::Podman(_) | Self::Buildah(_) | Self::Command(_) => None,
        }
    }

    /// Tells whether the stages of a build stay in its store as images without a name, which have the labels of the build.
    pub fn keeps_stages(&self) -> bool {
        match self {
            Self::Podman(_) => true,
            Self::Buildah(program) => buildah::caches_layers(program),
            Self::Docker { .. } | Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => {
                false
            }
        }
    }

    /// Returns the command that prints the ids of all images with a label.
    pub fn labelled_images(&self, label: &str) -> Option<CommandLine> {
        Some(self.list_ids(label)?.arg("--all"))
    }

    /// Returns the command that prints the ids of the images with a label that have no tag, and on which no other image is built; `None` for
    /// a builder without an image store.
    pub fn dangling_images(&self, label: &str) -> Option<CommandLine> {
        Some(self.list_ids(label)?.flag("--filter", "dangling=true"))
    }

    fn list_ids(&self, label: &str) -> Option<CommandLine> {
        let program = match self {
            Self::Buildx {
                in_daemon: false, ..
            } => return None,
            _ => self.images()?,
        };
        let list = program.call(&["images", "--quiet", "--no-trunc"]);
        Some(list.flag("--filter", format!("label={label}")))
    }

    /// Returns the command that removes an image which no container uses and which has no other name; `None` for a builder without an image
    /// store.
    pub fn remove_image(&self, image: &str) -> Option<CommandLine> {
        Some(self.images()?.call(&["rmi", "--"]).arg(image))
    }
}

/// Reads lines as `Images: 1.2GB`, one for each kind of data.
fn kinds(text: &str) -> Option<String> {
    let of = |name: &str| {
        text.lines()
            .map(str::trim)
            .find(|line| line.starts_with(name))
    };
    let wanted = ["Images", "Build Cache"].into_iter().filter_map(of);
    let wanted: Vec<String> = wanted
        .map(|line| line.to_lowercase().replace("build cache", "cache"))
        .collect();
    (!wanted.is_empty()).then(|| wanted.join(", "))
}

/// Reads `Total: 1.2GB`, below the list of cache records.
fn total(text: &str) -> Option<String> {
    let total = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("Total:"))?;
    Some(format!("cache: {}", total.trim().to_lowercase()))
}

/// Reads the output of `docker --debug buildx inspect`. Early versions of buildx name no features.
fn exports_cache(text: &str) -> bool {
    let field = |name: &str| {
        let mut lines = text.lines().map(str::trim);
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    match field("Cache export:") {
        Some(feature) => feature == "true",
        None => field("Driver:").is_none_or(|driver| driver != "docker"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Program;

    #[test]
    fn cache_export_is_a_feature_or_follows_from_the_driver() {
        assert!(!exports_cache(
            "Driver: docker\n\nFeatures:\n Cache export:         false\n"
        ));
        assert!(exports_cache(
            "Driver: docker\n\nFeatures:\n Cache export:         true\n"
        ));
        assert!(!exports_cache("Name:   default\nDriver: docker\n"));
        assert!(exports_cache("Name:   far\nDriver: remote\n"));
    }

    #[test]
    fn storage_sizes_are_parsed_and_keep_limits_passed_in_the_form_of_each_builder() {
        let program = |name: &str| Program {
            path: name.into(),
            global_args: vec![],
            build_args: vec![],
        };
        let printed = "Images: 16.5MB\nContainers: 0B\nLocal Volumes: 0B\nBuild Cache: 2GB\n";
        assert_eq!(kinds(printed).unwrap(), "images: 16.5mb, cache: 2gb");
        assert_eq!(total("ID\nx\nTotal:\t3.1GB\n").unwrap(), "cache: 3.1gb");
        let keep = CacheLimits {
            bytes: Some(5_000_000_000),
            hours: Some(48),
        };
        let line = |builder: Builder| builder.prune_cache(&keep).unwrap().to_string();
        assert_eq!(
            line(Builder::Buildctl(program("buildctl"))),
            "buildctl prune --keep-storage=5000 --keep-duration=48h"
        );
        let buildx = Builder::Buildx {
            program: Program {
                build_args: vec!["--builder=farm".into()],
                ..program("docker")
            },
            in_daemon: false,
        };
        assert_eq!(
            line(buildx),
            "docker buildx prune --force --builder=farm --keep-storage=5000000000 --filter=until=48h"
        );
        assert_eq!(Builder::Podman(program("podman")).prune_cache(&keep), None);
    }
}
