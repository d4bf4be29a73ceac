//! `acrt task watch` with `--due`, `--settle` and `--jobs`, and with tasks that fail again and again.

use crate::support::{Gate, Registry, World};

/// A machine with buildah at eight in the morning, and a registry with `base:1`.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

/// Runs a round at a time with these options, and returns the number of runs so far.
fn runs_after(world: &World, now: &str, options: &[&str]) -> usize {
    world.set("ACRT_NOW", now);
    world
        .acrt(&[&["task", "watch", "--once"], options].concat())
        .ok();
    world.history().len()
}

#[test]
fn due_option_looks_up_only_tags_whose_interval_has_passed() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    assert_eq!(runs_after(&world, "2026-01-31T08:00:00Z", &["--due"]), 1);
    registry.push_shell("base:1", &[("version", "two")]);
    registry.forget_requests();
    assert_eq!(runs_after(&world, "2026-01-31T08:00:59Z", &["--due"]), 1);
    assert_eq!(registry.requests(), []);
    assert_eq!(runs_after(&world, "2026-01-31T08:01:00Z", &["--due"]), 2);
    world.acrt(&["task", "watch", "--due"]).exits(2);
}

#[test]
fn moved_tag_is_built_once_after_the_debounce() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let settle = ["--settle", "120"];
    runs_after(&world, "2026-01-31T08:00:00Z", &settle);
    registry.push_shell("base:1", &[("version", "two")]);
    assert_eq!(runs_after(&world, "2026-01-31T09:00:00Z", &settle), 1);
    registry.push_shell("base:1", &[("version", "three")]);
    assert_eq!(runs_after(&world, "2026-01-31T09:01:00Z", &settle), 1);
    assert_eq!(runs_after(&world, "2026-01-31T09:02:59Z", &settle), 1);
    assert_eq!(runs_after(&world, "2026-01-31T09:03:00Z", &settle), 2);
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("three")
    );
    assert_eq!(runs_after(&world, "2026-01-31T09:10:00Z", &settle), 2);
}

#[test]
fn debounce_may_be_longer_than_a_day() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    registry.push_shell("base:1", &[("version", "two")]);
    let settle = ["--settle", "172800"];
    assert_eq!(runs_after(&world, "2026-02-01T08:00:00Z", &settle), 1);
    assert_eq!(runs_after(&world, "2026-02-03T07:59:59Z", &settle), 1);
    assert_eq!(runs_after(&world, "2026-02-03T08:00:00Z", &settle), 2);
}

#[test]
fn two_jobs_build_in_parallel_and_their_common_dependant_after_both() {
    let (world, registry) = world();
    let gate = Gate::new();
    for side in ["left", "right"] {
        let dockerfile = format!(
            "{}RUN echo {side} > /{side}; [ ! -e /two ] || {}\n",
            from(&registry, "base:1"),
            gate.wait_command()
        );
        world.tracked_task(&registry, side, &dockerfile);
    }
    let dockerfile = format!(
        "{}COPY --from={} /right /right\n",
        from(&registry, "left:latest"),
        registry.image("right:latest")
    );
    let all = ["--base-image-trigger-type", "All"];
    world.task_with(&registry, "top", &dockerfile, &all);
    world.run("top").ok();
    registry.push_shell("base:1", &[("two", "yes")]);

    let watch = world.spawn(&["task", "watch", "--once", "--jobs", "2"]);
    let (first, second) = (gate.arrival(), gate.arrival());
    let open = |task: &&serde_json::Value| task["status"] == "Running";
    assert_eq!(world.runs().iter().filter(open).count(), 2);
    first.go_on();
    second.go_on();
    let round = watch.wait().ok();
    assert_eq!(round.stdout.lines().count(), 3, "{round}");
    let history = world.history();
    assert_eq!(history.len(), 6);
    assert_eq!(history[5], "top Succeeded");
    assert!(registry.depends_on("top:latest", "left:latest"));
    world.watch_once().ok().silent();
}

#[test]
fn run_with_the_most_dependants_starts_first() {
    let (world, registry) = world();
    for name in ["alone", "other", "parent"] {
        world.tracked_task(&registry, name, &from(&registry, "base:1"));
    }
    world.tracked_task(&registry, "child", &from(&registry, "parent:latest"));
    registry.push_shell("base:1", &[("version", "two")]);
    let round = ["task", "watch", "--once", "--settle", "0", "--jobs", "1"];
    world.acrt(&round).ok();
    let history = world.history().split_off(4);
    assert_eq!(history.len(), 4);
    assert_eq!(history[0], "parent Succeeded", "{history:?}");
}

#[test]
fn task_that_fails_five_times_is_stalled_and_reports_how_to_resume() {
    let (world, registry) = world();
    let dockerfile = format!("{}RUN [ ! -e /broken ]\n", from(&registry, "base:1"));
    world.tracked_task(&registry, "app", &dockerfile);
    world.tracked_task(&registry, "site", &from(&registry, "app:latest"));
    registry.push_shell("base:1", &[("broken", "yes")]);
    for minute in ["00", "01", "03", "07", "15"] {
        assert_ne!(world.states()["app"], "stalled");
        world.set("ACRT_NOW", &format!("2026-01-31T09:{minute}:00Z"));
        world.watch_once().exits(1);
    }
    assert_eq!(world.history()[2..], ["app Failed"; 5]);

    let host = registry.host();
    let resume = format!("acrt task run --name app --registry {host}");
    let check = world.acrt(&["task", "check"]).json();
    assert_eq!(check[0]["state"], "stalled");
    assert_eq!(check[0]["resume"], resume.as_str());
    assert_eq!(check[0]["nextTry"], "2026-01-31T09:31:00+00:00");
    assert!(check[0]["reason"].as_str().unwrap().contains(&resume));
    assert_eq!(check[1]["state"], "waiting");
    assert_eq!(check[1]["waitingFor"][0], "app");
    let show = world.acrt(&["task", "show", "-n", "app"]).ok().json();
    assert_eq!(show["tracking"]["state"], "stalled");
    assert_eq!(show["tracking"]["resume"], resume.as_str());
    world
        .acrt(&["task", "list", "-o", "table"])
        .ok()
        .says(&["task `app` has failed many times", &resume]);

    // A change of the task resets its failures.
    world
        .acrt(&["task", "update", "-n", "app", "--timeout", "900"])
        .ok();
    assert_eq!(world.states()["app"], "stale");
    registry.push_shell("base:1", &[("version", "three")]);
    world.watch_once().ok();
    assert_eq!(world.history()[7..], ["app Succeeded", "site Succeeded"]);
    assert_eq!(world.states()["app"], "current");
}

#[test]
fn flapping_tag_is_not_built_by_single_rounds_and_reported_once() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let mut flapping = 0;
    for minute in 1..=20 {
        let version = if minute % 2 == 0 { "one" } else { "two" };
        registry.push_shell("base:1", &[("version", version)]);
        world.set("ACRT_NOW", &format!("2026-01-31T09:{minute:02}:00Z"));
        let round = ["task", "watch", "--once", "--settle", "300"];
        let round = world.acrt(&round).ok();
        flapping += round.stderr.matches("is flapping").count();
    }
    assert_eq!(flapping, 1);
    assert_eq!(world.history(), ["web Succeeded"]);
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn moved_base_of_many_tasks_is_requested_once_in_the_whole_round() {
    let (world, registry) = (World::new(), Registry::start());
    world.fake("built", "exit 0");
    world.config("builders: {command: {build: [built]}}\n");
    world.set("ACRT_BUILDER", "command");
    // Runs that wait for long look again, which could happen on a busy machine.
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    registry.push("base:1", &[("version", "one")]);
    let names: Vec<String> = (0..30).map(|n| format!("web{n}")).collect();
    for name in &names {
        world.task_with(&registry, name, &from(&registry, "base:1"), &["--no-push"]);
        world.run(name).ok();
    }
    registry.push("base:1", &[("version", "two")]);
    let moved = registry.digest("base:1").unwrap();
    registry.forget_requests();
    world.acrt(&["task", "watch", "--once", "--jobs", "4"]).ok();
    assert_eq!(world.history().len(), 2 * names.len());
    let count = |part: &str| {
        let requests = registry.requests().into_iter();
        let requests = requests
            .filter(|request| format!("{} {}", request.method, request.path).starts_with(part));
        requests.count()
    };
    assert_eq!(count("HEAD /v2/base/manifests/1"), 1);
    assert_eq!(count(&format!("GET /v2/base/manifests/{moved}")), 1);
    assert_eq!(count("GET /v2/base/blobs/"), 1);
    assert_eq!(registry.requests().len(), 3);
}

#[test]
fn followed_tags_are_reported_by_the_loop_and_by_a_round_on_a_terminal() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let once = ["task", "watch", "--once"];
    let empty = world.spawn_on_terminal(&once).wait();
    assert!(empty.stdout.contains("no tasks in `"), "{empty}");
    registry.push("base:1", &[("version", "one")]);
    let from = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &from);
    world.task(&registry, "new", &from);
    let said = "follows 1 tag of 1 task; 1 has never run: new";
    let shown = world.spawn_on_terminal(&once).wait();
    assert!(shown.stdout.contains(said), "{shown}");
    // cron mails all output.
    world.watch_once().ok().silent();
    let running = world.spawn(&["task", "watch"]);
    running.stderr_has(said);
    running.signal(rustix::process::Signal::TERM);
    running.wait().exits(143);
}
