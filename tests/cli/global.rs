//! The behaviour that all commands share.

use crate::support::{Registry, World};

#[test]
fn version_and_help_work_without_state_directory_and_create_nothing() {
    let world = World::new();
    let version = world.acrt(&["--version"]).ok();
    assert_eq!(
        version.stdout,
        concat!("acrt ", env!("CARGO_PKG_VERSION"), env!("ACRT_BUILD"), "\n")
    );
    for command in [
        &["--help"][..],
        &["task", "--help"],
        &["task", "create", "-h"],
    ] {
        let help = world.acrt(command).ok();
        assert!(help.stdout.contains("Usage:"), "{help}");
    }
    assert!(!world.state().exists());
}

#[test]
fn mistyped_command_or_option_exits_2_and_suggests_a_similar_one() {
    let world = World::new();
    world.acrt(&["tusk"]).exits(2).says(&["tusk", "task"]);
    world.acrt(&["task", "lst"]).exits(2).says(&["lst", "list"]);
    world
        .acrt(&["task", "list", "--registri"])
        .exits(2)
        .says(&["--registry"]);
    world.acrt(&[]).exits(2);
}

#[test]
fn long_options_may_be_abbreviated_and_take_an_equals_sign() {
    let world = World::new();
    world
        .acrt(&["task", "list", "--regis=localhost:5000", "--out", "tsv"])
        .ok();
}

#[test]
fn last_value_of_a_repeated_option_wins() {
    let world = World::new();
    let words = "task list -o table --query x --only-show-errors --only-show-errors -o tsv --query length(@)";
    let listed = world.acrt(&Vec::from_iter(words.split(' '))).ok();
    assert_eq!(listed.stdout, "0\n");
}

/// A machine with a task that has run once.
fn with_a_run() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let base = registry.image("base:1");
    world.tracked_task(&registry, "web", &format!("FROM {base}\nRUN echo hello\n"));
    (world, registry)
}

/// Commands that print something on a machine with a task that has run once.
const PRINTING: &[&str] = &[
    "--help",
    "--version",
    "task --help",
    "task run -n web",
    "task run -n web --no-logs",
    "task run -n web --dry-run",
    "task logs",
    "task list",
    "task list -o table",
    "task list --query '[0].name' -o tsv",
    "task show -n web -o yaml",
    "task check",
    "task list-runs",
    "task show-run --run-id ca1",
    "task update-run --run-id ca1",
    "task update -n web --timeout 60",
    "task timer add -n web --timer-name t --schedule '0 21 * * *'",
    "task timer list -n web",
    "deps web",
    "check-health",
    "config list",
    "completion bash",
];

#[test]
fn unwritable_output_exits_1_with_an_error() {
    let (world, registry) = with_a_run();
    for command in PRINTING {
        world
            .shell(&format!("\"$0\" {command} >/dev/full"))
            .exits(1)
            .says(&["cannot write to stdout", "No space left on device"]);
    }
    // The work is done all the same.
    let history = world.history();
    assert_eq!(history, ["web Succeeded"; 3]);
    registry.push_shell("base:1", &[("version", "two")]);
    let round = world.shell("\"$0\" task watch --dry-run >/dev/full");
    round.exits(1).says(&["No space left on device"]);
    let round = world.shell("\"$0\" task watch --once >/dev/full").exits(1);
    assert_eq!(round.stderr.matches("No space left").count(), 1, "{round}");
    assert_eq!(world.history().len(), history.len() + 1);
    world.shell("\"$0\" task watch --once >/dev/full").ok();
}

#[test]
fn closed_output_pipe_is_no_error() {
    let (world, _registry) = with_a_run();
    for command in PRINTING {
        let quiet = world.shell(&format!(
            "{{ \"$0\" {command} 2>/dev/null; echo $? >&2; }} | :"
        ));
        assert_eq!(quiet.stderr, "0\n", "{command}");
    }
}

#[test]
fn state_directory_comes_from_option_then_variable_then_platform() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        "localhost:5000",
        "-t",
        "web",
        "-c",
        &context,
    ];
    let definition = |dir: &str| world.path(dir).join("tasks/localhost:5000/web.yaml");
    world
        .acrt(&[&create, ["--state-dir", "option"].as_slice()].concat())
        .ok();
    assert!(definition("option").exists());
    assert!(!world.state().exists());
    world.set("ACRT_STATE_DIR", "variable");
    world.acrt(&create).ok();
    assert!(definition("variable").exists());
    world.set("ACRT_STATE_DIR", "");
    world.acrt(&create).ok();
    assert!(definition("home/.local/state/acrt").exists());
    world.set("XDG_STATE_HOME", world.path("xdg").to_str().unwrap());
    world.acrt(&create).ok();
    assert!(definition("xdg/acrt").exists());
}

#[test]
fn broken_config_file_is_reported_with_its_position() {
    let world = World::new();
    world.config("watch:\n  evrySeconds: 5\n");
    let path = world.path("config/acrt/config.yaml");
    world
        .acrt(&["task", "list"])
        .exits(2)
        .says(&[path.to_str().unwrap(), "evrySeconds", "line 2"]);
    world
        .acrt(&["task", "list", "--config", "missing.yaml"])
        .exits(2)
        .says(&["missing.yaml"]);
}

#[test]
fn invalid_time_is_refused() {
    let world = World::new();
    world.set("ACRT_NOW", "soon");
    world
        .acrt(&["task", "list"])
        .exits(2)
        .says(&["soon", "ACRT_NOW"]);
}

#[test]
fn azure_only_global_options_are_accepted_and_reported_once_as_without_effect() {
    let world = World::new();
    let list = |options: &[&str]| world.acrt(&[&["task", "list"], options].concat()).ok();
    let said = list(&["-g", "rg", "--subscription", "s"]).stderr;
    for option in ["--resource-group", "--subscription"] {
        assert_eq!(said.matches(option).count(), 1, "{said}");
    }
    for line in [
        ["--subscription", "s", "task", "list"],
        ["task", "--subscription", "s", "list"],
    ] {
        let said = world.acrt(&line).ok().stderr;
        assert_eq!(said.matches("--subscription").count(), 1, "{said}");
    }
    assert_eq!(list(&["-g", "rg", "--only-show-errors"]).stderr, "");
    let help = |flag: &str| world.acrt(&["task", "list", flag]).ok().stdout;
    assert!(help("--help").contains("Azure only, without effect:"));
    assert!(!help("-h").contains("Azure only"));
}

#[test]
fn az_spellings_on_the_command_line_are_accepted() {
    let world = World::new();
    world.write("purge.txt", "acr purge --filter 'web:.*' --ago 7d\n");
    let create = [
        "acr",
        "task",
        "create",
        "-n",
        "purge",
        "-r",
        "localhost:5000",
        "-c",
        "/dev/null",
        "--cmd",
        "@purge.txt",
    ];
    world.acrt(&create).ok();
    let shown = world.acrt(&[
        "az", "acr", "task", "show", "-n", "purge", "--query", "name", "-o", "tsv",
    ]);
    assert_eq!(shown.ok().stdout, "purge\n");
    let planned = world
        .acrt(&["task", "run", "-n", "purge", "--dry-run"])
        .ok();
    assert!(
        planned.stdout.contains("purge --filter 'web:.*' --ago 7d"),
        "{planned}"
    );
    world.set("AZURE_DEFAULTS_ACR", "example");
    world
        .acrt(&["repository", "list"])
        .exits(2)
        .says(&["ACRT_REGISTRY=example"]);
}

#[test]
fn picture_as_format_is_refused_before_anything_is_done_by_commands_without_graphs() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    for format in ["text", "dot", "mermaid", "SVG"] {
        let create = [
            "task",
            "create",
            "web",
            "-t",
            "r.test/web:1",
            "-c",
            &context,
        ];
        for line in [&create[..], &["config", "set", "runs.keep=5"]] {
            let refused = world.acrt(&[line, &["-o", format]].concat());
            refused.exits(2).says(&["acrt task graph has them"]);
        }
    }
    world.acrt(&["task", "show", "web"]).exits(3);
    world.acrt(&["config", "get", "runs.keep"]).exits(3);
    world.set("ACRT_OUTPUT", "dot");
    let refused = world.acrt(&["task", "list"]).exits(2);
    refused.says(&["acrt task graph has them", "$ACRT_OUTPUT"]);
    world.acrt(&["config", "list"]).ok();
    world.acrt(&["task", "graph"]).ok();
}
