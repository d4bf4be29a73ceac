//! `acrt build`: a build without a task.

use std::io::Write as _;

use crate::support::{Registry, World};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

#[test]
fn build_pins_and_pushes_the_image_and_lists_the_run() {
    let (world, registry) = world();
    let base = registry.image("base:1");
    let context = world.context(
        "web",
        &format!("ARG A\nFROM {base}\nARG A\nRUN echo $A > /a\n"),
    );
    let host = registry.host();
    world.set("GREETING", "hello");
    let line = [
        "build",
        "--registry",
        &host,
        "-t",
        "web:latest",
        "--image",
        "web:{{.Run.ID}}",
        "--build-arg",
        "A=1",
        "--secret-build-arg",
        "GREETING",
        &context,
    ];
    let build = world.acrt(&line).ok();
    assert!(build.stdout.contains("@sha256:"), "{build}");
    assert!(!build.stdout.contains("hello"), "{build}");
    assert_eq!(registry.file("web:latest", "a").as_deref(), Some("1\n"));
    assert_eq!(registry.digest("web:ca1"), registry.digest("web:latest"));
    assert!(registry.depends_on("web:latest", "base:1"));
    let runs = world.runs();
    assert_eq!(runs[0]["runType"], "QuickBuild");
    assert_eq!(runs[0]["task"], serde_json::Value::Null);
    assert_eq!(runs[0]["outputImages"][0]["tag"], "latest");
    world
        .acrt(&["task", "logs", "--run-id", "ca1"])
        .ok()
        .prints(&["STEP"]);
    // The build is not followed.
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok().silent();
}

#[test]
fn build_without_image_pushes_nothing_and_reports_it() {
    let (world, registry) = world();
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let host = registry.host();
    world
        .acrt(&["build", "-r", &host, &context])
        .ok()
        .says(&["Skipping image push"]);
    let run = world.acrt(&[
        "build",
        "-r",
        &host,
        "-t",
        "web:1",
        "--no-push",
        "--no-logs",
        &context,
    ]);
    assert_eq!(run.ok().json()["outputImages"], serde_json::json!([]));
    assert!(registry.digest("web:1").is_none());
}

#[test]
fn dockerfile_is_read_from_standard_input() {
    let (world, registry) = world();
    let context = world.context("web", "FROM scratch\n");
    let host = registry.host();
    let mut acrt = world.command(env!("CARGO_BIN_EXE_acrt"));
    acrt.args(["build", "-r", &host, "-t", "web:1", "-f", "-", &context]);
    let mut file = tempfile::tempfile().unwrap();
    write!(
        file,
        "FROM {}\nCOPY Dockerfile /copied\n",
        registry.image("base:1")
    )
    .unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    acrt.stdin(file);
    assert!(acrt.output().unwrap().status.success());
    assert_eq!(
        registry.file("web:1", "copied").as_deref(),
        Some("FROM scratch\n")
    );
    let line = format!("printf 'FROM\\n' | \"$0\" build --no-push -f - {context}");
    world.shell(&line).exits(2).says(&["standard input"]);
    // A part of it would build something else.
    for command in [
        format!("build --no-push -f - {context}"),
        format!("deps -f - {context}"),
    ] {
        let line = format!(
            "/usr/bin/head -c 17000000 /dev/zero | /usr/bin/tr '\\0' '#' | \"$0\" {command}"
        );
        world
            .shell(&line)
            .exits(2)
            .says(&["it is larger than 16 MiB"]);
    }
    world
        .acrt(&["build", "-r", &host, "-f", "-", "--no-wait", &context])
        .exits(2)
        .says(&["--no-wait"]);
}

#[test]
fn detached_build_can_be_followed_by_its_log() {
    let (world, registry) = world();
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let host = registry.host();
    let run = world.acrt(&["build", "-r", &host, "-t", "web:1", "--no-wait", &context]);
    assert_eq!(
        run.ok().says(&["Queued a build with ID: ca1"]).json()["runId"],
        "ca1"
    );
    world.acrt(&["task", "logs", "--run-id", "ca1"]).ok();
    assert!(registry.digest("web:1").is_some());
}

#[test]
fn failing_build_and_missing_context_are_reported() {
    let (world, registry) = world();
    let context = world.context("web", "FROM scratch\nCOPY missing /\n");
    let host = registry.host();
    world
        .acrt(&["build", "-r", &host, "-t", "web:1", &context])
        .exits(1);
    assert_eq!(world.runs()[0]["status"], "Failed");
    world
        .acrt(&["build", "-r", &host, "-t", "web:1", "./nowhere"])
        .exits(2)
        .says(&["nowhere"]);
}

#[test]
fn build_with_an_impossible_image_name_is_wrong_usage_and_starts_no_run() {
    let (world, registry) = world();
    let host = registry.host();
    let context = world.context("web", "FROM scratch\n");
    for (image, hint) in [
        ("MyApp:1", "write myapp:1"),
        ("my app:1", "write it as web:1"),
        ("app:{{.Run.IDD}}", "write it as web:1"),
        ("", "write it as web:1"),
    ] {
        let built = world.acrt(&["build", "-r", &host, "-t", image, &context]);
        let built = built
            .exits(2)
            .says(&["cannot use the images of the run", hint]);
        assert!(!built.stderr.contains("quick-run"), "{built}");
    }
    assert_eq!(world.runs().len(), 0);
}

#[test]
fn build_file_is_relative_to_the_current_folder_or_else_to_the_context_and_which_is_reported() {
    let (world, registry) = world();
    let (base, host) = (registry.image("base:1"), registry.host());
    let dockerfile = |from: &str| format!("FROM {base}\nLABEL from={from}\nCOPY text /text\n");
    world.write("Dockerfile", &dockerfile("current"));
    world.write("sub/Dockerfile", &dockerfile("context"));
    world.write("sub/text", "of the context\n");
    world.write("sub/docker/Dockerfile.prod", &dockerfile("beneath"));
    world.write("other.Dockerfile", &dockerfile("other"));
    let absolute = world.path("other.Dockerfile").display().to_string();
    for (file, context, from, said) in [
        (Some("Dockerfile"), "./sub", "current", false),
        (Some("./Dockerfile"), "sub", "current", false),
        (Some("sub/Dockerfile"), "./sub", "context", false),
        (Some("sub/docker/Dockerfile.prod"), "sub", "beneath", false),
        (Some("docker/Dockerfile.prod"), "sub", "beneath", true),
        (Some(&absolute), "sub", "other", false),
        (None, "sub", "context", false),
    ] {
        let options = file.map_or(vec![], |file| vec!["-f", file]);
        let line = ["build", "-r", &host, "-t", "x:1"];
        let built = world.acrt(&[&line[..], &options, &[context]].concat()).ok();
        let is_said = built.stderr.contains("is not in the current folder");
        assert_eq!(is_said, said, "{built}");
        assert_eq!(
            registry.label("x:1", "from").as_deref(),
            Some(from),
            "{built}"
        );
        let text = registry.file("x:1", "text");
        assert_eq!(text.as_deref(), Some("of the context\n"));
    }
    world
        .acrt(&["build", "-r", &host, "-f", "none.Dockerfile", "sub"])
        .exits(2)
        .says(&["unable to find `none.Dockerfile`"]);
}

#[test]
fn build_output_lines_match_az_and_only_warnings_are_labelled_warnings() {
    let (world, registry) = world();
    let (base, host) = (registry.image("base:1"), registry.host());
    let context = world.context("web", &format!("FROM {base}\n"));
    let warnings = |line: &[&str]| {
        let ran = world.acrt(line).ok();
        let lines = ran.stderr.lines().map(str::to_owned);
        let lines = lines.filter(|line| line.to_lowercase().contains("warning"));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        warnings(&["build", "-r", &host, "-t", "x:1", "--verbose", &context]),
        ["WARNING: Queued a build with ID: ca1"]
    );
    assert_eq!(
        warnings(&["build", "-r", &host, "--no-logs", &context]),
        [
            "WARNING: '--image or -t' is not provided. Skipping image push after build.",
            "WARNING: Queued a build with ID: ca2"
        ]
    );
    let create = ["task", "create", "-n", "web", "-r", &host, "-t", "web:1"];
    let create = [&create[..], &["-c", &context]].concat();
    assert_eq!(warnings(&create), Vec::<String>::new());
    assert_eq!(
        warnings(&["task", "run", "-n", "web", "--verbose"]),
        ["WARNING: Queued a run with ID: ca3"]
    );
    assert_eq!(
        warnings(&["task", "logs"]),
        ["WARNING: Showing logs of the last created run with ID: ca3"]
    );
    let silent = ["build", "-r", &host, "--only-show-errors", &context];
    assert_eq!(world.acrt(&silent).ok().stderr, "");
    // acrt's own warnings are marked as such.
    assert_eq!(
        warnings(&create)[0],
        "warning: task `web` exists and is replaced; its runs are kept"
    );
    let odd = [&create[..], &["-g", "group"]].concat();
    assert_eq!(
        warnings(&odd)[0],
        "warning: without effect outside Azure: --resource-group"
    );
}
