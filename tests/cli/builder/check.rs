//! `acrt builder check`

use super::world;

#[test]
fn builder_check_of_an_unusable_builder_sets_the_exit_code() {
    let world = world();
    world.acrt(&["builder", "check", "all"]).ok();
    world
        .acrt(&["builder", "check", "hre"])
        .exits(2)
        .says(&["did you mean `here`?"]);
    let answer = world.acrt(&["builder", "check", "docker"]).exits(1).json();
    assert_eq!(answer[0]["state"], "unusable");
}

#[test]
fn builder_check_of_missing_buildx_reports_unusable_and_not_unreachable() {
    let world = super::world();
    world.config("builders: {k8s: {kind: buildx, builder: farm}}\n");
    for words in [
        "docker: 'buildx' is not a docker command.\\nSee 'docker --help'",
        "docker: unknown command: docker buildx\\n\\nRun 'docker --help' for more information",
    ] {
        world.fake("docker", &format!("printf \"{words}\\n\" >&2; exit 1"));
        let answers = world.acrt(&["builder", "check"]).exits(1).json();
        assert_eq!(answers[0]["state"], "unusable", "{answers}");
        let reason = answers[0]["reason"].as_str().unwrap();
        assert!(reason.contains("buildx"), "{reason}");
    }
}
