//! `acrt task timer remove`

use serde_json::json;

use super::{timer, world};

#[test]
fn removed_timer_does_not_fire_again() {
    let (world, _registry) = world();
    timer(
        &world,
        "add",
        &["--timer-name", "t", "--schedule", "0 21 * * *"],
    )
    .ok();
    let task = timer(&world, "remove", &["--timer-name", "t"]).ok().json();
    assert_eq!(task["trigger"]["timerTriggers"], json!(null));
    world.set("ACRT_NOW", "2026-02-01T21:00:00Z");
    world.watch_once().ok().silent();
    timer(&world, "remove", &["--timer-name", "t"])
        .exits(3)
        .says(&["no timer `t`", "acrt task timer add"]);
}
