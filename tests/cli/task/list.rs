//! `acrt task list`

use crate::support::World;

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
fn it_lists_all_tasks_or_those_of_one_registry() {
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
fn an_empty_list_is_an_empty_list() {
    let world = World::new();
    let list = |format: &str| world.acrt(&["task", "list", "-o", format]).ok().stdout;
    assert_eq!(list("json"), "[]\n");
    assert_eq!(list("table"), "\n");
    assert_eq!(list("tsv"), "");
    assert_eq!(list("none"), "");
    assert!(!world.state().exists(), "listing makes nothing");
}

#[test]
fn a_broken_definition_is_said_and_left_out() {
    let world = world();
    world.write("state/tasks/r.example/web.yaml", "{");
    let list = world.acrt(&["task", "list", "--query", "length(@)"]);
    assert_eq!(list.stdout, "2\n");
    list.says(&["r.example/web.yaml"]);
}
