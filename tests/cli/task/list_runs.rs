//! `acrt task list-runs`

use crate::support::{Registry, World};

/// Two runs of `web`, the second because of its base, and a failed one of `bad`.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok();
    world.task(&registry, "bad", &format!("{dockerfile}RUN false\n"));
    world.run("bad").exits(1);
    (world, registry)
}

#[test]
fn run_list_is_newest_first_and_can_be_filtered() {
    let (world, registry) = world();
    let list = |options: &[&str]| {
        let query = ["--query", "[].runId", "-o", "tsv"];
        world
            .acrt(&[&["task", "list-runs"], options, &query].concat())
            .ok()
            .stdout
    };
    assert_eq!(list(&[]), "ca3\nca2\nca1\n");
    assert_eq!(list(&["--top", "2"]), "ca3\nca2\n");
    assert_eq!(list(&["-n", "web"]), "ca2\nca1\n");
    assert_eq!(list(&["--run-status", "failed"]), "ca3\n");
    let digest = world.runs()[1]["outputImages"][0]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        list(&["--image", &registry.image(&format!("web@{digest}"))]),
        "ca2\n"
    );
    // Without a registry, the image is on the registry of each run, or on the default one.
    assert_eq!(list(&["--image", "web:latest"]), "ca2\nca1\n");
    world.config("defaults: {registry: r.test}\n");
    assert_eq!(list(&["--image", "web:latest"]), "");
}

#[test]
fn run_table_shows_cause_and_result_of_each_run() {
    let (world, _registry) = world();
    let table = world
        .acrt(&["task", "list-runs", "-o", "table"])
        .ok()
        .stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        [
            "RUN", "ID", "TASK", "PLATFORM", "STATUS", "TRIGGER", "STARTED", "DURATION"
        ]
    );
    let words = |n: usize| lines[n].split_whitespace().collect::<Vec<_>>();
    assert_eq!(words(2)[..5], ["ca3", "bad", "linux", "Failed", "Manual"]);
    assert_eq!(
        words(3)[..6],
        ["ca2", "web", "linux", "Succeeded", "Image", "Update"]
    );
    assert_eq!(
        words(4)[..5],
        ["ca1", "web", "linux", "Succeeded", "Manual"]
    );
    assert!(words(4)[6].starts_with("00:00:"), "{table}");
}

#[test]
fn run_cause_is_stored_whole_and_is_the_first_line_of_the_log() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2027-01-01T02:59:00Z");
    let old = registry.push_shell("base:1", &[("version", "one")]);
    let base = registry.image("base:1");
    world.tracked_task(&registry, "web", &format!("FROM {base}\n"));
    let app = format!("FROM {}\n", registry.image("web:latest"));
    world.tracked_task(&registry, "app", &app);
    world.task_with(
        &registry,
        "night",
        "FROM scratch\n",
        &["--schedule", "0 3 * * *"],
    );
    let new = registry.push_shell("base:1", &[("version", "two")]);
    world.set("ACRT_NOW", "2027-01-01T03:01:00Z");
    world.watch_once().ok();

    let short = |digest: &str| format!("{}…", &digest[7..11]);
    let cause = format!("{base} {} → {}", short(&old), short(&new));
    let runs = world.runs();
    let of = |task: &str| runs.iter().find(|run| run["task"] == task).unwrap();
    assert_eq!(of("web")["cause"], cause);
    let update = &of("web")["baseUpdates"][0];
    assert_eq!(update["image"], base);
    assert_eq!(update["previousDigest"], old);
    assert_eq!(update["digest"], new);
    assert_eq!(update["seen"], "2027-01-01T03:01:00+00:00");
    assert_eq!(update["seenBy"], "poll");
    // The move of an image that a run has pushed was seen by that run.
    assert_eq!(of("app")["baseUpdates"][0]["seenBy"], "run");
    assert_eq!(of("night")["cause"], "timer t1");

    let id = of("web")["runId"].as_str().unwrap();
    let log = world.acrt(&["task", "logs", "--run-id", id]).ok().stdout;
    let first = format!("acrt: cause: {cause}, seen 2027-01-01T03:01:00Z by poll");
    assert_eq!(log.lines().next(), Some(first.as_str()));
    let log = world.acrt(&["task", "logs", "--run-id", "ca1"]).ok().stdout;
    assert_eq!(log.lines().next(), Some("acrt: cause: by hand"));

    let list = ["task", "list-runs", "--detail", "-o", "table"];
    let table = world.acrt(&list).ok().stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].ends_with("CAUSE"), "{table}");
    assert!(lines.iter().any(|line| line.ends_with(&cause)), "{table}");
    assert!(table.trim_end().ends_with("by hand"), "{table}");
}

#[test]
fn run_list_reports_and_skips_a_broken_record() {
    let (world, _registry) = world();
    world.write("state/runs/ca2/run.json", "{\n\"schema\": 1,\n");
    let list = world.acrt(&["task", "list-runs", "--query", "[].runId", "-o", "tsv"]);
    assert_eq!(list.stdout, "ca3\nca1\n");
    list.exits(1).says(&["runs/ca2/run.json", "line"]);
}

#[test]
fn number_of_runs_below_zero_is_refused_without_a_hint_at_another_way_to_write_it() {
    let refused = World::new().acrt(&["task", "list-runs", "--top", "-1"]);
    let refused = refused.exits(2).says(&["invalid value '-1' for '--top"]);
    assert!(!refused.stderr.contains("-- -1"), "{refused}");
}
