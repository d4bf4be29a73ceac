//! Reports of problems by cron's rounds: each problem once, again a day later, and always with `--repeat` or on a terminal.

use std::fs;

use crate::support::{Output, Registry, World};

/// A machine with buildah, and two registries: a source with `base:1`, and a target for images.
fn world() -> (World, Registry, Registry) {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    world.buildah();
    source.push_shell("base:1", &[("version", "one")]);
    (world, source, target)
}

/// Runs a round at this time of January 2026, with these options.
fn round(world: &World, time: &str, options: &[&str]) -> Output {
    world.set("ACRT_NOW", &format!("2026-01-{time}Z"));
    world.acrt(&[&["task", "watch", "--once"], options].concat())
}

/// Creates a task `name` that has been built on `base:1` of `source`.
fn tracked(world: &World, source: &Registry, target: &Registry, name: &str) {
    let from = format!("FROM {}\n", source.image("base:1"));
    world.tracked_task(target, name, &from);
}

#[test]
fn unreachable_registry_is_reported_once_a_day_and_by_each_exit_code() {
    let (world, source, target) = world();
    world.set("ACRT_NOW", "2026-01-20T08:00:00Z");
    tracked(&world, &source, &target, "web");
    source.stop();
    let away = ["web: unknown", &source.image("base:1")];
    round(&world, "20T08:05:00", &[]).exits(4).says(&away);
    for time in ["20T08:10:00", "20T08:15:00", "20T08:20:00"] {
        round(&world, time, &[]).exits(4).silent();
    }
    round(&world, "20T08:21:00", &["--repeat"])
        .exits(4)
        .says(&away);
    let watch = ["task", "watch", "--once"];
    let seen = world.spawn_on_terminal(&watch).wait();
    seen.exits(4).prints(&away);
    round(&world, "20T08:25:00", &[]).exits(4).silent();

    // A whole day after the report, which came some time after the start of its minute.
    round(&world, "21T08:06:00", &[]).exits(4).says(&away);
    round(&world, "21T08:10:00", &[]).exits(4).silent();
    // The clock was a week ahead, and has been corrected.
    round(&world, "14T08:00:00", &[]).exits(4).says(&away);
    round(&world, "14T08:05:00", &[]).exits(4).silent();

    source.restart();
    let again = format!("{}: answers again, or is no longer needed\n", source.host());
    round(&world, "14T08:10:00", &[]).ok().says(&[&again]);
    source.stop();
    round(&world, "14T08:15:00", &[]).exits(4).says(&away);
    world.acrt(&["task", "watch", "--repeat"]).exits(2);
}

#[test]
fn target_registry_that_is_away_is_no_failure_of_its_tasks_which_are_run_when_it_answers() {
    let (world, source, target) = world();
    world.set("ACRT_NOW", "2026-01-20T08:00:00Z");
    tracked(&world, &source, &target, "web");
    let (from, to) = (source.image("base:1"), target.host());
    let create = [
        "task", "create", "-n", "copy", "-r", &to, "-t", "copy:1", "--import", &from,
    ];
    world.acrt(&create).ok();
    world.run("copy").ok();
    source.push_shell("base:1", &[("version", "two")]);
    target.stop();
    let away = format!("`{to}` cannot be reached");
    round(&world, "20T08:05:00", &[]).exits(4).says(&[&away]);
    let runs = world.history();
    assert_eq!(runs.len(), 4);
    for time in ["20T08:10", "20T08:15", "20T08:20", "20T08:30", "20T09:00"] {
        round(&world, &format!("{time}:00"), &[]).exits(4).silent();
        // The pauses of a round move its clock.
        world.set("ACRT_NOW", &format!("2026-01-{time}:30Z"));
        let states = world.states();
        assert_eq!([&states["web"], &states["copy"]], ["unknown", "unknown"]);
    }
    assert_eq!(world.history(), runs);

    target.restart();
    let again = format!("{to}: answers again, or is no longer needed\n");
    round(&world, "20T09:06:00", &[]).ok().says(&[&again]);
    assert_eq!(target.digest("copy:1"), source.digest("base:1"));
    assert!(target.depends_on("web:latest", "copy:1"));
}

#[test]
fn changed_reason_or_further_task_is_reported_at_once() {
    let (world, source, target) = world();
    let other = Registry::start();
    other.push_shell("base:1", &[("version", "one")]);
    world.set("ACRT_NOW", "2026-01-20T08:00:00Z");
    tracked(&world, &source, &target, "web");
    tracked(&world, &other, &target, "api");
    source.stop();
    let first = round(&world, "20T08:05:00", &[]).exits(4);
    assert!(!first.stderr.contains("api"), "{first}");
    other.stop();
    let second = round(&world, "20T08:10:00", &[]).exits(4);
    second.says(&["api: unknown"]);
    round(&world, "20T08:15:00", &[]).exits(4).silent();

    source.restart();
    source.delete("base", &source.digest("base:1").unwrap());
    let gone = round(&world, "20T08:20:00", &[])
        .exits(4)
        .says(&["web: missing"]);
    assert!(!gone.stderr.contains("api"), "{gone}");
    round(&world, "20T08:25:00", &[]).exits(4).silent();
}

#[test]
fn failed_build_is_reported_once_and_each_further_failed_run_again() {
    let (world, source, target) = world();
    world.set("ACRT_NOW", "2026-01-20T08:00:00Z");
    let from = source.image("base:1");
    let dockerfile = format!("FROM {from}\nRUN [ ! -e /broken ]\n");
    world.tracked_task(&target, "app", &dockerfile);
    world.tracked_task(
        &target,
        "site",
        &format!("FROM {}\n", target.image("app:latest")),
    );
    source.push_shell("base:1", &[("broken", "yes")]);
    let failed = ["run `ca3` of task `app` ended with Failed", "site: waiting"];
    round(&world, "20T08:00:00", &[]).exits(1).says(&failed);
    for time in ["20T08:00:20", "20T08:00:40"] {
        round(&world, time, &[]).exits(1).silent();
    }
    let again = round(&world, "20T08:01:00", &[]).exits(1);
    let again = again.says(&["run `ca4` of task `app` ended with Failed"]);
    assert!(!again.stderr.contains("site"), "{again}");
    round(&world, "20T08:01:20", &[]).exits(1).silent();
    round(&world, "20T08:01:40", &["--repeat"]).exits(1).says(&[
        "app: backing-off",
        "run ca4",
        "site: waiting",
    ]);
    source.push_shell("base:1", &[("version", "three")]);
    let well = round(&world, "20T08:02:00", &[]).ok();
    assert!(well.stderr.is_empty(), "{well}");
}

#[test]
fn every_message_is_repeated_where_the_reported_state_cannot_be_stored() {
    let (world, source, target) = world();
    world.set("ACRT_NOW", "2026-01-20T08:00:00Z");
    tracked(&world, &source, &target, "web");
    source.stop();
    round(&world, "20T08:05:00", &[])
        .exits(4)
        .says(&["web: unknown"]);
    let lock = world.state().join("notified.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    for time in ["20T08:10:00", "20T08:15:00"] {
        round(&world, time, &[])
            .exits(4)
            .says(&["web: unknown", lock.to_str().unwrap()]);
    }
    fs::remove_dir(&lock).unwrap();
    round(&world, "20T08:20:00", &[]).exits(4).silent();
}

#[test]
fn invalid_definition_is_reported_once_and_again_after_it_was_fixed() {
    let (world, source, target) = world();
    world.set("ACRT_NOW", "2026-01-20T08:00:00Z");
    tracked(&world, &source, &target, "web");
    let path = format!("state/tasks/{}/web.yaml", target.host());
    let whole = fs::read_to_string(world.path(&path)).unwrap();
    for day in ["20", "20", "21"] {
        let time = |minute| format!("{day}T09:{minute}:00");
        world.write(&path, "name: [\n");
        round(&world, &time("00"), &[])
            .exits(1)
            .says(&["web.yaml", "line 1"]);
        round(&world, &time("05"), &[]).exits(1).silent();
        world.write(&path, &whole);
        round(&world, &time("10"), &[]).ok().silent();
    }
}
