//! `acrt run`: the steps of a file, for once.

use std::fs;

use crate::support::{Registry, World};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.podman();
    registry.push_shell("base:1", &[("version", "one")]);
    registry.push_shell("tool:1", &[("name", "tool")]);
    (world, registry)
}

fn run(world: &World, registry: &Registry, file: &str, options: &[&str]) -> crate::support::Output {
    world.write("src/acb.yaml", file);
    let context = world.path("src").display().to_string();
    let host = registry.host();
    world.acrt(&[&["run", "--registry", &host], options, &[&context]].concat())
}

#[test]
fn a_command_runs_in_a_container() {
    let (world, registry) = world();
    let cmd = format!("{} sh -c 'echo hello $((1+2)); pwd'", registry.image("tool:1"));
    let host = registry.host();
    let run = world
        .acrt(&["run", "--registry", &host, "--cmd", &cmd, "/dev/null"])
        .ok()
        .prints(&["hello 3\n", "Run ID: ca1 was successful"]);
    assert!(run.stdout.contains(&registry.digest("tool:1").unwrap()), "{run}");
    let shown = world.acrt(&["task", "show-run", "--run-id", "ca1"]).ok().json();
    assert_eq!(shown["runType"], "QuickRun");
    assert_eq!(shown["task"], serde_json::Value::Null);
    assert_eq!(shown["status"], "Succeeded");
    assert!(!world.state().join("runs/ca1/steps").exists());
    assert!(fs::read_dir(world.state().join("tasks")).is_err());
}
