//! The environment of programs that acrt starts, and the ownership of files that acrt trusts.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
};

use crate::support::{GitServer, PASSWORD, Registry, World, eventually};

/// Variables that only acrt may get.
const CANARIES: [&str; 5] = [
    "AWS_SECRET_ACCESS_KEY",
    "AZURE_CLIENT_SECRET",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "LAN_HOOK",
    "DOCKER_HUB_HOOK",
];

/// A machine on which each program records its environment, and whose config file takes two secrets from variables.
fn world(more: &str) -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.config(&format!(
        "listen:\n  lan: {{secret: 'env:LAN_HOOK'}}\n  hub: {{secret: 'env:DOCKER_HUB_HOOK'}}\n{more}"
    ));
    for name in CANARIES {
        world.set(name, &format!("canary-{name}"));
    }
    for (name, value) in [
        ("https_proxy", "http://127.0.0.1:9"),
        ("NO_PROXY", "127.0.0.1"),
        ("DOCKER_BUILDKIT", "1"),
        ("LC_TIME", "C"),
        ("XDG_RUNTIME_DIR", "/nonexistent"),
    ] {
        world.set(name, value);
    }
    registry.push("base:1", &[("version", "one")]);
    (world, registry)
}

/// Puts a program on `PATH` that writes its environment to a file, and returns that file's name.
fn spy(world: &World, name: &str, script: &str) -> String {
    let file = world.path(&format!("{name}-env"));
    world.fake(name, &format!("env > '{}'\n{script}", file.display()));
    format!("{name}-env")
}

fn environment(world: &World, file: &str) -> String {
    fs::read_to_string(world.path(file)).unwrap()
}

fn assert_clean(text: &str) {
    for name in CANARIES {
        assert!(!text.contains(name), "{name} in {text}");
    }
    for kept in [
        "HOME=",
        "https_proxy=",
        "NO_PROXY=",
        "DOCKER_BUILDKIT=1",
        "LC_TIME=",
        "XDG_RUNTIME_DIR=",
    ] {
        assert!(text.contains(kept), "no {kept} in {text}");
    }
}

#[test]
fn child_processes_receive_needed_variables_and_no_foreign_secrets() {
    let template = "builders:\n  command:\n    build: [built]\n";
    let (world, _) = world(template);
    let registry = Registry::with_login();
    registry.push("base:1", &[("version", "one")]);
    world.git();
    let built = spy(&world, "built", "exit 0");
    let helper = spy(
        &world,
        "docker-credential-spy",
        &format!("echo '{{\"Username\": \"acrt\", \"Secret\": \"{PASSWORD}\"}}'"),
    );
    let hook = spy(&world, "hook", "cat > /dev/null");
    let ssh = spy(
        &world,
        "own-ssh",
        "PATH=/usr/bin:/bin; for last; do :; done; eval \"exec $last\"",
    );
    world.write("home/.docker/config.json", r#"{"credsStore": "spy"}"#);
    world.set("ACRT_BUILDER", "command");
    world.set("GIT_SSH_COMMAND", "own-ssh");
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", dockerfile.as_str())]);
    let context = repository.url().replace("file://", "ssh://git.example");
    let host = registry.host();
    let create = [
        "task", "create", "-n", "web", "-r", &host, "-t", "web:1", "-c", &context,
    ];
    world
        .acrt(&[&create[..], &["--no-push", "--on-success", "hook"]].concat())
        .ok();
    world.run("web").ok();
    for file in [&built, &helper, &hook, &ssh] {
        assert_clean(&environment(&world, file));
    }
    // An acrt in a hook uses the same tasks.
    let text = environment(&world, &hook);
    assert!(
        text.contains(&format!("ACRT_STATE_DIR={}", world.state().display())),
        "{text}"
    );
    assert!(
        text.contains("ACRT_CONFIG=") && text.contains("ACRT_TASK=web"),
        "{text}"
    );
    // The remains of a killed acrt are found by this variable.
    assert!(environment(&world, &built).contains("ACRT_RUN="));
}

#[test]
fn environment_pass_of_the_config_file_is_applied_and_acrt_secrets_need_their_exact_name() {
    let more = "builders:\n  command:\n    build: [built]\nenvironment:\n  pass: ['AWS_*', 'DOCKER_*', LAN_HOOK]\n";
    let (world, registry) = world(more);
    let built = spy(&world, "built", "exit 0");
    world.set("ACRT_BUILDER", "command");
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.task_with(&registry, "web", &dockerfile, &["--no-push"]);
    world.run("web").ok();
    let text = environment(&world, &built);
    for name in ["AWS_SECRET_ACCESS_KEY=", "LAN_HOOK="] {
        assert!(text.contains(name), "no {name} in {text}");
    }
    for name in ["DOCKER_HUB_HOOK", "AZURE_CLIENT_SECRET"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
    world.config("environment: {pass: ['A B']}\n");
    world
        .acrt(&["task", "list"])
        .exits(2)
        .says(&["`A B` is not the name of a variable"]);
}

#[test]
fn detached_run_inherits_the_whole_environment_of_acrt() {
    let (world, registry) = world("");
    world.buildah();
    world.git();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.repository("web", &[("Dockerfile", dockerfile.as_str())]);
    let server = GitServer::start(&world.path("repos"), Some("hunter2-token"));
    world.set("MY_TOKEN", "hunter2-token");
    let (host, context) = (registry.host(), server.url("web"));
    let create = [
        "task", "create", "-n", "web", "-r", &host, "-t", "web:1", "-c", &context,
    ];
    let create = [&create[..], &["--git-access-token", "env:MY_TOKEN"]].concat();
    world.acrt(&create).ok();
    world.acrt(&["task", "run", "-n", "web", "--no-wait"]).ok();
    eventually("the end of the run", || {
        let status = world.runs()[0]["status"].as_str().unwrap().to_owned();
        (!matches!(status.as_str(), "Queued" | "Started" | "Running")).then_some(())
    });
    assert_eq!(world.history(), ["web Succeeded"]);
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn config_file_writable_by_others_is_refused_without_the_override_flag() {
    let world = World::new();
    world.config("defaults: {registry: 'localhost:5000'}\n");
    let file = world.path("config/acrt/config.yaml");
    world.acrt(&["task", "list"]).ok();
    allow(&file, 0o664);
    let refused = world.acrt(&["task", "list"]).exits(2);
    let refused = refused.says(&[
        "refused to use the config file",
        "its mode is 664",
        "chmod go-w",
    ]);
    refused.says(&["--allow-unsafe-permissions"]);
    world
        .acrt(&["config", "list"])
        .exits(2)
        .says(&["refused to use the config file"]);
    world
        .acrt(&["task", "list", "--allow-unsafe-permissions"])
        .ok();
    allow(&file, 0o644);
    chown(&file, Some(54321), None).unwrap();
    world
        .acrt(&["task", "list"])
        .exits(2)
        .says(&["belongs to another user, of the id 54321"]);
    world.set("ACRT_ALLOW_UNSAFE_PERMISSIONS", "true");
    world.acrt(&["task", "list"]).ok();
    world.set("ACRT_ALLOW_UNSAFE_PERMISSIONS", "false");
    world.acrt(&["task", "list"]).exits(2);
    // A device does not belong to another user.
    world.acrt(&["task", "list", "--config", "/dev/null"]).ok();
}

#[test]
fn state_directory_writable_by_others_is_refused_without_the_override_flag() {
    let world = World::new();
    let list = ["task", "list"];
    world.acrt(&["check-health"]);
    world.acrt(&list).ok();
    allow(&world.state(), 0o1777);
    world
        .acrt(&list)
        .exits(2)
        .says(&["refused to use the state directory", "its mode is 1777"]);
    world
        .acrt(&["check-health"])
        .exits(1)
        .prints(&["refused to use the state directory"]);
    world
        .acrt(&["task", "list", "--allow-unsafe-permissions"])
        .ok();
    allow(&world.state(), 0o700);
    chown(world.state(), Some(54321), None).unwrap();
    world.acrt(&list).exits(2).says(&["another user"]);
    world.set("ACRT_ALLOW_UNSAFE_PERMISSIONS", "1");
    world.acrt(&list).ok();
    // A command without a state directory is unaffected.
    world.set("ACRT_ALLOW_UNSAFE_PERMISSIONS", "");
    let context = world.context("web", "FROM scratch\n");
    world.acrt(&["deps", &context]).ok();
}
