//! The example of the README does what it says.

use crate::support::{Registry, World};

#[test]
fn the_first_example_runs_as_it_is_written() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let readme = include_str!("../../README.md");
    let example = readme.split("```").nth(1).unwrap();
    let lines = example.strip_prefix("sh\n").unwrap().lines();
    let mut commands = 0;
    for line in lines {
        if line.starts_with("# somebody pushes a new base") {
            registry.push("base:1", &[("version", "two")]);
            continue;
        }
        let arguments = line.strip_prefix("acrt ").unwrap();
        let arguments = arguments.split(" #").next().unwrap();
        let arguments = arguments.replace("localhost:5000", &registry.host());
        let output = world
            .acrt(&arguments.split_whitespace().collect::<Vec<_>>())
            .ok();
        if arguments.starts_with("task check") {
            output.prints(&["stale", &registry.image("base:1")]);
        } else if arguments.starts_with("task watch --once") {
            output.prints(&["web: rebuilt"]);
            assert!(registry.depends_on("web:latest", "base:1"));
            world.watch_once().ok().silent();
        }
        commands += 1;
    }
    assert_eq!(commands, 6);
}
