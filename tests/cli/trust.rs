//! What a guest's context may do: git, archives, artifacts, and another user's folder.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown, lchown, symlink},
    path::Path,
};

use crate::support::{Calls, Gate, Output, Registry, World, command, program};

/// The option that trusts a context.
const FLAG: &str = "--trust-context";

fn world() -> (World, Registry, Calls) {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.docker();
    world.git();
    registry.push_shell("tool:1", &[("name", "tool")]);
    (world, registry, calls)
}

/// Gives the folder `src` to another user, with `file` as its task file.
fn guests_folder(world: &World, file: &str) -> String {
    world.write("src/acb.yaml", file);
    chown(world.path("src"), Some(1000), Some(1000)).unwrap();
    world.path("src").display().to_string()
}

fn run(world: &World, registry: &Registry, options: &[&str], context: &str) -> Output {
    let host = registry.host();
    world.acrt(&[&["run", "-r", &host], options, &[context]].concat())
}

#[test]
fn purge_step_of_an_untrusted_task_file_is_refused() {
    let (world, registry, _) = world();
    registry.push("web:1", &[("a", "1")]);
    let file = "steps:\n- cmd: acr purge --filter 'web:.*' --ago 0d\n";
    let context = guests_folder(&world, file);
    let refused = run(&world, &registry, &[], &context).exits(1);
    assert!(refused.to_string().contains(FLAG), "{refused}");
    assert_eq!(registry.tags("web"), ["1"]);
    run(&world, &registry, &[FLAG], &context).ok();
    assert_eq!(registry.tags("web"), [""; 0]);
}

#[test]
fn untrusted_git_task_file_that_needs_host_access_is_refused_before_anything_starts() {
    let (world, registry, calls) = world();
    let tool = registry.image("tool:1");
    let repository = world.repository("web", &[("Dockerfile", "FROM scratch\n")]);
    for (step, told) in [
        ("cmd: x\n  network: host", "`network: host`"),
        (
            "cmd: x\n  network: container:other",
            "`network: container:other`",
        ),
        ("cmd: x\n  ports: ['8080:80']", "`ports: 8080:80`"),
        ("cmd: --network host x", "`network: host`"),
        ("cmd: -p 8080:80 x", "`ports: 8080:80`"),
        (
            "build: https://example.com/x.git",
            "the context `https://example.com/x.git`",
        ),
        ("build: --network=host .", "`--network=host`"),
        (
            "build: --secret id=a,src=/etc/shadow .",
            "`--secret=id=a,src=/etc/shadow`",
        ),
        (
            "build: --secret id=b,env=PATH .",
            "`--secret=id=b,env=PATH`",
        ),
        (
            "build: --security-opt seccomp=unconfined .",
            "`--security-opt=seccomp=unconfined`",
        ),
        ("build: --ssh default .", "`--ssh=default`"),
        ("build: --cgroup-parent x .", "`--cgroup-parent=x`"),
        (
            "build: --cache-to=type=local,dest=/root/x .",
            "`--cache-to=type=local,dest=/root/x`",
        ),
        (
            "build: --build-context e=oci-layout:///root/x .",
            "`--build-context e=oci-layout:///root/x`",
        ),
        ("push: [docker.io/library/other:1]", "a push to `docker.io`"),
        (
            "cmd: acr purge --filter 'web:.*' --ago 0d\n  ignoreErrors: true",
            "`acr`, which changes registries",
        ),
    ] {
        let file = format!("steps:\n- cmd: {tool} sh -c 'echo began'\n- id: reach\n  {step}\n");
        repository.commit(&[("acb.yaml", &file)]);
        let refused = run(&world, &registry, &[], &repository.url())
            .exits(1)
            .says(&[
                "acb.yaml`, which is a guest's: line 3: step `reach` asks for",
                told,
                FLAG,
            ]);
        assert!(!refused.stdout.contains("began"), "{refused}");
    }
    assert_eq!(calls.of("run"), Vec::<String>::new());
    assert_eq!(calls.of("build"), Vec::<String>::new());
    // What a Dockerfile could do works as before, and more works with the option.
    let file = format!("steps:\n- cmd: {tool} sh -c 'echo began'\n  network: host\n");
    repository.commit(&[("acb.yaml", &file)]);
    run(&world, &registry, &[FLAG], &repository.url())
        .ok()
        .prints(&["began\n"]);
    repository.commit(&[("acb.yaml", &file.replace("  network: host\n", ""))]);
    run(&world, &registry, &[], &repository.url())
        .ok()
        .prints(&["began\n"]);
}

#[test]
fn untrusted_dockerfile_cannot_make_buildah_read_files_of_the_machine() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.git();
    registry.push_shell("base:1", &[]);
    let base = registry.image("base:1");
    world.write("private/secret", "canary");
    let archive = world.path("private/backup.tar").display().to_string();
    let secret = world.path("private").display().to_string();
    let mut tar = command(program("tar"));
    tar.args(["cf", &archive, "-C", &secret, "secret"]);
    world.start(tar, "tar".to_owned()).wait().ok();
    let backup = format!("tarball:{archive}");
    let repository = world.repository("web", &[("Dockerfile", "FROM scratch\n")]);
    let host = registry.host();
    let refused = |dockerfile: &str| {
        repository.commit(&[("Dockerfile", dockerfile)]);
        let line = ["build", "-r", &host, "-t", "web:1", "--no-push"];
        let output = world.acrt(&[&line[..], &[&repository.url()]].concat());
        assert!(!output.stdout.contains("canary"), "{output}");
        output.exits(1)
    };
    let mount = format!("RUN --mount=type=bind,from={backup},target=/v cat /v/secret");
    refused(&format!("# syntax=any/thing\nFROM {base}\n{mount}\n")).says(&["line 3", &backup]);
    refused(&format!(
        "# check=skip=all\n# escape=`\nFROM {base}\nRUN echo `\n{mount}\n"
    ))
    .says(&["line 2", "`escape` must be above `check`"]);
    refused(&format!(
        "# syntax=docker/dockerfile:1\n# escape=`\nFROM {base}\nRUN echo `\n{mount}\n"
    ))
    .says(&["line 2", "read `escape` only in the first line"]);
    refused(&format!("FROM {base}\nRUN echo \\\\\n{mount}\n")).says(&["line 2"]);
}

#[test]
fn buildah_pulls_no_image_that_was_not_resolved() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let base = registry.push_shell("base:1", &[]);
    let other = registry.push("other:1", &[]);
    // It takes each `from`; BuildKit takes the last one.
    world.task(
        &registry,
        "web",
        &format!(
            "FROM {base}\nRUN --mount=type=bind,from={other},from={base},target=/v true\n",
            base = registry.image("base:1"),
            other = registry.image("other:1"),
        ),
    );
    world.run("web");
    let requests = registry.requests();
    let is_pulled = |repository: &str| {
        let blobs = format!("/v2/{repository}/blobs/");
        requests
            .iter()
            .any(|request| request.path.starts_with(&blobs))
    };
    assert!(is_pulled("base"), "{base}");
    assert!(!is_pulled("other"), "{other}");
}

#[test]
fn heredoc_is_refused_where_the_builder_reads_its_lines_as_instructions() {
    let (world, registry) = (World::new(), Registry::start());
    let base = registry.push("base:1", &[]);
    world.task(
        &registry,
        "web",
        &format!("FROM {}\nCOPY <<E /x\nE\n", registry.image("base:1")),
    );
    for (version, reads) in [("1.28.2", false), ("1.33.0", true)] {
        world.fake(
            "buildah",
            &format!("[ \"$1\" = --version ] && echo 'buildah version {version}' || exit 1"),
        );
        world.set("ACRT_BUILDER", "buildah");
        let run = world.run("web").exits(1).to_string();
        let refused = run.contains("line 2, column 1: `E`: this version of the builder reads");
        assert_eq!(refused, !reads, "{base} {run}");
    }
}

#[test]
fn host_secret_of_an_untrusted_task_file_is_refused_unless_set_on_the_command_line() {
    let (world, registry, _) = world();
    world.set("HOST_TOKEN", "hunter2");
    let path = world.write("token", "hunter2\n").display().to_string();
    let tool = registry.image("tool:1");
    for place in ["env:HOST_TOKEN", &format!("file:{path}")] {
        let context = guests_folder(
            &world,
            &format!(
                "secrets:\n- id: t\n  keyvault: {place}\nsteps:\n- cmd: {tool} sh -c 'test \"$T\" = hunter2 && echo it arrived'\n  env: ['T={{{{.Secrets.t}}}}']\n"
            ),
        );
        run(&world, &registry, &[], &context).exits(1).says(&[
            "acb.yaml`, which is a guest's: line 2: it asks for the secret `t`",
            &format!("--set-secret t={place}"),
            FLAG,
        ]);
        let declared = format!("t={place}");
        for options in [&["--set-secret", &declared][..], &[FLAG]] {
            run(&world, &registry, options, &context)
                .ok()
                .prints(&["it arrived\n"]);
        }
        // The owner's own file needs no option.
        chown(&context, Some(0), Some(0)).unwrap();
        run(&world, &registry, &[], &context).ok();
    }
}

#[test]
fn symlink_made_by_a_step_cannot_lead_a_build_outside_the_workspace() {
    let (world, registry, _) = world();
    let tool = registry.image("tool:1");
    fs::create_dir_all(world.path("outside/sub")).unwrap();
    world.write("outside/Dockerfile", "FROM hunter2\n");
    world.write("src/Dockerfile", "FROM scratch\n");
    let outside = world.path("outside").display().to_string();
    for (link, build, told) in [
        (&*outside, "build: x", "cannot use the folder `x`"),
        (
            &*outside,
            "build: -f x/Dockerfile .",
            "cannot read the Dockerfile",
        ),
        (
            &*outside,
            "build: --build-context e=x .",
            "cannot use the folder `x`",
        ),
        (
            &*outside,
            "build: .\n  workingDirectory: x",
            "cannot use the folder `.`",
        ),
        ("../../../..", "build: x", "cannot use the folder `x`"),
        ("/proc/self/root", "build: x", "cannot use the folder `x`"),
    ] {
        let file =
            format!("steps:\n- cmd: {tool} busybox ln -s {link} x\n- id: reach\n  {build}\n");
        let context = guests_folder(&world, &file);
        let refused = run(&world, &registry, &[], &context).exits(1).says(&[
            told,
            "leads out of the context",
            FLAG,
        ]);
        assert!(!refused.stderr.contains("hunter2"), "{build}: {refused}");
    }
}

#[test]
fn missing_folder_of_an_untrusted_build_is_reported_without_advice_to_trust_it() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let context = guests_folder(&world, "steps:\n- build: x\n");
    let failed = run(&world, &registry, &[], &context)
        .exits(1)
        .says(&["cannot use the folder `x`", "an earlier step makes"]);
    assert!(!failed.stderr.contains(FLAG), "{failed}");
}

#[test]
fn secret_of_an_untrusted_build_has_a_name_without_a_meaning_for_the_builder() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.buildah();
    registry.push_shell("tool:1", &[("name", "tool")]);
    world.write(
        "src/Dockerfile",
        &format!(
            "FROM {}\nRUN --mount=type=secret,id=a test \"$(cat /run/secrets/a)\" = hunter2\n",
            registry.image("tool:1")
        ),
    );
    let file = "steps:\n- build: --secret id=a,env=BUILDAH_FORMAT .\n  env: ['BUILDAH_FORMAT={{.Values.token}}']\n";
    let context = guests_folder(&world, file);
    let options = ["--set-secret", "token=hunter2"];
    run(&world, &registry, &options, &context).ok();
    let build = calls.of("build").pop().unwrap();
    assert!(build.contains("--secret=id=a,env=ACRT_SECRET_0"), "{build}");
}

#[test]
fn symlinks_of_an_untrusted_context_cannot_lead_acrt_files_outside_it() {
    let (world, registry, _) = world();
    let outside = world.write("outside", "steps: [hunter2]\n");
    let tool = registry.image("tool:1");
    let plain = format!("version: v1.1.0\nsteps:\n- cmd: {tool} sh -c 'exit 0'\n");
    let context = guests_folder(&world, &plain);
    symlink(&outside, world.path("src/link.yaml")).unwrap();
    let refused = |file: &str, options: &[&str]| {
        guests_folder(&world, file);
        let refused = run(&world, &registry, options, &context);
        assert!(!refused.stderr.contains("hunter2"), "{refused}");
        refused.says(&["leads out of the context"]);
    };
    refused(&plain, &["-f", "link.yaml"]);
    refused(&plain, &["--values", "link.yaml"]);
    let alias = plain.replace("steps:", "alias: {src: [link.yaml]}\nsteps:");
    refused(&alias, &[]);
    // The Dockerfile and its ignore file, in a build without a task file.
    symlink(&outside, world.path("src/Dockerfile")).unwrap();
    world.write("src/Dockerfile.own", &format!("FROM {tool}\n"));
    symlink(&outside, world.path("src/Dockerfile.own.dockerignore")).unwrap();
    let host = registry.host();
    let absolute = format!("{context}/Dockerfile");
    for file in ["Dockerfile", "Dockerfile.own", "../outside", &absolute] {
        let refused = world
            .acrt(&["build", "-r", &host, "--no-push", "-f", file, &context])
            .says(&["leads out of the context", FLAG]);
        assert!(!refused.stderr.contains("hunter2"), "{refused}");
    }
    world.write("ignore", "*.log\n");
    fs::remove_file(world.path("src/Dockerfile.own.dockerignore")).unwrap();
    symlink(
        world.path("ignore"),
        world.path("src/Dockerfile.own.dockerignore"),
    )
    .unwrap();
    let build = [
        "build",
        "-r",
        &host,
        "--no-push",
        "-f",
        "Dockerfile.own",
        FLAG,
        &context,
    ];
    world.acrt(&build).ok();
}

#[test]
fn task_file_with_aliases_of_an_untrusted_context_is_untrusted() {
    let (world, registry, _) = world();
    let context = guests_folder(&world, "");
    world.write("src/alias.yaml", "reach: \"x\\n  network: host\"\n");
    let file = world.write(
        "own.yaml",
        "version: v1.1.0\nalias: {src: [alias.yaml]}\nsteps:\n- cmd: $reach\n",
    );
    let mut acrt = world.command(env!("CARGO_BIN_EXE_acrt"));
    acrt.args(["run", "-r", &registry.host(), "-f", "-", &context])
        .stdin(fs::File::open(file).unwrap());
    let refused = acrt.output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("which is a guest's") && told.contains("network: host"),
        "{told}"
    );
}

#[test]
fn variables_of_an_untrusted_build_do_not_reach_the_builder() {
    let (world, registry, _) = world();
    let tool = registry.image("tool:1");
    world.write(
        "src/Dockerfile",
        &format!("FROM {tool}\nARG A\nRUN test \"$A\" = 1\n"),
    );
    let file = "env: [DOCKER_HOST=unix:///nowhere, DOCKER_BUILDKIT=0, A=1]\nsteps:\n- build: --build-arg A .\n";
    let context = guests_folder(&world, file);
    let build = |options: &[&str]| {
        let run = run(&world, &registry, options, &context).ok();
        let lines = run.stdout.lines().map(str::to_owned);
        lines
            .into_iter()
            .find(|line| line.starts_with("$ "))
            .unwrap()
    };
    let (guests, owners) = (build(&[]), build(&[FLAG]));
    assert!(guests.starts_with("$ DOCKER_BUILDKIT=0 /"), "{guests}");
    assert!(
        owners.starts_with("$ DOCKER_HOST=unix:///nowhere "),
        "{owners}"
    );
}

#[test]
fn untrusted_build_beside_other_steps_uses_a_copy_of_the_context() {
    let (world, registry, calls) = world();
    let tool = registry.image("tool:1");
    world.write(
        "src/sub/Dockerfile",
        &format!("FROM {tool}\nCOPY text /text\n"),
    );
    world.write("src/sub/text", "hello");
    let file = format!(
        "version: v1.1.0\nsteps:\n- cmd: {tool} sh -c 'exit 0'\n- id: b\n  build: -t $Registry/web:1 sub\n  when: ['-']\n- push: [$Registry/web:1]\n  when: [b]\n"
    );
    let context = guests_folder(&world, &file);
    run(&world, &registry, &[], &context).ok();
    assert_eq!(registry.file("web:1", "text").as_deref(), Some("hello"));
    let build = calls.of("build").pop().unwrap();
    assert!(
        build.ends_with("/context") && build.contains("/steps/"),
        "{build}"
    );
}

/// Replaces a folder by a link of another user.
fn replace_by_link(world: &World, folder: &str, target: &str) {
    let (folder, old) = (world.path(folder), world.path("old"));
    fs::rename(&folder, old).unwrap();
    symlink(world.path(target), &folder).unwrap();
    lchown(&folder, Some(1000), Some(1000)).unwrap();
}

#[test]
fn folder_that_other_users_can_replace_or_write_to_is_a_guests() {
    let (world, registry) = (World::new(), Registry::start());
    let file = "steps:\n- cmd: x\n  network: host\n";
    for folder in ["shared", "shared/own", "home/web"] {
        world.write(&format!("{folder}/acb.yaml"), file);
    }
    let everybody = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(world.path("shared"), everybody).unwrap();
    chown(world.path("home"), Some(1000), Some(1000)).unwrap();
    let run = |folder: &str| {
        let context = world.path(folder).display().to_string();
        run(&world, &registry, &[], &context)
    };
    // A folder of root's in one of another user, who could put another one in its place.
    run("home/web")
        .says(&["which is a guest's", FLAG])
        .prints(&["/home` belongs to another user, of the id 1000"]);
    replace_by_link(&world, "home/web", "shared");
    run("home/web").says(&["/home/web` is a link that other users can change", FLAG]);
    run("shared")
        .says(&["which is a guest's", FLAG])
        .prints(&["users other than its owner may write to"]);
    let own = run("shared/own");
    assert!(!own.stderr.contains("guest"), "{own}");
}

#[test]
fn guest_that_replaces_its_folder_during_a_build_gets_nothing_else_into_the_image() {
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    world.buildah();
    registry.push_shell("tool:1", &[("name", "tool")]);
    world.write("private/text", "hunter2");
    world.write("src/text", "hello");
    let dockerfile = format!(
        "FROM {}\nRUN {}\nCOPY text /text\n",
        registry.image("tool:1"),
        gate.wait_command()
    );
    world.write("src/Dockerfile", &dockerfile);
    let (context, host) = (guests_folder(&world, ""), registry.host());
    let build = world.spawn(&["build", "-r", &host, "-t", "web:1", &context]);
    let waiting = gate.arrival();
    replace_by_link(&world, "src", "private");
    waiting.go_on();
    build.wait().ok();
    assert_eq!(registry.file("web:1", "text").as_deref(), Some("hello"));
    assert!(!world.state().join("runs/ca1/context").exists());
}

#[test]
fn named_context_of_a_guest_is_copied_and_never_a_link_of_the_guest() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.buildah();
    registry.push_shell("tool:1", &[("name", "tool")]);
    let (context, host) = (guests_folder(&world, ""), registry.host());
    let compose = format!(
        "services:\n  web:\n    image: {host}/web:1\n    build: {{context: ., additional_contexts: {{more: ./more}}}}\n"
    );
    let tool = registry.image("tool:1");
    let dockerfile = format!("FROM {tool}\nCOPY --from=more text /text\n");
    world.write("src/compose.yaml", &compose);
    world.write("src/Dockerfile", &dockerfile);
    world.write("src/more/text", "hello");
    world.write("private/text", "hunter2");
    for file in ["src/compose.yaml", "src/more"] {
        chown(world.path(file), Some(1000), Some(1000)).unwrap();
    }
    let adopt = ["task", "adopt", &context, "-r", &host, "--no-run", "--yes"];
    world.acrt(&adopt).ok();
    world.acrt(&["task", "run", "-n", "web"]).ok();
    assert_eq!(registry.file("web:1", "text").as_deref(), Some("hello"));
    let built = calls.of("build");
    assert!(
        built.iter().any(|it| it.contains("/context-0")),
        "{built:?}"
    );
    replace_by_link(&world, "src/more", "private");
    world
        .acrt(&["task", "run", "-n", "web"])
        .exits(1)
        .says(&["/src/more` is a link that other users can change", FLAG]);
    assert_eq!(calls.of("build").len(), built.len());
}

#[test]
fn context_for_one_run_has_neither_the_trust_nor_the_privileges_of_the_task() {
    let (world, registry) = (World::new(), Registry::start());
    let file = "steps:\n- cmd: x\n  network: host\n";
    let (context, host) = (guests_folder(&world, file), registry.host());
    world.write("other/acb.yaml", file);
    chown(world.path("other"), Some(1000), Some(1000)).unwrap();
    let other = world.path("other").display().to_string();
    let create = [
        "task", "create", "-n", "web", "-r", &host, "-f", "acb.yaml", "-c", &context,
    ];
    world
        .acrt(&[&create[..], &[FLAG, "--allow-privileged"]].concat())
        .ok();
    let run = |options: &[&str]| {
        let line = ["task", "run", "-n", "web", "--dry-run"];
        world.acrt(&[&line[..], options].concat())
    };
    run(&[]).ok();
    run(&["-c", &context]).ok();
    let refused = run(&["-c", &other]);
    assert!(refused.stderr.contains("which is a guest's"), "{refused}");
    run(&["-c", &other, FLAG]).ok();
    world.write("other/acb.yaml", "steps:\n- cmd: x\n  privileged: true\n");
    world
        .acrt(&["task", "run", "-n", "web", "-c", &other])
        .exits(1)
        .says(&["asks to be privileged", "--allow-privileged"]);
    // A new context of the task itself is trusted, and acrt says so.
    let update = |options: &[&str]| {
        let line = ["task", "update", "-n", "web", "-c"];
        world.acrt(&[&line[..], options].concat()).ok()
    };
    update(&[&other]).says(&[
        "the new context of task `web` is trusted",
        "--trust-context false",
    ]);
    let told = update(&[&context, FLAG, "true"]);
    assert!(!told.stderr.contains("the new context"), "{told}");
}

#[test]
fn trust_is_stored_in_the_definition_shown_and_revocable() {
    let (world, registry, _) = world();
    let context = guests_folder(&world, "steps:\n- id: reach\n  cmd: x\n  network: host\n");
    let host = registry.host();
    let create = [
        "task", "create", "-n", "web", "-r", &host, "-f", "acb.yaml", "-c", &context,
    ];
    let task = world
        .acrt(&create)
        .ok()
        .says(&[
            "runs will be refused without --trust-context",
            "step `reach`",
        ])
        .json();
    assert_eq!(task["step"]["trustContext"], false);
    let task = world.acrt(&[&create[..], &[FLAG]].concat()).ok().json();
    assert_eq!(task["step"]["trustContext"], true);
    let kept = fs::read_to_string(world.state().join(format!("tasks/{host}/web.yaml"))).unwrap();
    assert!(kept.contains("trustContext: true"), "{kept}");
    let update = |value: &str| {
        world
            .acrt(&["task", "update", "-n", "web", FLAG, value])
            .ok();
        let shown = world.acrt(&["task", "show", "-n", "web"]).ok().json();
        shown["step"]["trustContext"].clone()
    };
    assert_eq!(update("False"), false);
    assert_eq!(update("true"), true);
    // Another change keeps the setting.
    world
        .acrt(&["task", "update", "-n", "web", "--timeout", "9"])
        .ok();
    let shown = world.acrt(&["task", "show", "-n", "web"]).ok().json();
    assert_eq!(shown["step"]["trustContext"], true);
    assert_eq!(update("false"), false);
    world
        .acrt(&["task", "run", "-n", "web"])
        .exits(1)
        .says(&[FLAG]);
    let run = world.acrt(&["task", "run", "-n", "web", FLAG]);
    assert!(!run.stderr.contains("guest"), "{run}");
}

#[test]
fn pipes_and_devices_are_refused_at_once_for_trusted_and_untrusted_contexts() {
    let (world, registry, _) = world();
    let context = world.context("src", "FROM scratch\n");
    let host = registry.host();
    let pipe = world.path("src/pipe.yaml");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    for target in ["/dev/ptmx", "/dev/zero", "/proc/kmsg", "pipe.yaml"] {
        for name in ["acb.yaml", "Dockerfile", "values.yaml", "own.dockerignore"] {
            let _ = fs::remove_file(world.path("src").join(name));
            symlink(Path::new(target), world.path("src").join(name)).unwrap();
        }
        world.write("src/own.yaml", "steps:\n- {cmd: x}\n");
        world.write("src/own", "FROM scratch\n");
        let told = "it is not a regular file";
        run(&world, &registry, &[], &context).exits(2).says(&[told]);
        run(
            &world,
            &registry,
            &["-f", "own.yaml", "--values", "values.yaml"],
            &context,
        )
        .exits(2)
        .says(&[told]);
        for file in ["Dockerfile", "own"] {
            world
                .acrt(&["build", "-r", &host, "--no-push", "-f", file, &context])
                .says(&[told]);
        }
    }
}
