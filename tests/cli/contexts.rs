//! Contexts that are somewhere else: git repositories, archives, artifacts.

use std::{fs, io::Write as _};

use crate::support::{GitServer, Registry, World};

const TOKEN: &str = "hunter2-token";

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.git();
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

fn create(
    world: &World,
    registry: &Registry,
    context: &str,
    options: &[&str],
) -> crate::support::Output {
    let host = registry.host();
    let line = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        &host,
        "-t",
        "web:latest",
        "-c",
        context,
    ];
    world.acrt(&[&line[..], options].concat())
}

#[test]
fn a_folder_of_a_branch_or_tag_is_built_and_the_commit_recorded() {
    let (world, registry) = world();
    let base = registry.image("base:1");
    let dockerfile = format!("FROM {base}\nCOPY text /text\n");
    let repository = world.repository(
        "web",
        &[("app/Dockerfile", &dockerfile), ("app/text", "one")],
    );
    repository.tag("v1");
    let server = GitServer::start(&world.path("repos"), None);
    let second = repository.commit(&[("app/text", "two")]);
    create(
        &world,
        &registry,
        &format!("{}#main:app", server.url("web")),
        &[],
    )
    .ok();
    world
        .run("web")
        .ok()
        .prints(&["acrt: fetched http", &second]);
    assert_eq!(registry.file("web:latest", "text").as_deref(), Some("two"));
    assert_eq!(world.runs()[0]["sourceCommit"], *second);

    // What it stands on is followed as that of a local folder, and its files are fetched anew.
    repository.commit(&[("app/text", "three")]);
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok().prints(&["web: rebuilt"]);
    assert_eq!(
        registry.file("web:latest", "text").as_deref(),
        Some("three")
    );

    world
        .acrt(&[
            "task",
            "update",
            "-n",
            "web",
            "-c",
            &format!("{}#v1:app", server.url("web")),
        ])
        .ok();
    world.run("web").ok();
    assert_eq!(registry.file("web:latest", "text").as_deref(), Some("one"));
    assert!(!world.state().join("runs/ca3/context").exists());
}

#[test]
fn the_commit_and_the_branch_can_be_in_the_name_of_an_image() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", dockerfile.as_str())]);
    let commit = repository.commit(&[("text", "two")]);
    let names = ["-t", "web:{{.Run.Branch}}-{{.Run.Commit}}"];
    let context = format!("{}#main", repository.url());
    create(&world, &registry, &context, &names).ok();
    world.run("web").ok();
    assert!(registry.digest(&format!("web:main-{commit}")).is_some());
    // A folder has none, and a tag with a gap in it would be a wrong one.
    let folder = world.context("folder", &dockerfile);
    create(&world, &registry, &folder, &names)
        .exits(2)
        .says(&["no such variable `.Run.Branch`"]);
}

#[test]
fn a_commit_is_built_also_by_its_short_name_and_for_one_run_alone() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nCOPY text /text\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", &dockerfile), ("text", "one")]);
    let first = repository.commit(&[("text", "first")]);
    repository.commit(&[("text", "second")]);
    create(&world, &registry, &repository.url(), &[]).ok();
    let context = format!("{}#{}", repository.url(), &first[..8]);
    world
        .acrt(&["task", "run", "-n", "web", "--context", &context])
        .ok();
    assert_eq!(
        registry.file("web:latest", "text").as_deref(),
        Some("first")
    );
    let host = registry.host();
    world
        .acrt(&["build", "-r", &host, "-t", "quick:1", &context])
        .ok();
    assert_eq!(registry.file("quick:1", "text").as_deref(), Some("first"));
}

#[test]
fn a_private_repository_is_opened_by_a_token_that_nobody_sees() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.repository("web", &[("Dockerfile", &dockerfile)]);
    let server = GitServer::start(&world.path("repos"), Some(TOKEN));
    create(&world, &registry, &server.url("web"), &[]).ok();
    let refused = world.run("web").exits(4).says(&["--git-access-token"]);
    assert!(!refused.stderr.contains(TOKEN));
    world.set("MY_TOKEN", TOKEN);
    let update = ["task", "update", "-n", "web", "--git-access-token"];
    for token in [TOKEN, "env:MY_TOKEN"] {
        world.acrt(&[&update[..], &[token]].concat()).ok();
        let run = world.run("web").ok();
        let show = world.acrt(&["task", "show", "-n", "web"]).ok();
        assert!(
            !run.stdout.contains(TOKEN) && !run.stderr.contains(TOKEN),
            "{run}"
        );
        assert!(!show.stdout.contains(TOKEN), "{show}");
    }
    for (path, text) in world.state_files() {
        let secret = path.starts_with(world.state().join("secrets"));
        assert!(secret || !text.contains(TOKEN), "{}", path.display());
    }
}

#[test]
fn what_is_not_there_is_told_and_changes_nothing() {
    let (world, registry) = world();
    let repository = world.repository("web", &[("Dockerfile", "FROM scratch\n")]);
    let url = repository.url();
    for (context, code, told) in [
        (format!("{url}#nowhere"), 4, "nowhere"),
        (
            format!("{url}#main:nofolder"),
            1,
            "has no folder `nofolder`",
        ),
        ("file:///nonexistent.git".to_owned(), 4, "nonexistent"),
        ("http://127.0.0.1:1/x.tar.gz".to_owned(), 4, "127.0.0.1:1"),
    ] {
        create(&world, &registry, &context, &[]).ok();
        world.run("web").exits(code).says(&[told]);
    }
    create(
        &world,
        &registry,
        "https://me:secret@example.com/x.git",
        &[],
    )
    .exits(2)
    .says(&["--git-access-token"]);
}

#[test]
fn an_archive_is_fetched_unpacked_and_built() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nCOPY text /text\n", registry.image("base:1"));
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    for (path, text) in [("app/Dockerfile", dockerfile.as_str()), ("text", "hello")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive
            .append_data(&mut header, path, text.as_bytes())
            .unwrap();
    }
    let bytes = archive.into_inner().unwrap().finish().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://{}/web.tar.gz?sig=secret",
        listener.local_addr().unwrap()
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let _ = std::io::Read::read(&mut stream, &mut request);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len()
            );
            let _ = stream.write_all(&bytes);
        }
    });
    let host = registry.host();
    world
        .acrt(&[
            "build",
            "-r",
            &host,
            "-t",
            "web:1",
            "-f",
            "app/Dockerfile",
            &url,
        ])
        .ok();
    assert_eq!(registry.file("web:1", "text").as_deref(), Some("hello"));
}

#[test]
fn the_files_of_an_artifact_are_built() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nCOPY text /text\n", registry.image("base:1"));
    registry.push(
        "context:1",
        &[("Dockerfile", &dockerfile), ("text", "hello")],
    );
    let host = registry.host();
    let context = format!("oci://{}", registry.image("context:1"));
    world
        .acrt(&["build", "-r", &host, "-t", "web:1", &context])
        .ok();
    assert_eq!(registry.file("web:1", "text").as_deref(), Some("hello"));
    let missing = format!("oci://{}", registry.image("missing:1"));
    world
        .acrt(&["build", "-r", &host, "-t", "web:1", &missing])
        .exits(4);
    assert!(
        fs::read_dir(world.state().join("runs/ca2"))
            .unwrap()
            .flatten()
            .all(|it| it.file_name() != "context")
    );
}

#[test]
fn a_new_commit_runs_the_task_once_and_joins_a_base_that_moved() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nCOPY text /text\n", registry.image("base:1"));
    let files = [("Dockerfile", dockerfile.as_str()), ("text", "one")];
    let repository = world.repository("web", &files);
    let server = GitServer::start(&world.path("repos"), None);
    let context = format!("{}#main", server.url("web"));
    let task = create(
        &world,
        &registry,
        &context,
        &["--commit-trigger-enabled", "true"],
    )
    .ok()
    .json();
    let trigger = &task["trigger"]["sourceTriggers"][0];
    assert_eq!(
        trigger["sourceTriggerEvents"],
        serde_json::json!(["commit"])
    );
    assert_eq!(trigger["sourceRepository"]["branch"], "main");
    // A second task of the same repository costs no second question.
    let host = registry.host();
    world
        .acrt(&[
            "task",
            "create",
            "-n",
            "other",
            "-r",
            &host,
            "-t",
            "other:1",
            "-c",
            &context,
            "--commit-trigger-enabled",
        ])
        .ok();
    world.run("web").ok();
    world.run("other").ok();
    server.asked();
    world.watch_once().ok().silent();
    let refs = server.asked();
    assert_eq!(
        refs.iter()
            .filter(|line| line.contains("/info/refs"))
            .count(),
        1,
        "{refs:?}"
    );

    let commit = repository.commit(&[("text", "two")]);
    assert_eq!(world.state_of("web"), "stale");
    world
        .watch_once()
        .ok()
        .prints(&["web: rebuilt", &commit[..12]]);
    world.watch_once().ok().silent();
    let run = &world.runs()[0];
    assert_eq!(run["sourceTrigger"]["commitId"], *commit);
    assert_eq!(run["sourceTrigger"]["eventType"], "Commit");
    assert_eq!(registry.file("web:latest", "text").as_deref(), Some("two"));

    repository.commit(&[("text", "three")]);
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok();
    let run = &world.runs()[0];
    assert!(
        run["sourceTrigger"].is_object() && run["imageUpdateTrigger"].is_object(),
        "{run}"
    );
    assert_eq!(world.history().len(), 6);
}

#[test]
fn a_repository_that_does_not_answer_is_unknown_and_no_commit_is_lost() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nCOPY text /text\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", &dockerfile), ("text", "one")]);
    create(
        &world,
        &registry,
        &repository.url(),
        &["--commit-trigger-enabled"],
    )
    .ok();
    world.run("web").ok();
    repository.commit(&[("text", "two")]);
    let (here, away) = (world.path("repos/web.git"), world.path("repos/away.git"));
    fs::rename(&here, &away).unwrap();
    assert_eq!(world.state_of("web"), "unknown");
    world.watch_once().exits(4);
    fs::rename(&away, &here).unwrap();
    world.watch_once().ok();
    assert_eq!(registry.file("web:latest", "text").as_deref(), Some("two"));
}

#[test]
fn a_folder_has_no_commits_to_wait_for() {
    let (world, registry) = world();
    let context = world.context("web", "FROM scratch\n");
    create(&world, &registry, &context, &["--commit-trigger-enabled"])
        .exits(2)
        .says(&["no git repository"]);
    let off = [
        "--commit-trigger-enabled",
        "false",
        "--pull-request-trigger-enabled",
        "false",
    ];
    create(&world, &registry, &context, &off).ok();
}
