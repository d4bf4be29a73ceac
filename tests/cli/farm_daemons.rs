//! Pools of real daemons with problems: a full disk, a high latency.

use std::time::Duration;

use crate::support::{Lot, Registry, World};

/// A machine with a pool of two dockers over mutual TLS, with a rule.
fn farm(all: &[(&str, Lot); 2], by: &str) -> (World, Registry, impl Drop + use<>) {
    let (world, registry) = (World::new(), Registry::start());
    let (daemons, _calls, config) = world.dockers_with(all);
    let names = all.map(|(name, _)| name).join(", ");
    world.config(&format!(
        "builders:\n{config}pools: {{farm: {{builders: [{names}], by: {by}}}}}\ndefaults: {{builder: farm}}\n"
    ));
    registry.push("base:1", &[("version", "one")]);
    (world, registry, Kept(daemons))
}

/// Owns daemons for the duration of a test.
struct Kept<T>(T);

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {}
}

/// Moves the base to one with a layer of this many megabytes, which needs twice that on disk: compressed and unpacked.
fn push_base(registry: &Registry, megabytes: usize) {
    let noise = super::import::noise(megabytes as u64, megabytes * 500_000);
    let text: String = noise.iter().map(|byte| format!("{byte:02x}")).collect();
    registry.push("base:1", &[("noise", &text)]);
}

#[test]
fn daemon_with_a_full_disk_is_pruned_and_replaced_if_it_stays_full() {
    let small = Lot {
        disk: Some(20),
        ..Lot::default()
    };
    let all = [("small", small), ("large", Lot::default())];
    let (world, registry, _daemons) = farm(&all, "order");
    let from = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &format!("{from}COPY Dockerfile /d\n"));
    assert_eq!(world.runs()[0]["builder"], "small");
    // Twelve megabytes of cache that no image needs.
    let text = format!("{from}COPY noise /noise\n{from}COPY --from=0 /version /copy\n");
    let hog = world.context("hog", &text);
    std::fs::write(world.path("hog/noise"), super::import::noise(7, 6_000_000)).unwrap();
    let host = registry.host();
    let build = [
        "build",
        "-r",
        &host,
        "-t",
        "hog:1",
        "--no-push",
        "--builder",
        "small",
        &hog,
    ];
    world.acrt(&build).ok();

    push_base(&registry, 7);
    world.watch_once().ok().prints(&["web: rebuilt"]);
    let last = &world.runs()[0];
    assert_eq!(
        (&last["builder"], &last["status"]),
        (&"small".into(), &"Succeeded".into())
    );
    let run = last["runId"].as_str().unwrap();
    let log = world.acrt(&["task", "logs", "--run-id", run]).ok();
    log.prints(&[
        "no space left on device",
        "builder small is out of disk; it is pruned",
    ]);

    push_base(&registry, 20);
    world.watch_once().ok().prints(&["web: rebuilt"]);
    let runs = world.runs();
    assert_eq!(
        (&runs[0]["builder"], &runs[0]["status"]),
        (&"large".into(), &"Succeeded".into())
    );
    assert_eq!(
        (&runs[1]["builder"], &runs[1]["status"]),
        (&"small".into(), &"Error".into())
    );
    let why = runs[1]["runErrorMessage"].as_str().unwrap();
    assert!(why.starts_with("builder small is out of disk"), "{why}");
    assert!(registry.depends_on("web:latest", "base:1"));
    let listed = world.acrt(&["builder", "list"]).ok().json();
    let states: Vec<_> = (0..2)
        .map(|n| listed[n]["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["ready", "away"]);
}

#[test]
fn distant_daemon_builds_too_and_gets_fewer_runs() {
    let far = Lot {
        round_trip: Some(Duration::from_millis(200)),
        ..Lot::default()
    };
    let (world, registry, _daemons) = farm(&[("far", far), ("near", Lot::default())], "load");
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /d\n", registry.image("base:1"));
    for n in 1..=6 {
        world.task(
            &registry,
            &format!("t{n}"),
            &format!("{dockerfile}ENV N={n}\n"),
        );
    }
    world.acrt(&["task", "run", "--all"]).ok();
    let runs = world.runs();
    let by = |name: &str| runs.iter().filter(|run| run["builder"] == name).count();
    assert!(
        by("far") >= 1 && by("near") > by("far"),
        "{} and {}",
        by("far"),
        by("near")
    );
    assert!(
        runs.iter().all(|run| run["status"] == "Succeeded"),
        "{runs:?}"
    );
    assert!(world.states().values().all(|state| state == "current"));
}
