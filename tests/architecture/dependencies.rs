//! Checks licences, sources and bans of all dependencies against the lists of `deny.toml`.

use std::{path::Path, process::Command};

use serde_json::Value;

/// Returns the texts in the list that starts with `key = [` in `deny.toml`; `field` selects one field of its entries.
fn list(text: &str, key: &str, field: Option<&str>) -> Vec<String> {
    let start = text.find(&format!("\n{key} = [")).unwrap() + key.len() + 5;
    let end = start + text[start..].find("\n]").unwrap();
    let lines = text[start..end].lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| match field {
            Some(field) => line.split(&format!("{field} = \"")).nth(1),
            None => line.strip_prefix('"'),
        })
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

/// Tells whether a licence expression (SPDX 2.3, annex D) is allowed: `OR` needs one of its licences, `AND` all of
/// them.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    expression.split(" AND ").all(|all| {
        all.split(" OR ")
            .any(|one| allowed.iter().any(|licence| licence == one.trim()))
    })
}

#[test]
fn dependencies_are_from_crates_io_with_allowed_licences_and_none_banned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = std::fs::read_to_string(root.join("deny.toml")).unwrap();
    let licences = list(&rules, "allow", None);
    let banned = list(&rules, "deny", Some("crate"));
    assert!(licences.contains(&"MIT".to_owned()) && banned.contains(&"openssl-sys".to_owned()));
    // A fresh machine has only the crates of its own platform.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    #[expect(clippy::disallowed_methods, reason = "cargo is asked, and no builder")]
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", &platform])
        .current_dir(root)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut wrong = Vec::new();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let name = package["name"].as_str().unwrap();
        if name == "acrt" {
            continue;
        }
        let licence = package["license"].as_str().unwrap_or("none");
        if !is_allowed(licence, &licences) {
            wrong.push(format!("{name}: licence {licence}"));
        }
        let source = package["source"].as_str().unwrap_or("a folder");
        if source != "registry+https://github.com/rust-lang/crates.io-index" {
            wrong.push(format!("{name}: from {source}"));
        }
        if banned.iter().any(|one| one == name) {
            wrong.push(format!("{name}: banned"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
