//! Chooses the builder: the named one, else the first that works.

use crate::{
    error::{Error, Result},
    sys::{builders::BuilderSettings, process, settings::Settings},
};

use super::{
    Builder, BuilderKind, Program,
    connection::{self, SERVER_VERSION, WORKERS, program},
    custom::Template,
    docker::DockerFeatures,
    program::field,
};

/// The builders that are tried where none is named, in this order. buildx is not among them: docker uses it by itself.
pub const ORDER: [BuilderKind; 4] = [
    BuilderKind::Docker,
    BuilderKind::Podman,
    BuilderKind::Buildah,
    BuilderKind::Buildctl,
];

/// Returns the name of the chosen builder or pool: `choice` (from the command line, then the task), else `ACRT_BUILDER`, else the config
/// file's.
pub fn chosen_name<'s>(choice: Option<&'s str>, settings: &'s Settings) -> Option<&'s str> {
    let named = choice.or(settings.builder.as_deref());
    named.or(settings.config.defaults.builder.as_deref())
}

/// Refuses a name that is neither a builder's nor a pool's.
///
/// # Errors
///
/// [`Kind::Invalid`] with the known names.
pub fn check_name(name: &str, settings: &Settings) -> Result<()> {
    settings.config.check_builder(name).map_err(|problem| {
        let hint = match problem.meant() {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "other programs can be called by a template: --builder command, see docs/builders.md".into(),
        };
        Error::invalid(problem.to_string()).hint(hint)
    })
}

/// Finds the builder that [`chosen_name`] names, else the first of docker, podman, buildah and buildctl on `PATH`. Unless they are named,
/// docker and buildctl are skipped where no daemon answers. A `docker` that is really podman is treated as podman. For a pool this is its
/// first builder.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] for an unknown name, for a builder that is not installed, and where there is no builder at all;
/// [`crate::error::Kind::Failed`] for buildx where no BuildKit answers.
pub async fn detect(choice: Option<&str>, settings: &Settings) -> Result<Builder> {
    if let Some(name) = chosen_name(choice, settings) {
        let members = settings.config.pools.get(name).map(|pool| &pool.builders);
        let name = members
            .and_then(|all| all.first())
            .map_or(name, String::as_str);
        let Some((kind, own)) = settings.config.builder(name) else {
            return Err(check_name(name, settings)
                .err()
                .unwrap_or_else(|| Error::invalid(format!("the pool `{name}` has no builder"))));
        };
        return by_name(name, kind, &own, settings).await;
    }
    for kind in ORDER {
        let own = settings.config.builder(kind.name());
        let own = own.map(|(_, own)| own).unwrap_or_default();
        let Some(program) = program(kind, &own, settings) else {
            continue;
        };
        if daemon_answers(kind, &program).await {
            return ready(kind, program, &own, settings).await;
        }
    }
    Err(Error::invalid(format!(
            "no builder on PATH `{}`: neither docker with a running daemon, nor podman, nor buildah, nor buildctl with a running buildkitd",
            settings.path.display()
        ),
    )
    .hint("install one, for example: apt-get install buildah"))
}

async fn by_name(
    name: &str,
    kind: BuilderKind,
    own: &BuilderSettings,
    settings: &Settings,
) -> Result<Builder> {
    if kind == BuilderKind::Command {
        return Ok(Builder::Command(Template::new(own)?));
    }
    let program = program(kind, own, settings).ok_or_else(|| {
        let of = if name == kind.name() {
            String::new()
        } else {
            format!(", which `{name}` is called by,")
        };
        Error::invalid(format!(
            "the builder `{kind}`{of} is not on PATH `{}`",
            settings.path.display()
        ))
        .hint("install it, or name another one with --builder")
    })?;
    ready(kind, program, own, settings).await
}

async fn ready(
    kind: BuilderKind,
    program: Program,
    own: &BuilderSettings,
    settings: &Settings,
) -> Result<Builder> {
    Ok(match kind {
        BuilderKind::Docker => docker(program, own, settings).await,
        BuilderKind::Buildx => buildx(program).await?,
        BuilderKind::Podman => Builder::Podman(program),
        BuilderKind::Buildctl => Builder::Buildctl(program),
        BuilderKind::Buildah | BuilderKind::Command => Builder::Buildah(program),
    })
}

/// Prepares `docker`, or podman under that name.
async fn docker(mut program: Program, own: &BuilderSettings, settings: &Settings) -> Builder {
    let Some(can) = docker_features(&program).await else {
        // The package podman-docker. It is podman itself, whose own settings apply.
        let podman = settings.config.builder(BuilderKind::Podman.name());
        let podman = podman.and_then(|(kind, own)| connection::program(kind, &own, settings));
        return Builder::Podman(podman.unwrap_or(program));
    };
    let more = connection::build_arguments(BuilderKind::Docker, own, can.load);
    program.build_args.splice(0..0, more);
    Builder::Docker { program, can }
}

/// Finds out what a `docker` supports; `None` where it is podman. A call takes a tenth of a second, so there is only one where
/// `docker build` is buildx.
async fn docker_features(program: &Program) -> Option<DockerFeatures> {
    let help = answer(program, &["build", "--help"]).await;
    let help = help.unwrap_or_default();
    let is_podman = |line: &str| line.trim_start().starts_with("podman build ");
    if help.lines().any(is_podman) {
        return None;
    }
    let load = help.contains("--load");
    Some(DockerFeatures {
        buildx: load || answer(program, &["buildx", "version"]).await.is_some(),
        load,
    })
}

/// Finds out which BuildKit docker's buildx uses.
async fn buildx(program: Program) -> Result<Builder> {
    let lacks = |what: &str, hint: &str| {
        let text = format!("`{}` {what}", program.path.display());
        Err(Error::invalid(text).hint(hint))
    };
    match docker_features(&program).await {
        None => {
            return lacks(
                "is podman, which has no buildx",
                "build with --builder podman",
            );
        }
        Some(can) if !can.buildx => {
            return lacks(
                "has no buildx",
                "install docker's buildx plugin, for example: apt-get install docker-buildx",
            );
        }
        Some(_) => {}
    }
    let answer = process::ask(&program.call_buildx(&["buildx", "inspect"])).await?;
    let (text, problem) = (answer.text(), answer.problem());
    match field(&text, "Driver:") {
        Some(driver) if answer.succeeded() && !driver.is_empty() => Ok(Builder::Buildx {
            in_daemon: driver == "docker",
            program,
        }),
        _ => {
            let why = field(&text, "Error:").or(problem.lines().last());
            let why = why.unwrap_or_default();
            Err(Error::failed("cannot find out what docker's buildx builds with")
            .because(anyhow::anyhow!("{why}"))
            .hint("start the Docker daemon, or choose another BuildKit with `docker buildx use`"))
        }
    }
}

/// Tells whether the daemon of a builder answers, if the builder needs one.
async fn daemon_answers(kind: BuilderKind, program: &Program) -> bool {
    let question: &[&str] = match kind {
        BuilderKind::Docker => &SERVER_VERSION,
        BuilderKind::Buildctl => &WORKERS,
        BuilderKind::Buildx | BuilderKind::Podman | BuilderKind::Buildah | BuilderKind::Command => {
            return true;
        }
    };
    answer(program, question).await.is_some()
}

/// Returns the output of a call; `None` where the call fails.
async fn answer(program: &Program, command: &[&str]) -> Option<String> {
    let answer = process::ask(&program.call(command)).await.ok()?;
    answer.succeeded().then(|| answer.text())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::error::Kind;

    /// Makes a `PATH` with programs that exit with these codes.
    fn machine(programs: &[(&str, i32)]) -> (tempfile::TempDir, Settings) {
        let scripts: Vec<(&str, String)> = programs
            .iter()
            .map(|(name, code)| (*name, format!("exit {code}")))
            .collect();
        let scripts: Vec<(&str, &str)> = scripts.iter().map(|(n, s)| (*n, s.as_str())).collect();
        scripted(&scripts)
    }

    /// Makes a `PATH` with these shell scripts.
    fn scripted(programs: &[(&str, &str)]) -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in programs {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut settings = Settings::default();
        settings.path = folder.path().into();
        (folder, settings)
    }

    #[tokio::test]
    async fn detection_prefers_docker_if_its_daemon_answers() {
        let (_folder, settings) = machine(&[("docker", 0), ("buildah", 0)]);
        let builder = detect(None, &settings).await.unwrap();
        assert_eq!(builder.kind(), BuilderKind::Docker);
        let (_folder, settings) = machine(&[("docker", 1), ("podman", 0), ("buildah", 0)]);
        let builder = detect(None, &settings).await.unwrap();
        assert_eq!(builder.kind(), BuilderKind::Podman);
    }

    /// A docker whose buildx answers `buildx inspect` with this text.
    fn docker_with(inspect: &str) -> String {
        format!(
            r#"case "$1 $2" in
"buildx inspect") printf '{inspect}' ;;
"build --help") echo "      --load    Shorthand" ;;
esac"#
        )
    }

    #[tokio::test]
    async fn detection_takes_buildctl_last_and_only_if_its_daemon_answers() {
        let (_folder, settings) = machine(&[("buildctl", 0), ("buildah", 0)]);
        let builder = detect(None, &settings).await.unwrap();
        assert_eq!(builder.kind(), BuilderKind::Buildah);
        let (_folder, settings) = machine(&[("buildctl", 0)]);
        let builder = detect(None, &settings).await.unwrap();
        assert_eq!(builder.kind(), BuilderKind::Buildctl);
        let (_folder, settings) = machine(&[("buildctl", 1)]);
        assert!(detect(None, &settings).await.is_err());
        let builder = detect(Some("buildctl"), &settings).await.unwrap();
        assert_eq!(builder.kind(), BuilderKind::Buildctl);
    }

    #[tokio::test]
    async fn podman_installed_as_docker_is_detected_as_podman() {
        let shim = "echo Emulate Docker CLI using podman. >&2\nprintf 'Usage:\\n  podman build [options] [CONTEXT]\\n'";
        let (folder, settings) = scripted(&[("docker", shim), ("podman", "")]);
        for choice in [None, Some("docker")] {
            let Builder::Podman(program) = detect(choice, &settings).await.unwrap() else {
                panic!("it is taken for docker");
            };
            assert_eq!(program.path, folder.path().join("podman"));
        }
        let error = detect(Some("buildx"), &settings).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(
            error
                .to_string()
                .ends_with("is podman, which has no buildx")
        );
        let (folder, settings) = scripted(&[("docker", shim)]);
        let builder = detect(None, &settings).await.unwrap();
        assert!(matches!(&builder, Builder::Podman(it) if it.path == folder.path().join("docker")));
    }

    #[tokio::test]
    async fn docker_abilities_are_detected() {
        let script = docker_with("");
        let (_folder, settings) = scripted(&[("docker", &script)]);
        let builder = detect(None, &settings).await.unwrap();
        assert!(matches!(
            builder,
            Builder::Docker {
                can: DockerFeatures {
                    buildx: true,
                    load: true
                },
                ..
            }
        ));
        let (_folder, settings) = scripted(&[(
            "docker",
            r#"test "$1" != buildx && echo "Usage: docker build""#,
        )]);
        let builder = detect(None, &settings).await.unwrap();
        assert!(matches!(builder, Builder::Docker { can, .. } if can == DockerFeatures::default()));
    }

    #[tokio::test]
    async fn buildx_is_detected_with_the_docker_driver_or_a_remote_builder() {
        for (driver, expected) in [("docker", true), ("docker-container", false)] {
            let script = docker_with(&format!("Name:   x\\nDriver: {driver}\\n"));
            let (_folder, settings) = scripted(&[("docker", &script)]);
            let builder = detect(Some("buildx"), &settings).await.unwrap();
            assert!(
                matches!(builder, Builder::Buildx { in_daemon, .. } if in_daemon == expected),
                "{driver}"
            );
        }
    }

    #[tokio::test]
    async fn buildx_without_a_usable_builder_is_reported_with_the_reason() {
        let script = docker_with("Name:   default\\nDriver:\\nError:  Cannot connect\\n");
        let (_folder, settings) = scripted(&[("docker", &script)]);
        let error = detect(Some("buildx"), &settings).await.unwrap_err();
        assert_eq!(error.causes(), ["Cannot connect"]);
        let (_folder, settings) = scripted(&[("docker", "test \"$1\" != buildx")]);
        let error = detect(Some("buildx"), &settings).await.unwrap_err();
        assert!(
            error.to_string().ends_with("/docker` has no buildx"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn named_builder_is_used_or_is_an_error() {
        let (_folder, settings) = machine(&[("docker", 1), ("buildah", 0)]);
        let builder = detect(Some("docker"), &settings).await.unwrap();
        assert_eq!(builder.kind(), BuilderKind::Docker);
        let error = detect(Some("podman"), &settings).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(
            error
                .to_string()
                .starts_with("the builder `podman` is not on PATH")
        );
        let error = detect(Some("kaniko"), &settings).await.unwrap_err();
        assert!(error.to_string().starts_with("no builder `kaniko`"));
    }

    #[tokio::test]
    async fn missing_builder_is_reported_with_installation_advice() {
        let (_folder, settings) = machine(&[]);
        let error = detect(None, &settings).await.unwrap_err();
        assert_eq!(
            error.advice(),
            Some("install one, for example: apt-get install buildah")
        );
    }
}
