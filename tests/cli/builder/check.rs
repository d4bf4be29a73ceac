//! `acrt builder check`

use super::world;

#[test]
fn builder_that_cannot_be_used_is_told_by_the_exit_code() {
    let world = world();
    world.acrt(&["builder", "check", "all"]).ok();
    world
        .acrt(&["builder", "check", "hre"])
        .exits(2)
        .says(&["did you mean `here`?"]);
    let answer = world.acrt(&["builder", "check", "docker"]).exits(1).json();
    assert_eq!(answer[0]["state"], "unusable");
}
