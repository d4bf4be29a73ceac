//! `acrt run`: runs the steps of a file once.

use std::fs;

use rustix::process::Signal;

use crate::support::{Calls, Gate, Registry, World};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    registry.push_shell("base:1", &[("version", "one")]);
    registry.push_shell("tool:1", &[("name", "tool")]);
    (world, registry)
}

/// Checks that docker has no containers and networks of a run.
fn docker_is_empty(world: &World) {
    let docker = world.path("bin/docker");
    for list in [
        ["ps", "--all", "--format={{.Names}}"],
        ["network", "ls", "--format={{.Name}}"],
    ] {
        let mut docker = world.command(&docker);
        docker.args(list);
        let printed = docker.output().unwrap().stdout;
        let names = String::from_utf8(printed).unwrap();
        let names: Vec<&str> = names
            .lines()
            .filter(|name| !["host", "none"].contains(name))
            .collect();
        assert!(names.is_empty(), "{names:?}");
    }
}

fn run(world: &World, registry: &Registry, file: &str, options: &[&str]) -> crate::support::Output {
    world.write("src/acb.yaml", file);
    let context = world.path("src").display().to_string();
    let host = registry.host();
    world.acrt(&[&["run", "--registry", &host], options, &[&context]].concat())
}

#[test]
fn command_step_runs_in_a_container() {
    let (world, registry) = world();
    let cmd = format!(
        "{} sh -c 'echo hello $((1+2)); pwd'",
        registry.image("tool:1")
    );
    let host = registry.host();
    let run = world
        .acrt(&["run", "--registry", &host, "--cmd", &cmd, "/dev/null"])
        .ok()
        .prints(&["hello 3\n", "Run ID: ca1 was successful"]);
    assert!(
        run.stdout.contains(&registry.digest("tool:1").unwrap()),
        "{run}"
    );
    let shown = world
        .acrt(&["task", "show-run", "--run-id", "ca1"])
        .ok()
        .json();
    assert_eq!(shown["runType"], "QuickRun");
    assert_eq!(shown["task"], serde_json::Value::Null);
    assert_eq!(shown["status"], "Succeeded");
    assert!(!world.state().join("runs/ca1/steps").exists());
    assert!(fs::read_dir(world.state().join("tasks")).is_err());
}

/// Builds, tests and pushes an image, with a builder on `PATH`.
fn serves(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    registry.push_shell("base:1", &[("version", "one")]);
    world.write(
        "src/Dockerfile",
        &format!(
            "FROM {}\nRUN echo built > /made\n",
            registry.image("base:1")
        ),
    );
    let file = "version: v1.1.0\nsteps:\n- build: -t $Registry/web:$ID .\n- cmd: $Registry/web:$ID sh -c 'cat /made; pwd'\n- push: ['$Registry/web:$ID']\n";
    run(&world, &registry, file, &[])
        .ok()
        .prints(&["| built\n", "| /workspace\n"]);
    assert_eq!(registry.file("web:ca1", "made").as_deref(), Some("built\n"));
    assert!(registry.depends_on("web:ca1", "base:1"));
    assert!(!world.state().join("runs/ca1/steps").exists());
}

/// Passes secrets with special characters in `env`, to a user that cannot read root's files.
fn hands_secrets_over(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry) = (World::new(), Registry::start());
    let calls = put_on_path(&world);
    registry.push_shell("tool:1", &[]);
    let tool = registry.image("tool:1");
    let values = [
        "hunter2",
        "-n=--x",
        "it's \"quoted\" \\ `id` $(id) $HOME !*?",
        "two\nlines\n\n  and=more\n#end",
    ];
    let (mut env, mut options, mut echo) = (Vec::new(), Vec::new(), Vec::new());
    for (n, value) in values.iter().enumerate() {
        let path = world.write(&format!("secret{n}"), value);
        options.extend([
            "--set-secret".to_owned(),
            format!("v{n}=file:{}", path.display()),
        ]);
        env.push(format!("{{{{printf \"V{n}=%s\" .Values.v{n} | toJson}}}}"));
        echo.push(format!("printf %s \"$V{n}\" | busybox sha256sum"));
    }
    let file = format!(
        "env: [{}, PLAIN=seen]\nsteps:\n- cmd: {tool} sh -c '{}; echo $PLAIN $1' sh argument\n  user: '1000'\n",
        env.join(", "),
        echo.join("; ")
    );
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let run = run(&world, &registry, &file, &options).ok();
    for value in values {
        let hash = acrt::image::Digest::of(value.as_bytes());
        assert!(run.stdout.contains(hash.hex()), "{value:?}: {run}");
    }
    assert!(run.stdout.contains("seen argument\n"), "{run}");
    let told = format!("{}{}{}", run.stdout, run.stderr, calls.lines().join("\n"));
    assert!(
        !told.contains("hunter2") && !told.contains("-n=--x"),
        "{told}"
    );
    for (path, text) in world.state_files() {
        assert!(!text.contains("hunter2"), "{}", path.display());
    }
    assert!(!world.state().join("runs/ca1/steps").exists());
}

#[test]
fn docker_passes_secrets_of_any_form_to_a_step() {
    hands_secrets_over(World::docker);
}

#[test]
fn podman_passes_secrets_of_any_form_to_a_step() {
    hands_secrets_over(World::podman);
}

#[test]
fn buildah_passes_secrets_of_any_form_to_a_step() {
    hands_secrets_over(World::buildah);
}

#[test]
fn podman_runs_a_multi_step_task() {
    serves(World::podman);
}

#[test]
fn buildah_runs_a_multi_step_task() {
    serves(World::buildah);
}

/// A file that builds two images concurrently, tests one, and pushes both: the example in ACR's documentation.
fn gate_file(registry: &Registry, test: &str) -> String {
    format!(
        "version: v1.1.0\nsteps:\n\
         - id: build-web\n  build: -t $Registry/web:$ID --build-arg BASE={base} -f web/Dockerfile web\n  when: ['-']\n\
         - id: build-test\n  build: --tag=$Registry/test:$ID -f test/Dockerfile test\n  when: ['-']\n\
         - id: test\n  cmd: $Registry/test:$ID {test}\n  when: [build-web, build-test]\n\
         - id: push\n  push: ['$Registry/web:$ID', '$Registry/test:$ID']\n  when: [test]\n",
        base = registry.image("base:1")
    )
}

fn write_contexts(world: &World, registry: &Registry) {
    world.write(
        "src/web/Dockerfile",
        "ARG BASE\nFROM $BASE\nRUN echo web > /web\n",
    );
    let tool = registry.image("tool:1");
    world.write(
        "src/test/Dockerfile",
        &format!("FROM {tool}\nRUN echo test > /test\n"),
    );
}

#[test]
fn multi_step_task_pushes_after_a_successful_test() {
    let (world, registry) = world();
    write_contexts(&world, &registry);
    let file = gate_file(&registry, "sh -c 'echo testing; cat /test'");
    let run = run(&world, &registry, &file, &["--jobs", "2"])
        .ok()
        .prints(&["test | testing\n", "push | acrt: succeeded"]);
    assert_eq!(registry.tags("web"), ["ca1"], "{run}");
    assert!(registry.depends_on("web:ca1", "base:1"), "{run}");
    assert_eq!(registry.file("web:ca1", "web").as_deref(), Some("web\n"));
    let shown = world
        .acrt(&["task", "show-run", "--run-id", "ca1"])
        .ok()
        .json();
    let bases: Vec<_> = shown["baseImageDependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|base| base["repository"].as_str().unwrap())
        .collect();
    assert_eq!(bases, ["base", "tool"]);
    assert_eq!(
        shown["outputImages"][0]["digest"],
        registry.digest("web:ca1").unwrap()
    );
}

#[test]
fn multi_step_task_pushes_nothing_after_a_failed_test() {
    let (world, registry) = world();
    write_contexts(&world, &registry);
    let file = gate_file(&registry, "sh -c 'exit 7'");
    let run = run(&world, &registry, &file, &[])
        .exits(1)
        .says(&["step `test` failed: the exit code of the command is 7"])
        .prints(&["acrt: skipped: push\n"]);
    assert_eq!(registry.digest("web:ca1"), None, "{run}");
    assert!(!world.state().join("runs/ca1/steps").exists());
}

#[test]
fn failed_build_of_dockers_classic_builder_leaves_no_container() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nRUN exit 3\n", registry.image("tool:1"));
    world.write("src/Dockerfile", &dockerfile);
    run(&world, &registry, "steps:\n- build: .\n", &[]).exits(1);
    docker_is_empty(&world);
}

#[test]
fn steps_share_a_workspace_outside_the_context_folder() {
    let (world, registry) = world();
    let tool = registry.image("tool:1");
    world.write("src/own", "mine");
    let file = format!(
        "steps:\n\
         - cmd: {tool} sh -c 'cat own; echo FROM {tool} > made; echo RUN echo made it >> made; echo $HOME > /acb/home/x'\n\
         - cmd: {tool} sh -c 'pwd; cat ../own ../../acb/home/x'\n  workingDirectory: sub\n\
         - build: -f made -t local .\n"
    );
    fs::create_dir_all(world.path("src/sub")).unwrap();
    run(&world, &registry, &file, &[]).ok().prints(&[
        "/workspace/sub\n",
        "mine/acb/home\n",
        "made it\n",
    ]);
    assert!(!world.path("src/made").exists());
}

#[test]
fn failed_steps_are_retried_repeated_or_ignored_as_the_file_says() {
    let (world, registry) = world();
    world.set("ACRT_NOW", "2026-01-02T03:04:05Z");
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n\
         - id: flaky\n  cmd: {tool} sh -c 'echo x >> n; echo try $(wc -l < n); test $(wc -l < n) -ge 2'\n  retries: 2\n  retryDelay: 3600\n\
         - id: series\n  cmd: {tool} sh -c 'echo y >> m; wc -l < m; test $(wc -l < m) = 2'\n  repeat: 1\n  ignoreErrors: true\n\
         - id: picky\n  cmd: {tool} sh -c 'echo fatal; exit 3'\n  retries: 5\n  retryOnErrors: [transient]\n"
    );
    let run = run(&world, &registry, &file, &[])
        .exits(1)
        .says(&["step `picky` failed: the exit code of the command is 3"])
        .prints(&[
            "flaky | try 2\n",
            "flaky | acrt: tried again in 3600 seconds",
            "series | 2\n",
            "which is ignored",
            "step `series` failed 1 of 2 times",
        ]);
    assert_eq!(run.stdout.matches("picky | fatal\n").count(), 1, "{run}");
}

#[test]
fn image_of_an_ignored_failed_build_is_verified_and_recorded_as_one_of_a_registry() {
    let (world, registry) = daemonless();
    let (base, tool) = (registry.image("base:1"), registry.image("tool:1"));
    world.write("src/Dockerfile", &format!("FROM {base}\n"));
    let file = format!(
        "steps:\n- build: -t {base} -t {tool} -f missing .\n  ignoreErrors: true\n- build: .\n- cmd: {tool} sh -c 'exit 0'\n"
    );
    run(&world, &registry, &file, &[]).ok();
    let run_of = world.runs().remove(0);
    let dependencies = run_of["baseImageDependencies"].as_array().unwrap();
    assert_eq!(dependencies.len(), 2, "{run_of}");
    for (dependency, name) in dependencies.iter().zip(["base:1", "tool:1"]) {
        assert_eq!(dependency["digest"], registry.digest(name).unwrap());
    }
    world.fake("vouch", "exit 1");
    for image in [&base, &tool] {
        let repository = image.strip_suffix(":1").unwrap();
        world.config(&format!(
            "verify: [{{images: ['{repository}'], command: [vouch, '{{image}}']}}]\n"
        ));
        let refused = run(&world, &registry, &file, &[]).exits(1);
        refused.says(&["is not verified"]);
    }
}

#[test]
fn onbuild_images_of_an_image_that_an_earlier_step_has_made_are_pinned_and_recorded() {
    let (world, registry) = world();
    let trigger = format!("ONBUILD COPY --from={} /name /", registry.image("tool:1"));
    let made = registry.image("made:1");
    let base = format!("FROM {}\n{trigger}\n", registry.image("base:1"));
    world.write("src/base/Dockerfile", &base);
    world.write("src/Dockerfile", &format!("FROM {made}\n"));
    let file = format!("steps:\n- build: -t {made} base\n- build: .\n");
    let digest = registry.digest("tool:1").unwrap();
    let pinned = format!("{}@{digest}", registry.image("tool"));
    run(&world, &registry, &file, &[]).ok().prints(&[&pinned]);
    let run_of = world.runs().remove(0);
    let dependencies = run_of["baseImageDependencies"].as_array().unwrap();
    let digests: Vec<_> = dependencies.iter().map(|one| &one["digest"]).collect();
    assert!(digests.contains(&&digest.into()), "{run_of}");
}

#[test]
fn step_timeout_ends_its_container() {
    let (world, registry) = world();
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n- id: slow\n  cmd: {tool} sh -c 'sleep 1000'\n  timeout: 1\n- cmd: {tool} sh\n"
    );
    run(&world, &registry, &file, &[])
        .exits(1)
        .says(&["step `slow` took longer than 1 seconds"]);
    assert!(world.processes().is_empty(), "{:?}", world.processes());
    docker_is_empty(&world);
}

#[test]
fn secret_reaches_a_step_and_no_log() {
    let (world, registry) = world();
    world.set("MY_TOKEN", "hunter2-from-env");
    world.write("token", "hunter2-from-file\n");
    let tool = registry.image("tool:1");
    let file = format!(
        "secrets:\n- id: token\n  keyvault: env:MY_TOKEN\n- id: other\n  keyvault: https://v.vault.azure.net/secrets/x\n\
         volumes:\n- name: keys\n  secret:\n    key: {{{{ .Secrets.token | b64enc }}}}\n\
         steps:\n- cmd: {tool} sh -c 'echo $A $B; cat /keys/key; stat -c %a /keys/key; wc -c < /keys/key'\n  env: ['A={{{{.Secrets.other}}}}', 'B={{{{.Values.plain}}}}']\n  volumeMounts:\n  - name: keys\n    mountPath: /keys\n"
    );
    let from_file = format!("other=file:{}", world.path("token").display());
    let options = ["--set-secret", from_file.as_str(), "--set", "plain=seen"];
    let run = run(&world, &registry, &file, &options)
        .ok()
        .prints(&["*** seen\n", "600\n", "16\n"]);
    let told = format!("{}{}", run.stdout, run.stderr);
    assert!(!told.contains("hunter2"), "{run}");
    for (path, text) in world.state_files() {
        assert!(
            !text.contains("hunter2"),
            "{} has the secret",
            path.display()
        );
    }
    let calls = fs::read_to_string(world.path("calls/docker")).unwrap();
    assert!(
        calls.contains("--env=A ") && !calls.contains("hunter2"),
        "{calls}"
    );
}

#[test]
fn missing_secret_is_reported_with_the_option_that_sets_it() {
    let (world, registry) = world();
    let file = "secrets:\n- id: token\n  keyvault: https://v.vault.azure.net/secrets/x\nsteps:\n- cmd: x\n";
    run(&world, &registry, file, &[]).exits(1).says(&[
        "line 2: the secret `token` is in a key vault",
        "--set-secret token=env:NAME",
    ]);
}

#[test]
fn short_secret_is_redacted_without_hiding_other_values_of_a_step() {
    let (world, registry) = world();
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n- cmd: {tool} sh -c 'test $A = e && test $B = tee && test $C = RQ== && echo $PLAIN'\n  env: ['A={{{{.Values.s}}}}', 'B=t{{{{.Values.s}}}}e', 'C={{{{.Values.s | upper | b64enc}}}}', PLAIN=seen]\n"
    );
    let run = run(&world, &registry, &file, &["--set-secret", "s=e"]).ok();
    let calls = fs::read_to_string(world.path("calls/docker")).unwrap();
    for given in ["--env=A ", "--env=B ", "--env=C ", "--env=PLAIN=seen "] {
        assert!(calls.contains(given), "{given}: {calls}\n{run}");
    }
}

#[test]
fn secret_in_step_arguments_is_warned_about_and_redacted() {
    let (world, registry) = world();
    let tool = registry.image("tool:1");
    world.write("src/Dockerfile", &format!("FROM {tool}\n"));
    let file = format!(
        "steps:\n- id: c\n  cmd: {tool} sh -c 'test {{{{.Values.s | upper}}}} = HUNTER2'\n- id: b\n  build: --label l={{{{.Values.s}}}} .\n"
    );
    let run = run(&world, &registry, &file, &["--set-secret", "s=hunter2"])
        .ok()
        .says(&["step `c`: a secret is among", "step `b`: a secret is among"])
        .prints(&["'test *** = ***'"]);
    let told = format!("{}{}", run.stdout, run.stderr).to_lowercase();
    assert!(!told.contains("hunter2"), "{run}");
}

#[test]
fn privileged_step_is_refused_without_allow_privileged() {
    let (world, registry) = world();
    let file = "steps:\n- id: all\n  cmd: x\n  privileged: true\n";
    run(&world, &registry, file, &[])
        .exits(1)
        .says(&["step `all` asks to be privileged", "--allow-privileged"]);
}

#[test]
fn step_that_is_privileged_in_one_run_only_is_refused_in_that_run() {
    let (world, registry) = world();
    let file =
        "steps:\n- id: all\n  cmd: x\n{{ if eq .Run.ID \"ca3\" }}  privileged: true{{ end }}\n";
    let asks = "step `all` asks to be privileged";
    for _ in 1..=2 {
        let other = run(&world, &registry, file, &[]).exits(4);
        assert!(!other.stderr.contains(asks), "{other}");
    }
    run(&world, &registry, file, &[]).exits(1).says(&[asks]);
}

#[test]
fn stopped_run_leaves_no_container_or_file() {
    let (world, registry) = world();
    let gate = Gate::new();
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n- id: a\n  cmd: {tool} sh -c '{}; sleep 1000'\n  network: host\n  when: ['-']\n- id: b\n  cmd: {tool} sh -c 'sleep 1000'\n  when: ['-']\n",
        gate.wait_command()
    );
    world.write("src/acb.yaml", &file);
    let context = world.path("src").display().to_string();
    let running = world.spawn(&["run", "--registry", &registry.host(), &context]);
    gate.arrival().go_on();
    running.signal(Signal::INT);
    running.wait().exits(130).prints(&["was canceled after"]);
    assert!(world.processes().is_empty(), "{:?}", world.processes());
    docker_is_empty(&world);
    assert!(!world.state().join("runs/ca1/steps").exists());
}

#[test]
fn leftovers_of_a_killed_run_are_removed_by_the_next_run() {
    let (world, registry) = world();
    let gate = Gate::new();
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n- cmd: {tool} sh -c '{}; sleep 1000'\n  network: host\n",
        gate.wait_command()
    );
    world.write("src/acb.yaml", &file);
    let context = world.path("src").display().to_string();
    let host = registry.host();
    let running = world.spawn(&["run", "--registry", &host, &context]);
    let waiting = gate.arrival();
    running.kill();
    waiting.go_on();
    assert!(world.state().join("runs/ca1/steps").exists());
    let cmd = format!("{tool} sh -c exit");
    world
        .acrt(&["run", "--registry", &host, "--cmd", &cmd, "/dev/null"])
        .ok()
        .says(&["run `ca1` had died with its process"]);
    assert!(!world.state().join("runs/ca1/steps").exists());
    assert!(world.processes().is_empty(), "{:?}", world.processes());
    docker_is_empty(&world);
}

#[test]
fn task_file_is_read_from_standard_input_and_can_be_shown_without_a_run() {
    let (world, registry) = world();
    let file = gate_file(&registry, "echo ok");
    write_contexts(&world, &registry);
    let host = registry.host();
    let run = run(&world, &registry, &file, &["--dry-run"]).ok();
    assert_eq!(
        run.stdout,
        format!(
            "build-web: build {host}/web:ca1 from web\nbuild-test: build {host}/test:ca1 from test\ntest after build-web, build-test: run {host}/test:ca1 echo ok\npush after test: push {host}/web:ca1, {host}/test:ca1\n"
        )
    );
    assert!(world.runs().is_empty());
}

#[test]
fn invalid_task_file_is_a_usage_error_with_the_line() {
    let (world, registry) = world();
    run(
        &world,
        &registry,
        "steps:\n- {id: a, cmd: x, when: [b]}\n",
        &[],
    )
    .exits(2)
    .says(&[
        "acb.yaml`",
        "line 2: step `a` waits for `b`, and there is no such step",
    ]);
    let host = registry.host();
    world
        .acrt(&["run", "--registry", &host, "--file", "Dockerfile", "."])
        .exits(2)
        .says(&["its name must end with .yaml or .yml"]);
}

/// Each of these once took minutes, gigabytes or crashed the process; now all of them are fast.
#[test]
fn task_file_that_would_exhaust_time_or_memory_is_refused_with_its_line() {
    let (world, registry) = world();
    let unknown: String = (0..2500).map(|n| format!("k{n}: 1\n")).collect();
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..200 {
        aliases += &format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1);
    }
    let env = |template: &str| format!("env: ['A={template}']\nsteps:\n- cmd: x\n");
    for (file, told) in [
        (
            env("{{$l := list}}{{range until 99990}}{{$l = list $l}}{{end}}x"),
            "line 1: templates nest",
        ),
        (
            env(&format!(
                "{{{{if 0}}}}{}{{{{end}}}}",
                "{{else if 0}}".repeat(12_000)
            )),
            "line 1: the templates of the file have more than 200 `else if`",
        ),
        (
            env("{{replace \"a\" (repeat 1048576 \"b\") (repeat 1048576 \"a\")}}"),
            "line 1: templates make more than 8 MiB",
        ),
        (
            env("{{range until 100}}{{len (uniq (until 100000))}}{{end}}"),
            "line 1: templates make more than 8 MiB",
        ),
        (
            env(&format!(
                "{{{{{}1{}}}}}",
                "(".repeat(9000),
                ")".repeat(9000)
            )),
            "nesting depth exceeded",
        ),
        (
            format!("{aliases}steps:\n- cmd: x\n"),
            "line 14: the file has more than 100000 nodes",
        ),
        (
            "[".repeat(32 * 1024),
            "line 1: the file is nested more than 64 deep",
        ),
        (
            format!("steps:\n- cmd: {}\n", "x".repeat(1024 * 1024)),
            "it is larger than 1 MiB",
        ),
    ] {
        let refused = run(&world, &registry, &file, &[])
            .exits(2)
            .says(&["acb.yaml`", told]);
        assert!(refused.stderr.len() < 4000, "{refused}");
        world.write("src/values.yaml", &file);
        let of_values = told.contains("nodes") || told.contains("deep") || told.contains("larger");
        if of_values {
            run(
                &world,
                &registry,
                "steps:\n- cmd: x\n",
                &["--values", "values.yaml"],
            )
            .exits(2)
            .says(&["values.yaml`"]);
        }
    }
    let tool = registry.image("tool:1");
    let file = format!("{unknown}steps:\n- cmd: {tool} sh -c 'exit 0'\n");
    let run = run(&world, &registry, &file, &[]).ok().prints(&[
        "acrt: line 50: `k49` has no meaning here",
        "acrt: 2450 more things are odd about the file",
    ]);
    assert!(!run.stdout.contains("`k50`"), "{run}");
}

#[test]
fn unknown_task_file_keys_are_warned_about_and_nothing_else() {
    let (world, registry) = world();
    let file = format!(
        "bogus: 1\nsteps:\n- cmd: {} sh -c 'exit 0' $Registry\n",
        registry.image("tool:1")
    );
    run(&world, &registry, &file, &[]).ok().prints(&[
        "acrt: line 1: `bogus` has no meaning here",
        "acrt: line 3: `$Registry` stays as it is",
    ]);
}

#[test]
fn detached_container_is_reachable_by_its_id_and_ended_with_the_run() {
    let (world, registry) = world();
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n\
         - id: server\n  cmd: {tool} sh -c 'cd /tmp 2>/dev/null || mkdir /tmp; cd /tmp; echo it answers > x; busybox httpd -f -p 8000'\n  detach: true\n\
         - id: client\n  cmd: {tool} sh -c 'busybox wget -q -O - http://server:8000/x'\n  retries: 5\n  retryDelay: 1\n"
    );
    run(&world, &registry, &file, &[])
        .ok()
        .prints(&["client | it answers\n"]);
    docker_is_empty(&world);
}

#[test]
fn docker_stop_ends_the_container_of_an_earlier_step_and_no_other() {
    let (world, registry) = world();
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n\
         - id: server\n  cmd: -t {tool} sh -c 'trap \"echo it ended > ended; exit\" TERM; echo > ready; while :; do busybox sleep 0.1; done'\n  detach: true\n\
         - cmd: {tool} sh -c 'until busybox test -e ready; do busybox sleep 0.1; done'\n\
         - cmd: docker stop server\n\
         - cmd: {tool} busybox cat ended\n"
    );
    run(&world, &registry, &file, &[])
        .ok()
        .prints(&["| it ended\n"]);
    docker_is_empty(&world);
    for (steps, told) in [
        (
            format!("- id: server\n  cmd: {tool} true\n- cmd: docker stop server\n"),
            "`detach: true`",
        ),
        ("- cmd: docker rm -f other\n".into(), "`docker rm`"),
    ] {
        let refused = run(
            &world,
            &registry,
            &format!("steps:\n{steps}"),
            &["--dry-run"],
        );
        refused.exits(2).says(&[told]);
    }
}

#[test]
fn independent_steps_run_in_parallel_within_the_limit() {
    let (world, registry) = world();
    let (one, other) = (Gate::new(), Gate::new());
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n- id: a\n  cmd: {tool} sh -c '{}'\n  network: host\n  when: ['-']\n- id: b\n  cmd: {tool} sh -c '{}'\n  network: host\n  when: ['-']\n- id: c\n  cmd: {tool} sh -c 'echo both'\n  network: host\n  when: [a, b]\n",
        one.wait_command(),
        other.wait_command()
    );
    world.write("src/acb.yaml", &file);
    let context = world.path("src").display().to_string();
    let running = world.spawn(&["run", "--registry", &registry.host(), &context]);
    let (first, second) = (one.arrival(), other.arrival());
    second.go_on();
    first.go_on();
    running.wait().ok().prints(&["c | both\n"]);

    let running = world.spawn(&[
        "run",
        "--registry",
        &registry.host(),
        "--jobs",
        "1",
        &context,
    ]);
    let first = one.arrival();
    first.go_on();
    other.arrival().go_on();
    let output = running.wait().ok();
    let (end, begin) = (
        output.stdout.find("a | acrt: succeeded").unwrap(),
        output.stdout.find("b | acrt: started").unwrap(),
    );
    assert!(end < begin, "{output}");
}

#[test]
fn step_that_another_failed_step_stops_says_so_and_may_have_a_similar_id() {
    let (world, registry) = world();
    let (fails, stays) = (Gate::new(), Gate::new());
    let tool = registry.image("tool:1");
    let file = format!(
        "steps:\n- id: web/1\n  cmd: {tool} sh -c '{}; exit 3'\n  network: host\n- id: web-1\n  cmd: {tool} sh -c '{}'\n  network: host\n  when: ['-']\n",
        fails.wait_command(),
        stays.wait_command()
    );
    world.write("src/acb.yaml", &file);
    let context = world.path("src").display().to_string();
    let running = world.spawn(&["run", "--registry", &registry.host(), &context]);
    let (_stays, fails) = (stays.arrival(), fails.arrival());
    fails.go_on();
    let failed = running.wait().exits(1);
    let failed = failed.says(&["step `web/1` failed: the exit code of the command is 3"]);
    failed.prints(&["it was stopped, because another step has failed"]);
}

#[test]
fn detached_run_reads_its_file_from_standard_input() {
    let (world, registry) = world();
    let tool = registry.image("tool:1");
    let file = format!("steps:\n- cmd: {tool} sh -c 'echo {{{{.Values.word}}}} {{{{.Run.ID}}}}'\n");
    let file = world.write("piped.yaml", &file);
    let mut acrt = world.command(env!("CARGO_BIN_EXE_acrt"));
    acrt.args([
        "run",
        "--registry",
        &registry.host(),
        "--file",
        "-",
        "--no-wait",
    ])
    .args(["--set-secret", "word=hunter2", "/dev/null"])
    .stdin(fs::File::open(file).unwrap());
    let queued = acrt.output().unwrap();
    assert!(queued.status.success(), "{queued:?}");
    let queued: serde_json::Value = serde_json::from_slice(&queued.stdout).unwrap();
    assert_eq!(queued["runId"], "ca1");
    // The log is followed to its end.
    world
        .acrt(&["task", "logs", "--run-id", "ca1"])
        .ok()
        .prints(&["*** ca1\n", "Run ID: ca1 was successful"]);
}

/// A world with buildah, which needs no daemon.
fn daemonless() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    registry.push_shell("tool:1", &[("name", "tool")]);
    (world, registry)
}

#[test]
fn run_file_is_relative_to_the_current_folder_or_else_to_the_context() {
    let (world, registry) = daemonless();
    let (tool, host) = (registry.image("tool:1"), registry.host());
    let file = |text: &str| format!("steps:\n- cmd: {tool} sh -c 'echo {text}; cat text'\n");
    world.write("acb.yaml", &file("current"));
    world.write("sub/acb.yaml", &file("context"));
    world.write("sub/other/acb.yaml", &file("beneath"));
    world.write("sub/text", "of the context\n");
    for (options, text, said) in [
        (&["-f", "acb.yaml"][..], "current", false),
        (&["-f", "sub/acb.yaml"], "context", false),
        (&["-f", "other/acb.yaml"], "beneath", true),
        (&[], "context", false),
    ] {
        let line = [&["run", "-r", &host][..], options, &["sub"]].concat();
        let ran = world.acrt(&line).ok();
        assert!(
            ran.stdout.contains(&format!("\n{text}\nof the context\n")),
            "{ran}"
        );
        let is_said = ran.stderr.contains("is not in the current folder");
        assert_eq!(is_said, said, "{ran}");
    }
    world
        .acrt(&["run", "-r", &host, "-f", "none.yaml", "sub"])
        .exits(2)
        .says(&["unable to find `none.yaml`"]);
}

#[test]
fn task_without_context_accepts_context_and_file_for_a_single_run() {
    let (world, registry) = daemonless();
    let (tool, host) = (registry.image("tool:1"), registry.host());
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        &host,
        "-c",
        "/dev/null",
    ];
    let cmd = format!("{tool} sh -c 'echo stored'");
    world.acrt(&[&create[..], &["--cmd", &cmd]].concat()).ok();
    world.write(
        "sub/other.yaml",
        &format!("steps:\n- cmd: {tool} sh -c 'echo {{{{.Values.a}}}}; cat text'\n"),
    );
    world.write("sub/text", "of the context\n");
    let run = ["task", "run", "-n", "web"];
    let other = ["--context", "sub", "-f", "other.yaml", "--set", "a=given"];
    let ran = world.acrt(&[&run[..], &other].concat()).ok();
    assert!(ran.stdout.contains("given\nof the context\n"), "{ran}");
    world.acrt(&run).ok().prints(&["stored\n"]);
    world
        .acrt(&[&run[..], &["-f", "other.yaml"]].concat())
        .exits(2)
        .says(&["--context"]);
}

#[test]
fn alias_values_may_be_templates_without_quotes() {
    let (world, registry) = daemonless();
    let host = registry.host();
    world.write("sub/more.yaml", "name: {{.Values.name}}\n");
    let file = "version: v1.1.0\nalias:\n  values:\n    tool: {{.Run.Registry}}/tool:1\n    word: {{ .Values.word | upper }}\n    hidden: {{.Values.hidden}}\n    loud: -t -e LOUD=aloud {{.Run.Registry}}/tool:1 sh -c\n  src: [more.yaml]\nsteps:\n- cmd: loud 'echo said $LOUD'\n- cmd: -t tool sh -c 'echo behind options'\n- cmd: $tool sh -c 'echo $word-$name; test $hidden = hunter2 && echo it is'\n- cmd: tool sh -c 'echo by its name'\n";
    world.write("sub/acb.yaml", file);
    let run = [
        "run",
        "-r",
        &host,
        "--set",
        "word=hello",
        "--set",
        "name=web",
    ];
    let ran = world
        .acrt(&[&run[..], &["--set-secret", "hidden=hunter2", "sub"]].concat())
        .ok();
    for text in [
        "HELLO-web\n",
        "it is\n",
        "by its name\n",
        "said aloud\n",
        "behind options\n",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {ran}");
    }
    assert!(!ran.stdout.contains("hunter2"), "{ran}");
}

#[test]
fn docker_options_before_the_image_become_step_properties() {
    let (world, registry) = world();
    let (tool, host) = (registry.image("tool:1"), registry.host());
    let file = format!(
        "env: [A=of the file]\nsteps:\n- cmd: -t --rm -e A=given -e B=more -w /elsewhere --entrypoint sh {tool} -c 'echo $A $B; pwd'\n- id: server\n  cmd: -d --expose 8000 {tool} sh -c 'cd /tmp 2>/dev/null || mkdir /tmp; cd /tmp; echo it answers > x; busybox httpd -f -p 8000'\n- cmd: {tool} sh -c 'until busybox wget -q -O - http://server:8000/x; do :; done'\n"
    );
    run(&world, &registry, &file, &[]).ok().prints(&[
        "| given more\n",
        "| /elsewhere\n",
        "| it answers\n",
    ]);
    docker_is_empty(&world);
    let cmd = format!("--entrypoint sh {tool} -c 'echo of a command'");
    for option in [&["--cmd", &cmd][..], &[&format!("--cmd={cmd}")]] {
        let line = [&["run", "-r", &host][..], option, &["/dev/null"]].concat();
        world.acrt(&line).ok().prints(&["of a command\n"]);
    }
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        &host,
        "-c",
        "/dev/null",
    ];
    world.acrt(&[&create[..], &["--cmd", &cmd]].concat()).ok();
    world.run("web").ok().prints(&["of a command\n"]);
    let privileged = format!("--privileged {tool} true");
    let line = ["run", "-r", &host, "--cmd", &privileged, "/dev/null"];
    world.acrt(&line).exits(1).says(&["--allow-privileged"]);
}

#[test]
fn command_that_needs_a_docker_daemon_is_refused_before_it_is_stored_or_shown() {
    let (world, registry) = daemonless();
    let host = registry.host();
    for (cmd, instead) in [
        ("docker build -t x .", "`build:`"),
        ("docker push x", "`push:`"),
        ("docker:cli run alpine", "cmd: IMAGE"),
        ("docker docker images", "images are fetched"),
        ("-t docker pull x", "images are fetched"),
    ] {
        let create = [
            "task",
            "create",
            "-n",
            "web",
            "-r",
            &host,
            "-c",
            "/dev/null",
        ];
        let told = ["no step is handed a Docker daemon", instead];
        world
            .acrt(&[&create[..], &["--cmd", cmd]].concat())
            .exits(2)
            .says(&told);
        let dry = ["run", "-r", &host, "--dry-run", "--cmd", cmd, "/dev/null"];
        world.acrt(&dry).exits(2).says(&told);
    }
    for cmd in [
        "docker --version",
        "docker sh -c true",
        "-e DOCKER_HOST=tcp://x docker ps",
    ] {
        let dry = ["run", "-r", &host, "--dry-run", "--cmd", cmd, "/dev/null"];
        world.acrt(&dry).ok();
    }
}

#[test]
fn command_steps_receive_credentials_of_the_registries_that_the_task_uses() {
    let (world, registry) = (World::new(), Registry::with_login());
    world.buildah();
    registry.push_shell("tool:1", &[]);
    let (tool, host) = (registry.image("tool:1"), registry.host());
    let own = registry.docker_config().replacen(
        "{\"auths\":{",
        "{\"auths\":{\"named.example\":{\"auth\":\"bWU6c2VjcmV0\"},\"other.example\":{\"auth\":\"bWU6c2VjcmV0\"},",
        1,
    );
    assert!(own.contains("other.example"), "{own}");
    world.write("home/.docker/config.json", &own);
    let look = format!(
        r#"config=$HOME/.docker/config.json
auth=$(busybox sed -n 's/.*"{host}":{{"auth":"\([^"]*\)".*/\1/p' $config)
busybox wget -q -O - --header "Authorization: Basic $auth" http://{host}/v2/ && echo logged in
busybox grep -c named.example $config
busybox grep -c other.example $config
busybox stat -c %a $config
echo $auth
"#
    );
    world.write("src/look.sh", &look);
    let file = format!(
        "steps:\n- cmd: {tool} sh look.sh named.example/x:1\n- user: '1000'\n  cmd: {tool} sh -c 'busybox grep -c named.example $HOME/.docker/config.json; echo mine > $HOME/own; busybox cat $HOME/own'\n"
    );
    world.write("src/acb.yaml", &file);
    let context = world.path("src").display().to_string();
    let line = ["run", "-r", &host, &context];
    let ran = world.acrt(&line).ok().prints(&[
        "logged in\nacb_step_0 | 1\nacb_step_0 | 0\nacb_step_0 | 644\nacb_step_0 | ***\n",
        "acb_step_1 | 1\nacb_step_1 | mine\n",
    ]);
    let kept: Vec<_> = world.state_files();
    assert!(
        !kept
            .iter()
            .any(|(_, text)| text.contains("YWNydDpodW50ZXI")),
        "{ran}"
    );
    assert!(!world.state().join("runs/ca1/steps").exists());
    // A guest's file could leak them.
    let file = format!("steps:\n- cmd: {tool} sh -c 'test -e $HOME/.docker || echo none'\n");
    world.write("src/acb.yaml", &file);
    rustix::fs::chown(
        world.path("src"),
        Some(rustix::fs::Uid::from_raw(1000)),
        None,
    )
    .unwrap();
    world.acrt(&line).ok().prints(&[
        "none\n",
        "acrt: steps get no logins: the context is a guest's",
    ]);
}

#[test]
fn buildah_runs_steps_on_the_network_of_the_machine_or_one_after_the_other() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("tool:1", &[]);
    let steps = |more: &str| {
        let step = format!("cmd: '{} sh -c exit'", registry.image("tool:1"));
        format!("steps:\n- {{id: a, {step}}}\n- {{id: b, {step}{more}}}\n")
    };
    let parallel = steps(", when: ['-']");
    run(&world, &registry, &parallel, &[])
        .exits(1)
        .says(&["has no networks", "with --jobs 1"]);
    run(&world, &registry, &parallel, &["--jobs", "1"]).ok();
    let host = parallel.replace("exit'", "exit', network: host");
    run(&world, &registry, &host, &[]).ok();
    let redundant = format!(
        "{}- {{cmd: '{} sh -c exit', when: [a, b]}}\n",
        steps(""),
        registry.image("tool:1")
    );
    run(&world, &registry, &redundant, &[]).ok();
}

#[test]
fn cache_of_a_step_is_left_out_where_the_docker_daemon_cannot_store_it() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    crate::support::builders::add_buildx(&world);
    world.write("src/Dockerfile", "FROM scratch\nCOPY Dockerfile /d\n");
    let file = "version: v1.1.0\nsteps:\n- build: -t $Registry/web:1 .\n  cache: enabled\n- push: [$Registry/web:1]\n";
    run(&world, &registry, file, &[])
        .ok()
        .says(&["stores no cache on its registry"]);
    assert_eq!(registry.tags("web"), ["1"]);
}
