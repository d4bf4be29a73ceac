//! `--keep-tags` and `--keep-days`: superseded tags that a task made from a template are removed after a successful
//! run.

use crate::support::{Registry, World};

const IMAGES: [&str; 4] = ["-t", "web:latest", "-t", "web:v-{{.Run.ID}}"];

fn create(world: &World, registry: &Registry, options: &[&str]) {
    let context = world.context("web", "FROM scratch\nCOPY Dockerfile /\n");
    let host = registry.host();
    let line = ["task", "create", "-n", "web", "-r", &host, "-c", &context];
    world.acrt(&[&line[..], options].concat()).ok();
}

/// Runs the task on so many days.
fn run_daily(world: &World, days: u32) {
    for n in 1..=days {
        world.set("ACRT_NOW", &format!("2026-06-{n:02}T00:00:00Z"));
        world.write(
            "web/Dockerfile",
            &format!("FROM scratch\nCOPY Dockerfile /\nLABEL n={n}\n"),
        );
        world.acrt(&["task", "run", "-n", "web"]).ok();
    }
}

#[test]
fn keep_tags_keeps_the_newest_tags_of_the_template_and_all_other_tags() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("web:v-mine", &[("a", "1")]);
    create(
        &world,
        &registry,
        &[&IMAGES[..], &["--keep-tags", "2"]].concat(),
    );
    let show = world.acrt(&["task", "show", "-n", "web"]).ok().json();
    assert_eq!(show["keepTags"], 2);
    run_daily(&world, 3);
    assert_eq!(registry.tags("web"), ["latest", "v-ca2", "v-ca3", "v-mine"]);
    let log = world.acrt(&["task", "logs", "-n", "web"]).ok();
    assert!(log.stdout.contains("removed the superseded tag"), "{log}");
    assert!(registry.digest("web:v-ca3").is_some());
    // 0 keeps all tags again.
    world
        .acrt(&["task", "update", "-n", "web", "--keep-tags", "0"])
        .ok();
    world.acrt(&["task", "run", "-n", "web"]).ok();
    assert_eq!(
        registry.tags("web"),
        ["latest", "v-ca2", "v-ca3", "v-ca4", "v-mine"]
    );
}

#[test]
fn keep_tags_keeps_the_newest_of_each_template_and_fixed_tags_that_a_template_could_have_made() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let names = [
        "web:1",
        "web:{{.Run.ID}}",
        "web:stable",
        "{{.Run.Registry}}/web:{{.Run.Date}}",
    ];
    let mut options = vec!["--keep-tags", "1"];
    options.extend(names.iter().flat_map(|name| ["-t", name]));
    create(&world, &registry, &options);
    run_daily(&world, 2);
    let kept = ["1", "20260602-000000z", "ca2", "stable"];
    assert_eq!(registry.tags("web"), kept);
}

#[test]
fn keep_days_keeps_recent_tags() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    create(
        &world,
        &registry,
        &[&IMAGES[..], &["--keep-days", "3"]].concat(),
    );
    let show = world.acrt(&["task", "show", "-n", "web"]).ok().json();
    assert_eq!((&show["keepDays"], show.get("keepTags")), (&3.into(), None));
    for n in [1, 2, 5] {
        world.set("ACRT_NOW", &format!("2026-06-{n:02}T12:00:00Z"));
        world.acrt(&["task", "run", "-n", "web"]).ok();
    }
    assert_eq!(registry.tags("web"), ["latest", "v-ca2", "v-ca3"]);
}

#[test]
fn keep_tags_on_a_registry_that_refuses_deletion_does_not_fail_the_run() {
    let (world, registry) = (World::new(), Registry::without_delete());
    world.buildah();
    create(
        &world,
        &registry,
        &[&IMAGES[..], &["--keep-tags", "1"]].concat(),
    );
    world.acrt(&["task", "run", "-n", "web"]).ok();
    world
        .acrt(&["task", "run", "-n", "web"])
        .ok()
        .says(&["superseded tags are still there", "does not delete tags"]);
    assert_eq!(registry.tags("web"), ["latest", "v-ca1", "v-ca2"]);
}
