//! Two watchers with separate state directories for the same tasks and the same registry: one is the spare of the other.

use std::collections::BTreeMap;

use rustix::process::Signal;

use crate::support::{Gate, Registry, World, eventually};

use super::watch::wrap_buildah;

const CHAIN: [(&str, &str); 3] = [
    ("lib", "base:1"),
    ("app", "lib:latest"),
    ("site", "app:latest"),
];

fn registry() -> Registry {
    let registry = Registry::start();
    registry.push_shell("base:1", &[("version", "one")]);
    registry
}

/// A machine that has run each task of the chain, up to `length`.
fn watcher(registry: &Registry, config: &str, length: usize) -> World {
    let world = World::new();
    world.buildah();
    world.config(config);
    for (name, base) in CHAIN.into_iter().take(length) {
        let dockerfile = format!("FROM {}\nENV MADE={name}\n", registry.image(base));
        world.tracked_task(registry, name, &dockerfile);
    }
    world
}

/// Returns the number of runs of each task, by name.
fn counts(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in world.history() {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

/// Runs rounds of the watchers in turn until neither runs anything. Returns how often each has run each task.
fn rest(watchers: &[World; 2]) -> [BTreeMap<String, usize>; 2] {
    let before = watchers.each_ref().map(counts);
    let mut last = before.clone();
    for _ in 0..5 {
        for world in watchers {
            world.watch_once().ok();
        }
        let now = watchers.each_ref().map(counts);
        if now == last {
            let [one, other] = now;
            let since = |now: BTreeMap<String, usize>, n: usize| {
                let since = |(task, count): (String, usize)| {
                    let had = before[n].get(&task).copied().unwrap_or_default();
                    (count > had).then(|| (task, count - had))
                };
                now.into_iter().filter_map(since).collect()
            };
            return [since(one, 0), since(other, 1)];
        }
        last = now;
    }
    panic!("they never come to rest: {last:?}");
}

/// Checks that the whole chain is built on the newest base.
fn is_newest(registry: &Registry, version: &str) {
    let built = registry.file("site:latest", "version");
    assert_eq!(built.as_deref(), Some(version));
    for (name, base) in CHAIN {
        assert!(
            registry.depends_on(&format!("{name}:latest"), base),
            "{name}"
        );
    }
}

#[test]
fn two_watches_of_one_chain_stop_after_at_most_one_extra_run_of_each_task() {
    let registry = registry();
    let watchers = [(), ()].map(|()| watcher(&registry, "", 3));
    rest(&watchers);
    registry.push_shell("base:1", &[("version", "two")]);
    let ran = rest(&watchers);
    is_newest(&registry, "two");
    for ran in &ran {
        let of = |task: &str| ran.get(&format!("{task} Succeeded")).copied();
        assert_eq!(of("lib"), Some(1), "{ran:?}");
        assert!(of("app") <= Some(2) && of("site") <= Some(2), "{ran:?}");
        assert_eq!(ran.len(), 3, "{ran:?}");
    }
}

#[test]
fn two_watches_with_reproducible_builds_run_each_task_once() {
    let registry = registry();
    let same = "builders: {buildah: {buildArgs: [--timestamp=0]}}\n";
    let watchers = [(), ()].map(|()| watcher(&registry, same, 3));
    let nothing = BTreeMap::new();
    assert_eq!(rest(&watchers), [nothing.clone(), nothing]);
    registry.push_shell("base:1", &[("version", "two")]);
    let once = CHAIN.map(|(name, _)| (format!("{name} Succeeded"), 1));
    assert_eq!(rest(&watchers), [once.clone().into(), once.into()]);
    is_newest(&registry, "two");
}

#[test]
fn two_parallel_watch_loops_do_not_trigger_each_other_endlessly() {
    let registry = registry();
    let often = "watch: {everySeconds: 1}\n";
    let watchers = [(), ()].map(|()| watcher(&registry, often, 2));
    rest(&watchers);
    let before = watchers.each_ref().map(counts);
    let line = ["task", "watch", "--settle", "0"];
    let loops = watchers.each_ref().map(|world| world.spawn(&line));
    registry.push_shell("base:1", &[("version", "two")]);
    let is_current = |world: &World| world.states().values().all(|state| state == "current");
    let after = eventually("both to rest on the newest", || {
        let seen = watchers.each_ref().map(counts);
        registry.forget_requests();
        eventually("four more looks of each", || {
            let requests = registry.requests();
            let looks = requests
                .iter()
                .filter(|it| it.path.ends_with("/lib/manifests/latest"));
            (looks.count() >= 8).then_some(())
        });
        let built = registry.file("app:latest", "version");
        let is_built = built.as_deref() == Some("two") && watchers.iter().all(is_current);
        (is_built && watchers.each_ref().map(counts) == seen).then_some(seen)
    });
    for watch in loops {
        watch.signal(Signal::TERM);
        watch.wait().exits(143);
    }
    assert_eq!(watchers.each_ref().map(counts), after);
    for (before, after) in before.iter().zip(&after) {
        let more = |task: &str| after[task] - before[task];
        assert_eq!(more("lib Succeeded"), 1, "{before:?} {after:?}");
        let apps = more("app Succeeded");
        assert!((1..=2).contains(&apps), "{before:?} {after:?}");
        assert_eq!(after.len(), 2, "none has failed: {after:?}");
    }
    assert!(registry.depends_on("lib:latest", "base:1"));
    assert!(registry.depends_on("app:latest", "lib:latest"));
}

#[test]
fn slow_build_on_an_older_base_is_followed_by_one_on_the_newest() {
    let (registry, gate) = (registry(), Gate::new());
    let watchers = [(), ()].map(|()| {
        let world = World::new();
        world.buildah();
        let dockerfile = format!(
            "FROM {}\nRUN ! grep -q slow /version || {}\n",
            registry.image("base:1"),
            gate.wait_command()
        );
        world.tracked_task(&registry, "web", &dockerfile);
        world
    });
    rest(&watchers);
    let [slow, spare] = &watchers;
    registry.push_shell("base:1", &[("version", "slow")]);
    let round = slow.spawn(&["task", "watch", "--once"]);
    let build = gate.arrival();
    registry.push_shell("base:1", &[("version", "newest")]);
    spare.watch_once().ok();
    let built = || registry.file("web:latest", "version").unwrap();
    assert_eq!(built(), "newest");
    build.go_on();
    round.wait().ok();
    // Until its next round, which the loop starts at once.
    assert_eq!(built(), "slow");
    slow.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(built(), "newest");
    assert_eq!(rest(&watchers), [BTreeMap::new(), BTreeMap::new()]);
    assert_eq!([slow.history().len(), spare.history().len()], [3, 2]);
}

#[test]
fn concurrent_push_of_another_watch_is_no_failure() {
    let registry = registry();
    let world = watcher(&registry, "", 1);
    let other = registry.push_shell("lib:other", &[("version", "other")]);
    let (from, to) = (registry.image("lib:other"), registry.image("lib:latest"));
    wrap_buildah(
        &world,
        &format!(
            "\"$buildah\" \"$@\" || exit\n[ \"$1\" != push ] || exec skopeo copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false docker://{from} docker://{to}"
        ),
    );
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok().prints(&["lib: rebuilt"]);
    assert_eq!(registry.digest("lib:latest"), Some(other));
    let check = world.acrt(&["task", "check", "--images"]).ok().json();
    assert_eq!(check[0]["state"], "current");
    let reason = check[0]["reason"].as_str().unwrap();
    assert!(reason.contains("from elsewhere"), "{reason}");
    world.watch_once().ok().silent();
}
