//! `acrt task create`: a definition is checked before it is stored.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::{Output, Registry, World};

/// A machine with buildah, a registry with `base:1`, and that registry.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    (world, registry)
}

fn create(world: &World, options: &[&str]) -> Output {
    world.acrt(&[&["task", "create"], options].concat())
}

#[test]
fn task_create_writes_a_readable_definition_file() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    create(
        &world,
        &[
            "-n",
            "web",
            "-r",
            "localhost:5000",
            "-t",
            "web:latest",
            "-c",
            &context,
            "--arg",
            "A=b",
        ],
    )
    .ok();
    let path = world.state().join("tasks/localhost:5000/web.yaml");
    let text = fs::read_to_string(&path).unwrap();
    for line in [
        "schema: 1",
        "name: web",
        "registry: localhost:5000",
        "status: Enabled",
        "type: Docker",
        &format!("contextPath: {context}"),
        "dockerFilePath: Dockerfile",
        "- web:latest",
        "name: A",
        "baseImageTriggerType: Runtime",
    ] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&world.state()), 0o700);
}

#[test]
fn task_create_normalizes_platforms_and_refuses_unknown_ones_with_the_known() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let with = |platform: &str| {
        let place = [
            "-n",
            "web",
            "-r",
            "localhost:5000",
            "-t",
            "web:latest",
            "-c",
            &context,
        ];
        create(&world, &[&place[..], &["--platform", platform]].concat())
    };
    for (given, kept) in [
        ("arm64", "linux/arm64"),
        ("arm/v7", "linux/arm/v7"),
        ("linux", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("windows(10.0.20348.1)/amd64", "windows(10.0.20348.1)/amd64"),
    ] {
        assert_eq!(with(given).ok().json()["platforms"][0], kept, "{given}");
    }
    with("arm64/amd64")
        .exits(2)
        .says(&["operating system", "linux, ", "windows"]);
    with("linux/arm65")
        .exits(2)
        .says(&["architecture", "amd64, ", "riscv64"]);
    // An invalid definition of an older acrt is reported with its path, and affects only its own task.
    let path = world.state().join("tasks/localhost:5000/web.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("windows(10.0.20348.1)/amd64", "arm64/amd64");
    fs::write(&path, text).unwrap();
    world.acrt(&["task", "show", "-n", "web"]).exits(2).says(&[
        "web.yaml",
        "platform `arm64/amd64` has an unknown operating system",
    ]);
}

#[test]
fn definition_written_by_hand_is_a_task() {
    let (world, registry) = world();
    let host = registry.host();
    world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    world.write(
        &format!("state/tasks/{host}/web.yaml"),
        &format!(
            "schema: 1\nname: web\nregistry: {host}\nstep:\n  type: Docker\n  contextPath: ../../../web\n  \
             dockerFilePath: Dockerfile\n  imageNames: [web:latest]\ntrigger: {{baseImageTrigger: {{}}}}\n"
        ),
    );
    world.run("web").ok();
    assert!(registry.depends_on("web:latest", "base:1"));
    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok();
    assert!(registry.depends_on("web:latest", "base:1"));
}

#[test]
fn task_create_stores_a_relative_context_as_absolute() {
    let world = World::new();
    world.context("web", "FROM scratch\n");
    let task = create(
        &world,
        &[
            "-n",
            "web",
            "-r",
            "localhost:5000",
            "-t",
            "web",
            "-c",
            "./web",
        ],
    )
    .ok()
    .json();
    let path = task["step"]["contextPath"].as_str().unwrap().to_owned();
    assert_eq!(path, world.path("web").to_str().unwrap());
}

#[test]
fn folder_whose_path_is_not_utf8_is_refused_as_context() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let world = World::new();
    let folder = world.path("").join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("Dockerfile"), "FROM scratch\n").unwrap();
    for line in ["task create web -t r.test/web:1", "build -t r.test/web:1 ."] {
        let done = world.shell(&format!("cd caf* && \"$0\" {line}"));
        done.exits(2)
            .says(&["cannot use the context", "its path is not UTF-8"]);
    }
    world.acrt(&["task", "show", "web"]).exits(3);
}

#[test]
fn task_create_takes_the_registry_from_environment_config_or_images() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let registry_of = |options: &[&str]| {
        let task = create(&world, &[&["-c", &context], options].concat())
            .ok()
            .json();
        task["registry"].as_str().unwrap().to_owned()
    };
    create(&world, &["-c", &context, "-n", "none", "-t", "web"])
        .exits(2)
        .says(&["--registry"]);
    assert_eq!(
        registry_of(&["-n", "a", "-t", "r.example:5000/web:1"]),
        "r.example:5000"
    );
    assert_eq!(
        registry_of(&["-n", "b", "-t", "web", "-r", "myreg"]),
        "myreg.azurecr.io"
    );
    world.config(
        "defaults: {registry: dev}\nregistries: {dev: {loginServer: 'dev.example:5000'}}\n",
    );
    assert_eq!(registry_of(&["-n", "c", "-t", "web"]), "dev.example:5000");
    world.set("ACRT_REGISTRY", "localhost:1");
    assert_eq!(registry_of(&["-n", "d", "-t", "web"]), "localhost:1");
}

#[test]
fn task_name_that_is_a_path_or_too_long_is_refused() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let long = "a".repeat(51);
    for name in ["../evil", "a/b", "a.b", "", "ä", "a b", &long] {
        create(
            &world,
            &[
                "--name",
                name,
                "-r",
                "localhost:5000",
                "-t",
                "web",
                "-c",
                &context,
            ],
        )
        .exits(2);
    }
    for registry in ["../evil", "a/b", "-x"] {
        let registry = format!("--registry={registry}");
        create(
            &world,
            &["-n", "web", &registry, "-t", "web", "-c", &context],
        )
        .exits(2);
    }
    assert!(!world.path("evil").exists());
    assert_eq!(world.state_files(), []);
}

#[test]
fn task_name_that_differs_only_in_case_is_refused() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let options = ["-r", "localhost:5000", "-t", "web", "-c", &context];
    create(&world, &[&["-n", "Web"], options.as_slice()].concat()).ok();
    create(&world, &[&["-n", "web"], options.as_slice()].concat())
        .exits(2)
        .says(&["Web", "case"]);
    world
        .acrt(&["task", "show", "-n", "WEB"])
        .exits(3)
        .says(&["Web"]);
}

#[test]
fn missing_or_broken_dockerfile_is_reported_with_its_position() {
    let (world, registry) = world();
    let host = registry.host();
    let empty = world.path("empty").to_str().unwrap().to_owned();
    let options = |context: &str| -> Vec<String> {
        ["-n", "web", "-r", &host, "-t", "web", "-c", context]
            .map(str::to_owned)
            .into()
    };
    let create = |context: &str, more: &[&str]| {
        let options = options(context);
        let mut all: Vec<&str> = options.iter().map(String::as_str).collect();
        all.extend(more);
        create(&world, &all)
    };
    create(&empty, &[]).exits(2).says(&[&empty]);
    fs::create_dir(&empty).unwrap();
    create(&empty, &[])
        .exits(2)
        .says(&[&format!("{empty}/Dockerfile")]);
    create(&empty, &["--file", "other"])
        .exits(2)
        .says(&[&format!("{empty}/other")]);
    world.context("empty", "FROM scratch\nFROM Not/A/Reference:\n");
    create(&empty, &[])
        .exits(2)
        .says(&["Dockerfile", "Not/A/Reference:", "line 2"]);
    world.context("empty", "FROM scratch AS one\n");
    create(&empty, &["--target", "two"]).exits(2).says(&["two"]);
    assert_eq!(world.state_files(), []);
}

#[test]
fn invalid_image_name_is_refused() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    for image in ["Upper:1", "web:", "web:1@", "a//b", "web:{{.Run.Nonsense}}"] {
        create(
            &world,
            &[
                "-n",
                "web",
                "-r",
                "localhost:5000",
                "-t",
                image,
                "-c",
                &context,
            ],
        )
        .exits(2)
        .says(&[image]);
    }
}

#[test]
fn task_create_that_closes_a_dependency_cycle_is_refused_with_the_path() {
    let (world, registry) = world();
    let from = |image: &str| format!("FROM {}\n", registry.image(image));
    world.task(&registry, "a", &from("base:1"));
    world.task(&registry, "b", &from("a:latest"));
    world.task(&registry, "c", &from("b:latest"));

    let own = world.context("own", &from("own:latest"));
    let host = registry.host();
    create(
        &world,
        &["-n", "own", "-r", &host, "-t", "own:latest", "-c", &own],
    )
    .exits(2)
    .says(&["own:latest", "depends on it"]);
    // `latest` is what a name without a tag means.
    let own = world.context("own", &from("own"));
    create(&world, &["-n", "own", "-r", &host, "-t", "own", "-c", &own]).exits(2);

    let circle = world.context("circle", &from("c:latest"));
    create(
        &world,
        &["-n", "a", "-r", &host, "-t", "a:latest", "-c", &circle],
    )
    .exits(2)
    .says(&["a <- c <- b <- a"]);
    world
        .acrt(&["task", "update", "-n", "a", "-c", &circle])
        .exits(2)
        .says(&["a <- c <- b <- a"]);
    let copy = format!(
        "{}COPY --from={} /version /\n",
        from("base:1"),
        registry.image("c:latest")
    );
    world.context("circle", &copy);
    world
        .acrt(&["task", "update", "-n", "a", "-c", &circle])
        .exits(2)
        .says(&["a <- c <- b <- a"]);
}

#[test]
fn task_create_replaces_an_existing_task_with_a_notice_and_keeps_its_runs() {
    let (world, registry) = world();
    let from = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &from);
    let (context, host) = (world.path("web").display().to_string(), registry.host());
    let replace = |more: &[&str]| {
        let options = ["-n", "web", "-r", &host, "-t", "web:latest", "-c", &context];
        create(&world, &[&options, more].concat())
            .ok()
            .says(&["exists"])
    };
    // Its dependencies do not change: it is followed as before.
    replace(&["--timeout", "600"]);
    assert_eq!(world.state_of("web"), "current");
    // With other arguments its dependencies may change: it must run again.
    replace(&["--arg", "A=b"]).says(&["acrt task run"]);
    assert_eq!(world.state_of("web"), "never-run");
    assert_eq!(world.history(), ["web Succeeded"]);
}

#[test]
fn unwritable_state_directory_is_reported_with_its_path() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    world.write("file", "");
    // Root may write anywhere, but not below a file, and not in /proc.
    for state in [world.path("file/state").to_str().unwrap(), "/proc/acrt"] {
        create(
            &world,
            &[
                "--state-dir",
                state,
                "-n",
                "web",
                "-r",
                "localhost:5000",
                "-t",
                "web",
                "-c",
                &context,
            ],
        )
        .exits(1)
        .says(&[state]);
    }
}

#[test]
fn azure_only_option_of_create_is_accepted_and_reported_as_without_effect() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let options = [
        "-n",
        "web",
        "-r",
        "localhost:5000",
        "-t",
        "web",
        "-c",
        &context,
        "-g",
        "group",
    ];
    create(&world, &options).ok().says(&["--resource-group"]);
    let quiet = create(
        &world,
        &[&options, ["--only-show-errors"].as_slice()].concat(),
    )
    .ok();
    assert_eq!(quiet.stderr, "");
}

/// A machine with docker, a registry, and a folder `gate` with a Dockerfile and `acb.yaml`.
fn multi_step(file: &str) -> (World, Registry, String) {
    let (world, registry) = (World::new(), Registry::start());
    registry.push_shell("base:1", &[("version", "one")]);
    registry.push_shell("tool:1", &[("name", "one")]);
    let context = world.context("gate", &format!("FROM {}\n", registry.image("base:1")));
    world.write("gate/acb.yaml", file);
    (world, registry, context)
}

#[test]
fn task_create_with_a_yaml_file_makes_a_multi_step_task() {
    let (world, registry, context) = multi_step("steps:\n- build: -t web .\n");
    let host = registry.host();
    let task = world
        .acrt(&[
            "task",
            "create",
            "--name",
            "gate",
            "--registry",
            &host,
            "--context",
            &context,
            "--file",
            "acb.yaml",
            "--set",
            "a=b",
            "--set-secret",
            "token=hunter2",
        ])
        .ok()
        .json();
    let step = &task["step"];
    assert_eq!(step["type"], "FileTask");
    assert_eq!(step["taskFilePath"], "acb.yaml");
    assert_eq!(step["contextPath"], context.as_str());
    assert_eq!(step["valuesFilePath"], serde_json::Value::Null);
    assert_eq!(
        step["values"],
        serde_json::json!([
            { "isSecret": false, "name": "a", "value": "b" },
            { "isSecret": true, "name": "token", "value": null },
        ])
    );
    let definition =
        std::fs::read_to_string(world.state().join(format!("tasks/{host}/gate.yaml"))).unwrap();
    assert!(!definition.contains("hunter2"), "{definition}");
    let shown = world
        .acrt(&["task", "update", "--name", "gate", "--file", "Dockerfile"])
        .ok()
        .json();
    assert_eq!(shown["step"]["type"], "Docker");
}

#[test]
fn command_or_file_without_a_context_is_stored_in_the_definition() {
    let (world, registry, _) = multi_step("");
    let host = registry.host();
    let create = [
        "task",
        "create",
        "--name",
        "date",
        "--registry",
        &host,
        "--context",
        "/dev/null",
    ];
    let task = world
        .acrt(
            &[
                &create,
                ["--cmd", "alpine:3 sh -c \"a: b\"", "--timeout", "60"].as_slice(),
            ]
            .concat(),
        )
        .ok()
        .json();
    assert_eq!(task["step"]["type"], "EncodedTask");
    assert_eq!(task["step"]["contextPath"], serde_json::Value::Null);
    let lines = world
        .acrt(&["task", "run", "--name", "date", "--dry-run"])
        .ok();
    assert_eq!(
        lines.stdout,
        "acb_step_0: run docker.io/library/alpine:3 sh -c 'a: b'\n"
    );
    let file = world.write("elsewhere.yaml", "steps:\n- push: [web]\n");
    world
        .acrt(&[&create, ["--file", file.to_str().unwrap()].as_slice()].concat())
        .ok();
    let lines = world
        .acrt(&["task", "run", "--name", "date", "--dry-run"])
        .ok();
    assert_eq!(
        lines.stdout,
        format!("acb_step_0: push {host}/web:latest\n")
    );
}

#[test]
fn create_option_that_does_not_apply_to_the_step_type_is_refused() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    world.write("web/acb.yaml", "steps:\n- cmd: alpine date\n");
    let build = ["-n", "t", "-t", "localhost:5000/t:1", "-c", &context];
    let file = ["-n", "t", "-c", &context, "-f", "acb.yaml"];
    let cases: [(&[&str], &[&str], &str); 5] = [
        (&build, &["--all-referrers"], "--all-referrers"),
        (&file, &["--all-referrers"], "--all-referrers"),
        (
            &["-n", "t", "--local", "-c", &context],
            &["--all-referrers"],
            "--all-referrers",
        ),
        (&file, &["--local"], "--local means nothing"),
        (
            &build,
            &["--source-trigger-name", "mine"],
            "--source-trigger-name",
        ),
    ];
    for (task, option, why) in cases {
        create(&world, &[task, option].concat())
            .exits(2)
            .says(&[why]);
    }
    assert!(!world.state().join("tasks").exists());
}

#[test]
fn task_create_with_an_invalid_task_file_is_refused() {
    let (world, registry, context) = multi_step("steps:\n- {id: a, cmd: x, build: .}\n");
    let host = registry.host();
    world
        .acrt(&[
            "task",
            "create",
            "--name",
            "gate",
            "--registry",
            &host,
            "--context",
            &context,
            "--file",
            "acb.yaml",
        ])
        .exits(2)
        .says(&["line 2: step `a` must have only one of `cmd`, `build` and `push`"]);
    assert!(
        !world
            .state()
            .join(format!("tasks/{host}/gate.yaml"))
            .exists()
    );
}
