//! buildctl, BuildKit's own client: it needs no Docker, and has no image store on this machine.

use std::ffi::{OsStr, OsString};

use crate::{
    error::{Error, Result},
    sys::command::CommandLine,
};

use super::{
    BuildCommand, BuildRequest, Program,
    buildkit::{self, PushGroup},
    docker_client::with_auth,
};

pub(super) fn plan(program: &Program, request: &BuildRequest) -> Result<Vec<BuildCommand>> {
    if let Some((name, _)) = request.secret_args.first() {
        // It takes build arguments only on its command line, which every user of the machine can read.
        return Err(Error::invalid(format!(
            "buildctl cannot take the secret build argument `{name}` without showing it to other users"
        ))
        .hint("build with --builder buildx, docker, podman or buildah"));
    }
    let passes = buildkit::passes(request);
    let request = buildkit::pinned(request);
    let given = given(&request.options)?;
    let line = |pass| line(program, &request, pass).args(given.clone());
    Ok(passes.iter().map(|pass| pass.command(line(pass))).collect())
}

/// Translates options of `docker build` to those of buildctl.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] with an option that buildctl does not have.
fn given(options: &[String]) -> Result<Vec<String>> {
    let (mut given, mut hosts, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    let mut frontend = Vec::new();
    for option in options {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "--secret" | "--ssh" | "--allow" => given.push(option.clone()),
            "--label" => frontend.push(format!("label:{value}")),
            "--network" => {
                // buildx allows the host's network by itself.
                given.extend((value == "host").then(|| "--allow=network.host".to_owned()));
                frontend.push(format!("force-network-mode={value}"));
            }
            "--shm-size" => frontend.push(format!("shm-size={value}")),
            "--ulimit" => limits.push(value.to_owned()),
            "--add-host" => hosts.push(value.replacen(':', "=", 1)),
            _ => {
                let text = format!("buildctl has no option `{}`", name.escape_debug());
                let error = Error::invalid(text);
                return Err(error.hint("build with --builder buildx, docker, podman or buildah"));
            }
        }
    }
    for (name, values) in [("add-hosts", hosts), ("ulimit", limits)] {
        if !values.is_empty() {
            frontend.push(format!("{name}={}", values.join(",")));
        }
    }
    let frontend = frontend.into_iter();
    given.extend(frontend.flat_map(|option| ["--opt".to_owned(), option]));
    Ok(given)
}

fn line(program: &Program, request: &BuildRequest, pass: &PushGroup) -> CommandLine {
    let mut line = program
        .call(&["build"])
        .args(program.args_for(request))
        .flag("--frontend", "dockerfile.v0")
        .flag("--local", pair("context", request.context.as_os_str()));
    if let (Some(folder), Some(name)) =
        (request.dockerfile.parent(), request.dockerfile.file_name())
    {
        line = line
            .flag("--local", pair("dockerfile", folder.as_os_str()))
            .flag("--opt", pair("filename", name));
    }
    line = line.flags("--opt", options(request));
    for (name, place) in &request.contexts {
        line = with_context(line, name, place);
    }
    let cache = || request.cache.iter();
    let exported = cache().map(|cache| format!("type=registry,ref={cache},mode=max"));
    let imported = cache().map(|cache| format!("type=registry,ref={cache}"));
    let has_image = !pass.images.is_empty();
    line = line
        .args((request.no_cache && !pass.again).then_some("--no-cache"))
        .flags("--export-cache", exported)
        .flags("--import-cache", imported)
        .flags("--output", has_image.then(|| output(request, pass)))
        .flags("--metadata-file", pass.push.then_some(&pass.metadata));
    with_auth(line, request)
}

/// Returns the options of the Dockerfile frontend, as BuildKit's `frontend/dockerui` takes them.
fn options(request: &BuildRequest) -> impl Iterator<Item = String> {
    let args = request.args.iter();
    let args = args.map(|(name, value)| format!("build-arg:{name}={value}"));
    let labels = request.labels.iter();
    let labels = labels.map(|(name, value)| format!("label:{name}={value}"));
    let target = request.target.iter().map(|it| format!("target={it}"));
    let platforms = request.platform_list();
    args.chain(labels)
        .chain(target)
        .chain(platforms.map(|it| format!("platform={it}")))
}

/// Adds a named context: an address unchanged, a folder under a name of its own.
fn with_context(line: CommandLine, name: &str, place: &str) -> CommandLine {
    if place.contains("://") {
        return line.flag("--opt", format!("context:{name}={place}"));
    }
    // BuildKit knows the folders of a build by name; `context` and `dockerfile` are taken.
    line.flag("--local", format!("named-{name}={place}"))
        .flag("--opt", format!("context:{name}=local:named-{name}"))
}

/// Returns the output of the image, as comma-separated values on one line.
fn output(request: &BuildRequest, pass: &PushGroup) -> String {
    let mut fields = pass.output();
    for (name, value) in &request.annotations {
        fields.push(format!("annotation.{name}={value}"));
        if request.platforms.len() > 1 {
            fields.push(format!("annotation-index.{name}={value}"));
        }
    }
    buildkit::written(fields)
}

fn pair(name: &str, value: &OsStr) -> OsString {
    let mut pair = OsString::from(name);
    pair.push("=");
    pair.push(value);
    pair
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{
        Purpose,
        request::tests::{full, printed},
    };
    use crate::error::Kind;

    fn program() -> Program {
        Program {
            path: "buildctl".into(),
            global_args: vec!["--addr=tcp://far:1234".into()],
            build_args: vec!["--progress=plain".into()],
        }
    }

    fn request() -> BuildRequest {
        let mut request = full();
        request.secret_args.clear();
        request
    }

    #[test]
    fn buildctl_builds_pushes_and_writes_the_digest_in_one_command() {
        let mut request = request();
        request.plain_http.clear();
        let commands = plan(&program(), &request).unwrap();
        assert_eq!(
            printed(&commands),
            [
                "buildctl --addr=tcp://far:1234 build --progress=plain --frontend=dockerfile.v0 '--local=context=/src/my web' --local=dockerfile=/state/runs/ca1 --opt=filename=Dockerfile '--opt=build-arg:A=-b c' --opt=label:l=1 --opt=target=prod --opt=platform=linux/amd64 --no-cache '--output=type=image,\"name=localhost:5000/web:1,ghcr.io/a/web:1\",push=true,annotation.n=2' --metadata-file=/state/runs/ca1/metadata-1.json"
            ]
        );
        assert_eq!(commands[0].purpose, Purpose::Publish(request.images));
    }

    #[test]
    fn buildctl_skips_tls_only_for_the_registry_without_it() {
        let lines = printed(&plan(&program(), &request()).unwrap());
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].contains("--output=type=image,name=ghcr.io/a/web:1,push=true,annotation.n=2 "),
            "{}",
            lines[0]
        );
        assert!(
            lines[1].contains(
                "--output=type=image,name=localhost:5000/web:1,push=true,registry.insecure=true,annotation.n=2 "
            ),
            "{}",
            lines[1]
        );
        assert!(!lines[1].contains("--no-cache"), "{}", lines[1]);
    }

    #[test]
    fn buildctl_pushes_one_platform_of_an_index_by_digest() {
        let mut request = request();
        request.by_digest = true;
        request.images.truncate(1);
        let line = &printed(&plan(&program(), &request).unwrap())[0];
        assert!(
            line.contains(" --output=type=image,name=localhost:5000/web,push-by-digest=true,name-canonical=true,store=false,push=true,registry.insecure=true,annotation.n=2 "),
            "{line}"
        );
    }

    #[test]
    fn buildctl_platforms_of_a_build_override_those_of_the_build_arguments() {
        let mut program = program();
        program.build_args = vec!["--opt".into(), "platform=linux/s390x".into()];
        let line = &printed(&plan(&program, &request()).unwrap())[0];
        assert!(
            !line.contains("s390x") && line.contains(" --opt=platform=linux/amd64 "),
            "{line}"
        );
    }

    #[test]
    fn buildctl_translates_options_of_docker_build() {
        let options = [
            "--secret=id=a,src=/f",
            "--label=a=b",
            "--add-host=a:1.2.3.4",
            "--network=none",
            "--add-host=b:::1",
        ];
        let options = options.map(str::to_owned);
        let wanted = "--secret=id=a,src=/f --opt label:a=b --opt force-network-mode=none --opt add-hosts=a=1.2.3.4,b=::1";
        assert_eq!(given(&options).unwrap().join(" "), wanted);
        let host = given(&["--network=host".to_owned()]).unwrap().join(" ");
        assert_eq!(host, "--allow=network.host --opt force-network-mode=host");
        let other = given(&["--cgroup-parent=x".to_owned()]).unwrap_err();
        assert_eq!(
            other.to_string(),
            "buildctl has no option `--cgroup-parent`"
        );
    }

    #[test]
    fn buildctl_refuses_a_secret_build_argument() {
        let error = plan(&program(), &full()).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(
            error.to_string(),
            "buildctl cannot take the secret build argument `TOKEN` without showing it to other users"
        );
    }

    #[test]
    fn buildctl_quotes_values_with_commas_and_quotes_as_one_field() {
        let mut request = request();
        request.annotations = [("n".to_owned(), "a,b \"c\"".to_owned())].into();
        let pass = &buildkit::passes(&request)[0];
        assert_eq!(
            output(&request, pass),
            r#"type=image,name=ghcr.io/a/web:1,push=true,"annotation.n=a,b ""c""""#
        );
    }

    #[test]
    fn buildctl_named_contexts_are_folders_or_images() {
        let mut request = request();
        request.contexts = [
            ("files".to_owned(), "/src/my files".to_owned()),
            ("base".to_owned(), "docker-image://r.io/base:1".to_owned()),
        ]
        .into();
        let line = &printed(&plan(&program(), &request).unwrap())[0];
        assert!(
            line.contains(" --opt=context:base=docker-image://r.io/base:1 '--local=named-files=/src/my files' --opt=context:files=local:named-files "),
            "{line}"
        );
    }

    #[test]
    fn buildctl_build_without_an_image_name_has_no_output() {
        let mut request = request();
        request.images.clear();
        let commands = plan(&program(), &request).unwrap();
        let line = &printed(&commands)[0];
        assert!(!line.contains("--output"), "{line}");
        assert_eq!(commands[0].purpose, Purpose::Build);
    }
}
