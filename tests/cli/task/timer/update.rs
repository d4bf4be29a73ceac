//! `acrt task timer update`

use serde_json::json;

use super::{timer, world};

#[test]
fn updated_schedule_counts_from_the_update() {
    let (world, _registry) = world();
    timer(
        &world,
        "add",
        &["--timer-name", "t", "--schedule", "0 21 * * *"],
    )
    .ok();
    world.set("ACRT_NOW", "2026-01-31T12:00:00Z");
    let task = timer(
        &world,
        "update",
        &["--timer-name", "t", "--schedule", "0 9 * * *"],
    )
    .ok()
    .json();
    assert_eq!(task["trigger"]["timerTriggers"][0]["schedule"], "0 9 * * *");
    world.watch_once().ok().silent();
    world.set("ACRT_NOW", "2026-02-01T09:00:00Z");
    world.watch_once().ok();
    assert_eq!(
        world.runs()[0]["timerTrigger"]["scheduleOccurrence"],
        json!("2026-02-01T09:00:00+00:00")
    );
}

#[test]
fn update_of_an_unknown_timer_is_not_found_and_names_the_others() {
    let (world, _registry) = world();
    timer(
        &world,
        "add",
        &["--timer-name", "t", "--schedule", "0 21 * * *"],
    )
    .ok();
    timer(
        &world,
        "update",
        &["--timer-name", "x", "--enabled", "false"],
    )
    .exits(3)
    .says(&["no timer `x`", "it has t"]);
}

/// Runs a round at a time, and returns the number of runs so far.
fn runs_by(world: &crate::support::World, now: &str) -> usize {
    world.set("ACRT_NOW", now);
    world.watch_once().ok();
    world.history().len()
}

#[test]
fn reenabled_task_does_not_catch_up_missed_timer_times() {
    let (world, _registry) = world();
    timer(
        &world,
        "add",
        &["--timer-name", "t", "--schedule", "0 9 * * *"],
    )
    .ok();
    let status = |status| {
        world
            .acrt(&["task", "update", "-n", "web", "--status", status])
            .ok()
    };
    status("Disabled");
    assert_eq!(runs_by(&world, "2026-02-03T12:00:00Z"), 0);
    status("Enabled");
    assert_eq!(runs_by(&world, "2026-02-03T12:01:00Z"), 0);
    assert_eq!(runs_by(&world, "2026-02-04T09:00:00Z"), 1);
}

#[test]
fn task_update_replaces_all_timers_and_unchanged_ones_stay_due() {
    let (world, _registry) = world();
    timer(
        &world,
        "add",
        &["--timer-name", "a", "--schedule", "0 9 * * *"],
    )
    .ok();
    timer(
        &world,
        "add",
        &["--timer-name", "b", "--schedule", "0 10 * * *"],
    )
    .ok();
    // After the times of both: the unchanged one is due, the new one is not.
    world.set("ACRT_NOW", "2026-01-31T12:00:00Z");
    let update = ["task", "update", "-n", "web", "--schedule", "a:0 9 * * *"];
    let task = world
        .acrt(&[&update[..], &["--schedule", "0 11 * * *"]].concat())
        .ok()
        .json();
    assert_eq!(
        task["trigger"]["timerTriggers"],
        json!([
            {"name": "a", "schedule": "0 9 * * *", "status": "Enabled"},
            {"name": "t2", "schedule": "0 11 * * *", "status": "Enabled"}
        ])
    );
    world
        .watch_once()
        .ok()
        .prints(&["rebuilt, timer a of 2026-01-31T09:00:00Z, run ca1"]);
    assert_eq!(runs_by(&world, "2026-01-31T12:01:00Z"), 1);
}
