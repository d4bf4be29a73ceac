//! `acrt config unset`

use crate::support::World;

use super::{config, text};

#[test]
fn config_unset_removes_all_given_keys_or_none() {
    let world = World::new();
    let written = "# mine\nwatch:\n  everySeconds: 60\nruns:\n  keep: 5 # few\n  keepDays: 3\n";
    world.config(written);
    config(&world, &["unset", "runs.keep", "defaults.registry"])
        .exits(3)
        .says(&["defaults.registry"]);
    assert_eq!(text(&world), written);
    config(&world, &["unset", "watch.everySeconds", "runs.keepDays"])
        .ok()
        .silent();
    assert_eq!(text(&world), "# mine\nruns:\n  keep: 5 # few\n");
}
