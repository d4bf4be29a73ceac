//! `acrt task show-run`

use crate::support::{Registry, World};

#[test]
fn show_run_lists_base_image_dependencies() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let base = registry.push("base:1", &[("version", "one")]);
    world.tracked_task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    let run = world
        .acrt(&["task", "show-run", "--run-id", "ca1"])
        .ok()
        .json();
    assert_eq!(run["task"], "web");
    assert_eq!(run["status"], "Succeeded");
    assert_eq!(run["imageUpdateTrigger"], serde_json::Value::Null);
    assert_eq!(run["runErrorMessage"], serde_json::Value::Null);
    assert_eq!(run["builder"], "buildah");
    let dependency = &run["baseImageDependencies"][0];
    assert_eq!(dependency["registry"], registry.host());
    assert_eq!(dependency["repository"], "base");
    assert_eq!(dependency["tag"], "1");
    assert_eq!(dependency["digest"], base);
    assert_eq!(dependency["type"], "Runtime");
}

#[test]
fn missing_or_malformed_run_id_exits_3() {
    let world = World::new();
    world
        .acrt(&["task", "show-run", "--run-id", "ca7"])
        .exits(3)
        .says(&["ca7", "there are none yet; to make one: acrt task run NAME"]);
    // Ids in other registries of Azure begin with other letters.
    for id in ["cf11", "../ca1", "7", "CA1", ""] {
        for command in ["show-run", "logs", "cancel-run", "update-run"] {
            world
                .acrt(&["task", command, "--run-id", id])
                .exits(3)
                .says(&[
                    &format!("no run `{id}`"),
                    "there are none yet; to make one: acrt task run NAME",
                ]);
        }
    }
}
