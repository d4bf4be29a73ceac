//! What a run makes on a builder besides images: containers, networks and folders, and how they are found and removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;

use crate::sys::command::CommandLine;

use super::{Builder, Program};

/// A kind of resource that a run may have left on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    Containers,
    Networks,
}

impl Builder {
    /// Returns the command that creates a network; `None` where the builder has no networks.
    pub fn make_network(
        &self,
        name: &str,
        driver: Option<&str>,
        ipv6: bool,
        labels: &BTreeMap<String, String>,
    ) -> Option<CommandLine> {
        let program = self.containers()?;
        let line = program
            .call(&["network", "create"])
            .flags("--driver", driver)
            .args(ipv6.then_some("--ipv6"))
            .pairs("--label", labels);
        Some(line.arg("--").arg(name))
    }

    /// Returns the command that kills and removes a container.
    pub fn remove_container(&self, name: &str) -> Option<CommandLine> {
        let remove = match self {
            Self::Docker { program, .. } | Self::Buildx { program, .. } => {
                program.call(&["rm", "--force", "--volumes", "--"])
            }
            Self::Podman(program) => {
                program.call(&["rm", "--force", "--time=0", "--volumes", "--"])
            }
            Self::Buildah(program) => program.call(&["rm", "--"]),
            Self::Buildctl(_) | Self::Command(_) => return None,
        };
        Some(remove.arg(name))
    }

    /// Returns the command that ends a container like docker's `stop`, `kill` or `rm`; `None` where the builder leaves none running.
    pub fn end_container(&self, verb: &str, name: &str) -> Option<CommandLine> {
        let program = self.containers()?;
        match verb {
            "rm" => self.remove_container(name),
            verb => Some(program.call(&[verb, "--"]).arg(name)),
        }
    }

    pub fn remove_network(&self, name: &str) -> Option<CommandLine> {
        let program = self.containers()?;
        Some(program.call(&["network", "rm", "--"]).arg(name))
    }

    /// Returns the command that prints the names of all resources with a label, one on each line. buildah has no labels on containers and
    /// prints all names.
    pub fn list_left(&self, left: Leftover, label: &str, value: &str) -> Option<CommandLine> {
        if let Self::Buildah(program) = self {
            let list = program.call(&["containers", "--format", "{{.ContainerName}}"]);
            return (left == Leftover::Containers).then_some(list);
        }
        let program = self.containers()?;
        let (list, name) = match left {
            Leftover::Containers => (program.call(&["ps", "--all"]), "{{.Names}}"),
            Leftover::Networks => (program.call(&["network", "ls"]), "{{.Name}}"),
        };
        let filter = format!("label={label}={value}");
        Some(list.flag("--filter", filter).flag("--format", name))
    }

    /// Returns the command that prints all containers as JSON, also those in which builds work. `None` where a build that is stopped removes
    /// its own, and for a podman on another machine, of which it is not known who else builds there. [`working_containers`] reads the output.
    pub fn list_working_containers(&self) -> Option<CommandLine> {
        let Self::Podman(program) = self else {
            return None;
        };
        let list = ["ps", "--all", "--external", "--no-trunc", "--format=json"];
        (!program.is_remote()).then(|| program.call(&list))
    }

    /// Returns the command that removes a folder whose files belong to users that exist only in containers; `None` where the builder has no
    /// such users.
    pub fn remove_folder(&self, folder: &Path) -> Option<CommandLine> {
        let program = self.podman_or_buildah()?;
        Some(program.call(&["unshare", "rm", "-rf", "--"]).arg(folder))
    }

    /// Returns the command that gives an image in the store a second name.
    pub fn tag(&self, image: &str, name: &str) -> Option<CommandLine> {
        let program = self.images()?;
        Some(program.call(&["tag", "--"]).arg(image).arg(name))
    }

    /// Returns the program, where it has an image store on this machine.
    pub(super) fn images(&self) -> Option<&Program> {
        match self {
            Self::Docker { program, .. }
            | Self::Buildx { program, .. }
            | Self::Podman(program)
            | Self::Buildah(program) => Some(program),
            Self::Buildctl(_) | Self::Command(_) => None,
        }
    }

    /// Returns the program, where it supports networks, and labels on containers.
    pub(super) fn containers(&self) -> Option<&Program> {
        match self {
            Self::Docker { program, .. } | Self::Buildx { program, .. } | Self::Podman(program) => {
                Some(program)
            }
            Self::Buildah(_) | Self::Buildctl(_) | Self::Command(_) => None,
        }
    }
}

/// Returns the ids of those listed containers in which builds have worked since the second `since`, on an image of `bases` (names and ids)
/// or on an earlier stage.
pub fn working_containers(printed: &[u8], bases: &BTreeSet<String>, since: i64) -> Vec<String> {
    let all: Value = serde_json::from_slice(printed).unwrap_or_default();
    let all = all.as_array().into_iter().flatten();
    let own = all.filter(|one| {
        let has = |key: &str| one[key].as_str().is_some_and(|it| bases.contains(it));
        one["State"] == "storage"
            && one["Created"].as_i64().is_some_and(|it| it >= since)
            && (has("Image") || has("ImageID") || one["Image"].as_str().is_some_and(is_stage))
    });
    own.filter_map(|one| Some(one["Id"].as_str()?.to_owned()))
        .collect()
}

/// Tells whether an image has the name that a build gives an earlier stage.
fn is_stage(name: &str) -> bool {
    let name = name.strip_prefix("docker.io/library/");
    let random = name.and_then(|it| it.strip_suffix("-tmp:latest"));
    random.is_some_and(|it| it.len() == 64 && it.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str) -> Program {
        Program {
            path: name.into(),
            global_args: vec![],
            build_args: vec![],
        }
    }

    #[test]
    fn leftover_resources_are_listed_by_label() {
        let podman = Builder::Podman(program("podman"));
        let line = podman.list_left(Leftover::Networks, "l", "1").unwrap();
        assert_eq!(
            line.to_string(),
            "podman network ls --filter=label=l=1 '--format={{.Name}}'"
        );
        assert_eq!(
            Builder::Buildah(program("buildah")).list_left(Leftover::Networks, "l", "1"),
            None
        );
    }

    #[test]
    fn working_containers_are_new_ones_without_a_process_on_the_bases_of_the_build() {
        let stage = format!("docker.io/library/{}-tmp:latest", "ab".repeat(32));
        let list = serde_json::json!([
            {"Id": "own", "Image": "r.io/b@sha256:1", "ImageID": "b", "State": "storage", "Created": 7},
            {"Id": "tagged", "Image": "r.io/b:1", "ImageID": "b", "State": "storage", "Created": 8},
            {"Id": "stage", "Image": stage, "ImageID": "s", "State": "storage", "Created": 8},
            {"Id": "old", "Image": "r.io/b@sha256:1", "ImageID": "b", "State": "storage", "Created": 6},
            {"Id": "other", "Image": "r.io/c:1", "ImageID": "c", "State": "storage", "Created": 8},
            {"Id": "run", "Image": "r.io/b:1", "ImageID": "b", "State": "exited", "Created": 8},
        ]);
        let bases = BTreeSet::from(["r.io/b@sha256:1".to_owned(), "b".to_owned()]);
        let found = working_containers(list.to_string().as_bytes(), &bases, 7);
        assert_eq!(found, ["own", "tagged", "stage"]);
        assert!(working_containers(b"Error", &bases, 0).is_empty());
    }

    #[test]
    fn working_containers_of_a_remote_podman_are_left_alone() {
        let mut remote = program("podman");
        remote.global_args = vec!["--remote".into(), "--connection=pods".into()];
        assert_eq!(Builder::Podman(remote).list_working_containers(), None);
        assert!(
            Builder::Podman(program("podman"))
                .list_working_containers()
                .is_some()
        );
    }
}
