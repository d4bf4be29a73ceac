//! `acrt builder prune`

use super::world;

#[test]
fn builder_prune_removes_untagged_images_of_acrt_and_keeps_those_of_others() {
    let world = world();
    let built = |label: &str, file: &str| {
        let context = world.context(file, &format!("FROM scratch\nCOPY Dockerfile /{file}\n"));
        let mut buildah = world.command(world.path("bin/buildah"));
        buildah.args(["build", "--label", label, &context]);
        world.start(buildah, "buildah build".into()).wait().ok();
    };
    built("io.acrt.task=web", "own");
    built("somebody=else", "other");
    let images = || {
        let mut buildah = world.command(world.path("bin/buildah"));
        buildah.args(["images", "--quiet", "--filter", "dangling=true"]);
        world
            .start(buildah, "buildah images".into())
            .wait()
            .ok()
            .stdout
            .lines()
            .count()
    };
    assert_eq!(images(), 2);
    world.acrt(&["builder", "prune"]).ok();
    assert_eq!(images(), 1);
}

#[test]
fn builder_prune_continues_with_the_pool_when_one_builder_is_unreachable() {
    let world = world();
    world.fake(
        "buildctl",
        "case \"$*\" in *gone*) echo 'no such host' >&2; exit 1 ;; esac; echo 'Total: 5B'",
    );
    world.config(
        "builders:\n  a: {kind: buildctl, address: 'unix:///gone'}\n  b: {kind: buildctl, address: 'unix:///here'}\n\
         pools: {farm: {builders: [a, b]}}\n",
    );
    let pruned = world.acrt(&["builder", "prune", "farm"]).exits(1);
    let answers = pruned.says(&["cannot prune `a`", "no such host"]).json();
    assert_eq!(
        (&answers[0]["name"], &answers[0]["isPruned"]),
        (&"a".into(), &false.into())
    );
    assert_eq!(
        (&answers[1]["name"], &answers[1]["result"]),
        (&"b".into(), &"Total: 5B".into())
    );
}
