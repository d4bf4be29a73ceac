//! `acrt image check`: annotations, labels and layers of images of registries.

use serde_json::{Value, json};

use crate::support::{Image, Registry, World};

/// The annotations with the name and the digest of a base.
pub const NAME: &str = "org.opencontainers.image.base.name";
pub const DIGEST: &str = "org.opencontainers.image.base.digest";

/// Builds with buildah and pushes; `options` are additional options of `buildah build`.
pub fn buildah(world: &World, image: &str, dockerfile: &str, options: &[&str]) {
    let context = world.context("context", dockerfile);
    let call = |args: &[&str]| {
        let mut call = world.command(world.path("bin/buildah"));
        call.args(args);
        world.start(call, format!("buildah {args:?}")).wait().ok();
    };
    call(
        &[
            &[
                "build",
                "--tls-verify=false",
                "--pull=always",
                "--tag",
                image,
            ],
            options,
            &[&context],
        ]
        .concat(),
    );
    call(&["push", "--tls-verify=false", image]);
}

/// Checks images, and returns the answer for each.
pub fn checked(world: &World, args: &[&str]) -> Vec<Value> {
    let line = [&["image", "check"], args].concat();
    serde_json::from_str(&world.acrt(&line).stdout).unwrap()
}

/// Returns the answer for the only image: its state, and how its bases were found.
pub fn verdict(world: &World, args: &[&str]) -> (String, Value) {
    let answers = checked(world, args);
    assert_eq!(answers.len(), 1, "{answers:?}");
    let state = answers[0]["state"].as_str().unwrap().to_owned();
    (state, answers[0]["evidence"].clone())
}

/// Pushes an image of one file as `name`, with annotations of its manifest. Returns its digest.
pub fn put_annotated(registry: &Registry, name: &str, notes: &Value) -> String {
    let image = registry.push(name, &[("app", name)]);
    let (repository, _) = name.split_once(':').unwrap();
    let mut manifest = registry.document(&format!("{repository}@{image}"));
    manifest["annotations"] = notes.clone();
    registry.put_document(name, &manifest);
    registry.digest(name).unwrap()
}

#[test]
fn image_built_by_buildah_is_current_until_its_base_moves() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-11-29T12:00:00Z");
    let base = |text: &str, created: &str| {
        let image = Image::of(&[("version", text)]).created(created);
        registry.push_image("base:1", &image)
    };
    let old = base("one", "2026-10-01T00:00:00Z");
    let image = registry.image("web:1");
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", registry.image("base:1"));
    buildah(&world, &image, &dockerfile, &[]);
    assert_eq!(
        verdict(&world, &[&image]),
        ("current".into(), json!("annotation"))
    );
    assert!(!world.state().exists(), "it remembers something");

    let new = base("two", "2026-11-20T12:00:00Z");
    let stale = checked(&world, &[&image]).remove(0);
    assert_eq!(stale["state"], "stale");
    assert_eq!(stale["staleSince"], "2026-11-20T12:00:00+00:00");
    let of_base = &stale["bases"][0];
    assert_eq!(of_base["image"], registry.image("base:1").as_str());
    assert_eq!(of_base["state"], "moved");
    assert_eq!(of_base["recordedDigest"], old.as_str());
    assert_eq!(of_base["currentDigest"], new.as_str());
    assert_eq!(of_base["recordedCreated"], "2026-10-01T00:00:00+00:00");
    let reason = stale["reason"].as_str().unwrap();
    assert!(reason.contains(" of 2026-10-01 -> "), "{reason}");
    world.acrt(&["image", "check", &image]).ok();
    world
        .acrt(&["image", "check", &image, "--exit-code", "-o", "none"])
        .exits(10);
    let table = world.acrt(&["image", "check", &image, "-o", "table"]).ok();
    table.prints(&["IMAGE", "SINCE", "stale", "annotation", "9 d ago", "base:1"]);
    let tsv = world
        .acrt(&[
            "image",
            "check",
            &image,
            "-o",
            "tsv",
            "--query",
            "[].[image, state]",
        ])
        .ok();
    assert_eq!(tsv.stdout.trim(), format!("{image}\tstale"));
    let yaml = world.acrt(&["image", "check", &image, "-o", "yaml"]).ok();
    yaml.prints(&["evidence: annotation"]);
}

#[test]
fn moved_base_of_another_platform_leaves_the_image_current() {
    let (world, registry) = (World::new(), Registry::start());
    let base = |arm: &str| registry.push_both("base:1", "1", arm);
    let old = base("1");
    let label = |platform: &str| {
        Image::of(&[("app", platform)])
            .platform(platform)
            .label(NAME, &registry.image("base:1"))
            .label(DIGEST, &old)
    };
    let images = [label("linux/amd64"), label("linux/arm64")];
    registry.push_index("web:1", &images);
    let image = registry.image("web:1");
    let states = |args: &[&str]| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let answers = checked(&world, &[&[image.as_str()], args].concat());
        let answers = answers.iter();
        answers
            .map(|it| (text(&it["platform"]), text(&it["state"])))
            .collect()
    };
    let [amd64, arm64] = ["linux/amd64", "linux/arm64"].map(str::to_owned);
    let current = "current".to_owned();
    let all = [
        (amd64.clone(), current.clone()),
        (arm64.clone(), current.clone()),
    ];
    assert_eq!(states(&[]), all);
    base("2");
    let moved = [
        (amd64.clone(), current.clone()),
        (arm64.clone(), "stale".to_owned()),
    ];
    assert_eq!(states(&[]), moved);
    assert_eq!(states(&["--platform", "linux/amd64"]), [(amd64, current)]);
    let none = ("linux/s390x".to_owned(), "unknown".to_owned());
    assert_eq!(states(&["--platform", "linux/s390x"]), [none]);
}

#[test]
fn base_image_names_of_annotations_are_normalized() {
    let (world, registry) = (World::new(), Registry::start());
    let base = registry.push("base:latest", &[("v", "1")]);
    let gone = registry.push("gone:1", &[("v", "2")]);
    registry.delete("gone", &gone);
    let put = |notes: Value| {
        put_annotated(&registry, "web:1", &notes);
        let answer = checked(&world, &[&registry.image("web:1")]).remove(0);
        let reason = answer["reason"].as_str().unwrap().to_owned();
        (answer["state"].as_str().unwrap().to_owned(), reason)
    };
    let (name, host) = (registry.image("base"), registry.host());
    assert_eq!(
        put(json!({NAME: name, DIGEST: base})).0,
        "current",
        "without a tag"
    );
    let (state, reason) = put(json!({NAME: format!("{name}@{base}")}));
    assert_eq!(state, "follows-nothing");
    assert!(reason.contains(&format!("--base {name}:TAG")), "{reason}");
    let (state, reason) = put(json!({DIGEST: base}));
    assert_eq!(state, "unknown");
    assert!(reason.contains("--base IMAGE"), "{reason}");
    let (state, reason) = put(json!({NAME: format!("{host}/gone:1"), DIGEST: gone}));
    assert_eq!(state, "missing");
    assert!(reason.contains("gone:1"), "{reason}");
    let (state, reason) = put(json!({NAME: "", DIGEST: ""}));
    assert_eq!(
        (state.as_str(), reason.as_str()),
        ("follows-nothing", "it depends on no image")
    );

    // If the image names no tag, the given tag counts, if it is in the same repository.
    let web = registry.image("web:1");
    put(json!({NAME: format!("{name}@{base}")}));
    let given = registry.image("base:latest");
    assert_eq!(verdict(&world, &[&web, "--base", &given]).0, "current");
    let other = registry.image("web:1");
    assert_eq!(
        verdict(&world, &[&web, "--base", &other]).0,
        "follows-nothing"
    );
    put(json!({DIGEST: base}));
    assert_eq!(verdict(&world, &[&web, "--base", &given]).0, "current");
    registry.push("base:latest", &[("v", "3")]);
    assert_eq!(verdict(&world, &[&web, "--base", &given]).0, "stale");
}

#[test]
fn image_without_annotations_is_matched_by_its_layers() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("v", "1")]);
    registry.push("tools:1", &[("t", "1")]);
    let (image, base) = (registry.image("web:1"), registry.image("base:1"));
    let dockerfile = format!(
        "FROM {} AS tools\nFROM {base}\nCOPY --from=tools /t /t\n",
        registry.image("tools:1")
    );
    // As kaniko does: without annotations.
    buildah(&world, &image, &dockerfile, &["--format", "docker"]);
    let answer = checked(&world, &[&image]).remove(0);
    assert_eq!(answer["state"], "unknown");
    let reason = answer["reason"].as_str().unwrap();
    assert!(
        reason.contains("--base IMAGE or --dockerfile FILE"),
        "{reason}"
    );
    world
        .acrt(&["image", "check", &image, "-o", "none"])
        .exits(4);

    let layers = json!("layers");
    let file = "context/Dockerfile";
    assert_eq!(
        verdict(&world, &[&image, "--base", &base]),
        ("current".into(), layers.clone())
    );
    assert_eq!(
        verdict(&world, &[&image, "--dockerfile", file]),
        ("current".into(), layers.clone())
    );
    registry.push("base:1", &[("v", "2")]);
    assert_eq!(
        verdict(&world, &[&image, "--base", &base]),
        ("stale".into(), layers.clone())
    );
    assert_eq!(
        verdict(&world, &[&image, "--dockerfile", file]),
        ("stale".into(), layers)
    );
    world.write("scratch/Dockerfile", "FROM scratch\n");
    let scratch = ["--dockerfile", "scratch/Dockerfile"];
    let state = verdict(&world, &[&[image.as_str()], &scratch[..]].concat()).0;
    assert_eq!(state, "follows-nothing");
    // A given digest is what the image is compared with; with a tag, the tag is.
    let old = registry.digest("base:1").unwrap();
    let state = |base: &str| verdict(&world, &[&image, "--base", base]).0;
    assert_eq!(state(&format!("{}@{old}", registry.image("base"))), "stale");
    registry.push("base:1", &[("v", "1")]);
    assert_eq!(state(&format!("{base}@{old}")), "current");
    // A name without a digest gives the base, and the layers show whether it is that image.
    let image = registry.image("api:1");
    let label = format!("--label={NAME}={base}");
    buildah(&world, &image, &dockerfile, &["--format", "docker", &label]);
    assert_eq!(
        verdict(&world, &[&image]),
        ("current".into(), json!("label"))
    );
    registry.push("base:1", &[("v", "3")]);
    assert_eq!(verdict(&world, &[&image]).0, "stale");
}

#[test]
fn image_with_squashed_layers_is_matched_by_its_history() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let push = |name: &str, layer: &str, history: Value| {
        let (repository, _) = name.split_once(':').unwrap();
        let tar = Image::of(&[("f", layer)]).parts().layer;
        let config = json!({
            "os": "linux", "architecture": "amd64", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [tar.digest]}, "history": history,
        });
        let config = serde_json::to_vec(&config).unwrap();
        let layer = registry.put_blob(repository, &tar.bytes);
        let digest = registry.put_blob(repository, &config);
        registry.put_document(name, &json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": tar.bytes.len()}],
        }));
    };
    let step = |created: &str, by: &str, empty: bool| json!({"created": created, "created_by": by, "empty_layer": empty});
    let base = |day: &str| {
        push(
            "base:1",
            day,
            json!([step(day, "ADD root", false), step(day, "CMD sh", true)]),
        )
    };
    base("2026-11-01T00:00:00Z");
    let squashed = |day: &str| {
        let history = json!([
            step(day, "ADD root", true),
            step(day, "CMD sh", true),
            step("2026-11-09T00:00:00Z", "squashed", false)
        ]);
        push("web:1", "all in one", history);
        verdict(
            &world,
            &[
                &registry.image("web:1"),
                "--base",
                &registry.image("base:1"),
            ],
        )
    };
    assert_eq!(
        squashed("2026-11-01T00:00:00Z"),
        ("current".into(), json!("history"))
    );
    assert_eq!(
        squashed("2026-10-01T00:00:00Z"),
        ("stale".into(), json!("history"))
    );

    // With squashed layers, buildah drops the history of the base.
    let base = registry.image("base:1");
    let image = registry.image("api:1");
    let dockerfile = format!("FROM {base}\nCOPY Dockerfile /\n");
    buildah(
        &world,
        &image,
        &dockerfile,
        &["--format", "docker", "--squash"],
    );
    let answer = checked(&world, &[&image, "--base", &base]).remove(0);
    assert_eq!(answer["state"], "unknown", "{answer}");
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("squashed"), "{reason}");
}

#[test]
fn mirror_that_is_behind_its_source_is_reported_for_the_image() {
    let (world, registry) = (World::new(), Registry::start());
    let (base, copy) = (registry.image("base"), registry.image("copies/base"));
    world.config(&format!("mirrors: {{'{base}': '{copy}'}}\n"));
    let old = registry.push("base:1", &[("v", "1")]);
    registry.push("copies/base:1", &[("v", "1")]);
    put_annotated(
        &registry,
        "web:1",
        &json!({NAME: format!("{base}:1"), DIGEST: old}),
    );
    let image = registry.image("web:1");
    let mirror = || checked(&world, &[&image]).remove(0)["bases"][0]["mirror"].clone();
    assert_eq!(mirror()["state"], "current");
    registry.push("base:1", &[("v", "2")]);
    assert_eq!(mirror()["state"], "behind");
    let advice = "to update the mirror: acrt import";
    world.acrt(&["image", "check", &image]).ok().says(&[advice]);
}

#[test]
fn unreachable_registry_makes_only_its_images_unknown() {
    let (world, registry, away) = (World::new(), Registry::start(), Registry::start());
    let base = registry.push("base:1", &[("v", "1")]);
    let of_away = away.push("base:1", &[("v", "1")]);
    put_annotated(
        &registry,
        "web:1",
        &json!({NAME: registry.image("base:1"), DIGEST: base}),
    );
    put_annotated(
        &registry,
        "api:1",
        &json!({NAME: away.image("base:1"), DIGEST: of_away}),
    );
    away.push("job:1", &[("v", "1")]);
    away.stop();
    let images = [
        registry.image("web:1"),
        registry.image("api:1"),
        away.image("job:1"),
        registry.image("none:1"),
    ];
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let answers = checked(&world, &images);
    let states: Vec<_> = answers
        .iter()
        .map(|it| it["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["current", "unknown", "unknown", "unknown"]);
    for answer in &answers[1..3] {
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains("cannot be reached"), "{reason}");
    }
    let line = [&["image", "check", "-o", "none"], &images[..]].concat();
    world.acrt(&line).exits(4);
}

#[test]
fn invalid_image_arguments_are_refused_before_any_request() {
    let world = World::new();
    for (args, says) in [
        (&["No Name"][..], "cannot check `No Name`"),
        (&["docker-daemon:"], "names no image"),
        (&["docker-archive:x.tar"], "skopeo copy"),
        (&["oci:"], "names no folder"),
        (&["web:1", "--base", "No Name"], "No Name"),
        (
            &["web:1", "--dockerfile", "none"],
            "cannot tell what `none` depends on",
        ),
        (
            &["web:1", "--base", "a", "--dockerfile", "b"],
            "cannot be used with",
        ),
        (&[], "required"),
    ] {
        let line = [&["image", "check"], args].concat();
        world.acrt(&line).exits(2).says(&[says]);
    }
}

#[test]
fn thousand_images_on_twenty_bases_make_one_request_for_each_base() {
    let (world, registry) = (World::new(), Registry::start());
    let bases: Vec<String> = (0..20)
        .map(|n| registry.push(&format!("base{n}:1"), &[("v", &n.to_string())]))
        .collect();
    let first = registry.push("web:0", &[("v", "1")]);
    let template = registry.document(&format!("web@{first}"));
    let images: Vec<String> = (0..1000)
        .map(|n| {
            let mut manifest = template.clone();
            let name = registry.image(&format!("base{}:1", n % 20));
            manifest["annotations"] = json!({NAME: name, DIGEST: bases[n % 20]});
            registry.put_document(&format!("web:{n}"), &manifest);
            registry.image(&format!("web:{n}"))
        })
        .collect();
    registry.forget_requests();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let started = std::time::Instant::now();
    let answers = checked(&world, &images);
    let took = started.elapsed();
    assert_eq!(answers.len(), 1000);
    assert!(answers.iter().all(|it| it["state"] == "current"));
    let requests = registry.requests();
    let count = |method: &str, part: &str| {
        let found = requests.iter();
        found
            .filter(|it| it.method == method && it.path.contains(part))
            .count()
    };
    assert_eq!(count("HEAD", "/manifests/"), 20);
    assert_eq!(count("GET", "/manifests/"), 1000);
    assert_eq!(count("GET", "/blobs/"), 1000);
    assert_eq!(requests.len(), 2020, "{:?}", requests.last());
    assert!(took.as_secs() < 60, "{took:?}");
    println!(
        "1000 images on 20 bases: {} requests, {took:?}",
        requests.len()
    );
}
