//! `acrt task run` with an image that equals that of the tag: nothing is pushed, no tag moves, and no child is rebuilt.

use crate::support::{BOTH_PLATFORMS, Calls, Registry, World};

/// A task `web` that has run once, and a child that is built on it.
fn with_child(
    put_on_path: impl Fn(&World) -> Calls,
    config: &str,
    options: &[&str],
) -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    world.config(config);
    registry.push_both("base:1", "amd64", "arm64");
    world.write("web/own", "mine");
    let on = |image: &str, to: &str| {
        format!(
            "FROM {}\nENV A=b\nEXPOSE 80\nCOPY own /{to}\n",
            registry.image(image)
        )
    };
    world.task_with(&registry, "web", &on("base:1", "own"), options);
    world.run("web").ok();
    world.write("child/own", "mine");
    world.task_with(&registry, "child", &on("web:latest", "child"), options);
    world.run("child").ok();
    registry.forget_requests();
    (world, registry)
}

/// Returns the requests that have written to a registry, without cancelled uploads, which only check the permission.
fn writes(registry: &Registry) -> Vec<String> {
    let requests = registry.requests().into_iter();
    let writes = requests.filter(|request| ["PUT", "PATCH"].contains(&request.method.as_str()));
    writes
        .map(|request| format!("{} {}", request.method, request.path))
        .collect()
}

fn pushes_nothing(put_on_path: impl Fn(&World) -> Calls, config: &str, options: &[&str]) {
    let (world, registry) = with_child(put_on_path, config, options);
    let first = registry.digest("web:latest").unwrap();
    let said = format!("web:latest is what was built already, and is not pushed again: {first}");
    world.run("web").ok().prints(&[&said]);
    assert_eq!(writes(&registry), [] as [String; 0]);
    assert_eq!(registry.digest("web:latest"), Some(first.clone()));
    assert_eq!(world.runs()[0]["outputImages"][0]["digest"], first);
    assert!(world.states().values().all(|state| state == "current"));
    world.watch_once().ok().silent();
    assert_eq!(world.history().len(), 3);
    // Another port makes another image; it is pushed, and the child is rebuilt.
    let text = std::fs::read_to_string(world.path("web/Dockerfile")).unwrap();
    world.write("web/Dockerfile", &text.replace("EXPOSE 80", "EXPOSE 81"));
    world.run("web").ok();
    assert_ne!(registry.digest("web:latest"), Some(first));
    world.watch_once().ok().prints(&["child: rebuilt"]);
}

#[test]
fn docker_does_not_push_an_unchanged_image_again() {
    pushes_nothing(World::docker, "", &[]);
}

#[test]
fn docker_with_buildx_does_not_push_an_unchanged_image_again() {
    pushes_nothing(World::newer_docker, "", &[]);
}

#[test]
fn docker_with_provenance_does_not_push_an_unchanged_image_again() {
    let config = "builders: {docker: {buildArgs: [--provenance=true]}}\n";
    pushes_nothing(World::newer_docker, config, &[]);
}

#[test]
fn buildah_does_not_push_an_image_that_differs_only_in_time_again() {
    pushes_nothing(World::buildah, "", &[]);
}

#[test]
fn buildah_does_not_push_an_unchanged_index_again() {
    pushes_nothing(World::buildah, "", &BOTH_PLATFORMS);
}

#[test]
fn podman_does_not_push_an_unchanged_image_again() {
    pushes_nothing(World::podman, "", &[]);
}

#[test]
fn podman_does_not_push_an_unchanged_index_again() {
    pushes_nothing(World::podman, "", &BOTH_PLATFORMS);
}

#[test]
fn steps_do_not_push_an_unchanged_image_again() {
    for (put_on_path, push) in [
        (
            World::docker as fn(&World) -> Calls,
            "['$Registry/web:1', '$Registry/web:{{.Run.ID}}']",
        ),
        (World::buildah, "['$Registry/web:1']"),
    ] {
        let (world, registry) = (World::new(), Registry::start());
        put_on_path(&world);
        registry.push("base:1", &[("version", "one")]);
        // The files of a workspace are new in each run.
        let from = format!("FROM {}\nENV A=b\n", registry.image("base:1"));
        let context = world.context("web", &from);
        world.write(
            "web/acb.yaml",
            &format!(
                "version: v1.1.0\nsteps:\n- build: -t $Registry/web:1 -t $Registry/web:{{{{.Run.ID}}}} .\n- push: {push}\n"
            ),
        );
        let host = registry.host();
        let create = ["task", "create", "-n", "web", "-r", &host, "-c", &context];
        world
            .acrt(&[&create[..], &["-f", "acb.yaml"]].concat())
            .ok();
        world.run("web").ok();
        let first = registry.digest("web:1");
        let moved =
            |name: &str| writes(&registry).contains(&format!("PUT /v2/web/manifests/{name}"));
        registry.forget_requests();
        world
            .run("web")
            .ok()
            .prints(&["web:1 is what was built already"]);
        assert!(!moved("1"));
        assert_eq!(moved("ca2"), push.contains("Run.ID"));
        assert_eq!(registry.digest("web:1"), first);
        assert_eq!(world.state_of("web"), "current");
    }
}

#[test]
fn tags_of_one_run_have_one_digest_whichever_existed_before() {
    for put_on_path in [World::docker, World::buildah] {
        let options = ["--image", "web:{{.Run.ID}}"];
        let (world, registry) = with_child(put_on_path, "", &options[..0]);
        let update = ["task", "update", "-n", "web", "-t", "web:latest"];
        world.acrt(&[&update[..], &options].concat()).ok();
        world.run("web").ok();
        assert_eq!(registry.tags("web"), ["ca3", "latest"]);
        assert_eq!(registry.digest("web:ca3"), registry.digest("web:latest"));
    }
}

#[test]
fn tag_that_was_moved_by_another_push_is_pushed_again() {
    let (world, registry) = with_child(World::docker, "", &[]);
    let own = registry.digest("web:latest");
    registry.push("web:latest", &[("version", "another")]);
    world.run("web").ok();
    assert_eq!(registry.digest("web:latest"), own);
}

/// BuildKit records how and when it has built in another manifest of the index, which is new each time.
#[test]
fn changed_buildx_provenance_moves_the_tag_and_rebuilds_no_child() {
    let config = "builders: {buildx: {buildArgs: [--provenance=true]}}\n";
    let (world, registry) = with_child(World::buildx_elsewhere, config, &[]);
    let first = registry.digest("web:latest");
    world.run("web").ok();
    assert_ne!(registry.digest("web:latest"), first);
    assert!(world.states().values().all(|state| state == "current"));
    world.watch_once().ok().silent();
    assert_eq!(world.history().len(), 3);
}
