//! Bases that must be approved, or have a minimum age, before anything is built on them.

use crate::support::{Registry, World, eventually};

const START: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    (world, registry)
}

/// A program that approves all digests but those whose start is in the file `refused`.
fn vouching(world: &World, registry: &Registry) {
    world.write("refused", "");
    let asked = world.path("asked").display().to_string();
    let refused = world.path("refused").display().to_string();
    world.fake(
        "vouch",
        &format!(
            "echo \"$1\" >>'{asked}'\nwhile read -r digest; do case \"$1\" in *\"$digest\") echo 'no signature by k.pub' >&2; exit 1;; esac; done <'{refused}'"
        ),
    );
    world.config(&format!(
        "verify: [{{images: ['{}/*'], command: [vouch, '{{image}}']}}]\n",
        registry.host()
    ));
}

fn asked(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.path("asked")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn from(registry: &Registry) -> String {
    format!("FROM {}\n", registry.image("base:1"))
}

#[test]
fn base_without_a_signature_is_unverified_and_not_built_on() {
    let (world, registry) = world();
    vouching(&world, &registry);
    world.tracked_task(&registry, "web", &from(&registry));
    registry.push("base:1", &[("version", "two")]);
    let bad = registry.digest("base:1").unwrap();
    world.write("refused", &format!("{bad}\n"));
    let round = world.acrt(&["task", "watch", "--once"]).exits(4);
    round.says(&["unverified", "no signature by k.pub", &bad]);
    assert_eq!(world.state_of("web"), "unverified");
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("one")
    );
    // The signature comes after the push.
    world.write("refused", "");
    world.acrt(&["task", "watch", "--once"]).ok();
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn manual_run_on_a_base_without_a_signature_is_refused() {
    let (world, registry) = world();
    vouching(&world, &registry);
    let bad = registry.digest("base:1").unwrap();
    world.write("refused", &format!("{bad}\n"));
    world.task(&registry, "web", &from(&registry));
    let refused = ["is not verified", "no signature by k.pub"];
    world.run("web").exits(1).says(&refused);
    world.write("refused", "");
    world.run("web").ok();
}

#[test]
fn verified_digest_is_not_verified_again() {
    let (world, registry) = world();
    vouching(&world, &registry);
    world.tracked_task(&registry, "web", &from(&registry));
    world.tracked_task(&registry, "site", &from(&registry));
    let first = registry.digest("base:1").unwrap();
    registry.push("base:1", &[("version", "two")]);
    world.acrt(&["task", "watch", "--once"]).ok();
    let second = registry.digest("base:1").unwrap();
    let image = |digest: &str| format!("{}/base@{digest}", registry.host());
    assert_eq!(asked(&world), [image(&first), image(&second)]);
}

#[test]
fn copy_from_an_unverified_image_is_refused() {
    let (world, registry) = world();
    vouching(&world, &registry);
    let bad = registry.digest("base:1").unwrap();
    world.write("refused", &format!("{bad}\n"));
    let dockerfile = format!(
        "FROM scratch\nCOPY --from={} /version /version\n",
        registry.image("base:1")
    );
    world.task(&registry, "web", &dockerfile);
    world.run("web").exits(1).says(&["is not verified"]);
}

#[test]
fn import_of_an_unverified_image_is_refused_by_tag_and_by_digest() {
    let (world, registry) = world();
    vouching(&world, &registry);
    let bad = registry.digest("base:1").unwrap();
    world.write("refused", &format!("{bad}\n"));
    let host = registry.host();
    for source in [
        registry.image("base:1"),
        registry.image(&format!("base@{bad}")),
    ] {
        let copy = ["import", "--source", &source, "-n", &host, "-t", "copy:1"];
        world.acrt(&copy).exits(1).says(&["is not verified", &bad]);
        let task = [
            "task", "create", "-n", "keep", "-r", &host, "--import", &source, "-t", "copy:1",
        ];
        world.acrt(&task).ok();
        world.run("keep").exits(1).says(&["is not verified", &bad]);
        assert_eq!(registry.digest("copy:1"), None);
    }
    world.write("refused", "");
    let source = registry.image("base:1");
    let copy = ["import", "--source", &source, "-n", &host, "-t", "copy:1"];
    world.acrt(&copy).ok();
    assert_eq!(registry.digest("copy:1"), Some(bad));
}

fn at(world: &World, seconds: i64) {
    world.set("ACRT_NOW", &(START + seconds).to_string());
}

#[test]
fn base_that_moves_daily_is_followed_at_its_minimum_age() {
    let (world, registry) = world();
    at(&world, 0);
    world.tracked_task(&registry, "web", &from(&registry));
    let age = ["task", "update", "--name", "web", "--min-age", "2d"];
    world.acrt(&age).ok();
    let built = || registry.file("web:latest", "version").unwrap();
    let mut seen = Vec::new();
    for day in 1..=5 {
        registry.push("base:1", &[("version", &format!("day{day}"))]);
        at(&world, day * DAY);
        world.acrt(&["task", "watch", "--once"]).ok();
        seen.push(built());
    }
    assert_eq!(seen, ["one", "one", "day1", "day2", "day3"]);
    let check = world.acrt(&["task", "check"]).ok().json()[0].clone();
    assert_eq!(check["state"], "settling");
    let reason = check["reason"].as_str().unwrap();
    assert!(reason.contains("too young"), "{reason}");
    assert!(check["nextTry"].is_string(), "{check}");
}

#[test]
fn image_of_a_task_with_the_same_minimum_age_is_built_on_at_once() {
    let (world, registry) = world();
    world.config("defaults: {minAge: 2d}\n");
    at(&world, 0);
    world.tracked_task(&registry, "app", &from(&registry));
    let site = format!("FROM {}\n", registry.image("app:latest"));
    world.tracked_task(&registry, "site", &site);
    registry.push("base:1", &[("version", "two")]);
    let built = || registry.file("site:latest", "version").unwrap();
    let mut seen = Vec::new();
    for day in [1, 3] {
        at(&world, day * DAY);
        world.acrt(&["task", "watch", "--once"]).ok();
        seen.push(built());
    }
    assert_eq!(seen, ["one", "two"]);
    // Nor does a run by hand take the image that the last look has seen.
    world.context("app", &format!("{}LABEL mended=yes\n", from(&registry)));
    world.run("app").ok();
    world.run("site").ok();
    let mended = registry.label("site:latest", "mended");
    assert_eq!(mended.as_deref(), Some("yes"));
    // A task with a longer minimum age waits for the rest.
    let age = ["task", "update", "--name", "site", "--min-age", "5d"];
    world.acrt(&age).ok();
    world.context("app", &format!("{}LABEL mended=again\n", from(&registry)));
    world.run("app").ok();
    world.acrt(&["task", "watch", "--once"]).ok();
    assert_eq!(world.state_of("site"), "settling");
}

#[test]
fn base_whose_old_enough_digest_was_removed_fails_with_backoff_and_a_manual_run_uses_the_present_one()
 {
    let (world, registry) = world();
    at(&world, 0);
    world.tracked_task(&registry, "web", &from(&registry));
    let age = ["task", "update", "--name", "web", "--min-age", "2d"];
    world.acrt(&age).ok();
    for day in 1..=3 {
        let before = registry.digest("base:1").unwrap();
        registry.push("base:1", &[("version", &format!("day{day}"))]);
        registry.delete("base", &before);
        at(&world, day * DAY);
        if day < 3 {
            world.acrt(&["task", "watch", "--once"]).ok();
        }
    }
    let told = ["its registry has removed it", "acrt task run --name web"];
    world
        .acrt(&["task", "watch", "--once"])
        .exits(1)
        .says(&told);
    assert_eq!(world.state_of("web"), "backing-off");
    world.acrt(&["task", "watch", "--once"]).exits(1);
    assert_eq!(world.history(), ["web Succeeded", "web Failed"]);
    world.run("web").ok().says(&["whatever its age"]);
    let built = registry.file("web:latest", "version");
    assert_eq!(built.as_deref(), Some("day3"));
}

#[test]
fn minimum_age_accepts_human_units_and_is_shown() {
    let (world, registry) = world();
    world.task(&registry, "web", &from(&registry));
    let update = |age| world.acrt(&["task", "update", "--name", "web", "--min-age", age]);
    update("36h").ok();
    let (_, text) = world
        .state_files()
        .into_iter()
        .find(|(path, _)| path.ends_with("web.yaml"))
        .unwrap();
    assert!(text.contains("minAge: 1d 12h"), "{text}");
    update("soon").exits(2).says(&["is not a duration"]);
}

#[test]
fn hanging_verification_command_delays_no_other_task() {
    let (world, registry) = world();
    registry.push("slow:1", &[("version", "one")]);
    world.tracked_task(&registry, "web", &from(&registry));
    let dockerfile = format!("FROM {}\n", registry.image("slow:1"));
    world.tracked_task(&registry, "waits", &dockerfile);
    let began = world.path("began").display().to_string();
    world.fake("vouch", &format!("case \"$1\" in */slow*) trap '' TERM; echo >'{began}'; while :; do sleep 1; done;; esac"));
    world.config(&format!(
        "watch: {{everySeconds: 1}}\nverify: [{{images: ['{}/*'], command: [vouch, '{{image}}']}}]\n",
        registry.host()
    ));
    for base in ["slow:1", "base:1"] {
        registry.push(base, &[("version", "two")]);
    }
    let watch = world.spawn(&["task", "watch", "--settle", "0"]);
    eventually("the question that has no answer", || {
        world.path("began").exists().then_some(())
    });
    eventually("the rebuild of the other task", || {
        let version = registry.file("web:latest", "version");
        (version.as_deref() == Some("two")).then_some(())
    });
    watch.ends_within_grace();
    eventually("the end of all processes", || {
        world.processes().is_empty().then_some(())
    });
    let version = registry.file("waits:latest", "version");
    assert_eq!(version.as_deref(), Some("one"));
}
