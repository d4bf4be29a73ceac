//! `acrt task update-run`: keeps a run from pruning, or no longer.

use crate::support::{Registry, World};

#[test]
fn archived_run_survives_pruning() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.config("runs: {keep: 1}\n");
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    let keep = [
        "task",
        "update-run",
        "--run-id",
        "ca1",
        "--no-archive",
        "false",
    ];
    let run = world.acrt(&keep).ok().json();
    assert_eq!(run["isArchiveEnabled"], true);
    world.run("web").ok();
    world.run("web").ok();
    let ids = world.runs();
    let ids: Vec<_> = ids.iter().map(|run| run["runId"].as_str()).collect();
    assert_eq!(ids, [Some("ca3"), Some("ca1")]);
    world
        .acrt(&["task", "update-run", "--run-id", "ca9", "--no-archive"])
        .exits(3);
}
