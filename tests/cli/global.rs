//! What every command has in common.

use crate::support::{Output, World};

/// Runs a shell line in which `"$0"` is acrt.
fn shell(world: &World, line: &str) -> Output {
    let mut sh = world.command("/bin/sh");
    sh.args(["-c", line, env!("CARGO_BIN_EXE_acrt")]);
    world.start(sh, line.to_owned()).wait()
}

#[test]
fn version_and_help_need_nothing_and_make_nothing() {
    let world = World::new();
    let version = world.acrt(&["--version"]).ok();
    assert_eq!(
        version.stdout,
        format!("acrt {}\n", env!("CARGO_PKG_VERSION"))
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
fn a_mistyped_command_or_option_is_exit_2_and_says_what_is_near() {
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
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is_one() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    world
        .acrt(&[
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
        ])
        .ok();
    let quiet = shell(&world, "{ \"$0\" task show -n web; echo $? >&2; } | :");
    assert_eq!(quiet.stderr, "0\n");
    shell(&world, "\"$0\" task show -n web >/dev/full")
        .exits(1)
        .says(&["No space left on device"]);
}

#[test]
fn the_state_directory_is_named_by_option_then_variable_then_platform() {
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
fn a_broken_config_file_is_named_with_its_place() {
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
fn a_time_that_makes_no_sense_is_refused() {
    let world = World::new();
    world.set("ACRT_NOW", "soon");
    world
        .acrt(&["task", "list"])
        .exits(2)
        .says(&["soon", "ACRT_NOW"]);
}

#[test]
fn options_of_azure_are_accepted_and_said_once_to_be_without_effect() {
    let world = World::new();
    let list = |options: &[&str]| world.acrt(&[&["task", "list"], options].concat()).ok();
    let said = list(&["-g", "rg", "--subscription", "s"]).stderr;
    for option in ["--resource-group", "--subscription"] {
        assert_eq!(said.matches(option).count(), 1, "{said}");
    }
    assert_eq!(list(&["-g", "rg", "--only-show-errors"]).stderr, "");
    let help = |flag: &str| world.acrt(&["task", "list", flag]).ok().stdout;
    assert!(help("--help").contains("Azure only, without effect:"));
    assert!(!help("-h").contains("Azure only"));
}
