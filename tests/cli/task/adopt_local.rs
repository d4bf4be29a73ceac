//! Tasks without a registry: images in the builder's store, chains of them, and services that are recreated.

use std::fs;

use serde_json::Value;

use crate::support::{Output, Registry, World, builders::compose_plugin};

/// Runs a docker command in a folder of the world.
fn docker(world: &World, folder: &str, args: &[&str]) -> Output {
    let mut command = world.command(world.path("bin/docker"));
    command.args(args).current_dir(world.path(folder));
    world
        .start(command, format!("docker {}", args.join(" ")))
        .wait()
}

fn printed(output: Output) -> String {
    output.ok().stdout.trim().to_owned()
}

fn state(world: &World, name: &str) -> (String, String) {
    let answer = world
        .acrt(&["task", "check", "-n", name, "-o", "json"])
        .json();
    let task = answer
        .as_array()
        .unwrap()
        .iter()
        .find(|task| task["name"] == name)
        .unwrap();
    let text = |key: &str| task[key].as_str().unwrap().to_owned();
    (text("state"), text("reason"))
}

const COMPOSE: &str = "name: shop
x-quiet: &quiet {network_mode: none, stop_grace_period: 0s, command: [/bin/busybox, sleep, '1000']}
services:
  base: {<<: *quiet, build: ./base}
  web: {<<: *quiet, image: example/web, build: {context: ./web, additional_contexts: [parent=service:base]}}
  api: {<<: *quiet, build: ./api}
  lone: {<<: *quiet, build: ./lone}
  idle: {<<: *quiet, build: ./api, image: example/idle, profiles: [idle]}
  worker: {<<: *quiet, image: example/web, build: {context: ./web, additional_contexts: [parent=service:base]}}
  cron: {<<: *quiet, image: 'example/web:latest'}
  stopped: {<<: *quiet, image: example/web, profiles: [stopped]}
";

#[test]
fn adopted_local_services_with_a_changed_image_are_restarted_without_a_registry() {
    let (world, registry) = (World::new(), Registry::start());
    world.newer_docker();
    registry.push_shell("from:1", &[("version", "one")]);
    registry.push_shell("other:1", &[("version", "one")]);
    world.write("shop/compose.yaml", COMPOSE);
    world.write(
        "shop/base/Dockerfile",
        &format!("FROM {}\n", registry.image("from:1")),
    );
    world.write("shop/web/Dockerfile", "FROM parent\nENV WEB=1\n");
    world.write("shop/api/Dockerfile", "FROM shop-base\nENV API=1\n");
    world.write(
        "shop/lone/Dockerfile",
        &format!("FROM {}\n", registry.image("other:1")),
    );
    let shop = world.path("shop").display().to_string();
    let hook = world.write("hook.sh", "#!/bin/sh\necho \"$ACRT_COMPOSE_PROJECT $ACRT_COMPOSE_SERVICE $ACRT_COMPOSE_FILE\" >> \"$ACRT_STATE_DIR/../told\"\n");
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let hook = hook.display().to_string();
    let line = [
        "task",
        "adopt",
        &shop,
        "--local",
        "--compose-up",
        "--on-success",
        &hook,
        "--yes",
        "--run",
        "-o",
        "json",
    ];
    let answer = world.acrt(&line).ok().json();
    let names: Vec<&str> = answer["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["base", "web", "api", "lone", "idle"]);
    for name in names {
        assert_eq!(state(&world, name).0, "current", "{name}");
    }
    docker(&world, "shop", &["compose", "up", "--detach", "--no-build"]).ok();
    let container = |service: &str| {
        printed(docker(
            &world,
            "shop",
            &["compose", "ps", "--all", "--quiet", service],
        ))
    };
    let version = |service: &str| {
        printed(docker(
            &world,
            "shop",
            &[
                "compose",
                "exec",
                "-T",
                service,
                "/bin/busybox",
                "cat",
                "/version",
            ],
        ))
    };
    let (web, lone) = (container("web"), container("lone"));
    assert_eq!(version("web"), "one");
    registry.push_shell("from:1", &[("version", "two")]);
    assert_eq!(state(&world, "web").0, "waiting");
    world.watch_once().ok();
    assert_eq!(
        (version("web"), version("api")),
        ("two".into(), "two".into())
    );
    assert_ne!(container("web"), web);
    assert_eq!(container("lone"), lone, "its image is the same");
    assert_eq!(container("idle"), "", "it was not running");
    let same = ["worker", "cron"].map(version);
    assert_eq!(
        same,
        ["two", "two"],
        "their image is that of another service"
    );
    assert_eq!(container("stopped"), "", "it was not running");
    let told = fs::read_to_string(world.path("told")).unwrap();
    assert!(
        told.contains(&format!("shop web {shop}/compose.yaml")),
        "{told}"
    );
    assert_eq!(state(&world, "web").0, "current");
    docker(&world, "shop", &["image", "rm", "--force", "shop-base"]).ok();
    assert_eq!(state(&world, "web").0, "missing");
}

#[test]
fn adopted_local_podman_images_are_followed_through_their_chain() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.podman();
    registry.push("from:1", &[("version", "one")]);
    world.write(
        "tree/base/Dockerfile",
        &format!("FROM {}\n", registry.image("from:1")),
    );
    world.write("tree/app/Containerfile", "FROM base\nLABEL app=1\n");
    world.write(
        "tree/tool/Dockerfile",
        "FROM scratch\nCOPY --from=app /version /tool\n",
    );
    let tree = world.path("tree").display().to_string();
    world
        .acrt(&["task", "adopt", &tree, "--local", "--yes", "--run"])
        .ok();
    for name in ["base", "app", "tool"] {
        assert_eq!(state(&world, name).0, "current", "{name}");
    }
    let made = |name: &str| -> Value {
        let answer = world.acrt(&["task", "show", "-n", name]).ok().json();
        answer["tracking"]["runId"].clone()
    };
    let before = ["base", "app", "tool"].map(made);
    world.watch_once().ok();
    assert_eq!(
        ["base", "app", "tool"].map(made),
        before,
        "nothing has moved"
    );
    registry.push("from:1", &[("version", "two")]);
    world.watch_once().ok();
    for (name, before) in ["base", "app", "tool"].iter().zip(before) {
        assert_ne!(made(name), before, "{name}");
    }
    assert!(calls.of("push").is_empty());
    assert_eq!(registry.digest("base:latest"), None);
}

#[test]
fn task_create_local_works_and_reports_a_missing_parent_image() {
    let world = World::new();
    world.buildah();
    let context = world.context("app", "FROM parent\n");
    let parent = world.context("parent", "FROM scratch\nCOPY Dockerfile /\n");
    let create = |name: &str, context: &str| {
        world
            .acrt(&[
                "task", "create", "-n", name, "-t", name, "-c", context, "--local",
            ])
            .ok()
    };
    create("app", &context);
    create("parent", &parent);
    let shown = world.acrt(&["task", "show", "-n", "app"]).ok().json();
    assert_eq!(
        (&shown["step"]["isLocal"], &shown["registry"]),
        (&Value::from(true), &Value::from("localhost"))
    );
    world
        .acrt(&["task", "run", "-n", "app"])
        .exits(1)
        .says(&["`parent:latest` is not with the builder"]);
    world.acrt(&["task", "run", "-n", "parent"]).ok();
    world.acrt(&["task", "run", "-n", "app"]).ok();
    assert_eq!(state(&world, "app").0, "current");
}

#[test]
fn local_child_is_never_built_on_a_registrys_image_while_its_parent_is_broken_or_gone() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let name = registry.image("lo:1");
    let create = |task: &str, image: &str, dockerfile: &str| {
        let context = world.context(task, dockerfile);
        let args = ["task", "create", "-n", task, "-t", image, "-c", &context];
        world.acrt(&[&args[..], &["--local"]].concat()).ok();
    };
    let from = format!("FROM {name}\n");
    create("parent", &name, "FROM scratch\nCOPY Dockerfile /\n");
    create("child", "child:1", &from);
    world.acrt(&["task", "run", "-n", "parent"]).ok();
    world.acrt(&["task", "run", "-n", "child"]).ok();
    registry.push("lo:1", &[("version", "of a stranger")]);
    registry.forget_requests();
    let runs = || -> usize {
        let answer = world.acrt(&["task", "list-runs", "-n", "child"]).ok();
        answer.json().as_array().unwrap().len()
    };
    for (folder, file) in [
        ("tasks", "localhost/parent.yaml"),
        ("baselines", "localhost/parent.json"),
    ] {
        let path = world.state().join(folder).join(file);
        let text = fs::read(&path).unwrap();
        fs::write(&path, "{").unwrap();
        world.watch_once().exits(1);
        assert_eq!(state(&world, "child").0, "current", "{folder}");
        create("late", "late:1", &from);
        world.acrt(&["task", "run", "-n", "late"]).ok();
        world.acrt(&["task", "delete", "-n", "late", "-y"]).ok();
        fs::write(&path, text).unwrap();
    }
    world.acrt(&["task", "delete", "-n", "parent", "-y"]).ok();
    world.watch_once().ok();
    assert_eq!(runs(), 1);
    world.acrt(&["task", "run", "-n", "child"]).ok();
    world.watch_once().ok();
    assert_eq!((state(&world, "child").0.as_str(), runs()), ("current", 2));
    let is_asked = || -> bool {
        let mut asked = registry.requests().into_iter();
        asked.any(|it| it.path.starts_with("/v2/lo/"))
    };
    assert!(!is_asked());
    // A task that pushes the image is a better source than what the last run did.
    let context = world.context("pushed", "FROM scratch\nCOPY Dockerfile /\n");
    let args = [
        "task", "create", "-n", "pushed", "-t", &name, "-c", &context,
    ];
    world.acrt(&args).ok();
    world.acrt(&["task", "run", "-n", "pushed"]).ok();
    world.watch_once().ok();
    assert_eq!((state(&world, "child").0.as_str(), runs()), ("current", 3));
    assert!(is_asked());
}

#[test]
fn edited_compose_file_makes_its_local_tasks_changed() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("from:1", &[("version", "one")]);
    let compose = |args: &str| {
        let text = format!(
            "services:\n  web: {{build: {{context: ./web, args: {{{args}}}}}}}\n  api: {{build: ./web, image: api}}\n"
        );
        world.write("shop/compose.yaml", &text);
    };
    compose("A: '1'");
    world.write(
        "shop/web/Dockerfile",
        &format!("FROM {}\nARG A\n", registry.image("from:1")),
    );
    let shop = world.path("shop").display().to_string();
    let adopt = [
        "task",
        "adopt",
        &shop,
        "-r",
        &registry.host(),
        "--yes",
        "--run",
    ];
    world.acrt(&adopt).ok();
    assert_eq!(state(&world, "web").0, "current");
    compose("A: '2'");
    let (word, reason) = state(&world, "web");
    assert_eq!(word, "changed");
    assert!(
        reason.contains("compose.yaml` now describes `web` differently"),
        "{reason}"
    );
    let adopted = format!("acrt task adopt {shop}/compose.yaml");
    assert!(reason.contains(&adopted), "{reason}");
    assert_eq!(state(&world, "api").0, "current");
    world.watch_once().exits(0);
    assert_eq!(
        state(&world, "web").0,
        "changed",
        "no run of the old definition makes it current"
    );
    world.acrt(&["task", "run", "-n", "web"]).ok();
    assert_eq!(state(&world, "web").0, "changed");
    world.acrt(&adopt).ok();
    assert_eq!(state(&world, "web").0, "current");
    world.write("shop/compose.yaml", "services: {}\n");
    assert_eq!(state(&world, "api").0, "changed");
}

#[test]
fn unset_variable_of_an_adopted_compose_file_is_named_and_a_broken_file_is_not_to_be_adopted() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("from:1", &[("version", "one")]);
    let compose = "services:\n  web: {build: {context: ., args: {V: '${V}', W: }}}\n";
    world.write("shop/compose.yaml", compose);
    let dockerfile = format!("FROM {}\nARG V\nARG W\n", registry.image("from:1"));
    world.write("shop/Dockerfile", &dockerfile);
    let mut adopt = world.command(env!("CARGO_BIN_EXE_acrt"));
    let registry = registry.host();
    let line = ["task", "adopt", "shop", "-r", &registry, "--yes", "--run"];
    adopt.env("V", "7").env("W", "8").args(line);
    world.start(adopt, "acrt task adopt".into()).wait().ok();
    let (word, reason) = state(&world, "web");
    assert_eq!(word, "changed");
    assert!(
        reason.contains("as variables `V`, `W` are not set here") && reason.contains("`.env`"),
        "{reason}"
    );
    world.write("shop/.env", "V=7\nW=8\n");
    assert_eq!(state(&world, "web").0, "current");
    world.write("shop/compose.yaml", "services: [\n");
    let (word, reason) = state(&world, "web");
    assert_eq!(word, "changed");
    assert!(
        reason.ends_with("; correct the file") && !reason.contains("acrt task adopt"),
        "{reason}"
    );
}

#[test]
fn thirty_adopted_services_in_chains_are_built_in_order_and_rebuilt_when_a_base_moves() {
    let (world, registry) = (World::new(), Registry::start());
    world.newer_docker();
    let big = world.path("big").display().to_string();
    let line = [
        "task",
        "adopt",
        &big,
        "--local",
        "--compose-up",
        "--yes",
        "--run",
        "-o",
        "json",
    ];
    let mut compose = "name: big\nservices:\n".to_owned();
    // Three roots with three children each, and these with two each, listed root by root.
    for root in 0..3 {
        let from = registry.image(&format!("from{root}:1"));
        registry.push_shell(&format!("from{root}:1"), &[("version", "one")]);
        compose +=
            &format!("  root{root}: {{build: {{context: ., dockerfile_inline: FROM {from}}}}}\n");
        for child in 0..3 {
            let name = format!("mid{root}{child}");
            compose += &format!(
                "  {name}:\n    image: example/{name}\n    build: {{context: ., dockerfile_inline: \"FROM big-root{root}\\nENV MID={child}\\n\"}}\n"
            );
            for leaf in 0..2 {
                compose += &format!(
                    "  a{root}{child}{leaf}:\n    network_mode: none\n    stop_grace_period: 0s\n    command: [/bin/busybox, sleep, '1000']\n    build:\n      context: .\n      additional_contexts: [up=service:{name}]\n      dockerfile_inline: \"FROM up\\nENV LEAF={leaf}\\n\"\n"
                );
            }
        }
        world.write("big/compose.yaml", &compose);
        let answer = world.acrt(&line).ok().json();
        let tasks = answer["tasks"].as_array().unwrap();
        let new = tasks.iter().filter(|task| task["change"] == "new").count();
        assert_eq!((tasks.len(), new), (10 * (root + 1), 10));
    }
    docker(
        &world,
        "big",
        &["compose", "up", "--detach", "--no-build", "a000", "a221"],
    )
    .ok();
    let version = |service: &str| {
        let line = [
            "compose",
            "exec",
            "-T",
            service,
            "/bin/busybox",
            "cat",
            "/version",
        ];
        printed(docker(&world, "big", &line))
    };
    assert_eq!(
        (version("a000"), version("a221")),
        ("one".into(), "one".into())
    );
    registry.push_shell("from0:1", &[("version", "two")]);
    world.watch_once().ok();
    assert_eq!(
        (version("a000"), version("a221")),
        ("two".into(), "one".into())
    );
    let states = world.states();
    assert_eq!(states.len(), 30);
    assert!(
        states.values().all(|state| state == "current"),
        "{states:?}"
    );
}

/// Adopts a service whose file and profile must be named, moves its base, and returns whether it was recreated.
fn is_started_anew(world: &World, program: &[&str]) -> bool {
    let registry = Registry::start();
    registry.push_shell("from:1", &[("version", "one")]);
    let from = registry.image("from:1");
    let quiet = "network_mode: none, stop_grace_period: 0s, command: [/bin/busybox, sleep, '1000']";
    let service = |profile: &str| {
        format!(
            "{{{quiet}, image: 'example/{profile}', profiles: [{profile}], build: {{context: ./late, dockerfile: Dockerfile}}}}"
        )
    };
    let compose = format!(
        "version: '3.9'\nservices:\n  late: {}\n  idle: {}\n",
        service("night"),
        service("idle")
    );
    world.write("shop/prod.yaml", &compose);
    world.write(
        "shop/more.yaml",
        "version: '3.9'\nservices: {late: {build: {args: {A: '1'}}}}\n",
    );
    world.write(
        "shop/compose.yaml",
        "version: '3.9'\nservices: {other: {image: none}}\n",
    );
    world.write("shop/.env", "COMPOSE_FILE=prod.yaml:more.yaml\n");
    world.write(
        "shop/late/Dockerfile",
        &format!("FROM {from}\nARG A\nENV A=$A\n"),
    );
    let shop = world.path("shop").display().to_string();
    let line = [
        "task",
        "adopt",
        &shop,
        "--local",
        "--compose-up",
        "--yes",
        "--run",
    ];
    world.acrt(&line).ok();
    let compose = |args: &[&str]| {
        let mut call = world.command(world.path("bin").join(program[0]));
        call.args(&program[1..])
            .args(args)
            .current_dir(world.path("shop"));
        world.start(call, format!("{program:?} {args:?}")).wait()
    };
    compose(&["--profile", "night", "up", "--detach", "--no-build", "late"]).ok();
    // From now on only the definition says which files these are.
    world.write("shop/.env", "OTHER=1\n");
    let container = || {
        let label = "label=com.docker.compose.service=late";
        printed(docker(world, "shop", &["ps", "--quiet", "--filter", label]))
    };
    let before = container();
    assert!(!before.is_empty());
    assert_eq!(state(world, "late").0, "current");
    registry.push_shell("from:1", &[("version", "two")]);
    world.watch_once().ok();
    let all = printed(docker(world, "shop", &["ps", "--all", "--quiet"]));
    assert_eq!(all.lines().count(), 1, "{all}");
    container() != before
}

#[test]
fn compose_service_with_a_profile_and_several_files_is_restarted() {
    let world = World::new();
    world.newer_docker();
    assert!(is_started_anew(&world, &["docker", "compose"]));
}

#[test]
fn standalone_docker_compose_restarts_services_where_docker_has_no_plugin() {
    let world = World::new();
    world.docker();
    let program = compose_plugin();
    let docker = fs::read_to_string(world.path("bin/docker")).unwrap();
    let host = docker
        .lines()
        .find(|line| line.contains("DOCKER_HOST"))
        .unwrap();
    let calls = world.fake(
        "docker-compose",
        &format!("{host}\nexec '{}' \"$@\"", program.display()),
    );
    assert!(is_started_anew(&world, &["docker-compose"]));
    assert!(
        calls
            .lines()
            .iter()
            .any(|line| line.contains("--no-build -- late"))
    );
}

#[test]
fn local_task_without_a_builder_waits_for_the_one_that_has_its_images() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    world.buildah();
    let path = world.path("bin/docker");
    let docker = fs::read_to_string(&path).unwrap();
    let dead = format!(
        "if test -e '{}'; then echo 'Cannot connect to the Docker daemon' >&2; exit 1; fi",
        world.path("away").display()
    );
    fs::write(&path, docker.replacen('\n', &format!("\n{dead}\n"), 1)).unwrap();
    registry.push("base:1", &[("version", "one")]);
    world.write(
        "shop/Dockerfile",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    let now = |time: &str| world.set("ACRT_NOW", &format!("2026-01-31T08:{time}Z"));
    now("00:00");
    world
        .acrt(&["task", "adopt", "shop", "--local", "--yes", "--run"])
        .ok();
    registry.push("base:1", &[("version", "two")]);
    world.write("away", "");
    now("10:00");
    let waits = "waiting: builder docker does not answer since";
    world.watch_once().exits(4).says(&[waits]);
    fs::remove_file(world.path("away")).unwrap();
    now("11:00");
    world.watch_once().ok().prints(&["shop: rebuilt"]);
    assert_eq!(state(&world, "shop").0, "current");
}
