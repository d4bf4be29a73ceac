//! Which builder is used: the one that is named, else the first that works.

use crate::{
    error::{Error, Kind, Result},
    sys::{
        process::{self, find},
        settings::Settings,
    },
};

use super::{Builder, BuilderKind, Program, custom::Template};

/// Finds the builder: `choice` (the command line, then the task), else `ACRT_BUILDER`, else the config file's, else the first
/// of docker, podman and buildah on `PATH`. docker without a daemon that answers is passed over, unless it is named.
///
/// # Errors
///
/// [`Kind::Invalid`] for a name that is no builder, for one that is not installed, and where there is none at all.
pub async fn detect(choice: Option<&str>, settings: &Settings) -> Result<Builder> {
    let named =
        choice
            .or(settings.builder.as_deref())
            .or(settings.config.defaults.builder.as_deref());
    if let Some(name) = named {
        let kind: BuilderKind = name.parse().map_err(|problem: super::UnknownBuilder| {
            Error::new(Kind::Invalid, problem.to_string())
                .hint("other programs can be called by a template: --builder command, see docs/builders.md")
        })?;
        return by_name(kind, settings).await;
    }
    for kind in [
        BuilderKind::Docker,
        BuilderKind::Podman,
        BuilderKind::Buildah,
    ] {
        let Some(program) = program(kind, settings) else {
            continue;
        };
        if kind == BuilderKind::Docker && !daemon_answers(&program).await {
            continue;
        }
        return ready(kind, program).await;
    }
    Err(Error::new(
        Kind::Invalid,
        format!(
            "no builder on PATH `{}`: neither docker with a running daemon, nor podman, nor buildah",
            settings.path.display()
        ),
    )
    .hint("install one, for example: apt-get install buildah"))
}

async fn by_name(kind: BuilderKind, settings: &Settings) -> Result<Builder> {
    if kind == BuilderKind::Command {
        let template = settings.config.builders.get(kind.name()).cloned();
        return Ok(Builder::Command(Template::new(
            &template.unwrap_or_default(),
        )?));
    }
    let program = program(kind, settings).ok_or_else(|| {
        Error::new(
            Kind::Invalid,
            format!(
                "the builder `{kind}` is not on PATH `{}`",
                settings.path.display()
            ),
        )
        .hint("install it, or name another one with --builder")
    })?;
    ready(kind, program).await
}

async fn ready(kind: BuilderKind, program: Program) -> Result<Builder> {
    Ok(match kind {
        BuilderKind::Docker => Builder::Docker {
            buildx: succeeds(&program, &["buildx", "version"]).await,
            program,
        },
        BuilderKind::Podman => Builder::Podman(program),
        BuilderKind::Buildah | BuilderKind::Command => Builder::Buildah(program),
    })
}

fn program(kind: BuilderKind, settings: &Settings) -> Option<Program> {
    let own = settings.config.builders.get(kind.name()).cloned();
    let own = own.unwrap_or_default();
    Some(Program {
        path: find(kind.name(), &settings.path)?,
        global_args: own.global_args,
        build_args: own.build_args,
    })
}

async fn daemon_answers(program: &Program) -> bool {
    succeeds(program, &["version", "--format", "{{.Server.Version}}"]).await
}

async fn succeeds(program: &Program, command: &[&str]) -> bool {
    process::ask(&program.call(command))
        .await
        .is_ok_and(|answer| answer.succeeded())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    /// Puts programs that exit with these codes on a PATH of their own.
    fn machine(programs: &[(&str, i32)]) -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        for (name, code) in programs {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\nexit {code}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut settings = Settings::default();
        settings.path = folder.path().into();
        (folder, settings)
    }

    #[tokio::test]
    async fn docker_comes_first_if_its_daemon_answers() {
        let (_folder, settings) = machine(&[("docker", 0), ("buildah", 0)]);
        let builder = detect(None, &settings).await.unwrap();
        assert_eq!(builder.kind(), BuilderKind::Docker);
        let (_folder, settings) = machine(&[("docker", 1), ("podman", 0), ("buildah", 0)]);
        let builder = detect(None, &settings).await.unwrap();
        assert_eq!(builder.kind(), BuilderKind::Podman);
    }

    #[tokio::test]
    async fn a_named_builder_is_taken_or_it_is_an_error() {
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
    async fn without_any_builder_the_way_to_get_one_is_told() {
        let (_folder, settings) = machine(&[]);
        let error = detect(None, &settings).await.unwrap_err();
        assert_eq!(
            error.advice(),
            Some("install one, for example: apt-get install buildah")
        );
    }
}
