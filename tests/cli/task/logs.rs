//! `acrt task logs`

use rustix::process::Signal;

use crate::support::{Registry, World};

#[test]
fn task_logs_prints_a_given_run_the_newest_run_and_the_newest_of_a_task() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let from = registry.image("base:1");
    world.task(
        &registry,
        "web",
        &format!("FROM {from}\nRUN echo this is web\n"),
    );
    world.task(
        &registry,
        "bad",
        &format!("FROM {from}\nRUN echo this is bad; false\n"),
    );
    let live = world.run("web").ok().stdout;
    world.run("bad").exits(1);

    // The streamed log equals the stored one.
    let kept = world.acrt(&["task", "logs", "--run-id", "ca1"]).ok();
    assert_eq!(kept.stdout, live);
    kept.prints(&["this is web"]);
    // A failed run has a log like any other.
    world
        .acrt(&["task", "logs"])
        .ok()
        .prints(&["this is bad", "failed after"]);
    world
        .acrt(&["task", "logs", "-n", "web"])
        .ok()
        .prints(&["this is web"]);
}

#[test]
fn missing_log_exits_3() {
    let world = World::new();
    world.acrt(&["task", "logs"]).exits(3);
    world
        .acrt(&["task", "logs", "--run-id", "ca1"])
        .exits(3)
        .says(&["ca1"]);
}

#[test]
fn following_a_log_ends_when_the_reader_closes_or_the_disk_is_full() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let dockerfile = format!(
        "FROM {}\nRUN while :; do echo this is web; sleep 0.05; done\n",
        registry.image("base:1")
    );
    world.task(&registry, "web", &dockerfile);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    run.stdout_has("\nthis is web");
    let head = world
        .shell("\"$0\" task logs --run-id ca1 | /usr/bin/head -1")
        .ok();
    assert_eq!(head.stdout.lines().count(), 1, "{head}");
    assert_eq!(head.stderr, "");
    world
        .shell("\"$0\" task logs --run-id ca1 >/dev/full")
        .exits(1)
        .says(&["No space left on device"]);
    assert_eq!(world.history(), ["web Running"]);
    run.signal(Signal::INT);
    run.wait().exits(130);
}

#[test]
fn log_of_100_mb_is_printed_with_little_memory() {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let image = source.image("base:1");
    source.push("base:1", &[("a", "1")]);
    let name = ["task", "create", "-n", "mirror", "-r", &target.host()];
    let step = ["--import", &image, "--image", "base:1"];
    world.acrt(&[&name[..], &step].concat()).ok();
    world.run("mirror").ok();
    let line = format!("{}\n", "a line of a log ".repeat(64));
    let log = line.repeat(100_000_000 / line.len());
    std::fs::write(world.state().join("runs/ca1/log"), &log).unwrap();
    // A limit on all memory but code: keeping the log in memory would fail here.
    let counted = world
        .shell("(ulimit -d 65536 && exec \"$0\" task logs --run-id ca1) | /usr/bin/wc -c")
        .ok();
    assert_eq!(counted.stdout.trim(), log.len().to_string(), "{counted}");
}

#[test]
fn terminal_control_characters_of_a_log_are_escaped_unless_raw_and_colours_are_kept() {
    let (world, registry) = (World::new(), Registry::start());
    let script = r"printf 'a\033[31mred\033[0m\033[2J\007\033]0;title\007 10%%\r20%%\302\233x\342\200\256\n'";
    world.fake("built", script);
    world.config("builders: {command: {build: [built]}}\n");
    world.set("ACRT_BUILDER", "command");
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.task_with(&registry, "web", &dockerfile, &["--no-push"]);
    let raw = "a\x1b[31mred\x1b[0m\x1b[2J\x07\x1b]0;title\x07 10%\r20%\u{9b}x\u{202e}\n";
    let tame =
        "a\x1b[31mred\x1b[0m\\u{1b}[2J\\u{7}\\u{1b}]0;title\\u{7} 10%\n20%\\u{9b}x\\u{202e}\n";
    let context = world.path("web").display().to_string();
    let host = registry.host();
    let build = ["build", "-r", &host, "--no-push", &context];
    let run = ["task", "run", "-n", "web"];
    let logs = ["task", "logs", "--run-id", "ca1"];
    for line in [&run[..], &logs, &build] {
        let shown = world.acrt(line).ok().prints(&[tame]);
        let harmful = shown.stdout.replace("\x1b[31m", "").replace("\x1b[0m", "");
        assert!(
            !harmful.contains(['\x1b', '\x07', '\r', '\u{9b}', '\u{202e}']),
            "{shown}"
        );
        world.acrt(&[line, &["--raw"]].concat()).ok().prints(&[raw]);
    }
    let kept = std::fs::read_to_string(world.state().join("runs/ca1/log")).unwrap();
    assert!(kept.contains(raw), "{kept:?}");
}
