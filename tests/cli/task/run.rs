//! `acrt task run`: a build by hand, its end, and its results.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rustix::process::Signal;

use crate::support::{
    Calls, Gate, Image, PASSWORD, Registry, World, eventually, processes, program,
};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

/// Creates the task `web`, whose build waits at the gate.
fn waiting_task(world: &World, registry: &Registry, gate: &Gate, options: &[&str]) {
    let dockerfile = format!("{}RUN {}\n", from(registry, "base:1"), gate.wait_command());
    world.task_with(registry, "web", &dockerfile, options);
}

#[test]
fn task_run_prints_the_log_to_stdout_and_the_run_id_to_stderr() {
    let (world, registry) = world();
    let dockerfile = format!(
        "{}RUN echo building on $(cat /version)\n",
        from(&registry, "base:1")
    );
    world.task(&registry, "web", &dockerfile);
    let run = world
        .run("web")
        .ok()
        .says(&["ca1"])
        .prints(&["building on one", "Run ID: ca1 was successful after"]);
    assert!(!run.stderr.contains("building on one"), "{run}");
    // The pinned image was built, and the log says so.
    let digest = registry.digest("base:1").unwrap();
    assert!(run.stdout.contains(&digest), "{run}");
}

#[test]
fn task_run_with_no_logs_prints_the_run() {
    let (world, registry) = world();
    world.task(&registry, "web", &from(&registry, "base:1"));
    let run = world
        .acrt(&["task", "run", "--name", "web", "--no-logs"])
        .ok()
        .json();
    assert_eq!(run["runId"], "ca1");
    assert_eq!(run["status"], "Succeeded");
    assert_eq!(run["runType"], "QuickRun");
    let output = &run["outputImages"][0];
    assert_eq!(output["registry"], registry.host());
    assert_eq!(output["repository"], "web");
    assert_eq!(output["tag"], "latest");
    assert_eq!(output["digest"], registry.digest("web:latest").unwrap());
}

#[test]
fn task_run_pushes_every_image_and_the_run_id_can_be_a_tag() {
    let (world, registry) = world();
    world.task_with(
        &registry,
        "web",
        &from(&registry, "base:1"),
        &["--image", "web:{{.Run.ID}}", "--image", "other/name:v1"],
    );
    world.run("web").ok();
    world.run("web").ok();
    assert_eq!(registry.tags("web"), ["ca1", "ca2", "latest"]);
    assert_eq!(registry.tags("other/name"), ["v1"]);
    assert_eq!(registry.digest("web:ca2"), registry.digest("web:latest"));
}

#[test]
fn built_image_has_base_image_annotations() {
    let (world, registry) = world();
    let base = registry.digest("base:1").unwrap();
    world.task(&registry, "web", &from(&registry, "base:1"));
    world.run("web").ok();
    let label = |name: &str| registry.label("web:latest", name);
    let (name, digest) = (
        "org.opencontainers.image.base.name",
        "org.opencontainers.image.base.digest",
    );
    assert_eq!(label(name), Some(registry.image("base:1")));
    assert_eq!(label(digest), Some(base.clone()));
    assert_eq!(label("io.acrt.task").as_deref(), Some("web"));
    let annotations = &registry.manifest("web:latest")["annotations"];
    assert_eq!(annotations[name], registry.image("base:1"));
    assert_eq!(annotations[digest], base);
}

/// Creates and runs a task, moves its base and rebuilds, with a builder on `PATH`.
fn serves(put_on_path: impl Fn(&World) -> Calls, annotates: bool) {
    let (world, registry) = (World::new(), Registry::start());
    let calls = put_on_path(&world);
    registry.push_shell("base:1", &[("version", "one")]);
    registry.push("tools:1", &[("tool", "hammer")]);
    let dockerfile = format!(
        "FROM {} AS tools\n{}COPY --from=tools /tool /tool\nCOPY own /own\n",
        registry.image("tools:1"),
        from(&registry, "base:1"),
    );
    world.write("web/own", "mine");
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &["--image", "web:{{.Run.ID}}"],
    );
    world.run("web").ok();
    assert!(registry.depends_on("web:latest", "base:1"));
    let base = registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok();
    assert!(registry.depends_on("web:latest", "base:1"));
    assert_eq!(registry.digest("web:ca2"), registry.digest("web:latest"));
    assert_eq!(registry.file("web:latest", "own").as_deref(), Some("mine"));
    assert_eq!(
        registry.file("web:latest", "tool").as_deref(),
        Some("hammer")
    );
    let name = "org.opencontainers.image.base.digest";
    assert_eq!(registry.label("web:latest", name), Some(base.clone()));
    if annotates {
        assert_eq!(registry.manifest("web:latest")["annotations"][name], base);
    }
    let recorded = &world.runs()[0]["outputImages"][0]["digest"];
    assert_eq!(*recorded, registry.digest("web:latest").unwrap());
    world.watch_once().ok().silent();
    assert!(!calls.lines().is_empty());
}

#[test]
fn buildah_builds_pushes_and_rebuilds_when_the_base_moves() {
    serves(World::buildah, true);
}

#[test]
fn podman_builds_pushes_and_rebuilds_when_the_base_moves() {
    serves(World::podman, true);
}

#[test]
fn docker_builds_pushes_and_rebuilds_when_the_base_moves() {
    serves(World::docker, false);
}

#[test]
fn docker_with_buildx_builds_pushes_and_rebuilds_when_the_base_moves() {
    serves(World::newer_docker, false);
}

#[test]
fn buildx_builds_pushes_and_rebuilds_when_the_base_moves() {
    serves(World::buildx, false);
}

#[test]
fn remote_buildx_builds_pushes_and_rebuilds_when_the_base_moves() {
    serves(World::buildx_elsewhere, true);
}

/// Builds for two platforms, and follows the base on both.
fn serves_two_platforms(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    let base = |platform: &str, text: &str| Image::of(&[("version", text)]).platform(platform);
    registry.push_index(
        "base:1",
        &[
            base("linux/amd64", "one"),
            base("linux/arm64", "one for arm"),
        ],
    );
    world.write("web/own", "mine");
    let dockerfile = format!("{}COPY own /own\n", from(&registry, "base:1"));
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &[
            "--platform",
            "linux/amd64,linux/arm64",
            "--image",
            "web:{{.Run.ID}}",
        ],
    );
    world.run("web").ok();
    assert_eq!(
        registry.platforms("web:latest"),
        ["linux/amd64", "linux/arm64"]
    );
    assert_eq!(registry.digest("web:ca1"), registry.digest("web:latest"));
    let recorded = &world.runs()[0]["outputImages"][0]["digest"];
    assert_eq!(*recorded, registry.digest("web:latest").unwrap());
    world.watch_once().ok().silent();

    registry.push_index(
        "base:1",
        &[
            base("linux/amd64", "one"),
            base("linux/arm64", "two for arm"),
        ],
    );
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(registry.platforms("web:latest").len(), 2);
    world.watch_once().ok().silent();
}

#[test]
fn buildah_builds_and_follows_two_platforms() {
    serves_two_platforms(World::buildah);
}

#[test]
fn podman_builds_and_follows_two_platforms() {
    serves_two_platforms(World::podman);
}

#[test]
fn docker_with_buildx_builds_and_follows_two_platforms() {
    serves_two_platforms(World::newer_docker);
}

#[test]
fn remote_buildx_builds_and_follows_two_platforms() {
    serves_two_platforms(World::buildx_elsewhere);
}

#[test]
fn docker_without_buildx_refuses_two_platforms() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    let base = |platform: &str| Image::of(&[]).platform(platform);
    registry.push_index("base:1", &[base("linux/amd64"), base("linux/arm64")]);
    let options = ["--platform", "linux/amd64,linux/arm64"];
    world.task_with(&registry, "web", &from(&registry, "base:1"), &options);
    world.run("web").exits(1).says(&["buildx", "podman"]);
}

/// The Dockerfile is in a folder below a context with an unusual name, and some files must not be sent.
fn finds_files_and_ignores_others(put_on_path: impl Fn(&World) -> Calls, suffixes: &[&str]) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    registry.push("base:1", &[("version", "one")]);
    world.write(
        "-odd 'name'/docker/Dockerfile.prod",
        &format!(
            "{}COPY . /all/\nLABEL who=\"it's me\"\n",
            from(&registry, "base:1")
        ),
    );
    world.write("-odd 'name'/kept", "kept");
    world.write("-odd 'name'/secret.key", "not for the image");
    world.write("-odd 'name'/.dockerignore", "*.key\n");
    let (context, host) = (world.path("-odd 'name'"), registry.host());
    world
        .acrt(&[
            "task",
            "create",
            "--name=web",
            "--registry",
            &host,
            "--image=web:latest",
            "--file=docker/Dockerfile.prod",
            &format!("--context={}", context.display()),
        ])
        .ok();
    world.run("web").ok();
    let file = |path: &str| registry.file("web:latest", path);
    assert_eq!(file("all/kept").as_deref(), Some("kept"));
    assert_eq!(file("all/secret.key"), None);
    assert_eq!(
        registry.label("web:latest", "who").as_deref(),
        Some("it's me")
    );
    // The ignore file of this Dockerfile takes precedence over the context's.
    for suffix in suffixes {
        let ignore = format!("-odd 'name'/docker/Dockerfile.prod{suffix}");
        world.write(&ignore, "kept\n");
        world.run("web").ok();
        assert_eq!(file("all/kept"), None, "{suffix}");
        assert_eq!(file("all/secret.key").as_deref(), Some("not for the image"));
        fs::remove_file(world.path(&ignore)).unwrap();
    }
    // The ignore file of the context may be a symbolic link.
    let (link, target) = (context.join(".dockerignore"), context.join("docker/ignore"));
    fs::rename(&link, target).unwrap();
    std::os::unix::fs::symlink("docker/ignore", &link).unwrap();
    world.run("web").ok();
    assert_eq!(file("all/secret.key"), None);
}

#[test]
fn buildah_finds_dockerfile_in_a_subfolder_and_applies_dockerignore() {
    finds_files_and_ignores_others(World::buildah, &[".dockerignore", ".containerignore"]);
}

#[test]
fn podman_finds_dockerfile_in_a_subfolder_and_applies_dockerignore() {
    finds_files_and_ignores_others(World::podman, &[".dockerignore", ".containerignore"]);
}

#[test]
fn docker_finds_dockerfile_in_a_subfolder_and_applies_dockerignore() {
    // Its classic builder only reads the context's ignore file.
    finds_files_and_ignores_others(World::docker, &[]);
}

#[test]
fn buildx_finds_dockerfile_in_a_subfolder_and_applies_dockerignore() {
    finds_files_and_ignores_others(World::buildx_elsewhere, &[".dockerignore"]);
}

#[test]
fn target_option_selects_the_stage_that_is_built() {
    let (world, registry) = world();
    let base = registry.image("base:1");
    let dockerfile = format!(
        "FROM {base} AS first\nRUN echo first > /first\nFROM {base} AS second\nRUN echo second > /second\n"
    );
    world.task_with(&registry, "web", &dockerfile, &["--target", "first"]);
    world.run("web").ok();
    assert!(registry.file("web:latest", "first").is_some());
    world
        .acrt(&["task", "update", "-n", "web", "--target", "second"])
        .ok();
    world.run("web").ok();
    assert!(registry.file("web:latest", "second").is_some());
    assert!(registry.file("web:latest", "first").is_none());
    world
        .acrt(&["task", "update", "-n", "web", "--target", "third"])
        .exits(2)
        .says(&["third"]);
}

/// The tests' daemon has no network for builds.
const NETWORK: &str =
    "builders: {docker: {buildArgs: [--network=host]}, buildx: {buildArgs: [--network=host]}}\n";

fn is_stopped_with_its_build(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    put_on_path(&world);
    world.config(NETWORK);
    registry.push_shell("base:1", &[("version", "one")]);
    waiting_task(&world, &registry, &gate, &[]);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    let waiting = gate.arrival();
    run.signal(Signal::INT);
    run.wait().exits(130);
    assert_eq!(world.history(), ["web Canceled"]);
    eventually("the end of the build's process", || {
        processes::with_argument(&gate.wait_command())
            .is_empty()
            .then_some(())
    });
    drop(waiting);
}

#[test]
fn interrupted_docker_run_stops_its_build() {
    is_stopped_with_its_build(World::docker);
}

#[test]
fn interrupted_buildx_run_stops_its_build() {
    is_stopped_with_its_build(World::buildx);
}

fn ends_with_its_client(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    put_on_path(&world);
    world.config(NETWORK);
    registry.push_shell("base:1", &[("version", "one")]);
    waiting_task(&world, &registry, &gate, &["--no-cache"]);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    let mut orphan = gate.arrival();
    run.kill();
    assert!(!orphan.is_gone());
    let next = world.spawn(&["task", "run", "--name", "web"]);
    let waiting = gate.arrival();
    // The daemon cancels the build once its client has gone.
    eventually("the end of the dead run's build", || {
        orphan.is_gone().then_some(())
    });
    waiting.go_on();
    next.wait().ok();
    assert_eq!(world.history(), ["web Error", "web Succeeded"]);
    eventually("the end of all processes of builds", || {
        processes::with_argument(&gate.wait_command())
            .is_empty()
            .then_some(())
    });
}

#[test]
fn build_of_a_killed_run_ends_in_its_docker_daemon() {
    ends_with_its_client(World::docker);
}

#[test]
fn build_of_a_killed_run_ends_in_its_buildkit() {
    ends_with_its_client(World::buildx_elsewhere);
}

#[test]
fn custom_builder_is_called_by_its_template() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.fake(
        "copy",
        "from=$(sed -n 's/^FROM //p' \"$1\")\n\
         exec skopeo copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \"docker://$from\" \"docker://$2\"",
    );
    world
        .config("builders:\n  command:\n    build: [copy, '{dockerfile}', '{image}', '{runId}']\n");
    let base = registry.push("base:1", &[("version", "one")]);
    world.task_with(
        &registry,
        "web",
        &from(&registry, "base:1"),
        &["--builder", "command"],
    );
    world.run("web").ok();
    assert_eq!(registry.digest("web:latest"), Some(base.clone()));
    let call = &calls.lines()[0];
    assert!(
        call.ends_with(&format!("{} ca1", registry.image("web:latest"))),
        "{call}"
    );
    assert_eq!(world.runs()[0]["outputImages"][0]["digest"], base);
}

#[test]
fn parallel_runs_get_distinct_ids() {
    let (world, registry) = (World::new(), Registry::start());
    world.fake("copy", "exit 0");
    world.config("builders:\n  command:\n    build: [copy]\n");
    world.set("ACRT_BUILDER", "command");
    registry.push("base:1", &[("version", "one")]);
    let names: Vec<String> = (0..40).map(|n| format!("t{n}")).collect();
    for name in &names {
        world.task_with(&registry, name, &from(&registry, "base:1"), &["--no-push"]);
    }
    for some in names.chunks(10) {
        let run = |name: &String| world.spawn(&["task", "run", "--name", name]);
        let runs: Vec<_> = some.iter().map(run).collect();
        runs.into_iter().for_each(|run| drop(run.wait().ok()));
    }
    let ids: Vec<String> = world
        .runs()
        .iter()
        .map(|run| run["runId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 40);
    assert_eq!(ids[0], "ca14");
    assert_eq!(ids[4..7], ["ca10", "caz", "cay"]);
    assert_eq!(ids[39], "ca1");
}

#[test]
fn missing_or_unknown_builder_is_reported_with_the_available_ones() {
    let (world, registry) = (World::new(), Registry::start());
    registry.push("base:1", &[("version", "one")]);
    world.task(&registry, "web", &from(&registry, "base:1"));
    world
        .run("web")
        .exits(1)
        .says(&["docker", "podman", "buildah"]);
    world
        .acrt(&["task", "run", "--name", "web", "--builder", "kaniko"])
        .exits(2)
        .says(&["kaniko", "buildah"]);
    world
        .acrt(&["task", "run", "--name", "web", "--builder", "podman"])
        .says(&["podman"])
        .exits(2);
}

#[test]
fn docker_without_its_daemon_is_skipped_in_builder_detection() {
    let (world, registry) = world();
    world.fake(
        "docker",
        "echo 'Cannot connect to the Docker daemon' >&2; exit 1",
    );
    world.task(&registry, "web", &from(&registry, "base:1"));
    world.run("web").ok();
    assert_eq!(world.runs()[0]["builder"], "buildah");
}

#[test]
fn ctrl_c_cancels_the_run_and_leaves_no_process() {
    let (world, registry) = world();
    let gate = Gate::new();
    waiting_task(&world, &registry, &gate, &[]);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    let _waiting = gate.arrival();
    run.signal(Signal::INT);
    run.wait()
        .exits(130)
        .prints(&["Run ID: ca1 was canceled after"]);
    assert_eq!(world.history(), ["web Canceled"]);
    assert_eq!(world.processes().len(), 0, "{:?}", world.processes());
    assert_eq!(registry.digest("web:latest"), None);
}

#[test]
fn second_ctrl_c_is_reported_like_the_first() {
    let (world, registry) = world();
    let gate = Gate::new();
    waiting_task(&world, &registry, &gate, &[]);
    for _ in 0..4 {
        let run = world.spawn(&["task", "run", "--name", "web"]);
        let _waiting = gate.arrival();
        run.signal(Signal::INT);
        // Now its process is about to end by itself.
        run.stdout_has("was canceled after");
        run.signal(Signal::INT);
        run.wait().exits(130).says(&["Ctrl-C"]);
    }
}

#[test]
fn run_timeout_ends_the_build_with_all_its_processes() {
    let (world, registry) = world();
    let gate = Gate::new();
    waiting_task(&world, &registry, &gate, &["--timeout", "1"]);
    let run = world.run("web").exits(1);
    run.prints(&["Run ID: ca1 timed out after"]);
    assert_eq!(world.history(), ["web Timeout"]);
    assert_eq!(world.processes().len(), 0, "{:?}", world.processes());
}

#[test]
fn failing_build_is_reported_with_the_failed_instruction() {
    let (world, registry) = world();
    world.task(
        &registry,
        "web",
        &format!("{}RUN exit 7\n", from(&registry, "base:1")),
    );
    world
        .run("web")
        .exits(1)
        .prints(&["Run ID: ca1 failed after"]);
    let run = &world.runs()[0];
    assert_eq!(run["status"], "Failed");
    let why = run["runErrorMessage"].as_str().unwrap();
    assert!(why.contains("build"), "{why}");
    assert_eq!(registry.digest("web:latest"), None);
}

#[test]
fn detached_run_continues_after_its_terminal_is_closed() {
    let (world, registry) = world();
    let gate = Gate::new();
    waiting_task(&world, &registry, &gate, &[]);
    // `script` gives it a terminal, and closes it when acrt has returned.
    let mut terminal = world.command(program("script"));
    let line = format!(
        "{} task run --name web --no-wait",
        env!("CARGO_BIN_EXE_acrt")
    );
    terminal
        .env("SHELL", "/bin/sh")
        .args(["-qec", &line, "/dev/null"]);
    let returned = world
        .start(terminal, "acrt task run --no-wait".to_owned())
        .wait()
        .ok();
    assert!(returned.stdout.contains("ca1"), "{returned}");

    let waiting = gate.arrival();
    let open = world
        .acrt(&["task", "show-run", "--run-id", "ca1"])
        .ok()
        .json();
    assert_eq!(open["status"], "Running");
    waiting.go_on();
    // Its log can be followed from another terminal to its end.
    let log = world.acrt(&["task", "logs", "--run-id", "ca1"]).ok();
    assert!(log.stdout.contains("Run ID: ca1 was successful"), "{log}");
    assert_eq!(world.history(), ["web Succeeded"]);
    assert!(registry.depends_on("web:latest", "base:1"));
}

#[test]
fn run_whose_process_died_is_in_error_and_the_next_run_recovers_it() {
    let (world, registry) = world();
    let gate = Gate::new();
    waiting_task(&world, &registry, &gate, &[]);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    let _orphan = gate.arrival();
    run.kill();
    assert_eq!(world.history(), ["web Error"]);
    assert!(!world.processes().is_empty());

    let next = world.spawn(&["task", "run", "--name", "web"]);
    let waiting = gate.arrival();
    waiting.go_on();
    next.wait().ok().says(&["ca1"]);
    assert_eq!(world.history(), ["web Error", "web Succeeded"]);
    assert_eq!(world.processes().len(), 0, "{:?}", world.processes());
}

#[test]
fn two_runs_of_one_task_are_serialized() {
    let (world, registry) = world();
    let gate = Gate::new();
    waiting_task(&world, &registry, &gate, &[]);
    let first = world.spawn(&["task", "run", "--name", "web"]);
    let waiting = gate.arrival();
    let second = world.spawn(&["task", "run", "--name", "web"]);
    second.stderr_has("ca2");
    let states = || -> Vec<String> { world.history() };
    assert_eq!(states(), ["web Running", "web Queued"]);
    waiting.go_on();
    first.wait().ok();
    gate.arrival().go_on();
    second.wait().ok();
    assert_eq!(states(), ["web Succeeded", "web Succeeded"]);
}

#[test]
fn local_only_base_image_is_built_on_and_reported_untracked() {
    let (world, registry) = world();
    let local = world.context("local", "FROM scratch\nCOPY Dockerfile /local\n");
    let mut build = world.command(world.path("bin/buildah"));
    build.args(["build", "-t", "localhost/only-here:1", &local]);
    world.start(build, "buildah build".to_owned()).wait().ok();
    world.task(
        &registry,
        "web",
        "FROM localhost/only-here:1\nCOPY Dockerfile /own\n",
    );
    world.run("web").ok();
    let run = &world.runs()[0];
    assert_eq!(run["status"], "Succeeded");
    assert_eq!(run["untrackedImages"][0]["image"], "localhost/only-here:1");
    assert!(registry.file("web:latest", "local").is_some());
    assert_eq!(world.state_of("web"), "follows-nothing");
}

/// A builder that replaces each `INCLUDE` of the Dockerfile by the named file, and builds the result with buildah.
fn including_builder(world: &World) {
    world.buildah();
    let script = r#"awk -v dir="$2" '/^INCLUDE/ { while ((getline line < (dir "/" $2)) > 0) print line; next } { print }' "$1" >"$1.compiled" &&
        BUILDAH build --tls-verify=false --file "$1.compiled" --tag "$3" "$2" && exec BUILDAH push --tls-verify=false "$3""#;
    let buildah = format!("'{}'", world.path("bin/buildah").display());
    world.fake("include", &script.replace("BUILDAH", &buildah));
    world.config(
        "builders:\n  command:\n    build: [include, '{dockerfile}', '{context}', '{image}']\n",
    );
    world.set("ACRT_BUILDER", "command");
}

#[test]
fn dockerfile_of_another_frontend_is_followed_as_far_as_it_can_be_read() {
    let (world, registry) = (World::new(), Registry::start());
    including_builder(&world);
    registry.push("frontend:1", &[]);
    registry.push("base:1", &[("version", "one")]);
    registry.push("tools:1", &[("tool", "one")]);
    let (base, tools) = (registry.image("base:1"), registry.image("tools:1"));
    world.write(
        "web/common.dockerfile",
        &format!("COPY --from={tools} /tool /included\n"),
    );
    world.task_with(
        &registry,
        "web",
        &format!(
            "# syntax={}\nFROM {base}\nINCLUDE  common.dockerfile\nCOPY --from={tools} /tool /tool\n",
            registry.image("frontend:1")
        ),
        &["--base-image-trigger-type=All"],
    );
    world
        .run("web")
        .ok()
        .prints(&["`INCLUDE  common.dockerfile` is not followed: read by another frontend"]);
    let file = |path: &str| registry.file("web:latest", path);
    assert_eq!(file("included").as_deref(), Some("one"));
    let run = &world.runs()[0];
    let unread = serde_json::json!([
        {"image": "INCLUDE  common.dockerfile", "reason": "read by another frontend"}
    ]);
    assert_eq!(run["untrackedImages"], unread);
    assert_eq!(run["baseImageDependencies"].as_array().unwrap().len(), 3);
    let check = world.acrt(&["task", "check"]).ok().json();
    assert_eq!(check[0]["untrackedImages"], unread);
    let pinned = fs::read_to_string(world.state().join("runs/ca1/dockerfile/Dockerfile")).unwrap();
    let lines: Vec<&str> = pinned.lines().collect();
    assert_eq!(lines[2], "INCLUDE  common.dockerfile");
    for (line, image) in [(0, "frontend"), (1, "base"), (3, "tools")] {
        let digest = registry.digest(&format!("{image}:1")).unwrap();
        let name = format!("{}@{digest}", registry.image(image));
        assert!(lines[line].contains(&name), "{pinned}");
    }

    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok();
    assert_eq!(file("version").as_deref(), Some("two"));
}

#[test]
fn folder_of_the_pinned_dockerfile_has_no_logins_in_it() {
    let (world, registry) = (World::new(), Registry::start());
    // BuildKit gives the folder of the Dockerfile to the frontend that the Dockerfile names.
    world.fake(
        "mybuild",
        r#"ls -A "$DOCKER_CONFIG"; echo "beside it: $(ls -A "$(dirname "$1")")"; exit 1"#,
    );
    world.config("builders:\n  command:\n    build: [mybuild, '{dockerfile}']\n");
    world.set("ACRT_BUILDER", "command");
    registry.push("base:1", &[]);
    world.task(&registry, "web", &from(&registry, "base:1"));
    let login = [
        "task",
        "credential",
        "add",
        "--name",
        "web",
        "-u",
        "u",
        "-p",
        "hunter2",
    ];
    let host = registry.host();
    world
        .acrt(&[&login[..], &["--login-server", &host]].concat())
        .ok();
    let output = world.run("web").exits(1).to_string();
    assert!(output.contains("config.json"), "{output}");
    assert!(output.contains("beside it: Dockerfile\n"), "{output}");
}

#[test]
fn run_that_cannot_start_in_the_background_says_why() {
    let (world, registry) = world();
    world.task(&registry, "web", &from(&registry, "base:1"));
    let _ = fs::remove_dir_all(world.state().join("runs"));
    world.write("state/runs", "");
    world
        .acrt(&["task", "run", "--name", "web", "--no-wait"])
        .exits(1)
        .says(&["cannot make the folder", "state/runs", "File exists"]);
}

#[test]
fn frontend_is_not_asked_for_with_a_builder_that_reads_dockerfiles_itself() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    // Docker Hub does not answer.
    world.set("HTTPS_PROXY", "http://127.0.0.1:1");
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!(
        "# syntax=docker/dockerfile:1\nFROM {}\n",
        registry.image("base:1")
    );
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &["--base-image-trigger-type=All"],
    );
    world.run("web").ok();
    let run = &world.runs()[0];
    assert_eq!(
        run["untrackedImages"],
        serde_json::json!([{
            "image": "docker/dockerfile:1",
            "reason": "the builder reads Dockerfiles itself, without a frontend"
        }])
    );
    assert_eq!(run["baseImageDependencies"].as_array().unwrap().len(), 1);
    assert_eq!(world.state_of("web"), "current");

    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok();
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn stage_name_of_another_frontend_is_not_taken_for_an_image() {
    let (world, registry) = (World::new(), Registry::start());
    including_builder(&world);
    // Docker Hub does not answer.
    world.set("HTTPS_PROXY", "http://127.0.0.1:1");
    let base = registry.push("base:1", &[("version", "one")]);
    registry.push("frontend:1", &[]);
    world.write(
        "web/stages.dockerfile",
        &format!("FROM {} AS node\n", registry.image("base:1")),
    );
    world.task(
        &registry,
        "web",
        &format!(
            "# syntax={}\nINCLUDE stages.dockerfile\nFROM node\nCOPY --from=node /version /copy\n",
            registry.image("frontend:1")
        ),
    );
    world.run("web").ok();
    assert_eq!(
        registry.file("web:latest", "copy").as_deref(),
        Some("one"),
        "{base}"
    );
    let run = &world.runs()[0];
    let images = run["untrackedImages"].as_array().unwrap();
    let images: Vec<_> = images.iter().map(|image| &image["image"]).collect();
    assert_eq!(images, ["node", "INCLUDE stages.dockerfile", "node"]);
}

#[test]
fn dockerfile_lines_without_images_are_left_for_the_builder_to_refuse() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let base = from(&registry, "base:1");
    world.task(
        &registry,
        "web",
        &format!("{base}EXPOSE +25\nSTOPSIGNAL SIGNEW\nNEW x\n"),
    );
    world.run("web").exits(1);
    assert_eq!(world.history(), ["web Failed"]);
    assert_eq!(calls.of("build").len(), 1);
}

#[test]
fn containerfile_is_found_and_built() {
    let (world, registry) = world();
    for name in ["dockerfile", "Containerfile"] {
        let (context, host) = (world.path(name), registry.host());
        world.write(&format!("{name}/{name}"), &from(&registry, "base:1"));
        world
            .acrt(&[
                "task",
                "create",
                &format!("--name={}", name.to_lowercase()),
                "--registry",
                &host,
                "--image=web:latest",
                &format!("--context={}", context.display()),
            ])
            .ok();
        world.run(&name.to_lowercase()).ok();
    }
    assert_eq!(world.runs().len(), 2);
}

#[test]
fn missing_base_image_fails_the_run_before_the_build() {
    let (world, registry) = world();
    let calls = world.buildah();
    world.task(&registry, "web", &from(&registry, "gone:1"));
    world.run("web").exits(1).says(&[&registry.image("gone:1")]);
    assert_eq!(world.history(), ["web Failed"]);
    assert_eq!(calls.of("build").len(), 0);
}

#[test]
fn unreachable_registry_makes_the_run_an_error_and_not_a_failure() {
    let (world, registry) = world();
    world.task(&registry, "web", &from(&registry, "base:1"));
    registry.stop();
    world.run("web").exits(4).says(&[&registry.host()]);
    assert_eq!(world.history(), ["web Error"]);
}

#[test]
fn build_argument_reaches_the_build_and_selects_the_base() {
    let (world, registry) = world();
    registry.push_shell("base:2", &[("version", "two")]);
    let dockerfile = format!(
        "ARG TAG=1\nFROM {}:${{TAG}}\nARG GREETING\nRUN echo $GREETING > /greeting\n",
        registry.image("base")
    );
    let options = ["--arg", "TAG=2", "--arg", "GREETING=hello, you"];
    world.task_with(&registry, "web", &dockerfile, &options);
    world.run("web").ok();
    assert!(registry.depends_on("web:latest", "base:2"));
    assert_eq!(
        registry.file("web:latest", "greeting").as_deref(),
        Some("hello, you\n")
    );
    // For one run only: the recorded dependencies of the task stay.
    world
        .acrt(&["task", "run", "--name", "web", "--arg", "TAG=1"])
        .ok()
        .prints(&["this run had other values than the task: what it was built on is not followed"]);
    assert!(registry.depends_on("web:latest", "base:1"));
    let task = world.acrt(&["task", "show", "--name", "web"]).ok().json();
    assert_eq!(task["step"]["baseImageDependencies"][0]["tag"], "2");
    let check = world.acrt(&["task", "check", "--images"]).ok().json();
    assert_eq!(check[0]["state"], "changed");
    let reason = check[0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("run ca2 had other values than the task")
            && !reason.contains("elsewhere"),
        "{reason}"
    );
    world.run("web").ok();
    assert_eq!(world.state_of("web"), "current");
}

/// A secret must reach the build, and nothing else: no process argument, no log, no file but its own.
fn keeps_a_secret(put_on_path: impl Fn(&World) -> Calls) {
    let canary = "canary-8d1f33";
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    let calls = put_on_path(&world);
    world.config(NETWORK);
    registry.push_shell("base:1", &[]);
    let dockerfile = format!(
        "{}ARG TOKEN\nRUN echo \"it is $TOKEN\"; [ \"$TOKEN\" = {canary} ] && {}\n",
        from(&registry, "base:1"),
        // The gate's own arguments must not be mistaken for the secret's.
        gate.wait_command()
    )
    .replace(canary, "$(printf %s-%s canary 8d1f33)");
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &["--secret-arg", &format!("TOKEN={canary}")],
    );

    let run = world.spawn(&["task", "run", "--name", "web", "--debug"]);
    let waiting = gate.arrival();
    let seen = processes::with_argument(canary);
    waiting.go_on();
    let output = run.wait().ok();
    assert!(seen.is_empty(), "{seen:?}");
    assert!(
        !output.stdout.contains(canary) && !output.stderr.contains(canary),
        "{output}"
    );
    assert!(output.stdout.contains("it is ***"), "{output}");
    for line in calls.lines() {
        assert!(!line.contains(canary), "{line}");
    }
    for (path, text) in world.state_files() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        let secrets = path.starts_with(world.state().join("secrets"));
        assert_eq!(text.contains(canary), secrets, "{}", path.display());
    }
    let shown = world.acrt(&["task", "show", "--name", "web"]).ok();
    assert!(!shown.stdout.contains(canary), "{shown}");
}

#[test]
fn buildah_does_not_leak_a_build_secret() {
    keeps_a_secret(World::buildah);
}

#[test]
fn podman_does_not_leak_a_build_secret() {
    keeps_a_secret(World::podman);
}

#[test]
fn docker_does_not_leak_a_build_secret() {
    keeps_a_secret(World::docker);
}

#[test]
fn buildx_does_not_leak_a_build_secret() {
    keeps_a_secret(World::buildx);
}

#[test]
fn dry_run_prints_the_build_commands_and_starts_none() {
    let (world, registry) = world();
    let calls = world.buildah();
    world.task_with(
        &registry,
        "web",
        &from(&registry, "base:1"),
        &["--secret-arg", "TOKEN=canary-8d1f33"],
    );
    let plan = world
        .acrt(&["task", "run", "--name", "web", "--dry-run"])
        .ok();
    assert!(
        plan.stdout.contains("buildah") && plan.stdout.contains("push"),
        "{plan}"
    );
    assert!(!plan.stdout.contains("canary"), "{plan}");
    assert!(plan.stdout.contains("--label=io.acrt.task=web"), "{plan}");
    let dry_run = ["task", "run", "--name", "web", "--dry-run", "-o", "json"];
    let lines = world.acrt(&dry_run).ok().json();
    assert_eq!(lines.as_array().unwrap().len(), plan.stdout.lines().count());
    assert_eq!(calls.of("build").len() + calls.of("push").len(), 0);
    assert_eq!(world.runs().len(), 0);
}

/// The image in a base's trigger cannot be pinned in the Dockerfile, and is still built with the resolved digest.
fn follows_triggers_of_a_base(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    registry.push("assets:1", &[("asset", "one")]);
    let trigger = format!("COPY --from={} /asset /asset", registry.image("assets:1"));
    let base = Image::of(&[("version", "one")]).on_build(&trigger);
    registry.push_image("onbuild:1", &base);
    world.task_with(
        &registry,
        "web",
        &from(&registry, "onbuild:1"),
        &["--base-image-trigger-type", "All"],
    );
    world.run("web").ok();
    let asset = || registry.file("web:latest", "asset");
    assert_eq!(asset().as_deref(), Some("one"));
    registry.push("assets:1", &[("asset", "two")]);
    world.watch_once().ok();
    assert_eq!(asset().as_deref(), Some("two"));
}

#[test]
fn buildah_pins_and_follows_images_of_onbuild_triggers() {
    follows_triggers_of_a_base(World::buildah);
}

#[test]
fn podman_pins_and_follows_images_of_onbuild_triggers() {
    follows_triggers_of_a_base(World::podman);
}

#[test]
fn docker_pins_and_follows_images_of_onbuild_triggers() {
    follows_triggers_of_a_base(World::docker);
}

#[test]
fn docker_credential_is_used_for_tag_lookup_build_and_push() {
    let builders = [
        World::buildah,
        World::podman,
        World::docker,
        World::buildx_elsewhere,
    ];
    for builder in builders {
        let (world, registry) = (World::new(), Registry::with_login());
        builder(&world);
        registry.push("base:1", &[("version", "one")]);
        world.task(&registry, "web", &from(&registry, "base:1"));
        world
            .run("web")
            .exits(4)
            .says(&[&format!("give a login: acrt login {}", registry.host())]);

        world.write("home/.docker/config.json", &registry.docker_config());
        world.run("web").ok();
        assert!(registry.depends_on("web:latest", "base:1"));
        for (path, text) in world.state_files() {
            assert!(!text.contains(PASSWORD), "{}", path.display());
        }
    }
}

/// A world in which `child` is built on the image of `parent`, and neither has run.
fn chain() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    // By name, the child would come first.
    let parent = registry.image("parent:latest");
    world.task(&registry, "a-child", &format!("FROM {parent}\n"));
    let base = registry.image("base:1");
    world.task(&registry, "parent", &format!("FROM {base}\n"));
    (world, registry)
}

#[test]
fn run_all_builds_never_run_tasks_in_dependency_order() {
    let (world, registry) = chain();
    world.task(&registry, "off", "FROM scratch\n");
    world
        .acrt(&["task", "update", "off", "--status", "Disabled"])
        .ok();
    let ran = world.acrt(&["task", "run", "--all", "--jobs", "4"]).ok();
    ran.prints(&[
        "parent: rebuilt, asked for by hand, run ca1",
        "a-child: rebuilt, asked for by hand",
    ]);
    assert_eq!(world.history(), ["parent Succeeded", "a-child Succeeded"]);
    assert_eq!(world.runs()[0]["runType"], "QuickRun");
    // Again, although everything is current.
    let ran = world.acrt(&["task", "run", "--all", "-o", "json"]).ok();
    let ran = ran.says(&["parent: rebuilt", "a-child: rebuilt"]).json();
    let of = |key: &str| Vec::from_iter(ran.as_array().unwrap().iter().map(|run| run[key].clone()));
    assert_eq!(of("task"), ["parent", "a-child"]);
    assert_eq!(of("status"), ["Succeeded", "Succeeded"]);
    assert_eq!(world.history().len(), 4);
    let none = ["task", "run", "--failed", "-o", "json"];
    assert_eq!(world.acrt(&none).ok().json(), serde_json::json!([]));
    world.acrt(&["task", "run", "--all", "web"]).exits(2);
    world
        .acrt(&["task", "run", "--all", "--target", "x"])
        .exits(2);
}

#[test]
fn run_all_skips_the_child_of_a_failed_parent_and_a_rerun_builds_both() {
    let (world, registry) = chain();
    let broken = format!("FROM {}\nCOPY gone /\n", registry.image("base:1"));
    world.context("parent", &broken);
    let query = ["--query", "[].[task,status]", "-o", "tsv"];
    let ran = world.acrt(&[&["task", "run", "--all"], &query[..]].concat());
    let ran = ran.exits(1).says(&["a-child: waiting"]);
    assert_eq!(ran.stdout, "parent\tFailed\n");
    assert_eq!(world.history(), ["parent Failed"]);
    world.context("parent", &format!("FROM {}\n", registry.image("base:1")));
    world.acrt(&["task", "run", "--failed"]).ok();
    assert_eq!(world.history(), ["parent Failed", "parent Succeeded"]);
}

#[test]
fn run_stale_builds_stale_tasks_only() {
    let (world, registry) = chain();
    world.acrt(&["task", "run", "--all"]).ok();
    registry.push("other:1", &[("version", "one")]);
    let other = format!("FROM {}\n", registry.image("other:1"));
    world.tracked_task(&registry, "other", &other);
    let nothing = world.acrt(&["task", "run", "--stale"]).ok();
    nothing.says(&["nothing to run; how the tasks are doing: acrt status"]);
    registry.push("base:1", &[("version", "two")]);
    world.acrt(&["task", "run", "--failed"]).ok();
    assert_eq!(world.history().len(), 3);
    world.acrt(&["task", "run", "--stale"]).ok();
    assert_eq!(
        world.history()[3..],
        ["parent Succeeded", "a-child Succeeded"]
    );
    // The cause is the moved base, although a person started the run.
    let cause = &world.runs()[1]["imageUpdateTrigger"];
    assert!(cause.is_object(), "{cause}");
}

#[test]
fn keep_vcs_of_a_run_applies_to_that_run_only() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.task(&registry, "web", "FROM scratch\nCOPY . /all/\n");
    world.write("web/.gitignore", "target\n");
    let kept = || registry.file("web:latest", "all/.gitignore");
    world.acrt(&["task", "run", "-n", "web", "--keep-vcs"]).ok();
    assert_eq!(kept().as_deref(), Some("target\n"));
    world.run("web").ok();
    assert_eq!(kept(), None);
}
