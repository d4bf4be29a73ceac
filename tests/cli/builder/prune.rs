//! `acrt builder prune`

use super::world;

#[test]
fn unnamed_images_of_acrt_go_and_those_of_others_stay() {
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
