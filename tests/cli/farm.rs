//! Named builders: distribution of runs, builders that do not answer, and remote daemons.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::support::{Calls, Receiver, Registry, World, program};

/// Puts a stand-in for buildctl on `PATH`. Its daemons are files: the one at `unix://NAME` does not answer while
/// `NAME.down` exists, and is lost in the middle of a build while `NAME.dies` exists. It pushes the Dockerfile's base,
/// and records its start and end. If it finds `NAME.hangs` in a build, it answers nothing from then on. Of an index it
/// uses the image for its platform, and pushes that by its digest if requested. It takes a minute while `NAME.slow`
/// exists; its disk is full while `NAME.full` exists, and full of cache while `NAME.cached` exists. A build fails at
/// `# BROKEN`, and at `# BROKEN PLATFORM` for that platform; at `# ENOSPC` a test in it prints that, and fails.
pub fn buildctl(world: &World) -> Calls {
    let script = format!(
        r##"address=${{1#--addr=unix://}} name=${{1##*/}}
shift
gone() {{ echo 'error: failed to dial: connection refused' >&2; exit 1; }}
[ -e "$address.down" ] && gone
[ -e "$address.frozen" ] && sleep 300
case "$1 $2 $3" in
    'debug workers --format') echo 'daemon v0.13'; exit ;;
    'debug workers '*) printf 'ID PLATFORMS\nx linux/amd64\n'; exit ;;
    'prune '*) rm -f "$address.cached"; echo 'Total: 5B'; exit ;;
    'du '*) echo 'Total: 7MB'; exit ;;
esac
for word; do
    case $word in
        --local=dockerfile=*) folder=${{word#--local=dockerfile=}} ;;
        --opt=platform=*) platform=${{word#--opt=platform=}} ;;
        --output=*push-by-digest=true*) image=$(printf %s "$word" | sed 's/.*,name=\([^,]*\),.*/\1/') alone=1 ;;
        --output=*) image=$(printf %s "$word" | sed 's/.*,name=\([^,]*\),push=true.*/\1/') ;;
        --metadata-file=*) metadata=${{word#--metadata-file=}} ;;
    esac
done
echo "+ $name" >> '{trace}'
if [ -e "$address.dies" ]; then touch "$address.down"; echo 'error: EOF' >&2; exit 1; fi
if [ -e "$address.hangs" ]; then touch "$address.frozen"; sleep 300; fi
if [ -e "$address.restarts" ]; then
    rm "$address.restarts"
    echo 'error: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF' >&2
    exit 1
fi
if grep -qx "# BROKEN\( $platform\)\{{0,1\}}" "$folder/Dockerfile"; then echo 'error: connection refused' >&2; exit 1; fi
if grep -qx '# ENOSPC' "$folder/Dockerfile"; then
    echo '#5 0.345 Error: ENOSPC: no space left on device' >&2
    echo 'error: failed to solve: process "/bin/sh -c test" did not complete successfully: exit code: 1' >&2
    exit 1
fi
if [ -e "$address.full" ] || [ -e "$address.cached" ]; then
    echo 'error: failed to solve: write /layer: no space left on device' >&2
    exit 1
fi
sleep 0.3
if [ -e "$address.slow" ]; then sleep 60; fi
base=$(sed -n 's/^FROM //p' "$folder/Dockerfile")
if [ "$alone" ]; then
    store="$address.store"
    rm -rf "$store"
    '{skopeo}' copy --quiet --override-arch "${{platform#*/}}" --src-tls-verify=false "docker://$base" "dir:$store" || exit
    digest=sha256:$(sha256sum < "$store/manifest.json" | cut -d' ' -f1)
    '{skopeo}' copy --quiet --preserve-digests --dest-tls-verify=false "dir:$store" "docker://$image@$digest" || exit
    printf '{{"containerimage.digest": "%s"}}' "$digest" > "$metadata"
    echo "- $name" >> '{trace}'
    exit
fi
'{skopeo}' copy --quiet ${{platform:+--override-arch=${{platform#*/}}}} --preserve-digests --src-tls-verify=false --dest-tls-verify=false \
    --digestfile "$metadata" "docker://$base" "docker://$image" || exit
printf '{{"containerimage.digest": "%s"}}' "$(cat "$metadata")" > "$metadata"
echo "- $name" >> '{trace}'
"##,
        trace = world.path("trace").display(),
        skopeo = program("skopeo").display()
    );
    world.fake("buildctl", &script)
}

/// Returns the config entry of a stand-in daemon.
pub fn daemon(world: &World, name: &str, more: &str) -> String {
    let address = world.path(name);
    format!(
        "  {name}: {{kind: buildctl, address: 'unix://{}', {more}}}\n",
        address.display()
    )
}

/// Creates a file that controls a daemon, or removes it.
pub fn toggle(world: &World, file: &str) {
    let path: PathBuf = world.path(file);
    match path.exists() {
        true => fs::remove_file(path).unwrap(),
        false => fs::write(path, "").unwrap(),
    }
}

/// Returns the maximum number of concurrent builds of a builder, and their total number.
fn load(world: &World, name: &str) -> (i32, i32) {
    let (mut now, mut most, mut all) = (0, 0, 0);
    for line in fs::read_to_string(world.path("trace")).unwrap().lines() {
        if line == format!("+ {name}") {
            (now, all) = (now + 1, all + 1);
            most = most.max(now);
        } else if line == format!("- {name}") {
            now -= 1;
        }
    }
    (most, all)
}

/// A machine with two stand-in daemons, `a` with two jobs and `b` with one, and a pool of both.
fn farm(pool: &str) -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    buildctl(&world);
    let (a, b) = (
        daemon(&world, "a", "jobs: 2"),
        daemon(&world, "b", "jobs: 1"),
    );
    world.config(&format!(
        "builders:\n{a}{b}pools: {{farm: {{builders: [a, b], {pool}}}}}\ndefaults: {{builder: farm}}\n"
    ));
    registry.push("base:1", &[("version", "one")]);
    (world, registry)
}

/// Starts a receiver of notifications.
fn receiver(world: &World) -> Receiver {
    let receiver = Receiver::start();
    let config = fs::read_to_string(world.path("config/acrt/config.yaml")).unwrap();
    world.config(&format!(
        "{config}notify: [{{url: '{}'}}]\n",
        receiver.url("/hook")
    ));
    receiver
}

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

fn checked(world: &World, name: &str) -> Value {
    let checked = world.acrt(&["task", "check", "--name", name]).json();
    match checked {
        Value::Array(mut all) => all.remove(0),
        one => one,
    }
}

/// Sets the clock to this minute.
fn minute(world: &World, minute: u32) {
    world.set("ACRT_NOW", &(1_000_000_000 + minute * 60).to_string());
}

#[test]
fn pool_spreads_runs_over_builders_within_their_capacity() {
    let (world, registry) = farm("by: load");
    let names: Vec<String> = (1..=7).map(|n| format!("t{n}")).collect();
    for name in &names {
        world.tracked_task(&registry, name, &from(&registry, "base:1"));
    }
    fs::remove_file(world.path("trace")).unwrap();
    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok();
    let ((most_a, a), (most_b, b)) = (load(&world, "a"), load(&world, "b"));
    assert_eq!(a + b, 7);
    assert_eq!((most_a, most_b), (2, 1), "at once");
    assert!(a >= 3 && b >= 1, "{a} and {b}");
    assert!(world.states().values().all(|state| state == "current"));
    let by: Vec<Value> = world
        .runs()
        .iter()
        .map(|run| run["builder"].clone())
        .collect();
    assert!(
        by.contains(&"a".into()) && by.contains(&"b".into()),
        "{by:?}"
    );
}

#[test]
fn builder_capacity_holds_across_processes() {
    let (world, registry) = farm("by: load");
    for name in ["one", "two", "three"] {
        let options = ["--builder", "b"];
        world.task_with(&registry, name, &from(&registry, "base:1"), &options);
    }
    let started = ["one", "two", "three"].map(|name| world.spawn(&["task", "run", "-n", name]));
    for run in started {
        run.wait().ok();
    }
    assert_eq!(load(&world, "b"), (1, 3));
}

#[test]
fn parallel_steps_stay_within_the_capacity_of_their_builder() {
    let world = World::new();
    world.buildah();
    let steps: String = (1..=3)
        .map(|n| format!("- {{id: s{n}, build: -t s{n} ., when: ['-']}}\n"))
        .collect();
    world.context("files", "FROM scratch\nCOPY Dockerfile /\n");
    world.write(
        "files/acrt.yaml",
        &format!("version: v1.1.0\nsteps:\n{steps}"),
    );
    let most = |jobs: u32| {
        world.config(&format!(
            "builders: {{here: {{kind: buildah, jobs: {jobs}}}}}\n"
        ));
        let line = [
            "run",
            "-r",
            "localhost:5000",
            "-f",
            "acrt.yaml",
            "--builder",
            "here",
            "files",
        ];
        let printed = world.acrt(&line).ok().stdout;
        let (mut now, mut most) = (0, 0);
        for line in printed.lines() {
            now += i32::from(line.ends_with("acrt: started"));
            most = most.max(now);
            now -= i32::from(line.contains("acrt: succeeded"));
        }
        most
    };
    assert_eq!((most(1), most(3)), (1, 3));
}

#[test]
fn tasks_wait_for_an_unreachable_builder_and_it_is_reported_once() {
    let (world, registry) = farm("by: load");
    let receiver = receiver(&world);
    minute(&world, 0);
    for name in ["web", "api"] {
        let options = ["--builder", "a"];
        world.task_with(&registry, name, &from(&registry, "base:1"), &options);
        world.run(name).ok();
    }
    registry.push("base:1", &[("version", "two")]);
    toggle(&world, "a.down");
    minute(&world, 2);
    world
        .watch_once()
        .exits(4)
        .says(&["builder a does not answer since"]);
    for at in [3, 60, 300] {
        minute(&world, at);
        world.watch_once().exits(4);
    }
    for name in ["web", "api"] {
        let answer = checked(&world, name);
        assert_eq!(answer["state"], "waiting");
        let reason = answer["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("builder a does not answer since 2001-"),
            "{reason}"
        );
        assert!(reason.contains("connection refused"), "{reason}");
    }
    assert_eq!(world.history(), ["web Succeeded", "api Succeeded"]);
    assert_eq!(receiver.told(), ["check-failing builder a"]);
    assert_eq!(receiver.messages()[0].json()["subject"], "builder a");
    world
        .run("web")
        .exits(4)
        .says(&["builder a does not answer", "acrt builder list"]);
    assert_eq!(world.history()[2], "web Error");
    toggle(&world, "a.down");
    minute(&world, 301);
    world
        .watch_once()
        .ok()
        .prints(&["web: rebuilt", "api: rebuilt"]);
    assert_eq!(
        receiver.told(),
        ["check-failing builder a", "recovery builder a"]
    );
    world.watch_once().ok().silent();
}

/// Moves the base of a task that has run once, and lets `trouble` come over its builder in the round that follows. Returns why the first run of
/// that round failed.
fn round_with(world: &World, registry: &Registry, options: &[&str], trouble: &str) -> String {
    world.task_with(registry, "web", &from(registry, "base:1"), options);
    world.run("web").ok();
    registry.push("base:1", &[("version", "two")]);
    toggle(world, trouble);
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(world.history()[1..], ["web Error", "web Succeeded"]);
    let why = &world.runs()[1]["runErrorMessage"];
    why.as_str().unwrap().to_owned()
}

#[test]
fn run_moves_to_another_builder_when_its_builder_disappears() {
    let (world, registry) = farm("by: order");
    let why = round_with(&world, &registry, &[], "a.dies");
    let runs = world.runs();
    assert_eq!(
        (&runs[0]["builder"], &runs[1]["builder"]),
        (&"b".into(), &"a".into())
    );
    assert!(why.starts_with("builder a does not answer"), "{why}");
    assert_eq!(world.state_of("web"), "current");
    let listed = world.acrt(&["builder", "list"]).ok().json();
    assert_eq!(
        (&listed[0]["state"], &listed[1]["state"]),
        (&"away".into(), &"ready".into())
    );
}

#[test]
fn run_moves_to_another_builder_when_its_builder_hangs_until_the_timeout() {
    let (world, registry) = farm("by: order");
    let why = round_with(&world, &registry, &["--timeout", "3"], "a.hangs");
    assert!(why.contains("builder a does not answer"), "{why}");
    assert_eq!(world.runs()[0]["builder"], "b");
}

#[test]
fn local_tasks_of_a_pool_are_all_built_by_its_first_builder() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.config(
        "builders: {a: {kind: buildah, jobs: 1}, b: {kind: buildah, jobs: 1}}\npools: {all: {builders: [a, b], by: load}}\ndefaults: {builder: all}\n",
    );
    registry.push("base:1", &[("version", "one")]);
    for name in ["web", "api"] {
        let folder = world.context(name, &from(&registry, "base:1"));
        let create = ["task", "create", "-n", name, "-t", name, "-c", &folder];
        world.acrt(&[&create[..], &["--local"]].concat()).ok();
        world.run(name).ok();
    }
    registry.push("base:1", &[("version", "two")]);
    world
        .watch_once()
        .ok()
        .prints(&["web: rebuilt", "api: rebuilt"]);
    let runs = world.runs();
    let builders: Vec<_> = runs.iter().map(|run| &run["builder"]).collect();
    assert_eq!(builders, ["a"; 4]);
}

#[test]
fn run_is_built_again_when_its_builder_restarts() {
    let (world, registry) = farm("by: order");
    let why = round_with(&world, &registry, &["--builder", "a"], "a.restarts");
    assert!(
        why.starts_with("builder a was restarted or lost its connection"),
        "{why}"
    );
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn builder_with_a_disk_full_of_cache_is_pruned_and_builds() {
    let (world, registry) = farm("by: order");
    toggle(&world, "a.cached");
    world.task(&registry, "web", &from(&registry, "base:1"));
    let run = world.run("web").ok();
    run.prints(&["builder a is out of disk; it is pruned"]);
    assert_eq!(world.runs()[0]["builder"], "a");
    assert_eq!(world.state_of("web"), "current");
    assert_eq!(load(&world, "a").1, 2);
}

#[test]
fn builder_with_a_disk_that_stays_full_is_skipped_and_no_run_fails() {
    let (world, registry) = farm("by: order");
    let receiver = receiver(&world);
    minute(&world, 0);
    for name in ["web", "api", "both"] {
        let builder = if name == "both" { "farm" } else { "a" };
        let options = ["--builder", builder];
        world.task_with(&registry, name, &from(&registry, "base:1"), &options);
        world.run(name).ok();
    }
    registry.push("base:1", &[("version", "two")]);
    toggle(&world, "a.full");
    for at in [2, 4, 9, 15, 21, 27] {
        minute(&world, at);
        world.watch_once().exits(4);
    }
    let history = world.history();
    assert!(
        !history.iter().any(|line| line.contains("Failed")),
        "{history:?}"
    );
    assert_eq!(
        world.state_of("both"),
        "current",
        "another builder of the pool took it"
    );
    for name in ["web", "api"] {
        let answer = checked(&world, name);
        assert_eq!(answer["state"], "waiting");
        let reason = answer["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("builder a is out of disk since 2001-"),
            "{reason}"
        );
    }
    assert_eq!(receiver.told(), ["check-failing builder a"]);
    let listed = world.acrt(&["builder", "list"]).ok().json();
    assert_eq!(listed[0]["state"], "away");
    toggle(&world, "a.full");
    minute(&world, 40);
    world.watch_once();
    world.watch_once().ok();
    for name in ["web", "api"] {
        assert_eq!(world.state_of(name), "current");
    }
    assert_eq!(
        receiver.told(),
        ["check-failing builder a", "recovery builder a"]
    );
}

#[test]
fn broken_build_fails_the_run_whatever_it_prints() {
    let (world, registry) = farm("by: load");
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    registry.push("base:1", &[("version", "two")]);
    world.write(
        "web/Dockerfile",
        &format!("{}# BROKEN\n", from(&registry, "base:1")),
    );
    world.watch_once().exits(1);
    assert_eq!(world.history()[1], "web Failed");
    assert_eq!(world.state_of("web"), "backing-off");
    registry.stop();
    world.run("web").exits(4).says(&["cannot be reached"]);
    assert_eq!(
        world.acrt(&["builder", "check"]).ok().json()[0]["state"],
        "ready"
    );
}

#[test]
fn failed_test_that_prints_enospc_prunes_nothing_and_stops_no_other_task() {
    let (world, registry) = farm("by: order");
    let from = from(&registry, "base:1");
    let options = ["--builder", "a"];
    world.task_with(&registry, "web", &from, &options);
    world.task_with(&registry, "api", &from, &options);
    world.write("web/Dockerfile", &format!("{from}# ENOSPC\n"));
    world.run("web").exits(1).says(&["ENOSPC", "exit code: 1"]);
    assert_eq!(world.history(), ["web Failed"]);
    world.run("api").ok();
    // A builder that is full is pruned for a task, and never for a quick build.
    toggle(&world, "a.cached");
    let (host, context) = (registry.host(), world.context("api", &from));
    let build = [
        "build",
        "-r",
        &host,
        "-t",
        "x:1",
        "--builder",
        "a",
        &context,
    ];
    world
        .acrt(&build)
        .exits(4)
        .says(&["builder a is out of disk", "acrt builder prune a"]);
    assert!(world.path("a.cached").exists());
    world.run("api").ok();
    assert!(!world.path("a.cached").exists());
}

#[test]
fn build_that_crashes_its_builder_repeatedly_fails() {
    let (world, registry) = farm("by: load");
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    world.write(
        "web/Dockerfile",
        &format!("{}# new\n", from(&registry, "base:1")),
    );
    toggle(&world, "a.dies");
    for status in ["Error", "Error", "Failed"] {
        let run = world.acrt(&["task", "run", "-n", "web", "--builder", "a"]);
        run.exits(if status == "Error" { 4 } else { 1 });
        assert_eq!(world.history().pop().unwrap(), format!("web {status}"));
        toggle(&world, "a.down");
    }
}

#[test]
fn run_is_assigned_to_a_builder_for_its_platforms_or_refused() {
    let (world, registry) = (World::new(), Registry::start());
    buildctl(&world);
    let arm = daemon(&world, "arm", "platforms: [linux/arm64]");
    let amd = daemon(&world, "amd", "platforms: [linux/amd64]");
    world.config(&format!(
        "builders:\n{arm}{amd}pools: {{farm: {{builders: [arm, amd]}}}}\ndefaults: {{builder: farm}}\n"
    ));
    registry.push("base:1", &[]);
    let options = ["--platform", "linux/amd64"];
    world.task_with(&registry, "web", &from(&registry, "base:1"), &options);
    world.run("web").ok();
    assert_eq!(world.runs()[0]["builder"], "amd");
    let options = ["--platform", "linux/amd64,linux/s390x"];
    world.task_with(&registry, "both", &from(&registry, "base:1"), &options);
    let why = "no builder of the pool `farm` is for linux/s390x";
    world.run("both").exits(1).says(&[why, "platforms"]);
    world.write("steps.yaml", "steps:\n- build: -t a .\n");
    let options = [
        "--platform",
        "linux/amd64,linux/arm64",
        "-f",
        "../steps.yaml",
        "web",
    ];
    let run = world.acrt(&[&["run", "-r", "localhost:5000"], &options[..]].concat());
    run.exits(1).says(&[
        "no builder of the pool `farm` is for linux/amd64 and linux/arm64",
        "all steps of a run",
    ]);
}

/// Prints how 100 builds are distributed over three builders with two, one and one jobs: `cargo test --test cli hundred -- --ignored
/// --nocapture`.
#[test]
#[ignore = "a measurement of minutes"]
fn hundred_builds_are_spread_over_three_builders() {
    let (world, registry) = farm("by: load");
    let (a, b, c) = (
        daemon(&world, "a", "jobs: 2"),
        daemon(&world, "b", "jobs: 1"),
        daemon(&world, "c", "jobs: 1"),
    );
    world.config(&format!(
        "builders:\n{a}{b}{c}pools: {{farm: {{builders: [a, b, c]}}}}\ndefaults: {{builder: farm}}\n"
    ));
    let names: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    for name in &names {
        world.task(&registry, name, &from(&registry, "base:1"));
    }
    world.acrt(&["task", "run", "--all"]).ok();
    fs::remove_file(world.path("trace")).unwrap();
    registry.push("base:1", &[("version", "two")]);
    let begun = std::time::Instant::now();
    world.watch_once().ok();
    let all = ["a", "b", "c"].map(|name| load(&world, name));
    println!("{all:?} (at once, in all) in {:?}", begun.elapsed());
    assert_eq!(all.map(|(most, _)| most), [2, 1, 1]);
    assert_eq!(all.iter().map(|(_, builds)| builds).sum::<i32>(), 100);
}

#[test]
fn unknown_builder_is_refused_before_the_task_is_stored() {
    let (world, registry) = farm("by: load");
    let context = world.context("web", "FROM scratch\n");
    let host = registry.host();
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        &host,
        "-c",
        &context,
        "--builder",
    ];
    world
        .acrt(&[&create[..], &["frm"]].concat())
        .exits(2)
        .says(&[
            "no builder `frm`; there are a, b, farm, docker,",
            "did you mean `farm`?",
        ]);
    world.acrt(&[&create[..], &["farm"]].concat()).ok();
    world.config("builders:\n  a1:\n    kind: buildah\n    adress: x\n");
    let file = world.path("config/acrt/config.yaml");
    world.acrt(&["task", "list"]).exits(2).says(&[
        file.to_str().unwrap(),
        "unknown field `adress`",
        "at line 4",
    ]);
}

#[test]
fn remote_buildkit_daemons_build_over_mutual_tls_and_the_reachable_one_takes_all_runs() {
    let (world, registry) = (World::new(), Registry::start());
    let (mut daemons, calls, config) = world.dockers_over_tls(&["one", "two"]);
    world.config(&format!(
        "builders:\n{config}pools: {{farm: {{builders: [one, two]}}}}\ndefaults: {{builder: farm}}\n"
    ));
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("{}COPY Dockerfile /d\n", from(&registry, "base:1"));
    for name in ["web", "api"] {
        world.task(&registry, name, &dockerfile);
        world.run(name).ok();
    }
    registry.push("base:1", &[("version", "two")]);
    world
        .watch_once()
        .ok()
        .prints(&["web: rebuilt", "api: rebuilt"]);
    let runs = world.runs();
    let by = |n: usize| runs[n]["builder"].as_str().unwrap();
    assert_eq!(
        [by(0), by(1)].iter().filter(|by| **by == "one").count(),
        1,
        "{runs:?}"
    );
    let builds = calls.lines();
    let over_tls = |line: &&String| {
        line.starts_with("--host=tcp://127.0.0.1:") && line.contains("--tlsverify")
    };
    assert!(builds.iter().all(|line| over_tls(&line)), "{builds:?}");
    let table = world.acrt(&["builder", "list", "-o", "table"]).ok();
    table.prints(&["one", "ready", "images: ", "daemon"]);
    drop(daemons.pop());
    registry.push("base:1", &[("version", "three")]);
    world
        .watch_once()
        .ok()
        .prints(&["web: rebuilt", "api: rebuilt"]);
    assert!(world.runs()[..2].iter().all(|run| run["builder"] == "one"));
    let answers = world.acrt(&["builder", "check", "two"]).exits(4).json();
    assert_eq!(answers[0]["state"], "away");
}

#[test]
fn remote_podman_builds_pushes_and_may_be_unreachable() {
    let (world, registry) = (World::new(), Registry::start());
    let (service, address) = world.podman_service();
    world.config(&format!(
        "builders: {{pods: {{kind: podman, address: '{address}'}}}}\ndefaults: {{builder: pods}}\n"
    ));
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("{}COPY Dockerfile /d\n", from(&registry, "base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert!(registry.depends_on("web:latest", "base:1"));
    assert_eq!(world.runs()[0]["builder"], "pods");
    drop(service);
    registry.push("base:1", &[("version", "three")]);
    world
        .watch_once()
        .exits(4)
        .says(&["builder pods does not answer"]);
    assert_eq!(world.state_of("web"), "waiting");
}

#[test]
fn remote_podman_image_has_nothing_of_the_run_and_nothing_that_is_ignored() {
    let (world, registry) = (World::new(), Registry::start());
    let (_service, address) = world.podman_service();
    world.config(&format!(
        "builders: {{pods: {{kind: podman, address: '{address}'}}}}\ndefaults: {{builder: pods}}\n"
    ));
    registry.push("base:1", &[("version", "one")]);
    world.write("web/secret.key", "not for the image");
    world.write("web/.dockerignore", "nothing\n");
    world.write("web/Dockerfile.containerignore", "*.key\n");
    let dockerfile = format!("{}COPY . /src/\n", from(&registry, "base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    let first = registry.digest("web:latest");
    assert_eq!(registry.file("web:latest", "src/secret.key"), None);
    assert!(registry.file("web:latest", "src/Dockerfile").is_some());
    // Its cache holds: the path of the run is in no layer.
    world.run("web").ok();
    assert_eq!(registry.digest("web:latest"), first);
}
