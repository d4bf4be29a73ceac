//! `acrt image check --compose`: the images of the services of compose files.

use serde_json::{Value, json};

use super::check::{DIGEST, NAME, checked, put_annotated};
use crate::support::{Registry, World};

/// Returns image, state and reason of each answer.
fn told(answers: &[Value]) -> Vec<[String; 3]> {
    let text = |answer: &Value, key: &str| answer[key].as_str().unwrap().to_owned();
    let keys = ["image", "state", "reason"];
    let answers = answers.iter();
    answers
        .map(|answer| keys.map(|key| text(answer, key)))
        .collect()
}

/// Pushes images with annotations that name a base.
fn put_on_base(registry: &Registry, base: &str, images: &[&str]) {
    let notes = json!({NAME: registry.image("base:1"), DIGEST: base});
    for image in images {
        put_annotated(registry, image, &notes);
    }
}

#[test]
fn compose_services_are_stale_when_their_base_moves() {
    let (world, registry) = (World::new(), Registry::start());
    let base = registry.push("base:1", &[("v", "1")]);
    put_on_base(&registry, &base, &["web:3", "db:2", "job:1", "far:1"]);
    let host = registry.host();
    world.write("shop/.env", "TAG=3\n");
    world.write(
        "shop/compose.yaml",
        &format!(
            "services:\n  web:\n    build: .\n    image: {host}/web:${{TAG}}\n  db:\n    image: {host}/db:${{OTHER:-2}}\n  \
             job:\n    build: job\n    profiles: [late]\n    image: {host}/old:1\n  again:\n    extends: web\n  tool:\n    build: tool\n"
        ),
    );
    world.write(
        "shop/compose.override.yaml",
        &format!("services:\n  job:\n    image: {host}/job:1\n"),
    );
    let far = registry.image("far:1");
    let web = registry.image("web:3");
    let ask = || checked(&world, &[&far, &web, "--compose", "shop/compose.yaml"]);
    let states = |state: &str| -> Vec<[String; 2]> {
        let images = ["far:1", "web:3", "db:2", "job:1"].map(|it| registry.image(it));
        let mut all: Vec<_> = images.map(|image| [image, state.to_owned()]).into();
        all.push(["shop-tool".to_owned(), "unknown".to_owned()]);
        all
    };
    let found = |answers: &[Value]| -> Vec<[String; 2]> {
        let told = told(answers).into_iter();
        told.map(|[image, state, _]| [image, state]).collect()
    };
    let answers = ask();
    assert_eq!(found(&answers), states("current"));
    let reason = &told(&answers)[4][2];
    for says in ["shop/compose.yaml`, line 13, `services.tool`", "on PATH"] {
        assert!(reason.contains(says), "{reason}");
    }
    let services: Vec<Value> = answers.iter().map(|it| it["services"].clone()).collect();
    assert_eq!(
        json!(services),
        json!([[], ["web", "again"], ["db"], ["job"], ["tool"]])
    );
    registry.push("base:1", &[("v", "2")]);
    assert_eq!(found(&ask()), states("stale"));
    // With several projects, services are named with their project.
    world.write(
        "other/compose.yaml",
        &format!("services: {{web: {{image: {host}/web:3}}}}\n"),
    );
    let line = [
        "image",
        "check",
        "--compose",
        "shop",
        "--compose",
        "other",
        "-o",
        "table",
    ];
    world
        .acrt(&line)
        .prints(&["shop/web, shop/again, other/web", "shop/tool"]);
    // A folder stands for its compose file.
    let of_folder = checked(&world, &["--compose", "shop"]);
    assert_eq!(found(&of_folder), states("stale")[1..]);
    // Unknown takes precedence over stale, as in `task check`.
    let line = ["image", "check", "--compose", "shop", "--exit-code"];
    world.acrt(&line).exits(4);
}

#[test]
fn compose_service_image_is_taken_from_docker_before_the_registry() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    let base = registry.push("base:1", &[("v", "1")]);
    put_on_base(&registry, &base, &["web:1"]);
    let (image, web) = (registry.image("base:1"), registry.image("web:1"));
    let context = world.context("shop/tool", &format!("FROM {image}\nCOPY Dockerfile /\n"));
    let mut build = world.command(world.path("bin/docker"));
    build.args(["build", "--tag", "shop-tool", &context]);
    world.start(build, "docker build".to_owned()).wait().ok();
    world.write(
        "shop/docker-compose.yml",
        &format!("services:\n  web:\n    image: {web}\n  tool:\n    build: tool\n  none:\n    build: none\n"),
    );
    let answers = checked(
        &world,
        &["--compose", "shop/docker-compose.yml", "--base", &image],
    );
    let told = told(&answers);
    let named: Vec<[&str; 2]> = told
        .iter()
        .map(|[name, state, _]| [name.as_str(), state])
        .collect();
    assert_eq!(
        named,
        [
            [web.as_str(), "current"],
            ["docker-daemon:shop-tool", "current"],
            ["docker-daemon:shop-none", "unknown"],
        ]
    );
    assert_eq!(answers[1]["evidence"], "layers");
    assert!(told[2][2].contains("No such image"), "{told:?}");
}

#[test]
fn compose_file_error_is_reported_with_file_line_and_key() {
    let (world, registry) = (World::new(), Registry::start());
    let base = registry.push("base:1", &[("v", "1")]);
    put_on_base(&registry, &base, &["web:1"]);
    let web = registry.image("web:1");
    world.write(
        "some.yaml",
        &format!(
            "services:\n  list:\n    image: [a]\n  spaces:\n    image: No Name\n  web:\n    image: {web}\n  \
             unset:\n    image: web:${{TAG:?say which}}\n  gone:\n    extends: nobody\n"
        ),
    );
    let answers = told(&checked(&world, &["--compose", "some.yaml"]));
    let says = [
        (
            "unknown",
            "some.yaml`, line 3, `services.list.image`: it must be a string",
        ),
        ("unknown", "some.yaml`, line 5, `services.spaces.image`: "),
        ("current", ""),
        ("unknown", "some.yaml`, line 9, `services.unset.image`: "),
        (
            "unknown",
            "some.yaml`, line 11, `services.gone.extends`: there is no service",
        ),
    ];
    assert_eq!(answers.len(), says.len(), "{answers:?}");
    for ([_, state, reason], (wanted, says)) in answers.iter().zip(says) {
        assert_eq!(state, wanted, "{reason}");
        assert!(reason.contains(says), "{reason}");
    }
    let line = ["image", "check", "--compose", "some.yaml", "-o", "none"];
    world.acrt(&line).exits(4);

    world.write("broken.yaml", "services:\n  web: [\n");
    world.write("empty.yaml", "services: {}\n");
    world.write("folder/none", "");
    for (file, says) in [
        ("broken.yaml", "broken.yaml`, line "),
        ("empty.yaml", "no service of `empty.yaml` has an image"),
        ("absent.yaml", "absent.yaml`: there is no such file"),
        ("folder", "`folder`: there is no compose file in it"),
    ] {
        let line = ["image", "check", "--compose", file];
        world.acrt(&line).exits(2).says(&[says]);
    }
}
