//! Results of a run on the registry, and acrt's record of them: the platforms, whether the tags have arrived, and the dependencies.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};

use crate::support::{Calls, Gateway, Image, Output, Registry, World, gateway::is_acrt, program};

fn from(image: &str) -> String {
    format!("FROM {image}\nCOPY own /own\n")
}

/// Returns the baseline of the task `web`.
fn known(world: &World) -> Value {
    let files = world.state_files();
    let is_it = |path: &PathBuf| {
        path.ends_with("web.json") && path.to_string_lossy().contains("/baselines/")
    };
    let (_, text) = files.iter().find(|(path, _)| is_it(path)).unwrap();
    serde_json::from_str(text).unwrap()
}

/// Puts a shell script between acrt and a builder on `PATH`; `$real` is the builder.
fn wrap(world: &World, name: &str, script: &str) -> Calls {
    let (path, real) = (
        world.path(&format!("bin/{name}")),
        world.path(&format!("bin/real-{name}")),
    );
    fs::rename(&path, &real).unwrap();
    // It records its calls elsewhere.
    let text = fs::read_to_string(&real).unwrap();
    fs::write(
        &real,
        text.replace(&format!("calls/{name}"), &format!("calls/real-{name}")),
    )
    .unwrap();
    world.fake(
        name,
        &format!("real='{}'\n{script}\nexec \"$real\" \"$@\"", real.display()),
    )
}

/// Runs a program of the world to its end.
fn start(world: &World, name: &str, args: &[&str]) -> Output {
    let mut command = world.command(world.path(&format!("bin/{name}")));
    command.args(args);
    world
        .start(command, format!("{name} {}", args.join(" ")))
        .wait()
}

/// Checks that a task without a platform is built for arm64 and follows its base for arm64.
fn follows_arm64(world: &World, registry: &Registry) {
    registry.push_both("base:1", "one", "one");
    world.write("web/own", "mine");
    world.task(registry, "web", &from(&registry.image("base:1")));
    world.run("web").ok();
    assert_eq!(registry.config("web:latest")["architecture"], "arm64");
    assert_eq!(known(world)["platforms"], json!(["linux/arm64"]));
    registry.push_both("base:1", "two", "one");
    world.watch_once().ok().silent();
    registry.push_both("base:1", "two", "two");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
    world.watch_once().ok().silent();
}

/// The same with a builder on `PATH` and this config file.
fn follows_arm64_with(put_on_path: impl Fn(&World) -> Calls, config: &str) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    world.config(config);
    follows_arm64(&world, &registry);
}

/// The same with the platform in docker's and buildx's environment variable.
fn follows_arm64_of_the_environment(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    world.set("DOCKER_DEFAULT_PLATFORM", "linux/arm64");
    follows_arm64(&world, &registry);
}

#[test]
fn docker_build_follows_the_default_platform_of_the_environment() {
    follows_arm64_of_the_environment(World::docker);
}

#[test]
fn docker_with_buildx_build_follows_the_default_platform_of_the_environment() {
    follows_arm64_of_the_environment(World::newer_docker);
}

#[test]
fn buildx_build_follows_the_default_platform_of_the_environment() {
    follows_arm64_of_the_environment(World::buildx);
}

#[test]
fn remote_buildx_build_follows_the_default_platform_of_the_environment() {
    follows_arm64_of_the_environment(World::buildx_elsewhere);
}

#[test]
fn docker_build_follows_the_platform_of_its_build_arguments() {
    follows_arm64_with(
        World::docker,
        "builders: {docker: {buildArgs: [--platform, linux/arm64]}}\n",
    );
}

#[test]
fn buildah_build_follows_the_platform_of_its_build_arguments() {
    follows_arm64_with(
        World::buildah,
        "builders: {buildah: {buildArgs: [--platform=linux/arm64]}}\n",
    );
}

#[test]
fn buildah_build_follows_the_architecture_of_its_build_arguments() {
    follows_arm64_with(
        World::buildah,
        "builders: {buildah: {buildArgs: [--arch=arm64]}}\n",
    );
}

#[test]
fn podman_build_follows_the_architecture_of_its_build_arguments() {
    follows_arm64_with(
        World::podman,
        "builders: {podman: {buildArgs: [--arch, arm64]}}\n",
    );
}

#[test]
fn docker_build_follows_the_platform_of_its_daemon() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    let calls = wrap(
        &world,
        "docker",
        "case $1 in\nversion) exec echo linux/arm64 ;;\nbuild) shift; exec \"$real\" build --platform=linux/arm64 \"$@\" ;;\nesac",
    );
    follows_arm64(&world, &registry);
    // Each process asks once, and only those that build.
    let built = calls.of("build").into_iter();
    assert_eq!(built.filter(|call| !call.contains("--help")).count(), 2);
    let asked = calls.of("version").into_iter();
    assert_eq!(asked.filter(|call| call.contains("Server.Arch")).count(), 2);
}

#[test]
fn podman_build_follows_the_platform_of_its_service() {
    let (world, registry) = (World::new(), Registry::start());
    world.podman();
    wrap(
        &world,
        "podman",
        "case $1 in\ninfo) exec echo '{\"host\":{\"os\":\"linux\",\"arch\":\"arm64\"}}' ;;\nbuild) shift; exec \"$real\" build --arch=arm64 \"$@\" ;;\nesac",
    );
    follows_arm64(&world, &registry);
}

/// Puts a stand-in for buildctl on `PATH`, like that in the tests of builders. It uses the arm64 image of an index, and reports the
/// digest of `reported`.
fn buildctl(world: &World, workers: &str, copy: &str) -> Calls {
    let script = format!(
        r#"[ "$1 $2" = 'debug workers' ] && exec printf 'ID\tPLATFORMS\nw\t{workers}\n'
for word; do
    case $word in
        --local=dockerfile=*) folder=${{word#--local=dockerfile=}} ;;
        --output=*) name=$(printf %s "$word" | sed 's/.*,name=\([^,]*\),push=true.*/\1/') ;;
        --metadata-file=*) metadata=${{word#--metadata-file=}} ;;
    esac
done
image=$(sed -n 's/^FROM //p' "$folder/Dockerfile")
copy() {{
    '{}' "$@" copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \
        --digestfile "$metadata" $all "docker://$image" "docker://$name" || exit
}}
{copy}
printf '{{"containerimage.digest": "%s"}}' "${{reported:-$(cat "$metadata")}}" > "$metadata"
"#,
        program("skopeo").display()
    );
    world.fake("buildctl", &script)
}

#[test]
fn buildctl_build_follows_the_platform_of_its_first_worker() {
    let (world, registry) = (World::new(), Registry::start());
    buildctl(
        &world,
        "linux/arm64,linux/arm/v7",
        "copy --override-arch arm64",
    );
    registry.push_both("base:1", "one", "one");
    world.task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    world.run("web").ok();
    assert_eq!(registry.config("web:latest")["architecture"], "arm64");
    registry.push_both("base:1", "two", "one");
    world.watch_once().ok().silent();
    registry.push_both("base:1", "two", "two");
    world.watch_once().ok().prints(&["web: rebuilt"]);
}

/// A builder that reports one platform and builds for another.
const SECRETLY_ARM64: &str =
    "case $1 in build) shift; exec \"$real\" build --arch=arm64 \"$@\" ;; esac";

#[test]
fn platform_of_the_pushed_image_overrides_that_of_the_builder() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    wrap(&world, "buildah", SECRETLY_ARM64);
    registry.push_both("tools:1", "one", "one");
    registry.push_both("base:1", "one", "one");
    let dockerfile = format!(
        "FROM --platform=$BUILDPLATFORM {} AS tools\n{}COPY --from=tools /version /tool\n",
        registry.image("tools:1"),
        from(&registry.image("base:1"))
    );
    world.write("web/own", "mine");
    let options = ["--base-image-trigger-type", "All"];
    world.task_with(&registry, "web", &dockerfile, &options);
    world
        .run("web")
        .ok()
        .prints(&["the image is for linux/arm64 and not"]);
    assert_eq!(known(&world)["platforms"], json!(["linux/arm64"]));
    let known = known(&world);
    let platforms = |name: &str| -> Vec<String> {
        let all = known["dependencies"].as_array().unwrap();
        let found = all.iter().find(|it| it["repository"] == name).unwrap();
        found["manifests"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(platforms("base"), ["linux/arm64"]);
    assert_eq!(platforms("tools"), ["linux/amd64"]);
    registry.push_both("base:1", "two", "one");
    registry.push_both("tools:1", "one", "two");
    world.watch_once().ok().silent();
    registry.push_both("tools:1", "two", "two");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    registry.push_both("base:1", "two", "two");
    world.watch_once().ok().prints(&["web: rebuilt"]);
}

/// A multi-step file that builds and pushes, run as the task `web`.
fn steps_task(world: &World, registry: &Registry, host: &str) {
    world.write("web/own", "mine");
    let context = world.context("web", &from(&registry.image("base:1")));
    world.write(
        "web/acb.yaml",
        "version: v1.1.0\nsteps:\n- build: -t $Registry/web:latest .\n- push: [\"$Registry/web:latest\"]\n",
    );
    let create = [
        "task",
        "create",
        "--name",
        "web",
        "--registry",
        host,
        "--file",
        "acb.yaml",
        "--context",
        &context,
    ];
    world.acrt(&create).ok();
}

#[test]
fn build_steps_follow_the_platform_they_were_built_for() {
    for script in ["", SECRETLY_ARM64] {
        let (world, registry) = (World::new(), Registry::start());
        world.buildah();
        wrap(&world, "buildah", script);
        if script.is_empty() {
            world.config("builders: {buildah: {buildArgs: [--arch=arm64]}}\n");
        }
        registry.push_both("base:1", "one", "one");
        steps_task(&world, &registry, &registry.host());
        world.run("web").ok();
        assert_eq!(registry.config("web:latest")["architecture"], "arm64");
        let known = known(&world);
        assert_eq!(known["platforms"], json!(["linux/arm64"]));
        assert_eq!(
            known["outputs"][0]["digest"],
            registry.digest("web:latest").unwrap()
        );
        registry.push_both("base:1", "two", "one");
        world.watch_once().ok().silent();
        registry.push_both("base:1", "two", "two");
        world.watch_once().ok().prints(&["web: rebuilt"]);
    }
}

/// Pushes a base for two systems, of which builders take that for their own without `--platform`.
fn push_for_two_systems(registry: &Registry) {
    let image = |platform: &str| Image::of(&[("version", "one")]).platform(platform);
    registry.push_index("base:1", &["linux/amd64", "windows/amd64"].map(image));
}

/// Checks that an image for a wrong platform is not pushed.
fn pushes_nothing_for_another_platform(world: &World, registry: &Registry, calls: &Calls) {
    push_for_two_systems(registry);
    world.write("web/own", "mine");
    let options = ["--platform", "windows/amd64"];
    world.task_with(registry, "web", &from(&registry.image("base:1")), &options);
    world
        .run("web")
        .exits(1)
        .says(&["the builder made an image for linux/amd64 where one for windows/amd64 is wanted"]);
    assert_eq!(world.history(), ["web Failed"]);
    assert_eq!(registry.digest("web:latest"), None);
    assert_eq!(calls.of("push").len(), 0);
    assert_eq!(world.state_of("web"), "failing");
}

#[test]
fn docker_image_for_an_unrequested_platform_is_not_pushed() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    let calls = wrap(&world, "docker", HEEDS_NO_PLATFORM);
    pushes_nothing_for_another_platform(&world, &registry, &calls);
}

/// A builder that ignores the platform.
const HEEDS_NO_PLATFORM: &str = "for word; do\n shift\n case $word in --platform=*) ;; *) set -- \"$@\" \"$word\" ;; esac\ndone";

#[test]
fn buildah_image_for_an_unrequested_platform_is_not_pushed() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let calls = wrap(&world, "buildah", HEEDS_NO_PLATFORM);
    pushes_nothing_for_another_platform(&world, &registry, &calls);
}

#[test]
fn step_image_for_an_unrequested_platform_is_not_pushed() {
    let (world, registry) = (World::new(), Registry::start());
    world.podman();
    let calls = wrap(&world, "podman", HEEDS_NO_PLATFORM);
    push_for_two_systems(&registry);
    steps_task(&world, &registry, &registry.host());
    world
        .acrt(&[
            "task",
            "update",
            "--name",
            "web",
            "--platform",
            "windows/amd64",
        ])
        .ok();
    world
        .run("web")
        .exits(1)
        .says(&["for linux/amd64 where one for windows/amd64 is wanted"]);
    assert_eq!(calls.of("push").len(), 0);
}

#[test]
fn buildctl_image_pushed_for_an_unrequested_platform_is_not_recorded() {
    let (world, registry) = (World::new(), Registry::start());
    buildctl(&world, "linux/amd64", "copy --override-arch amd64");
    registry.push_both("base:1", "one", "one");
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &["--platform", "linux/arm64"],
    );
    world
        .run("web")
        .exits(1)
        .says(&["for linux/amd64 where one for linux/arm64 is wanted"]);
    assert_eq!(world.history(), ["web Error"]);
    assert_eq!(world.state_of("web"), "failing");
}

#[test]
fn platform_set_by_the_dockerfile_itself_is_accepted() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_both("base:1", "one", "one");
    world.write("web/own", "mine");
    let dockerfile = from(&format!(
        "--platform=linux/amd64 {}",
        registry.image("base:1")
    ));
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &["--platform", "linux/arm64"],
    );
    world.run("web").ok();
    registry.push_both("base:1", "one", "two");
    world.watch_once().ok().silent();
    registry.push_both("base:1", "two", "two");
    world.watch_once().ok().prints(&["web: rebuilt"]);
}

/// The response of a gateway that accepts a manifest and stores nothing.
const KEPT_NOTHING: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<html>Ok</html>";

/// Puts a gateway in front of a registry that stores no tagged manifest of the repository `web`.
fn swallowing(registry: &Registry) -> Gateway {
    Gateway::start(registry, |head| {
        head.starts_with("PUT /v2/web/manifests/latest ")
            .then_some(KEPT_NOTHING)
    })
}

#[test]
fn push_that_did_not_arrive_is_an_error_and_not_recorded() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push("base:1", &[("version", "one")]);
    let gateway = swallowing(&registry);
    world.write("web/own", "mine");
    let context = world.context("web", &from(&registry.image("base:1")));
    let host = gateway.host();
    let create = [
        "task",
        "create",
        "--name",
        "web",
        "--registry",
        &host,
        "--image",
        "web:latest",
        "--context",
        &context,
    ];
    world.acrt(&create).ok();
    world
        .run("web")
        .exits(1)
        .says(&["the push of", "has not arrived"]);
    assert_eq!(world.history(), ["web Error"]);
    assert_eq!(world.state_of("web"), "failing");
    let looks = gateway.requests();
    let is_look = |line: &&String| line.starts_with("HEAD /v2/web/manifests/latest ");
    assert_eq!(looks.iter().filter(is_look).count(), 3, "{looks:?}");
    // The earlier image of the tag is not the pushed one.
    registry.push("web:latest", &[("version", "zero")]);
    world.run("web").exits(1).says(&["is not what was pushed"]);
    assert_eq!(world.history(), ["web Error", "web Error"]);
    assert_eq!(known(&world)["runId"], json!(null));
}

#[test]
fn tag_that_still_has_its_old_image_is_an_error_although_the_push_of_another_tag_arrived() {
    let (world, registry) = (World::new(), Registry::start());
    let swallows = Arc::new(AtomicBool::new(false));
    let is_on = Arc::clone(&swallows);
    let gateway = Gateway::start(&registry, move |head| {
        let is_push = head.starts_with("PUT /v2/web/manifests/1 ");
        (is_push && is_on.load(Ordering::SeqCst)).then_some(KEPT_NOTHING)
    });
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push("base:1", &[("version", "one")]);
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let (first, second) = (gateway.image("web:1"), gateway.image("web:2"));
    let mut create = vec!["task", "create", "-n", "web", "-c", &context];
    create.extend(["-t", &first, "-t", &second]);
    world.acrt(&create).ok();
    world.run("web").ok();
    registry.push("base:1", &[("version", "two")]);
    swallows.store(true, Ordering::SeqCst);
    world.run("web").exits(1).says(&["is not what was pushed"]);
    swallows.store(false, Ordering::SeqCst);
    world.run("web").ok();
    let built = registry.file("web:1", "version");
    assert_eq!(built.as_deref(), Some("two"));
}

#[test]
fn step_push_that_did_not_arrive_is_an_error() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push("base:1", &[("version", "one")]);
    let gateway = swallowing(&registry);
    steps_task(&world, &registry, &gateway.host());
    world.run("web").exits(1).says(&["has not arrived"]);
    assert_eq!(world.history(), ["web Error"]);
    assert_eq!(world.state_of("web"), "failing");
}

#[test]
fn import_that_did_not_arrive_is_an_error() {
    let (world, registry) = (World::new(), Registry::start());
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push("base:1", &[("version", "one")]);
    let gateway = swallowing(&registry);
    let (source, to, host) = (
        registry.image("base:1"),
        gateway.image("web:latest"),
        gateway.host(),
    );
    let import = ["import", "--source", &source, "--image", &to];
    world.acrt(&import).exits(1).says(&["has not arrived"]);
    let create = [
        "task",
        "create",
        "--name",
        "web",
        "--registry",
        &host,
        "--import",
        &source,
        "--image",
        "web:latest",
    ];
    world.acrt(&create).ok();
    world.run("web").exits(1).says(&["has not arrived"]);
    assert_eq!(world.history(), ["web Error"]);
    assert_eq!(world.state_of("web"), "failing");
}

#[test]
fn push_that_arrives_late_is_looked_up_again() {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push("base:1", &[("version", "one")]);
    let gateway = Gateway::start(&registry, |head| {
        let is_look = head.starts_with("HEAD /v2/web/manifests/latest ") && is_acrt(head);
        let is_get = head.starts_with("GET /v2/web/manifests/latest ") && is_acrt(head);
        let is_early = is_look && LOOKS.fetch_add(1, Ordering::SeqCst) < 2
            || is_get && LOOKS.load(Ordering::SeqCst) < 3;
        is_early
            .then_some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    world.write("web/own", "mine");
    let context = world.context("web", &from(&registry.image("base:1")));
    let host = gateway.host();
    let create = [
        "task",
        "create",
        "--name",
        "web",
        "--registry",
        &host,
        "--image",
        "web:latest",
        "--context",
        &context,
    ];
    world.acrt(&create).ok();
    world.run("web").ok();
    assert_eq!(LOOKS.load(Ordering::SeqCst), 3);
}

#[test]
fn index_with_the_reported_digest_is_the_recorded_output() {
    let (world, registry) = (World::new(), Registry::start());
    registry.push_both("base:1", "one", "one");
    let index = registry.digest("base:1").unwrap();
    let parts = Image::of(&[("version", "one")])
        .platform("linux/arm64")
        .parts();
    let copy = format!("all=--all\ncopy\nreported={}", parts.manifest.digest);
    buildctl(&world, "linux/amd64", &copy);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.task(&registry, "web", &dockerfile);
    world.run("web").ok();
    assert_eq!(world.runs()[0]["outputImages"][0]["digest"], index);
    assert_eq!(
        known(&world)["platforms"],
        json!(["linux/amd64", "linux/arm64"])
    );
}

#[test]
fn each_pushed_tag_is_looked_up_once_and_its_manifest_read_once() {
    let (world, registry, bases) = (World::new(), Registry::start(), Registry::start());
    world.buildah();
    bases.push("base:1", &[("version", "one")]);
    world.write("web/own", "mine");
    let options = ["--image", "web:{{.Run.ID}}"];
    world.task_with(&registry, "web", &from(&bases.image("base:1")), &options);
    world.run("web").ok();
    let own: Vec<String> = registry
        .requests()
        .into_iter()
        .filter(|request| request.agent.starts_with("acrt/"))
        // A cancelled upload checks whether a push is allowed.
        .filter(|request| ["GET", "HEAD"].contains(&request.method.as_str()))
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    let digest = registry.digest("web:latest").unwrap();
    let config = registry.manifest("web:latest")["config"]["digest"].clone();
    let mut expected = vec![
        "HEAD /v2/web/manifests/ca1".to_owned(),
        "HEAD /v2/web/manifests/latest".to_owned(),
        format!("GET /v2/web/manifests/{digest}"),
        format!("GET /v2/web/blobs/{}", config.as_str().unwrap()),
    ];
    let mut own: Vec<String> = own
        .into_iter()
        .filter(|line| !line.ends_with("/v2/"))
        .collect();
    own.sort();
    expected.sort();
    assert_eq!(own, expected);
}

/// Checks that two runs with the same inputs push the same image.
fn pushes_the_same_twice(put_on_path: impl Fn(&World) -> Calls, config: &str, options: &[&str]) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    world.config(config);
    registry.push_both("base:1", "one", "one");
    world.write("web/own", "mine");
    world.task_with(&registry, "web", &from(&registry.image("base:1")), options);
    world.run("web").ok();
    let first = registry.digest("web:latest");
    world.run("web").ok();
    assert_eq!(registry.digest("web:latest"), first);
    assert_eq!(registry.label("web:latest", "io.acrt.run-id"), None);
}

#[test]
fn docker_makes_the_same_image_of_the_same_inputs() {
    pushes_the_same_twice(World::docker, "", &[]);
}

#[test]
fn docker_with_buildx_makes_the_same_image_of_the_same_inputs() {
    pushes_the_same_twice(World::newer_docker, "", &[]);
}

#[test]
fn buildx_makes_the_same_index_of_the_same_inputs() {
    let options = ["--platform", "linux/amd64,linux/arm64"];
    pushes_the_same_twice(World::buildx_elsewhere, "", &options);
}

#[test]
fn buildah_makes_the_same_image_of_the_same_inputs_and_times() {
    let config = "builders: {buildah: {buildArgs: [--timestamp=0]}}\n";
    pushes_the_same_twice(World::buildah, config, &[]);
}

#[test]
fn podman_makes_the_same_image_of_the_same_inputs_and_times() {
    let config = "builders: {podman: {buildArgs: [--timestamp=0]}}\n";
    pushes_the_same_twice(World::podman, config, &[]);
}

/// Checks that a parent that a timer runs without a change does not affect its child.
fn nightly_timer_leaves_the_child_alone(put_on_path: impl Fn(&World) -> Calls, config: &str) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    world.config(config);
    world.set("ACRT_NOW", "2026-01-31T12:00:00Z");
    registry.push("base:1", &[("version", "one")]);
    world.write("parent/own", "mine");
    world.write("child/own", "mine");
    let schedule = ["--schedule", "0 3 * * *"];
    world.task_with(
        &registry,
        "parent",
        &from(&registry.image("base:1")),
        &schedule,
    );
    world.run("parent").ok();
    let child = from(&registry.image("parent:latest")).replace("/own", "/child");
    world.task(&registry, "child", &child);
    world.run("child").ok();
    world.set("ACRT_NOW", "2026-02-01T03:00:00Z");
    world.watch_once().ok().prints(&["parent: rebuilt, timer"]);
    assert_eq!(
        world.history(),
        ["parent Succeeded", "child Succeeded", "parent Succeeded"]
    );
    registry.push("base:1", &[("version", "two")]);
    world
        .watch_once()
        .ok()
        .prints(&["parent: rebuilt", "child: rebuilt"]);
}

#[test]
fn nightly_timer_of_a_parent_does_not_rebuild_its_child() {
    nightly_timer_leaves_the_child_alone(World::docker, "");
}

#[test]
fn nightly_timer_of_a_parent_built_by_buildah_does_not_rebuild_its_child() {
    nightly_timer_leaves_the_child_alone(
        World::buildah,
        "builders: {buildah: {buildArgs: [--timestamp=0]}}\n",
    );
}

/// Pulls an image into a builder's own store.
fn pull(world: &World, builder: &str, image: &str) {
    match builder {
        "docker" => start(world, builder, &["pull", image]).ok(),
        _ => start(world, builder, &["pull", "--tls-verify=false", image]).ok(),
    };
}

/// A task whose base is on a separate registry that does not answer, and in the builder's store.
fn with_base_away(
    put_on_path: impl Fn(&World) -> Calls,
    builder: &str,
) -> (World, Registry, Registry) {
    let (world, registry, bases) = (World::new(), Registry::start(), Registry::start());
    put_on_path(&world);
    bases.push_both("base:1", "one", "one");
    pull(&world, builder, &bases.image("base:1"));
    world.write("web/own", "mine");
    world.task(&registry, "web", &from(&bases.image("base:1")));
    (world, registry, bases)
}

fn follows_a_base_whose_registry_was_away(put_on_path: impl Fn(&World) -> Calls, builder: &str) {
    let (world, registry, bases) = with_base_away(put_on_path, builder);
    bases.stop();
    world
        .run("web")
        .ok()
        .says(&["is followed as soon as its registry answers"]);
    let run = &world.runs()[0];
    let known = known(&world);
    let dependency = &known["dependencies"][0];
    assert_eq!(
        (&dependency["type"], &dependency["line"]),
        (&json!("Runtime"), &json!(1))
    );
    let digest = dependency["digest"].as_str().unwrap();
    assert_eq!(run["baseImageDependencies"][0]["digest"], digest);
    assert_eq!(run["untrackedImages"], json!([]));
    assert_eq!(world.state_of("web"), "unknown");
    // It equals the last build's base, so another run can use it.
    world.run("web").ok();
    bases.restart();
    assert_eq!(world.state_of("web"), "current");
    world.watch_once().ok().silent();
    bases.push_both("base:1", "two", "one");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn run_without_the_tag_of_its_base_uses_the_builders_copy_only_if_the_last_run_did() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    pull(&world, "buildah", &registry.image("base:1"));
    let two = registry.push("base:1", &[("version", "two")]);
    world.write("web/own", "mine");
    world.task(&registry, "web", &from(&registry.image("base:1")));
    world.run("web").ok();
    registry.delete("base", &two);
    let says = ["cannot find out what", "base:1"];
    world.run("web").exits(1).says(&says);
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
    assert_eq!(world.state_of("web"), "missing");
}

#[test]
fn task_whose_first_run_finds_the_tag_of_its_parent_gone_follows_the_parent() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    world.write("parent/own", "mine");
    world.task(&registry, "parent", &from(&registry.image("base:1")));
    world.run("parent").ok();
    let child = format!("FROM {}\n", registry.image("parent:latest"));
    world.task(&registry, "child", &child);
    registry.delete("parent", &registry.digest("parent:latest").unwrap());
    world
        .run("child")
        .ok()
        .says(&["is followed as soon as its registry answers"]);
    assert_eq!(world.state_of("child"), "missing");
    registry.push("base:1", &[("version", "two")]);
    world
        .watch_once()
        .prints(&["parent: rebuilt", "child: rebuilt"]);
    assert_eq!(
        registry.file("child:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn image_on_a_base_of_no_registry_does_not_inherit_the_digest_in_a_label_of_the_base() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let label = "org.opencontainers.image.base.digest";
    let base = Image::of(&[("version", "one")]).label(label, &format!("sha256:{}", "1".repeat(64)));
    let digest = registry.push_image("base:1", &base);
    let name = registry.image("base:1");
    pull(&world, "buildah", &name);
    registry.delete("base", &digest);
    world.task(&registry, "web", &format!("FROM {name}\n"));
    world.run("web").ok().says(&["is not followed"]);
    assert_eq!(registry.label("web:latest", label).as_deref(), Some(""));
    let of_name = registry.label("web:latest", "org.opencontainers.image.base.name");
    assert_eq!(of_name, Some(name));
}

#[test]
fn docker_build_on_a_cached_base_follows_it_after_its_registry_was_unreachable() {
    follows_a_base_whose_registry_was_away(World::docker, "docker");
}

#[test]
fn docker_with_buildx_build_on_a_cached_base_follows_it_after_its_registry_was_unreachable() {
    follows_a_base_whose_registry_was_away(World::newer_docker, "docker");
}

#[test]
fn podman_build_on_a_cached_base_follows_it_after_its_registry_was_unreachable() {
    follows_a_base_whose_registry_was_away(World::podman, "podman");
}

#[test]
fn buildah_build_on_a_cached_base_follows_it_after_its_registry_was_unreachable() {
    follows_a_base_whose_registry_was_away(World::buildah, "buildah");
}

#[test]
fn base_that_moved_while_its_registry_was_unreachable_is_rebuilt() {
    let (world, registry, bases) = with_base_away(World::docker, "docker");
    bases.push_both("base:1", "two", "two");
    bases.stop();
    world.run("web").ok();
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("one")
    );
    bases.restart();
    assert_eq!(world.state_of("web"), "stale");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
    // A registry that fails for a moment does not take a task back to an older base.
    bases.stop();
    world.run("web").exits(4);
    assert_eq!(world.history().last().unwrap(), "web Error");
}

#[test]
fn base_without_a_recorded_digest_is_stale_at_the_first_response() {
    let (world, registry, bases) = (World::new(), Registry::start(), Registry::start());
    world.docker();
    bases.push("base:1", &[("version", "theirs")]);
    let local = world.context("local", "FROM scratch\nCOPY Dockerfile /local\n");
    start(
        &world,
        "docker",
        &["build", "-t", &bases.image("base:1"), &local],
    )
    .ok();
    world.write("web/own", "mine");
    world.task(&registry, "web", &from(&bases.image("base:1")));
    bases.stop();
    world.run("web").ok();
    let dependency = &world.runs()[0]["baseImageDependencies"][0];
    assert_eq!(dependency["digest"], json!(null));
    assert_eq!(world.state_of("web"), "unknown");
    world.run("web").ok();
    bases.restart();
    assert_eq!(world.state_of("web"), "stale");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("theirs")
    );
    world.watch_once().ok().silent();
}

#[test]
fn registry_that_answers_with_server_errors_counts_as_unreachable() {
    let (world, registry, bases) = (World::new(), Registry::start(), Registry::start());
    world.docker();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    bases.push("base:1", &[("version", "one")]);
    let gateway = Gateway::start(&bases, |head| {
        is_acrt(head).then_some(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )
    });
    pull(&world, "docker", &gateway.image("base:1"));
    world.write("web/own", "mine");
    world.task(&registry, "web", &from(&gateway.image("base:1")));
    world.run("web").ok();
    let dependency = &world.runs()[0]["baseImageDependencies"][0];
    assert_eq!(dependency["digest"], bases.digest("base:1").unwrap());
    assert_eq!(world.state_of("web"), "unknown");
}

#[test]
fn local_only_image_is_not_taken_for_one_of_an_unreachable_registry() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    // Docker Hub does not answer.
    world.set("HTTPS_PROXY", "http://127.0.0.1:9");
    let local = world.context("local", "FROM scratch\nCOPY Dockerfile /local\n");
    start(&world, "buildah", &["build", "-t", "only-here", &local]).ok();
    world.write("web/own", "mine");
    world.task(&registry, "web", &from("only-here"));
    world.run("web").ok().says(&["`only-here` is not followed"]);
    assert_eq!(world.runs()[0]["baseImageDependencies"], json!([]));
}

#[test]
fn base_deleted_from_its_registry_stays_followed() {
    let (world, registry, bases) = with_base_away(World::docker, "docker");
    world.run("web").ok();
    let digest = bases.digest("base:1").unwrap();
    bases.delete("base", &digest);
    world.run("web").ok();
    let run = &world.runs()[0];
    assert_eq!(run["baseImageDependencies"][0]["digest"], digest);
    assert_eq!(run["untrackedImages"], json!([]));
    bases.push_both("base:1", "two", "two");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn bases_named_by_a_local_dockerfile_are_recorded() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    world.write("web/own", "mine");
    world.task(&registry, "web", &from(&registry.image("base:1")));
    world.run("web").ok();
    let known = known(&world);
    assert_eq!(known["named"], json!([registry.image("base:1")]));
    assert_eq!(known["outputs"][0]["tag"], "latest");
}

#[test]
fn image_pushed_by_a_custom_builder_is_followed_for_its_platforms() {
    let (world, registry) = (World::new(), Registry::start());
    let script = "from=$(sed -n 's/^FROM //p' \"$1\")\n\
         exec skopeo --override-arch arm64 copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \"docker://$from\" \"docker://$2\"";
    world.fake("copy", script);
    world.config("builders:\n  command:\n    build: [copy, '{dockerfile}', '{image}']\n");
    world.set("ACRT_BUILDER", "command");
    registry.push_both("base:1", "one", "one");
    world.task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    world.run("web").ok();
    assert_eq!(known(&world)["platforms"], json!(["linux/arm64"]));
    registry.push_both("base:1", "two", "one");
    world.watch_once().ok().silent();
    registry.push_both("base:1", "two", "two");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    // An image for this machine's platform is refused if another one is requested.
    world
        .acrt(&[
            "task",
            "update",
            "--name",
            "web",
            "--platform",
            "linux/s390x",
        ])
        .ok();
    world
        .run("web")
        .exits(1)
        .says(&["for linux/arm64 where one for linux/s390x is wanted"]);
    assert_eq!(world.history().last().unwrap(), "web Error");
}

#[test]
fn onbuild_images_of_a_base_on_an_unreachable_registry_are_followed() {
    let (world, registry, bases) = (World::new(), Registry::start(), Registry::start());
    world.docker();
    registry.push("tools:1", &[("tool", "hammer")]);
    let trigger = format!("COPY --from={} /tool /tool", registry.image("tools:1"));
    let base = Image::of(&[("version", "one")]).on_build(&trigger);
    bases.push_image("base:1", &base);
    pull(&world, "docker", &bases.image("base:1"));
    bases.stop();
    world.write("web/own", "mine");
    let options = ["--base-image-trigger-type", "All"];
    world.task_with(&registry, "web", &from(&bases.image("base:1")), &options);
    world.run("web").ok();
    registry.push("tools:1", &[("tool", "saw")]);
    bases.restart();
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(registry.file("web:latest", "tool").as_deref(), Some("saw"));
}

#[test]
fn cached_base_of_the_builder_is_used_only_if_verification_accepts_it() {
    let (world, _registry, bases) = with_base_away(World::docker, "docker");
    let rule = format!(
        "images: ['{}/*'], command: [vouch, '{{image}}']",
        bases.host()
    );
    world.config(&format!("verify: [{{{rule}}}]\n"));
    let digest = bases.digest("base:1").unwrap();
    bases.stop();
    world.fake("vouch", "echo 'no signature' >&2; exit 1");
    world
        .run("web")
        .exits(1)
        .says(&["is not verified", "no signature"]);
    let asked = world.fake("vouch", "exit 0");
    world.run("web").ok();
    let image = format!("{}/base@{digest}", bases.host());
    assert_eq!(asked.lines().last(), Some(&image));
    let local = world.context("local", "FROM scratch\nCOPY Dockerfile /local\n");
    let name = bases.image("base:1");
    start(&world, "docker", &["build", "-t", &name, &local]).ok();
    world
        .run("web")
        .exits(1)
        .says(&["no digest that could be verified"]);
}

#[test]
fn run_of_a_local_task_says_that_its_image_is_kept() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let text = format!("FROM {}\nENV A=b\n", registry.image("base:1"));
    let context = world.context("web", &text);
    let create = [
        "task", "create", "-n", "web", "-t", "web:1", "--local", "-c",
    ];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    let output = world.run("web").ok();
    let is_said = |text: &str| output.stderr.contains(text);
    assert!(is_said("s, kept web:1 on buildah"), "{output}");
    assert!(!is_said("pushed"), "{output}");
}
