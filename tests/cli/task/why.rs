//! `acrt task why`: why a task was rebuilt, and how its bases differ.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Registry, World};

/// A task whose base will move to an image with another user, variable and label.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push_shell("base:1", &[("version", "one")]);
    let from = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &from);
    (world, registry)
}

/// Returns acrt's requests for manifests and configs.
fn reads(registry: &Registry) -> Vec<String> {
    let requests = registry.requests().into_iter();
    let ours = requests.filter(|it| it.agent.starts_with("acrt"));
    ours.map(|it| format!("{} {}", it.method, it.path))
        .collect()
}

fn why(world: &World, options: &[&str]) -> Value {
    let args = [&["task", "why", "--name", "web", "-o", "json"], options].concat();
    world.acrt(&args).ok().json()
}

#[test]
fn why_of_a_manual_run_names_no_moved_base() {
    let (world, registry) = world();
    registry.forget_requests();
    let answer = why(&world, &[]);
    assert_eq!(answer["cause"], "by hand");
    assert_eq!(answer["runId"], "ca1");
    assert_eq!(answer["bases"], serde_json::json!([]));
    assert_eq!(reads(&registry), Vec::<String>::new());
}

#[test]
fn why_reports_manifest_and_config_differences_before_and_after_the_run() {
    let (world, registry) = world();
    let old = registry.digest("base:1").unwrap();
    let new = registry.push_shell("base:1", &[("version", "two"), ("more", "x")]);
    world.set("ACRT_NOW", "2026-01-31T09:00:00Z");
    world.acrt(&["task", "check"]).ok();
    registry.forget_requests();
    let answer = why(&world, &[]);
    assert_eq!(answer["runId"], Value::Null);
    assert_eq!(answer["state"], "stale");
    let base = &answer["bases"][0];
    assert_eq!(
        (&base["previousDigest"], &base["digest"]),
        (&old.into(), &new.into())
    );
    assert_eq!(base["seenBy"], "poll");
    assert_eq!(base["problem"], Value::Null, "{answer}");
    let what = |base: &Value| -> Vec<String> {
        let all = base["differences"].as_array().unwrap().iter();
        all.map(|it| it["what"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(what(base).contains(&"layer".to_owned()), "{answer}");
    let made = reads(&registry);
    let of = |part: &str| made.iter().filter(|it| it.contains(part)).count();
    assert_eq!(
        (of("/manifests/"), of("/blobs/"), made.len()),
        (2, 2, 4),
        "{made:?}"
    );

    world.watch_once().ok();
    let answer = why(&world, &["--run-id", "ca2"]);
    assert_eq!(answer["status"], "Succeeded");
    assert_eq!(what(&answer["bases"][0]), what(base));
    let table = world.acrt(&["task", "why", "web", "-o", "table"]).ok();
    table.prints(&["run ca2, Succeeded", "seen", "by poll", "layer"]);
    world
        .acrt(&["task", "why", "web", "--run-id", "ca9"])
        .exits(3)
        .says(&["task list-runs --name web"]);
}

#[test]
fn why_reports_a_missing_base_and_an_unreachable_registry() {
    let (world, registry) = world();
    let old = registry.digest("base:1").unwrap();
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok();
    registry.delete("base", &old);
    let problem = |world: &World| why(world, &[])["bases"][0]["problem"].to_string();
    let gone = problem(&world);
    assert!(gone.contains("no longer has what it was"), "{gone}");
    registry.stop();
    let away = problem(&world);
    assert!(away.contains("cannot be reached"), "{away}");
}

#[test]
fn why_of_a_never_run_task_reports_it() {
    let (world, registry) = (World::new(), Registry::start());
    world.task(&registry, "web", "FROM scratch\n");
    let answer = why(&world, &[]);
    assert_eq!(answer["state"], "never-run");
    assert_eq!(answer["runId"], Value::Null);
    for id in ["ca9", "nosuch"] {
        let why = world.acrt(&["task", "why", "web", "--run-id", id]);
        why.exits(3).says(&[&format!("`{id}`")]);
    }
}

const TASK: &str = "schema: 1
name: web
registry: localhost:5000
step: {type: Docker, contextPath: /src/web, dockerFilePath: Dockerfile, imageNames: [web:latest]}
trigger: {baseImageTrigger: {}, timerTriggers: [{name: nightly, schedule: 0 21 * * *}]}
";

const RUN: &str = r#"{"schema": 1, "runId": "ca1", "task": "web", "registry": "localhost:5000",
  "status": "Failed", "runType": "AutoRun", "createTime": "2026-01-31T08:00:00Z",
  "startTime": "2026-01-31T08:00:00Z", "finishTime": "2026-01-31T08:00:07Z",
  "lastUpdatedTime": "2026-01-31T08:00:07Z", "outputImages": null,
  "imageUpdateTrigger": null, "timerTriggers": [{"timerTriggerName": "nightly", "scheduleOccurrence": "2026-01-31T08:00:00Z"}],
  "runErrorMessage": "the build failed: the builder's exit code is 127: /bin/sh: npm: not found"}"#;

#[test]
fn why_tables_fit_every_terminal_with_and_without_colour() {
    let world = World::new();
    world.set("ACRT_NOW", "2026-01-31T10:00:00Z");
    world.write("state/tasks/localhost:5000/web.yaml", TASK);
    world.write("state/runs/ca1/run.json", RUN);
    world.write("state/runs/last", "1");
    let failure = r#"{"schema": 1, "failure": {"count": 1, "runId": "ca1", "reason": "the build failed: the builder's exit code is 127: /bin/sh: npm: not found", "last": "2026-01-31T08:00:07Z", "nextTry": "2026-01-31T08:01:07Z"}}"#;
    world.write("state/baselines/localhost:5000/web.json", failure);
    let acrt = env!("CARGO_BIN_EXE_acrt");
    let mut all = String::new();
    for words in ["status", "task show web", "task graph", "task why web"] {
        for columns in [40, 50, 80, 120] {
            for colour in ["", "NO_COLOR=1 "] {
                let line = format!("stty cols {columns} rows 40; {colour}exec '{acrt}' {words}");
                let shown = world.shell_on_terminal(&line).stdout;
                let shown = shown.replace('\u{1b}', "␛").replace('\r', "");
                all.push_str(&format!("--- {colour}{words}, {columns} columns\n{shown}"));
            }
        }
    }
    assert_snapshot!("for-people", all);
}
