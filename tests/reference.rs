//! Checks that `docs/reference/` and `docs/man/` match the help of the commands.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::{collections::BTreeSet, fs, path::Path};

#[path = "../examples/reference.rs"]
#[allow(dead_code, reason = "its main writes what this compares")]
mod reference;

#[test]
fn reference_and_man_pages_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = reference::pages().unwrap();
    for (path, text) in &pages {
        let kept = fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(kept == *text, "{path} is stale: make docs");
    }
    let kept: BTreeSet<String> = reference::FOLDERS
        .iter()
        .flat_map(|folder| {
            let entries = fs::read_dir(root.join(folder)).unwrap();
            entries.map(move |e| format!("{folder}/{}", e.unwrap().file_name().to_str().unwrap()))
        })
        .collect();
    let made: BTreeSet<String> = pages.keys().cloned().collect();
    assert_eq!(kept, made, "make docs");
}

#[test]
fn reference_page_has_description_examples_and_options() {
    let pages = reference::pages().unwrap();
    let page = &pages["docs/reference/acrt-task-run.md"];
    for part in [
        "# acrt task run\n\nRun a task now, and print its log\n",
        "```text\nacrt task run [OPTIONS] <NAME|--name <NAME>|--all|--stale|--failed>\n```",
        "## Examples\n\n```sh\nacrt task run web\n",
        "| `-n, --name <NAME>` | The same, as az takes it |\n",
        "## Global options\n",
    ] {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
    // The man pages are clap_mangen's.
    for (path, page) in pages.iter().filter(|(path, _)| path.ends_with(".md")) {
        let man = path
            .replace("docs/reference/", "docs/man/")
            .replace(".md", ".1");
        if let Some(man) = pages.get(&man) {
            let defaults = |text: &str| text.matches("[default: ").count();
            assert_eq!(defaults(page), defaults(man), "{path}");
        }
    }
    for (path, page) in pages.iter().filter(|(path, _)| path.ends_with(".1")) {
        for heading in ["EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            let is_there = page.contains(&format!(".SH \"{heading}\""))
                || page.contains(&format!(".SH {heading}"));
            assert!(is_there, "{path} has no {heading}");
        }
    }
    assert!(pages["docs/man/acrt-task-run.1"].contains("acrt\\-task(1), "));
    assert!(!pages.keys().any(|path| path.contains("execute")));
    let man = &pages["docs/man/acrt-task-run.1"];
    assert!(
        man.contains(".SH EXAMPLES\n.nf\n  acrt task run web\n"),
        "{man}"
    );
}
