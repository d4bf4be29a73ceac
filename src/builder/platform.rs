//! The platforms that a builder builds for where a task names none: those in its settings, else the one that it runs on.

use crate::image::Platform;

use super::{
    Builder, Program, Question,
    connection::WORKERS,
    platform_args::{PlatformArgs, read_all},
    program::field,
};

/// The platforms that a builder builds for where a task names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderPlatforms {
    /// The platform that it runs on: `BUILDPLATFORM` of a Dockerfile, and the default where no other is named.
    pub own: Platform,
    /// The platforms in its settings, for every build.
    pub named: Vec<Platform>,
    /// The platform of images that it runs as containers.
    pub containers: Platform,
}

impl Default for BuilderPlatforms {
    /// The platforms of a builder of which nothing is known: this machine's.
    fn default() -> Self {
        Self {
            own: Platform::host(),
            named: Vec::new(),
            containers: Platform::host(),
        }
    }
}

impl Builder {
    /// Returns the queries for its own platform, the best one first; none for a builder that only runs on this machine or cannot be asked.
    pub fn platform_questions(&self) -> Vec<Question<Option<Platform>>> {
        let daemon = |program: &Program| {
            let format = "{{.Server.Os}}/{{.Server.Arch}}";
            Question::new(program.call(&["version", "--format", format]), written)
        };
        // The BuildKit of a build may be on another machine than the daemon.
        let node =
            |program: &Program| Question::new(program.call_buildx(&["buildx", "inspect"]), of_node);
        match self {
            Self::Docker { program, can } if can.load => vec![node(program), daemon(program)],
            Self::Docker { program, .. } => vec![daemon(program)],
            Self::Buildx { program, .. } => vec![node(program), daemon(program)],
            Self::Podman(program) => {
                vec![Question::new(
                    program.call(&["info", "--format", "json"]),
                    of_info,
                )]
            }
            Self::Buildah(program) => vec![Question::new(program.call(&["info"]), of_info)],
            Self::Buildctl(program) => vec![Question::new(program.call(&WORKERS), of_workers)],
            Self::Command(_) => Vec::new(),
        }
    }

    /// Returns the platforms that it builds for. `own` is its answer, and `default` the value of `DOCKER_DEFAULT_PLATFORM`, which docker
    /// and buildx use where their arguments have no `--platform`.
    pub fn platforms(&self, own: Platform, default: Option<&str>) -> BuilderPlatforms {
        let default = || read_all(default.into_iter().flat_map(|list| list.split(',')));
        let (args, default) = match self {
            Self::Docker { program, .. } | Self::Buildx { program, .. } => {
                (&program.build_args, default())
            }
            Self::Podman(program) | Self::Buildah(program) | Self::Buildctl(program) => {
                (&program.build_args, Vec::new())
            }
            Self::Command(_) => {
                return BuilderPlatforms {
                    own: own.clone(),
                    named: Vec::new(),
                    containers: own,
                };
            }
        };
        let named = PlatformArgs::parse(args).platforms(&own);
        BuilderPlatforms {
            named: if named.is_empty() {
                default.clone()
            } else {
                named
            },
            containers: default.into_iter().next().unwrap_or_else(|| own.clone()),
            own,
        }
    }
}

impl BuilderPlatforms {
    /// Returns the platforms that a build is made for: those of the task, else those in the builder's settings; empty where the builder
    /// uses its own.
    pub fn wanted(&self, task: &[Platform]) -> Vec<Platform> {
        if task.is_empty() {
            self.named.clone()
        } else {
            task.to_vec()
        }
    }
}

/// Reads a line that is only a platform: `linux/amd64`.
fn written(text: &str) -> Option<Platform> {
    text.lines().find_map(|line| {
        let (os, architecture) = line.trim().split_once('/')?;
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        (is_word(os) && is_word(architecture)).then(|| Platform::new(os, architecture, None))
    })
}

/// Reads `Platforms:` of the first node in the output of `docker buildx inspect`: the first platform is the machine's own. Those with a
/// star are declared by the user, whatever the node is.
fn of_node(text: &str) -> Option<Platform> {
    let list = field(text, "Platforms:")?;
    let all: Vec<&str> = list.split(',').map(str::trim).collect();
    let own = all.iter().find(|one| !one.ends_with('*'));
    let own: Option<Platform> = own.and_then(|one| one.parse().ok());
    let starred = || {
        let starred = all.iter().filter_map(|one| one.strip_suffix('*'));
        starred.filter_map(|one| one.parse::<Platform>().ok())
    };
    match own {
        // A platform with a star is listed once: `linux/amd64*, linux/amd64/v2` is a node for amd64.
        Some(own) => {
            let plain = Platform::new(own.os(), own.architecture(), None);
            let is_listed = starred().any(|one| one == plain);
            Some(if is_listed { plain } else { own })
        }
        None => starred().next(),
    }
}

/// Reads what `podman info` and `buildah info` print about their machine.
fn of_info(text: &str) -> Option<Platform> {
    let info: serde_json::Value = serde_json::from_str(text).ok()?;
    let word = |key: &str| info["host"][key].as_str().filter(|word| !word.is_empty());
    Some(Platform::new(word("os")?, word("arch")?, word("variant")))
}

/// Reads the table that `buildctl debug workers` prints: the first platform of the first worker is its own.
fn of_workers(text: &str) -> Option<Platform> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("ID"));
    lines.next()?;
    let platforms = lines.next()?.split_whitespace().nth(1)?;
    platforms.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::docker::DockerFeatures;
    use crate::builder::platform_args::without_platforms;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    fn program(args: &[&str]) -> Program {
        Program {
            path: "builder".into(),
            global_args: vec![],
            build_args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        }
    }

    fn named(args: &[&str]) -> Vec<String> {
        let buildah = Builder::Buildah(program(args));
        let platforms = buildah.platforms(platform("linux/amd64"), Some("linux/s390x"));
        platforms.named.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn platforms_are_recognized_in_every_form_of_build_argument() {
        for args in [
            &["--platform=linux/arm64"][..],
            &["--jobs=2", "--platform", "linux/arm64"],
            &["--arch=arm64"],
            &["--arch", "aarch64", "--os", "linux"],
            &["--override-arch=arm64"],
            &["--opt=platform=linux/arm64"],
            &["--opt", "platform=linux/arm64"],
        ] {
            assert_eq!(named(args), ["linux/arm64"], "{args:?}");
        }
        assert_eq!(
            named(&[
                "--platform=linux/amd64,linux/arm/v7",
                "--platform",
                "linux/amd64"
            ]),
            ["linux/amd64", "linux/arm/v7"]
        );
        assert_eq!(named(&["--arch=arm", "--variant=v6"]), ["linux/arm/v6"]);
        assert_eq!(named(&["--os=windows"]), ["windows/amd64"]);
        for args in [
            &[][..],
            &["--platform"],
            &["--platform=local"],
            &["--label=platform=x"],
            &["--opt=target=x"],
        ] {
            assert_eq!(named(args), [""; 0], "{args:?}");
        }
    }

    #[test]
    fn default_platform_of_the_environment_applies_to_docker_and_buildx_only() {
        let own = platform("linux/amd64");
        let docker = |args: &[&str]| Builder::Docker {
            program: program(args),
            can: DockerFeatures::default(),
        };
        let arm = vec![platform("linux/arm64")];
        let found = docker(&[]).platforms(own.clone(), Some("linux/arm64"));
        assert_eq!((&found.named, &found.containers), (&arm, &arm[0]));
        assert_eq!(found.own, own);
        let found = docker(&["--platform=linux/s390x"]).platforms(own.clone(), Some("linux/arm64"));
        assert_eq!(found.named, [platform("linux/s390x")]);
        assert_eq!(named(&[]), [""; 0]);
        let nothing = docker(&[]).platforms(own.clone(), None);
        assert_eq!(nothing.wanted(&[]), []);
        assert_eq!(nothing.wanted(&arm), arm);
    }

    #[test]
    fn platform_arguments_are_dropped_for_a_build_with_its_own_platforms() {
        let args = [
            "--network=host",
            "--platform",
            "a/b",
            "--opt",
            "x=y",
            "--opt=platform=a/b",
            "--arch=c",
            "--quiet",
        ];
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        assert_eq!(
            without_platforms(&args),
            ["--network=host", "--opt", "x=y", "--quiet"]
        );
    }

    #[test]
    fn each_builder_is_asked_for_its_platform_by_its_own_command() {
        let arm = Some(platform("linux/arm64"));
        assert_eq!(written("linux/arm64\n"), arm);
        assert_eq!(written("/\n"), None);
        assert_eq!(written("linux/arm\n"), Some(platform("linux/arm/v7")));
        let inspect = |list: &str| {
            of_node(&format!(
                "Name:   far\nDriver: remote\n\nNodes:\nName:      far0\nPlatforms: {list}\n\nName: far1\nPlatforms: linux/s390x\n"
            ))
        };
        assert_eq!(inspect("linux/arm64, linux/arm/v7, linux/arm/v6"), arm);
        assert_eq!(inspect("linux/amd64*, linux/arm64, linux/arm/v7"), arm);
        assert_eq!(
            inspect("linux/amd64*, linux/amd64/v2, linux/386"),
            Some(platform("linux/amd64"))
        );
        assert_eq!(inspect("linux/arm64*"), arm);
        assert_eq!(
            of_node("Name: x\nDriver: docker-container\nStatus: inactive\n"),
            None
        );
        let info = r#"{"host":{"os":"linux","arch":"arm64","variant":""},"store":{}}"#;
        assert_eq!(of_info(info), arm);
        let older = r#"{"host":{"os":"linux","arch":"arm","variant":"v6"}}"#;
        assert_eq!(of_info(older), Some(platform("linux/arm/v6")));
        assert_eq!(of_info("{}"), None);
        let workers = "ID\t\t\t\tPLATFORMS\ntmzf4bxwbzrqqm1t6mnwb2vb6\tlinux/arm64,linux/arm/v7\nother\tlinux/amd64\n";
        assert_eq!(of_workers(workers), arm);
        assert_eq!(of_workers("daemon v0\n"), None);
        assert_eq!(of_workers("ID\tPLATFORMS\n"), None);
    }

    #[test]
    fn buildx_platform_is_that_of_the_node_in_its_arguments() {
        let buildx = Builder::Buildx {
            program: program(&["--builder", "far", "--network=host"]),
            in_daemon: false,
        };
        let lines: Vec<String> = buildx
            .platform_questions()
            .iter()
            .map(|question| question.line.to_string())
            .collect();
        assert_eq!(
            lines,
            [
                "builder buildx inspect --builder=far",
                "builder version --format '{{.Server.Os}}/{{.Server.Arch}}'"
            ]
        );
    }
}
