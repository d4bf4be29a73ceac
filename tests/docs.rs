//! Checks the documents: every path in them must exist, and what they list completely must be complete.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::{fs, path::Path};

#[test]
fn every_path_named_in_the_documents_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for document in documents(root) {
        let text = fs::read_to_string(&document).unwrap();
        for named in named_paths(&text) {
            let (path, heading) = named.split_once('#').unwrap_or((&named, ""));
            let places = match path {
                "" => vec![document.clone()],
                path => vec![root.join(path), document.parent().unwrap().join(path)],
            };
            let place = places.iter().find(|place| place.exists());
            if !place.is_some_and(|place| has_heading(place, heading)) {
                missing.push(format!("{} names `{named}`", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_dashboard_metric_is_documented() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let (dashboard, documented) = (read("docs/grafana.json"), read("docs/metrics.md"));
    let (dashboard, documented) = (dashboard.unwrap(), documented.unwrap());
    serde_json::from_str::<serde_json::Value>(&dashboard).unwrap();
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let names = dashboard
        .split(|c: char| !is_name(c))
        .filter(|it| it.starts_with("acrt_"));
    let unknown: Vec<&str> = names
        .filter(|it| !documented.contains(&format!("`{it}`")))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_metric_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = fs::read_to_string(root.join("src/watch/metrics.rs")).unwrap();
    let documented = fs::read_to_string(root.join("docs/metrics.md")).unwrap();
    let names: Vec<&str> = literals(&code, ".family(").collect();
    let missing = names
        .iter()
        .filter(|name| !documented.contains(&format!("\n| `{name}` |")));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty() && names.len() > 9, "{missing:?}");
}

#[test]
fn every_path_in_the_state_directory_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = fs::read_to_string(root.join("src/store/layout.rs")).unwrap();
    let documented = fs::read_to_string(root.join("docs/state.md")).unwrap();
    let places = [
        ("self.root.join(", ""),
        ("self.root.join(format!(", ""),
        ("self.open_runs().join(format!(", "runs/open/"),
        ("self.runs().join(", "runs/"),
        ("self.run_folder(id).join(", "runs/<run id>/"),
    ];
    let paths = places.iter().flat_map(|(call, folder)| {
        literals(&code, call).map(move |name| format!("{folder}{name}"))
    });
    let paths = paths.chain(locks_of_files(root, &code));
    let missing: Vec<String> = paths
        .filter(|path| {
            let lines = match path.split_once('{') {
                Some((begin, _)) => vec![format!("\n{begin}<")],
                None => vec![format!("\n{path} "), format!("\n{path}/")],
            };
            !lines.iter().any(|line| documented.contains(line))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Returns the locks that the code takes with `lock_of`, from the names of their files in `layout.rs`.
fn locks_of_files(root: &Path, layout: &str) -> Vec<String> {
    let mut locks = Vec::new();
    for entry in fs::read_dir(root.join("src/store")).unwrap() {
        let code = fs::read_to_string(entry.unwrap().path()).unwrap();
        for call in code.split("lock_of(&").skip(1) {
            let (file, _) = call.split_once("()").unwrap();
            let file = file.rsplit('.').next().unwrap();
            let (_, body) = layout.split_once(&format!("pub fn {file}(")).unwrap();
            let name = literals(body, "self.root.join(").next().unwrap();
            locks.push(Path::new(name).with_extension("lock").display().to_string());
        }
    }
    assert!(locks.len() > 3, "{locks:?}");
    locks
}

#[test]
fn every_state_that_ends_a_round_with_a_failure_is_named_with_the_exit_codes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (states, watching) = (read("docs/triggers.md"), read("docs/watch.md"));
    let (_, codes) = watching.split_once("A round ends with 0;").unwrap();
    let codes = codes.split("\n\n").next().unwrap();
    let (with_1, with_4) = codes.split_once("or with 4 ").unwrap();
    let mut count = 0;
    for (code, named) in [("1", with_1), ("4", with_4)] {
        let row = |line: &&str| {
            line.starts_with("| `") && line.ends_with(&format!("| {code} | {code} |"))
        };
        for line in states.lines().filter(row) {
            let state = line.split(' ').nth(1).unwrap();
            assert!(named.contains(state), "{code}: {state}");
            count += 1;
        }
    }
    assert_eq!(count, 5);
}

#[test]
fn commands_beside_the_system_unit_use_its_config_file_and_state_directory() {
    let unit = include_str!("../docs/systemd/system/acrt-watch.service");
    let of_unit = ["ACRT_STATE_DIR=%S/acrt", "XDG_CONFIG_HOME=/etc"];
    let variables = unit.lines().find(|it| it.starts_with("Environment="));
    assert!(of_unit.iter().all(|it| variables.unwrap().contains(it)));
    let by_hand = unit.lines().find(|it| it.contains("sudo -u acrt"));
    let of_hand = ["--state-dir /var/lib/acrt ", "XDG_CONFIG_HOME=/etc "];
    assert!(of_hand.iter().all(|it| by_hand.unwrap().contains(it)));
}

/// Returns the literals that a call in Rust has as its first argument.
fn literals<'t>(code: &'t str, call: &'t str) -> impl Iterator<Item = &'t str> {
    let calls = code.split(call).skip(1);
    calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
}

/// A hook runs where acrt was started, and cron starts it in the home folder.
#[test]
fn every_documented_compose_hook_names_its_file_by_an_absolute_path() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for document in documents(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let text = fs::read_to_string(&document).unwrap();
        for hook in text.split("--on-success \"docker compose ").skip(1) {
            count += 1;
            if !hook.starts_with("-f /") {
                wrong.push(document.clone());
            }
        }
    }
    assert!(wrong.is_empty() && count > 1, "{wrong:?}");
}

#[test]
fn every_command_in_a_document_block_parses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut wrong, mut count) = (Vec::new(), 0);
    for document in documents(root) {
        let text = fs::read_to_string(&document).unwrap();
        for line in text.split("```").skip(1).step_by(2).flat_map(typed) {
            // `…` stands for omitted words.
            let words: Vec<String> = line.into_iter().filter(|word| word != "…").collect();
            count += 1;
            let parsed = acrt::cli::command().try_get_matches_from(&words);
            if let Err(problem) = parsed.as_ref()
                && problem.use_stderr()
                && problem.kind()
                    != clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            {
                let told = problem.to_string();
                let told = told.lines().next().unwrap_or_default().to_owned();
                wrong.push(format!(
                    "{}: {}: {told}",
                    document.display(),
                    words.join(" ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 60, "{count}");
}

/// Returns the acrt commands in a shell block, each split into words, without pipes and redirections.
fn typed(block: &str) -> Vec<Vec<String>> {
    let Some(lines) = block.strip_prefix("sh\n") else {
        return Vec::new();
    };
    let lines = lines.replace("\\\n", " ");
    let commands = lines.lines().filter_map(|line| {
        let words = shell_words::split(line.trim().trim_start_matches('(')).ok()?;
        let start = words.iter().position(|word| word == "acrt")?;
        // As an argument of another program it may be anything, as in `docker exec NAME acrt`.
        let is_ours = words[..start].iter().all(|word| {
            word.contains('=')
                || word.ends_with(';')
                || ["crontab", "-l", "sudo"].contains(&word.as_str())
        });
        let end = |word: &String| {
            word.starts_with('(') || ["|", ">", "<", "&&", "||", "#", "2>"].contains(&word.as_str())
        };
        let rest = words[start..].iter().take_while(|word| !end(word));
        let last = |word: &String| word.trim_end_matches([';', ')']).to_owned();
        is_ours.then(|| rest.map(last).collect())
    });
    commands.collect()
}

/// Tells whether a document has a heading; an empty one stands for the whole document.
fn has_heading(document: &Path, heading: &str) -> bool {
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    heading.is_empty()
        || fs::read_to_string(document)
            .unwrap()
            .lines()
            .any(|line| line.starts_with('#') && anchor(line) == heading)
}

fn documents(root: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![
        root.join("README.md"),
        root.join("CONTRIBUTING.md"),
        root.join("CHANGELOG.md"),
    ];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// Returns the targets of links to files, and texts in backticks that look like a path of this repository.
fn named_paths(text: &str) -> Vec<String> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"));
    let quoted = text.split('`').skip(1).step_by(2).filter(|quoted| {
        ["src/", "docs/", "tests/", "benches/", ".ci/"]
            .iter()
            .any(|start| quoted.starts_with(start))
            && quoted
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
    });
    links.chain(quoted).map(str::to_owned).collect()
}
