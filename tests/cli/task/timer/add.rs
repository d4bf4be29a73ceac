//! `acrt task timer add`, and the effect of the timer.

use serde_json::json;

use super::{timer, world};
use crate::support::World;

fn nightly(world: &World) {
    let options = ["--timer-name", "nightly", "--schedule", "0 21 * * *"];
    timer(world, "add", &options).ok();
}

#[test]
fn timer_add_prints_the_whole_task_and_every_listing_names_the_timer() {
    let (world, _registry) = world();
    let options = ["--timer-name", "nightly", "--schedule", "0 21 * * *"];
    let task = timer(&world, "add", &options).ok().json();
    assert_eq!(
        task["trigger"]["timerTriggers"],
        json!([{"name": "nightly", "schedule": "0 21 * * *", "status": "Enabled"}])
    );
    let table = world.acrt(&["task", "list", "-o", "table"]).ok();
    assert!(table.stdout.contains("BASE_IMAGE, TIMER"), "{table}");
}

#[test]
fn timer_runs_a_never_run_task_once_at_its_time() {
    let (world, _registry) = world();
    nightly(&world);
    world.set("ACRT_NOW", "2026-01-31T20:59:59Z");
    world.watch_once().ok().silent();
    world.set("ACRT_NOW", "2026-01-31T21:00:00Z");
    assert_eq!(world.state_of("web"), "stale");
    let round = world.watch_once().ok();
    assert!(
        round
            .stdout
            .starts_with("web: rebuilt, timer nightly of 2026-01-31T21:00:00Z, run ca1"),
        "{round}"
    );
    let run = &world.runs()[0];
    assert_eq!(
        run["timerTrigger"],
        json!({"timerTriggerName": "nightly", "scheduleOccurrence": "2026-01-31T21:00:00+00:00"})
    );
    assert_eq!(run["runType"], "AutoRun");
    assert_eq!(run["imageUpdateTrigger"], json!(null));
    let table = world.acrt(&["task", "list-runs", "-o", "table"]).ok();
    assert!(table.stdout.contains("Timer"), "{table}");
    world.set("ACRT_NOW", "2026-02-01T20:00:00Z");
    world.watch_once().ok().silent();
    assert_eq!(world.history(), ["web Succeeded"]);
}

#[test]
fn missed_timer_times_make_one_run() {
    let (world, _registry) = world();
    nightly(&world);
    world.set("ACRT_NOW", "2026-03-01T12:00:00Z");
    world.watch_once().ok();
    world.watch_once().ok().silent();
    let runs = world.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(
        runs[0]["timerTrigger"]["scheduleOccurrence"],
        "2026-02-28T21:00:00+00:00"
    );
}

#[test]
fn timer_and_moved_base_make_one_run_with_both_causes() {
    let (world, registry) = world();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    nightly(&world);
    registry.push("base:1", &[("version", "two")]);
    world.set("ACRT_NOW", "2026-01-31T21:00:30Z");
    world.watch_once().ok();
    let run = &world.runs()[0];
    assert_eq!(run["timerTrigger"]["timerTriggerName"], "nightly");
    assert_eq!(run["imageUpdateTrigger"]["images"][0]["repository"], "base");
    assert_eq!(world.history().len(), 2);
    world.watch_once().ok().silent();
}

#[test]
fn failed_timer_run_is_retried_and_the_next_time_is_kept() {
    let (world, _registry) = world();
    nightly(&world);
    world.write("web/Dockerfile", "FROM scratch\nCOPY missing /\n");
    world.set("ACRT_NOW", "2026-01-31T21:00:00Z");
    world.watch_once().exits(1);
    world
        .acrt(&["task", "watch", "--once", "--repeat"])
        .exits(1)
        .says(&["web: failing", "run ca1: "]);
    assert_eq!(world.state_of("web"), "failing");
    world.write("web/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    world.set("ACRT_NOW", "2026-01-31T21:02:00Z");
    world.watch_once().ok();
    assert_eq!(world.history(), ["web Failed", "web Succeeded"]);
    let run = &world.runs()[0];
    assert_eq!(
        run["timerTrigger"]["scheduleOccurrence"],
        "2026-01-31T21:00:00+00:00"
    );
}

#[test]
fn disabled_timer_or_task_is_not_run_and_missed_times_are_not_caught_up() {
    let (world, _registry) = world();
    nightly(&world);
    let off = ["--timer-name", "nightly", "--enabled", "false"];
    timer(&world, "update", &off).ok();
    world.set("ACRT_NOW", "2026-01-31T22:00:00Z");
    world.watch_once().ok().silent();
    let on = ["--timer-name", "nightly", "--enabled", "true"];
    timer(&world, "update", &on).ok();
    world.watch_once().ok().silent();
    assert_eq!(world.history().len(), 0);
    world
        .acrt(&["task", "update", "--name", "web", "--status", "Disabled"])
        .ok();
    world.set("ACRT_NOW", "2026-02-01T22:00:00Z");
    world.watch_once().ok().silent();
    assert_eq!(world.history().len(), 0);
}

#[test]
fn timer_written_by_hand_counts_from_the_first_round_that_reads_it() {
    let (world, registry) = world();
    let file = world
        .state()
        .join(format!("tasks/{}/web.yaml", registry.host()));
    let mut definition = std::fs::read_to_string(&file).unwrap();
    definition.push_str("  timerTriggers: [{name: t1, schedule: '*/5 * * * *'}]\n");
    std::fs::write(&file, definition).unwrap();
    world.watch_once().ok().silent();
    world.set("ACRT_NOW", "2026-01-31T08:05:00Z");
    world.watch_once().ok();
    assert_eq!(world.history(), ["web Succeeded"]);
}

#[test]
fn changed_task_arguments_do_not_repeat_past_timer_times() {
    let (world, _registry) = world();
    nightly(&world);
    world.set("ACRT_NOW", "2026-01-31T21:00:00Z");
    world.watch_once().ok();
    world
        .acrt(&["task", "update", "--name", "web", "--arg", "A=1"])
        .ok();
    world.set("ACRT_NOW", "2026-01-31T21:05:00Z");
    world.watch_once().ok().silent();
    assert_eq!(world.history(), ["web Succeeded"]);
}

#[test]
fn duplicate_timer_name_or_schedule_and_invalid_schedule_are_refused() {
    let (world, _registry) = world();
    nightly(&world);
    timer(
        &world,
        "add",
        &["--timer-name", "nightly", "--schedule", "0 3 * * *"],
    )
    .exits(2)
    .says(&["there is a timer `nightly` already"]);
    timer(
        &world,
        "add",
        &["--timer-name", "other", "--schedule", "0 21 * * *"],
    )
    .exits(2)
    .says(&["`nightly` and `other` have the same schedule"]);
    timer(
        &world,
        "add",
        &["--timer-name", "other", "--schedule", "0 25 * * *"],
    )
    .exits(2)
    .says(&["hour `25` must be from 0 to 23"]);
    timer(
        &world,
        "add",
        &["--timer-name", "a:b", "--schedule", "0 3 * * *"],
    )
    .exits(2);
}

#[test]
fn schedule_of_task_create_is_named_by_position_or_by_its_prefix() {
    let (world, registry) = world();
    let (context, host) = (world.context("two", "FROM scratch\n"), registry.host());
    let line = [
        "task",
        "create",
        "-n",
        "two",
        "-r",
        &host,
        "-t",
        "two:1",
        "-c",
        &context,
        "--schedule",
        "noon:0 12 * * *",
        "--schedule",
        "0 0 * * Sun",
    ];
    let task = world.acrt(&line).ok().json();
    assert_eq!(
        task["trigger"]["timerTriggers"],
        json!([
            {"name": "noon", "schedule": "0 12 * * *", "status": "Enabled"},
            {"name": "t2", "schedule": "0 0 * * Sun", "status": "Enabled"}
        ])
    );
}

#[test]
fn killed_watch_neither_loses_nor_repeats_a_timer_time() {
    let (world, _registry) = world();
    nightly(&world);
    let gate = crate::support::Gate::new();
    world.fake("buildah", &format!("exec {}", gate.wait_command()));
    world.set("ACRT_NOW", "2026-01-31T21:00:00Z");
    let watch = world.spawn(&["task", "watch", "--once"]);
    let build = gate.arrival();
    watch.kill();
    drop(build);
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T21:10:00Z");
    world.watch_once().ok();
    world.watch_once().ok().silent();
    assert_eq!(world.history(), ["web Error", "web Succeeded"]);
    assert_eq!(
        world.runs()[0]["timerTrigger"]["scheduleOccurrence"],
        "2026-01-31T21:00:00+00:00"
    );
}

#[test]
fn concurrent_timer_and_credential_additions_are_all_kept() {
    let (world, _registry) = world();
    let added: Vec<_> = (0..10)
        .flat_map(|n| {
            [
                format!("task timer add -n web --timer-name t{n} --schedule {n}|*|*|*|*"),
                format!("task credential add -n web --login-server s{n}.io -u me -p env:TOKEN"),
            ]
        })
        .map(|line| {
            let words: Vec<String> = line.split(' ').map(|it| it.replace('|', " ")).collect();
            world.spawn(&words.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .collect();
    added.into_iter().for_each(|one| drop(one.wait().ok()));
    let count = |group: &str| {
        let words = ["task", group, "list", "-n", "web", "--query", "length(@)"];
        world.acrt(&words).ok().stdout
    };
    assert_eq!(
        (count("timer"), count("credential")),
        ("10\n".into(), "10\n".into())
    );
}
