//! States of tasks whose files, bases or images have changed, in `acrt task check` and `watch`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    time::{Duration, UNIX_EPOCH},
};

use serde_json::Value;

use crate::support::{Image, Output, Receiver, Registry, World, eventually, program};

/// A machine with buildah, and a registry with `base:1` and `base:2`.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    registry.push("base:2", &[("version", "two")]);
    (world, registry)
}

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

fn edit(world: &World, registry: &Registry, task: &str, image: &str) {
    world.write(&format!("{task}/Dockerfile"), &from(registry, image));
}

/// Returns the answer of `task check` for one task.
fn answer(check: &Output, name: &str) -> Value {
    let answers = check.json();
    let mut all = answers.as_array().unwrap().iter();
    all.find(|task| task["name"] == name).unwrap().clone()
}

fn reason(check: &Output, name: &str) -> String {
    answer(check, name)["reason"].as_str().unwrap().to_owned()
}

fn check(world: &World) -> Output {
    world.acrt(&["task", "check"])
}

fn known(world: &World, registry: &Registry, task: &str) -> Value {
    let path = format!("state/baselines/{}/{task}.json", registry.host());
    serde_json::from_str(&fs::read_to_string(world.path(&path)).unwrap()).unwrap()
}

#[test]
fn edited_base_image_in_dockerfile_is_changed_and_reported_once_until_reverted() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    assert_eq!(world.state_of("web"), "current");
    edit(&world, &registry, "web", "base:2");
    let changed = check(&world).ok();
    assert_eq!(answer(&changed, "web")["state"], "changed");
    let why = reason(&changed, "web");
    assert!(why.contains(&registry.image("base:2")), "{why}");
    world.acrt(&["task", "check", "--exit-code"]).exits(10);
    let image = registry.image("base:2");
    world.watch_once().ok().says(&["web: changed", &image]);
    world.watch_once().ok().silent();
    // An image that the files no longer name does not matter, whether it moves or disappears.
    let moved = registry.push("base:1", &[("version", "three")]);
    assert_eq!(world.state_of("web"), "changed");
    registry.delete("base", &moved);
    assert_eq!(world.state_of("web"), "changed");
    world.watch_once().ok().silent();

    registry.push("base:1", &[("version", "one")]);
    edit(&world, &registry, "web", "base:1");
    assert_eq!(world.state_of("web"), "current");
    world.watch_once().ok().silent();
    edit(&world, &registry, "web", "base:2");
    world.watch_once().ok().says(&["web: changed"]);
    assert_eq!(world.history(), ["web Succeeded"]);
    world.run("web").ok();
    assert_eq!(world.state_of("web"), "current");
    assert!(registry.depends_on("web:latest", "base:2"));
}

#[test]
fn edited_dockerfile_of_an_on_change_run_task_is_built_after_the_debounce() {
    let (world, registry) = world();
    world.set("ACRT_NOW", "2027-01-01T08:00:00Z");
    let dockerfile = from(&registry, "base:1");
    world.task_with(&registry, "web", &dockerfile, &["--on-change", "run"]);
    world.run("web").ok();
    edit(&world, &registry, "web", "base:2");
    let written = UNIX_EPOCH + Duration::from_secs(1_798_797_600);
    let file = fs::File::open(world.path("web/Dockerfile")).unwrap();
    file.set_modified(written).unwrap();
    assert_eq!(world.state_of("web"), "stale");

    let settle = ["task", "watch", "--once", "--settle", "60"];
    world.set("ACRT_NOW", "2027-01-01T10:00:59Z");
    world.acrt(&settle).ok().silent();
    assert_eq!(world.history(), ["web Succeeded"]);
    world.set("ACRT_NOW", "2027-01-01T10:01:00Z");
    let image = registry.image("base:2");
    let rebuilt = world.acrt(&settle).ok();
    let why = format!("web: rebuilt, its files name {image} now");
    assert!(rebuilt.stdout.starts_with(&why), "{rebuilt}");
    assert!(registry.depends_on("web:latest", "base:2"));
    let run = &world.runs()[0];
    assert_eq!(run["runType"], "AutoRun");
    let cause = &run["imageUpdateTrigger"]["images"][0];
    assert_eq!([&cause["repository"], &cause["tag"]], ["base", "2"]);
    world.acrt(&settle).ok().silent();
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn missing_base_that_the_edited_dockerfile_no_longer_names_does_not_block_the_run() {
    let (world, registry) = world();
    let (first, second) = (from(&registry, "base:1"), from(&registry, "parent:latest"));
    world.tracked_task(&registry, "web", &first);
    let update = ["task", "update", "-n", "web", "--on-change", "run"];
    let updated = world.acrt(&update).ok().json();
    assert_eq!(
        [&updated["onChange"], &updated["state"]],
        ["run", "current"]
    );
    world.tracked_task(&registry, "parent", &from(&registry, "base:2"));
    let gone = registry.digest("base:1").unwrap();
    registry.delete("base", &gone);
    assert_eq!(world.state_of("web"), "missing");
    // The new image is another task's, which must be rebuilt first.
    world.write("web/Dockerfile", &second);
    registry.push("base:2", &[("version", "three")]);
    world.watch_once().ok();
    assert_eq!(world.history()[2..], ["parent Succeeded", "web Succeeded"]);
    assert!(registry.depends_on("web:latest", "parent:latest"));
    world.watch_once().ok().silent();
}

#[test]
fn edited_definition_file_makes_the_task_changed() {
    let (world, registry) = world();
    let dockerfile = format!("ARG TAG=1\nFROM {}\n", registry.image("base:$TAG"));
    world.tracked_task(&registry, "web", &dockerfile);
    let path = format!("state/tasks/{}/web.yaml", registry.host());
    let definition = fs::read_to_string(world.path(&path)).unwrap();
    let edited = definition.replace("arguments: []", "arguments: [{name: TAG, value: '2'}]");
    assert_ne!(edited, definition);
    world.write(&path, &edited);
    let changed = check(&world).ok();
    assert_eq!(answer(&changed, "web")["state"], "changed");
    world.write(
        &path,
        &format!("{definition}timeout: 77\n").replace("timeout: 3600\n", ""),
    );
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn dockerfile_that_uses_the_same_images_in_another_way_makes_the_task_changed() {
    let (world, registry) = world();
    let (one, two) = (registry.image("base:1"), registry.image("base:2"));
    let uses =
        |from: &str, other: &str| format!("FROM {from}\nCOPY --from={other} /version /other\n");
    world.tracked_task(&registry, "web", &uses(&one, &two));
    assert_eq!(world.state_of("web"), "current");
    world.write("web/Dockerfile", &uses(&two, &one));
    let changed = check(&world).ok();
    assert_eq!(answer(&changed, "web")["state"], "changed");
    let why = reason(&changed, "web");
    assert!(why.contains("in another way"), "{why}");
    world.write("web/Dockerfile", &format!("# New.\n{}", uses(&one, &two)));
    assert_eq!(world.state_of("web"), "current");
    let other = format!("--platform=linux/s390x {one}");
    world.write("web/Dockerfile", &uses(&other, &two));
    assert_eq!(world.state_of("web"), "changed");

    world.write("web/Dockerfile", &uses(&two, &one));
    world
        .acrt(&["task", "update", "-n", "web", "--on-change", "run"])
        .ok();
    world.watch_once().ok();
    assert!(registry.depends_on("web:latest", "base:2"));
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn import_task_with_another_source_is_changed() {
    let (world, registry) = world();
    let (host, source) = (registry.host(), registry.image("base:1"));
    let create = [
        "task", "create", "-n", "copy", "-r", &host, "--image", "copy:1",
    ];
    world
        .acrt(&[&create[..], &["--import", &source]].concat())
        .ok();
    world.run("copy").ok();
    assert_eq!(world.state_of("copy"), "current");
    let path = format!("state/tasks/{host}/copy.yaml");
    let definition = fs::read_to_string(world.path(&path)).unwrap();
    world.write(&path, &definition.replace("base:1", "base:2"));
    assert_eq!(world.state_of("copy"), "changed");
}

#[test]
fn edited_files_of_a_multi_step_task_make_it_changed() {
    let (world, registry) = world();
    let host = registry.host();
    world.write("gate/acb.yaml", "version: v1.1.0\nsteps:\n- build: -t $Registry/web:1 -f app/Dockerfile .\n- build: -t $Registry/made:1 -f made/Dockerfile .\n  when: ['-']\n- push: ['$Registry/web:1']\n");
    let dockerfile = world.write("gate/app/Dockerfile", &from(&registry, "base:1"));
    world.write("gate/made/Dockerfile", "FROM scratch\nCOPY acb.yaml /\n");
    let context = world.path("gate").to_str().unwrap().to_owned();
    let create = [
        "task", "create", "-n", "gate", "-r", &host, "--file", "acb.yaml",
    ];
    world
        .acrt(&[&create[..], &["--context", &context]].concat())
        .ok();
    world.run("gate").ok();
    assert_eq!(world.state_of("gate"), "current");
    let files = known(&world, &registry, "gate")["files"].clone();
    let paths: Vec<String> = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    let definition = format!("state/tasks/{host}/gate.yaml");
    let expected = [
        &definition,
        "gate/acb.yaml",
        "gate/app/Dockerfile",
        "gate/made/Dockerfile",
    ];
    assert_eq!(
        paths,
        expected.map(|path| world.path(path).display().to_string())
    );

    fs::write(&dockerfile, from(&registry, "base:2")).unwrap();
    let why = reason(&check(&world).ok(), "gate");
    assert!(why.contains(&registry.image("base:2")), "{why}");
    fs::write(&dockerfile, "FROM a b c\n").unwrap();
    let broken = check(&world).exits(4);
    assert_eq!(answer(&broken, "gate")["state"], "unknown");
    let why = reason(&broken, "gate");
    assert!(
        why.contains(dockerfile.to_str().unwrap()) && why.contains("line 1"),
        "{why}"
    );
    fs::remove_file(&dockerfile).unwrap();
    let why = reason(&check(&world).exits(4), "gate");
    assert!(why.contains(dockerfile.to_str().unwrap()), "{why}");
    fs::write(&dockerfile, from(&registry, "base:1")).unwrap();
    assert_eq!(world.state_of("gate"), "current");
}

#[test]
fn unusable_dockerfile_is_unknown_with_file_line_and_reason() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let path = world.path("web/Dockerfile");
    let states = |expected: &[&str]| {
        let unknown = check(&world).exits(4);
        assert_eq!(answer(&unknown, "web")["state"], "unknown", "{unknown}");
        let why = reason(&unknown, "web");
        for text in [&[path.to_str().unwrap()], expected].concat() {
            assert!(why.contains(text), "no `{text}` in {why}");
        }
    };
    let good = from(&registry, "base:1");
    fs::write(&path, format!("{good}FROM Not/A/Reference:\n")).unwrap();
    states(&["line 2", "Not/A/Reference"]);
    world
        .watch_once()
        .exits(4)
        .says(&["web: unknown", "line 2"]);
    fs::write(&path, format!("{good}FROM a b\n")).unwrap();
    states(&["line 2", "FROM"]);
    fs::remove_file(&path).unwrap();
    states(&["No such file"]);
    fs::create_dir(&path).unwrap();
    states(&["it is a folder"]);
    fs::remove_dir(&path).unwrap();
    symlink(&path, &path).unwrap();
    states(&["symbolic links"]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, &good).unwrap();
    assert_eq!(world.state_of("web"), "current");
    assert_eq!(world.history(), ["web Succeeded"]);

    // Without the permission, and without root's capability to ignore it.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let mut plain = world.command(program("setpriv"));
    plain.args([
        "--bounding-set=-dac_override,-dac_read_search",
        env!("CARGO_BIN_EXE_acrt"),
    ]);
    plain.args(["task", "check"]);
    let unknown = world.start(plain, "setpriv acrt task check".into()).wait();
    let why = reason(&unknown.exits(4), "web");
    assert!(why.contains("Permission denied"), "{why}");
}

#[test]
fn new_timer_of_a_task_that_cannot_be_locked_stops_no_other_task() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let web = world
        .state()
        .join(format!("tasks/{}/web.yaml", registry.host()));
    let text = fs::read_to_string(&web).unwrap();
    let text = text.replace("name: web\n", "name: new\n")
        + "  timerTriggers: [{name: t1, schedule: '*/5 * * * *'}]\n";
    let new = web.with_file_name("new.yaml");
    fs::write(&new, text.replace("web:latest", "new:latest")).unwrap();
    fs::create_dir(new.with_extension("lock")).unwrap();
    registry.push_shell("base:1", &[("version", "two")]);
    let round = world.watch_once().exits(1);
    round.says(&["new.lock"]);
    assert_eq!(world.history(), ["web Succeeded", "web Succeeded"]);
}

#[test]
fn folder_of_definitions_or_baselines_that_cannot_be_read_is_an_error() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    for kind in ["tasks", "baselines"] {
        let folder = world.state().join(kind).join(registry.host());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
        for command in [&["status"][..], &["task", "watch", "--once"]] {
            // Without root's capability to ignore the permissions.
            let mut plain = world.command(program("setpriv"));
            plain
                .arg("--bounding-set=-dac_override,-dac_read_search")
                .arg(env!("CARGO_BIN_EXE_acrt"))
                .args(command);
            let refused = world.start(plain, "setpriv acrt".into()).wait().exits(1);
            refused.says(&["Permission denied", kind]);
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn touched_dockerfile_with_the_same_bases_is_recorded_and_not_read_again() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    world.write(
        "web/Dockerfile",
        &format!("# another comment\n{}", from(&registry, "base:1")),
    );
    // Just after it was written, its times could hide another change.
    let file = eventually("files that are remembered", || {
        world.watch_once().ok().silent();
        let files = known(&world, &registry, "web")["files"].clone();
        let is_settled = |file: &Value| file["state"]["at"].is_object();
        let files = files.as_array().unwrap();
        files.iter().all(is_settled).then(|| files[1].clone())
    });
    let size = fs::metadata(world.path("web/Dockerfile")).unwrap().len();
    assert_eq!(file["state"]["at"]["size"], size);
    assert_eq!(known(&world, &registry, "web")["runId"], "ca1");
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn task_check_rows_report_what_is_not_followed_and_why() {
    let (world, registry) = world();
    let digest = registry.digest("base:2").unwrap();
    let (one, pinned) = (
        registry.image("base:1"),
        registry.image(&format!("base@{digest}")),
    );
    let file = "COPY Dockerfile /\n";
    world.tracked_task(&registry, "empty", &format!("FROM scratch\n{file}"));
    world.tracked_task(&registry, "pinned", &format!("FROM {pinned}\n"));
    let late = format!("FROM {one} AS a\nFROM scratch\nCOPY --from=a /version /v\n");
    world.tracked_task(&registry, "buildtime", &late);
    world.tracked_task(
        &registry,
        "mixed",
        &format!("FROM {one}\nCOPY --from={pinned} /version /v\n"),
    );
    let mut own = world.command(world.path("bin/buildah"));
    own.args(["from", "--name", "own", "scratch"]);
    world.start(own, "buildah from".into()).wait().ok();
    let mut own = world.command(world.path("bin/buildah"));
    let local = registry.image("own:1");
    own.args(["commit", "own", &local]);
    world.start(own, "buildah commit".into()).wait().ok();
    world.tracked_task(&registry, "local", &format!("FROM {local}\n{file}"));

    let table = world.acrt(&["task", "check", "-o", "table"]).ok().stdout;
    let row = |name: &str| {
        let begins = |line: &&str| line.split("  ").next() == Some(name);
        table.lines().find(begins).unwrap().to_owned()
    };
    let has = |name: &str, texts: &[&str]| {
        let row = row(name);
        for text in texts {
            assert!(row.contains(text), "no `{text}` in {row}");
        }
    };
    has("empty", &["follows-nothing", "it depends on no image"]);
    has(
        "pinned",
        &["follows-nothing", &pinned, "pinned by its digest"],
    );
    has(
        "buildtime",
        &[
            "follows-nothing",
            &one,
            "--name buildtime --registry ",
            " --base-image-trigger-type All",
        ],
    );
    has(
        "local",
        &["follows-nothing", &local, "the builder's own copy is used"],
    );
    has("mixed", &["current", &pinned, "is not followed"]);
    world.acrt(&["task", "check", "--exit-code"]).ok();
}

#[test]
fn missing_base_tag_is_reported_and_notified_once_by_the_loop() {
    let (world, registry) = world();
    let receiver = Receiver::start();
    world.config(&format!(
        "notify: [{{url: '{}'}}]\nregistries: {{'{}': {{everySeconds: 1}}}}\n",
        receiver.url("/"),
        registry.host()
    ));
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let digest = registry.digest("base:1").unwrap();
    registry.delete("base", &digest);
    let image = registry.image("base:1");
    world
        .watch_once()
        .exits(4)
        .says(&["web: missing", &image, "(since "]);
    let metrics = world.path("acrt.prom").display().to_string();
    let measured = ["task", "watch", "--once", "--metrics-file", &metrics];
    world.acrt(&measured).exits(4);
    let metrics = fs::read_to_string(metrics).unwrap();
    assert!(
        metrics.contains("acrt_tasks{state=\"missing\"} 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("acrt_tag_look_errors 0\n"), "{metrics}");
    assert_eq!(receiver.told(), [format!("check-failing {image}")]);
    let message = receiver.messages()[0].json();
    let text = message["message"].as_str().unwrap();
    let expected = format!("`{image}` is missing for 1 task: there is no `{image}`");
    assert!(text.starts_with(&expected), "{text}");
    assert!(!text.contains("does not say"), "{text}");
    let dependencies = known(&world, &registry, "web")["dependencies"].clone();
    assert_eq!(dependencies[0]["digest"], digest);

    registry.forget_requests();
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    let looks = || {
        let requests = registry.requests();
        let of_base = |path: &str| path.ends_with("/base/manifests/1");
        requests.iter().filter(|it| of_base(&it.path)).count()
    };
    eventually("several looks", || (looks() > 6).then_some(()));
    // Back with the same digest: nothing is built. Back with another one: built once.
    registry.push("base:1", &[("version", "one")]);
    eventually("the good news", || {
        (receiver.told().len() > 1).then_some(())
    });
    assert_eq!(receiver.told()[1..], [format!("recovery {image}")]);
    assert_eq!(world.history(), ["web Succeeded"]);
    registry.push("base:1", &[("version", "new")]);
    watch.stdout_has("web: rebuilt");
    let looked = looks();
    eventually("further looks", || (looks() > looked + 2).then_some(()));
    let watched = watch.kill();
    assert_eq!(
        watched.stderr.matches("web: missing").count(),
        1,
        "{watched}"
    );
    assert_eq!(world.history(), ["web Succeeded", "web Succeeded"]);
}

#[test]
fn missing_base_made_by_another_task_is_reported_with_that_task() {
    let (world, registry) = world();
    world.tracked_task(&registry, "parent", &from(&registry, "base:1"));
    let child = from(&registry, "parent:latest");
    world.tracked_task(&registry, "child", &child);
    registry.delete("parent", &registry.digest("parent:latest").unwrap());
    let missing = check(&world).exits(4);
    assert_eq!(answer(&missing, "child")["state"], "missing");
    let why = reason(&missing, "child");
    assert!(why.contains("acrt task run --name parent "), "{why}");
    // The missing image is its own.
    assert_eq!(answer(&missing, "parent")["state"], "image-missing");
    world.run("parent").ok();
    world.watch_once().ok();
    let states = world.states();
    assert_eq!(
        [&states["parent"], &states["child"]],
        ["current", "current"]
    );
}

#[test]
fn base_with_a_missing_platform_is_missing_and_its_other_platform_waits() {
    let (world, registry) = world();
    let of = |platform: &str, text: &str| Image::of(&[("version", text)]).platform(platform);
    let (amd, arm) = (of("linux/amd64", "one"), of("linux/arm64", "one"));
    registry.push_index("multi:1", &[amd.clone(), arm.clone()]);
    let dockerfile = from(&registry, "multi:1");
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &["--platform", "linux/amd64,linux/arm64"],
    );
    world.run("web").ok();
    registry.push_index("multi:1", &[of("linux/amd64", "two")]);
    let missing = check(&world).exits(4);
    assert_eq!(answer(&missing, "web")["state"], "missing");
    let why = reason(&missing, "web");
    assert!(
        why.contains("no longer made for linux/arm64 (since "),
        "{why}"
    );
    assert!(!why.contains("amd64"), "{why}");
    world.watch_once().exits(4);
    registry.push_index("multi:1", &[arm.clone(), amd]);
    assert_eq!(world.state_of("web"), "current");
    world.watch_once().ok().silent();
    registry.push_index("multi:1", &[of("linux/amd64", "two"), arm]);
    world.watch_once().ok();
    world.watch_once().ok().silent();
    assert_eq!(world.history(), ["web Succeeded", "web Succeeded"]);
}

#[test]
fn deleted_or_moved_output_image_is_detected_with_images_flag_and_daily() {
    let (world, registry) = world();
    world.set("ACRT_NOW", "2027-01-01T08:00:00Z");
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    world.watch_once().ok().silent();
    registry.delete("web", &registry.digest("web:latest").unwrap());
    let images = ["task", "check", "--images"];
    assert_eq!(world.state_of("web"), "current");
    registry.forget_requests();
    world.watch_once().ok().silent();
    let requests = registry.requests();
    assert!(
        requests.iter().all(|it| !it.path.contains("/web/")),
        "{requests:?}"
    );

    // A day after the first round.
    world.set("ACRT_NOW", "2027-01-02T08:00:00Z");
    let image = registry.image("web:latest");
    world
        .watch_once()
        .exits(4)
        .says(&["web: image-missing", &image]);
    let missing = check(&world).exits(4);
    assert_eq!(answer(&missing, "web")["state"], "image-missing");
    assert_eq!(
        answer(&missing, "web")["outputImages"][0]["state"],
        "missing"
    );
    world.set("ACRT_NOW", "2027-01-02T09:00:00Z");
    world.run("web").ok();
    assert_eq!(answer(&world.acrt(&images).ok(), "web")["state"], "current");

    let pushed = registry.digest("web:latest").unwrap();
    let other = registry.push("web:latest", &[("by", "hand")]);
    let moved = answer(&world.acrt(&images).ok(), "web");
    assert_eq!(moved["state"], "current");
    let why = moved["reason"].as_str().unwrap();
    assert!(why.contains("from elsewhere"), "{why}");
    let output = &moved["outputImages"][0];
    assert_eq!(output["state"], "moved");
    assert_eq!(
        [&output["pushedDigest"], &output["currentDigest"]],
        [&pushed, &other]
    );
    world.set("ACRT_NOW", "2027-01-02T10:00:00Z");
    world.run("web").ok();
    let again = answer(&world.acrt(&images).ok(), "web");
    assert_eq!(
        [&again["reason"], &again["outputImages"][0]["state"]],
        ["", "current"]
    );
}

#[test]
fn unreachable_output_registry_is_reported_only_with_images_flag() {
    let (world, bases) = world();
    let own = Registry::start();
    world.set("ACRT_NOW", "2027-01-01T08:00:00Z");
    world.tracked_task(&own, "web", &from(&bases, "base:1"));
    world.watch_once().ok().silent();
    own.stop();
    // A day later the loop also looks at pushed images, and gets no answer.
    world.set("ACRT_NOW", "2027-01-02T08:00:00Z");
    world.watch_once();
    world.set("ACRT_NOW", "2027-01-02T12:00:00Z");
    assert_eq!(answer(&check(&world).ok(), "web")["state"], "current");
    let images = world.acrt(&["task", "check", "--images"]).exits(4);
    assert_eq!(
        answer(&images, "web")["outputImages"][0]["state"],
        "unknown"
    );
}
