//! docker, by its classic builder or by buildx.

use crate::{
    error::{Error, Kind, Result},
    image::Reference,
    sys::command::CommandLine,
};

use super::{BuildRequest, DigestSource, Program, Purpose, Step, buildah::common};

pub(super) fn plan(program: &Program, buildx: bool, request: &BuildRequest) -> Result<Vec<Step>> {
    if request.platforms.len() > 1 {
        return several_platforms(program, buildx, request);
    }
    // `docker build` is buildx where the plugin is there and the classic builder where it is not; either leaves
    // the image with the daemon. DOCKER_BUILDKIT is the user's to set.
    let mut build = match &request.cache {
        Some(cache) if buildx => with_cache(program, request, cache),
        _ => common(program.call(&["build"]), program, request),
    };
    for image in &request.images {
        build = build.flag("--tag", image.to_string());
    }
    let mut steps = vec![Step {
        purpose: Purpose::Build,
        line: with_auth(build, request).arg("--").arg(&request.context),
        digest: DigestSource::Registry,
    }];
    if request.push {
        steps.extend(
            request
                .images
                .iter()
                .map(|image| push(program, request, image)),
        );
    }
    Ok(steps)
}

/// A cache on a registry is buildx's own; the image is loaded into the daemon all the same.
fn with_cache(program: &Program, request: &BuildRequest, cache: &Reference) -> CommandLine {
    common(program.call(&["buildx", "build"]), program, request)
        .arg("--load")
        .flag("--cache-to", format!("type=registry,ref={cache},mode=max"))
        .flag("--cache-from", format!("type=registry,ref={cache}"))
}

/// The daemon cannot hold an image of several platforms, so that the build itself pushes.
fn several_platforms(program: &Program, buildx: bool, request: &BuildRequest) -> Result<Vec<Step>> {
    if !buildx {
        return Err(Error::new(
            Kind::Invalid,
            "docker without buildx cannot build for several platforms",
        )
        .hint("install docker's buildx plugin, or build with --builder podman or buildah"));
    }
    let mut build = common(program.call(&["buildx", "build"]), program, request);
    for (name, value) in &request.annotations {
        build = build.flag("--annotation", format!("index,manifest:{name}={value}"));
    }
    for image in &request.images {
        build = build.flag("--tag", image.to_string());
    }
    if request.push {
        build = build.arg("--push");
    }
    Ok(vec![Step {
        purpose: Purpose::Build,
        line: with_auth(build, request).arg("--").arg(&request.context),
        digest: DigestSource::Registry,
    }])
}

pub(super) fn push(program: &Program, request: &BuildRequest, image: &Reference) -> Step {
    let line = program.call(&["push", "--"]).arg(image.to_string());
    Step {
        purpose: Purpose::Push(image.clone()),
        line: with_auth(line, request),
        digest: DigestSource::Output,
    }
}

fn with_auth(line: CommandLine, request: &BuildRequest) -> CommandLine {
    match &request.auth_dir {
        Some(dir) => line.env("DOCKER_CONFIG", dir.display().to_string()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::request::tests::{full, printed};

    fn program() -> Program {
        Program {
            path: "/usr/bin/docker".into(),
            global_args: vec![],
            build_args: vec![],
        }
    }

    #[test]
    fn a_build_is_one_command_and_each_push_another() {
        let steps = plan(&program(), false, &full()).unwrap();
        assert_eq!(
            printed(&steps),
            [
                "TOKEN=*** /usr/bin/docker build --file=/state/runs/ca1/Dockerfile '--build-arg=A=-b c' --build-arg=TOKEN --label=l=1 --target=prod --platform=linux/amd64 --no-cache --tag=localhost:5000/web:1 --tag=ghcr.io/a/web:1 -- '/src/my web'",
                "/usr/bin/docker push -- localhost:5000/web:1",
                "/usr/bin/docker push -- ghcr.io/a/web:1",
            ]
        );
        assert_eq!(steps[1].digest, DigestSource::Output);
    }

    #[test]
    fn a_cache_on_a_registry_is_for_buildx_alone() {
        let mut request = full();
        request.cache = Some("r.io/web:cache_t_a".parse().unwrap());
        let line = |buildx| printed(&plan(&program(), buildx, &request).unwrap())[0].clone();
        assert!(!line(false).contains("cache_t_a"));
        let line = line(true);
        assert!(
            line.contains(" --load --cache-to=type=registry,ref=r.io/web:cache_t_a,mode=max --cache-from=type=registry,ref=r.io/web:cache_t_a "),
            "{line}"
        );
    }

    #[test]
    fn several_platforms_need_buildx_and_are_pushed_by_the_build() {
        let mut request = full();
        request.platforms.push("linux/arm64".parse().unwrap());
        let error = plan(&program(), false, &request).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        let lines = printed(&plan(&program(), true, &request).unwrap());
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains(" buildx build "), "{}", lines[0]);
        assert!(lines[0].contains(" --push -- "), "{}", lines[0]);
    }
}
