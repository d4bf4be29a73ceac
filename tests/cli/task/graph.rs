//! `acrt task graph`: the graph of dependencies.

use crate::support::{Registry, World};

/// A base, a task on it, and two tasks on that task's image.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let tasks = [
        ("lib", "base:1"),
        ("web", "lib:latest"),
        ("api", "lib:latest"),
    ];
    for (name, base) in tasks {
        let dockerfile = format!("FROM {}\n", registry.image(base));
        world.tracked_task(&registry, name, &dockerfile);
    }
    (world, registry)
}

#[test]
fn task_graph_shows_the_tree_with_states_and_dependant_counts() {
    let (world, registry) = world();
    let base = registry.image("base:1");
    let expected = format!(
        "{base}  rebuilds 3 images\n└─ lib  current, rebuilds 2 images\n   ├─ api  current\n   └─ web  current\n"
    );
    assert_eq!(world.acrt(&["task", "graph"]).ok().stdout, expected);
    registry.push("base:1", &[("version", "two")]);
    world.acrt(&["task", "check", "-o", "none"]).ok();
    let tree = world.acrt(&["task", "graph", "--name", "web"]).ok();
    let tree = tree.prints(&["lib  stale", "web  waiting"]);
    assert!(!tree.stdout.contains("api"), "{tree}");
}

#[test]
fn task_graph_is_printed_as_dot_and_mermaid() {
    let (world, _registry) = world();
    let drawn = |format: &str| world.acrt(&["task", "graph", "-o", format]).ok().stdout;
    assert!(drawn("dot").starts_with("digraph acrt {"));
    assert_eq!(drawn("mermaid").matches("-->").count(), 3);
    let svg = drawn("svg");
    let boxes = svg.matches("<rect").count();
    assert!(svg.starts_with("<svg ") && boxes == 4, "{svg}");
    let json: serde_json::Value = serde_json::from_str(&drawn("json")).unwrap();
    assert_eq!(json["nodes"][1]["name"], "lib");
    let edges = serde_json::json!([[0, 1], [1, 2], [1, 3]]);
    assert_eq!(json["edges"], edges);
    let list = world.acrt(&["task", "list", "-o", "svg"]).exits(2);
    list.says(&["acrt task graph has them"]);
}
