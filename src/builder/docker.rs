//! docker, with its classic builder or with buildx.

use crate::error::{Error, Result};

use super::{
    BuildCommand, BuildRequest, Program,
    buildah::common,
    buildx,
    docker_client::{build_and_push, with_auth},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DockerFeatures {
    pub buildx: bool,
    /// Whether `docker build` is buildx, which takes `--load`.
    pub load: bool,
}

pub(super) fn plan(
    program: &Program,
    can: DockerFeatures,
    request: &BuildRequest,
) -> Result<Vec<BuildCommand>> {
    let is_for_several = request.platforms.len() > 1;
    if is_for_several && !can.buildx {
        let error = Error::invalid("docker without buildx cannot build for several platforms");
        return Err(
            error.hint("install docker's buildx plugin, or build with --builder podman or buildah")
        );
    }
    // Only buildx supports a cache on a registry, and pushes an image of several platforms itself: the daemon may not be able to store it.
    if can.buildx && (is_for_several || request.cache.is_some()) {
        return Ok(buildx::plan(program, true, request));
    }
    // `docker build` uses buildx where the plugin is installed, and the classic builder where not. DOCKER_BUILDKIT is left to the user.
    let mut build = common(
        program.call(&["build"]),
        program,
        request,
        &request.dockerfile,
    )
    .flags("--tag", request.image_names());
    if can.load {
        // The push that follows needs the image in the daemon, and BUILDX_BUILDER may name a builder that keeps it elsewhere.
        let load = (!request.images.is_empty()).then_some("--load");
        build = buildx::plain(build).args(load);
    } else {
        // After a failure the classic builder would keep a container, and with it the base.
        build = build.arg("--force-rm");
    }
    let build = with_auth(build, request).arg("--").arg(&request.context);
    Ok(build_and_push(program, request, build))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{
        DigestSource,
        request::tests::{full, printed},
    };
    use crate::error::Kind;

    fn program() -> Program {
        Program {
            path: "/usr/bin/docker".into(),
            global_args: vec![],
            build_args: vec![],
        }
    }

    const CLASSIC: DockerFeatures = DockerFeatures {
        buildx: false,
        load: false,
    };
    const MODERN: DockerFeatures = DockerFeatures {
        buildx: true,
        load: true,
    };

    #[test]
    fn docker_build_is_one_command_and_each_push_another() {
        let commands = plan(&program(), CLASSIC, &full()).unwrap();
        assert_eq!(
            printed(&commands),
            [
                "TOKEN=*** /usr/bin/docker build --file=/state/runs/ca1/Dockerfile '--build-arg=A=-b c' --build-arg=TOKEN --label=l=1 --target=prod --platform=linux/amd64 --no-cache --tag=localhost:5000/web:1 --tag=ghcr.io/a/web:1 --force-rm -- '/src/my web'",
                "/usr/bin/docker push -- localhost:5000/web:1",
                "/usr/bin/docker push -- ghcr.io/a/web:1",
            ]
        );
        assert_eq!(commands[1].digest, DigestSource::Output);
    }

    #[test]
    fn docker_build_with_buildx_is_loaded_into_the_daemon_that_pushes_it() {
        let mut request = full();
        let lines = printed(&plan(&program(), MODERN, &request).unwrap());
        assert!(
            lines[0]
                .starts_with("TOKEN=*** BUILDX_NO_DEFAULT_ATTESTATIONS=1 /usr/bin/docker build "),
            "{}",
            lines[0]
        );
        assert!(
            lines[0].ends_with(" --load -- '/src/my web'"),
            "{}",
            lines[0]
        );
        assert_eq!(lines[1], "/usr/bin/docker push -- localhost:5000/web:1");
        request.images.clear();
        let lines = printed(&plan(&program(), MODERN, &request).unwrap());
        assert!(!lines[0].contains("--load"), "{}", lines[0]);
    }

    #[test]
    fn docker_registry_cache_needs_buildx() {
        let mut request = full();
        request.cache = Some("r.io/web:cache_t_a".parse().unwrap());
        let line = |can| printed(&plan(&program(), can, &request).unwrap())[0].clone();
        assert!(!line(CLASSIC).contains("cache_t_a"));
        let line = line(MODERN);
        assert!(
            line.contains(" --cache-to=type=registry,ref=r.io/web:cache_t_a,mode=max --cache-from=type=registry,ref=r.io/web:cache_t_a "),
            "{line}"
        );
        assert!(line.contains(" --load "), "{line}");
    }

    #[test]
    fn docker_several_platforms_need_buildx_and_are_pushed_by_the_build() {
        let mut request = full();
        request.plain_http.clear();
        request.platforms.push("linux/arm64".parse().unwrap());
        let error = plan(&program(), CLASSIC, &request).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        let lines = printed(&plan(&program(), MODERN, &request).unwrap());
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains(" buildx build "), "{}", lines[0]);
        assert!(lines[0].contains(" --push -- "), "{}", lines[0]);
    }
}
