//! The requirements of the other tests: the machine's registry and builders work.

use crate::support::{Gate, Image, Registry, World};

/// Builds an image that needs a shell with the builder's own command line, then pushes it.
fn build_and_push(builder: &str, options: &[&str]) {
    let (world, registry) = (World::new(), Registry::start());
    let calls = match builder {
        "buildah" => world.buildah(),
        "podman" => world.podman(),
        _ => world.docker(),
    };
    let base = registry.push_shell("base:1", &[("etc/version", "one\n")]);
    let context = world.context(
        "web",
        &format!(
            "FROM {}@{base}\nRUN cat /etc/version > /built\n",
            registry.image("base")
        ),
    );
    let image = registry.image("web:latest");
    let run = |args: &[&str]| {
        let mut command = world.command(world.path("bin").join(builder));
        command.args(args);
        world.start(command, args.join(" ")).wait().ok()
    };
    run(&[&["build"], options, &["-t", &image, &context]].concat());
    run(&[&["push"], options, &[&image]].concat());
    assert!(registry.depends_on("web:latest", "base:1"));
    assert_eq!(
        registry.file("web:latest", "built").as_deref(),
        Some("one\n")
    );
    assert_eq!(calls.of("push").len(), 1);
}

#[test]
fn test_buildah_builds_and_pushes() {
    build_and_push("buildah", &["--tls-verify=false"]);
}

#[test]
fn test_podman_builds_and_pushes() {
    build_and_push("podman", &["--tls-verify=false"]);
}

#[test]
fn test_docker_builds_and_pushes() {
    build_and_push("docker", &[]);
}

#[test]
fn test_registry_keeps_address_and_images_over_a_restart() {
    let registry = Registry::start();
    let digest = registry.push("base:1", &[("version", "one")]);
    let address = registry.host();
    registry.stop();
    assert!(std::net::TcpStream::connect(&address).is_err());
    registry.restart();
    assert_eq!(registry.host(), address);
    assert_eq!(registry.digest("base:1"), Some(digest));
    assert_eq!(registry.digest("base:2"), None);
}

#[test]
fn test_image_of_the_same_files_has_the_same_digest_and_of_others_another() {
    let registry = Registry::start();
    let one = registry.push("base:1", &[("version", "one")]);
    assert_eq!(registry.push("base:2", &[("version", "one")]), one);
    assert_ne!(registry.push("base:3", &[("version", "two")]), one);
    assert!(!registry.depends_on("base:3", "base:1"));
    assert_eq!(registry.file("base:3", "version").as_deref(), Some("two"));
    registry.retag("base:1", &registry.digest("base:3").unwrap());
    assert!(registry.depends_on("base:3", "base:1"));
    assert_eq!(registry.tags("base"), ["1", "2", "3"]);
    registry.delete("base", &one);
    assert_eq!(registry.tags("base"), ["1", "3"]);
}

#[test]
fn test_registry_shows_the_image_of_this_platform_for_an_index() {
    let registry = Registry::start();
    let own = Image::of(&[("version", "own")]).label("kind", "own");
    let other = Image::of(&[("version", "other")]).platform("linux/s390x");
    let single = registry.push_image("base:1", &own);
    let index = registry.push_index(
        "base:2",
        &[other, own, Image::attestation(&single, "made today")],
    );
    assert_ne!(index, single);
    assert_eq!(registry.label("base:2", "kind").as_deref(), Some("own"));
    assert!(registry.depends_on("base:2", "base:1"));
}

#[test]
fn test_registry_records_client_requests_and_not_its_own() {
    let registry = Registry::with_login();
    registry.push("base:1", &[("version", "one")]);
    let stranger = ureq::get(format!("http://{}/v2/base/manifests/1", registry.host()));
    assert!(stranger.call().is_err());
    let requests = registry.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(
        (
            requests[0].method.as_str(),
            requests[0].path.as_str(),
            requests[0].status
        ),
        ("GET", "/v2/base/manifests/1", 401)
    );
    registry.forget_requests();
    assert_eq!(registry.requests(), []);
}

#[test]
fn test_build_waits_at_a_gate() {
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    world.buildah();
    registry.push_shell("base:1", &[]);
    let dockerfile = format!(
        "FROM {}\nRUN {}\n",
        registry.image("base:1"),
        gate.wait_command()
    );
    let context = world.context("web", &dockerfile);
    let mut build = world.command(world.path("bin/buildah"));
    build.args(["build", "--tls-verify=false", &context]);
    let build = world.start(build, "buildah".to_owned());
    let waiting = gate.arrival();
    assert!(!world.processes().is_empty());
    waiting.go_on();
    build.wait().ok();
    assert_eq!(world.processes().len(), 0, "{:?}", world.processes());
}
