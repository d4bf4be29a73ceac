//! The command lines of buildah, and those that podman shares with it.

use std::{ffi::OsString, path::Path};

use crate::{
    error::{Error, Result},
    image::{Digest, Reference},
    sys::{command::CommandLine, environment},
};

use super::{BuildCommand, BuildRequest, DigestSource, Program, Purpose, program::csv_field};

/// How the names of all manifest lists begin.
pub(super) const LISTS: &str = "localhost/acrt-";

/// The option that names the file of the policy for the images of a build.
pub(super) const POLICY: &str = "--signature-policy";

/// Returns the commands of a build by buildah or podman, which take the same options.
pub(super) fn plan(program: &Program, request: &BuildRequest) -> Result<Vec<BuildCommand>> {
    let list = gathered(request)?;
    let mut commands = pulls(program, request);
    // It is a list to them, and a comma in it would part the path.
    let file = match request.dockerfile.to_str() {
        Some(path) => csv_field(path.to_owned()).into(),
        None => request.dockerfile.clone().into_os_string(),
    };
    let policy = request.policy.as_ref().map(|_| request.policy_file());
    // The podman of another machine is not sent the file beside the Dockerfile, and older releases do not read it. One of the user's own
    // comes later, and takes precedence.
    let ignore = request.ignore.as_ref().map(|_| request.ignore_file());
    let build = program.call(&["build"]).flags("--ignorefile", ignore);
    let build = common(build, program, request, file)
        .flags(POLICY, policy)
        .pairs("--annotation", &request.annotations)
        .flags("--tls-verify", all_plain(request).then_some("false"));
    let build = match &list {
        Some(list) => build.flag("--manifest", list),
        None => build.flags("--tag", request.image_names()),
    };
    let build = with_auth(build, request).arg("--").arg(&request.context);
    commands.push(BuildCommand::new(Purpose::Build, build));
    if request.push {
        for (n, image) in request.images.iter().enumerate() {
            commands.push(push(program, request, n, image, list.as_deref()));
        }
    } else if let Some(list) = &list {
        let tag = program.call(&["tag", "--", list]);
        let tag = tag.args(request.image_names());
        commands.push(BuildCommand::new(Purpose::Tidy, tag));
    }
    if let Some(list) = &list {
        commands.push(BuildCommand::new(Purpose::Tidy, remove_list(program, list)));
    }
    Ok(commands)
}

/// Returns buildah with the arguments that make it remove the containers of stages without instructions too, which would keep their bases.
/// It takes them only with a choice about its cache of layers, for which the arguments of the settings and the variable count.
pub(super) fn removing_containers(program: &Program) -> Program {
    let mut program = program.clone();
    let layers = format!("--layers={}", caches_layers(&program));
    let removing = [layers, "--force-rm".to_owned()];
    program.build_args.splice(0..0, removing);
    program
}

/// Tells whether buildah keeps the layers of builds as a cache, which it does only if it is asked to.
pub(super) fn caches_layers(program: &Program) -> bool {
    let given = |it: &String| it == "--layers" || it == "--layers=true";
    let by_variable = || environment::variable("BUILDAH_LAYERS");
    program.build_args.iter().any(given)
        || by_variable().is_some_and(|it| it == "1" || it.eq_ignore_ascii_case("true"))
}

/// Returns the name of the manifest list for the images of several platforms; `None` for a build for one.
///
/// The name belongs to this run alone: a build adds to an existing list of its name, and the images that an earlier run left in it would be
/// pushed again.
pub(super) fn gathered(request: &BuildRequest) -> Result<Option<String>> {
    if request.platforms.len() < 2 {
        return Ok(None);
    }
    if request.images.is_empty() {
        return Err(
            Error::invalid("a build for several platforms needs an image name")
                .hint("give the task an --image"),
        );
    }
    let (scratch, run_id) = (&request.scratch, &request.run_id);
    let mut folders = scratch.ancestors();
    let of_run = folders.find(|it| it.ends_with(run_id)).unwrap_or(scratch);
    // A part or a step has a folder of its own in that of the run.
    let part = match of_run == scratch {
        true => String::new(),
        false => format!("-{}", short_digest(scratch)),
    };
    Ok(Some(format!("{}{part}:{run_id}", list_prefix(of_run))))
}

/// Returns how the names of all manifest lists of a run begin, which has this folder.
pub fn list_prefix(run_folder: &Path) -> String {
    format!("{LISTS}{}", short_digest(run_folder))
}

fn short_digest(folder: &Path) -> String {
    Digest::of(folder.as_os_str().as_encoded_bytes()).hex()[..12].to_owned()
}

pub(super) fn remove_list(program: &Program, list: &str) -> CommandLine {
    program.call(&["manifest", "rm", "--", list])
}

/// Adds the arguments that all builders of the docker family share; `file` is the Dockerfile, as the builder takes its path.
pub(super) fn common(
    build: CommandLine,
    program: &Program,
    request: &BuildRequest,
    file: impl Into<OsString>,
) -> CommandLine {
    let mut line = build
        .args(program.args_for(request))
        .flag("--file", file)
        .pairs("--build-arg", request.args.iter().map(|(k, v)| (k, v)));
    for (name, value) in &request.secret_args {
        // Without a value the builder takes it from its environment, which other users cannot read.
        line = line
            .flag("--build-arg", name)
            .secret_env(name, value.clone());
    }
    let contexts = request.contexts.iter();
    let contexts =
        contexts.map(|(name, place)| format!("{name}={}", request.resolved_context(place)));
    line.pairs("--label", &request.labels)
        .flags("--target", &request.target)
        .flags("--platform", request.platform_list())
        .args(request.no_cache.then_some("--no-cache"))
        .flags("--build-context", contexts)
        .args(&request.options)
}

/// Returns pulls of the bases from registries without TLS, one by one, where the build also takes bases from registries with TLS: the build
/// itself then verifies certificates.
fn pulls(program: &Program, request: &BuildRequest) -> Vec<BuildCommand> {
    if all_plain(request) {
        return Vec::new();
    }
    let mut commands = Vec::new();
    for (base, platforms) in &request.bases {
        if !request.is_plain(base) {
            continue;
        }
        for platform in platforms {
            // The index may lack an image for this machine.
            let line = program
                .call(&["pull"])
                .arg("--quiet")
                .flag("--tls-verify", "false")
                .flag("--platform", platform.to_string());
            let line = with_auth(line, request).arg("--").arg(base.to_string());
            commands.push(BuildCommand::new(Purpose::Pull(base.clone()), line));
        }
    }
    commands
}

/// Tells whether all registries of the build's images are without TLS.
fn all_plain(request: &BuildRequest) -> bool {
    !request.bases.is_empty() && request.bases.keys().all(|base| request.is_plain(base))
}

pub(super) fn push(
    program: &Program,
    request: &BuildRequest,
    n: usize,
    image: &Reference,
    list: Option<&str>,
) -> BuildCommand {
    let file = request.scratch.join(format!("digest-{}", n + 1));
    let mut line = match list {
        Some(_) => program.call(&["manifest", "push", "--all"]),
        None => program.call(&["push"]),
    };
    line = line
        .flag("--digestfile", &file)
        .flags("--tls-verify", request.is_plain(image).then_some("false"));
    line = with_auth(line, request).arg("--");
    line = match list {
        Some(list) => line.arg(list).arg(format!("docker://{image}")),
        None => line.arg(image.to_string()),
    };
    BuildCommand {
        purpose: Purpose::Push(image.clone()),
        line,
        digest: DigestSource::File(file),
    }
}

fn with_auth(line: CommandLine, request: &BuildRequest) -> CommandLine {
    match &request.auth_dir {
        Some(dir) => line.env(
            "REGISTRY_AUTH_FILE",
            dir.join("auth.json").display().to_string(),
        ),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::builder::request::tests::{full, printed};

    fn program() -> Program {
        Program {
            path: "/usr/bin/buildah".into(),
            global_args: vec!["--storage-driver=vfs".into()],
            build_args: vec!["--isolation=chroot".into()],
        }
    }

    #[test]
    fn buildah_build_is_one_command_and_each_push_another() {
        let commands = plan(&program(), &full()).unwrap();
        assert_eq!(
            printed(&commands),
            [
                "TOKEN=*** /usr/bin/buildah --storage-driver=vfs build --isolation=chroot --file=/state/runs/ca1/Dockerfile '--build-arg=A=-b c' --build-arg=TOKEN --label=l=1 --target=prod --platform=linux/amd64 --no-cache --annotation=n=2 --tls-verify=false --tag=localhost:5000/web:1 --tag=ghcr.io/a/web:1 -- '/src/my web'",
                "/usr/bin/buildah --storage-driver=vfs push --digestfile=/state/runs/ca1/digest-1 --tls-verify=false -- localhost:5000/web:1",
                "/usr/bin/buildah --storage-driver=vfs push --digestfile=/state/runs/ca1/digest-2 -- ghcr.io/a/web:1",
            ]
        );
    }

    #[test]
    fn buildah_build_has_the_policy_of_the_request() {
        let mut request = full();
        request.policy = Some("{}".into());
        let lines = printed(&plan(&program(), &request).unwrap());
        assert!(
            lines[0].contains(" --signature-policy=/state/runs/ca1/policy.json "),
            "{}",
            lines[0]
        );
        assert!(!lines[1].contains("--signature-policy"), "{}", lines[1]);
    }

    #[test]
    fn buildah_build_names_the_ignore_file_before_one_of_the_user() {
        let (mut request, mut own) = (full(), program());
        own.build_args = vec!["--ignorefile=own".into()];
        request.ignore = Some(Vec::new());
        let line = &printed(&plan(&own, &request).unwrap())[0];
        let files = " build --ignorefile=/state/runs/ca1/Dockerfile.dockerignore --ignorefile=own ";
        assert!(line.contains(files), "{line}");
    }

    #[test]
    fn buildah_is_told_to_remove_all_containers_and_keeps_its_choice_about_layers() {
        let mut own = program();
        let args = |program: &Program| removing_containers(program).build_args;
        assert_eq!(
            args(&own),
            ["--layers=false", "--force-rm", "--isolation=chroot"]
        );
        own.build_args.push("--layers".into());
        assert_eq!(args(&own)[0], "--layers=true");
    }

    #[test]
    fn podman_takes_the_arguments_of_buildah() {
        let program = Program {
            path: "/usr/bin/podman".into(),
            global_args: vec![],
            build_args: vec![],
        };
        let lines = printed(&plan(&program, &full()).unwrap());
        assert!(
            lines[0]
                .starts_with("TOKEN=*** /usr/bin/podman build --file=/state/runs/ca1/Dockerfile "),
            "{}",
            lines[0]
        );
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn comma_or_quote_in_the_path_of_a_dockerfile_does_not_part_it() {
        let mut request = full();
        request.dockerfile = "/doe, \"j\"/Dockerfile".into();
        let lines = printed(&plan(&program(), &request).unwrap());
        let file = r#"'--file="/doe, ""j""/Dockerfile"'"#;
        assert!(lines[0].contains(file), "{}", lines[0]);
    }

    #[test]
    fn buildah_registry_with_tls_keeps_verification_beside_one_without() {
        let mut request = full();
        let far = format!("ghcr.io/a/base@sha256:{}", "b".repeat(64));
        request.bases.insert(far.parse().unwrap(), BTreeSet::new());
        request.push = false;
        let commands = plan(&program(), &request).unwrap();
        let lines = printed(&commands);
        assert_eq!(
            lines[0],
            format!(
                "/usr/bin/buildah --storage-driver=vfs pull --quiet --tls-verify=false --platform=linux/amd64 -- localhost:5000/base@sha256:{}",
                "a".repeat(64)
            )
        );
        assert_eq!(lines.len(), 2);
        assert!(!lines[1].contains("--tls-verify"));
    }

    #[test]
    fn buildah_several_platforms_are_one_manifest_list_and_pushed_whole() {
        let mut request = full();
        request.platforms.push("linux/arm64".parse().unwrap());
        let lines = printed(&plan(&program(), &request).unwrap());
        assert!(
            lines[0].contains("--platform=linux/amd64,linux/arm64"),
            "{}",
            lines[0]
        );
        let list = "localhost/acrt-";
        assert!(
            lines[0].contains(&format!("--manifest={list}")),
            "{}",
            lines[0]
        );
        let push = "/usr/bin/buildah --storage-driver=vfs manifest push --all --digestfile=/state/runs/ca1/digest-2 -- localhost/acrt-";
        assert!(lines[2].starts_with(push), "{}", lines[2]);
        assert!(
            lines[2].ends_with(":ca1 docker://ghcr.io/a/web:1"),
            "{}",
            lines[2]
        );
        assert!(
            lines[3].contains(" manifest rm -- localhost/acrt-"),
            "{}",
            lines[3]
        );
    }

    #[test]
    fn buildah_platforms_of_a_build_override_those_of_the_build_arguments() {
        let mut program = program();
        program.build_args = ["--arch=s390x", "--platform", "linux/386", "--jobs=2"]
            .map(str::to_owned)
            .into();
        let mut request = full();
        let line = |request: &BuildRequest| printed(&plan(&program, request).unwrap())[0].clone();
        let own = line(&request);
        assert!(own.contains(" build --jobs=2 --file="), "{own}");
        assert!(own.contains(" --platform=linux/amd64 "), "{own}");
        request.platforms.clear();
        let every = line(&request);
        assert!(
            every.contains(" build --arch=s390x --platform linux/386 --jobs=2 --file="),
            "{every}"
        );
    }

    #[test]
    fn buildah_pushes_nothing_without_a_push_request() {
        let mut request = full();
        request.push = false;
        assert_eq!(plan(&program(), &request).unwrap().len(), 1);
    }
}
