//! `acrt task logs`

use rustix::process::Signal;

use crate::support::{Registry, World};

#[test]
fn the_log_of_a_run_of_the_newest_and_of_the_newest_of_a_task() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let from = registry.image("base:1");
    world.task(
        &registry,
        "web",
        &format!("FROM {from}\nRUN echo this is web\n"),
    );
    world.task(
        &registry,
        "bad",
        &format!("FROM {from}\nRUN echo this is bad; false\n"),
    );
    let live = world.run("web").ok().stdout;
    world.run("bad").exits(1);

    // What was streamed is what is kept.
    let kept = world.acrt(&["task", "logs", "--run-id", "ca1"]).ok();
    assert_eq!(kept.stdout, live);
    kept.prints(&["this is web"]);
    // A failed run has a log like any other.
    world
        .acrt(&["task", "logs"])
        .ok()
        .prints(&["this is bad", "failed after"]);
    world
        .acrt(&["task", "logs", "-n", "web"])
        .ok()
        .prints(&["this is web"]);
}

#[test]
fn a_log_that_is_not_there_is_exit_3() {
    let world = World::new();
    world.acrt(&["task", "logs"]).exits(3);
    world
        .acrt(&["task", "logs", "--run-id", "ca1"])
        .exits(3)
        .says(&["ca1"]);
}

#[test]
fn log_of_a_run_that_goes_on_ends_with_its_reader_and_with_a_full_disk() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let dockerfile = format!(
        "FROM {}\nRUN while :; do echo this is web; sleep 0.05; done\n",
        registry.image("base:1")
    );
    world.task(&registry, "web", &dockerfile);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    run.stdout_has("\nthis is web");
    let head = world
        .shell("\"$0\" task logs --run-id ca1 | /usr/bin/head -1")
        .ok();
    assert_eq!(head.stdout.lines().count(), 1, "{head}");
    assert_eq!(head.stderr, "");
    world
        .shell("\"$0\" task logs --run-id ca1 >/dev/full")
        .exits(1)
        .says(&["No space left on device"]);
    assert_eq!(world.history(), ["web Running"]);
    run.signal(Signal::INT);
    run.wait().exits(130);
}
