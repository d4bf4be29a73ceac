//! Checks `docs/az-differences.md`: rows with commands are run, and the others must name an existing test.

use std::{fs, path::Path};

use crate::support::{Registry, World};

/// The registry's name on the page.
const REGISTRY: &str = "localhost:5000";

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/az-differences.md");
    fs::read_to_string(path).unwrap()
}

/// Returns the cells of all rows of tables whose first heading is `heading`.
fn rows<'p>(page: &'p str, heading: &str) -> Vec<Vec<&'p str>> {
    let mut rows = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        if !line.starts_with('|') {
            is_inside = false;
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if cells[0] == heading {
            is_inside = true;
        } else if is_inside && !line.starts_with("|--") {
            assert_eq!(cells.len(), 3, "{line}");
            rows.push(cells);
        }
    }
    rows
}

/// Returns the texts in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Returns the setup that the page describes.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("TOKEN", "hunter2");
    registry.push("base:1", &[("version", "one")]);
    let base = registry.image("base:1");
    world.write("web/acb.yaml", &format!("steps:\n- cmd: {base} true\n"));
    let context = world.context("web", &format!("FROM {base}\n"));
    world.context("broken", "FROM base:1\nRUN <<EOF\n");
    world.context("gone", "FROM 127.0.0.1:1/base:1\n");
    let host = registry.host();
    let create = ["task", "create", "-n", "web", "-r", &host, "-t", "web:1"];
    world.acrt(&[&create[..], &["-c", &context]].concat()).ok();
    world.run("web").ok();
    (world, registry)
}

#[test]
fn typed_rows_of_az_differences_match_the_program() {
    let page = page();
    let rows = rows(&page, "typed");
    assert!(rows.len() > 45, "{}", rows.len());
    let (world, registry) = world();
    for row in rows {
        let mut last = None;
        for line in quoted(row[0]) {
            let line = line.replace(REGISTRY, &registry.host());
            let words = shlex::split(&line).unwrap();
            assert_eq!(words[0], "acrt", "{line}");
            let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            last = Some(world.acrt(&words));
        }
        let output = last.unwrap_or_else(|| panic!("nothing is typed: {row:?}"));
        let (mut code, mut tried) = (0, 0);
        for expected in quoted(row[2]) {
            if let Some(exit) = expected.strip_prefix("exit ") {
                code = exit.parse().unwrap();
                tried += 1;
            }
        }
        assert_eq!(output.code, code, "{row:?}: {output}");
        // The text before the colon is an explanation; the expected output follows it.
        let printed = row[2]
            .split_once(": `")
            .map_or(row[2], |(_, behind)| behind);
        let printed = if printed.len() == row[2].len() {
            printed.to_owned()
        } else {
            format!("`{printed}")
        };
        let printed = printed.split(". Also ").next().unwrap();
        for expected in quoted(printed) {
            if expected.starts_with("exit ") {
                continue;
            }
            let expected = expected.replace(REGISTRY, &registry.host());
            let found = output.stdout.contains(&expected) || output.stderr.contains(&expected);
            assert!(found, "no `{expected}` for {row:?}: {output}");
            tried += 1;
        }
        assert!(tried > 0, "nothing is said of {row:?}");
    }
}

#[test]
fn other_rows_of_az_differences_name_an_existing_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    let mut folders = vec![root.join("src"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                code.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let page = page();
    let rows = rows(&page, "az");
    assert!(rows.len() > 15, "{}", rows.len());
    for row in rows {
        let names = quoted(row[2]);
        assert_eq!(names.len(), 1, "{row:?}");
        let test = format!("#[test]\n    fn {}(", names[0]).replace("\n    ", "\n");
        let is_there = code.contains(&test) || code.contains(&test.replace('\n', "\n    "));
        assert!(is_there, "no test `{}`: {row:?}", names[0]);
    }
}
