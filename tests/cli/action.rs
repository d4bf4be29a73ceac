//! `action.yml`, as a GitHub workflow runs it: it installs a release, and runs one command with the definitions of a repository.

use std::{fs, path::Path};

use crate::support::{Output, Registry, World};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs a step of the action, in a world whose runner is in `runner/`.
fn step(world: &World, step: &str, command: &str) -> Output {
    step_on(world, step, command, "repository/tasks", world.state())
}

/// Runs a step of the action with these inputs `tasks` and `state`.
fn step_on(
    world: &World,
    step: &str,
    command: &str,
    tasks: &str,
    state: impl AsRef<std::ffi::OsStr>,
) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/action.sh");
    let mut action = world.command(script);
    let own = world.path("bin");
    action
        .arg(step)
        .env(
            "PATH",
            format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", own.display()),
        )
        .env("ACTION_COMMAND", command)
        .env("ACTION_TASKS", tasks)
        .env("ACRT_STATE_DIR", state)
        .env(
            "ACTION_DOWNLOADS",
            format!("file://{}", world.path("release").display()),
        )
        .env("RUNNER_TEMP", world.path("runner"))
        .env("GITHUB_PATH", world.path("runner/path"))
        .env("GITHUB_OUTPUT", world.path("runner/output"));
    world
        .start(action, format!("action {step}: {command}"))
        .wait()
}

fn outputs(world: &World) -> String {
    let path = world.path("runner/output");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    text
}

#[test]
fn action_runs_a_command_on_definitions_of_the_repository_and_succeeds_when_stale() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.write("runner/path", "");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_acrt"), world.path("bin/acrt")).unwrap();
    registry.push("base:1", &[("version", "one")]);
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let host = registry.host();
    let create = [
        "task", "create", "-n", "web", "-r", &host, "--image", "web:1", "-c", &context,
    ];
    world.acrt(&create).ok();
    let written = format!("tasks/{host}/web.yaml");
    let definition = fs::read_to_string(world.state().join(&written)).unwrap();
    world.write(&format!("repository/{written}"), &definition);
    fs::remove_dir_all(world.state()).unwrap();

    step(&world, "run", "task run --name web").ok();
    assert_eq!(outputs(&world), "exit-code=0\nstale=false\n");
    registry.push("base:1", &[("version", "two")]);
    step(&world, "run", "task check --exit-code -o none").ok();
    assert_eq!(outputs(&world), "exit-code=10\nstale=true\n");
    let image = registry.image("web:1");
    let check = format!("image check --exit-code -o none {image}");
    step(&world, "run", &check).ok();
    assert_eq!(outputs(&world), "exit-code=10\nstale=true\n");
    step(&world, "run", "task watch --once")
        .ok()
        .prints(&["web: rebuilt"]);
    assert!(registry.depends_on("web:1", "base:1"));
    outputs(&world);
    step(&world, "run", &check).ok();
    assert_eq!(outputs(&world), "exit-code=0\nstale=false\n");
    // A definition that is deleted in the repository is gone here too.
    world.write(
        &format!("repository/tasks/{host}/new.yaml"),
        &definition.replace("name: web", "name: new"),
    );
    fs::remove_file(world.path(&format!("repository/{written}"))).unwrap();
    step(&world, "run", "task list\n  --query [].name\n  -o tsv\n")
        .ok()
        .prints(&["new\n"]);
    outputs(&world);
    step(&world, "run", "task show --name web").exits(3);
    outputs(&world);
    step(&world, "run", "task show --name $(id) ; id").exits(2);
    assert_eq!(outputs(&world), "exit-code=2\nstale=false\n");
}

#[test]
fn definitions_are_only_replaced_by_a_folder_that_can_be_copied_from_outside_the_state_directory() {
    let world = World::new();
    world.write("runner/path", "");
    let acrt = world.fake("acrt", "");
    let kept = [
        ".acrt/tasks/r.io/web.yaml",
        "repository/tasks/r.io/web.yaml",
    ];
    for (path, text) in kept.into_iter().zip(["cached", "new"]) {
        world.write(path, text);
    }
    let texts = || kept.map(|path| fs::read_to_string(world.path(path)).unwrap());
    let run = |tasks, state: &str| step_on(&world, "run", "task list", tasks, state).exits(2);
    run("repository/tsaks", ".acrt").says(&["no folder `repository/tsaks`"]);
    for tasks in [".acrt/tasks", ".acrt/tasks/r.io", ".acrt"] {
        run(tasks, ".acrt").says(&["are in the state directory `.acrt`"]);
    }
    run("repository", "repository/state").says(&["cannot copy the definitions"]);
    run("repository/tasks", "").says(&["the input `state`"]);
    assert_eq!(texts(), ["cached", "new"]);
    assert_eq!(acrt.lines(), [""; 0]);

    step_on(&world, "run", "task list", "repository/tasks", ".acrt").ok();
    assert_eq!(texts(), ["new", "new"]);
    assert_eq!(acrt.lines(), ["task list"]);
    assert!(!world.path(".acrt/tasks.new").exists());
}

/// Puts a release with this program on the server.
fn release(world: &World, sums_of: Option<&str>) -> String {
    let machine = std::env::consts::ARCH;
    let name = format!("acrt-{VERSION}-{machine}-unknown-linux-gnu");
    let program = world.write(
        &format!("made/{name}/acrt"),
        &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_acrt")),
    );
    let line = "mkdir -p release && chmod +x \"$1\" && tar -C made -czf \"release/$2.tar.gz\" \"$2\" && cd release && sha256sum \"$2.tar.gz\"";
    let mut make = world.command("/bin/bash");
    make.args(["-c", line, "bash"]).arg(program).arg(&name);
    make.env("PATH", "/usr/bin:/bin");
    let sums = world.start(make, "a release".into()).wait().ok().stdout;
    let sums = sums_of.map_or(sums, |other| format!("{other}  {name}.tar.gz\n"));
    world.write("release/SHA256SUMS", &sums);
    name
}

#[test]
fn release_is_installed_only_if_its_checksum_matches() {
    let world = World::new();
    world.write("runner/path", "");
    release(&world, None);
    step(&world, "install", "")
        .ok()
        .prints(&[&format!("acrt {VERSION}")]);
    let path = fs::read_to_string(world.path("runner/path")).unwrap();
    assert!(Path::new(path.trim()).join("acrt").exists(), "{path}");
    assert!(outputs(&world).starts_with("time=2"));

    let world = World::new();
    world.write("runner/path", "");
    release(&world, Some(&"0".repeat(64)));
    let output = step(&world, "install", "");
    assert_ne!(output.code, 0, "{output}");
    assert_eq!(fs::read_to_string(world.path("runner/path")).unwrap(), "");
}
