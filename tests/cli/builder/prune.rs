//! `acrt builder prune`

use super::world;

#[test]
fn builder_prune_removes_untagged_images_of_runs_and_keeps_those_that_others_built_on_them() {
    let world = world();
    let context = world.context("own", "FROM scratch\nCOPY Dockerfile /own\n");
    let create = ["task", "create", "-n", "own", "-t", "own", "--local"];
    let options = ["--builder", "here", "-c", &context];
    world.acrt(&[&create[..], &options].concat()).ok();
    let buildah = |args: &[&str]| {
        let mut buildah = world.command(world.path("bin/buildah"));
        buildah.args(args);
        world.start(buildah, "buildah".into()).wait().ok().stdout
    };
    world.run("own").ok();
    // It inherits the labels of the image.
    let heir = world.context(
        "heir",
        "FROM docker.io/library/own\nCOPY Dockerfile /heir\n",
    );
    buildah(&["build", &heir]);
    for value in ["b", "c"] {
        let text = format!("FROM scratch\nCOPY Dockerfile /own\nENV A={value}\n");
        world.context("own", &text);
        world.run("own").ok();
    }
    let dangling = || {
        let filter = ["--filter", "dangling=true"];
        let ids = buildah(&[&["images", "--quiet", "--no-trunc"][..], &filter].concat());
        ids.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let before = dangling();
    assert_eq!(before.len(), 2);
    world.acrt(&["builder", "prune"]).ok();
    let after = dangling();
    assert_eq!(after.len(), 1);
    let labels = buildah(&["inspect", "--type=image", &after[0]]);
    assert!(labels.contains("heir"), "{labels}");
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
