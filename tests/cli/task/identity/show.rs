//! `acrt task identity show`

use super::{identity, world};

#[test]
fn identity_show_prints_no_identity() {
    let world = world();
    assert_eq!(identity(&world, &["show", "-n", "web"]).ok().stdout, "{}\n");
    identity(
        &world,
        &["show", "-n", "web", "--only-show-errors", "-o", "none"],
    )
    .ok()
    .silent();
    identity(&world, &["show", "-n", "other"]).exits(3);
}
