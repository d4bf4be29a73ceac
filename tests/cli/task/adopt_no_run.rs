//! `acrt task adopt --no-run`: existing images are followed without a first build, if they show what they were built on.

use serde_json::{Value, json};

use crate::{
    image::{
        check::{DIGEST, NAME, buildah, put_annotated},
        check_attested::buildx,
    },
    support::{Image, Registry, World},
};

/// Adopts a folder without a run, and returns for each task its state, the evidence, and why there is none.
fn adopt(world: &World, folder: &str, options: &[&str]) -> Vec<(String, String)> {
    let folder = world.path(folder).display().to_string();
    let line = ["task", "adopt", &folder, "--no-run", "--yes", "-o", "json"];
    let answer = world.acrt(&[&line, options].concat()).ok().json();
    let tasks = answer["tasks"].as_array().unwrap().iter();
    tasks
        .map(|task| {
            let (name, tracking) = (task["name"].as_str().unwrap(), &task["tracking"]);
            let text = |key: &str| tracking[key].as_str().unwrap_or_default().to_owned();
            let told = format!("{} {}{}", text("state"), text("evidence"), text("reason"));
            (name.to_owned(), told)
        })
        .collect()
}

fn check(world: &World, name: &str) -> Value {
    let answer = world.acrt(&["task", "check", "-n", name, "-o", "json"]);
    answer.json()[0].clone()
}

fn said(found: &[(String, String)]) -> Vec<(&str, &str)> {
    let found = found.iter();
    found
        .map(|(name, told)| (name.as_str(), told.as_str()))
        .collect()
}

#[test]
fn adopted_image_with_a_base_annotation_is_followed_without_a_run_and_rebuilt() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("v", "1")]);
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", registry.image("base:1"));
    world.write("shop/web/Dockerfile", &dockerfile);
    let host = registry.host();
    let dry = [
        "task",
        "adopt",
        "shop",
        "-r",
        &host,
        "--no-run",
        "--dry-run",
    ];
    let absent = world.acrt(&dry).ok();
    absent.prints(&["never-run: "]);
    buildah(&world, &registry.image("web:latest"), &dockerfile, &[]);
    let old = registry.digest("web:latest");
    world
        .acrt(&dry)
        .ok()
        .prints(&["tracking by annotation, current"]);
    world.acrt(&["task", "list"]).ok().prints(&["[]"]);

    let found = adopt(&world, "shop", &["-r", &host]);
    assert_eq!(said(&found), [("web", "current annotation")]);
    let status = world.acrt(&["status", "-o", "json"]).json();
    assert_eq!(status[0]["state"], "current", "{status}");
    let answer = check(&world, "web");
    let shown = (&answer["state"], &answer["reason"], &answer["evidence"]);
    let reason = json!("tracking by annotation, not run yet");
    assert_eq!(shown, (&json!("current"), &reason, &json!("annotation")));
    let shown = world.acrt(&["task", "show", "web"]).ok().json();
    assert_eq!(shown["tracking"]["state"], "tracking");
    assert_eq!(shown["tracking"]["evidence"], "annotation");
    assert_eq!(shown["tracking"]["runId"], Value::Null);
    world.watch_once().ok().silent();
    assert_eq!(registry.digest("web:latest"), old, "nothing was built");

    registry.push("base:1", &[("v", "2")]);
    let stale = check(&world, "web");
    assert_eq!(stale["state"], "stale");
    let reason = stale["reason"].as_str().unwrap();
    assert!(
        reason.contains("->") && reason.ends_with("tracking by annotation, not run yet"),
        "{reason}"
    );
    world.watch_once().ok();
    assert!(registry.depends_on("web:latest", "base:1"));
    let rebuilt = check(&world, "web");
    assert_eq!(
        (&rebuilt["state"], &rebuilt["evidence"]),
        (&json!("current"), &Value::Null)
    );
    // The record of a run is kept.
    assert_eq!(said(&adopt(&world, "shop", &[])), [("web", " ")]);
}

#[test]
fn adopted_image_on_an_old_base_is_stale_in_the_first_round() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let old = registry.push("base:1", &[("v", "1")]);
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", registry.image("base:1"));
    buildah(&world, &registry.image("web:latest"), &dockerfile, &[]);
    buildah(
        &world,
        &registry.image("bare:latest"),
        &dockerfile,
        &["--format", "docker"],
    );
    let new = registry.push("base:1", &[("v", "2")]);
    for name in ["web", "bare"] {
        world.write(&format!("shop/{name}/Dockerfile"), &dockerfile);
    }
    let found = adopt(&world, "shop", &["-r", &registry.host()]);
    assert_eq!(
        said(&found),
        [("bare", "stale layers"), ("web", "stale annotation")]
    );
    let states = world.states();
    assert_eq!(
        (&states["web"][..], &states["bare"][..]),
        ("stale", "stale")
    );
    let base = check(&world, "web")["images"][0].clone();
    assert_eq!(base["recordedDigest"], old);
    assert_eq!(base["currentDigest"], new);
    // Layers show that it was another base, but not which.
    assert_eq!(
        check(&world, "bare")["images"][0]["recordedDigest"],
        Value::Null
    );
    world.watch_once().ok();
    assert!(registry.depends_on("web:latest", "base:1"));
    assert!(registry.depends_on("bare:latest", "base:1"));
}

#[test]
fn adopted_image_follows_all_stages_with_provenance_and_leaves_them_unknown_without() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildx();
    for mode in ["min", "max"] {
        registry.push("base:1", &[("v", "1")]);
        registry.push("tools:1", &[("t", mode)]);
        let dockerfile = format!(
            "FROM {} AS tools\nFROM {}\nCOPY --from=tools /t /t\n",
            registry.image("tools:1"),
            registry.image("base:1")
        );
        world.write(&format!("{mode}/web{mode}/Dockerfile"), &dockerfile);
        world.write(&format!("{mode}/bare{mode}/Dockerfile"), &dockerfile);
        let image = |name: &str| registry.image(&format!("{name}{mode}:latest"));
        let provenance = format!("--provenance=mode={mode}");
        buildx(&world, &image("web"), &dockerfile, &[&provenance]);
        buildx(&world, &image("bare"), &dockerfile, &["--provenance=false"]);
        let found = adopt(&world, mode, &["-r", &registry.host()]);
        let web = format!("web{mode}");
        let told: Vec<&str> = found.iter().map(|(_, told)| told.as_str()).collect();
        assert_eq!(told[1], "current provenance", "{found:?}");
        assert!(told[0].starts_with("never-run"), "{found:?}");
        assert!(told[0].contains("tools:1` was"), "{found:?}");
        registry.push("tools:1", &[("t", "new")]);
        assert_eq!(check(&world, &web)["state"], "stale");
        world.watch_once().ok();
        let tag = format!("{web}:latest");
        assert_eq!(registry.file(&tag, "t").as_deref(), Some("new"));
        let bare = format!("bare{mode}");
        assert_eq!(check(&world, &bare)["state"], "never-run");
    }
}

#[test]
fn adopted_image_that_does_not_match_its_dockerfile_stays_never_run_with_a_hint() {
    let (world, registry) = (World::new(), Registry::start());
    let base = registry.push("base:1", &[("v", "1")]);
    registry.push("other:1", &[("v", "1")]);
    let put = |name: &str| {
        let notes = json!({NAME: registry.image("base:1"), DIGEST: base});
        put_annotated(&registry, &format!("{name}:latest"), &notes)
    };
    put("web");
    put("api");
    put("job");
    let from = |name: &str| format!("FROM {}\n", registry.image(name));
    world.write("shop/web/Dockerfile", &from("other:1"));
    world.write(
        "shop/api/Dockerfile",
        &format!("{}ONBUILD RUN x\n", from("base:1")),
    );
    world.write("shop/job/Dockerfile", "FROM scratch\n");
    world.write("shop/gone/Dockerfile", &from("base:1"));
    let folder = world.path("shop").display().to_string();
    let host = registry.host();
    let line = [
        "task", "adopt", &folder, "-r", &host, "--no-run", "--yes", "-o", "none",
    ];
    world.acrt(&line).ok().says(&[
        "task `web` follows nothing until it has run",
        "which its Dockerfile does not name; to run it: acrt task run --name web",
        "task `gone` follows nothing until it has run",
    ]);
    let states = world.states();
    let state = |name: &str| states[name].as_str();
    assert_eq!(["web", "job", "gone"].map(state), ["never-run"; 3]);
    assert_eq!(state("api"), "current");
    world.watch_once().ok();
    assert_eq!(check(&world, "web")["state"], "never-run");
    // It is followed as soon as it exists.
    put("gone");
    let found = adopt(&world, "shop", &[]);
    assert!(
        found.contains(&("gone".into(), "current annotation".into())),
        "{found:?}"
    );
}

#[test]
fn adopted_image_on_a_base_with_onbuild_images_needs_their_digests_too() {
    let (world, registry) = (World::new(), Registry::start());
    registry.push("tools:1", &[("t", "1")]);
    let copy = format!("COPY --from={} /t /t", registry.image("tools:1"));
    let base = Image::of(&[("v", "1")]).on_build(&copy);
    let base = registry.push_image("base:1", &base);
    put_annotated(
        &registry,
        "web:latest",
        &json!({NAME: registry.image("base:1"), DIGEST: base}),
    );
    world.write(
        "shop/web/Dockerfile",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    let found = adopt(&world, "shop", &["-r", &registry.host()]);
    assert!(found[0].1.contains("depend on `"), "{found:?}");
}

#[test]
fn adopted_index_is_followed_for_each_platform_by_its_own_base() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildx();
    let base = |arm: &str| registry.push_both("base:1", "1", arm);
    base("1");
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", registry.image("base:1"));
    world.write("shop/web/Dockerfile", &dockerfile);
    world.write(
        "shop/compose.yaml",
        "services: {web: {image: web, build: {context: ./web, platforms: [linux/amd64, linux/arm64]}}}\n",
    );
    let both = "--platform=linux/amd64,linux/arm64";
    buildx(
        &world,
        &registry.image("web:latest"),
        &dockerfile,
        &[both, "--provenance=mode=min"],
    );
    let found = adopt(&world, "shop", &["-r", &registry.host()]);
    assert_eq!(said(&found), [("web", "current provenance")]);
    let files = world.state_files();
    let is_baseline = |path: &std::path::Path| path.to_string_lossy().contains("/baselines/");
    let (_, text) = files.iter().find(|(path, _)| is_baseline(path)).unwrap();
    let baseline: Value = serde_json::from_str(text).unwrap();
    assert_eq!(baseline["platforms"], json!(["linux/amd64", "linux/arm64"]));
    let manifests = baseline["dependencies"][0]["manifests"]
        .as_object()
        .unwrap();
    assert_eq!(manifests.len(), 2);
    assert_ne!(manifests["linux/amd64"], manifests["linux/arm64"]);
    base("2");
    assert_eq!(check(&world, "web")["state"], "stale");
    base("1");
    assert_eq!(check(&world, "web")["state"], "current");
}

#[test]
fn adopted_local_podman_images_are_matched_by_layers_through_the_chain() {
    let (world, registry) = (World::new(), Registry::start());
    world.podman();
    registry.push("from:1", &[("v", "1")]);
    let from = format!("FROM {}\nLABEL made=1\n", registry.image("from:1"));
    world.write("tree/base/Dockerfile", &from);
    world.write(
        "tree/app/Containerfile",
        "FROM docker.io/library/base\nLABEL app=1\n",
    );
    for name in ["base", "app"] {
        let folder = world.path(&format!("tree/{name}")).display().to_string();
        let mut call = world.command(world.path("bin/podman"));
        let tag = format!("docker.io/library/{name}:latest");
        // Like a builder that records nothing.
        call.args([
            "build",
            "--format=docker",
            "--pull=missing",
            "--tls-verify=false",
            "--tag",
            &tag,
            &folder,
        ]);
        world.start(call, format!("podman {name}")).wait().ok();
    }
    let found = adopt(&world, "tree", &["--local"]);
    assert_eq!(
        said(&found),
        [("base", "current layers"), ("app", "current layers")]
    );
    world.watch_once().ok().silent();
    registry.push("from:1", &[("v", "2")]);
    assert_eq!(check(&world, "app")["state"], "waiting");
    world.watch_once().ok();
    for name in ["base", "app"] {
        let answer = check(&world, name);
        assert_eq!(
            (&answer["state"], &answer["evidence"]),
            (&json!("current"), &Value::Null)
        );
    }
}
