//! SIGHUP: from a closed terminal, and to reload a daemon's files.

use std::fs;

use rustix::process::Signal;

use crate::support::{Gate, Registry, World};

/// A machine with buildah, and a registry with `base:1`.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

#[test]
fn run_whose_terminal_is_closed_is_canceled_and_leaves_no_process() {
    let (world, registry) = world();
    let gate = Gate::new();
    let base = registry.image("base:1");
    world.task(
        &registry,
        "web",
        &format!("FROM {base}\nRUN {}\n", gate.wait_command()),
    );
    let run = world.spawn(&["task", "run", "--name", "web"]);
    let _waiting = gate.arrival();
    run.signal(Signal::HUP);
    run.wait().exits(143);
    assert_eq!(world.history(), ["web Canceled"]);
    assert!(world.processes().is_empty());
}

#[test]
fn run_under_nohup_continues_when_its_terminal_is_closed() {
    let (world, registry) = world();
    let gate = Gate::new();
    let base = registry.image("base:1");
    world.task(
        &registry,
        "web",
        &format!("FROM {base}\nRUN {}\n", gate.wait_command()),
    );
    let mut nohup = world.command("/usr/bin/env");
    nohup.args([
        "--ignore-signal=HUP",
        env!("CARGO_BIN_EXE_acrt"),
        "task",
        "run",
        "--name",
        "web",
    ]);
    let run = world.start(nohup, "nohup acrt task run".into());
    let waiting = gate.arrival();
    run.signal(Signal::HUP);
    waiting.go_on();
    run.wait().ok();
    assert_eq!(world.history(), ["web Succeeded"]);
}

#[test]
fn watch_reloads_the_config_file_on_sighup() {
    let (world, registry) = world();
    world.config("watch: {everySeconds: 1}\n");
    world.tracked_task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    registry.push_shell("base:1", &[("version", "two")]);
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    watch.stdout_has("web: rebuilt");
    world.config("watch: {everySeconds: oops}\n");
    watch.signal(Signal::HUP);
    watch.stderr_has("config.yaml");
    // Runs have the settings of the loop, whatever the file says now.
    registry.push_shell("base:1", &[("version", "three")]);
    watch.stdout_has("run ca3");
    world.config("watch: {everySeconds: 2}\n");
    watch.signal(Signal::HUP);
    watch.stderr_has("again");
    registry.push_shell("base:1", &[("version", "four")]);
    watch.stdout_has("run ca4");
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
}

#[test]
fn watch_reports_a_state_directory_that_is_gone_and_keeps_others_out_when_it_is_back() {
    let (world, registry) = world();
    world.config("watch: {everySeconds: 1}\n");
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    registry.push_shell("base:1", &[("version", "two")]);
    watch.stdout_has("web: rebuilt");
    let away = world.path("away");
    fs::rename(world.state(), &away).unwrap();
    watch.stderr_has("is gone");
    assert!(!world.state().exists());
    // As from a backup: other files.
    let mut copy = world.command("/bin/cp");
    copy.arg("-a").arg(&away).arg(world.state());
    world.start(copy, "cp".into()).wait().ok();
    // A minute earlier than by itself.
    watch.signal(Signal::HUP);
    registry.push_shell("base:1", &[("version", "three")]);
    watch.stdout_has("run ca3");
    world.watch_once().exits(5);
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
}
