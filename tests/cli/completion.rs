//! `acrt completion`: the scripts in `completions/` are those that the program prints.

use std::{fs, path::Path};

use crate::support::World;

#[test]
fn the_scripts_in_the_repository_are_fresh() {
    let world = World::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for (shell, file) in [
        ("bash", "acrt.bash"),
        ("zsh", "_acrt"),
        ("fish", "acrt.fish"),
        ("powershell", "_acrt.ps1"),
        ("elvish", "acrt.elv"),
    ] {
        let printed = world.acrt(&["completion", shell]).ok().stdout;
        let kept = fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(
            printed == kept,
            "completions/{file} is stale: make completions"
        );
    }
}

#[test]
fn an_unknown_shell_is_wrong_usage() {
    World::new().acrt(&["completion", "tcsh"]).exits(2);
}
