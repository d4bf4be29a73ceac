//! `acrt task identity …`: accepted, and without effect.

use crate::support::World;

#[test]
fn identities_are_accepted_said_to_be_without_effect_and_none() {
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
            "-c",
            &context,
        ])
        .ok();
    let identity = |options: &[&str]| world.acrt(&[&["task", "identity"], options].concat());
    for verb in ["assign", "remove"] {
        let said = identity(&[verb, "-n", "web", "--identities", "[system]", "a"]).ok();
        assert_eq!(said.stdout, "");
        assert_eq!(said.stderr.matches("[system], a").count(), 1, "{said}");
    }
    let shown = identity(&["show", "-n", "web"]).ok();
    assert_eq!(shown.stdout, "{}\n");
    identity(&["show", "-n", "web", "--only-show-errors", "-o", "none"])
        .ok()
        .silent();
    identity(&["show", "-n", "other"]).exits(3);
}
