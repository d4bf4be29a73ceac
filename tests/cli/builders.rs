//! Behaviour of single kinds of builders: buildx, buildctl, and a docker that is podman.

use crate::support::{Calls, Image, Registry, World, program};

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

/// Puts a stand-in for buildctl on `PATH`, which Debian does not package. It pushes the Dockerfile's base under the given name,
/// and writes its digest as buildctl does.
fn buildctl(world: &World) -> Calls {
    let script = format!(
        r#"[ "$1 $2" = 'debug workers' ] && exec echo 'daemon v0'
for word; do
    case $word in
        --local=dockerfile=*) folder=${{word#--local=dockerfile=}} ;;
        --output=*) name=$(printf %s "$word" | sed 's/.*,name=\([^,]*\),push=true.*/\1/') ;;
        --metadata-file=*) metadata=${{word#--metadata-file=}} ;;
    esac
done
image=$(sed -n 's/^FROM //p' "$folder/Dockerfile")
'{}' copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \
    --digestfile "$metadata" "docker://$image" "docker://$name" || exit
printf '{{"containerimage.digest": "%s"}}' "$(cat "$metadata")" > "$metadata"
"#,
        program("skopeo").display()
    );
    world.fake("buildctl", &script)
}

#[test]
fn buildah_without_netavark_fails_with_the_name_of_the_package() {
    let world = World::new();
    let said =
        "Error: creating build container: could not find \"netavark\" in one of [/usr/lib/podman].";
    let script = format!(
        "case $1 in build) echo '{said}' >&2; exit 125 ;; esac\nexec '{}' \"$@\"",
        program("buildah").display()
    );
    world.fake("buildah", &script);
    let context = world.context("web", "FROM scratch\n");
    let build = [
        "build",
        "-r",
        "localhost:1",
        "--no-push",
        "-t",
        "web:1",
        &context,
    ];
    let hint = "apt-get install netavark";
    world.acrt(&build).exits(1).says(&[said, hint]);
}

#[test]
fn buildctl_builds_pushes_and_reports_the_digest() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = buildctl(&world);
    registry.push("base:1", &[("version", "one")]);
    let options = ["--platform", "linux/amd64", "--arg", "A=-b c,d"];
    world.task_with(&registry, "web", &from(&registry, "base:1"), &options);
    world.run("web").ok();
    let base = registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(registry.digest("web:latest"), Some(base.clone()));
    let run = &world.runs()[0];
    assert_eq!(run["outputImages"][0]["digest"], base);
    assert_eq!(run["builder"], "buildctl");
    assert_eq!(calls.of("build").len(), 2);
    let call = &calls.of("build")[0];
    for part in [
        "build --frontend=dockerfile.v0 --local=context=",
        " --opt=filename=Dockerfile ",
        " --opt=build-arg:A=-b c,d ",
        " --opt=label:io.acrt.task=web ",
        " --opt=platform=linux/amd64 ",
    ] {
        assert!(call.contains(part), "{part:?} in {call}");
    }
    let left = world.state_files();
    assert!(
        left.iter()
            .all(|(path, _)| !path.ends_with("metadata-1.json"))
    );
    world.watch_once().ok().silent();
}

#[test]
fn files_left_out_of_a_context_are_not_given_to_another_frontend() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = buildctl(&world);
    registry.push("base:1", &[]);
    registry.push("frontend:1", &[]);
    let syntax = format!("# syntax={}\n", registry.image("frontend:1"));
    for (name, syntax) in [("plain", ""), ("foreign", &*syntax)] {
        world.write(&format!("{name}/.git/config"), "");
        let dockerfile = format!("{syntax}{}", from(&registry, "base:1"));
        world.task(&registry, name, &dockerfile);
        world.run(name).ok();
        let call = calls.of("build").pop().unwrap();
        let own = format!("--local=context={} ", world.path(name).display());
        assert_eq!(call.contains(&own), syntax.is_empty(), "{call}");
    }
}

#[test]
fn buildctl_refuses_secret_arguments_and_multi_step_tasks() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = buildctl(&world);
    registry.push("base:1", &[]);
    let options = ["--secret-arg", "TOKEN=hunter2"];
    world.task_with(&registry, "web", &from(&registry, "base:1"), &options);
    world
        .run("web")
        .exits(1)
        .says(&["`TOKEN`", "--builder buildx"]);
    let cmd = format!("--cmd={} true", registry.image("base:1"));
    world
        .acrt(&["run", "--registry", &registry.host(), &cmd, "/dev/null"])
        .exits(1)
        .says(&["multi-step", "--builder docker"]);
    assert_eq!(calls.of("build").len(), 0);
}

#[test]
fn podman_installed_as_docker_is_called_as_podman() {
    let (world, registry) = (World::new(), Registry::start());
    let podman = world.podman();
    let path = world.path("bin/podman");
    let docker = world.fake(
        "docker",
        &format!(
            "echo Emulate Docker CLI using podman. >&2\nexec '{}' \"$@\"",
            path.display()
        ),
    );
    registry.push("base:1", &[("version", "one")]);
    world.task(&registry, "web", &from(&registry, "base:1"));
    world.run("web").ok();
    assert!(registry.depends_on("web:latest", "base:1"));
    assert_eq!(world.runs()[0]["builder"], "podman");
    assert_eq!(docker.of("push").len(), 0);
    assert_eq!(podman.of("push").len(), 1);
    world
        .acrt(&["task", "run", "--name", "web", "--builder", "buildx"])
        .exits(2)
        .says(&["is podman, which has no buildx"]);
}

#[test]
fn buildx_pins_an_image_whose_name_differs_between_platforms() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.buildx_elsewhere();
    let push = |name: &str, platform: &str, text: &str| {
        registry.push_image(name, &Image::of(&[("version", text)]).platform(platform));
    };
    push("base-amd64:1", "linux/amd64", "one");
    push("base-arm64:1", "linux/arm64", "one for arm");
    let base = format!("{}/base-$TARGETARCH:1", registry.host());
    let options = ["--platform", "linux/amd64,linux/arm64"];
    world.task_with(&registry, "web", &format!("FROM {base}\n"), &options);
    let run = world.run("web").ok();
    let name = registry.image("base-arm64:1");
    let digest = registry.digest("base-arm64:1").unwrap();
    let pin = format!(
        "--build-context={name}=docker-image://{}@{digest}",
        registry.image("base-arm64")
    );
    let calls = calls.lines();
    let build = calls.iter().rfind(|it| it.starts_with("buildx build "));
    assert!(build.unwrap().contains(&pin), "{pin} in {calls:?}");
    // BuildKit prints the named context.
    assert!(run.stdout.contains(&format!("[context {name}]")), "{run}");
    push("base-arm64:1", "linux/arm64", "two for arm");
    world.watch_once().ok().prints(&["web: rebuilt"]);
    world.watch_once().ok().silent();
}

#[test]
fn docker_loads_the_image_that_a_remote_builder_built() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.buildx_elsewhere();
    world.set("ACRT_BUILDER", "docker");
    let mut names = world.command(world.path("bin/docker"));
    names.args(["buildx", "inspect"]);
    let inspected = world
        .start(names, "docker buildx inspect".into())
        .wait()
        .ok();
    let name = inspected
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("Name:"));
    world.set("BUILDX_BUILDER", name.unwrap().trim());
    registry.push("base:1", &[("version", "one")]);
    world.task(&registry, "web", &from(&registry, "base:1"));
    world.run("web").ok();
    assert!(registry.depends_on("web:latest", "base:1"));
    assert_eq!(calls.of("push").len(), 1);
}

#[test]
fn buildx_runs_multi_step_task_with_docker() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildx();
    registry.push_shell("base:1", &[("version", "one")]);
    let context = world.context("web", &from(&registry, "base:1"));
    world.write(
        "web/acb.yaml",
        "version: v1.1.0\nsteps:\n\
         - build: -t $Registry/web:{{.Run.ID}} .\n\
         - cmd: $Registry/web:{{.Run.ID}} sh -c 'echo run by docker'\n  network: host\n\
         - push: [\"$Registry/web:{{.Run.ID}}\"]\n",
    );
    let run = world
        .acrt(&["run", "--registry", &registry.host(), &context])
        .ok();
    assert!(run.stdout.contains("| run by docker"), "{run}");
    assert!(registry.depends_on("web:ca1", "base:1"));
}

#[test]
fn builder_health_is_that_of_its_daemon() {
    let world = World::new();
    buildctl(&world);
    let check = |builder: &str| {
        let output = world.acrt(&["check-health", "--builder", builder]);
        output.json()[0].clone()
    };
    let finding = check("buildctl");
    assert_eq!(finding["subject"], "buildctl");
    assert_eq!(finding["status"], "ok");
    world.fake(
        "buildctl",
        "echo 'error: failed to list workers: Unavailable'; exit 1",
    );
    let finding = check("buildctl");
    assert_eq!(finding["status"], "failed");
    assert!(finding["detail"].as_str().unwrap().ends_with("Unavailable"));
    world.newer_docker();
    let finding = check("buildx");
    assert_eq!(
        (&finding["subject"], &finding["status"]),
        (&"buildx".into(), &"ok".into())
    );
    assert!(
        finding["detail"]
            .as_str()
            .unwrap()
            .contains("docker/buildx")
    );
    world.set("DOCKER_HOST", "unix:///nowhere");
    world.fake(
        "docker",
        &format!("exec '{}' \"$@\"", program("docker").display()),
    );
    assert_eq!(check("buildx")["status"], "failed");
}

#[test]
fn unknown_builder_in_the_environment_is_wrong_usage_and_makes_no_run() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.task(&registry, "web", "FROM scratch\n");
    world.set("ACRT_BUILDER", "foo");
    world
        .run("web")
        .exits(2)
        .says(&["cannot use ACRT_BUILDER", "no builder `foo`"]);
    world.set("ACRT_BUILDER", "buildah");
    assert_eq!(
        world.acrt(&["task", "list-runs"]).ok().json(),
        serde_json::json!([])
    );
}
