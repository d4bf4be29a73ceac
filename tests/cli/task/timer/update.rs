//! `acrt task timer update`

use serde_json::json;

use super::{timer, world};

#[test]
fn another_schedule_counts_from_now_on() {
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
fn a_timer_that_is_not_there_is_not_found_and_the_others_are_named() {
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
