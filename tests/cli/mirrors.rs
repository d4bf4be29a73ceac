//! Mirrors of base images, as in the config file.

use crate::support::{Image, Registry, World};

/// A machine with buildah, an upstream registry with `lib/base:1`, and a registry whose `copies` mirror `lib`.
fn world() -> (World, Registry, Registry) {
    let (world, upstream, own) = (World::new(), Registry::start(), Registry::start());
    world.buildah();
    upstream.push_shell("lib/base:1", &[("version", "one")]);
    world.config(&format!(
        "mirrors: {{'{}/lib': '{}/copies'}}\n",
        upstream.host(),
        own.host()
    ));
    (world, upstream, own)
}

fn import(world: &World, upstream: &Registry, own: &Registry) {
    let (from, to) = (upstream.image("lib/base:1"), own.image("copies/base:1"));
    let line = ["import", "--source", &from, "--image", &to, "--force"];
    world.acrt(&line).ok();
}

fn from(upstream: &Registry) -> String {
    format!("FROM {}\n", upstream.image("lib/base:1"))
}

/// Returns how many blobs the builder has pulled. acrt itself reads the config of the source.
fn pulls(registry: &Registry) -> usize {
    let requests = registry.requests().into_iter();
    requests
        .filter(|request| request.path.contains("/blobs/") && request.method == "GET")
        .filter(|request| !request.agent.starts_with("acrt/"))
        .count()
}

#[test]
fn current_mirror_replaces_its_source_in_the_build() {
    let (world, upstream, own) = world();
    import(&world, &upstream, &own);
    world.task(&own, "web", &from(&upstream));
    upstream.forget_requests();
    let run = world.run("web").ok();
    let copy = own.image("copies/base");
    let digest = upstream.digest("lib/base:1").unwrap();
    run.prints(&[
        &format!("is taken from {copy}@{digest}"),
        &format!("FROM {copy}@{digest}"),
    ]);
    assert_eq!(pulls(&upstream), 0);
    // The label has the name in the Dockerfile.
    let label = own.label("web:latest", "org.opencontainers.image.base.name");
    assert_eq!(label, Some(upstream.image("lib/base:1")));
    let show = world.acrt(&["task", "show", "--name", "web"]).ok().json();
    let dependency = &show["step"]["baseImageDependencies"][0];
    assert_eq!(dependency["repository"], "lib/base");
    assert_eq!(dependency["mirror"]["image"], own.image("copies/base:1"));
    assert_eq!(dependency["mirror"]["used"], true);
    world.watch_once().ok().silent();
}

#[test]
fn mirror_that_is_behind_or_missing_is_reported_and_the_source_is_used() {
    let (world, upstream, own) = world();
    world.task(&own, "web", &from(&upstream));
    let missing = world.run("web").ok();
    let copy = own.image("copies/base:1");
    missing.says(&[
        &format!("mirror `{copy}`"),
        "does not exist",
        &format!("acrt import --source {}", upstream.image("lib/base:1")),
    ]);
    import(&world, &upstream, &own);
    upstream.push_shell("lib/base:1", &[("version", "two")]);
    world
        .watch_once()
        .ok()
        .says(&["is behind", "the source is used"]);
    assert_eq!(own.file("web:latest", "version").as_deref(), Some("two"));
    let check = world
        .acrt(&["task", "check", "--name", "web"])
        .ok()
        .says(&["is behind"]);
    let image = &check.json()[0]["images"][0];
    assert_eq!(image["state"], "current");
    assert_eq!(image["mirror"]["state"], "behind");
    // Updating the mirror is no update for the children of the source.
    import(&world, &upstream, &own);
    world.watch_once().ok().silent();
    let check = world.acrt(&["task", "check", "--name", "web"]).ok();
    assert_eq!(check.json()[0]["images"][0]["mirror"]["state"], "current");
}

#[test]
fn mirror_of_an_unreachable_source_is_built_on_and_never_reported_current() {
    let (world, upstream, own) = world();
    import(&world, &upstream, &own);
    world.task(&own, "web", &from(&upstream));
    upstream.stop();
    let run = world.run("web").ok();
    run.says(&["is used although it is not known"]);
    assert_eq!(world.state_of("web"), "unknown");
    upstream.restart();
    assert_eq!(world.state_of("web"), "current");
    // A move that happened unseen is an update.
    upstream.push_shell("lib/base:1", &[("version", "two")]);
    upstream.stop();
    world.run("web").ok();
    upstream.restart();
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(own.file("web:latest", "version").as_deref(), Some("two"));
}

#[test]
fn task_that_makes_the_mirror_runs_before_the_build_that_uses_it() {
    let (world, upstream, own) = world();
    let source = upstream.image("lib/base:1");
    // By name, the build would come first.
    world.task(&own, "app", &from(&upstream));
    let to = own.host();
    let create = [
        "task",
        "create",
        "-n",
        "zz-mirror",
        "-r",
        &to,
        "-t",
        "copies/base:1",
        "--import",
        &source,
    ];
    world.acrt(&create).ok();
    world.run("zz-mirror").ok();
    world.run("app").ok();
    upstream.push_shell("lib/base:1", &[("version", "two")]);
    upstream.forget_requests();
    let round = world.watch_once().ok();
    let at = |text: &str| round.stdout.find(text).unwrap();
    assert!(at("zz-mirror: rebuilt") < at("app: rebuilt"), "{round}");
    assert!(!round.stderr.contains("behind"), "{round}");
    let runs = world.runs();
    let app = runs.iter().find(|run| run["task"] == "app").unwrap();
    assert_eq!(app["baseImageDependencies"][0]["mirror"]["used"], true);
    assert_eq!(world.history().len(), 4);
}

#[test]
fn stages_and_pinned_images_use_mirrors_and_others_their_source() {
    let (world, upstream, own) = world();
    import(&world, &upstream, &own);
    let other = upstream.push_shell("elsewhere/tool:1", &[("tool", "yes")]);
    let digest = upstream.digest("lib/base:1").unwrap();
    let dockerfile = format!(
        "FROM {0}/elsewhere/tool:1 AS tool\nFROM {0}/lib/base@{digest} AS pinned\nFROM {0}/lib/base:1\n\
         COPY --from=tool /tool /tool\nCOPY --from=pinned /version /pinned\n",
        upstream.host()
    );
    world.task(&own, "web", &dockerfile);
    let run = world.run("web").ok();
    let copy = own.image("copies/base");
    assert!(
        run.stdout
            .contains(&format!("FROM {copy}@{digest} AS pinned")),
        "{run}"
    );
    let tool = upstream.image(&format!("elsewhere/tool@{other}"));
    assert!(run.stdout.contains(&tool), "{run}");
    assert_eq!(own.file("web:latest", "pinned").as_deref(), Some("one"));
}

#[test]
fn mirror_of_only_the_built_platform_is_used() {
    let (world, upstream, own) = world();
    let host = crate::support::own_platform();
    let host = format!("{}/{}", host.0, host.1);
    let other = Image::of(&[("a", "1")]).platform("linux/s390x");
    let mine = Image::of(&[("version", "mine")]).shell().platform(&host);
    upstream.push_index("lib/base:1", &[mine, other]);
    let (source, to) = (upstream.image("lib/base:1"), own.image("copies/base:1"));
    world
        .acrt(&[
            "import",
            "--source",
            &source,
            "-t",
            &to,
            "--platform",
            &host,
        ])
        .ok();
    world.task(&own, "web", &from(&upstream));
    let run = world.run("web").ok();
    assert!(run.stdout.contains("is taken from"), "{run}");
}

#[test]
fn invalid_mirror_table_is_reported_with_its_file() {
    let (world, upstream, own) = world();
    world.task(&own, "web", &from(&upstream));
    world.config("mirrors: {'node:20': 'r.io/node'}\n");
    world
        .run("web")
        .exits(2)
        .says(&["cannot use `mirrors`", "config.yaml", "has a tag"]);
}

#[test]
fn deps_names_mirrors_and_writes_the_dockerfile_with_them() {
    let world = World::new();
    let context = world.context(
        "web",
        "# a comment\nFROM node:20 AS a\nFROM ghcr.io/x/y:1\nCOPY --from=a / /\n",
    );
    let pair = ["--rewrite", "docker.io/library=r.io/base"];
    let deps = world
        .acrt(&[&["deps", &context], &pair[..]].concat())
        .ok()
        .json();
    let images = deps["images"].as_array().unwrap();
    assert_eq!(images[0]["rewritten"], "r.io/base/node:20");
    assert_eq!(images[1].get("rewritten"), None);
    let text = world
        .acrt(&[&["deps", &context, "--dockerfile"], &pair[..]].concat())
        .ok();
    assert_eq!(
        text.stdout,
        "# a comment\nFROM r.io/base/node:20 AS a\nFROM ghcr.io/x/y:1\nCOPY --from=a / /\n"
    );
    // Any name of a registry stands for it.
    let other = ["--rewrite", "index.docker.io/library=r.io/base"];
    let same = world.acrt(&[&["deps", &context, "--dockerfile"], &other[..]].concat());
    assert_eq!(same.ok().stdout, text.stdout);
    // A YAML file of mirrors, a config file, and the user's own config file.
    let map = world.write("map.yaml", "docker.io: r.io/hub\n");
    let whole = world.write("whole.yaml", "mirrors: {ghcr.io/x: r.io/x}\n");
    let (map, whole) = (map.to_str().unwrap(), whole.to_str().unwrap());
    let files = [
        "deps",
        &context,
        "--dockerfile",
        "--rewrite",
        map,
        "--rewrite",
        whole,
    ];
    let text = world.acrt(&files).ok().stdout;
    assert!(
        text.contains("FROM r.io/hub/library/node:20") && text.contains("FROM r.io/x/y:1"),
        "{text}"
    );
    world.config("mirrors: {node: r.io/js}\n");
    let text = world.acrt(&["deps", &context, "--dockerfile"]).ok().stdout;
    assert!(text.contains("FROM r.io/js:20 AS a"), "{text}");
    world
        .acrt(&["deps", &context, "--rewrite", "nonsense"])
        .exits(2)
        .says(&["neither of the form SOURCE=COPY nor a file"]);
    for (text, said) in [
        (
            "mirrors: {node: [a]}\n",
            "expected a string at line 1 column 17",
        ),
        ("node: {a: b}\n", "expected a string at line 1 column 7"),
        ("- node\n", "expected a map"),
    ] {
        let file = world.write("map.yaml", text).display().to_string();
        world
            .acrt(&["deps", &context, "--rewrite", &file])
            .exits(2)
            .says(&["map.yaml", said, "hint: write pairs, as in: --rewrite"]);
    }
    let file = world.write("map.yaml", "mirrors: r.io/mirrors\n");
    let file = file.display().to_string();
    world.acrt(&["deps", &context, "--rewrite", &file]).ok();
}

#[test]
fn purge_keeps_the_mirror_that_a_task_is_built_on() {
    let (world, upstream, own) = world();
    let made = |text: &str| {
        Image::of(&[("version", text)])
            .created("2026-01-01T00:00:00Z")
            .platform("linux/amd64")
    };
    upstream.push_image("lib/base:1", &made("one"));
    import(&world, &upstream, &own);
    own.push_image("copies/base:old", &made("old"));
    world.task(&own, "web", &from(&upstream));
    world.run("web").ok();
    let host = own.host();
    let line = [
        "purge",
        "-r",
        &host,
        "--filter",
        "copies/base:.*",
        "--ago",
        "0m",
    ];
    let purged = world.acrt(&line).ok();
    let copied = format!("it is a copy of `{}`", upstream.image("lib/base:1"));
    purged.says(&[&copied, "task `web` is built on it"]);
    assert_eq!(own.tags("copies/base"), ["1"]);
}
