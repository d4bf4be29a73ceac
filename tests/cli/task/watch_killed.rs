//! `acrt` killed at random moments, again and again, also beside a loop: no update is lost, none is built forever, and the remains of
//! killed processes cause no harm.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::watch::wrap_buildah;
use crate::support::{Gate, GitServer, Registry, Running, World, eventually, program};

/// How often the base moves and the watcher is killed after each move: fifty kills.
const MOVES: usize = 10;
const KILLS: usize = 5;

/// A small pseudorandom generator (SplitMix64), so that a failure can be reproduced from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[test]
fn fifty_random_kills_lose_no_update_and_build_none_more_than_twice() {
    let seed = match option_env!("ACRT_SEED") {
        Some(seed) => seed.parse().unwrap(),
        None => u64::from(std::process::id()),
    };
    println!("seed {seed}: set ACRT_SEED to it to have the same moments again");
    let mut random = Random(seed);
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "0")]);
    let chain = [("app", "base:1"), ("site", "app:latest")];
    for (task, base) in chain {
        world.write(&format!("{task}/{task}"), task);
        let dockerfile = format!("FROM {}\nCOPY {task} /{task}\n", registry.image(base));
        world.tracked_task(&registry, task, &dockerfile);
    }

    for version in 1..=MOVES {
        let before = world.history();
        registry.push("base:1", &[("version", &version.to_string())]);
        for _ in 0..KILLS {
            let watch = world.spawn(&["task", "watch", "--once"]);
            let (start, moment) = (Instant::now(), Duration::from_millis(random.below(900)));
            eventually("the moment", || (start.elapsed() >= moment).then_some(()));
            watch.kill();
        }
        // The next watcher finds everything unchanged, and needs no more than one round.
        world.watch_once().ok();
        world.watch_once().ok().silent();
        assert_eq!(
            registry.file("site:latest", "version"),
            Some(version.to_string()),
            "seed {seed}"
        );
        for (task, base) in chain {
            assert!(registry.depends_on(&format!("{task}:latest"), base));
            let done = format!("{task} Succeeded");
            let history = world.history();
            let runs = history[before.len()..].iter().filter(|run| **run == done);
            let runs = runs.count();
            // A run that was killed after it was recorded is shown as killed, and its task as current.
            assert!(
                runs <= 2,
                "{runs} runs of `{task}` for version {version}, seed {seed}: {history:?}"
            );
        }
    }
    assert!(world.processes().is_empty(), "a builder is left");
    assert_eq!(world.temporary_files(), [""; 0]);
}

/// A machine with buildah, whose pushes wait at a gate from the first run of the task `web` on.
fn world_with_held_pushes(before: &str) -> (World, Registry, Gate) {
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\nCOPY own /own\n", registry.image("base:1"));
    world.write("web/own", "first");
    world.tracked_task(&registry, "web", &dockerfile);
    // An unchanged image would not be pushed.
    world.write("web/own", "second");
    hold_pushes(&world, &gate, before);
    (world, registry, gate)
}

fn hold_pushes(world: &World, gate: &Gate, before: &str) {
    let ask = format!("busybox {}", gate.wait_command());
    let around = format!("{before}\n[ \"$1\" != push ] || {ask} || exit\nexec \"$buildah\" \"$@\"");
    wrap_buildah(world, &around);
}

fn run_web(world: &World) -> Running {
    world.spawn(&["task", "run", "--name", "web"])
}

#[test]
fn builder_of_a_run_killed_beside_a_loop_is_ended_before_the_loop_rebuilds() {
    let (world, registry, gate) = world_with_held_pushes("");
    world.config("watch: {everySeconds: 1}\n");
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    let run = run_web(&world);
    let mut orphan = gate.arrival();
    run.kill();
    registry.push("base:1", &[("version", "two")]);
    let waiting = gate.arrival();
    // If it were running, it would push its build on the old base over the loop's push.
    assert!(orphan.is_gone());
    waiting.go_on();
    watch.stdout_has("web: rebuilt");
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
    assert_eq!(world.state_of("web"), "current");
    assert_eq!(
        world.history(),
        ["web Succeeded", "web Error", "web Succeeded"]
    );
    watch.signal(Signal::TERM);
    watch
        .wait()
        .exits(143)
        .says(&["run `ca2` of task `web` had died with its process; what its builder left running was ended"]);
    assert!(world.processes().is_empty(), "{:?}", world.processes());
}

#[test]
fn builder_of_a_run_killed_during_a_round_is_ended_before_the_round_builds_its_task() {
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    for (task, base) in [("app", "base:1"), ("site", "app:latest")] {
        let dockerfile = format!("FROM {}\nCOPY own /own\n", registry.image(base));
        world.write(&format!("{task}/own"), "first");
        world.tracked_task(&registry, task, &dockerfile);
    }
    // An unchanged image would not be pushed.
    world.write("site/own", "second");
    hold_pushes(&world, &gate, "");
    registry.push("base:1", &[("version", "two")]);
    let round = world.spawn(&["task", "watch", "--once"]);
    let parent = gate.arrival();
    // Runs of `site` are recovered at the start of the round, which is over.
    let run = world.spawn(&["task", "run", "--name", "site"]);
    let mut orphan = gate.arrival();
    run.kill();
    parent.go_on();
    let child = gate.arrival();
    assert!(orphan.is_gone());
    child.go_on();
    round.wait().ok().prints(&["app: rebuilt", "site: rebuilt"]);
    assert!(registry.depends_on("site:latest", "app:latest"));
    assert!(world.processes().is_empty(), "{:?}", world.processes());
}

#[test]
fn builder_that_ignores_sigterm_is_killed_and_awaited_even_if_its_recovery_is_killed() {
    let (world, registry, gate) = world_with_held_pushes("trap '' TERM");
    let run = run_web(&world);
    let mut orphan = gate.arrival();
    run.kill();
    // The next run tells it to end, and is killed while it waits.
    let second = run_web(&world);
    let recovery = world.state().join("runs/open/.tmp-recovery-ca2");
    eventually("a recovery", || recovery.exists().then_some(()));
    second.kill();
    assert!(!orphan.is_gone());
    let third = run_web(&world);
    // A concurrent round waits for the same recovery, and finds the task busy or current.
    let round = world.spawn(&["task", "watch", "--once"]);
    let waiting = gate.arrival();
    assert!(orphan.is_gone());
    waiting.go_on();
    third.wait().ok();
    round.wait().ok();
    let history = ["web Succeeded", "web Error", "web Error", "web Succeeded"];
    assert_eq!(world.history(), history);
    assert!(world.processes().is_empty(), "{:?}", world.processes());
    assert_eq!(world.temporary_files(), [""; 0]);
    drop(registry);
}

#[test]
fn builder_of_a_killed_run_is_found_under_another_path_of_the_state_directory() {
    let (world, registry, gate) = world_with_held_pushes("");
    std::os::unix::fs::symlink(world.state(), world.path("link")).unwrap();
    let run = world.spawn(&["task", "run", "-n", "web", "--state-dir", "link"]);
    let mut orphan = gate.arrival();
    run.kill();
    world.watch_once().ok().says(&["run `ca2`"]);
    assert!(orphan.is_gone());
    assert!(world.processes().is_empty(), "{:?}", world.processes());
    drop(registry);
}

#[test]
fn files_of_a_killed_run_are_removed_by_the_next_round() {
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    world.buildah();
    world.git();
    registry.push_shell("base:1", &[("version", "one")]);
    let base = registry.image("base:1");
    let dockerfile = format!("FROM {base}\nRUN {}\n", gate.wait_command());
    let repository = world.repository("web", &[("Dockerfile", &dockerfile)]);
    let server = GitServer::start(&world.path("repos"), None);
    let host = registry.host();
    let create = ["task", "create", "-n", "web", "-r", &host, "-t", "web"];
    let context = ["--context", &server.url("web")];
    world.acrt(&[&create[..], &context].concat()).ok();
    let login = ["--login-server", "r.example", "-u", "me", "-p", "hunter2"];
    let add = ["task", "credential", "add", "-n", "web"];
    world.acrt(&[&add[..], &login].concat()).ok();

    let run = run_web(&world);
    let mut orphan = gate.arrival();
    run.kill();
    let folder = world.state().join("runs/ca1");
    let temporary = ["context", "logins"].map(|name| folder.join(name));
    assert!(temporary.iter().all(|path| path.exists()));
    world.watch_once().ok().says(&["run `ca1`"]);
    assert!(orphan.is_gone());
    assert!(!temporary.iter().any(|path| path.exists()));
    assert!(world.processes().is_empty(), "{:?}", world.processes());
    world.watch_once().ok().silent();
    drop(repository);
}

#[test]
fn git_process_of_a_killed_run_is_ended_by_the_next_round() {
    let (world, registry, server) = (World::new(), Registry::start(), Gate::new());
    world.buildah();
    world.git();
    let (host, context) = (registry.host(), format!("{}/web.git", server.url()));
    let create = ["task", "create", "-n", "web", "-r", &host, "-t", "web"];
    world
        .acrt(&[&create[..], &["--context", &context]].concat())
        .ok();
    let run = run_web(&world);
    let mut orphan = server.arrival();
    run.kill();
    assert!(!orphan.is_gone());
    world.watch_once().ok().says(&["run `ca1`"]);
    assert!(orphan.is_gone());
    assert!(!world.state().join("runs/ca1/context").exists());
    assert!(world.processes().is_empty(), "{:?}", world.processes());
}

/// Kills commands while they replace a file.
#[test]
fn temporary_files_of_killed_commands_are_removed_by_the_next_round() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    let commands: [&[&str]; 4] = [
        &["task", "check"],
        &["task", "update", "-n", "web", "--timeout", "60"],
        &[
            "task",
            "credential",
            "add",
            "-n",
            "web",
            "--login-server",
            "r.example",
            "-u",
            "me",
            "-p",
            "hunter2",
        ],
        &["task", "run", "-n", "web"],
    ];
    for command in commands {
        let renames = "rename,renameat,renameat2";
        let mut traced = world.command(program("strace"));
        traced
            .args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={renames}"),
            ])
            .args(["-e", &format!("inject={renames}:signal=KILL:when=1")])
            .arg(env!("CARGO_BIN_EXE_acrt"))
            .args(command);
        let line = format!("acrt {}, killed", command.join(" "));
        world.start(traced, line).wait().exits(137);
        assert_eq!(world.temporary_files().len(), 1, "{command:?}");
        world.watch_once().ok();
        assert_eq!(world.temporary_files(), [""; 0], "{command:?}");
    }
}

/// How often a run is killed beside a loop.
const KILLS_BESIDE_A_LOOP: usize = 20;

/// A builder that copies the image of the pinned `FROM` line slowly, ignores SIGTERM, and records when another one runs. The lock is
/// released when the last of its processes ends.
const JEALOUS: &str = "trap '' TERM
exec 9>>alive
flock -n 9 || echo two >> violations
from=$(sed -n 's/^FROM //p' \"$1\")
sleep 0.2
skopeo copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \"docker://$from\" \"docker://$2\" || exit
sleep 0.2";

#[test]
fn runs_killed_beside_a_loop_never_leave_two_builders_of_a_task() {
    let seed = match option_env!("ACRT_SEED") {
        Some(seed) => seed.parse().unwrap(),
        None => u64::from(std::process::id()),
    };
    println!("seed {seed}: set ACRT_SEED to it to have the same moments again");
    let mut random = Random(seed);
    let (world, registry) = (World::new(), Registry::start());
    let place = world.path("").display().to_string();
    world.fake("copy", &format!("cd '{place}' || exit\n{JEALOUS}"));
    world.config(
        "watch: {everySeconds: 1}\nbuilders:\n  command:\n    build: [copy, '{dockerfile}', '{image}']\n",
    );
    world.set("ACRT_BUILDER", "command");
    registry.push("base:1", &[("version", "0")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);

    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    for version in 1..=KILLS_BESIDE_A_LOOP {
        registry.push("base:1", &[("version", &version.to_string())]);
        let run = run_web(&world);
        let (start, moment) = (Instant::now(), Duration::from_millis(random.below(900)));
        eventually("the moment", || (start.elapsed() >= moment).then_some(()));
        run.kill();
    }
    // The last run may have been killed after its push, and before that was recorded.
    eventually("the last version", || {
        (world.state_of("web") == "current").then_some(())
    });
    eventually("the end of all runs", || {
        let open = fs::read_dir(world.state().join("runs/open")).unwrap();
        (open.count() == 0).then_some(())
    });
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
    let violations = fs::read_to_string(world.path("violations")).unwrap_or_default();
    assert_eq!(violations, "", "seed {seed}");
    assert_eq!(
        registry.file("web:latest", "version"),
        Some(KILLS_BESIDE_A_LOOP.to_string()),
        "seed {seed}"
    );
    world.watch_once().ok().silent();
    assert_eq!(world.state_of("web"), "current");
    assert!(world.processes().is_empty(), "{:?}", world.processes());
    assert_eq!(world.temporary_files(), [""; 0]);
}
