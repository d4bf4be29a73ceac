//! `acrt task identity remove`

use super::{identity, world};

#[test]
fn identity_remove_is_accepted_and_reported_as_without_effect() {
    let world = world();
    let said = identity(
        &world,
        &["remove", "-n", "web", "--identities", "[system]", "a"],
    )
    .ok();
    assert_eq!(said.stdout, "");
    assert_eq!(said.stderr.matches("[system], a").count(), 1, "{said}");
    identity(&world, &["remove", "-n", "other"]).exits(3);
}
