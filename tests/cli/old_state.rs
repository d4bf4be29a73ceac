//! State directories of version 0.1.0.

use std::fs;

use serde_json::Value;

use crate::support::{Registry, World};

/// A state directory with a task on `base:1`, and the state of that tag under its old name.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let digest = registry.push("base:1", &[("version", "one")]);
    let host = registry.host();
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    world.write(
        &format!("state/tasks/{host}/web.yaml"),
        &format!(
            "schema: 1\nname: web\nregistry: {host}\nstatus: Enabled\ncreationDate: 2026-01-30T08:00:00Z\ntimeout: 3600\n\
             step:\n  type: Docker\n  contextPath: {context}\n  dockerFilePath: Dockerfile\n  imageNames:\n  - web:latest\n  \
             isPushEnabled: true\n  noCache: false\n  arguments: []\n\
             trigger:\n  baseImageTrigger:\n    status: Enabled\n    baseImageTriggerType: Runtime\n    name: defaultBaseimageTriggerName\n"
        ),
    );
    world.write(
        &format!("state/known/{host}/web.json"),
        &format!(
            r#"{{"schema": 1, "runId": "ca1", "recorded": "2026-01-30T08:00:00Z",
              "dependencies": [{{"registry": "{host}", "repository": "base", "tag": "1", "digest": "{digest}",
                "type": "Runtime", "manifests": {{"linux/amd64": "{digest}"}}, "line": 1}}],
              "untracked": [],
              "failure": {{"count": 2, "runId": "ca3", "last": "2026-01-30T09:00:00Z", "nextTry": "2026-01-30T09:02:00Z",
                "tried": {{"{host}/base:1": "{digest}"}}, "inputs": null}}}}"#
        ),
    );
    world.write(
        "state/bases.json",
        &format!(
            r#"{{"schema": 1, "tags": {{"{host}/base:1": {{"digest": "{digest}", "manifests": {{"linux/amd64": "{digest}"}},
              "firstSeen": "2026-01-30T08:00:00Z", "lastLooked": "2026-01-30T10:00:00Z", "nextLook": "2026-01-30T10:01:00Z",
              "error": {{"message": "no answer", "since": "2026-01-30T09:30:00Z", "hint": null}}}}}}}}"#
        ),
    );
    (world, registry)
}

fn json(world: &World, path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(world.path(path)).unwrap()).unwrap()
}

#[test]
fn state_of_version_0_1_is_read_and_upgraded() {
    let (world, registry) = world();
    world.set("ACRT_NOW", "2026-01-30T10:05:00Z");
    registry.forget_requests();
    let list = world.acrt(&["task", "list"]).ok().json();
    assert_eq!(list[0]["state"], "unknown");
    assert_eq!(list[0]["lastLooked"], "2026-01-30T10:00:00+00:00");
    assert_eq!(registry.requests(), []);
    assert_eq!(world.state_of("web"), "current");
    world.watch_once().ok().silent();

    // From now on it stores the canonical name of the registry, and the images that the files name.
    let tags = json(&world, "state/bases.json")["tags"].clone();
    let tags: Vec<&String> = tags.as_object().unwrap().keys().collect();
    let local = registry.host().replace("127.0.0.1", "localhost");
    assert_eq!(tags, [&format!("{local}/base:1")]);
    let other = registry.push("base:2", &[("version", "two")]);
    world.write(
        "web/Dockerfile",
        &format!("FROM {}\n", registry.image("base:2")),
    );
    assert_eq!(world.state_of("web"), "changed");
    world.write(
        "web/Dockerfile",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    registry.retag("base:1", &other);
    assert_eq!(world.state_of("web"), "stale");
    world.watch_once().ok();
    let kept = format!("state/upgraded-from-0.1/known/{}/web.json", registry.host());
    assert_eq!(json(&world, &kept)["runId"], "ca1");
    assert!(!world.path("state/known").exists());
    let known = json(
        &world,
        &format!("state/baselines/{}/web.json", registry.host()),
    );
    assert_eq!(known["named"][0], registry.image("base:1"));
    assert_eq!(known["failure"], Value::Null);
    assert_eq!(world.state_of("web"), "current");
}
