//! What runs leave in the stores of builders, and what is removed.

use std::fs;

use rustix::process::Signal;

use crate::support::{BOTH_PLATFORMS, Calls, Gate, Image, Output, Registry, World};

/// Runs a builder of the world to its end.
fn call(world: &World, builder: &str, args: &[&str]) -> Output {
    let mut command = world.command(world.path("bin").join(builder));
    command.args(args);
    let line = format!("{builder} {}", args.join(" "));
    world.start(command, line).wait()
}

/// Tells whether a builder has an image.
fn has(world: &World, builder: &str, image: &str) -> bool {
    let inspect: &[&str] = match builder {
        "buildah" => &["inspect", "--type", "image", image],
        _ => &["image", "inspect", image],
    };
    call(world, builder, inspect).code == 0
}

/// Lists all images in a store, including unnamed ones.
fn images(world: &World, builder: &str) -> Vec<String> {
    let listed = call(world, builder, &["images", "--all", "--no-trunc"]).ok();
    listed.stdout.lines().skip(1).map(str::to_owned).collect()
}

fn push_base(registry: &Registry, text: &str) {
    let image =
        |platform: &str| Image::of(&[("version", text), ("for", platform)]).platform(platform);
    registry.push_index("base:1", &[image("linux/amd64"), image("linux/arm64")]);
}

/// Returns the base by its current digest.
fn base(registry: &Registry) -> String {
    let digest = registry.digest("base:1").unwrap();
    format!("{}@{digest}", registry.image("base"))
}

fn dockerfile(registry: &Registry, more: &str) -> String {
    let base = registry.image("base:1");
    format!("FROM {base}\n{more}\nCOPY Dockerfile /own\n")
}

/// A machine with a task that has been built once.
fn built_once(put_on_path: impl Fn(&World) -> Calls, options: &[&str]) -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    push_base(&registry, "0");
    world.task_with(&registry, "web", &dockerfile(&registry, "ENV A=b"), options);
    world.run("web").ok();
    (world, registry)
}

/// Moves the base of a task and rebuilds it.
fn rebuild(world: &World, registry: &Registry, text: &str) {
    push_base(registry, text);
    world.watch_once().ok().prints(&["web: rebuilt"]);
}

fn log(world: &World, run: &str) -> Output {
    world.acrt(&["task", "logs", "--run-id", run]).ok()
}

fn grow_by_nothing(put_on_path: impl Fn(&World) -> Calls, builder: &str, options: &[&str]) {
    let own = ["--image", "web:{{.Run.ID}}"];
    let (world, registry) = built_once(put_on_path, &[&own, options].concat());
    let first = images(&world, builder);
    for text in ["1", "2", "3"] {
        rebuild(&world, &registry, text);
    }
    let (last, log) = (images(&world, builder), log(&world, "ca4"));
    assert_eq!(last.len(), first.len(), "{first:#?} {last:#?} {log}");
    assert_eq!(registry.tags("web"), ["ca1", "ca2", "ca3", "ca4", "latest"]);
    assert!(!log.stdout.contains("cannot remove"), "{log}");
}

#[test]
fn docker_images_do_not_accumulate_over_rebuilds() {
    grow_by_nothing(World::docker, "docker", &[]);
}

#[test]
fn docker_images_in_the_containerd_store_do_not_accumulate_over_rebuilds() {
    grow_by_nothing(World::newer_docker, "docker", &[]);
}

#[test]
fn docker_images_of_several_platforms_do_not_accumulate_over_rebuilds() {
    grow_by_nothing(World::newer_docker, "docker", &BOTH_PLATFORMS);
}

#[test]
fn podman_images_do_not_accumulate_over_rebuilds() {
    grow_by_nothing(World::podman, "podman", &[]);
}

#[test]
fn buildah_images_do_not_accumulate_over_rebuilds() {
    grow_by_nothing(World::buildah, "buildah", &[]);
}

#[test]
fn podman_images_of_several_platforms_do_not_accumulate_over_rebuilds() {
    grow_by_nothing(World::podman, "podman", &BOTH_PLATFORMS);
}

#[test]
fn buildah_images_of_several_platforms_do_not_accumulate_over_rebuilds() {
    grow_by_nothing(World::buildah, "buildah", &BOTH_PLATFORMS);
}

/// Checks that neither the stages of a build nor the containers in which they were made accumulate over rebuilds.
fn stages_grow_by_nothing(put_on_path: impl Fn(&World) -> Calls, builder: &str, args: &str) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    world.config(&format!(
        "builders: {{{builder}: {{buildArgs: [{args}]}}}}\n"
    ));
    push_base(&registry, "0");
    let base = registry.image("base:1");
    let stages = format!(
        "FROM {base} AS made\nCOPY Dockerfile /one\nENV A=b\nFROM {base} AS idle\nFROM made AS more\nCOPY Dockerfile /two\n"
    );
    let last = format!("FROM {base}\nCOPY --from=more /two /two\nCOPY --from=idle /version /v\n");
    world.tracked_task(&registry, "web", &format!("{stages}{last}"));
    let first = images(&world, builder);
    for text in ["1", "2", "3"] {
        rebuild(&world, &registry, text);
    }
    let (kept, log) = (images(&world, builder), log(&world, "ca4"));
    assert_eq!(kept.len(), first.len(), "{first:#?} {kept:#?} {log}");
    assert!(!log.stdout.contains("cannot remove"), "{log}");
    let containers: &[&str] = match builder {
        "podman" => &["ps", "--all", "--external", "--quiet"],
        _ => &["containers", "--quiet"],
    };
    let left = call(&world, builder, containers).ok();
    assert_eq!(left.stdout.trim(), "", "{left}");
}

#[test]
fn podman_stages_do_not_accumulate_over_rebuilds() {
    stages_grow_by_nothing(World::podman, "podman", "");
}

#[test]
fn buildah_stages_and_their_containers_do_not_accumulate_over_rebuilds() {
    stages_grow_by_nothing(World::buildah, "buildah", "");
}

#[test]
fn buildah_stages_with_a_cache_of_layers_do_not_accumulate_over_rebuilds() {
    stages_grow_by_nothing(World::buildah, "buildah", "--layers");
}

#[test]
fn podman_stage_that_a_run_has_taken_from_the_cache_is_kept() {
    let (world, registry) = (World::new(), Registry::start());
    world.podman();
    push_base(&registry, "0");
    let base = registry.image("base:1");
    let text =
        format!("FROM {base} AS made\nCOPY kept /kept\nFROM {base}\nCOPY --from=made /kept /k\n");
    world.write("web/kept", "x");
    world.tracked_task(&registry, "web", &text);
    for run in ["ca2", "ca3"] {
        world.context("web", &format!("{text}ENV RUN={run}\n"));
        world.run("web").ok();
        let log = log(&world, run);
        let stage = log.stdout.split_once("COPY kept /kept").unwrap().1;
        let reused = stage
            .lines()
            .nth(1)
            .unwrap()
            .strip_prefix("--> Using cache ");
        assert!(
            has(&world, "podman", reused.expect("a cached stage")),
            "{log}"
        );
    }
}

#[test]
fn base_that_could_not_be_removed_is_removed_by_a_later_run() {
    let (world, registry) = built_once(World::buildah, &[]);
    let old = base(&registry);
    let from = ["from", "--quiet", "--name", "holder", &old];
    call(&world, "buildah", &from).ok();
    rebuild(&world, &registry, "1");
    assert!(has(&world, "buildah", &old));
    log(&world, "ca2").prints(&["cannot remove unused base"]);
    call(&world, "buildah", &["rm", "holder"]).ok();
    rebuild(&world, &registry, "2");
    assert!(!has(&world, "buildah", &old));
}

#[test]
fn rebuild_lists_the_images_of_buildah_again_only_after_a_removal() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.buildah();
    push_base(&registry, "0");
    world.task_with(&registry, "web", &dockerfile(&registry, ""), &[]);
    world.run("web").ok();
    rebuild(&world, &registry, "1");
    let before = calls.lines().len();
    rebuild(&world, &registry, "2");
    let verbs = calls.lines().split_off(before);
    let verbs: Vec<&str> = verbs.iter().filter_map(|it| it.split(' ').next()).collect();
    let build = ["info", "inspect", "build", "inspect", "push"];
    let old_image = ["images", "rmi", "images"];
    let old_base = ["inspect", "images", "rmi", "inspect"];
    assert_eq!(verbs, [&build[..], &old_image, &old_base].concat());
}

/// Checks that images that others have named, made or pulled survive rebuilds.
fn others_keep_theirs(put_on_path: impl Fn(&World) -> Calls, builder: &str) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    push_base(&registry, "0");
    let (fetched, text) = (base(&registry), dockerfile(&registry, "ENV A=b"));
    let plain: &[&str] = match builder {
        "docker" => &[],
        _ => &["--tls-verify=false"],
    };
    call(
        &world,
        builder,
        &[&["pull"], plain, &[&fetched[..]]].concat(),
    )
    .ok();
    world.task(&registry, "web", &text);
    world.run("web").ok();
    let web = registry.image("web:latest");
    call(&world, builder, &["tag", &web, "localhost/kept:1"]).ok();
    // The same task in another state directory.
    let state = world.state().display().to_string();
    world.set("ACRT_STATE_DIR", &world.path("other").display().to_string());
    let (host, folder) = (
        registry.host(),
        world.context("theirs", &dockerfile(&registry, "ENV C=d")),
    );
    let create = ["task", "create", "-n", "web", "-r", &host, "-c", &folder];
    world
        .acrt(&[&create[..], &["-t", "web:theirs"]].concat())
        .ok();
    world.run("web").ok();
    let theirs = registry.image("web:theirs");
    world.set("ACRT_STATE_DIR", &state);
    // An image that another build made on an image of the task, so that it inherits the labels.
    let heir = world.context("heir", &format!("FROM {web}\nENV E=f\n"));
    let build = [&["build", "--quiet"], plain, &[&heir[..]]].concat();
    let heir = call(&world, builder, &build).ok().stdout.trim().to_owned();
    push_base(&registry, "1");
    let between = base(&registry);
    for text in ["1", "2"] {
        rebuild(&world, &registry, text);
    }
    for image in [&fetched, "localhost/kept:1", &theirs, &web, &heir] {
        assert!(has(&world, builder, image), "{image}");
    }
    assert!(!has(&world, builder, &between), "nothing needs it");
}

#[test]
fn docker_keeps_images_that_others_tagged_built_or_pulled() {
    others_keep_theirs(World::docker, "docker");
}

#[test]
fn podman_keeps_images_that_others_tagged_built_or_pulled() {
    others_keep_theirs(World::podman, "podman");
}

#[test]
fn buildah_keeps_images_that_others_tagged_built_or_pulled() {
    others_keep_theirs(World::buildah, "buildah");
}

#[test]
fn old_base_is_removed_after_the_last_task_is_rebuilt_on_the_new_one() {
    let (world, registry) = built_once(World::docker, &[]);
    let old = base(&registry);
    world.tracked_task(&registry, "api", &dockerfile(&registry, "ENV C=d"));
    push_base(&registry, "1");
    world.run("web").ok();
    assert!(has(&world, "docker", &old));
    world.run("api").ok();
    assert!(!has(&world, "docker", &old));
}

#[test]
fn image_used_by_a_container_is_kept() {
    let (world, registry) = built_once(World::docker, &[]);
    let web = registry.image("web:latest");
    let create = ["create", "--name", "user", "--network=none", &web, "x"];
    call(&world, "docker", &create).ok();
    let used = ["inspect", "--format", "{{.Image}}", "user"];
    let used = call(&world, "docker", &used).ok().stdout.trim().to_owned();
    rebuild(&world, &registry, "1");
    assert!(has(&world, "docker", &used));
    log(&world, "ca2").prints(&["stays because a container uses it"]);
    call(&world, "docker", &["rm", "user"]).ok();
    rebuild(&world, &registry, "2");
    assert!(!has(&world, "docker", &used));
}

#[test]
fn builder_images_are_kept_where_its_settings_say_so() {
    let (world, registry) = built_once(World::buildah, &[]);
    let first = images(&world, "buildah").len();
    world.config("builders: {buildah: {clean: off}}\n");
    rebuild(&world, &registry, "1");
    // There is no record of this one, so it is kept.
    let stays = images(&world, "buildah").len() - first;
    assert!(stays > 0);
    world.config("builders: {buildah: {clean: all}}\n");
    rebuild(&world, &registry, "2");
    let left = images(&world, "buildah");
    assert_eq!(left.len(), stays, "{left:#?}");
}

#[test]
fn base_of_a_failed_build_is_removed_after_the_next_success() {
    let (world, registry) = built_once(World::buildah, &[]);
    push_base(&registry, "1");
    let failed = base(&registry);
    world.context("web", &dockerfile(&registry, "COPY missing /"));
    world.run("web").exits(1);
    assert!(has(&world, "buildah", &failed));
    push_base(&registry, "2");
    world.context("web", &dockerfile(&registry, "ENV A=b"));
    world.run("web").ok();
    assert!(!has(&world, "buildah", &failed));
    assert!(has(&world, "buildah", &base(&registry)));
}

#[test]
fn manifest_lists_of_failed_runs_are_removed() {
    let (world, registry) = built_once(World::buildah, &BOTH_PLATFORMS);
    let first = images(&world, "buildah");
    let (own, broken) = (world.path("bin/own"), world.path("broken"));
    fs::rename(world.path("bin/buildah"), &own).unwrap();
    let script = format!(
        "broken=$(cat '{}' 2>/dev/null)\ncase \"$broken $1 $2\" in\n'push manifest push' | 'rm manifest '*) echo broken >&2; [ \"$2\" = inspect ] || exit 1 ;;\nesac\nexec '{}' \"$@\"",
        broken.display(),
        own.display()
    );
    world.fake("buildah", &script);
    let lists = || {
        let all = images(&world, "buildah").into_iter();
        all.filter(|it| it.starts_with("localhost/acrt-")).count()
    };
    for (what, left) in [("push", 0), ("rm", 1)] {
        fs::write(&broken, what).unwrap();
        push_base(&registry, what);
        world.run("web").exits(1);
        assert_eq!(lists(), left, "{what}: {:#?}", images(&world, "buildah"));
    }
    fs::remove_file(&broken).unwrap();
    push_base(&registry, "1");
    world.run("web").ok();
    let last = images(&world, "buildah");
    assert_eq!(lists(), 0, "{last:#?}");
    assert_eq!(last.len(), first.len(), "{first:#?} {last:#?}");
}

#[test]
fn stopped_podman_build_leaves_no_container_and_its_base_is_removed_after_the_next_success() {
    let (world, registry) = (World::new(), Registry::start());
    world.podman();
    registry.push_shell("base:1", &[("version", "0")]);
    let (gate, from) = (Gate::new(), registry.image("base:1"));
    let wait = format!("FROM {from}\nRUN {}\n", gate.wait_command());
    world.task(&registry, "web", &wait);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    let _waiting = gate.arrival();
    run.signal(Signal::INT);
    run.wait().exits(130);
    let list = ["ps", "--all", "--external", "--quiet"];
    let left = call(&world, "podman", &list).ok();
    assert_eq!(left.stdout.trim(), "", "{left}");
    let old = base(&registry);
    assert!(has(&world, "podman", &old));
    registry.push_shell("base:1", &[("version", "1")]);
    world.context("web", &format!("FROM {from}\nENV A=b\n"));
    world.run("web").ok();
    assert!(!has(&world, "podman", &old));
}

#[test]
fn images_of_tasks_without_a_push_are_kept() {
    for local in [false, true] {
        let (world, registry) = (World::new(), Registry::start());
        world.docker();
        push_base(&registry, "0");
        let (host, text) = (registry.host(), dockerfile(&registry, "ENV A=b"));
        let context = world.context("web", &text);
        let create = [
            "task",
            "create",
            "-n",
            "web",
            "-t",
            "web:latest",
            "-c",
            &context,
        ];
        let kind: &[&str] = match local {
            true => &["--local"],
            false => &["--no-push", "-r", &host],
        };
        world.acrt(&[&create[..], kind].concat()).ok();
        world.run("web").ok();
        let first = images(&world, "docker").len();
        push_base(&registry, "1");
        world.run("web").ok();
        assert!(images(&world, "docker").len() > first);
    }
}

#[test]
fn failed_clean_up_is_one_line_in_the_log() {
    let (world, registry) = built_once(World::buildah, &[]);
    let real = world.path("bin/real");
    std::fs::rename(world.path("bin/buildah"), &real).unwrap();
    let script = format!(
        "[ \"$1\" = rmi ] && {{ echo 'it is my image' >&2; exit 1; }}\nexec '{}' \"$@\"",
        real.display()
    );
    world.fake("buildah", &script);
    rebuild(&world, &registry, "1");
    assert_eq!(world.history(), ["web Succeeded", "web Succeeded"]);
    log(&world, "ca2").prints(&["cannot remove superseded ", "it is my image"]);
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn images_of_steps_do_not_accumulate_over_runs() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    push_base(&registry, "0");
    let context = world.context("web", &dockerfile(&registry, "ENV A=b"));
    world.write(
        "web/acb.yaml",
        "version: v1.1.0\nsteps:\n- build: -t $Registry/web:{{.Run.ID}} .\n- push: ['$Registry/web:{{.Run.ID}}']\n",
    );
    let host = registry.host();
    let create = ["task", "create", "-n", "web", "-r", &host, "-c", &context];
    world
        .acrt(&[&create[..], &["-f", "acb.yaml"]].concat())
        .ok();
    world.run("web").ok();
    let first = images(&world, "docker").len();
    for text in ["1", "2"] {
        rebuild(&world, &registry, text);
    }
    let last = images(&world, "docker");
    assert_eq!(last.len(), first, "{last:#?}");
}

/// Returns BuildKit's cache entries, as `pulled from …` or the text of a step, sorted.
fn cache(world: &World) -> Vec<String> {
    let listed = call(world, "docker", &["buildx", "du", "--verbose"]).ok();
    let lines = listed.stdout.lines();
    let mut all: Vec<String> = lines
        .filter_map(|line| line.strip_prefix("Description:"))
        .map(|what| what.trim().to_owned())
        .collect();
    all.sort();
    all
}

#[test]
fn buildkit_cache_of_superseded_bases_is_pruned_and_that_of_others_kept() {
    for put_on_path in [World::newer_docker, World::buildx_elsewhere] {
        let (world, registry) = built_once(put_on_path, &[]);
        let old = base(&registry);
        world.tracked_task(&registry, "api", &dockerfile(&registry, "ENV C=d"));
        // A build by hand, on bases that runs have pulled and on an image of its own.
        let theirs = world.context("theirs", &format!("FROM {old}\nCOPY Dockerfile /theirs\n"));
        registry.push("other:1", &[("by", "others")]);
        let other = registry.image("other:1");
        let others = world.context(
            "others",
            &format!("FROM {other}\nCOPY Dockerfile /others\n"),
        );
        for folder in [&theirs, &others] {
            call(&world, "docker", &["buildx", "build", "--quiet", folder]).ok();
        }
        push_base(&registry, "1");
        world.run("web").ok();
        let between = base(&registry);
        let pulled = |base: &str| format!("pulled from {base}");
        let has = |what: &str| cache(&world).iter().any(|it| it == what);
        let all = cache(&world);
        assert!(has(&pulled(&old)) && has(&pulled(&between)), "{all:#?}");
        let own = |all: &[String]| all.iter().filter(|it| it.ends_with(" /own")).count();
        // Of both tasks on the base of `api`, and of one on the newer base.
        assert_eq!(own(&all), 3);
        for text in ["2", "3"] {
            rebuild(&world, &registry, text);
        }
        let last = cache(&world);
        assert!(!has(&pulled(&between)), "{last:#?}");
        assert!(has(&pulled(&base(&registry))));
        // It needs a layer that a run has pulled, which is therefore kept.
        for step in [
            "[2/2] COPY Dockerfile /theirs",
            "[2/2] COPY Dockerfile /others",
        ] {
            assert!(has(step), "{step} {last:#?}");
        }
        assert!(has(&pulled(&old)), "{last:#?}");
        assert_eq!(own(&last), 2);
        let logs = world.state_files();
        assert!(
            logs.iter()
                .any(|(_, log)| log.contains(": superseded cache, "))
        );
    }
}

#[test]
fn buildkit_cache_of_steps_on_an_older_context_is_pruned() {
    let (world, registry) = built_once(World::newer_docker, &[]);
    let first = cache(&world);
    for text in ["C=d", "E=f"] {
        // The remains of a failed build are removed after the next successful one.
        let broken = format!(
            "{}COPY nowhere /\n",
            dockerfile(&registry, &format!("ENV X{text}"))
        );
        world.write("web/Dockerfile", &broken);
        world.run("web").exits(1);
        world.write(
            "web/Dockerfile",
            &dockerfile(&registry, &format!("ENV {text}")),
        );
        world.run("web").ok();
    }
    assert_eq!(cache(&world), first);
    world.config("builders: {docker: {clean: off}}\n");
    world.write("web/Dockerfile", &dockerfile(&registry, "ENV G=h"));
    world.run("web").ok();
    assert!(cache(&world).len() > first.len());
}

#[test]
fn cache_is_pruned_weekly_where_the_config_file_sets_what_to_keep() {
    let (world, registry) = (World::new(), Registry::start());
    let calls = world.newer_docker();
    world.config("builders: {docker: {keepStorage: 20, until: 48}}\n");
    push_base(&registry, "0");
    world.task(&registry, "web", &dockerfile(&registry, "ENV A=b"));
    let prunes = |now: &str| {
        world.set("ACRT_NOW", now);
        world.run("web").ok();
        calls.of("builder")
    };
    let line = "builder prune --force --keep-storage=20000000000 --filter=until=48h";
    assert_eq!(prunes("2026-01-01T00:00:00Z"), [line]);
    assert_eq!(prunes("2026-01-07T00:00:00Z"), [line]);
    assert_eq!(prunes("2026-01-08T00:00:00Z"), [line, line]);
}

/// Returns the size of a folder in kilobytes.
fn kilobytes(world: &World, folder: &std::path::Path) -> u64 {
    let mut du = world.command(crate::support::program("du"));
    du.arg("-sk").arg(folder);
    let said = world.start(du, "du".into()).wait().ok().stdout;
    said.split_whitespace().next().unwrap().parse().unwrap()
}

/// Measures the remains of twenty rebuilds on each builder, for docs/performance.md. It takes some minutes.
#[test]
#[ignore = "measures; see docs/performance.md"]
fn disk_usage_after_twenty_rebuilds_is_measured() {
    type PutOnPath = fn(&World) -> Calls;
    const PAYLOAD: usize = 10_000_000;
    let push = |registry: &Registry, n: usize| {
        let mut word = format!("{n}");
        let mut text = String::with_capacity(PAYLOAD + 64);
        while text.len() < PAYLOAD {
            word = sha(&word);
            text.push_str(&word);
        }
        registry.push("base:1", &[("payload", &text)]);
    };
    let builders: [(&str, PutOnPath, &str); 6] = [
        ("docker", World::docker, ""),
        ("docker", World::newer_docker, ""),
        ("docker", World::buildx_elsewhere, ""),
        (
            "docker",
            World::newer_docker,
            "builders: {docker: {keepStorage: 0}}\n",
        ),
        ("podman", World::podman, ""),
        ("buildah", World::buildah, ""),
    ];
    for (builder, put_on_path, config) in builders {
        let (world, registry) = (World::new(), Registry::start());
        put_on_path(&world);
        world.config(config);
        let store = world.store();
        push(&registry, 0);
        world.tracked_task(&registry, "web", &dockerfile(&registry, "ENV A=b"));
        let first = (images(&world, builder).len(), kilobytes(&world, &store));
        for n in 1..=20 {
            push(&registry, n);
            let week = 1_800_000_000 + n * 8 * 24 * 3600;
            world.set("ACRT_NOW", &week.to_string());
            world.watch_once().ok().prints(&["web: rebuilt"]);
        }
        let last = (images(&world, builder).len(), kilobytes(&world, &store));
        println!("{builder} {config:?}: images and KB {first:?}, then {last:?}");
    }
}

fn sha(text: &str) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
