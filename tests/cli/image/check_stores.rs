//! `acrt image check`: images in docker's and podman's own stores, of running containers, and in folders.

use serde_json::json;

use super::check::{DIGEST, NAME, buildah, checked, verdict};
use crate::support::{Image, Registry, World, command};

/// Runs a program of the world to its end.
fn call(world: &World, program: &str, args: &[&str]) {
    let mut call = world.command(world.path(&format!("bin/{program}")));
    call.args(args);
    world.start(call, format!("{program} {args:?}")).wait().ok();
}

#[test]
fn docker_store_image_is_matched_by_label_registry_or_layers() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    registry.push("base:1", &[("v", "1")]);
    let base = registry.image("base:1");
    let context = world.context("plain", &format!("FROM {base}\nCOPY Dockerfile /\n"));
    call(&world, "docker", &["build", "--tag", "plain:1", &context]);
    let plain = "docker-daemon:plain:1";
    assert_eq!(verdict(&world, &[plain]).0, "unknown");
    let layers = json!("layers");
    assert_eq!(
        verdict(&world, &[plain, "--base", &base]),
        ("current".into(), layers.clone())
    );

    let label = format!("--label={NAME}={base}");
    call(
        &world,
        "docker",
        &["build", "--tag", "labelled:1", &label, &context],
    );
    assert_eq!(
        verdict(&world, &["docker-daemon:labelled:1"]),
        ("current".into(), json!("label"))
    );

    // For an image from a registry, the registry is asked too.
    let digest = registry.digest("base:1").unwrap();
    let notes = json!({NAME: base, DIGEST: digest});
    super::check::put_annotated(&registry, "web:1", &notes);
    let web = registry.image("web:1");
    call(&world, "docker", &["pull", &web]);
    let pulled = format!("docker-daemon:{web}");
    assert_eq!(
        verdict(&world, &[&pulled]),
        ("current".into(), json!("annotation"))
    );

    registry.push("base:1", &[("v", "2")]);
    assert_eq!(verdict(&world, &[&pulled]).0, "stale");
    assert_eq!(
        verdict(&world, &[plain, "--base", &base]),
        ("stale".into(), layers)
    );
    let none = checked(&world, &["docker-daemon:none:1"]).remove(0);
    assert_eq!(none["state"], "unknown");
    let reason = none["reason"].as_str().unwrap();
    assert!(reason.contains("No such image"), "{reason}");
}

#[test]
fn podman_and_buildah_images_are_matched_by_their_annotations() {
    let registry = Registry::start();
    registry.push("base:1", &[("v", "1")]);
    let base = registry.image("base:1");
    let dockerfile = format!("FROM {base}\nCOPY Dockerfile /\n");
    for program in ["podman", "buildah"] {
        let world = World::new();
        match program {
            "podman" => world.podman(),
            _ => world.buildah(),
        };
        let context = world.context("web", &dockerfile);
        call(
            &world,
            program,
            &[
                "build",
                "--tls-verify=false",
                "--tag",
                "localhost/web:1",
                &context,
            ],
        );
        let image = "containers-storage:localhost/web:1";
        assert_eq!(
            verdict(&world, &[image]),
            ("current".into(), json!("annotation")),
            "{program}"
        );
        registry.push("base:1", &[("v", program)]);
        assert_eq!(verdict(&world, &[image]).0, "stale", "{program}");
        let plain = [
            "build",
            "--tls-verify=false",
            "--format=docker",
            "--pull=always",
            "--tag",
            "localhost/plain:1",
            &context,
        ];
        call(&world, program, &plain);
        let image = "containers-storage:localhost/plain:1";
        assert_eq!(
            verdict(&world, &[image, "--base", &base]),
            ("current".into(), json!("layers")),
            "{program}"
        );
    }
    let answer = checked(&World::new(), &["containers-storage:web"]).remove(0);
    let reason = answer["reason"].as_str().unwrap();
    assert!(
        reason.contains("neither podman nor buildah is on PATH"),
        "{reason}"
    );
}

#[test]
fn images_of_running_containers_are_found() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    world.fake("podman", "echo 'it has no store' >&2; exit 125");
    let old = registry.push("base:1", &[("v", "1")]);
    let web = Image::of(&[("app", "1")])
        .shell()
        .label(NAME, &registry.image("base:1"))
        .label(DIGEST, &old);
    registry.push_image("web:1", &web);
    let image = registry.image("web:1");
    let run = [
        "run",
        "--detach",
        "--network=none",
        "--rm",
        &image,
        "/bin/busybox",
        "sleep",
        "1000",
    ];
    call(&world, "docker", &run);
    call(&world, "docker", &run);
    let line = ["image", "check", "--running"];
    let output = world.acrt(&line).exits(4).says(&["it has no store"]);
    // podman has nothing to say from now on.
    world.fake("podman", "exit 0");
    let answers = output.json();
    assert_eq!(answers.as_array().unwrap().len(), 1, "{answers}");
    assert_eq!(answers[0]["image"], format!("docker-daemon:{image}"));
    assert_eq!(answers[0]["state"], "current");
    let containers = answers[0]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 2, "{answers}");
    let name = containers[1].as_str().unwrap();
    let table = world.acrt(&[&line[..], &["-o", "table"]].concat());
    table.ok().prints(&["USED BY", name]);
    registry.push("base:1", &[("v", "2")]);
    world
        .acrt(&[&line[..], &["--exit-code"]].concat())
        .exits(10);
    // Another image has the name now: the running one is checked.
    registry.push("web:1", &[("app", "2")]);
    call(&world, "docker", &["pull", &image]);
    assert_eq!(verdict(&world, &["--running"]).0, "stale");

    World::new()
        .acrt(&line)
        .exits(4)
        .says(&["docker or podman"]);
}

#[test]
fn image_of_an_oci_layout_folder_is_read_without_a_registry() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("v", "1")]);
    let image = registry.image("web:1");
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", registry.image("base:1"));
    buildah(&world, &image, &dockerfile, &[]);
    let folder = world.path("out").join("layout").display().to_string();
    for name in ["1.0", "2.0"] {
        let mut copy = command("skopeo");
        copy.args(["copy", "--quiet", "--src-tls-verify=false"]);
        copy.args([format!("docker://{image}"), format!("oci:{folder}:{name}")]);
        assert!(copy.status().unwrap().success());
    }
    let named = format!("oci:{folder}:1.0");
    assert_eq!(
        verdict(&world, &[&named]),
        ("current".into(), json!("annotation"))
    );
    registry.push("base:1", &[("v", "2")]);
    assert_eq!(verdict(&world, &[&named]).0, "stale");
    let unnamed = checked(&world, &[&format!("oci:{folder}:3.0")]).remove(0);
    let reason = unnamed["reason"].as_str().unwrap();
    assert!(reason.contains("no image with the name `3.0`"), "{reason}");
}

#[test]
fn buildkit_provenance_is_found_in_docker_store_and_oci_layout() {
    let (world, registry) = (World::new(), Registry::start());
    world.newer_docker();
    registry.push("base:1", &[("v", "1")]);
    let image = registry.image("web:1");
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", registry.image("base:1"));
    let context = world.context("web", &dockerfile);
    let folder = world.path("out").join("layout").display().to_string();
    let build = ["buildx", "build", "--provenance=mode=max"];
    let output = format!("--output=type=oci,tar=false,dest={folder}");
    call(
        &world,
        "docker",
        &[&build[..], &[&output, &context]].concat(),
    );
    call(
        &world,
        "docker",
        &[&build[..], &["--push", "--tag", &image, &context]].concat(),
    );
    call(&world, "docker", &["pull", &image]);
    let (in_folder, in_store) = (format!("oci:{folder}"), format!("docker-daemon:{image}"));
    for image in [&in_folder, &in_store] {
        let answer = checked(&world, &[image]).remove(0);
        assert_eq!(answer["state"], "current", "{answer}");
        assert_eq!(answer["evidence"], "provenance");
    }
    registry.push("base:1", &[("v", "2")]);
    for image in [&in_folder, &in_store] {
        assert_eq!(verdict(&world, &[image]).0, "stale", "{image}");
    }
}
