//! Runs of `acrt task watch` in separate processes: a failure of one does not affect the others.

use std::time::{Duration, Instant};

use super::watch::wrap_buildah;
use crate::{
    contexts::{archive, send, server},
    support::{Registry, World, eventually},
};

/// Two tasks on one base. The builder kills the process of the run of `bad`, by `signal`, and builds the other one.
fn world(signal: &str) -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "bad", &dockerfile);
    world.tracked_task(&registry, "good", &dockerfile);
    let script = format!(
        "case \"$*\" in build*/bad) while kill -{signal} $PPID; do sleep 0.1; done; exec sleep 600;; esac\nexec \"$buildah\" \"$@\""
    );
    wrap_buildah(&world, &script);
    (world, registry)
}

#[test]
fn run_whose_process_is_killed_fails_alone_with_backoff_and_leaves_no_builder() {
    let (world, registry) = world("KILL");
    registry.push("base:1", &[("version", "two")]);
    let round = world.acrt(&["task", "watch", "--once"]).exits(1);
    round.says(&["its process was killed from outside"]);
    assert_eq!(
        registry.file("good:latest", "version").as_deref(),
        Some("two")
    );
    assert_eq!(world.state_of("good"), "current");
    assert_eq!(world.state_of("bad"), "backing-off");
    let runs = world.runs();
    let failed = runs.iter().find(|run| run["status"] == "Failed").unwrap();
    assert_eq!(failed["task"], "bad");
    let why = failed["runErrorMessage"].as_str().unwrap();
    assert!(why.contains("killed from outside"), "{why}");
    world.acrt(&["task", "watch", "--once"]).exits(1);
    assert_eq!(world.runs().len(), runs.len(), "it is left alone for now");
}

#[test]
fn run_that_overflows_its_stack_is_reported_in_words() {
    let (world, registry) = world("SEGV");
    registry.push("base:1", &[("version", "two")]);
    let round = world.acrt(&["task", "watch", "--once"]).exits(1);
    round.says(&["nested too deeply"]);
    assert_eq!(world.state_of("good"), "current");
}

#[test]
fn run_out_of_memory_fails_and_reports_the_limit() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    world.tracked_task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    world.config("limits: {memoryMib: 12}\n");
    registry.push("base:1", &[("version", "two")]);
    world.acrt(&["task", "watch", "--once"]).exits(1);
    assert_eq!(world.state_of("web"), "backing-off");
    world.config("limits: {memoryMib: 2048}\n");
    world.acrt(&["task", "run", "--name", "web"]).ok();
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn builder_and_children_that_ignore_sigterm_end_within_the_grace_period() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    let began = world.path("began");
    let script = format!(
        "case \"$*\" in build*) trap '' TERM INT HUP; (while :; do sleep 1; done) & echo >'{}'; while :; do sleep 1; done;; esac\nexec \"$buildah\" \"$@\"",
        began.display()
    );
    wrap_buildah(&world, &script);
    registry.push("base:1", &[("version", "two")]);
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    eventually("the deaf builder", || began.exists().then_some(()));
    watch.ends_within_grace();
    eventually("the end of all processes", || {
        world.processes().is_empty().then_some(())
    });
    assert_eq!(world.runs()[0]["status"], "Canceled");
}

#[test]
fn manual_run_has_one_timeout_for_fetch_and_build() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    wrap_buildah(
        &world,
        "case \"$*\" in build*) exec sleep 600;; esac\nexec \"$buildah\" \"$@\"",
    );
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let context = archive(&[("Dockerfile", &dockerfile)], &[]);
    let address = server(move |stream| {
        std::thread::park_timeout(Duration::from_secs(5));
        send(stream, &context);
    });
    let (host, context) = (registry.host(), format!("http://{address}/web.tar"));
    let begun = Instant::now();
    world
        .acrt(&[
            "build",
            "-r",
            &host,
            "-t",
            "web:1",
            "--timeout",
            "7",
            &context,
        ])
        .exits(1)
        .says(&["the run took longer than 7 seconds"]);
    // A timeout of the build alone would end at the twelfth second.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(11), "{took:?}");
    assert_eq!(world.runs()[0]["status"], "Timeout");
}

#[test]
fn child_that_has_left_the_process_group_of_its_builder_ends_with_a_run_that_times_out() {
    let world = World::new();
    world.fake("slow", "setsid sh -c 'trap \"\" TERM; sleep 600' & wait");
    world.config("builders: {command: {build: [slow]}}\n");
    let context = world.context("web", "FROM scratch\n");
    let build = [
        "build",
        "-r",
        "localhost:5000",
        "-t",
        "web:1",
        "--no-push",
        "--builder",
        "command",
        "--timeout",
        "1",
        &context,
    ];
    world.acrt(&build).exits(1).says(&["longer than 1 second"]);
    let left = world.processes();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn manual_run_has_resource_limits_and_its_builder_has_none() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    // acrt restores its own limit only after it has started the builder, so the script waits for that.
    wrap_buildah(
        &world,
        "case \"$*\" in build*) of_acrt=; while [ \"${of_acrt#*2147483648 }\" = \"$of_acrt\" ]; do \
         while read -r line; do case \"$line\" in 'Max address space'*) of_acrt=$(echo $line);; esac; done </proc/$PPID/limits; done; \
         echo \"$of_acrt\"; echo \"own limit $(ulimit -v)\";; esac\nexec \"$buildah\" \"$@\"",
    );
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let host = registry.host();
    world
        .acrt(&[
            "build",
            "-r",
            &host,
            "-t",
            "web:1",
            "--timeout",
            "60",
            &context,
        ])
        .ok()
        .prints(&["Max address space 2147483648 ", "own limit unlimited"]);
}

/// A builder that kills the acrt that started it.
fn with_a_builder_that_kills(world: &World, registry: &Registry) -> String {
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let script = "case \"$*\" in build*) while kill -KILL $PPID; do sleep 0.1; done; exec sleep 600;; esac\nexec \"$buildah\" \"$@\"";
    wrap_buildah(world, script);
    world.context("web", &format!("FROM {}\n", registry.image("base:1")))
}

#[test]
fn manual_run_whose_process_is_killed_is_one_failed_run_and_leaves_no_builder() {
    let (world, registry) = (World::new(), Registry::start());
    let (context, host) = (
        with_a_builder_that_kills(&world, &registry),
        registry.host(),
    );
    let told = &["its process was killed from outside"];
    world
        .acrt(&["build", "-r", &host, "-t", "web:1", &context])
        .exits(1)
        .says(told);
    let create = [
        "task", "create", "-n", "web", "-r", &host, "-t", "web:1", "-c", &context,
    ];
    world.acrt(&create).ok();
    world.run("web").exits(1).says(told);
    // This run is detached.
    let run = world.acrt(&[
        "task",
        "run",
        "-n",
        "web",
        "--no-wait",
        "--query",
        "runId",
        "-o",
        "tsv",
    ]);
    let id = run.ok().stdout.trim().to_owned();
    let ended =
        |run: &serde_json::Value| run["runId"] == id.as_str() && run["finishTime"].is_string();
    eventually("the end of the run that goes on by itself", || {
        world.runs().iter().any(ended).then_some(())
    });
    for run in world.runs() {
        assert_eq!(run["status"], "Failed", "{run}");
        assert!(
            run["runErrorMessage"].as_str().unwrap().contains(told[0]),
            "{run}"
        );
    }
    eventually("the end of all processes", || {
        world.processes().is_empty().then_some(())
    });
}

#[test]
fn manual_run_out_of_memory_is_a_failed_run() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let host = registry.host();
    world.config("limits: {memoryMib: 12}\n");
    let build = ["build", "-r", &host, "-t", "web:1", &context];
    world
        .acrt(&build)
        .exits(1)
        .says(&["ended with Failed", "limits.memoryMib"]);
    assert_eq!(world.runs()[0]["status"], "Failed");
}

#[test]
fn hook_that_runs_when_the_loop_is_stopped_gets_sigterm_and_is_not_started_again() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    let log = world.path("log");
    let hook = format!(
        "/bin/sh -c \"trap 'echo term >>{0}; exit' TERM; echo start >>{0}; /bin/sleep 1000 & wait\"",
        log.display()
    );
    world
        .acrt(&["task", "update", "-n", "web", "--on-success", &hook])
        .ok();
    registry.push("base:1", &[("version", "two")]);
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    eventually("the hook", || log.exists().then_some(()));
    watch.ends_within_grace();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "start\nterm\n");
    assert!(world.processes().is_empty());
}

#[test]
fn hook_that_ignores_sigterm_ends_with_the_loop_within_the_grace_period() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    let began = world.path("began");
    let hook = format!(
        "/bin/sh -c \"trap '' TERM INT HUP; echo >'{}'; while :; do sleep 1; done\"",
        began.display()
    );
    world
        .acrt(&["task", "update", "-n", "web", "--on-success", &hook])
        .ok();
    registry.push("base:1", &[("version", "two")]);
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    eventually("the deaf hook", || began.exists().then_some(()));
    watch.ends_within_grace();
    eventually("the end of all processes", || {
        world.processes().is_empty().then_some(())
    });
    assert_eq!(world.state_of("web"), "current");
}
