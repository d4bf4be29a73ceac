//! `acrt config list`

use crate::support::World;

use super::{FILE, config};

#[test]
fn config_list_shows_the_same_values_in_every_format() {
    let world = World::new();
    world.config("runs: {keep: 5}\nregistries: {r.example: {plainHttp: true}}\n");
    let list = |format: &str| {
        let answer = config(&world, &["list", "-o", format]).ok().stdout;
        answer.replace(world.path(FILE).to_str().unwrap(), "FILE")
    };
    assert_eq!(
        list("tsv"),
        "runs.keep\tFILE\t5\nregistries.r.example.plainHttp\tFILE\tTrue\n"
    );
    assert_eq!(
        list("yaml"),
        "- name: runs.keep\n  source: FILE\n  value: 5\n- name: registries.r.example.plainHttp\n  source: FILE\n  value: true\n"
    );
    let table = list("table");
    assert!(
        table.starts_with("NAME                            VALUE    SOURCE\n"),
        "{table}"
    );
    assert!(list("json").contains("\"value\": 5"));
}

#[test]
fn config_list_without_a_file_is_empty() {
    let world = World::new();
    assert_eq!(config(&world, &["list"]).ok().stdout, "[]\n");
}
