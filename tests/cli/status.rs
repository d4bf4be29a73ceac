//! `acrt status`: the states of all tasks, for people.

use crate::support::{Registry, World};

const NOW: i64 = 1_800_000_000;

fn at(world: &World, minutes: i64) {
    world.set("ACRT_NOW", &(NOW + 60 * minutes).to_string());
}

/// A current task, one whose base has moved, a failed one and one that has not run.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    at(&world, 0);
    for base in ["base:1", "other:1"] {
        registry.push_shell(base, &[("version", "one")]);
    }
    let from = |base: &str| format!("FROM {}\n", registry.image(base));
    world.tracked_task(&registry, "fine", &from("base:1"));
    world.tracked_task(&registry, "late", &from("other:1"));
    world.task(
        &registry,
        "broken",
        &format!("{}RUN exit 7\n", from("base:1")),
    );
    world.run("broken").exits(1);
    world.task(&registry, "new", &from("base:1"));
    registry.push_shell("other:1", &[("version", "two")]);
    at(&world, 3);
    world.acrt(&["task", "check", "-o", "none"]);
    (world, registry)
}

#[test]
fn status_lists_tasks_worst_first_without_a_registry_request() {
    let (world, registry) = world();
    drop(registry);
    at(&world, 5);
    let status = world.acrt(&["status"]).ok();
    let lines: Vec<&str> = status.stdout.lines().collect();
    assert!(lines[0].starts_with("NAME"), "{status}");
    let names = lines[2..].iter().filter_map(|line| line.split(' ').next());
    let names: Vec<&str> = names.collect();
    assert_eq!(names, ["broken", "late", "new", "fine"], "{status}");
    let has = |line: &str, parts: &[&str]| {
        let missing: Vec<_> = parts.iter().filter(|part| !line.contains(**part)).collect();
        assert!(missing.is_empty(), "no {missing:?} in: {line}");
    };
    has(lines[2], &["failing", "5 min ago, ca3 failed"]);
    has(lines[3], &["stale", "other:1", "5 min ago, ca2"]);
    has(lines[4], &["never-run"]);
    has(lines[5], &["current", "base:1", "5 min ago, ca1", "look"]);
    let counts = ["1 current · ", "1 stale", "1 failing", "1 never-run"];
    status.says(&counts).says(&["looked 2 min ago"]);
}

#[test]
fn status_prints_the_same_json_as_task_status() {
    let (world, _registry) = world();
    let json = world.acrt(&["status", "-o", "json"]).ok();
    assert_eq!(json.stderr, "");
    let answer = json.json();
    assert_eq!(answer[1]["state"], "stale");
    assert_eq!(answer[1]["lastRun"]["runId"], "ca2");
    assert_eq!(answer[1]["lastRun"]["status"], "Succeeded");
    let under = world.acrt(&["task", "status", "-o", "json"]).ok();
    assert_eq!(under.json(), answer);
    world
        .acrt(&["status", "--exit-code", "-o", "none"])
        .exits(10);
    let query = "[?state=='stale'].name";
    let stale = world.acrt(&["status", "--query", query, "-o", "tsv"]);
    assert_eq!(stale.stdout, "late\n");
}

#[test]
fn status_look_checks_the_registry_first() {
    let (world, registry) = world();
    registry.push_shell("base:1", &[("version", "two")]);
    at(&world, 60);
    let state = |options: &[&str]| {
        let query = ["--query", "[?name=='fine'].state", "-o", "tsv"];
        world.acrt(&[&["status"], options, &query].concat()).stdout
    };
    assert_eq!(state(&[]), "current\n");
    assert_eq!(state(&["--look"]), "stale\n");
    // There are tasks, but none of this registry.
    let other = world.acrt(&["status", "-r", "other.example"]).ok();
    other.says(&["no tasks of registry `other.example`"]);
}

#[test]
fn status_table_fits_terminals_of_every_width() {
    let (world, _registry) = world();
    for columns in [40, 80, 120] {
        let acrt = env!("CARGO_BIN_EXE_acrt");
        let line = format!("stty cols {columns} rows 40; exec '{acrt}' status");
        let shown = world.shell_on_terminal(&line);
        let plain = uncoloured(&shown.stdout);
        let is_table = |line: &&str| {
            ["NAME", "----", "late"]
                .iter()
                .any(|it| line.starts_with(it))
        };
        let lines = plain.lines().filter(is_table);
        let widths: Vec<usize> = lines.map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 3, "{shown}");
        let fits = widths.iter().all(|width| *width <= columns);
        assert!(fits, "{columns}: {widths:?} {shown}");
        let colour = "\u{1b}[33mstale\u{1b}[0m";
        assert!(shown.stdout.contains(colour), "{shown}");
    }
}

#[test]
fn status_of_an_empty_state_directory_reports_no_tasks() {
    let world = World::new();
    let status = world.acrt(&["status"]).ok();
    status.says(&["no tasks in `", "acrt task create --help"]);
}

/// Removes colours and carriage returns from terminal output.
fn uncoloured(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        match c {
            '\u{1b}' => while letters.next().is_some_and(|c| !c.is_ascii_alphabetic()) {},
            '\r' => {}
            c => out.push(c),
        }
    }
    out
}

#[test]
fn status_says_of_a_git_repository_what_the_last_look_found() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.git();
    at(&world, 0);
    registry.push_shell("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", &dockerfile)]);
    let (host, work) = (registry.host(), world.path("web-work"));
    let context = format!("file://{}#main", work.display());
    let create = "task create -n web -t web:latest --commit-trigger-enabled true";
    let create: Vec<&str> = create.split(' ').collect();
    world
        .acrt(&[&create[..], &["-r", &host, "-c", &context]].concat())
        .ok();
    world.run("web").ok();
    let state = |command: &[&str]| {
        let answer = world.acrt(&[command, &["-o", "json"]].concat()).json();
        answer[0]["state"].as_str().unwrap_or_default().to_owned()
    };
    let offline = || [state(&["status"]), state(&["task", "list"])];
    assert_eq!(offline(), ["current", "current"]);

    at(&world, 1);
    let broken = format!("{dockerfile}COPY absent /\n");
    repository.commit(&[("Dockerfile", &broken)]);
    assert_eq!(state(&["status", "--look"]), "stale");
    assert_eq!(offline(), ["stale", "stale"]);
    world.watch_once().exits(1);
    assert_eq!(offline(), ["backing-off", "backing-off"]);

    at(&world, 2);
    std::fs::rename(&work, world.path("gone")).unwrap();
    world.watch_once();
    assert_eq!(offline(), ["unknown", "unknown"]);
    std::fs::rename(world.path("gone"), &work).unwrap();
    assert_eq!(state(&["task", "check"]), "stale");
    assert_eq!(offline(), ["stale", "stale"]);
}

#[test]
fn tasks_of_one_name_on_two_registries_are_shown_with_their_registries() {
    let (world, one, two) = (World::new(), Registry::start(), Registry::start());
    world.buildah();
    one.push("base:1", &[("version", "one")]);
    let base = one.image("base:1");
    let context = world.context("web", &format!("FROM {base}\n"));
    for host in [one.host(), two.host()] {
        let create = [
            "task", "create", "web", "-t", "web:1", "-c", &context, "-r", &host, "--run",
        ];
        world.acrt(&create).ok();
    }
    let full = [&one, &two].map(|registry| format!("{}/web", registry.host()));
    let both = [full[0].as_str(), full[1].as_str()];
    for line in [
        &["status"][..],
        &["task", "list"],
        &["task", "check"],
        &["task", "list-runs"],
    ] {
        world
            .acrt(&[line, &["-o", "table"]].concat())
            .ok()
            .prints(&both);
    }
    world.acrt(&["task", "graph"]).ok().prints(&both);
    one.push("base:1", &[("version", "another")]);
    let rebuilt = both.map(|task| format!("{task}: rebuilt"));
    let watched = world.acrt(&["task", "watch", "--once"]).ok();
    watched.prints(&[&rebuilt[0], &rebuilt[1]]);
    one.stop();
    world
        .acrt(&["task", "watch", "--once"])
        .exits(4)
        .says(&both);
    let names = world
        .acrt(&["task", "list", "--query", "[].name"])
        .ok()
        .json();
    assert_eq!(
        names
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| *it == "web")
            .count(),
        2
    );
}
