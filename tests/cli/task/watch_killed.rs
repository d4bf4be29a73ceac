//! `acrt task watch` killed at random moments, again and again: no update is lost, and none is built for ever.

use std::time::{Duration, Instant};

use crate::support::{Registry, World, eventually};

/// How often the base moves, and how often the watcher is killed after each move: fifty kills.
const MOVES: usize = 10;
const KILLS: usize = 5;

/// A small generator of numbers, so that a failure can be made again from its seed (SplitMix64).
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
fn fifty_kills_at_random_moments_lose_no_update_and_build_none_more_than_twice() {
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
        // Whoever comes next finds everything as it is, and needs no more than one round.
        world.watch_once().ok();
        world.watch_once().ok().silent();
        assert_eq!(
            registry.file("site:latest", "version"),
            Some(version.to_string()),
            "seed {seed}"
        );
        for (task, base) in chain {
            assert!(registry.stands_on(&format!("{task}:latest"), base));
            let done = format!("{task} Succeeded");
            let history = world.history();
            let runs = history[before.len()..].iter().filter(|run| **run == done);
            let runs = runs.count();
            assert!(
                (1..=2).contains(&runs),
                "{runs} runs of `{task}` for version {version}, seed {seed}: {history:?}"
            );
        }
    }
    assert!(world.processes().is_empty(), "a builder is left");
}
