//! `acrt task timer list`

use serde_json::json;

use super::{timer, world};

#[test]
fn timer_list_shows_the_next_three_times_of_each_timer() {
    let (world, _registry) = world();
    assert_eq!(timer(&world, "list", &[]).ok().json(), json!([]));
    let add = |name, schedule, enabled| {
        let options = [
            "--timer-name",
            name,
            "--schedule",
            schedule,
            "--enabled",
            enabled,
        ];
        timer(&world, "add", &options).ok();
    };
    add("nightly", "0 21 * * *", "true");
    add("never", "0 0 * * 1", "False");
    assert_eq!(
        timer(&world, "list", &[]).ok().json(),
        json!([
            {"name": "nightly", "schedule": "0 21 * * *", "status": "Enabled", "nextOccurrences": [
                "2026-01-31T21:00:00+00:00", "2026-02-01T21:00:00+00:00", "2026-02-02T21:00:00+00:00"
            ]},
            {"name": "never", "schedule": "0 0 * * 1", "status": "Disabled", "nextOccurrences": []}
        ])
    );
    let table = timer(&world, "list", &["-o", "table"]).ok();
    let lines: Vec<Vec<&str>> = table
        .stdout
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(lines[0], ["NAME", "SCHEDULE", "STATUS", "NEXT"]);
    assert_eq!(
        lines[2],
        ["nightly", "0 21 * * *", "Enabled", "2026-01-31T21:00Z"]
    );
    assert_eq!(lines[3], ["never", "0 0 * * 1", "Disabled"]);
}

#[test]
fn timer_list_of_an_unknown_task_is_not_found() {
    let (world, _registry) = world();
    world
        .acrt(&["task", "timer", "list", "--name", "other"])
        .exits(3);
}
