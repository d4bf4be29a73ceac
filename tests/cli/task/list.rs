//! `acrt task list`

use crate::support::{Registry, World, eventually};

fn world() -> World {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    for (name, registry) in [
        ("web", "localhost:5000"),
        ("api", "localhost:5000"),
        ("web", "r.example"),
    ] {
        world
            .acrt(&[
                "task", "create", "-n", name, "-r", registry, "-t", name, "-c", &context,
            ])
            .ok();
    }
    world
}

#[test]
fn task_list_shows_all_tasks_or_those_of_one_registry() {
    let world = world();
    let list = |options: &[&str]| {
        let query = ["--query", "[].join('/', [registry, name])", "-o", "tsv"];
        world
            .acrt(&[&["task", "list"], options, &query].concat())
            .ok()
            .stdout
    };
    assert_eq!(
        list(&[]),
        "localhost:5000/api\nlocalhost:5000/web\nr.example/web\n"
    );
    assert_eq!(list(&["-r", "r.example"]), "r.example/web\n");
    assert_eq!(list(&["-r", "other.example"]), "");
}

#[test]
fn task_list_without_tasks_is_empty() {
    let world = World::new();
    let list = |format: &str| world.acrt(&["task", "list", "-o", format]).ok().stdout;
    assert_eq!(list("json"), "[]\n");
    assert_eq!(list("table"), "\n");
    assert_eq!(list("tsv"), "");
    assert_eq!(list("none"), "");
    assert!(!world.state().exists(), "listing makes nothing");
}

#[test]
fn task_list_reports_and_skips_an_invalid_definition() {
    let world = world();
    world.write("state/tasks/r.example/web.yaml", "{");
    let list = world.acrt(&["task", "list", "--query", "length(@)"]);
    assert_eq!(list.stdout, "2\n");
    list.says(&["r.example/web.yaml"]);
}

#[test]
fn task_list_shows_the_last_known_state_and_its_age_without_registry_requests() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2027-01-01T08:00:00Z");
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    world.tracked_task(
        &registry,
        "site",
        &format!("FROM {}\n", registry.image("web:latest")),
    );
    world.task(&registry, "never", &dockerfile);
    let rows = |now: &str| -> Vec<[String; 3]> {
        world.set("ACRT_NOW", now);
        registry.forget_requests();
        let table = world.acrt(&["task", "list", "-o", "table"]).ok().stdout;
        assert_eq!(registry.requests(), []);
        let rows = table.lines().skip(2).map(|line| {
            let cells = line
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty());
            let cells: Vec<&str> = cells.collect();
            let last = cells.get(6).copied().unwrap_or_default();
            [cells[0], cells[5], last].map(str::to_owned)
        });
        rows.collect()
    };
    // The runs themselves have looked.
    assert_eq!(
        rows("2027-01-01T08:03:00Z"),
        [
            ["never", "never-run", ""],
            ["site", "current", "3 min ago"],
            ["web", "current", "3 min ago"],
        ]
    );
    registry.push("base:1", &[("version", "two")]);
    assert_eq!(rows("2027-01-01T08:04:00Z")[2][1], "current");
    world.acrt(&["task", "check"]).ok();
    assert_eq!(
        rows("2027-01-01T09:05:00Z")[1..],
        [["site", "waiting", "1 h ago"], ["web", "stale", "1 h ago"]]
    );
    let show = world.acrt(&["task", "show", "-n", "site"]).ok().json();
    assert_eq!(show["state"], "waiting");
    assert_eq!(show["lastLooked"], "2027-01-01T08:04:00+00:00");
    let table = world.acrt(&["task", "show", "-n", "site", "-o", "table"]);
    table.ok().prints(&["waiting", "looked 1 h ago"]);

    registry.stop();
    world.acrt(&["task", "check"]).exits(4);
    registry.restart();
    // Several requests took a moment.
    assert_eq!(
        rows("2027-01-01T09:06:59Z")[2],
        ["web", "unknown", "1 min ago"]
    );
    // Changed files are noticed without a registry request.
    world.acrt(&["task", "check"]).ok();
    world.write("web/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    assert_eq!(rows("2027-01-01T09:07:00Z")[2][1], "changed");
}

#[test]
fn task_list_sees_edits_whatever_happens_to_its_cache() {
    let world = World::new();
    let write = |n: usize, timeout: u32| {
        let text = format!(
            "{{schema: 1, name: t{n}, registry: r.example, timeout: {timeout}, step: {{type: Docker, contextPath: /c, dockerFilePath: D}}}}"
        );
        world.write(&format!("state/tasks/r.example/t{n}.yaml"), &text);
    };
    (0..200).for_each(|n| write(n, 3600));
    let edited = || {
        let query = "[length(@), join(' ', [?timeout != `3600`].name)]";
        let list = world.acrt(&["task", "list", "--query", query, "-o", "tsv"]);
        list.ok().stdout
    };
    assert_eq!(edited(), "200\n\n");
    // Of the same size, and in the same second.
    write(7, 3601);
    assert_eq!(edited(), "200\nt7\n");
    let cache = world.state().join("cache/tasks.json");
    eventually("the files have rested, and are in the cache", || {
        edited();
        let copies = std::fs::read_to_string(&cache).ok()?;
        copies.contains("r.example t199 ").then_some(())
    });
    write(8, 3601);
    assert_eq!(edited(), "200\nt7 t8\n");
    let whole = std::fs::read(&cache).unwrap();
    for broken in [&whole[..whole.len() / 2], b"", b"no cache"] {
        std::fs::write(&cache, broken).unwrap();
        assert_eq!(edited(), "200\nt7 t8\n");
    }
    std::fs::remove_dir_all(cache.parent().unwrap()).unwrap();
    assert_eq!(edited(), "200\nt7 t8\n");
    for format in ["json", "table", "none"] {
        world.acrt(&["task", "list", "-o", format]).ok();
    }
}
