//! A state directory that is broken or read-only.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::support::{Output, Registry, World, program};

/// A machine with a task that has run once, on `base:1`.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "0")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    (world, registry)
}

/// All ways in which a file can be unusable.
const WAYS: &[fn(&Path)] = &[
    |path| {
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
    },
    |path| fs::write(path, "").unwrap(),
    |path| fs::write(path, b"\xff\x00 garbage").unwrap(),
    |path| fs::write(path, "{\"schema\": 99, \"tags\": {}, \"receivers\": {}}").unwrap(),
    |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir_all(path.join("a/b")).unwrap();
    },
    // A link to itself cannot be opened.
    |path| {
        fs::remove_file(path).unwrap();
        symlink(path, path).unwrap();
    },
];

/// Returns the names of the saved copies of a broken file.
fn copies(world: &World, name: &str) -> Vec<String> {
    let names = fs::read_dir(world.state()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let begin = format!("{name}.broken-");
    names.filter(|other| other.starts_with(&begin)).collect()
}

#[test]
fn broken_bases_file_is_set_aside_and_stops_no_task() {
    let (world, registry) = world();
    let bases = world.state().join("bases.json");
    for (n, make_broken) in WAYS.iter().enumerate() {
        world.set("ACRT_NOW", &format!("2026-01-31T08:00:0{n}Z"));
        assert_eq!(world.state_of("web"), "current");
        make_broken(&bases);
        let version = (n + 1).to_string();
        registry.push("base:1", &[("version", &version)]);
        let round = world.watch_once().ok().prints(&["web: rebuilt"]);
        let copy = format!("bases.json.broken-20260131T08000{n}Z");
        assert_eq!(round.stderr.matches(&copy).count(), 1, "{n}: {round}");
        assert_eq!(round.stderr.lines().count(), 1, "{n}: {round}");
        assert!(copies(&world, "bases.json").contains(&copy), "{n}");
        world.watch_once().ok().silent();
        let built = registry.file("web:latest", "version");
        assert_eq!(built, Some(version), "{n}");
    }
    assert_eq!(copies(&world, "bases.json").len(), 3);
}

#[test]
fn run_with_a_broken_baseline_fails_and_leaves_the_file_unchanged() {
    let (world, registry) = world();
    let name = format!("baselines/{}/web.json", registry.host());
    let baseline = world.state().join(name);
    let whole = fs::read(&baseline).unwrap();
    fs::write(&baseline, &whole[..10]).unwrap();
    world
        .run("web")
        .exits(1)
        .says(&["web.json", "does not parse", "remove it, and run the task"]);
    assert_eq!(world.history(), ["web Succeeded", "web Failed"]);
    let error = world.runs()[0]["runErrorMessage"].to_string();
    assert!(error.contains("web.json"), "{error}");
    assert_eq!(fs::read(&baseline).unwrap(), &whole[..10]);
    // A file that breaks while the task runs is not replaced by the record of a failure either.
    fs::write(&baseline, &whole).unwrap();
    world.fake(
        "breaks",
        &format!("echo '{{' > '{}'; exit 1", baseline.display()),
    );
    world.config("builders:\n  command:\n    build: [breaks]\n");
    world
        .acrt(&["task", "run", "web", "--builder", "command"])
        .exits(1);
    assert_eq!(fs::read(&baseline).unwrap(), b"{\n");
    fs::write(&baseline, &whole).unwrap();
    world.watch_once().ok().silent();
}

#[test]
fn broken_secrets_file_stops_only_its_own_task_and_is_not_replaced() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "locked", &dockerfile);
    let login = ["--login-server", "x.io", "-u", "me", "-p", "env:TOKEN"];
    let add = ["task", "credential", "add", "-n", "locked"];
    world.acrt(&[&add[..], &login].concat()).ok();
    let name = format!("secrets/{}/locked.yaml", registry.host());
    let secrets = world.state().join(name);
    fs::write(&secrets, "schema: 1\ncredentials: {x.io: [\n").unwrap();
    registry.push("base:1", &[("version", "1")]);
    let round = world.watch_once().exits(1);
    assert_eq!(round.stdout.matches("rebuilt").count(), 1, "{round}");
    round.prints(&["web: rebuilt"]).says(&["locked.yaml"]);
    // Later rounds do not repeat the error, and succeed no more than the first.
    world.watch_once().exits(1).silent();
    world.acrt(&["task", "watch", "--dry-run"]).exits(1);
    let check = world.acrt(&["task", "check"]).exits(1);
    check.says(&["locked.yaml"]);
    world.acrt(&["task", "check", "-n", "locked"]).exits(2);
    world.acrt(&["task", "check", "-n", "web"]).ok();
    let (context, image) = (world.path("locked"), registry.image("locked"));
    let create = ["task", "create", "-n", "locked", "-t"];
    let more = [image.as_str(), "-c", context.to_str().unwrap()];
    world
        .acrt(&[&create[..], &more].concat())
        .exits(2)
        .says(&["locked.yaml"]);
    let kept = fs::read_to_string(&secrets).unwrap();
    assert!(kept.contains("x.io: ["), "{kept}");
}

#[test]
fn broken_bases_file_is_reported_once_by_check_and_by_watch() {
    let (world, registry) = world();
    let bases = world.state().join("bases.json");
    assert_eq!(world.state_of("web"), "current");
    fs::write(&bases, "{").unwrap();
    let check = world.acrt(&["task", "check"]).ok();
    assert_eq!(check.json()[0]["state"], "current");
    check.says(&["warning: ", "it does not parse", "bases.json.broken-"]);
    let check = world.acrt(&["task", "check"]).ok();
    assert_eq!(check.stderr, "");

    world.config("watch: {everySeconds: 1}\n");
    fs::write(&bases, "{").unwrap();
    registry.push("base:1", &[("version", "1")]);
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    watch.stdout_has("web: rebuilt");
    registry.push("base:1", &[("version", "2")]);
    watch.stdout_has("run ca3");
    let said = watch.kill();
    assert_eq!(said.stderr.matches("broken-").count(), 1, "{said}");
}

#[test]
fn broken_notified_file_is_set_aside_and_notifications_are_repeated() {
    let (world, registry) = world();
    let told = world.path("told");
    world.config(&format!(
        "notify:\n- command: [/bin/sh, -c, 'echo $ACRT_EVENT >> {}']\n  on: [success]\n",
        told.display()
    ));
    world.run("web").ok();
    for make_broken in WAYS {
        let before = fs::read_to_string(&told).unwrap().lines().count();
        make_broken(&world.state().join("notified.json"));
        let run = world.run("web").ok();
        assert_eq!(
            run.stderr.matches("notified.json.broken-").count(),
            1,
            "{run}"
        );
        let after = fs::read_to_string(&told).unwrap().lines().count();
        assert_eq!(after, before + 1, "{run}");
    }
    world.watch_once().ok().silent();
    drop(registry);
}

/// Read-only commands, on a machine with a task that has run once.
const READING: &[&[&str]] = &[
    &["task", "list"],
    &["task", "show", "-n", "web"],
    &["task", "list-runs"],
    &["task", "show-run", "--run-id", "ca1"],
    &["task", "logs"],
    &["deps", "web"],
    &["check-health"],
    &["task", "check"],
    &["task", "watch", "--dry-run"],
];

/// Returns every file under the state directory with its text.
fn content(world: &World) -> Vec<(std::path::PathBuf, String)> {
    let mut files = world.state_files();
    files.sort_unstable();
    files
}

/// Checks the answers of a read-only state directory after a base has moved.
fn answers(world: &World, acrt: impl Fn(&[&str]) -> Output) {
    let before = content(world);
    for command in READING {
        let output = acrt(command).ok();
        assert!(!output.stdout.is_empty(), "{output}");
        assert!(!output.stderr.contains("error"), "{output}");
    }
    let check = acrt(&["task", "check"]).ok();
    assert_eq!(check.json()[0]["state"], "stale");
    assert_eq!(check.stderr, "");
    let check = acrt(&["task", "check", "--verbose"]).ok();
    assert_eq!(check.json()[0]["state"], "stale");
    assert_eq!(check.stderr.lines().count(), 1, "{check}");
    check.says(&["cannot store what was found", "bases.json"]);
    let health = acrt(&["check-health"]).ok().json();
    let of_state = |finding: &&serde_json::Value| finding["check"] == "state directory";
    let state = health.as_array().unwrap().iter().find(of_state);
    assert_eq!(state.unwrap()["status"], "warning");
    assert_eq!(content(world), before);
}

#[test]
fn reading_commands_work_with_a_read_only_state_directory() {
    let (world, registry) = world();
    registry.push("base:1", &[("version", "1")]);
    answers(&world, |args| world.acrt_read_only(args));
    // Commands that change something report that they cannot.
    let round = world.acrt_read_only(&["task", "watch", "--once"]);
    round.exits(1).says(&["Read-only file system", "state"]);
}

#[test]
fn reading_commands_work_with_a_state_directory_of_another_user() {
    let (world, registry) = world();
    registry.push("base:1", &[("version", "1")]);
    // A real builder would need folders of that user's own.
    world.fake("buildah", "echo buildah version 1.28");
    // The program itself may be in a folder that only its owner can open.
    let acrt = world.path("bin/acrt");
    fs::copy(env!("CARGO_BIN_EXE_acrt"), &acrt).unwrap();
    let mut chmod = world.command("/bin/chmod");
    chmod.args(["-R", "a+rX"]).arg(world.path(""));
    world.start(chmod, "chmod".into()).wait().ok();
    answers(&world, |args| {
        let mut setpriv = world.command(program("setpriv"));
        setpriv
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&acrt)
            .args(args);
        world
            .start(setpriv, format!("acrt {}, as another user", args.join(" ")))
            .wait()
    });
}

#[test]
fn broken_bases_file_that_cannot_be_renamed_is_ignored_with_a_warning() {
    let (world, registry) = world();
    registry.push("base:1", &[("version", "1")]);
    fs::write(world.state().join("bases.json"), "{").unwrap();
    let check = world.acrt_read_only(&["task", "check"]).ok();
    assert_eq!(check.json()[0]["state"], "stale");
    check.says(&["it does not parse", "Read-only file system"]);
}

#[test]
fn state_directory_that_is_a_file_is_refused_by_every_command() {
    let world = World::new();
    let file = world.write("file", "");
    let at = ["--state-dir", file.to_str().unwrap()];
    for command in [&["task", "list"][..], &["status"], &["task", "check"]] {
        world
            .acrt(&[&at[..], command].concat())
            .exits(2)
            .says(&["is not a folder"]);
    }
}
