//! What a multi-step run makes on a builder besides images: its containers, networks and folders, and how they are found and removed.

use std::{collections::BTreeMap, path::Path};

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
        match self {
            Self::Docker { program, .. } | Self::Buildx { program, .. } => Some(
                program
                    .call(&["rm", "--force", "--volumes", "--"])
                    .arg(name),
            ),
            Self::Podman(program) => Some(
                program
                    .call(&["rm", "--force", "--time=0", "--volumes", "--"])
                    .arg(name),
            ),
            Self::Buildah(program) => Some(program.call(&["rm", "--"]).arg(name)),
            Self::Buildctl(_) | Self::Command(_) => None,
        }
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

    /// Returns the command that removes a folder whose files belong to users that exist only in containers; `None` where the builder has no
    /// such users.
    pub fn remove_folder(&self, folder: &Path) -> Option<CommandLine> {
        match self {
            Self::Podman(program) | Self::Buildah(program) => {
                Some(program.call(&["unshare", "rm", "-rf", "--"]).arg(folder))
            }
            Self::Docker { .. } | Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => {
                None
            }
        }
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
    fn containers(&self) -> Option<&Program> {
        match self {
            Self::Docker { program, .. } | Self::Buildx { program, .. } | Self::Podman(program) => {
                Some(program)
            }
            Self::Buildah(_) | Self::Buildctl(_) | Self::Command(_) => None,
        }
    }
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
}
