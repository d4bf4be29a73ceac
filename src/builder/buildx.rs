//! docker's buildx: builds on any BuildKit, and pushes from there.

use crate::sys::command::CommandLine;

use super::{
    BuildCommand, BuildRequest, Program,
    buildah::common,
    buildkit::{self, PushGroup},
    docker_client,
};

/// Turns off the provenance that buildx adds by default: az adds none, and it would turn every image into an index of the image and the
/// provenance.
const NO_ATTESTATIONS: &str = "BUILDX_NO_DEFAULT_ATTESTATIONS";

/// Plans a build. `in_daemon` tells whether BuildKit is the one in the Docker daemon, which stores the images and pushes them.
pub(super) fn plan(
    program: &Program,
    in_daemon: bool,
    request: &BuildRequest,
) -> Vec<BuildCommand> {
    if in_daemon && request.platforms.len() < 2 {
        let build = loaded(begin(program, request), request);
        return docker_client::build_and_push(program, request, end(build, request));
    }
    let passes = buildkit::passes(request);
    let request = buildkit::pinned(request);
    let command = |pass: &PushGroup| pass.command(line(program, &request, pass));
    passes.iter().map(command).collect()
}

fn line(program: &Program, request: &BuildRequest, pass: &PushGroup) -> CommandLine {
    let mut request = request.clone();
    request.images.clone_from(&pass.images);
    // The image was just built and is in the cache.
    request.no_cache &= !pass.again;
    let build = begin(program, &request);
    if !pass.push {
        let build = match request.platforms.len() < 2 {
            true => loaded(build, &request),
            // A Docker daemon may not be able to store an image of several platforms; it stays in the cache.
            false => build,
        };
        return end(build, &request);
    }
    let mut build = if pass.by_digest {
        build
    } else {
        build.flags("--tag", request.image_names())
    };
    // buildx 0.13 takes a list of levels, `index,manifest:`, for a part of the name.
    let levels = ["manifest", "index"].into_iter();
    let levels = levels.take(request.platforms.len().clamp(1, 2));
    let annotations = levels.flat_map(|level| {
        let annotations = request.annotations.iter();
        annotations.map(move |(name, value)| format!("{level}:{name}={value}"))
    });
    build = build
        .flags("--annotation", annotations)
        .flag("--metadata-file", &pass.metadata);
    build = match (pass.by_digest, pass.is_plain) {
        (true, _) => build.flag("--output", buildkit::written(pass.output())),
        (false, true) => build.flag("--output", "type=image,push=true,registry.insecure=true"),
        (false, false) => build.arg("--push"),
    };
    end(build, &request)
}

fn begin(program: &Program, request: &BuildRequest) -> CommandLine {
    let mut build = common(
        program.call(&["buildx", "build"]),
        program,
        request,
        &request.dockerfile,
    );
    if let Some(cache) = &request.cache {
        build = build
            .flag("--cache-to", format!("type=registry,ref={cache},mode=max"))
            .flag("--cache-from", format!("type=registry,ref={cache}"));
    }
    build
}

/// Adds the option that loads the image into the Docker daemon, which not every BuildKit does by default.
fn loaded(build: CommandLine, request: &BuildRequest) -> CommandLine {
    if request.images.is_empty() {
        build
    } else {
        build.flags("--tag", request.image_names()).arg("--load")
    }
}

fn end(build: CommandLine, request: &BuildRequest) -> CommandLine {
    docker_client::with_auth(plain(build), request)
        .arg("--")
        .arg(&request.context)
}

/// Leaves out of the image what only buildx adds by default.
pub(super) fn plain(build: CommandLine) -> CommandLine {
    build.env(NO_ATTESTATIONS, "1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{
        DigestSource, Purpose,
        request::tests::{full, printed},
    };

    fn program() -> Program {
        Program {
            path: "docker".into(),
            global_args: vec![],
            build_args: vec!["--builder=far".into()],
        }
    }

    #[test]
    fn buildx_builds_pushes_and_writes_the_digest_in_one_command() {
        let mut request = full();
        request.images.truncate(1);
        request.plain_http.clear();
        let commands = plan(&program(), false, &request);
        assert_eq!(
            printed(&commands),
            [
                "TOKEN=*** BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker buildx build --builder=far --file=/state/runs/ca1/Dockerfile '--build-arg=A=-b c' --build-arg=TOKEN --label=l=1 --target=prod --platform=linux/amd64 --no-cache --tag=localhost:5000/web:1 --annotation=manifest:n=2 --metadata-file=/state/runs/ca1/metadata-1.json --push -- '/src/my web'",
            ]
        );
        assert_eq!(commands[0].purpose, Purpose::Publish(request.images));
        assert_eq!(
            commands[0].digest,
            DigestSource::Metadata("/state/runs/ca1/metadata-1.json".into())
        );
    }

    #[test]
    fn buildx_skips_tls_only_for_the_registry_without_it() {
        let lines = printed(&plan(&program(), false, &full()));
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].contains(" --tag=ghcr.io/a/web:1 ") && lines[0].contains(" --push "),
            "{}",
            lines[0]
        );
        assert!(lines[0].contains(" --no-cache "), "{}", lines[0]);
        assert!(
            lines[1].contains(" --tag=localhost:5000/web:1 ")
                && lines[1].contains(" --output=type=image,push=true,registry.insecure=true "),
            "{}",
            lines[1]
        );
        assert!(!lines[1].contains("--no-cache"), "{}", lines[1]);
    }

    #[test]
    fn buildx_pushes_one_platform_of_an_index_by_digest() {
        let mut request = full();
        request.by_digest = true;
        request.plain_http.clear();
        let line = &printed(&plan(&program(), false, &request))[0];
        assert!(
            line.contains(" '--output=type=image,\"name=localhost:5000/web,ghcr.io/a/web\",push-by-digest=true,name-canonical=true,store=false,push=true' "),
            "{line}"
        );
        assert!(
            !line.contains(" --tag=") && !line.contains(" --push "),
            "{line}"
        );
    }

    #[test]
    fn buildx_with_the_docker_driver_loads_the_image_and_docker_pushes_it() {
        let commands = plan(&program(), true, &full());
        let lines = printed(&commands);
        assert!(
            lines[0].contains(
                " --tag=localhost:5000/web:1 --tag=ghcr.io/a/web:1 --load -- '/src/my web'"
            ),
            "{}",
            lines[0]
        );
        assert_eq!(
            lines[1..],
            [
                "docker push -- localhost:5000/web:1",
                "docker push -- ghcr.io/a/web:1"
            ]
        );
        assert_eq!(commands[2].digest, DigestSource::Output);
    }

    #[test]
    fn buildx_several_platforms_make_an_index_with_annotations() {
        let mut request = full();
        request.platforms.push("linux/arm64".parse().unwrap());
        request.plain_http.clear();
        let lines = printed(&plan(&program(), true, &request));
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains(" --annotation=manifest:n=2 --annotation=index:n=2 "),
            "{}",
            lines[0]
        );
        request.push = false;
        let lines = printed(&plan(&program(), false, &request));
        assert!(!lines[0].contains("--load"), "{}", lines[0]);
    }

    #[test]
    fn buildx_build_without_a_push_is_loaded_only_with_an_image_name() {
        let mut request = full();
        request.push = false;
        let lines = printed(&plan(&program(), false, &request));
        assert!(
            lines[0].ends_with(" --load -- '/src/my web'"),
            "{}",
            lines[0]
        );
        request.images.clear();
        let lines = printed(&plan(&program(), false, &request));
        assert!(!lines[0].contains("--load"), "{}", lines[0]);
    }
}
