//! Runs of `acrt task watch` in processes of their own: whatever becomes of one, the others go on.

use super::watch::wrap_buildah;
use crate::support::{Registry, World};

/// Two tasks on one base. The builder kills the process of the run of `bad`, by `signal`, and builds the other one.
fn world(signal: &str) -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "bad", &dockerfile);
    world.tracked_task(&registry, "good", &dockerfile);
    let script = format!(
        "case \"$*\" in build*/bad) while kill -{signal} $PPID; do sleep 0.1; done; exec sleep 600;; esac\nexec \"$buildah\" \"$@\""
    );
    wrap_buildah(&world, &script);
    (world, registry)
}

#[test]
fn run_whose_process_is_killed_fails_alone_with_back_off_and_leaves_no_builder() {
    let (world, registry) = world("KILL");
    registry.push("base:1", &[("version", "two")]);
    let round = world.acrt(&["task", "watch", "--once"]).exits(1);
    round.says(&["its process was killed from outside"]);
    assert_eq!(
        registry.file("good:latest", "version").as_deref(),
        Some("two")
    );
    assert_eq!(world.state_of("good"), "current");
    assert_eq!(world.state_of("bad"), "backing-off");
    let runs = world.runs();
    let failed = runs.iter().find(|run| run["status"] == "Failed").unwrap();
    assert_eq!(failed["task"], "bad");
    let why = failed["runErrorMessage"].as_str().unwrap();
    assert!(why.contains("killed from outside"), "{why}");
    world.acrt(&["task", "watch", "--once"]).exits(1);
    assert_eq!(world.runs().len(), runs.len(), "it is left alone for now");
}

#[test]
fn run_that_overflows_its_stack_says_so_in_words() {
    let (world, registry) = world("SEGV");
    registry.push("base:1", &[("version", "two")]);
    let round = world.acrt(&["task", "watch", "--once"]).exits(1);
    round.says(&["nested too deeply"]);
    assert_eq!(world.state_of("good"), "current");
}

#[test]
fn run_without_the_memory_that_it_needs_fails_and_names_the_limit() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    world.tracked_task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    world.config("limits: {memoryMib: 12}\n");
    registry.push("base:1", &[("version", "two")]);
    world.acrt(&["task", "watch", "--once"]).exits(1);
    assert_eq!(world.state_of("web"), "backing-off");
    world.config("limits: {memoryMib: 2048}\n");
    world.acrt(&["task", "run", "--name", "web"]).ok();
    assert_eq!(world.state_of("web"), "current");
}
