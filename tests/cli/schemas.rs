//! Checks acrt's JSON against the schemas in `docs/schemas`: every key of an answer is in its schema.

use std::collections::BTreeSet;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::support::{Registry, World};

/// A schema of `docs/schemas`.
struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
    document: Value,
}

impl Schema {
    fn read(name: &str) -> Self {
        let path = format!(
            "{}/docs/schemas/{name}.schema.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let document: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler
            .add_resource("schema.json", document.clone())
            .unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("schema.json", &mut schemas).unwrap();
        Self {
            schemas,
            index,
            document,
        }
    }

    #[track_caller]
    fn holds(&self, answer: &Value) {
        if let Err(problem) = self.schemas.validate(answer, self.index) {
            panic!("{problem:#} in {answer:#}");
        }
    }

    fn refuses(&self, answer: &Value) -> bool {
        self.schemas.validate(answer, self.index).is_err()
    }
}

#[test]
fn task_check_output_matches_its_schema() {
    let schema = Schema::read("task-check");
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.config(&format!(
        "mirrors: {{'{}': '{}'}}\n",
        registry.image("base"),
        registry.image("copies/base")
    ));
    let digest = registry.push("base:1", &[("version", "one")]);
    registry.push("late:1", &[("version", "one")]);
    let base = registry.image("base:1");
    let timer = ["--schedule", "0 3 * * *"];
    world.task_with(&registry, "web", &format!("FROM {base}\n"), &timer);
    world.run("web").ok();
    let pinned = registry.image(&format!("base@{digest}"));
    world.tracked_task(&registry, "pinned", &format!("FROM {pinned}\n"));
    let late = registry.image("late:1");
    world.tracked_task(&registry, "late", &format!("FROM {late}\n"));
    world.task(&registry, "never", "FROM scratch\n");
    let images = ["task", "check", "--images"];
    let answer = world.acrt(&images).ok().json();
    schema.holds(&answer);
    // With its mirrors, for a single task.
    schema.holds(&world.acrt(&["task", "check", "-n", "web"]).ok().json());

    registry.delete("late", &registry.digest("late:1").unwrap());
    registry.push("base:1", &[("version", "two")]);
    let answer = world.acrt(&images).exits(4).json();
    schema.holds(&answer);
    let states = |answer: &Value| -> BTreeSet<String> {
        let all = answer.as_array().unwrap().iter();
        all.map(|task| task["state"].as_str().unwrap().to_owned())
            .collect()
    };
    let expected = ["follows-nothing", "missing", "never-run", "stale"];
    assert_eq!(states(&answer), expected.map(str::to_owned).into());
    schema.holds(&world.acrt(&["task", "watch", "--dry-run"]).exits(4).json());
    registry.stop();
    schema.holds(&world.acrt(&images).exits(4).json());

    registry.restart();
    let age = ["task", "update", "-n", "web", "--min-age", "365d"];
    world.acrt(&age).ok();
    let young = world.acrt(&["task", "check", "-n", "web"]).ok().json();
    assert_eq!(young[0]["images"][0]["state"], "too-young", "{young}");
    schema.holds(&young);

    // The schema is strict: neither an unknown key nor an unknown state passes.
    let mut odd = answer.clone();
    odd[0]["more"] = json!(1);
    assert!(schema.refuses(&odd));
    let mut odd = answer;
    odd[0]["state"] = json!("fine");
    assert!(schema.refuses(&odd));
    let known = schema.document["$defs"]["task"]["properties"]["state"]["enum"].clone();
    let known: Vec<&str> = known
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert_eq!(known, acrt::watch::State::ALL.map(acrt::watch::State::word));
}

#[test]
fn run_output_matches_its_schema() {
    let schema = Schema::read("task-show-run");
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2027-01-01T02:59:00Z");
    world.git();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("source", &[("Dockerfile", &dockerfile)]);
    let options = ["--schedule", "0 3 * * *"];
    world.task_with(&registry, "web", &dockerfile, &options);
    let (host, url) = (registry.host(), repository.url());
    let create = [
        "task", "create", "-n", "source", "-r", &host, "--image", "source:1",
    ];
    let follow = ["--context", &url, "--commit-trigger-enabled", "true"];
    world.acrt(&[&create[..], &follow[..]].concat()).ok();
    let show = |id: &str| {
        let run = world
            .acrt(&["task", "show-run", "--run-id", id])
            .ok()
            .json();
        schema.holds(&run);
        run
    };
    world.run("web").ok();
    world.run("source").ok();
    assert_eq!(show("ca1")["status"], "Succeeded");
    show("ca2");

    world.set("ACRT_NOW", "2027-01-01T03:01:00Z");
    registry.push("base:1", &[("version", "two")]);
    repository.commit(&[("more", "1")]);
    world.watch_once().ok();
    let causes: Vec<Value> = ["ca3", "ca4"].map(show).into();
    let has = |key: &str| causes.iter().any(|run| !run[key].is_null());
    for key in [
        "imageUpdateTrigger",
        "timerTrigger",
        "sourceTrigger",
        "sourceCommit",
    ] {
        assert!(has(key), "{key}: {causes:#?}");
    }
    world.write("web/Dockerfile", &format!("{dockerfile}COPY nothing /\n"));
    world.run("web").exits(1);
    let failed = show("ca5");
    assert!(failed["runErrorMessage"].is_string());
    let context = world.path("web").to_str().unwrap().to_owned();
    world.write("web/Dockerfile", &dockerfile);
    world
        .acrt(&["build", "-r", &host, "-t", "quick:1", &context])
        .ok();
    assert_eq!(show("ca6")["task"], Value::Null);
    for run in world.runs() {
        schema.holds(&run);
    }
    let mut odd = failed;
    odd["more"] = json!(1);
    assert!(schema.refuses(&odd));
}

#[test]
fn page_status_json_matches_its_schema() {
    let schema = Schema::read("page-status");
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.config(
        "builders: {buildah: {jobs: 2}, arm1: {kind: docker, address: 'tcp://127.0.0.1:1'}}\n",
    );
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    world.task_with(&registry, "new", &dockerfile, &["--schedule", "0 3 * * *"]);
    let page = world.spawn(&["status", "--serve", "127.0.0.1:0"]);
    let url = page.stderr_after("the page is at ");
    let status = || -> Value {
        let answer = ureq::get(format!("{url}/status.json")).call();
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        let answer = serde_json::from_str(&text).unwrap();
        schema.holds(&answer);
        answer
    };
    let answer = status();
    assert_eq!(answer["summary"]["current"], 1, "{answer:#}");
    assert_eq!(answer["tasks"][0]["name"], "new");
    assert_eq!(answer["builders"][1]["jobs"], 2);
    registry.stop();
    world.acrt(&["task", "check", "-o", "none"]).exits(4);
    let answer = crate::support::eventually("the look that had no answer", || {
        Some(status()).filter(|answer| answer["summary"]["unknown"] == 1)
    });
    assert_eq!(answer["registries"][0]["errors"], 1, "{answer:#}");
    assert_eq!(answer["states"]["unknown"], 1);
    let mut odd = answer;
    odd["more"] = json!(1);
    assert!(schema.refuses(&odd));
}
