//! `acrt import`: copies between registries and folders, without a container daemon.

use std::{fs, path::Path};

use rustix::process::Signal;

use crate::support::{Gateway, Image, PASSWORD, Registry, World, command, eventually};

/// An image for three platforms, with an attestation for the first.
fn three_platforms(registry: &Registry, name: &str) -> String {
    let amd64 = Image::of(&[("a", "1")]).platform("linux/amd64");
    let about = Image::attestation(&amd64.parts().manifest.digest, "made by a test");
    let arm64 = Image::of(&[("a", "2")]).platform("linux/arm64");
    let s390x = Image::of(&[("a", "3")]).platform("linux/s390x");
    registry.push_index(name, &[amd64, arm64, s390x, about])
}

/// Returns a manifest as another tool reads it.
fn raw(registry: &Registry, name: &str, login: bool) -> Vec<u8> {
    let mut skopeo = command("skopeo");
    skopeo.args(["inspect", "--raw", "--tls-verify=false"]);
    if login {
        skopeo.arg("--creds=acrt:hunter2-canary");
    }
    let output = skopeo
        .arg(format!("docker://{}", registry.image(name)))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn imported_index_is_byte_identical_to_its_source() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::with_login());
    let digest = three_platforms(&source, "base:1");
    world.write("home/.docker/config.json", &target.docker_config());
    let from = source.image("base:1");
    let import = world
        .acrt(&["import", "--source", &from, "--name", &target.host()])
        .ok();
    let answer = import.json();
    assert_eq!(answer["digest"], digest.as_str());
    assert_eq!(answer["images"][0]["image"], target.image("base:1"));
    assert_eq!(answer["images"][0]["state"], "Created");
    assert_eq!(answer["blobs"]["sent"], 8);
    assert_eq!(raw(&source, "base:1", false), raw(&target, "base:1", true));
    assert!(!import.to_string().contains("hunter2"), "{import}");
}

#[test]
fn import_source_credential_is_read_from_standard_input() {
    let (world, source, target) = (World::new(), Registry::with_login(), Registry::start());
    source.push("base:1", &[("a", "1")]);
    let (from, to) = (source.image("base:1"), target.host());
    let line = ["import", "--source", &from, "-n", &to];
    world
        .acrt(&line)
        .exits(4)
        .says(&["wants a login", &format!("acrt login {}", source.host())]);
    let login = [&line[..], &["--username", "acrt", "--password-stdin"]].concat();
    let password = world.write("password", "hunter2-canary\n");
    let mut acrt = world.command(env!("CARGO_BIN_EXE_acrt"));
    acrt.args(&login).stdin(fs::File::open(password).unwrap());
    let output = acrt.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(target.digest("base:1"), source.digest("base:1"));
    world
        .acrt(&[&line[..], &["--username", "acrt"]].concat())
        .exits(2)
        .says(&["needs a password"]);
}

#[test]
fn import_password_without_username_is_a_token() {
    let (world, source, target) = (World::new(), Registry::with_login(), Registry::start());
    source.push("base:1", &[("a", "1")]);
    let (from, to) = (source.image("base:1"), target.host());
    let token = world.write("token", PASSWORD).display().to_string();
    let place = format!("file:{token}");
    let line = ["import", "--source", &from, "-n", &to, "--password", &place];
    world.acrt(&line).ok();
    assert_eq!(target.digest("base:1"), source.digest("base:1"));
}

#[test]
fn existing_tag_is_kept_without_force_and_the_same_image_is_success() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let new = source.push("base:1", &[("a", "new")]);
    let old = target.push("base:1", &[("a", "old")]);
    let (from, to) = (source.image("base:1"), target.host());
    let line = ["import", "--source", &from, "--name", &to];
    world
        .acrt(&line)
        .exits(1)
        .says(&["exists and is another image", &old, &new, "--force"]);
    assert_eq!(target.digest("base:1").as_deref(), Some(old.as_str()));
    let forced = world.acrt(&[&line[..], &["--force"]].concat()).ok();
    assert_eq!(forced.json()["images"][0]["state"], "Moved");
    let again = world.acrt(&line).ok().says(&["is that image already"]);
    assert_eq!(again.json()["images"][0]["state"], "Unchanged");
}

#[test]
fn import_of_several_names_makes_all_or_none() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    source.push("base:1", &[("a", "new")]);
    target.push("taken:1", &[("a", "old")]);
    let (from, to) = (source.image("base:1"), target.host());
    let line = [
        "import", "--source", &from, "--name", &to, "-t", "free:1", "-t",
    ];
    world.acrt(&[&line[..], &["taken:1"]].concat()).exits(1);
    assert_eq!(target.digest("free:1"), None);
    let made = [
        &line[..],
        &["free:latest", "-t", "other/b:1", "--repository", "bare"],
    ]
    .concat();
    let answer = world.acrt(&made).ok().json();
    let names: Vec<&str> = answer["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["image"].as_str().unwrap())
        .collect();
    let expected = ["free:1", "free:latest", "other/b:1", "bare"].map(|name| target.image(name));
    assert_eq!(names, expected);
    // The second repository mounts the blobs of the first.
    assert_eq!(answer["blobs"]["sent"], 2);
    assert_eq!(answer["blobs"]["mounted"], 4);
}

#[test]
fn import_names_and_registries_are_parsed_as_by_az() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    source.push("team/base:1", &[("a", "1")]);
    let (from, to) = (source.host(), target.host());
    // A source without a registry is on that of --registry; az's other options have no effect.
    let line = [
        "import",
        "--source",
        "team/base:1",
        "-r",
        &from,
        "-n",
        &to,
        "-g",
        "group",
        "--force",
    ];
    world.acrt(&line).ok().says(&["--resource-group"]);
    assert_eq!(target.digest("team/base:1"), source.digest("team/base:1"));
    // --registry alone is the destination.
    let image = source.image("team/base:1");
    let line = [
        "import",
        "--source",
        &image,
        "--registry",
        &to,
        "-t",
        "own:2",
    ];
    world.acrt(&line).ok();
    assert_eq!(target.tags("own"), ["2"]);
    world
        .acrt(&["import", "--source", &image])
        .exits(2)
        .says(&["cannot tell which registry", "--registry"]);
    world
        .acrt(&["import", "--source", "No Image", "-n", &to])
        .exits(2)
        .says(&["cannot use the source `No Image`"]);
    // Archives are read by way of a folder.
    for source in ["docker-archive:/tmp/x.tar", "oci-archive:x.tar", "dir:./x"] {
        let hint = format!("skopeo copy {source} oci:FOLDER:NAME");
        let line = ["import", "--source", source, "-n", &to];
        world.acrt(&line).exits(2).says(&[&hint]);
    }
    let line = [
        "import",
        "--source",
        &image,
        "-t",
        "docker-archive:/tmp/x.tar",
    ];
    let hint = "skopeo copy oci:FOLDER:NAME docker-archive:/tmp/x.tar";
    world.acrt(&line).exits(2).says(&[hint]);
    let line = [
        "import", "--source", &image, "-t", "a.io/x:1", "-t", "b.io/x:1",
    ];
    world
        .acrt(&line)
        .exits(2)
        .says(&["on different ones, `a.io`, `b.io`", "--registry"]);
}

#[test]
fn image_is_imported_through_an_oci_layout_folder_without_a_network() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let digest = three_platforms(&source, "base:1");
    let folder = world.path("usb stick");
    let place = format!("oci:{}:base-1", folder.display());
    let from = source.image("base:1");
    world
        .acrt(&["import", "--source", &from, "--image", &place])
        .ok();
    // Other tools can read it.
    let inspect = command("skopeo")
        .args(["inspect", "--raw", &place])
        .output()
        .unwrap();
    assert_eq!(inspect.stdout, raw(&source, "base:1", false));
    source.stop();
    let to = target.image("copy:1");
    world.acrt(&["import", "--source", &place, "-t", &to]).ok();
    assert_eq!(target.digest("copy:1"), Some(digest));
    let elsewhere = format!("oci:{}", world.path("home").display());
    world
        .acrt(&["import", "--source", &elsewhere, "-t", &to])
        .exits(1)
        .says(&["it is not an OCI image layout"]);
}

#[test]
fn missing_import_source_is_distinguished_from_an_unreachable_one() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let (from, to) = (source.image("base:1"), target.host());
    let line = ["import", "--source", &from, "-n", &to];
    world
        .acrt(&line)
        .exits(1)
        .says(&["the source is not there"]);
    source.stop();
    world.acrt(&line).exits(4).says(&["cannot be reached"]);
}

#[test]
fn import_can_run_detached() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let digest = source.push("base:1", &[("a", "1")]);
    let (from, to) = (source.image("base:1"), target.host());
    let line = ["import", "--source", &from, "-n", &to, "--no-wait"];
    let run = world.acrt(&line).ok().says(&["Queued a run with ID: ca1"]);
    assert_eq!(run.json()["runType"], "QuickRun");
    eventually("the copy", || {
        target.digest("base:1").filter(|it| *it == digest)
    });
    eventually("the end of the run", || {
        (world.runs()[0]["status"] == "Succeeded").then_some(())
    });
    let logs = world.acrt(&["task", "logs", "--run-id", "ca1"]).ok();
    assert!(logs.stdout.contains("2 blobs sent"), "{logs}");
}

/// Returns incompressible random bytes.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn killed_import_leaves_no_tag_and_the_next_sends_only_missing_blobs() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let layers: Vec<Vec<u8>> = (1..=40).map(|n| noise(n, 800_000)).collect();
    source.push_layers("big:1", &layers);
    let (from, to) = (source.image("big:1"), target.host());
    let line = ["import", "--source", &from, "-n", &to];
    let running = world.spawn(&line);
    // Some layers have arrived, the tag has not.
    eventually("the first layers", || {
        let sent = target.requests();
        let puts = sent
            .iter()
            .filter(|it| it.method == "PUT" && it.status == 201);
        (puts.count() >= 5).then_some(())
    });
    running.kill();
    assert_eq!(target.digest("big:1"), None);
    source.forget_requests();
    let answer = world.acrt(&line).ok().json();
    let present = answer["blobs"]["present"].as_u64().unwrap();
    assert!(present >= 5, "{answer}");
    let fetched = source
        .requests()
        .into_iter()
        .filter(|it| it.path.contains("/blobs/"));
    assert_eq!(fetched.count() as u64, 41 - present);
    assert_eq!(target.digest("big:1"), source.digest("big:1"));
}

/// Returns the requests that uploaded or mounted a layer, or checked for it.
fn sent(registry: &Registry, method: &str, layer: &[u8]) -> usize {
    let digest = acrt::image::Digest::of(layer).to_string();
    let names = [digest.replace(':', "%3A"), digest];
    let all = registry.requests().into_iter();
    let of_layer = all.filter(|it| names.iter().any(|name| it.path.contains(name)));
    of_layer.filter(|it| it.method == method).count()
}

#[test]
fn layer_of_six_images_is_uploaded_once_and_then_mounted_by_one_request_each() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let shared = noise(1, 4_000_000);
    let to = target.host();
    for n in 2..=7 {
        let name = format!("app{n}:1");
        source.push_layers(&name, &[shared.clone(), noise(n, 1000)]);
        let from = source.image(&name);
        let answer = world.acrt(&["import", "--source", &from, "-n", &to]).ok();
        let mounted = answer.json()["blobs"]["mounted"].clone();
        // The layer and the config.
        assert_eq!(mounted, if n > 2 { 2 } else { 0 }, "{answer}");
        assert_eq!(target.digest(&name), source.digest(&name));
    }
    let count = |method| sent(&target, method, &shared);
    assert_eq!((count("HEAD"), count("PUT"), count("POST")), (1, 1, 5));
    // An existing image, into another repository: one request for each blob.
    target.forget_requests();
    let from = source.image("app2:1");
    let again = |to: &str, image: &str| {
        let line = ["import", "--source", &from, "-n", to, "-t", image];
        let answer = world.acrt(&line).ok().json();
        assert_eq!(answer["blobs"]["mounted"], 3, "{answer}");
        assert_eq!(answer["blobs"]["bytesSent"], 0);
    };
    again(&to, "again:1");
    let asked = target.requests();
    let about_blobs = asked.iter().filter(|it| it.path.contains("/blobs/"));
    assert_eq!(about_blobs.count(), 3, "{asked:?}");
    // The same registry under its other name.
    let other = match to.strip_prefix("localhost") {
        Some(port) => format!("127.0.0.1{port}"),
        None => to.replace("127.0.0.1", "localhost"),
    };
    assert_ne!(other, to);
    again(&other, "other:1");
}

#[test]
fn layer_of_an_image_built_by_a_task_is_mounted() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let shared = noise(1, 2_000_000);
    source.push_layers("node:20", std::slice::from_ref(&shared));
    mirror(&world, &source, &target, &[]);
    world.run("mirror-node").ok();
    // Only the records of the run and the task remain.
    fs::remove_file(world.state().join("blobs.json")).unwrap();
    source.push_layers("web:1", &[shared.clone(), noise(2, 1000)]);
    let (from, to) = (source.image("web:1"), target.host());
    let answer = world.acrt(&["import", "--source", &from, "-n", &to]).ok();
    assert_eq!(answer.json()["blobs"]["mounted"], 1, "{answer}");
    assert_eq!(sent(&target, "PUT", &shared), 1);
}

/// Returns how many blobs a registry has received.
fn stored(registry: &Registry) -> usize {
    let all = registry.requests().into_iter();
    all.filter(|it| it.method == "PUT" && it.status == 201)
        .count()
}

#[test]
fn large_layer_is_copied_with_little_memory() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    source.push_layers("big:1", &[noise(7, 160_000_000)]);
    let (from, to) = (source.image("big:1"), target.host());
    let acrt = env!("CARGO_BIN_EXE_acrt");
    // A limit on all memory but code and stacks, so that a copy that kept the layer in memory would fail.
    let limited = format!("ulimit -d 65536 && exec {acrt} import --source {from} -n {to}");
    let mut shell = world.command("/bin/sh");
    shell.args(["-c", &limited]);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(target.digest("big:1"), source.digest("big:1"));
}

#[test]
fn ctrl_c_stops_an_import_and_leaves_no_tag() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let layers: Vec<Vec<u8>> = (1..=40).map(|n| noise(n, 2_000_000)).collect();
    source.push_layers("big:1", &layers);
    let (from, to) = (source.image("big:1"), target.host());
    let running = world.spawn(&["import", "--source", &from, "-n", &to]);
    eventually("the first layer", || (stored(&target) >= 1).then_some(()));
    running.signal(Signal::INT);
    running.wait().exits(130);
    assert_eq!(target.digest("big:1"), None);
}

/// A task that keeps a copy of `node:20` as `base/node:20`.
fn mirror(world: &World, source: &Registry, target: &Registry, options: &[&str]) {
    let (from, to) = (source.image("node:20"), target.host());
    let create = [
        "task",
        "create",
        "--name",
        "mirror-node",
        "--registry",
        &to,
        "--import",
        &from,
        "--image",
        "base/node:20",
    ];
    world.acrt(&[&create[..], options].concat()).ok();
}

#[test]
fn import_task_updates_its_copy_and_dependants_are_rebuilt_in_the_same_round() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    world.buildah();
    source.push_shell("node:20", &[("version", "one")]);
    mirror(&world, &source, &target, &[]);
    world.run("mirror-node").ok().prints(&["was successful"]);
    world.tracked_task(
        &target,
        "web",
        &format!("FROM {}\n", target.image("base/node:20")),
    );
    world.watch_once().ok().silent();
    let new = source.push_shell("node:20", &[("version", "two")]);
    let check = world.acrt(&["task", "check", "-o", "json"]).ok().json();
    assert_eq!(check[0]["state"], "stale", "{check}");
    world
        .watch_once()
        .ok()
        .prints(&["mirror-node: rebuilt", "web: rebuilt"]);
    assert_eq!(target.digest("base/node:20"), Some(new.clone()));
    assert_eq!(target.file("web:latest", "version").as_deref(), Some("two"));
    assert_eq!(
        world.history(),
        [
            "mirror-node Succeeded",
            "web Succeeded",
            "mirror-node Succeeded",
            "web Succeeded"
        ]
    );
    let run = &world.runs()[1];
    assert_eq!(run["outputImages"][0]["digest"], new.as_str());
    assert_eq!(
        run["imageUpdateTrigger"]["images"][0]["digest"],
        new.as_str()
    );
    world.watch_once().ok().silent();
}

#[test]
fn import_task_of_an_index_follows_every_platform() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    three_platforms(&source, "node:20");
    mirror(&world, &source, &target, &[]);
    world.run("mirror-node").ok();
    let changed = Image::of(&[("a", "changed")]).platform("linux/s390x");
    let digest = source.push_index(
        "node:20",
        &[Image::of(&[("a", "1")]).platform("linux/amd64"), changed],
    );
    world.watch_once().ok().prints(&["mirror-node: rebuilt"]);
    assert_eq!(target.digest("base/node:20"), Some(digest));
}

#[test]
fn import_task_whose_test_fails_moves_no_tag() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let old = source.push("node:20", &[("version", "one")]);
    let verdict = world.write("verdict", "0");
    let script = format!(
        "echo \"trying $ACRT_IMAGE\"; exit $(/bin/cat {})",
        verdict.display()
    );
    let test = format!("/bin/sh -c '{script}'");
    mirror(&world, &source, &target, &["--test", &test]);
    let place = target.image("base/node:20");
    world.run("mirror-node").ok();
    assert_eq!(target.digest("base/node:20"), Some(old.clone()));
    let new = source.push("node:20", &[("version", "two")]);
    fs::write(Path::new(&verdict), "3").unwrap();
    world
        .watch_once()
        .exits(1)
        .says(&["did not pass its test", "exit code is 3"]);
    assert_eq!(target.digest("base/node:20"), Some(old));
    assert_eq!(target.digest("base/node:20-candidate"), Some(new.clone()));
    let log = world.acrt(&["task", "logs", "--run-id", "ca2"]).ok();
    let tried = format!("trying {}@{new}", place.trim_end_matches(":20"));
    assert!(log.stdout.contains(&tried), "{log}");
    fs::write(Path::new(&verdict), "0").unwrap();
    world.run("mirror-node").ok();
    assert_eq!(target.digest("base/node:20"), Some(new));
}

#[test]
fn import_task_is_shown_and_updated_like_any_other() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    source.push("node:20", &[("a", "1")]);
    source.push("node:22", &[("a", "2")]);
    mirror(&world, &source, &target, &[]);
    let name = ["--name", "mirror-node"];
    let show = world
        .acrt(&[&["task", "show"][..], &name].concat())
        .ok()
        .json();
    assert_eq!(show["step"]["type"], "Import");
    assert_eq!(show["step"]["source"], source.image("node:20"));
    assert_eq!(
        show["step"]["baseImageDependencies"],
        serde_json::Value::Null
    );
    let update = ["--import", &source.image("node:22"), "-t", "base/node:22"];
    world
        .acrt(&[&["task", "update"][..], &name, &update].concat())
        .ok();
    let plan = world
        .acrt(&[&["task", "run", "--dry-run"][..], &name].concat())
        .ok();
    let line = format!(
        "acrt import --force --source {} --image {}\n",
        source.image("node:22"),
        target.image("base/node:22")
    );
    assert_eq!(plan.stdout, line);
    world.run("mirror-node").ok();
    assert_eq!(target.tags("base/node"), ["22"]);
    let build = ["--context", "."];
    world
        .acrt(&[&["task", "update"][..], &name, &build].concat())
        .exits(2)
        .says(&["it copies an image, and builds nothing"]);
    let itself = target.image("base/node:22");
    let circle = ["--import", &itself];
    world
        .acrt(&[&["task", "update"][..], &name, &circle].concat())
        .exits(2)
        .says(&["depends on it"]);
    world
        .acrt(&["task", "run", "--name", "mirror-node", "--arg", "A=1"])
        .exits(2)
        .says(&[
            "it copies an image",
            "acrt task update --name mirror-node --registry ",
            " --import IMAGE",
        ]);
    let shown = world
        .acrt(&[&["task", "show", "-o", "table"][..], &name].concat())
        .ok();
    let copied = source.image("node:22");
    let is_copied = |line: &str| line.starts_with("copies ") && line.ends_with(&copied);
    assert!(shown.stdout.lines().any(is_copied), "{shown}");
}

#[test]
fn import_whose_tag_did_not_move_is_an_error_although_the_registry_has_the_image() {
    let (world, registry) = (World::new(), Registry::start());
    let (source, to) = (registry.image("base:1"), registry.image("web:1"));
    let line = ["import", "--force", "--source", &source, "--image"];
    for version in ["one", "two"] {
        registry.push("base:1", &[("version", version)]);
        world.acrt(&[&line[..], &[&to]].concat()).ok();
    }
    registry.push("base:1", &[("version", "one")]);
    let gateway = Gateway::start(&registry, |head| {
        let stored = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        head.starts_with("PUT /v2/web/manifests/1 ")
            .then_some(stored)
    });
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    let to = gateway.image("web:1");
    let failed = world.acrt(&[&line[..], &[&to]].concat()).exits(1);
    let failed = failed.says(&["is not what was pushed"]);
    assert!(!failed.stderr.contains("builder"), "{failed}");
}

#[test]
fn import_to_several_names_of_which_one_is_refused_changes_no_tag() {
    let (world, registry) = (World::new(), Registry::start());
    let gateway = Gateway::start(&registry, |head| {
        let denied = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        head.starts_with("PUT /v2/b/manifests/locked ")
            .then_some(denied)
    });
    let source = registry.image("base:1");
    let old = registry.push("base:1", &[("version", "one")]);
    registry.push("a:old", &[("version", "one")]);
    registry.push("base:1", &[("version", "two")]);
    let folder = world.path("copies");
    let own = format!("oci:{}:own", folder.display());
    let mut line = vec!["import", "--force", "--source", &source];
    let images = ["a:old", "a:new", "b:first", "b:locked"].map(|name| gateway.image(name));
    line.extend(["-t", &own]);
    line.extend(images.iter().flat_map(|image| ["-t", image.as_str()]));
    let failed = world.acrt(&line).exits(4).says(&["cannot write to"]);
    assert!(!failed.stderr.contains("put back"), "{failed}");
    assert_eq!(registry.tags("a"), ["old"]);
    assert_eq!(registry.digest("a:old"), Some(old));
    assert_eq!(registry.digest("b:first"), None);
    let index = fs::read_to_string(folder.join("index.json")).unwrap();
    assert!(!index.contains("own"), "{index}");
}

#[test]
fn import_names_the_tags_that_it_could_not_put_back() {
    let (world, registry) = (World::new(), Registry::without_delete());
    let gateway = Gateway::start(&registry, |head| {
        let denied = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        head.starts_with("PUT /v2/a/manifests/locked ")
            .then_some(denied)
    });
    registry.push("base:1", &[("version", "one")]);
    let source = registry.image("base:1");
    let [new, locked] = ["a:new", "a:locked"].map(|name| gateway.image(name));
    let line = ["import", "--source", &source, "-t", &new, "-t", &locked];
    let says = format!("these could not be put back: `{new}`");
    world.acrt(&line).exits(4).says(&[&says]);
}

#[test]
fn import_of_referrers_works_where_the_registry_takes_the_fallback_tag_for_the_digest() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let subject = three_platforms(&source, "base:1");
    let (oci, index) = (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    );
    let empty = source.put_blob("base", b"{}");
    let signature = serde_json::json!({
        "schemaVersion": 2, "mediaType": oci, "artifactType": "application/x.signature", "layers": [],
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
        "subject": {"mediaType": index, "digest": subject, "size": 1}
    });
    let signature = source.put_untagged("base", oci, &signature);
    let list = serde_json::json!({"schemaVersion": 2, "mediaType": index,
        "manifests": [{"mediaType": oci, "digest": signature, "size": 1}]});
    let list = source.put_untagged("base", index, &list);
    let fallback = subject.replace(':', "-");
    source.retag(&format!("base:{fallback}"), &list);
    let image = String::from_utf8(raw(&source, "base:1", false)).unwrap();
    let image: &'static str = Box::leak(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {index}\r\nDocker-Content-Digest: {subject}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{image}",
            image.len()
        )
        .into_boxed_str(),
    );
    // As GitLab does.
    let path = format!(" /v2/own/manifests/{fallback} ");
    let gateway = Gateway::start(&target, move |head| {
        let refused = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 38\r\nConnection: close\r\n\r\n{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}";
        if !head.lines().next()?.contains(&path) {
            return None;
        }
        Some(if head.starts_with("GET ") {
            image
        } else {
            refused
        })
    });
    let (from, to) = (source.image("base:1"), gateway.image("own:1"));
    let line = ["import", "--source", &from, "-t", &to, "--all-referrers"];
    world.acrt(&line).ok();
    assert_eq!(target.digest("own:1"), Some(subject));
    assert!(target.digest(&format!("own@{signature}")).is_some());
}
