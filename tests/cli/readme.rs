//! Checks that the example of the README works.

use crate::support::{Registry, World};

#[test]
fn first_readme_example_runs_as_written() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let readme = include_str!("../../README.md");
    let mut blocks = readme.split("```").skip(1).step_by(2);
    let is_it = |block: &&str| block.starts_with("sh\nacrt task create --name web");
    let example = blocks.find(is_it).unwrap();
    let lines = example.strip_prefix("sh\n").unwrap().lines();
    let mut commands = 0;
    for line in lines {
        if line.starts_with("# a new base is pushed") {
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

/// Removes digests, the port and column widths, which differ from run to run.
fn plain(picture: &str) -> Vec<String> {
    let line = |line: &str| {
        let words = line
            .split_whitespace()
            .filter(|word| !word.starts_with("---"));
        let words = words.map(
            |word| match word.contains('…') || word.starts_with("sha256:") {
                true => "DIGEST",
                false => word,
            },
        );
        words.collect::<Vec<_>>().join(" ")
    };
    let lines = picture.lines().map(line);
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn readme_drawings_match_the_program_output() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push("node:20", &[("version", "one")]);
    for (name, base) in [("web", "node:20"), ("docs", "node:20"), ("api", "web:1")] {
        let context = world.context(name, &format!("FROM {}\n", registry.image(base)));
        let image = registry.image(&format!("{name}:1"));
        world
            .acrt(&[
                "task", "create", name, "-t", &image, "-c", &context, "--run",
            ])
            .ok();
    }
    registry.push("node:20", &[("version", "two")]);
    world.acrt(&["task", "check"]).ok();
    let readme = include_str!("../../README.md");
    let mut blocks = readme.split("```").skip(1).step_by(2);
    let picture = blocks
        .find(|block| block.starts_with("text\n$ acrt status"))
        .unwrap();
    assert!(picture.lines().count() <= 20);
    let (status, graph) = picture.split_once("$ acrt task graph\n").unwrap();
    let status = status.strip_prefix("text\n$ acrt status\n").unwrap();
    let drawn = world.acrt(&["status", "-o", "table"]).ok();
    let local = registry.host().replace("127.0.0.1", "localhost");
    let own = |text: &str| {
        let text = text.replace(&registry.host(), "localhost:5000");
        text.replace(&local, "localhost:5000")
    };
    assert_eq!(
        plain(&own(&[drawn.stdout, drawn.stderr].concat())),
        plain(status)
    );
    let drawn = world.acrt(&["task", "graph"]).ok();
    assert_eq!(plain(&own(&drawn.stdout)), plain(graph));
}
