//! How the daemon of a builder is reached, and whether it answers.

use std::path::PathBuf;

use crate::sys::{
    builders::{BuilderKind, BuilderSettings},
    process::find,
    settings::Settings,
};

use super::{Program, Question, program::field};

/// Returns the arguments of every call that choose the daemon in the config file; they come right after the program's name.
pub(super) fn arguments(kind: BuilderKind, own: &BuilderSettings) -> Vec<String> {
    let tls = &own.tls;
    let file = |option: &str, file: &Option<PathBuf>| {
        let file = file.as_ref()?;
        Some(format!("{option}={}", file.display()))
    };
    let files = || {
        let files = [
            ("--tlscacert", &tls.ca),
            ("--tlscert", &tls.cert),
            ("--tlskey", &tls.key),
        ];
        files
            .into_iter()
            .filter_map(move |(option, path)| file(option, path))
    };
    let mut all = Vec::new();
    match (kind, &own.address, &own.connection) {
        (BuilderKind::Docker, Some(address), _) => {
            all.push(format!("--host={address}"));
            if files().next().is_some() {
                all.push("--tlsverify".into());
            }
            all.extend(files());
        }
        (BuilderKind::Docker, None, Some(context)) => all.push(format!("--context={context}")),
        (BuilderKind::Podman, Some(address), _) => {
            all.extend(["--remote".into(), format!("--url={address}")]);
            all.extend(file("--identity", &own.identity));
        }
        (BuilderKind::Podman, None, Some(name)) => {
            all.extend(["--remote".into(), format!("--connection={name}")]);
        }
        (BuilderKind::Buildctl, Some(address), _) => {
            all.push(format!("--addr={address}"));
            all.extend(files());
        }
        (BuilderKind::Docker | BuilderKind::Podman | BuilderKind::Buildctl, None, _)
        | (BuilderKind::Buildx | BuilderKind::Buildah | BuilderKind::Command, ..) => {}
    }
    all
}

/// Returns the arguments of every build that choose the BuildKit in the config file.
pub(super) fn build_arguments(
    kind: BuilderKind,
    own: &BuilderSettings,
    has_buildx: bool,
) -> Vec<String> {
    let is_elsewhere = own.address.is_some() || own.connection.is_some();
    let named = match kind {
        BuilderKind::Buildx => own.builder.as_ref().map(|name| format!("--builder={name}")),
        // The builder of that daemon, whatever `docker buildx use` or BUILDX_BUILDER have chosen: buildx calls it like the context, and
        // without a context `default`.
        BuilderKind::Docker if is_elsewhere && has_buildx => {
            let context = own.connection.as_deref().filter(|_| own.address.is_none());
            Some(format!("--builder={}", context.unwrap_or("default")))
        }
        BuilderKind::Docker
        | BuilderKind::Podman
        | BuilderKind::Buildah
        | BuilderKind::Buildctl
        | BuilderKind::Command => None,
    };
    named.into_iter().collect()
}

/// Finds the program of a builder, with the arguments that choose its daemon.
pub(super) fn program(
    kind: BuilderKind,
    own: &BuilderSettings,
    settings: &Settings,
) -> Option<Program> {
    let (name, mut build_args) = match kind {
        BuilderKind::Buildx => (BuilderKind::Docker.name(), build_arguments(kind, own, true)),
        BuilderKind::Docker
        | BuilderKind::Podman
        | BuilderKind::Buildah
        | BuilderKind::Buildctl
        | BuilderKind::Command => (kind.name(), Vec::new()),
    };
    build_args.extend(own.build_args.iter().cloned());
    let mut global_args = arguments(kind, own);
    global_args.extend(own.global_args.iter().cloned());
    Some(Program {
        path: find(name, &settings.path)?,
        global_args,
        build_args,
    })
}

/// Returns the docker client of a builder, with the arguments that choose its daemon; `None` for a builder that is not called by docker. Runs
/// nothing.
pub fn docker_client(name: &str, settings: &Settings) -> Option<Program> {
    let (kind, own) = settings.config.builder(name)?;
    let is_docker = matches!(kind, BuilderKind::Docker | BuilderKind::Buildx);
    program(kind, &own, settings).filter(|_| is_docker)
}

/// The arguments with which docker and podman print the version of their daemon.
pub(super) const SERVER_VERSION: [&str; 3] = ["version", "--format", "{{.Server.Version}}"];

/// The arguments with which buildctl prints the workers of its daemon.
pub(super) const WORKERS: [&str; 2] = ["debug", "workers"];

/// Returns the query whether a builder's daemon answers; `None` for a builder without a daemon, or whose program is not there. The result has
/// an entry for each node of a buildx builder: why it cannot be reached, or `None`. It is empty for other builders, which can be reached if
/// the query succeeds. Runs nothing.
pub fn reachability(name: &str, settings: &Settings) -> Option<Question<Vec<Option<String>>>> {
    let (kind, own) = settings.config.builder(name)?;
    let program = program(kind, &own, settings)?;
    let line = match kind {
        BuilderKind::Buildx => {
            let line = program.call_buildx(&["buildx", "inspect"]);
            return Some(Question::new(line, nodes_away));
        }
        BuilderKind::Docker => program.call(&SERVER_VERSION),
        BuilderKind::Podman if program.is_remote() => program.call(&SERVER_VERSION),
        BuilderKind::Buildctl => program.call(&WORKERS),
        BuilderKind::Podman | BuilderKind::Buildah | BuilderKind::Command => return None,
    };
    Some(Question::new(line, |_| Vec::new()))
}

/// Tells whether a client failed because it lacks something itself, whatever its daemon does: a docker without buildx.
pub fn lacks_buildx(errors: &str) -> bool {
    let words = [
        "'buildx' is not a docker command",
        "unknown command: docker buildx",
    ];
    words.iter().any(|it| errors.contains(it))
}

/// Reads the output of `docker buildx inspect`, which exits with 0 even where no node answers. A node that a build would start first counts
/// as reachable; of a node that is started elsewhere, buildx only says that it is not running.
fn nodes_away(text: &str) -> Vec<Option<String>> {
    let is_remote = field(text, "Driver:") == Some("remote");
    let sections = text.split("\nName:");
    let nodes = sections.filter_map(|section| {
        let (status, error) = (field(section, "Status:"), field(section, "Error:"));
        if status.is_none() && error.is_none() {
            return None;
        }
        let name = section.lines().next().unwrap_or_default().trim();
        let not_running = status.filter(|status| is_remote && *status != "running");
        let not_running = not_running.map(|status| format!("node {name} is {status}"));
        Some(error.map(str::to_owned).or(not_running))
    });
    nodes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(yaml: &str) -> BuilderSettings {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn remote_daemon_address_and_tls_are_passed_in_the_form_of_each_client() {
        let (docker, podman, buildctl) = (
            BuilderKind::Docker,
            BuilderKind::Podman,
            BuilderKind::Buildctl,
        );
        let mtls = "{address: 'tcp://a:1', tls: {ca: /ca, cert: /c, key: /k}}";
        for (kind, settings, expected) in [
            (
                docker,
                mtls,
                "--host=tcp://a:1 --tlsverify --tlscacert=/ca --tlscert=/c --tlskey=/k",
            ),
            (docker, "{address: 'ssh://b@old'}", "--host=ssh://b@old"),
            (docker, "{connection: old}", "--context=old"),
            (
                podman,
                "{address: 'ssh://b@a', identity: /i}",
                "--remote --url=ssh://b@a --identity=/i",
            ),
            (podman, "{connection: pods}", "--remote --connection=pods"),
            (
                buildctl,
                mtls,
                "--addr=tcp://a:1 --tlscacert=/ca --tlscert=/c --tlskey=/k",
            ),
            (docker, "{}", ""),
        ] {
            assert_eq!(arguments(kind, &own(settings)).join(" "), expected);
        }
        let farm = build_arguments(BuilderKind::Buildx, &own("{builder: farm}"), true);
        assert_eq!(farm, ["--builder=farm"]);
        let there = own("{connection: old}");
        assert_eq!(build_arguments(docker, &there, true), ["--builder=old"]);
        let there_by_address = own("{address: 'ssh://b@old'}");
        assert_eq!(
            build_arguments(docker, &there_by_address, true),
            ["--builder=default"]
        );
        assert!(build_arguments(docker, &there, false).is_empty());
        assert!(build_arguments(docker, &own("{}"), true).is_empty());
    }

    #[test]
    fn inactive_node_that_a_build_would_start_is_reachable_and_a_failing_one_is_not() {
        let away = |nodes: &str| nodes_away(&format!("Name: farm\n{nodes}"));
        let docker = "Driver: docker\n\nNodes:\nName: a\nStatus: running\n";
        assert_eq!(away(docker), [None]);
        let container = "Driver: docker-container\n\nNodes:\nName: a\nStatus:   inactive\n";
        assert_eq!(away(container), [None]);
        let failing = "Driver: docker-container\n\nNodes:\nName: a\nError:   Cannot connect\n";
        assert_eq!(away(failing), [Some("Cannot connect".to_owned())]);
        let two = "Driver:   remote\n\nNodes:\nName:   a\nStatus:   running\nMin Free Space: 4GiB\n\n\
            Name:   b\nStatus:   inactive\nMin Free Space: 4GiB\n";
        assert_eq!(away(two), [None, Some("node b is inactive".to_owned())]);
        assert_eq!(away(""), []);
    }
}
