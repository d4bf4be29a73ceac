//! `acrt task watch` and waiting runs: for a window, or for their place.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Gate, Registry, World, eventually};

const WEEKEND: &str = "0 1-5 * * SAT,SUN";

/// A machine with buildah on a Thursday morning, and a registry with `base:1`.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-01-29T00:30:00Z");
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

/// A task that has run once, with these options.
fn tracked(world: &World, registry: &Registry, name: &str, base: &str, options: &[&str]) {
    world.task_with(registry, name, &from(registry, base), options);
    world.run(name).ok();
}

/// Runs a round at a time, and returns the number of runs so far.
fn runs_after(world: &World, now: &str) -> usize {
    world.set("ACRT_NOW", now);
    world.watch_once().ok();
    world.history().len()
}

fn check(world: &World, name: &str) -> Value {
    let check = world.acrt(&["task", "check", "-n", name]).ok();
    check.json()[0].clone()
}

#[test]
fn moved_base_is_detected_at_any_time_and_built_when_the_window_opens() {
    let (world, registry) = world();
    tracked(&world, &registry, "web", "base:1", &["--window", WEEKEND]);
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok().says(&[
        "web: waiting: ",
        "waits for its window, opens Sat 2026-01-31 01:00Z",
    ]);
    registry.push_shell("base:1", &[("version", "three")]);
    let checked = check(&world, "web");
    assert_eq!(checked["state"], "waiting");
    assert_eq!(checked["nextTry"], "2026-01-31T01:00:00+00:00");
    let reason = checked["reason"].as_str().unwrap();
    let said = "waits for its window, opens Sat 2026-01-31 01:00Z (in 2 d)";
    assert!(reason.ends_with(said), "{reason}");
    world.acrt(&["task", "check", "--exit-code"]).exits(10);
    let status = world.acrt(&["status"]).ok();
    status.prints(&["waiting", said, "window in 2 d"]);
    let show = world.acrt(&["task", "show", "web", "-o", "table"]).ok();
    show.prints(&[WEEKEND, said]);
    let shown = world.acrt(&["task", "show", "web"]).ok().json();
    assert_eq!(shown["windows"], json!([WEEKEND]));
    world
        .acrt(&["task", "why", "web"])
        .ok()
        .prints(&["waits for its window"]);

    for closed in [
        "2026-01-30T03:00:00Z",
        "2026-01-31T00:59:59Z",
        "2026-01-31T06:00:00Z",
    ] {
        assert_eq!(runs_after(&world, closed), 1, "{closed}");
    }
    assert_eq!(runs_after(&world, "2026-02-01T03:30:00Z"), 2);
    let built = registry.file("web:latest", "version");
    assert_eq!(built.as_deref(), Some("three"), "one run for both moves");
    world.watch_once().ok().silent();
}

#[test]
fn watch_starts_the_run_when_the_window_opens() {
    let (world, registry) = world();
    tracked(&world, &registry, "web", "base:1", &["--window", WEEKEND]);
    registry.push_shell("base:1", &[("version", "two")]);
    world.set("ACRT_NOW", "2026-01-31T00:56:30Z");
    registry.forget_requests();
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    let run = eventually("the run of the weekend", || {
        let runs = world.runs();
        let ran = runs.len() == 2 && runs[0]["status"] == "Succeeded";
        ran.then(|| runs[0].clone())
    });
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
    // Nothing else is due at that second: the looks have another one.
    assert_eq!(run["createTime"], "2026-01-31T01:00:00+00:00");
}

#[test]
fn each_task_of_a_chain_is_built_in_its_own_window() {
    let (world, registry) = world();
    tracked(&world, &registry, "lib", "base:1", &["--window", WEEKEND]);
    let late = ["--window", "* 4 * * SUN", "--window", "* 5 * * MON"];
    tracked(&world, &registry, "app", "lib:latest", &late);
    tracked(&world, &registry, "site", "lib:latest", &[]);
    // An image that is not reproducible differs each time.
    registry.push_shell("base:1", &[("version", "two")]);
    let states = world.states();
    let states = ["lib", "app", "site"].map(|name| states[name].as_str());
    assert_eq!(states, ["waiting", "current", "current"]);
    assert_eq!(runs_after(&world, "2026-01-31T02:00:00Z"), 5);
    let history = world.history();
    assert_eq!(history[3..], ["lib Succeeded", "site Succeeded"]);
    let reason = check(&world, "app")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("opens Sun 2026-02-01 04:00Z"), "{reason}");
    assert_eq!(runs_after(&world, "2026-02-02T05:00:00Z"), 6);
    assert_eq!(world.history()[5], "app Succeeded");
}

#[test]
fn timer_outside_the_window_waits_for_it() {
    let (world, registry) = world();
    let options = ["--window", WEEKEND, "--schedule", "nightly:0 3 * * *"];
    tracked(&world, &registry, "web", "base:1", &options);
    assert_eq!(runs_after(&world, "2026-01-29T03:00:00Z"), 1);
    let reason = check(&world, "web")["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.starts_with("timer nightly of 2026-01-29T03:00:00Z; waits for its window"),
        "{reason}"
    );
    assert_eq!(runs_after(&world, "2026-01-31T01:00:00Z"), 2);
    let run = world.runs()[0].clone();
    // It makes up for all missed times.
    assert_eq!(run["timerTrigger"]["timerTriggerName"], "nightly", "{run}");
    assert_eq!(runs_after(&world, "2026-01-31T01:10:00Z"), 2);
    assert_eq!(runs_after(&world, "2026-01-31T03:00:00Z"), 3);
}

#[test]
fn manual_run_ignores_the_window() {
    let (world, registry) = world();
    tracked(&world, &registry, "web", "base:1", &["--window", WEEKEND]);
    world.run("web").ok();
    registry.push_shell("base:1", &[("version", "two")]);
    world.acrt(&["task", "run", "--stale"]).ok();
    assert_eq!(world.history().len(), 3);
    assert_eq!(check(&world, "web")["state"], "current");
}

#[test]
fn config_file_window_applies_to_tasks_without_their_own() {
    let (world, registry) = world();
    let set = format!("defaults.windows=[\"{WEEKEND}\"]");
    world.acrt(&["config", "set", &set]).ok();
    tracked(&world, &registry, "web", "base:1", &[]);
    tracked(
        &world,
        &registry,
        "own",
        "base:1",
        &["--window", "* * 1 * *"],
    );
    tracked(&world, &registry, "free", "base:1", &["--window", ""]);
    registry.push_shell("base:1", &[("version", "two")]);
    let states = world.states();
    let states = ["web", "own", "free"].map(|name| states[name].as_str());
    assert_eq!(states, ["waiting", "waiting", "stale"]);
    assert_eq!(runs_after(&world, "2026-01-29T08:00:00Z"), 4);
    let update = ["task", "update", "own", "--window", ""];
    let updated = world.acrt(&update).ok().json();
    assert_eq!(updated["windows"], Value::Null);
    assert_eq!(runs_after(&world, "2026-01-29T09:00:00Z"), 5);
    assert_eq!(runs_after(&world, "2026-01-31T01:00:00Z"), 6);

    world.config("defaults: {windows: ['* * 31 2 *']}\n");
    world
        .acrt(&["task", "list"])
        .exits(2)
        .says(&["defaults.windows", "never comes"]);
}

#[test]
fn window_that_never_opens_is_refused() {
    let (world, registry) = world();
    world.task(&registry, "web", &from(&registry, "base:1"));
    for (window, told) in [
        ("* * 31 2 *", "never comes"),
        ("1-5", "5 fields"),
        ("* * * * 7", "Sunday is 0"),
    ] {
        let update = ["task", "update", "web", "--window", window];
        world.acrt(&update).exits(2).says(&[told]);
    }
}

#[test]
fn run_waiting_for_a_job_slot_is_built_once_on_the_base_of_its_start() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    // First runs that take no time, so that the order does not depend on durations.
    world.set("ACRT_NOW", "2020-01-31T08:00:00Z");
    let gate = Gate::new();
    registry.push_shell("base:1", &[("version", "one")]);
    let held = format!(
        "{}RUN ! grep -q two /version || {}\n",
        from(&registry, "base:1"),
        gate.wait_command()
    );
    world.tracked_task(&registry, "slow", &held);
    world.tracked_task(&registry, "child", &from(&registry, "slow:latest"));
    world.tracked_task(&registry, "quick", &from(&registry, "base:1"));
    registry.push_shell("base:1", &[("version", "two")]);
    world.set("ACRT_NOW", "");
    let begun = Instant::now();
    let once = ["task", "watch", "--once", "--settle", "0", "--jobs", "1"];
    let round = world.spawn(&once);
    // The parent goes first; the child waits.
    let build = gate.arrival();
    let newest = registry.push_shell("base:1", &[("version", "three")]);
    eventually("a build that takes its time", || {
        (begun.elapsed() > Duration::from_secs(4)).then_some(())
    });
    build.go_on();
    let round = round.wait().ok();
    assert_eq!(round.stdout.matches("quick: rebuilt").count(), 1, "{round}");
    let runs = world.runs();
    let quick = runs.iter().find(|run| run["task"] == "quick").unwrap();
    assert_eq!(quick["imageUpdateTrigger"]["images"][0]["digest"], newest);
    let built = registry.file("quick:latest", "version");
    assert_eq!(built.as_deref(), Some("three"));
    let round = world.acrt(&once).ok().prints(&["slow: rebuilt"]);
    assert!(!round.stdout.contains("quick"), "{round}");
}
