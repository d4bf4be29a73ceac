//! `acrt task watch`: stale tasks are rebuilt in order, and nothing else.

use std::fs;

use rustix::process::Signal;

use crate::support::{Gate, Image, Registry, World, eventually, program};

/// A machine with buildah, a registry with `base:1`, and that registry.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

#[test]
fn moved_base_rebuilds_the_whole_chain_in_order() {
    let (world, registry) = world();
    // Created child first, with names for which no alphabetical order is right.
    for (task, base) in [
        ("b-app", "base:1"),
        ("c-lib", "b-app:latest"),
        ("a-site", "c-lib:latest"),
    ] {
        let dockerfile = format!("{}RUN echo {task} > /{task}\n", from(&registry, base));
        world.tracked_task(&registry, task, &dockerfile);
    }
    registry.push_shell("base:1", &[("version", "two")]);

    let states = world.states();
    assert_eq!(
        [&states["b-app"], &states["c-lib"], &states["a-site"]],
        ["stale", "waiting", "waiting"]
    );
    let round = world.watch_once().ok();
    let told: Vec<&str> = round
        .stdout
        .lines()
        .filter_map(|line| line.split(':').nth(1))
        .collect();
    assert_eq!(told.len(), 3, "{round}");
    assert_eq!(
        world.history()[3..],
        ["b-app Succeeded", "c-lib Succeeded", "a-site Succeeded"]
    );
    assert_eq!(
        registry.file("a-site:latest", "version").as_deref(),
        Some("two")
    );
    assert!(registry.depends_on("a-site:latest", "c-lib:latest"));
    assert!(registry.depends_on("c-lib:latest", "b-app:latest"));
    assert!(registry.depends_on("b-app:latest", "base:1"));

    world.watch_once().ok().silent();
    assert_eq!(world.history().len(), 6);
}

#[test]
fn task_with_two_moved_bases_runs_once_with_both_as_its_cause() {
    let (world, registry) = world();
    registry.push("tools:1", &[("tool", "one")]);
    let dockerfile = format!(
        "{}COPY --from={} /tool /tool\n",
        from(&registry, "base:1"),
        registry.image("tools:1")
    );
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &["--base-image-trigger-type", "All"],
    );
    world.run("web").ok();
    let base = registry.push_shell("base:1", &[("version", "two")]);
    let tools = registry.push("tools:1", &[("tool", "two")]);

    world.watch_once().ok();
    let runs = world.runs();
    assert_eq!(runs.len(), 2);
    let mut causes: Vec<_> = runs[0]["imageUpdateTrigger"]["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["digest"].as_str().unwrap().to_owned())
        .collect();
    causes.sort();
    let mut moved = [base, tools];
    moved.sort();
    assert_eq!(causes, moved);
    assert_eq!(runs[0]["runType"], "AutoRun");
    assert_eq!(registry.file("web:latest", "tool").as_deref(), Some("two"));
}

#[test]
fn diamond_of_four_tasks_makes_four_runs() {
    let (world, registry) = world();
    world.tracked_task(&registry, "root", &from(&registry, "base:1"));
    for side in ["left", "right"] {
        let dockerfile = format!(
            "{}RUN echo {side} > /{side}\n",
            from(&registry, "root:latest")
        );
        world.tracked_task(&registry, side, &dockerfile);
    }
    let dockerfile = format!(
        "{}COPY --from={} /right /right\n",
        from(&registry, "left:latest"),
        registry.image("right:latest")
    );
    world.task_with(
        &registry,
        "top",
        &dockerfile,
        &["--base-image-trigger-type", "All"],
    );
    world.run("top").ok();
    registry.push_shell("base:1", &[("version", "two")]);

    world.watch_once().ok();
    let history = world.history();
    assert_eq!(history.len(), 8);
    assert_eq!(history[4], "root Succeeded");
    assert_eq!(history[7], "top Succeeded");
    assert!(registry.depends_on("top:latest", "left:latest"));
    world.watch_once().ok().silent();
}

#[test]
fn tasks_on_one_tag_share_one_request() {
    let (world, registry) = world();
    for task in ["a", "b", "c"] {
        world.tracked_task(&registry, task, &from(&registry, "base:1"));
    }
    registry.forget_requests();
    world.watch_once().ok().silent();
    let requests: Vec<String> = registry
        .requests()
        .into_iter()
        .map(|request| format!("{} {} {}", request.method, request.path, request.status))
        .collect();
    assert_eq!(requests, ["HEAD /v2/base/manifests/1 200"]);
}

#[test]
fn tag_moved_during_the_build_is_detected_by_the_next_check() {
    let (world, registry) = world();
    let gate = Gate::new();
    let dockerfile = format!("{}RUN {}\n", from(&registry, "base:1"), gate.wait_command());
    world.task(&registry, "web", &dockerfile);
    let decided = registry.digest("base:1").unwrap();

    let run = world.spawn(&["task", "run", "--name", "web"]);
    let waiting = gate.arrival();
    let newer = registry.push_shell("base:1", &[("version", "two")]);
    waiting.go_on();
    run.wait().ok();
    assert!(registry.depends_on("web:latest", &format!("base@{decided}")));
    assert!(!registry.depends_on("web:latest", &format!("base@{newer}")));
    let recorded = world.acrt(&["task", "show", "--name", "web"]).ok().json();
    assert_eq!(
        recorded["step"]["baseImageDependencies"][0]["digest"],
        decided
    );

    assert_eq!(world.state_of("web"), "stale");
    let round = world.spawn(&["task", "watch", "--once"]);
    gate.arrival().go_on();
    round.wait().ok();
    assert!(registry.depends_on("web:latest", &format!("base@{newer}")));
    world.watch_once().ok().silent();
}

#[test]
fn tag_moved_again_during_the_round_is_built_by_the_next_round() {
    let (world, registry) = world();
    let gate = Gate::new();
    let dockerfile = format!("{}RUN {}\n", from(&registry, "base:1"), gate.wait_command());
    world.task(&registry, "web", &dockerfile);
    let first = world.spawn(&["task", "run", "--name", "web"]);
    gate.arrival().go_on();
    first.wait().ok();

    registry.push_shell("base:1", &[("version", "two")]);
    let round = world.spawn(&["task", "watch", "--once"]);
    let waiting = gate.arrival();
    registry.push_shell("base:1", &[("version", "three")]);
    waiting.go_on();
    round.wait().ok();
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );

    let round = world.spawn(&["task", "watch", "--once"]);
    gate.arrival().go_on();
    round.wait().ok();
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("three")
    );
}

#[test]
fn unreachable_registry_is_reported_and_tasks_of_others_are_rebuilt() {
    let (world, registry) = world();
    let other = Registry::start();
    other.push("base:1", &[("version", "one")]);
    world.tracked_task(&registry, "here", &from(&registry, "base:1"));
    world.tracked_task(&other, "there", &from(&other, "base:1"));
    registry.push_shell("base:1", &[("version", "two")]);
    other.push("base:1", &[("version", "two")]);
    other.stop();

    let round = world.watch_once().exits(4).says(&[&other.image("base:1")]);
    assert!(round.stdout.contains("here: rebuilt"), "{round}");
    assert_eq!(
        registry.file("here:latest", "version").as_deref(),
        Some("two")
    );
    assert_eq!(world.states()["there"], "unknown");

    other.restart();
    world.watch_once().ok();
    assert_eq!(
        other.file("there:latest", "version").as_deref(),
        Some("two")
    );
    world.watch_once().ok().silent();
}

#[test]
fn unreachable_registry_is_one_line_for_all_its_tasks_and_one_when_recovered() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    source.push("base:1", &[("version", "one")]);
    let (from, to) = (source.image("base:1"), target.host());
    for n in 0..12 {
        let (name, image) = (format!("copy-{n:02}"), format!("copy-{n}:1"));
        let create = [
            "task", "create", "-n", &name, "-r", &to, "-t", &image, "--import", &from,
        ];
        world.acrt(&create).ok();
        world.run(&name).ok();
    }
    source.stop();
    let round = world.watch_once().exits(4);
    let host = source.host();
    let begin = format!(
        "{host}: unknown: `{host}` cannot be reached: HEAD http://{host}/v2/base/manifests/1: "
    );
    let end = format!(
        "; 12 tasks wait for it: copy-00, copy-01, copy-02 and 9 more; see what answers there: acrt check-health {host}\n"
    );
    assert!(
        round.stderr.starts_with(&begin) && round.stderr.ends_with(&end),
        "{round}"
    );
    assert_eq!(round.stderr.lines().count(), 1, "{round}");
    // It is unchanged, and cron mails nothing; tasks that join it are not reported one by one.
    assert_eq!(world.watch_once().exits(4).stderr, "");
    let check = world.acrt(&["task", "check"]).exits(4);
    assert_eq!(check.json().as_array().unwrap().len(), 12);
    assert!(
        check.json()[11]["reason"]
            .as_str()
            .unwrap()
            .contains("HEAD http://")
    );
    assert_eq!(check.stderr, "");
    for command in [&["task", "check", "-o", "table"][..], &["status"]] {
        let table = world.acrt(command).exits(4);
        let why = format!("`{host}` cannot be reached");
        assert_eq!(table.stdout.matches(&why).count(), 12, "{table}");
        assert!(!table.stdout.contains("HEAD"), "{table}");
        let lines = table.stderr.lines();
        assert_eq!(
            lines.filter(|line| line.ends_with(end.trim_end())).count(),
            1,
            "{table}"
        );
    }
    source.restart();
    assert_eq!(
        world.watch_once().ok().stderr,
        format!("{host}: answers again, or is no longer needed\n")
    );
    world.watch_once().ok().silent();
}

#[test]
fn watch_reports_once_that_a_registry_is_unreachable_and_that_it_recovered() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    source.push("base:1", &[("version", "one")]);
    for name in ["one", "two"] {
        let image = target.image(name);
        let from = source.image("base:1");
        let create = ["task", "create", name, "-t", &image, "--import", &from];
        world.acrt(&create).ok();
        world.run(name).ok();
    }
    let host = source.host();
    world.config(&format!("registries: {{'{host}': {{everySeconds: 1}}}}\n"));
    source.stop();
    let watch = world.spawn(&["task", "watch"]);
    watch.stderr_has("; 2 tasks wait for it: one, two; ");
    source.restart();
    watch.stderr_has(&format!("{host}: answers again, or is no longer needed\n"));
    let said = watch.kill().stderr;
    let away = said
        .lines()
        .filter(|line| line.starts_with(&format!("{host}: unknown: ")));
    assert_eq!(away.count(), 1, "{said}");
}

#[test]
fn watch_reports_an_invalid_definition_once_and_again_when_its_error_changes() {
    let (world, registry) = world();
    world.tracked_task(&registry, "app", &from(&registry, "base:1"));
    let path = format!("state/tasks/{}/web.yaml", registry.host());
    world.config("watch: {everySeconds: 1}\n");
    world.write(&path, "name: [\n");
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    watch.stderr_has("web.yaml");
    // A round that rebuilds has read the definitions anew.
    for version in ["two", "three"] {
        registry.push_shell("base:1", &[("version", version)]);
        let rebuilt = if version == "two" { 1 } else { 2 };
        eventually("a rebuild", || {
            (watch.stdout().matches("app: rebuilt").count() == rebuilt).then_some(())
        });
    }
    assert_eq!(watch.stderr().matches("web.yaml").count(), 1);
    world.write(&path, "name: {\n\n\n");
    registry.push_shell("base:1", &[("version", "four")]);
    eventually("the other problem", || {
        (watch.stderr().matches("web.yaml").count() > 1).then_some(())
    });
    watch.kill();
}

#[test]
fn failed_parent_makes_its_child_wait_and_both_are_retried() {
    let (world, registry) = world();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    // It can be built on the first base, but not on the second.
    let dockerfile = format!("{}RUN [ ! -e /broken ]\n", from(&registry, "base:1"));
    world.tracked_task(&registry, "app", &dockerfile);
    world.tracked_task(&registry, "site", &from(&registry, "app:latest"));
    let good = registry.digest("base:1").unwrap();
    let app = registry.digest("app:latest");
    registry.push_shell("base:1", &[("broken", "yes")]);

    world.watch_once().exits(1).says(&["app", "acrt task logs"]);
    assert_eq!(registry.digest("app:latest"), app);
    assert_eq!(world.history()[2..], ["app Failed"]);
    let kept = world.acrt(&["task", "show", "--name", "app"]).ok().json();
    assert_eq!(kept["step"]["baseImageDependencies"][0]["digest"], good);
    assert_eq!(world.states()["app"], "backing-off");

    // Too early for a retry: it reports that, and builds nothing.
    world.set("ACRT_NOW", "2026-01-31T08:00:30Z");
    world.watch_once().exits(1);
    assert_eq!(world.history().len(), 3);
    // A minute later it is retried, and fails again.
    world.set("ACRT_NOW", "2026-01-31T08:01:01Z");
    world.watch_once().exits(1);
    assert_eq!(world.history()[3..], ["app Failed"]);
    // The base moves once more: it is retried at once, and the whole chain follows.
    registry.push_shell("base:1", &[("version", "three")]);
    world.watch_once().ok();
    assert_eq!(world.history()[4..], ["app Succeeded", "site Succeeded"]);
    assert_eq!(
        registry.file("site:latest", "version").as_deref(),
        Some("three")
    );
}

#[test]
fn broken_task_file_stops_only_its_own_task() {
    let (world, registry) = world();
    for task in ["fine", "no-yaml", "no-json"] {
        world.tracked_task(&registry, task, &from(&registry, "base:1"));
    }
    let host = registry.host();
    world.write(&format!("state/tasks/{host}/no-yaml.yaml"), "name: [\n");
    world.write(
        &format!("state/baselines/{host}/no-json.json"),
        "{\"schema\": 1,",
    );
    registry.push_shell("base:1", &[("version", "two")]);

    let round = world.watch_once().exits(1).says(&[
        "no-yaml.yaml",
        "no-json.json",
        "line 1 column 13",
        "line 1 column 7",
    ]);
    assert!(round.stdout.contains("fine: rebuilt"), "{round}");
    assert_eq!(world.runs().len(), 4);
    let list = world.acrt(&["task", "list", "-o", "json"]);
    assert!(list.stdout.contains("\"fine\""), "{list}");
}

#[test]
fn missing_or_broken_dockerfile_fails_only_its_own_task() {
    let (world, registry) = world();
    for task in ["fine", "gone", "broken"] {
        world.tracked_task(&registry, task, &from(&registry, "base:1"));
    }
    let gone = world.path("gone/Dockerfile");
    fs::remove_file(&gone).unwrap();
    let broken = world.write("broken/Dockerfile", "FROM scratch\nFROM Not/A/Reference:\n");
    registry.push_shell("base:1", &[("version", "two")]);
    world
        .watch_once()
        .exits(1)
        .prints(&["fine: rebuilt"])
        .says(&[gone.to_str().unwrap(), broken.to_str().unwrap(), "line 2"]);
    assert!(registry.depends_on("fine:latest", "base:1"));
}

#[test]
fn index_change_of_other_platforms_or_attestations_does_not_rebuild() {
    let (world, registry) = world();
    let own = Image::of(&[("version", "one")]).shell();
    let other = |text: &str| Image::of(&[("version", text)]).platform("linux/s390x");
    registry.push_index("multi:1", &[own.clone(), other("one")]);
    world.tracked_task(&registry, "web", &from(&registry, "multi:1"));

    // Another platform moves, and BuildKit's attestation changes: no update for this task.
    let single = registry.push_image("multi:own", &own);
    registry.push_index(
        "multi:1",
        &[own, other("two"), Image::attestation(&single, "made again")],
    );
    world.watch_once().ok().silent();
    assert_eq!(world.history().len(), 1);

    let new = Image::of(&[("version", "two")]).shell();
    registry.push_index("multi:1", &[other("two"), new]);
    world.watch_once().ok();
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn disabled_trigger_and_disabled_task_are_not_run() {
    let (world, registry) = world();
    for task in ["trigger-off", "disabled"] {
        world.tracked_task(&registry, task, &from(&registry, "base:1"));
    }
    world
        .acrt(&[
            "task",
            "update",
            "--name",
            "trigger-off",
            "--base-image-trigger-enabled",
            "false",
        ])
        .ok();
    world
        .acrt(&[
            "task", "update", "--name", "disabled", "--status", "disabled",
        ])
        .ok();
    registry.push_shell("base:1", &[("version", "two")]);
    registry.forget_requests();
    world.watch_once().ok().silent();
    assert_eq!(registry.requests(), []);
}

#[test]
fn never_run_task_follows_nothing() {
    let (world, registry) = world();
    world.task(&registry, "web", &from(&registry, "base:1"));
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok();
    assert_eq!(world.runs().len(), 0);
    assert_eq!(world.state_of("web"), "never-run");
}

#[test]
fn watch_dry_run_prints_the_plan_and_changes_nothing() {
    let (world, registry) = world();
    world.tracked_task(&registry, "app", &from(&registry, "base:1"));
    world.tracked_task(&registry, "site", &from(&registry, "app:latest"));
    let old = registry.digest("app:latest");
    registry.push_shell("base:1", &[("version", "two")]);
    let files = world.state_files();
    let plan = world.acrt(&["task", "watch", "--dry-run"]).ok();
    let names: Vec<_> = plan
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["app", "site"]);
    assert_eq!(registry.digest("app:latest"), old);
    assert_eq!(world.state_files(), files);
}

#[test]
fn watch_exit_code_reports_a_rebuild_and_other_states_of_code_10_with_the_flag() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let watch = ["task", "watch", "--once", "--exit-code"];
    world.acrt(&watch).ok();
    registry.push_shell("base:1", &[("version", "two")]);
    let settling = [&watch[..], &["--settle", "3600"]].concat();
    world.acrt(&settling).exits(10).silent();
    world.acrt(&watch).exits(10);
    world.acrt(&watch).ok().silent();
    registry.push_shell("other:1", &[("version", "one")]);
    world.context("web", &from(&registry, "other:1"));
    world.watch_once().ok();
    world.acrt(&watch).exits(10);
    let dry = ["task", "watch", "--dry-run", "--exit-code", "-o", "none"];
    world.acrt(&dry).exits(10);
    world.acrt(&dry[..3]).ok();
    let stale = ["task", "run", "--stale"];
    world.acrt(&stale).ok();
    world.acrt(&watch).ok();
}

#[test]
fn second_watch_of_the_same_state_directory_exits_at_once() {
    let (world, registry) = world();
    let gate = Gate::new();
    let dockerfile = format!("{}RUN {}\n", from(&registry, "base:1"), gate.wait_command());
    world.task(&registry, "web", &dockerfile);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    gate.arrival().go_on();
    run.wait().ok();
    registry.push_shell("base:1", &[("version", "two")]);

    let first = world.spawn(&["task", "watch", "--once"]);
    let waiting = gate.arrival();
    // Cron would mail it.
    world.watch_once().exits(5).silent();
    let verbose = world.acrt(&["task", "watch", "--once", "--verbose"]);
    verbose.exits(5).says(&["another"]);
    let seen = world.spawn_on_terminal(&["task", "watch", "--once"]).wait();
    seen.exits(5).prints(&["another"]);
    // A loop that cannot start is different.
    world.acrt(&["task", "watch"]).exits(5).says(&["another"]);
    waiting.go_on();
    first.wait().ok();
    world.watch_once().ok().silent();
}

#[test]
fn watch_rebuilds_and_exits_with_the_signal_that_stopped_it() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (world, registry) = world();
        world.config("watch: {everySeconds: 1}\n");
        world.tracked_task(&registry, "web", &from(&registry, "base:1"));
        let watch = world.spawn(&["task", "watch", "--settle", "0"]);
        for version in ["two", "three"] {
            let before = registry.digest("web:latest");
            registry.push_shell("base:1", &[("version", version)]);
            eventually("a rebuild", || {
                (registry.digest("web:latest") != before).then_some(())
            });
            assert_eq!(
                registry.file("web:latest", "version").as_deref(),
                Some(version)
            );
        }
        eventually("the record of the last run", || {
            let history = world.history();
            (history == ["web Succeeded"; 3]).then_some(())
        });
        watch.signal(signal);
        watch.wait().exits(code);
    }
}

#[test]
fn watch_survives_a_registry_outage() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    registry.stop();
    // Every pause is a jump of this clock, also one for a registry that does not answer.
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    let watch = world.spawn(&["task", "watch"]);
    watch.stderr_has(&registry.image("base:1"));
    registry.restart();
    registry.push_shell("base:1", &[("version", "two")]);
    watch.stdout_has("web: rebuilt");
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn stopped_watch_cancels_its_run_and_leaves_no_process() {
    let (world, registry) = world();
    let gate = Gate::new();
    let dockerfile = format!("{}RUN {}\n", from(&registry, "base:1"), gate.wait_command());
    world.task(&registry, "web", &dockerfile);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    gate.arrival().go_on();
    run.wait().ok();
    registry.push_shell("base:1", &[("version", "two")]);

    let round = world.spawn(&["task", "watch", "--once"]);
    let _waiting = gate.arrival();
    round.signal(Signal::TERM);
    round.wait().exits(143);
    assert_eq!(world.processes().len(), 0, "{:?}", world.processes());
    assert_eq!(world.history(), ["web Succeeded", "web Canceled"]);

    // A canceled run is no failure: the next round runs the task at once.
    let round = world.spawn(&["task", "watch", "--once"]);
    gate.arrival().go_on();
    round.wait().ok();
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn update_survives_a_kill_during_the_build() {
    let (world, registry) = world();
    let gate = Gate::new();
    let dockerfile = format!("{}RUN {}\n", from(&registry, "base:1"), gate.wait_command());
    world.task(&registry, "web", &dockerfile);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    gate.arrival().go_on();
    run.wait().ok();
    registry.push_shell("base:1", &[("version", "two")]);

    let round = world.spawn(&["task", "watch", "--once"]);
    let orphan = gate.arrival();
    round.kill();
    assert_eq!(world.runs()[0]["status"], "Error");

    let round = world.spawn(&["task", "watch", "--once"]);
    let waiting = gate.arrival();
    // The remains of the killed run's builder were stopped before the new one started.
    drop(orphan);
    waiting.go_on();
    round.wait().ok();
    assert_eq!(
        world.history(),
        ["web Succeeded", "web Error", "web Succeeded"]
    );
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
    assert_eq!(world.processes().len(), 0, "{:?}", world.processes());
}

/// Wraps the world's buildah in the script `around`, where `"$buildah"` is the real one.
pub(super) fn wrap_buildah(world: &World, around: &str) {
    let real = world.path("bin/real-buildah");
    fs::rename(world.path("bin/buildah"), &real).unwrap();
    world.fake(
        "buildah",
        &format!("buildah='{}'\n{around}", real.display()),
    );
}

#[test]
fn update_survives_a_kill_before_and_after_the_push() {
    let ask = |gate: &Gate| format!("busybox {}", gate.wait_command());
    let before = |gate: &Gate| {
        format!(
            "[ \"$1\" != push ] || {}\nexec \"$buildah\" \"$@\"",
            ask(gate)
        )
    };
    let after = |gate: &Gate| {
        format!(
            "\"$buildah\" \"$@\" || exit\n[ \"$1\" != push ] || {}",
            ask(gate)
        )
    };
    for around in [&before as &dyn Fn(&Gate) -> String, &after] {
        let (world, registry) = world();
        world.tracked_task(&registry, "app", &from(&registry, "base:1"));
        world.tracked_task(&registry, "site", &from(&registry, "app:latest"));
        let gate = Gate::new();
        wrap_buildah(&world, &around(&gate));
        registry.push_shell("base:1", &[("version", "two")]);

        let round = world.spawn(&["task", "watch", "--once"]);
        let _orphan = gate.arrival();
        round.kill();

        let round = world.spawn(&["task", "watch", "--once"]);
        gate.arrival().go_on();
        gate.arrival().go_on();
        round.wait().ok();
        assert_eq!(
            world.history()[2..],
            ["app Error", "app Succeeded", "site Succeeded"]
        );
        assert_eq!(
            registry.file("site:latest", "version").as_deref(),
            Some("two")
        );
        world.watch_once().ok().silent();
    }
}

/// Returns `acrt ARGS`, to be killed at its n-th change to the disk; with `-f` in `options`, it or a child of it.
fn killing(world: &World, n: usize, options: &[&str], args: &[&str]) -> std::process::Command {
    let changes = "rename,renameat,renameat2,fsync,unlink,unlinkat,mkdir,mkdirat,ftruncate";
    let mut traced = world.command(program("strace"));
    traced
        .args(["-qq", "-o", "/dev/null", "-e", &format!("trace={changes}")])
        .args(["-e", &format!("inject={changes}:signal=KILL:when={n}")])
        .args(options)
        .arg(env!("CARGO_BIN_EXE_acrt"))
        .args(args);
    traced
}

/// Kills `acrt ARGS` at its n-th change to the disk, for each n, and lets a round recover. Returns the number of changes.
fn killed_at_each_change(world: &World, registry: &Registry, args: &[&str]) -> usize {
    let mut killed = 0;
    for n in 1.. {
        let version = n.to_string();
        registry.push("base:1", &[("version", &version)]);
        let traced = killing(world, n, &[], args);
        let dead = world
            .start(traced, format!("{args:?}, killed at change {n}"))
            .wait();
        world.watch_once().ok();
        assert_eq!(
            registry.file("web:latest", "version").as_ref(),
            Some(&version),
            "killed at change {n}"
        );
        assert_eq!(world.temporary_files(), [""; 0], "killed at change {n}");
        world.watch_once().ok().silent();
        if dead.code == 0 {
            break;
        }
        assert_eq!(dead.code, 137, "{dead}");
        killed += 1;
    }
    // Each move of the base made at least one run, and at most one that died before it.
    let runs = world.runs().len();
    assert!(
        runs > killed && runs <= 2 * killed + 2,
        "{runs} runs, {killed} kills"
    );
    killed
}

fn world_of_copies() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    copying_builder(&world);
    registry.push("base:1", &[("version", "0")]);
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    (world, registry)
}

#[test]
fn update_survives_a_kill_of_watch_at_each_write_to_the_state_directory() {
    let (world, registry) = world_of_copies();
    let killed = killed_at_each_change(&world, &registry, &["task", "watch", "--once"]);
    assert!(killed > 5, "only {killed} moments were tried");
}

#[test]
fn update_survives_a_kill_of_a_run_at_each_write_to_the_state_directory() {
    let (world, registry) = world_of_copies();
    let run = ["task", "run", "--name", "web", "--no-logs"];
    let killed = killed_at_each_change(&world, &registry, &run);
    assert!(killed > 4, "only {killed} moments were tried");
}

#[test]
fn update_survives_a_kill_of_the_process_of_a_run_at_each_write_to_the_state_directory() {
    let (world, registry) = world_of_copies();
    let (mut moments, mut last) = (0, 0);
    // Each process counts its own changes; the typed process has fewer than the run's process.
    for n in 1.. {
        let version = n.to_string();
        registry.push("base:1", &[("version", &version)]);
        let run = ["task", "run", "--name", "web", "--no-logs"];
        let traced = killing(&world, n, &["-f"], &run);
        let line = format!("task run, killed at change {n} of a process");
        let dead = world.start(traced, line).wait();
        // A failed run is retried when its backoff ends.
        last += 86_400;
        world.set("ACRT_NOW", &(1_900_000_000 + last).to_string());
        world.watch_once().ok();
        let built = registry.file("web:latest", "version");
        assert_eq!(
            built.as_ref(),
            Some(&version),
            "killed at change {n}: {dead}"
        );
        assert_eq!(world.temporary_files(), [""; 0], "killed at change {n}");
        world.watch_once().ok().silent();
        if dead.code == 0 {
            break;
        }
        assert!([1, 137].contains(&dead.code), "{dead}");
        moments += 1;
    }
    assert!(moments > 10, "only {moments} moments were tried");
}

/// A builder that uses the image of the pinned `FROM` line unchanged, for tests with many builds.
fn copying_builder(world: &World) {
    world.fake(
        "copy",
        "from=$(sed -n 's/^FROM //p' \"$1\")\n\
         exec skopeo copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \"docker://$from\" \"docker://$2\"",
    );
    world.config("builders:\n  command:\n    build: [copy, '{dockerfile}', '{image}']\n");
    world.set("ACRT_BUILDER", "command");
}

#[test]
fn twenty_concurrent_rounds_build_an_update_once() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    registry.push_shell("base:1", &[("version", "two")]);
    let rounds: Vec<_> = (0..20)
        .map(|_| world.spawn(&["task", "watch", "--once"]))
        .collect();
    for round in rounds {
        let output = round.wait();
        assert!(output.code == 0 || output.code == 5, "{output}");
    }
    assert_eq!(world.history(), ["web Succeeded", "web Succeeded"]);
}

#[test]
fn full_disk_is_reported_and_loses_no_update() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    registry.push_shell("base:1", &[("version", "two")]);
    // A copy of the state directory on a full file system.
    let script = "/bin/cp -a \"$1\" copy && /bin/mount -n -t tmpfs -o size=256k tmpfs \"$1\" && /bin/cp -a copy/. \"$1\"; \
                  /bin/cat /dev/zero >\"$1/filler\" 2>/dev/null; shift; exec \"$@\"";
    let mut full = world.command(program("unshare"));
    full.args(["--mount", "/bin/sh", "-c", script, "sh"])
        .arg(world.state())
        .arg(env!("CARGO_BIN_EXE_acrt"))
        .args(["task", "watch", "--once"]);
    let output = world
        .start(full, "watch --once on a full disk".to_owned())
        .wait();
    output.exits(1).says(&["No space left on device", "state"]);

    world.watch_once().ok();
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn json_log_lines_have_time_level_and_subject() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    world.tracked_task(&registry, "broken", &from(&registry, "base:1"));
    world.write(
        "broken/Dockerfile",
        &format!("{}COPY missing /\n", from(&registry, "base:1")),
    );
    registry.push_shell("base:1", &[("version", "two")]);
    let round = world
        .acrt(&["task", "watch", "--once", "--log-format", "json"])
        .exits(1);
    let lines: Vec<serde_json::Value> = round
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &lines {
        assert!(
            line["time"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
    let of = |event: &str, task: &str| {
        let line = lines
            .iter()
            .find(|line| line["event"] == event && line["task"] == task);
        line.unwrap_or_else(|| panic!("{round}")).clone()
    };
    // Which of the two is first depends on their last durations.
    let run = &of("runBegun", "web")["run"];
    assert!(["ca3", "ca4"].contains(&run.as_str().unwrap()), "{round}");
    assert_eq!(of("runEnded", "web")["run"], *run);
    assert_eq!(of("runEnded", "web")["status"], "Succeeded");
    assert_eq!(of("runEnded", "broken")["status"], "Failed");
    let error = lines.iter().find(|line| line["level"] == "error").unwrap();
    assert!(
        error["hint"].as_str().unwrap().contains("acrt task logs"),
        "{error}"
    );
    assert!(round.stdout.starts_with("web: rebuilt"), "{round}");
}

#[test]
fn systemd_is_notified_of_start_and_watchdog() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let path = world.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(std::time::Duration::from_secs(60)))
        .unwrap();
    let mut watch = world.command(env!("CARGO_BIN_EXE_acrt"));
    watch.args(["task", "watch"]);
    watch
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "20000");
    let watch = world.start(watch, "acrt task watch".into());
    let mut open = vec!["READY=1", "STATUS=watching", "WATCHDOG=1"];
    let mut buffer = [0; 512];
    while !open.is_empty() {
        let size = socket.recv(&mut buffer).unwrap();
        let told = String::from_utf8_lossy(&buffer[..size]).into_owned();
        open.retain(|text| !told.contains(text));
    }
    watch.signal(Signal::TERM);
    let last = loop {
        let size = socket.recv(&mut buffer).unwrap();
        let told = String::from_utf8_lossy(&buffer[..size]).into_owned();
        if !told.starts_with("WATCHDOG") && !told.starts_with("STATUS") {
            break told;
        }
    };
    assert_eq!(last, "STOPPING=1\n");
    watch.wait().exits(143);
}

#[test]
fn moved_base_rebuilds_a_multi_step_task_and_its_dependants() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    registry.push_shell("base:1", &[("version", "one")]);
    registry.push_shell("tool:1", &[("version", "one")]);
    let file = format!(
        "version: v1.1.0\nsteps:\n- build: -t $Registry/web:latest -t $Registry/web:$ID .\n- cmd: $Registry/web:latest sh -c 'cat /version'\n- cmd: {} sh -c 'echo checked'\n- push: ['$Registry/web:latest', '$Registry/web:$ID']\n",
        registry.image("tool:1")
    );
    let context = world.context("gate", &from(&registry, "base:1"));
    world.write("gate/acb.yaml", &file);
    let host = registry.host();
    let create = [
        "task",
        "create",
        "--name",
        "gate",
        "--registry",
        &host,
        "--context",
        &context,
        "--file",
        "acb.yaml",
    ];
    world.acrt(&create).ok();
    world.run("gate").ok();
    world.tracked_task(&registry, "child", &from(&registry, "web:latest"));
    assert_eq!(world.state_of("gate"), "current");

    // An image that a step only runs counts for the trigger type `All` only.
    registry.push_shell("tool:1", &[("version", "two")]);
    world.watch_once().ok().silent();
    registry.push_shell("base:1", &[("version", "two")]);
    assert_eq!(world.states()["child"], "waiting");
    world.watch_once().ok();
    assert_eq!(world.history()[2..], ["gate Succeeded", "child Succeeded"]);
    assert!(registry.depends_on("web:latest", "base:1"));
    assert!(registry.depends_on("child:latest", "web:latest"));
    assert_eq!(registry.digest("web:ca3"), registry.digest("web:latest"));
    world.watch_once().ok().silent();

    world
        .acrt(&[
            "task",
            "update",
            "--name",
            "gate",
            "--base-image-trigger-type",
            "All",
        ])
        .ok();
    registry.push_shell("tool:1", &[("version", "three")]);
    assert_eq!(world.state_of("gate"), "stale");
}

#[test]
fn manual_run_on_a_moved_base_is_not_repeated_by_watch() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    world.config(&format!(
        "registries: {{'{}': {{everySeconds: 3600}}}}\n",
        registry.host()
    ));
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    world.acrt(&["task", "watch", "--once"]).ok();
    registry.push("base:1", &[("version", "two")]);
    world.run("web").ok();
    world
        .acrt(&["task", "watch", "--once", "--due"])
        .ok()
        .silent();
    assert_eq!(world.history(), ["web Succeeded", "web Succeeded"]);
}
