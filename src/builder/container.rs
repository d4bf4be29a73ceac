//! A container to run, as the command lines of one builder. Runs nothing.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    error::{Error, Result},
    sys::{
        command::CommandLine,
        secret::{MaskedText, Secret},
    },
};

use super::{
    Builder, Program,
    kind::NO_STEPS_HINT,
    program::{csv_field, with_logins},
};

/// A container to run. No field is an option of a particular builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerRequest {
    /// Its name, unique on the machine.
    pub name: String,
    /// Its image, with registry, and with a digest where the digest was resolved.
    pub image: String,
    pub args: Vec<MaskedText>,
    /// The command that replaces the image's entry point.
    pub entry_point: Option<String>,
    /// Its working directory, absolute.
    pub working_directory: Option<String>,
    pub env: Vec<(String, String)>,
    /// Environment variables with secret values.
    pub secret_env: Vec<(String, Secret)>,
    pub user: Option<String>,
    /// The network, under the builder's name for it.
    pub network: Option<String>,
    /// Its host name for other containers of its network.
    pub alias: Option<String>,
    /// Ports that are open to other containers.
    pub expose: Vec<String>,
    /// Ports of the machine that are published to it.
    pub ports: Vec<String>,
    /// The number of CPUs that it may use.
    pub cpus: Option<String>,
    /// Folders of the machine that are mounted in it.
    pub mounts: Vec<FolderMount>,
    pub detach: bool,
    /// Whether it is kept after it has ended.
    pub keep: bool,
    /// Whether it runs in privileged mode, without isolation from the machine.
    pub privileged: bool,
    /// The labels by which it is found again.
    pub labels: BTreeMap<String, String>,
    /// Whether the registry of its image is reached without TLS.
    pub plain_http: bool,
    /// A folder with a `config.json` and an `auth.json`.
    pub auth_dir: Option<PathBuf>,
    /// A folder for small files that only this user can read.
    pub scratch: PathBuf,
}

/// The network of the machine itself.
const HOST: &str = "host";

/// A folder of the machine that is mounted in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderMount {
    /// Its path on the machine.
    pub from: PathBuf,
    /// Its path in the container.
    pub to: String,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// The command lines for a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPlan {
    /// Commands that must succeed before the container is started.
    pub before: Vec<CommandLine>,
    pub run: CommandLine,
    /// A file that must exist when the container starts, and must be removed when it has ended.
    pub secrets: Option<SecretFile>,
}

/// A file that only this user may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    pub path: PathBuf,
    pub content: Secret,
}

impl Builder {
    /// Refuses a multi-step task for a builder with which later steps would not find the images of earlier ones.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] for a builder without an image store on this machine.
    pub fn refuse_steps(&self) -> Result<()> {
        match self {
            Self::Buildctl(_) => Err(Error::invalid(
                "buildctl cannot carry out multi-step tasks: it holds no images on this machine",
            )
            .hint(NO_STEPS_HINT)),
            _ => Ok(()),
        }
    }

    /// Returns how a container is run.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] for an option that this builder does not support.
    pub fn container(&self, request: &ContainerRequest) -> Result<ContainerPlan> {
        match self {
            Self::Docker { program, .. } | Self::Buildx { program, .. } => {
                Ok(run(program, request, false))
            }
            Self::Podman(program) => Ok(run(program, request, true)),
            Self::Buildah(program) => buildah(program, request),
            Self::Buildctl(_) | Self::Command(_) => Err(Error::invalid(format!(
                "the builder `{}` runs no containers",
                self.kind()
            ))
            .hint(NO_STEPS_HINT)),
        }
    }

    /// Returns the command that prints, as JSON, the config of a container's image; `None` where the builder applies that config itself.
    pub fn inspect_container(&self, name: &str) -> Option<CommandLine> {
        match self {
            Self::Buildah(program) => {
                Some(program.call(&["inspect", "--type", "container", "--", name]))
            }
            Self::Docker { .. }
            | Self::Buildx { .. }
            | Self::Podman(_)
            | Self::Buildctl(_)
            | Self::Command(_) => None,
        }
    }
}

fn run(program: &Program, request: &ContainerRequest, podman: bool) -> ContainerPlan {
    let is_removed = !request.keep && !request.detach;
    let alias = request.network.as_ref().and(request.alias.as_ref());
    let mounts = request.mounts.iter();
    let line = program
        .call(&["run"])
        .flag("--name", &request.name)
        .args(request.detach.then_some("--detach"))
        .args(is_removed.then_some("--rm"))
        .pairs("--label", &request.labels)
        .flags("--network", &request.network)
        .flags("--network-alias", alias)
        .flags("--mount", mounts.map(|mount| mount_text(mount, podman)));
    let is_plain = podman && request.plain_http;
    let line = surroundings(line, request, "--workdir")
        .flags("--expose", &request.expose)
        .flags("--publish", &request.ports)
        .flags("--cpus", &request.cpus)
        .flags("--entrypoint", &request.entry_point)
        .args(request.privileged.then_some("--privileged"))
        .flags("--tls-verify", is_plain.then_some("false"));
    let line = secret_variables(line, request);
    let line = with_logins(line, request.auth_dir.as_deref()).arg(&request.image);
    ContainerPlan {
        before: Vec::new(),
        run: request.args.iter().fold(line, CommandLine::text),
        secrets: None,
    }
}

/// buildah creates a container first, and runs a command in it as a step of a build would.
fn buildah(program: &Program, request: &ContainerRequest) -> Result<ContainerPlan> {
    let refused = [
        (request.detach, "leave a container running (`detach`)"),
        (!request.ports.is_empty(), "open ports (`ports`)"),
        (request.cpus.is_some(), "limit processors (`cpus`)"),
        (
            request.privileged,
            "run privileged containers (`privileged`)",
        ),
        (
            request.network.as_deref().is_some_and(|it| it != HOST),
            "put containers into networks of their own",
        ),
    ];
    if let Some((_, what)) = refused.iter().find(|(asked, _)| *asked) {
        return Err(Error::invalid(format!("buildah cannot {what}"))
            .hint("run the steps with --builder docker or podman"));
    }
    let from = program
        .call(&["from"])
        .flag("--name", &request.name)
        .flags("--tls-verify", request.plain_http.then_some("false"));
    let from = with_logins(from, request.auth_dir.as_deref())
        .arg("--")
        .arg(&request.image);
    let volumes = request.mounts.iter().map(|mount| {
        let end = if mount.read_only { ":ro" } else { "" };
        format!("{}:{}{end}", mount.from.display(), mount.to)
    });
    let line = program
        .call(&["run"])
        .flags("--network", &request.network)
        .flags("--volume", volumes);
    let mut line = surroundings(line, request, "--workingdir")
        .arg("--")
        .arg(&request.name);
    let has_command = request.entry_point.is_some() || !request.args.is_empty();
    let secrets = secret_script(request)?.filter(|_| has_command);
    if let Some(script) = &secrets {
        line.stdin = Some(script.path.clone());
        line = line.args(["/bin/sh", "-c", READ_SCRIPT, "sh"]);
    }
    line = line.args(&request.entry_point);
    Ok(ContainerPlan {
        before: vec![from],
        run: request.args.iter().fold(line, CommandLine::text),
        secrets,
    })
}

/// A script with which a shell reads variables from its standard input, and then executes its arguments.
///
/// buildah takes the values of variables only as arguments, which other users can read. The script uses nothing but the shell, because an
/// image may have no other program; and it reads standard input line by line, because the container's user can read that file but not open
/// it.
const READ_SCRIPT: &str = "_acrt_all=; while IFS= read -r _acrt_line; do _acrt_all=\"$_acrt_all$_acrt_line\n\"; done; \
eval \"$_acrt_all\"; unset _acrt_all _acrt_line; exec \"$@\" </dev/null";

/// Writes the secret variables of a container as a shell script; `None` where there are none.
fn secret_script(request: &ContainerRequest) -> Result<Option<SecretFile>> {
    if request.secret_env.is_empty() {
        return Ok(None);
    }
    let mut script = String::new();
    for (name, value) in &request.secret_env {
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if !is_name || name.is_empty() {
            return Err(Error::invalid(format!(
                "buildah passes secrets through a shell, which cannot hold a variable `{name}`"
            ))
            .hint("name it with letters, digits and `_`, or run the steps with --builder docker or podman"));
        }
        let quoted = value.reveal().replace('\'', r"'\''");
        script.push_str(&format!("export {name}='{quoted}'\n"));
    }
    Ok(Some(SecretFile {
        path: request.scratch.join("variables"),
        content: Secret::new(script),
    }))
}

/// Passes secret variables without their values: the builder takes these from its environment, which other users cannot read.
fn secret_variables(line: CommandLine, request: &ContainerRequest) -> CommandLine {
    let secrets = request.secret_env.iter();
    secrets.fold(line, |line, (name, value)| {
        line.flag("--env", name).secret_env(name, value.clone())
    })
}

/// Adds the options of `run` that all builders share.
fn surroundings(line: CommandLine, request: &ContainerRequest, folder: &str) -> CommandLine {
    line.pairs("--env", request.env.iter().map(|(k, v)| (k, v)))
        .flags(folder, &request.working_directory)
        .flags("--user", &request.user)
}

/// Writes a mount as comma-separated fields, as docker and podman read them.
fn mount_text(mount: &FolderMount, podman: bool) -> String {
    let mut text = format!(
        "type=bind,{},{}",
        csv_field(format!("source={}", mount.from.display())),
        csv_field(format!("target={}", mount.to))
    );
    if mount.read_only {
        text.push_str(",readonly=true");
    }
    if podman {
        // With SELinux, containers can read only folders with its label.
        text.push_str(",relabel=shared");
    }
    text
}

/// Returns the command of an image from the output of [`Builder::inspect_container`]: its entry point with `args`, or with its own
/// arguments where `args` is empty.
pub fn command_of(inspected: &[u8], args: &[MaskedText]) -> Vec<MaskedText> {
    let document: serde_json::Value = serde_json::from_slice(inspected).unwrap_or_default();
    let words = |key: &str| -> Vec<MaskedText> {
        let list = document["OCIv1"]["config"][key].as_array();
        let words = list.into_iter().flatten().filter_map(|word| word.as_str());
        words.map(MaskedText::from).collect()
    };
    let args = if args.is_empty() {
        words("Cmd")
    } else {
        args.to_vec()
    };
    [words("Entrypoint"), args].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::docker::DockerFeatures;

    fn program(name: &str) -> Program {
        Program {
            path: name.into(),
            global_args: vec![],
            build_args: vec![],
        }
    }

    fn full() -> ContainerRequest {
        ContainerRequest {
            name: "acrt-1-test".into(),
            image: "r.io/test@sha256:aa".into(),
            args: vec!["-c".into(), "a b".into()],
            entry_point: Some("sh".into()),
            working_directory: Some("/workspace/x".into()),
            env: vec![("A".into(), "-b c".into())],
            secret_env: vec![("TOKEN".into(), Secret::new("hunter2"))],
            user: Some("1:1".into()),
            mounts: vec![FolderMount {
                from: "/s,1/w".into(),
                to: "/workspace".into(),
                read_only: false,
            }],
            labels: BTreeMap::from([("l".into(), "1".into())]),
            scratch: "/scratch".into(),
            ..ContainerRequest::default()
        }
    }

    fn printed(builder: &Builder, request: &ContainerRequest) -> Vec<String> {
        let plan = builder.container(request).unwrap();
        let lines = plan.before.iter().chain([&plan.run]);
        lines.map(ToString::to_string).collect()
    }

    #[test]
    fn docker_run_passes_every_value_as_an_argument_of_its_own() {
        let docker = Builder::Docker {
            program: program("docker"),
            can: DockerFeatures::default(),
        };
        let mut request = full();
        request.network = Some("n".into());
        request.alias = Some("test".into());
        request.ports = vec!["80:80".into()];
        request.privileged = true;
        assert_eq!(
            printed(&docker, &request),
            [
                "TOKEN=*** docker run --name=acrt-1-test --rm --label=l=1 --network=n --network-alias=test '--mount=type=bind,\"source=/s,1/w\",target=/workspace' '--env=A=-b c' --workdir=/workspace/x --user=1:1 --publish=80:80 --entrypoint=sh --privileged --env=TOKEN r.io/test@sha256:aa -c 'a b'"
            ]
        );
    }

    #[test]
    fn podman_run_uses_plain_http_and_can_keep_the_container() {
        let mut request = full();
        request.plain_http = true;
        request.keep = true;
        let line = &printed(&Builder::Podman(program("podman")), &request)[0];
        assert!(
            line.contains(" --tls-verify=false ") && !line.contains(" --rm "),
            "{line}"
        );
        assert!(line.contains(",relabel=shared"), "{line}");
    }

    #[test]
    fn buildah_creates_a_container_before_running_a_command_in_it() {
        let buildah = Builder::Buildah(program("buildah"));
        let mut request = full();
        request.secret_env.clear();
        assert_eq!(
            printed(&buildah, &request),
            [
                "buildah from --name=acrt-1-test -- r.io/test@sha256:aa",
                "buildah run --volume=/s,1/w:/workspace '--env=A=-b c' --workingdir=/workspace/x --user=1:1 -- acrt-1-test sh -c 'a b'"
            ]
        );
        request.network = Some("host".into());
        let line = &printed(&buildah, &request)[1];
        assert!(line.starts_with("buildah run --network=host "), "{line}");
        request.network = Some("own".into());
        assert!(buildah.container(&request).is_err());
        request.network = None;
        request.detach = true;
        let error = buildah.container(&request).unwrap_err();
        assert_eq!(
            error.to_string(),
            "buildah cannot leave a container running (`detach`)"
        );
    }

    #[test]
    fn buildah_gets_secrets_by_a_file_and_never_by_an_argument() {
        let buildah = Builder::Buildah(program("buildah"));
        let mut request = full();
        request.secret_env[0].1 = Secret::new("it's\n-x=\"1\"");
        let plan = buildah.container(&request).unwrap();
        let file = plan.secrets.unwrap();
        assert_eq!(file.path, std::path::Path::new("/scratch/variables"));
        assert_eq!(file.content.reveal(), "export TOKEN='it'\\''s\n-x=\"1\"'\n");
        assert_eq!(plan.run.stdin, Some(file.path));
        let line = plan.run.to_string();
        assert!(line.contains(" -- acrt-1-test /bin/sh -c "), "{line}");
        assert!(line.ends_with(" sh sh -c 'a b'"), "{line}");
        request.secret_env[0].0 = "A;B".into();
        let error = buildah.container(&request).unwrap_err();
        assert!(
            error.to_string().contains("cannot hold a variable `A;B`"),
            "{error}"
        );
    }

    #[test]
    fn entry_point_of_the_image_comes_first() {
        let inspected =
            br#"{"OCIv1": {"config": {"Entrypoint": ["/bin/tool"], "Cmd": ["--help"]}}}"#;
        let texts = |texts: &[&str]| -> Vec<MaskedText> {
            texts.iter().copied().map(MaskedText::from).collect()
        };
        let all = command_of(inspected, &[]);
        assert_eq!(all, texts(&["/bin/tool", "--help"]));
        let all = command_of(inspected, &texts(&["a"]));
        assert_eq!(all, texts(&["/bin/tool", "a"]));
        assert_eq!(command_of(b"{}", &texts(&["a"])), texts(&["a"]));
    }
}
