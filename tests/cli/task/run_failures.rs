//! Errors of failed runs: the builder's own message, and hints about a registry that refuses access.

use crate::support::{Calls, Registry, World};

/// Fails a build with this builder, and checks that its error is shown wherever the failure is.
fn says_why(put_on_path: impl Fn(&World) -> Calls, line: &str) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    registry.push_shell("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n{line}\n", registry.image("base:1"));
    world.task(&registry, "web", &dockerfile);
    let words = ["the build", "not-there", "not found"];
    let run = world.run("web").exits(1).says(&words);
    assert!(!run.stderr.contains('\u{1b}'), "{run}");
    let message = world.runs()[0]["runErrorMessage"].clone();
    let message = message.as_str().unwrap();
    assert!(words.iter().all(|it| message.contains(it)), "{message}");
    // The reason occurs once in it.
    assert_eq!(message.matches("not found").count(), 1, "{message}");
    assert!(message.chars().count() < 1500, "{message}");
    let of = |args: &[&str]| {
        let answer = world.acrt(args).json();
        let task = answer.as_array().unwrap()[0].clone();
        assert_eq!(task["state"], "failing", "{task}");
        task["reason"].as_str().unwrap().to_owned()
    };
    for args in [["task", "check"].as_slice(), &["status", "-o", "json"]] {
        let reason = of(args);
        assert!(reason.contains("not found"), "{reason}");
        assert!(reason.contains("run ca1"), "{reason}");
    }
}

#[test]
fn buildah_build_failure_is_reported_with_its_reason() {
    // buildah loses at times what a step prints right before it ends.
    says_why(
        World::buildah,
        "RUN not-there --now || { sleep 0.3; exit 127; }",
    );
}

#[test]
fn podman_build_failure_is_reported_with_its_reason() {
    says_why(World::podman, "RUN not-there --now");
}

#[test]
fn docker_build_failure_is_reported_with_its_reason() {
    says_why(World::docker, "RUN not-there --now");
}

#[test]
fn buildx_build_failure_is_reported_with_its_reason() {
    says_why(World::buildx, "COPY not-there /");
}

#[test]
fn failure_reason_is_redacted_and_has_no_control_characters() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let dockerfile = format!(
        "FROM {}\nARG TOKEN\nRUN printf \"Error: \\033[2J\\033]0;x\\007$TOKEN\\n\"; sleep 0.3; exit 3\n",
        registry.image("base:1")
    );
    let options = ["--secret-arg", "TOKEN=canary-5123"];
    world.task_with(&registry, "web", &dockerfile, &options);
    let run = world.run("web").exits(1).says(&["Error: ", "***"]);
    assert!(!run.stderr.contains("canary") && !run.stderr.contains('\u{1b}'));
    let message = world.runs()[0]["runErrorMessage"].to_string();
    assert!(
        !message.contains("canary") && !message.contains("u001b"),
        "{message}"
    );
}

#[test]
fn step_failure_is_reported_with_its_reason() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let base = registry.image("base:1");
    let file = format!(
        "version: v1.1.0\nsteps:\n- id: first\n  cmd: {base} sh -c 'echo one'\n- id: second\n  cmd: {base} sh -c 'echo Error no such thing >&2; exit 7'\n"
    );
    world.write("multi/acb.yaml", &file);
    let (host, context) = (registry.host(), world.path("multi"));
    let context = context.to_str().unwrap();
    let create = [
        "task",
        "create",
        "-n",
        "multi",
        "-r",
        &host,
        "--context",
        context,
        "--file",
        "acb.yaml",
    ];
    world.acrt(&create).ok();
    let run = world.run("multi").exits(1);
    run.says(&["step `second` failed", "is 7", "Error no such thing"]);
}

#[test]
fn refused_push_is_reported_with_the_login_command_of_the_builder() {
    type Put = fn(&World) -> Calls;
    let builders: [(Put, &str); 2] = [
        (World::buildah, "buildah login --tls-verify=false "),
        (World::docker, "docker login "),
    ];
    for (put_on_path, login) in builders {
        let (world, registry) = (World::new(), Registry::with_login());
        let own = Registry::start();
        put_on_path(&world);
        let hint = format!("{login}{}", registry.host());
        world.write("web/file", "mine");
        own.push_shell("sh:1", &[]);
        // Because of the container, the push is still checked.
        let file = format!(
            "version: v1.1.0\nsteps:\n- cmd: {} sh -c 'exit 0'\n- build: -t $Registry/web:1 -f Dockerfile .\n- push: ['$Registry/web:1']\n",
            own.image("sh:1")
        );
        world.write("web/acb.yaml", &file);
        own.push_shell("base:1", &[("version", "one")]);
        let dockerfile = format!("FROM {}\nCOPY file /\n", own.image("base:1"));
        let context = world.context("web", &dockerfile);
        let host = registry.host();
        let run = ["run", "-r", &host, "--file", "acb.yaml", &context];
        let run = world.acrt(&run);
        run.says(&["the push of", &hint]);
    }
}

#[test]
fn base_not_yet_built_by_another_task_is_reported_with_that_task() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.task(&registry, "svc01", "FROM scratch\nCOPY f /\n");
    let from = format!("FROM {}\n", registry.image("svc01:latest"));
    world.task(&registry, "app", &from);
    let hint = "task `svc01` makes it: acrt task run --name svc01";
    let run = world.run("app");
    let run = run.says(&[hint, "acrt task run --all"]);
    assert_eq!(run.stderr.matches(hint).count(), 1, "{run}");
    let check = world.acrt(&["task", "check", "-n", "app"]).json();
    assert_eq!(check[0]["state"], "failing");
    let reason = check[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains(hint) && reason.contains("run ca1"),
        "{reason}"
    );
    let show = world.acrt(&["task", "show", "-n", "app"]).ok().json();
    assert_eq!(show["tracking"]["state"], "failing");
    assert_eq!(show["state"], "failing");
}

#[test]
fn each_error_of_an_unreachable_registry_has_its_own_request_and_its_reason_once() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    for n in ["a", "b"] {
        registry.push(&format!("{n}:1"), &[("version", "one")]);
        let from = format!("FROM {}\n", registry.image(&format!("{n}:1")));
        world.tracked_task(&registry, &format!("on-{n}"), &from);
    }
    registry.stop();
    let check = world.acrt(&["task", "check"]).exits(4).json();
    for (n, task) in ["a", "b"].iter().zip(check.as_array().unwrap()) {
        let reason = task["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("/v2/{n}/manifests/1")), "{reason}");
        assert_eq!(reason.matches("cannot be reached").count(), 1, "{reason}");
    }
    let run = world.run("on-b").exits(4);
    let line = run.stdout.lines().last().unwrap();
    assert_eq!(line.matches("cannot find out what").count(), 1, "{line}");
}

/// A task `web` that pushes to a registry with a login, and is built on an image on one without.
fn task_without_login() -> (World, Calls, Registry, Registry) {
    let (world, target, source) = (World::new(), Registry::with_login(), Registry::start());
    let calls = world.buildah();
    source.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", source.image("base:1"));
    let context = world.context("web", &dockerfile);
    let image = target.image("web:1");
    let create = ["task", "create", "web", "-t", &image, "-c", &context];
    world.acrt(&create).ok();
    (world, calls, target, source)
}

#[test]
fn push_without_permission_is_refused_before_the_build_with_the_login_command() {
    let (world, calls, target, source) = task_without_login();
    let (host, context) = (target.host(), world.path("web").display().to_string());
    let wanted = [
        format!("cannot write to `{host}/web`: `{host}` wants a login"),
        format!("hint: give a login: acrt login {host}\n"),
    ];
    let wanted = wanted.each_ref().map(String::as_str);
    world.run("web").exits(4).says(&wanted);
    let image = target.image("web:2");
    let build = world.acrt(&["build", "-t", &image, &context]);
    build.exits(4).says(&wanted);
    let create = ["task", "create", "more", "-t", &image, "-c", &context];
    let create = world.acrt(&[&create[..], &["--run"]].concat());
    create.exits(4).says(&wanted);
    let check = world.acrt(&["task", "check", "-n", "web"]).json();
    let reason = check[0]["reason"].as_str().unwrap();
    assert!(reason.contains("wants a login"), "{reason}");
    assert_eq!(calls.of("build"), [""; 0]);
    // A login that was valid and no longer is.
    world.write("home/.docker/config.json", &target.docker_config());
    world.run("web").ok();
    assert_eq!(calls.of("build").len(), 1);
    let wrong = target
        .docker_config()
        .replace("YWNydDpodW50ZXIyLWNhbmFyeQ==", "bWU6bm8=");
    world.write("home/.docker/config.json", &wrong);
    source.push("base:1", &[("version", "two")]);
    world.watch_once().exits(4).says(&[
        &format!("cannot write to `{host}/web`: `{host}` refuses the login from"),
        &format!("give another login: acrt login {host}"),
    ]);
    assert_eq!(calls.of("build").len(), 1);
}

#[test]
fn steps_without_push_permission_do_not_start_unless_the_repository_can_be_created() {
    let (world, calls, target, source) = task_without_login();
    source.push_shell("sh:1", &[]);
    let (host, context) = (target.host(), world.path("web").display().to_string());
    let pushing = "- build: -t $Registry/web:1 .\n- push: ['$Registry/web:1']\n";
    world.write(
        "web/acb.yaml",
        &format!("version: v1.1.0\nsteps:\n{pushing}"),
    );
    let run = ["run", "-r", &host, "--file", "acb.yaml", &context];
    let login = format!("give a login: acrt login {host}");
    let refused = world.acrt(&run).exits(4).says(&[&login]);
    assert!(!refused.stdout.contains("acrt: started"), "{refused}");
    assert_eq!(calls.of("build"), [""; 0]);
    let making = format!("- cmd: {} sh -c 'exit 0'\n", source.image("sh:1"));
    world.write(
        "web/acb.yaml",
        &format!("version: v1.1.0\nsteps:\n{making}{pushing}"),
    );
    let warned = world
        .acrt(&run)
        .exits(1)
        .says(&["warning: cannot write to", &login]);
    assert!(warned.stdout.contains("acrt: started"), "{warned}");
}

#[test]
fn registry_unreachable_before_the_build_is_tried_again_at_the_push() {
    let (world, calls, target, _source) = task_without_login();
    target.stop();
    world.run("web").exits(4).says(&["the push of"]);
    assert_eq!(calls.of("build").len(), 1);
}

#[test]
fn build_that_fails_while_the_registry_does_not_answer_is_a_failed_run() {
    let (world, registry) = (World::new(), Registry::start());
    world.fake("docker", "[ \"$1\" != build ]");
    world.task(&registry, "web", "FROM scratch\n");
    registry.stop();
    world.run("web").exits(1).says(&["the build failed"]);
    assert_eq!(world.history(), ["web Failed"]);
}

#[test]
fn push_permission_check_starts_one_upload_for_each_repository_and_leaves_none() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let context = world.context("web", "FROM scratch\nCOPY Dockerfile /\n");
    let (one, two) = (registry.image("web:1"), registry.image("web:2"));
    let run = ["build", "-t", &one, "-t", &two, &context];
    world.acrt(&run).ok();
    let requests = registry.requests().into_iter();
    let is_read = |method: &str| ["HEAD", "GET"].contains(&method);
    let written = requests.filter(|it| it.agent.starts_with("acrt/") && !is_read(&it.method));
    let written: Vec<(String, u16)> = written.map(|it| (it.method, it.status)).collect();
    let expected = [("POST".to_owned(), 202), ("DELETE".to_owned(), 204)];
    assert_eq!(written, expected);
    let no_push = world.acrt(&["build", "--no-push", "-t", &one, &context]);
    no_push.ok();
    let posts = registry.requests().into_iter();
    let posts = posts.filter(|it| it.agent.starts_with("acrt/") && it.method == "POST");
    assert_eq!(posts.count(), 1);
}
