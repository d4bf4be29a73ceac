//! Remote contexts: git repositories, archives, artifacts.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    thread,
};

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};

use crate::support::{Calls, GitServer, Image, Registry, World, eventually, own_platform};

const TOKEN: &str = r"hunter2\token";

/// A token that the server refuses.
const WRONG_TOKEN: &str = "wrong-hunter-token";

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
fn git_context_with_folder_and_branch_or_tag_is_built_and_its_commit_recorded() {
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

    // Its bases are followed as those of a local folder, and its files are fetched again.
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
fn commit_and_branch_can_be_used_in_an_image_name() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", dockerfile.as_str())]);
    let commit = repository.commit(&[("text", "two")]);
    let names = ["-t", "web:{{.Run.Branch}}-{{.Run.Commit}}"];
    let context = format!("{}#main", repository.url());
    create(&world, &registry, &context, &names).ok();
    world.run("web").ok();
    assert!(registry.digest(&format!("web:main-{commit}")).is_some());
    // A folder has no commit, and a tag with a gap would be wrong.
    let folder = world.context("folder", &dockerfile);
    create(&world, &registry, &folder, &names)
        .exits(2)
        .says(&["no such variable `.Run.Branch`"]);
}

#[test]
fn commit_and_branch_can_be_the_whole_tag_of_a_step() {
    let (world, registry) = world();
    let steps = "steps:\n- build: -t {{.Run.Registry}}/web:{{.Run.Commit}} -t {{.Run.Registry}}/web:{{.Run.Branch}} .\n- push: [\"{{.Run.Registry}}/web:{{.Run.Commit}}\", \"{{.Run.Registry}}/web:{{.Run.Branch}}\"]\n";
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let files = [("Dockerfile", dockerfile.as_str()), ("acb.yaml", steps)];
    let repository = world.repository("web", &files);
    let commit = repository.commit(&[("text", "two")]);
    let context = format!("{}#main", repository.url());
    let host = registry.host();
    let create = [
        "task", "create", "-n", "web", "-r", &host, "-f", "acb.yaml", "-c", &context,
    ];
    world.acrt(&create).ok();
    world.run("web").ok();
    for tag in [&commit, "main"] {
        assert!(registry.digest(&format!("web:{tag}")).is_some(), "{tag}");
    }
}

#[test]
fn git_context_that_is_replaced_by_hand_makes_the_task_changed() {
    let (world, registry) = world();
    registry.push("base:2", &[("version", "two")]);
    let from = |image: &str| format!("FROM {}\n", registry.image(image));
    let before = world.repository("before", &[("Dockerfile", &from("base:1"))]);
    let after = world.repository("after", &[("Dockerfile", &from("base:2"))]);
    create(&world, &registry, &before.url(), &[]).ok();
    world.run("web").ok();
    assert_eq!(world.state_of("web"), "current");
    let path = format!("state/tasks/{}/web.yaml", registry.host());
    let definition = fs::read_to_string(world.path(&path)).unwrap();
    world.write(
        &path,
        &format!("{definition}timeout: 77\n").replace("timeout: 3600\n", ""),
    );
    assert_eq!(world.state_of("web"), "current");
    world.write(&path, &definition.replace(&before.url(), &after.url()));
    let check = world.acrt(&["task", "check"]).ok().json();
    assert_eq!(check[0]["state"], "changed");
    let why = check[0]["reason"].as_str().unwrap();
    assert!(
        why.starts_with("what it is built from has changed"),
        "{why}"
    );
    world.watch_once().ok().says(&["web: changed"]);
    world.watch_once().ok().silent();
    world.run("web").ok();
    assert_eq!(world.state_of("web"), "current");
    assert!(registry.depends_on("web:latest", "base:2"));
}

#[test]
fn git_commit_is_built_by_its_short_hash_and_for_a_single_run() {
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
fn private_repository_is_fetched_with_a_token_that_is_never_shown() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.repository("web", &[("Dockerfile", &dockerfile)]);
    let server = GitServer::start(&world.path("repos"), Some(TOKEN));
    create(&world, &registry, &server.url("web"), &[]).ok();
    let refused = world.run("web").exits(4).says(&["--git-access-token"]);
    assert!(!refused.stderr.contains(TOKEN));
    world.set("MY_TOKEN", TOKEN);
    world.set("WRONG_TOKEN", WRONG_TOKEN);
    let update = ["task", "update", "-n", "web", "--git-access-token"];
    for token in [WRONG_TOKEN, "env:WRONG_TOKEN"] {
        world.acrt(&[&update[..], &[token]].concat()).ok();
        let refused = world.run("web").exits(4).says(&["no such login", ":***"]);
        assert!(!refused.stdout.contains(WRONG_TOKEN), "{refused}");
        assert!(!refused.stderr.contains(WRONG_TOKEN), "{refused}");
    }
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
        let shows = text.contains(TOKEN) || text.contains(WRONG_TOKEN);
        assert!(secret || !shows, "{}", path.display());
    }
}

#[test]
fn missing_remote_context_is_reported_and_changes_nothing() {
    let (world, registry) = world();
    let repository = world.repository("web", &[("Dockerfile", "FROM scratch\n")]);
    let url = repository.url();
    for (context, code, told) in [
        (format!("{url}#nowhere"), 4, "nowhere"),
        (
            format!("{url}#deadbeef"),
            4,
            "the repository has no `deadbeef`",
        ),
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
    create(&world, &registry, &format!("{url}#nowhere"), &[]).ok();
    world.run("web").exits(4).says(&["git ls-remote"]);
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
fn archive_context_is_fetched_unpacked_and_built() {
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
fn oci_artifact_context_is_built_from_its_files() {
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
    let images = ["linux/amd64", "linux/arm64"].map(|platform| {
        Image::of(&[("Dockerfile", &dockerfile), ("text", platform)]).platform(platform)
    });
    registry.push_index("context:2", &images);
    let index = format!("oci://{}", registry.image("context:2"));
    world
        .acrt(&["build", "-r", &host, "-t", "web:2", &index])
        .ok();
    let text = registry.file("web:2", "text");
    let (os, architecture) = own_platform();
    assert_eq!(text, Some(format!("{os}/{architecture}")));
    let missing = format!("oci://{}", registry.image("missing:1"));
    world
        .acrt(&["build", "-r", &host, "-t", "web:1", &missing])
        .exits(4);
    assert!(
        fs::read_dir(world.state().join("runs/ca3"))
            .unwrap()
            .flatten()
            .all(|it| it.file_name() != "context")
    );
}

#[test]
fn new_commit_and_moved_base_run_the_task_once() {
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
    // A second task of the same repository causes no second request.
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
fn commit_trigger_of_a_tag_or_shortened_commit_that_has_not_moved_runs_nothing() {
    let (world, registry) = world();
    // What git says on standard error is no part of its answers.
    world.set("GIT_TRACE", "1");
    let host = registry.host();
    let dockerfile = format!("FROM {}\nCOPY text /text\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", &dockerfile), ("text", "one")]);
    let one = repository.commit(&[]);
    let annotated = ["tag", "-a", "-m", "x", "annotated"];
    repository.make(&annotated, "refs/tags/annotated");
    repository.make(&["branch", "both"], "refs/heads/both");
    let two = repository.commit(&[("text", "two")]);
    repository.make(&["tag", "both"], "refs/tags/both");
    let create = |name: &str, reference: &str| {
        let image = format!("{name}:1");
        let context = format!("{}#{reference}", repository.url());
        let line = ["task", "create", "-n", name, "-r", &host, "-t", &image];
        let line = [&line[..], &["-c", &context, "--commit-trigger-enabled"]].concat();
        world.acrt(&line).ok();
    };
    for (name, reference, commit) in [
        ("annotated", "annotated", &one),
        ("both", "both", &two),
        ("short", &one[..8], &one),
    ] {
        create(name, reference);
        world.run(name).ok();
        assert_eq!(world.runs()[0]["sourceCommit"], **commit, "{name}");
    }
    world.watch_once().ok().silent();
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok().prints(&["short: rebuilt"]);
    create("gone", "gone");
    let check = ["task", "check", "-n", "gone", "-o", "json"];
    let gone = world.acrt(&check).exits(4);
    gone.prints(&["the repository has no `gone`"]);
}

#[test]
fn modes_of_a_git_context_and_its_workspace_do_not_depend_on_the_umask() {
    let (world, registry) = world();
    let base = registry.image("base:1");
    let look = format!("steps:\n- cmd: {base} sh -c 'busybox stat -c \"%a %n\" . text sub'\n");
    let files = [("acb.yaml", look.as_str()), ("text", ""), ("sub/x", "")];
    let repository = world.repository("web", &files);
    let url = repository.url();
    let script = format!("umask 077; exec \"$0\" run -r {} {url}", registry.host());
    let ran = world.shell(&script).ok();
    ran.prints(&["755 .\n644 text\n755 sub\n"]);
}

#[test]
fn unreachable_git_repository_is_unknown_and_no_commit_is_lost() {
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

/// Starts a git server that names branches without end; after a GiB, it gives up.
fn endless_git_server() -> String {
    let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let hash = "0".repeat(40);
    let begin = format!(
        "{}0000{}",
        line("# service=git-upload-pack\n"),
        line(&format!("{hash} refs/heads/main\0side-band-64k\n"))
    );
    let names = (0..20_000).map(|n| line(&format!("{hash} refs/heads/{n:030}\n")));
    let names: String = names.collect();
    server(move |stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nConnection: close\r\n\r\n";
        let _ = write!(stream, "{head}{begin}");
        for _ in 0..(1 << 30) / names.len() {
            if stream.write_all(names.as_bytes()).is_err() {
                return;
            }
        }
    })
}

#[test]
fn git_server_that_names_branches_without_end_is_stopped_by_the_memory_limit() {
    let (world, registry) = world();
    let context = format!("http://{}/web.git#main", endless_git_server());
    create(&world, &registry, &context, &["--commit-trigger-enabled"]).ok();
    world.config("limits: {memoryMib: 256}\n");
    let limit = "MiB of memory that it may have (";
    world.run("web").exits(4).says(&[
        &format!("256 {limit}limits.memoryMib)"),
        "limits.memoryMib=512",
    ]);
    world
        .acrt(&["task", "check", "-n", "web"])
        .exits(4)
        .prints(&[&format!("64 {limit}a part of the 256 of limits.memoryMib)")]);
}

#[test]
fn source_trigger_shows_its_repository_as_it_was_given() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("web", &[("sub/Dockerfile", &dockerfile)]);
    let url = format!("{}#main:sub", repository.url());
    create(&world, &registry, &url, &["--commit-trigger-enabled"]).ok();
    let task = world.acrt(&["task", "show", "-n", "web"]).ok().json();
    let source = &task["trigger"]["sourceTriggers"][0]["sourceRepository"];
    assert_eq!(source["repositoryUrl"], url);
    assert_eq!(source["branch"], "main");
}

#[test]
fn commit_trigger_of_a_local_folder_is_refused() {
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

/// Starts a server that answers every request with `answer`, and returns its address.
pub fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            answer(&mut stream);
        }
    });
    address
}

/// Creates an archive of entries: path, and text or the target of a link.
pub fn archive(entries: &[(&str, &str)], links: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, path, text.as_bytes())
            .unwrap();
    }
    for (path, target) in links {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, path, target).unwrap();
    }
    archive.into_inner().unwrap()
}

pub fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    let _ = stream.write_all(bytes);
}

fn build(world: &World, registry: &Registry, options: &[&str]) -> crate::support::Output {
    let host = registry.host();
    world.acrt(&[&["build", "-r", &host, "-t", "web:1"], options].concat())
}

#[test]
fn repository_with_sha256_hashes_is_fetched() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.git();
    registry.push("base:1", &[("text", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.write("web/Dockerfile", &dockerfile);
    let script = "cd web && git init -q --object-format=sha256 && git add . && \
        git -c user.name=a -c user.email=a@b.c commit -qm one && git rev-parse HEAD";
    let mut shell = world.command("/bin/sh");
    shell.args(["-ec", script]).current_dir(world.path(""));
    let made = world.start(shell, "git".into()).wait().ok();
    let commit = made.stdout.trim();
    assert_eq!(commit.len(), 64);
    let url = format!("file://{}", world.path("web").display());
    let (host, fixed) = (registry.host(), format!("{url}#{commit}"));
    let short = format!("{url}#{}", &commit[..10]);
    for context in [&url, &fixed, &short] {
        world
            .acrt(&["build", "-r", &host, "-t", "web:1", context])
            .ok();
        assert_eq!(registry.file("web:1", "text").as_deref(), Some("one"));
    }
}

#[test]
fn repository_with_sha1_hashes_is_fetched_where_git_prefers_sha256() {
    let (world, registry) = world();
    world.set("GIT_DEFAULT_HASH", "sha256");
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", &dockerfile)]);
    build(&world, &registry, &[&repository.url()]).ok();
}

#[test]
fn git_metadata_is_left_out_of_a_context_unless_keep_vcs_is_set() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nCOPY . /all\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", &dockerfile), ("text", "one")]);
    create(&world, &registry, &repository.url(), &[]).ok();
    let has = |path: &str| registry.file("web:latest", path).is_some();
    world.run("web").ok();
    assert!(has("all/text") && !has("all/.git/HEAD"));
    let update = ["task", "update", "-n", "web", "--keep-vcs"];
    world.acrt(&update).ok();
    let task = world.acrt(&["task", "show", "-n", "web"]).ok().json();
    assert_eq!(task["keepVcs"], true);
    world.run("web").ok();
    assert!(has("all/text") && has("all/.git/HEAD"));
    world.acrt(&[&update[..], &["false"]].concat()).ok();
    world.run("web").ok();
    assert!(!has("all/.git/HEAD"));
    build(&world, &registry, &["--keep-vcs", &repository.url()]).ok();
    assert!(registry.file("web:1", "all/.git/HEAD").is_some());
}

#[test]
fn kept_git_metadata_has_the_named_tag_and_is_the_same_in_each_run() {
    let (world, registry) = world();
    // A folder that the builder made for the files would have a time of its own.
    let dockerfile = format!("FROM {}\nCOPY . /\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", &dockerfile)]);
    repository.make(&["tag", "-a", "-m", "x", "v1"], "refs/tags/v1");
    let context = format!("{}#v1", repository.url());
    let layers = [(); 2].map(|()| {
        build(&world, &registry, &["--keep-vcs", &context]).ok();
        registry.config("web:1")["rootfs"].clone()
    });
    assert_eq!(layers[0], layers[1]);
    let has = |path: &str| registry.file("web:1", path).is_some();
    assert!(has(".git/refs/tags/v1") && has(".git/HEAD"));
    assert!(!has(".git/logs/HEAD") && !has(".git/FETCH_HEAD"));
}

#[test]
fn refetched_commit_hits_the_build_cache() {
    let (world, registry) = (World::new(), Registry::start());
    world.docker();
    world.git();
    registry.push_shell("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\nCOPY . /all\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", &dockerfile), ("text", "one")]);
    create(&world, &registry, &repository.url(), &[]).ok();
    let cached = "COPY . /all\n ---> Using cache";
    let first = world.run("web").ok();
    assert!(!first.stdout.contains(cached), "{first}");
    world.run("web").ok().prints(&[cached]);
}

/// Writes a replacement for ssh, which records its arguments and serves the request from this machine.
fn ssh(world: &World) -> String {
    let text = format!(
        "#!/bin/sh\nenv > '{0}/ssh-env'\necho \"$*\" >> '{0}/ssh-calls'\nPATH=/usr/bin:/bin\nfor last; do :; done\neval \"exec $last\"\n",
        world.path("").display()
    );
    let path = world.write("ssh", &text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn ssh_command_of_the_user_is_used_for_git() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", dockerfile.as_str())]);
    let path = repository.url().replace("file://", "");
    let context = format!("ssh://somebody@git.example{path}");
    let ssh = ssh(&world);
    create(&world, &registry, &context, &[]).ok();
    let calls = || fs::read_to_string(world.path("ssh-calls")).unwrap();
    world.write(
        "home/.gitconfig",
        &format!("[core]\nsshCommand = {ssh} -i other\n"),
    );
    world.run("web").ok();
    assert!(calls().starts_with("-i other"), "{}", calls());
    fs::remove_file(world.path("ssh-calls")).unwrap();
    world.set("GIT_SSH_COMMAND", &format!("{ssh} -i key"));
    world.run("web").ok();
    assert!(calls().starts_with("-i key"), "{}", calls());
}

#[test]
fn default_ssh_runs_in_batch_mode() {
    let (world, registry) = world();
    let (context, calls) = ("ssh://git.example/web.git", world.fake("ssh", "exit 1"));
    create(&world, &registry, context, &[]).ok();
    world.run("web").exits(4);
    assert!(
        calls.lines()[0].contains("-oBatchMode=yes"),
        "{:?}",
        calls.lines()
    );
}

/// A repository in which `big.bin` is a Git LFS file.
fn with_lfs(world: &World, registry: &Registry) -> String {
    let content = "a very large file";
    let hash = Sha256::digest(content.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{hash}\nsize {}\n",
        content.len()
    );
    let dockerfile = format!("FROM {}\nCOPY big.bin /big.bin\n", registry.image("base:1"));
    let files = [
        ("Dockerfile", dockerfile.as_str()),
        (
            ".gitattributes",
            "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        ),
        ("big.bin", &pointer),
    ];
    let repository = world.repository("web", &files);
    world.write(
        &format!(
            "repos/web.git/lfs/objects/{}/{}/{hash}",
            &hash[..2],
            &hash[2..4]
        ),
        content,
    );
    repository.url()
}

#[test]
fn git_lfs_files_are_built_with_their_content_and_not_the_pointer() {
    let (world, registry) = world();
    let context = with_lfs(&world, &registry);
    // git-lfs runs its transfer program in a shell.
    for name in ["git-lfs", "sh"] {
        let program = crate::support::program(name);
        symlink(program, world.path(&format!("bin/{name}"))).unwrap();
    }
    create(&world, &registry, &context, &[]).ok();
    world.run("web").ok();
    let content = registry.file("web:latest", "big.bin");
    assert_eq!(content.as_deref(), Some("a very large file"));
}

#[test]
fn login_of_this_machine_is_sent_to_an_lfs_server_of_a_trusted_context_only() {
    let (world, registry) = world();
    for name in ["git-lfs", "sh"] {
        let program = crate::support::program(name);
        symlink(program, world.path(&format!("bin/{name}"))).unwrap();
    }
    let (open, closed) = (
        GitServer::start(&world.path("repos"), None),
        GitServer::start(&world.path("repos"), Some(TOKEN)),
    );
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5\n",
        "0".repeat(64)
    );
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let files = [
        ("Dockerfile", dockerfile.as_str()),
        (".gitattributes", "*.bin filter=lfs\n"),
        (
            ".lfsconfig",
            &format!("[lfs]\n\turl = {}/info/lfs\n", closed.url("web")),
        ),
        ("big.bin", &pointer),
    ];
    world.repository("web", &files);
    let asked = world.path("asked");
    let helper = format!(
        "!f() {{ echo \\\"$1\\\" >{}; echo username=me; echo password={TOKEN}; }}; f",
        asked.display()
    );
    world.write(
        "gitconfig",
        &format!("[credential]\n\thelper = \"{helper}\"\n"),
    );
    let settings = world.path("gitconfig").display().to_string();
    world.set("GIT_CONFIG_GLOBAL", &settings);
    let refused = build(&world, &registry, &[&open.url("web")]).exits(4);
    refused.says(&["--trust-context"]);
    assert!(!asked.exists());
    assert!(!closed.asked().is_empty());
    // The server has no such file.
    build(&world, &registry, &["--trust-context", &open.url("web")]).exits(4);
    assert!(asked.exists());
}

#[test]
fn lfs_files_of_another_repository_of_this_machine_are_no_part_of_a_guests_context() {
    let (world, registry) = world();
    for name in ["git-lfs", "sh"] {
        let program = crate::support::program(name);
        symlink(program, world.path(&format!("bin/{name}"))).unwrap();
    }
    let private = with_lfs(&world, &registry);
    let clone = world.path("repos/web.git");
    let pointer = fs::read_to_string(world.path("web-work/big.bin")).unwrap();
    let dockerfile = format!("FROM {}\nCOPY big.bin /big.bin\n", registry.image("base:1"));
    let server = GitServer::start(&world.path("repos"), None);
    for address in [private.clone(), clone.display().to_string()] {
        let files = [
            ("Dockerfile", dockerfile.as_str()),
            (".gitattributes", "*.bin filter=lfs\n"),
            (".lfsconfig", &format!("[lfs]\n\turl = {address}\n")),
            ("big.bin", &pointer),
        ];
        let evil = world.repository("evil", &files);
        for context in [server.url("evil"), evil.url()] {
            build(&world, &registry, &[&context]).exits(4);
            assert_eq!(registry.digest("web:1"), None);
        }
    }
    build(&world, &registry, &["--trust-context", &server.url("evil")]).ok();
}

#[test]
fn repository_with_lfs_files_is_refused_without_git_lfs() {
    let (world, registry) = world();
    let context = with_lfs(&world, &registry);
    // git-lfs was configured once, and has been removed.
    world.write(
        "home/.gitconfig",
        "[filter \"lfs\"]\nprocess = git-lfs filter-process\nrequired = true\n",
    );
    create(&world, &registry, &context, &[]).ok();
    world.run("web").exits(1).says(&[
        "it keeps files in Git LFS, such as `big.bin`, and git-lfs is missing on this machine",
        "install git-lfs",
    ]);
    assert_eq!(registry.digest("web:latest"), None);
}

#[test]
fn archive_redirected_to_another_host_is_reported() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let bytes = archive(&[("Dockerfile", &dockerfile)], &[]);
    let there = server(move |stream| send(stream, &bytes));
    let target = there.clone();
    let here = server(move |stream| {
        let _ = write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: http://{target}/x.tar?token=canary\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    });
    let told = format!("http://{here} redirects to http://{there}");
    let run = build(&world, &registry, &[&format!("http://{here}/web.tar.gz")]).ok();
    let run = run.says(&[&told]).prints(&[&format!("acrt: {told}")]);
    assert!(
        !run.stderr.contains("canary") && !run.stdout.contains("canary"),
        "{run}"
    );
}

#[test]
fn archive_with_a_symlink_that_leads_outside_is_refused() {
    let (world, registry) = world();
    let links = [("here", "."), ("shadow", "here/here/../../etc/shadow")];
    let bytes = archive(&[("Dockerfile", "FROM scratch\nCOPY shadow /\n")], &links);
    let address = server(move |stream| send(stream, &bytes));
    build(&world, &registry, &[&format!("http://{address}/web.tar")])
        .exits(1)
        .says(&["`shadow` is a link that leads out of the archive"]);
}

#[test]
fn slow_archive_server_is_bounded_by_the_run_timeout() {
    let (world, registry) = world();
    let drip = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        // Each byte arrives in time, but the last one would after half a day.
        while stream.write_all(b"x").is_ok() {
            thread::park_timeout(std::time::Duration::from_millis(50));
        }
    };
    let context = format!("http://{}/web.tar", server(drip));
    let begun = std::time::Instant::now();
    build(&world, &registry, &["--timeout", "2", &context])
        .exits(1)
        .says(&["the run took longer than 2 seconds"]);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    assert_eq!(world.runs()[0]["status"], "Timeout");

    let run = world.spawn(&["build", "-r", "localhost:1", "-t", "web:1", &context]);
    let folder = world.state().join("runs/ca2/context");
    eventually("the fetch", || folder.exists().then_some(()));
    run.signal(Signal::TERM);
    run.wait().exits(143);
    assert!(!folder.exists());
}

#[test]
fn artifact_over_the_size_limit_is_refused_by_its_manifest() {
    let (world, registry) = world();
    registry.push("context:1", &[("Dockerfile", "FROM scratch\n")]);
    let mut manifest = registry.manifest("context:1");
    let layer = manifest["layers"][0].clone();
    let mut large = layer.clone();
    large["size"] = (700_u64 * 1024 * 1024).into();
    manifest["layers"] = serde_json::json!([large, large, large, large]);
    registry.put_document("context:large", &manifest);
    registry.forget_requests();
    let large = format!("oci://{}", registry.image("context:large"));
    build(&world, &registry, &[&large])
        .exits(1)
        .says(&["it is larger than 2 GiB"]);
    let asked = registry.requests();
    assert!(
        asked.iter().all(|it| !it.path.contains("/blobs/")),
        "{asked:?}"
    );

    manifest["layers"] = serde_json::json!([layer]);
    manifest["layers"][0]["size"] = 10.into();
    registry.put_document("context:longer", &manifest);
    let longer = format!("oci://{}", registry.image("context:longer"));
    build(&world, &registry, &[&longer])
        .exits(1)
        .says(&["is longer than its 10 bytes"]);
}

#[test]
fn artifact_download_uses_little_memory() {
    let (world, registry) = (World::new(), Registry::start());
    registry.push("base:1", &[("version", "one")]);
    world.fake("built", "exit 0");
    world.config("builders: {command: {build: [built]}}\n");
    world.set("ACRT_BUILDER", "command");
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let large = "x".repeat(40_000_000);
    let files = [("Dockerfile", dockerfile.as_str()), ("large", &large)];
    registry.push_layers(
        "context:1",
        &[archive(&files, &[]), archive(&[("more", &large)], &[])],
    );
    let context = format!("oci://{}", registry.image("context:1"));
    let acrt = env!("CARGO_BIN_EXE_acrt");
    // A limit on all memory but code and stacks, so that a file kept in memory ends the run.
    let limited = format!(
        "ulimit -d 65536 && exec {acrt} build -r {} --no-push {context}",
        registry.host()
    );
    let mut shell = world.command("/bin/sh");
    shell.args(["-c", &limited]);
    world.start(shell, limited).wait().ok();
}

#[test]
fn git_environment_of_a_calling_hook_is_ignored() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let repository = world.repository("web", &[("Dockerfile", dockerfile.as_str())]);
    create(&world, &registry, &repository.url(), &[]).ok();
    // As in a hook of another repository.
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        world.set(name, world.path("elsewhere").to_str().unwrap());
    }
    world.run("web").ok();
    assert!(!Path::new(&world.path("elsewhere")).exists());
}

#[test]
fn git_submodules_are_fetched_unless_they_are_on_the_local_machine() {
    let (world, registry) = world();
    // `git submodule` is a script, and needs these.
    for program in ["basename", "sed", "uname"] {
        let link = world.path("bin").join(program);
        std::os::unix::fs::symlink(format!("/usr/bin/{program}"), link).unwrap();
    }
    let dockerfile = format!("FROM {}\nCOPY . /all\n", registry.image("base:1"));
    let module = world.repository("module", &[("text", "of the module")]);
    let server = GitServer::start(&world.path("repos"), None);
    let good = world.repository("good", &[("Dockerfile", &dockerfile)]);
    good.add_submodule("../module.git", &module);
    build(&world, &registry, &[&server.url("good")]).ok();
    let text = registry.file("web:1", "all/module/text");
    assert_eq!(text.as_deref(), Some("of the module"));
    // Even if the user allows it for other repositories.
    world.write(
        "gitconfig",
        "[protocol \"file\"]\n\tallow = always\n[protocol \"ext\"]\n\tallow = always\n",
    );
    world.set(
        "GIT_CONFIG_GLOBAL",
        &world.path("gitconfig").display().to_string(),
    );
    let touched = world.path("touched").display().to_string();
    for (n, url) in [module.url(), format!("ext::sh -c touch% {touched}")]
        .iter()
        .enumerate()
    {
        let name = format!("evil{n}");
        let evil = world.repository(&name, &[("Dockerfile", &dockerfile)]);
        evil.add_submodule(url, &module);
        for context in [server.url(&name), evil.url()] {
            let build = build(&world, &registry, &[&context]).exits(4);
            build.says(&["not allowed", "--trust-context"]);
        }
    }
    assert!(!world.path("touched").exists());
    // One on this machine may, if it is the owner's.
    let own = world.path("repos/evil0.git");
    let own = format!("file://{}", own.display());
    build(&world, &registry, &["--trust-context", &own]).ok();
    let remote = ["--trust-context", &server.url("evil0")];
    build(&world, &registry, &remote)
        .exits(4)
        .says(&["not allowed"]);
}

#[test]
fn hooks_of_the_user_run_in_no_checkout_and_filters_in_that_of_a_trusted_context() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nCOPY text /text\n", registry.image("base:1"));
    let files = [
        ("Dockerfile", dockerfile.as_str()),
        (".gitattributes", "text filter=own\n"),
        ("text", "one"),
    ];
    let repository = world.repository("web", &files);
    let ran = world.path("ran");
    let hook = world.write(
        "hooks/post-checkout",
        &format!("#!/bin/sh\n: >'{}'\n", ran.display()),
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    world.write(
        "home/.gitconfig",
        &format!(
            "[core]\nhooksPath = {}\n[filter \"own\"]\nsmudge = echo filtered\nrequired = true\n",
            hook.parent().unwrap().display()
        ),
    );
    let url = repository.url();
    for (options, text) in [
        (&[url.as_str()][..], "one"),
        (&["--trust-context", &url][..], "filtered\n"),
    ] {
        build(&world, &registry, options).ok();
        assert_eq!(registry.file("web:1", "text").as_deref(), Some(text));
        assert!(!ran.exists());
    }
}

#[test]
fn files_of_a_commit_do_not_depend_on_the_users_git_settings() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\nCOPY text /text\n", registry.image("base:1"));
    let files = [("Dockerfile", dockerfile.as_str()), ("text", "a\nb\n")];
    let repository = world.repository("web", &files);
    let attributes = world.write("attributes", "text eol=crlf\n");
    let settings = format!(
        "[core]\nautocrlf = true\neol = crlf\nattributesFile = {}\n",
        attributes.display()
    );
    world.write("home/.gitconfig", &settings);
    let url = repository.url();
    for options in [&[url.as_str()][..], &["--trust-context", &url]] {
        build(&world, &registry, options).ok();
        assert_eq!(registry.file("web:1", "text").as_deref(), Some("a\nb\n"));
    }
}

#[test]
fn program_of_a_checkout_is_not_run_for_a_relative_folder_on_the_path() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let ran = world.path("ran").display().to_string();
    let git = format!("#!/bin/sh\n: >'{ran}'\nexec /usr/bin/git \"$@\"\n");
    let files = [("Dockerfile", dockerfile.as_str()), ("git", &git)];
    let repository = world.repository("web", &files);
    let own = world.path("web-work/git");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    repository.commit(&[]);
    let path = format!(":.:{}", world.path("bin").display());
    world.set("PATH", &path);
    build(&world, &registry, &[&repository.url()]).ok();
    assert!(!world.path("ran").exists());
}

#[test]
fn logins_and_token_are_used_for_submodules_of_a_trusted_context_only() {
    let (world, registry) = world();
    // `git submodule` and the credential helper are scripts, and need these.
    for program in ["basename", "sed", "uname"] {
        let link = world.path("bin").join(program);
        std::os::unix::fs::symlink(format!("/usr/bin/{program}"), link).unwrap();
    }
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let module = world.repository("module", &[("text", "of the module")]);
    let web = world.repository("web", &[("Dockerfile", &dockerfile)]);
    web.add_submodule("../module.git", &module);
    let server = GitServer::start(&world.path("repos"), Some(TOKEN));
    let (web, module) = (server.url("web"), server.url("module"));

    let token = ["--git-access-token", TOKEN];
    create(&world, &registry, &web, &token).ok();
    let refused = world.run("web").exits(4);
    refused.says(&[module.as_str(), "--trust-context"]);
    world
        .acrt(&["task", "run", "-n", "web", "--trust-context"])
        .ok();

    let token = TOKEN.replace('\\', r"\\");
    let helper =
        format!(r"!f() {{ echo username=x-access-token; printf 'password=%s\\n' '{token}'; }}; f");
    world.write(
        "gitconfig",
        &format!("[credential]\n\thelper = \"{helper}\"\n"),
    );
    let settings = world.path("gitconfig").display().to_string();
    world.set("GIT_CONFIG_GLOBAL", &settings);
    let refused = build(&world, &registry, &[&web]).exits(4);
    refused.says(&[module.as_str(), "--trust-context"]);
    build(&world, &registry, &["--trust-context", &web]).ok();
}

/// Builds a folder with the files of version control and other tools, and with a token in `.git/config`.
fn leaves_out_what_is_no_part_of_a_build(put_on_path: impl Fn(&World) -> Calls) {
    let (world, registry) = (World::new(), Registry::start());
    put_on_path(&world);
    registry.push("base:1", &[("version", "one")]);
    let left_out = [
        ".git/config",
        ".gitignore",
        ".hg/store",
        ".svn/entries",
        ".venv/bin/python",
        "sub/.git/config",
        "sub/.gitignore",
    ];
    for path in left_out {
        world.write(
            &format!("web/{path}"),
            "url = https://me:hunter2@example.com/\n",
        );
    }
    for path in ["kept", "sub/kept", ".github/workflow"] {
        world.write(&format!("web/{path}"), "kept");
    }
    world.write("web/secret.key", "hunter2");
    world.write("web/.dockerignore", "*.key\n");
    let dockerfile = format!("FROM {}\nCOPY . /all/\n", registry.image("base:1"));
    let (context, host) = (world.context("web", &dockerfile), registry.host());
    let file = |path: &str| registry.file("web:1", &format!("all/{path}"));
    let build = ["build", "-r", &host, "-t", "web:1", "--verbose"];
    let built = world.acrt(&[&build[..], &[&context]].concat()).ok();
    let said = built
        .stderr
        .matches("left out of the context: .git, .gitignore, .hg, .svn, .venv;");
    assert_eq!(said.count(), 1, "{built}");
    for path in left_out {
        assert_eq!(file(path), None, "{path}");
    }
    for path in ["kept", "sub/kept", ".github/workflow"] {
        assert_eq!(file(path).as_deref(), Some("kept"), "{path}");
    }
    assert_eq!(file("secret.key"), None);
    assert!(!world.state().join("runs/ca1/context").exists());
    // The folder itself is unchanged.
    assert!(world.path("web/.git/config").exists());

    let kept = [&build[..], &["--keep-vcs", &context]].concat();
    let built = world.acrt(&kept).ok();
    assert!(!built.stderr.contains("left out"), "{built}");
    for path in left_out {
        assert!(file(path).is_some(), "{path}");
    }
    assert_eq!(file("secret.key"), None);

    // A state directory in the context, which has the passwords of tasks, is left out whatever is kept.
    let state = world.path("web/.acrt #1").display().to_string();
    world.set("ACRT_STATE_DIR", &state);
    world.write("web/.acrt #1/secrets/hunter2", "hunter2");
    for options in [&[&build[..], &[&context]].concat(), &kept] {
        world.acrt(options).ok();
        assert_eq!(file(".acrt #1/secrets/hunter2"), None);
        assert_eq!(file("kept").as_deref(), Some("kept"));
    }
}

#[test]
fn buildah_leaves_vcs_files_out_of_the_context() {
    leaves_out_what_is_no_part_of_a_build(World::buildah);
}

#[test]
fn podman_leaves_vcs_files_out_of_the_context() {
    leaves_out_what_is_no_part_of_a_build(World::podman);
}

#[test]
fn docker_leaves_vcs_files_out_of_the_context() {
    leaves_out_what_is_no_part_of_a_build(World::docker);
}

#[test]
fn buildx_leaves_vcs_files_out_of_the_context() {
    leaves_out_what_is_no_part_of_a_build(World::buildx_elsewhere);
}

#[test]
fn named_context_with_the_state_directory_in_it_is_refused() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[]);
    let dockerfile = format!(
        "FROM {}\nCOPY --from=all . /all/\n",
        registry.image("base:1")
    );
    world.task(&registry, "web", &dockerfile);
    let file = format!("tasks/{}/web.yaml", registry.host());
    let file = world.state().join(file);
    let definition = std::fs::read_to_string(&file).unwrap();
    let contexts = format!(
        "  contexts: {{all: {}}}\n  imageNames:",
        world.path("").display()
    );
    std::fs::write(&file, definition.replace("  imageNames:", &contexts)).unwrap();
    world
        .run("web")
        .exits(1)
        .says(&["as a named context", "the passwords of tasks"]);
}

#[test]
fn state_directory_that_a_bind_mount_shows_in_a_context_is_left_out() {
    let (world, registry) = world();
    let base = registry.image("base:1");
    world.task(&registry, "web", &format!("FROM {base}\nCOPY . /all/\n"));
    world.write("web/state/text", "hidden by the mount");
    let (state, shown) = (world.state(), world.path("web/state"));
    let (state, shown) = (state.display(), shown.display());
    let script = format!(
        "/usr/bin/unshare --mount /bin/sh -ec '/bin/mount -n --bind \"{state}\" \"{shown}\"; exec \"$0\" task run -n web' \"$0\""
    );
    world.shell(&script).ok();
    let definition = format!("all/state/tasks/{}/web.yaml", registry.host());
    assert_eq!(registry.file("web:latest", &definition), None);
    assert_eq!(registry.file("web:latest", "all/state/text"), None);
    assert!(registry.file("web:latest", "all/Dockerfile").is_some());
}

#[test]
fn steps_do_not_see_vcs_files_that_are_left_out() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("tool:1", &[]);
    let (tool, host) = (registry.image("tool:1"), registry.host());
    world.write("web/.git/config", "hunter2\n");
    world.write("web/kept", "kept\n");
    let look = format!("steps:\n- cmd: {tool} sh -c 'busybox ls -a'\n");
    world.write("web/acb.yaml", &look);
    let context = world.context("web", &format!("FROM {tool}\nCOPY . /all/\n"));
    let run = ["run", "-r", &host, &context];
    let ran = world.acrt(&run).ok().prints(&["kept\n"]);
    assert!(!ran.stdout.contains(".git\n"), "{ran}");
    let kept = [&run[..], &["--keep-vcs"]].concat();
    world.acrt(&kept).ok().prints(&[".git\n"]);
    // A stored task stores whether it keeps them.
    let create = ["task", "create", "-n", "web", "-r", &host, "-t", "web:1"];
    for (option, is_there) in [("false", false), ("true", true)] {
        let options = ["-c", &context, "--keep-vcs", option];
        world.acrt(&[&create[..], &options].concat()).ok();
        world.run("web").ok();
        let config = registry.file("web:1", "all/.git/config");
        assert_eq!(config.is_some(), is_there);
    }
}

#[test]
fn build_step_with_a_git_context_is_fetched_pinned_and_followed() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.git();
    let host = registry.host();
    registry.push("base:1", &[("version", "one")]);
    let repository = world.repository(
        "app",
        &[
            (
                "Dockerfile-app",
                "ARG REGISTRY_NAME\nFROM ${REGISTRY_NAME}/base:1\nCOPY text /text\n",
            ),
            ("text", "of the repository"),
            (
                "sub/Dockerfile",
                &format!("FROM {host}/base:1\nCOPY . /sub/\n"),
            ),
            ("sub/text", "of its folder"),
        ],
    );
    let url = repository.url();
    // As in the tutorial for several registries.
    world.write(
        "acb.yaml",
        &format!(
            "version: v1.1.0\nsteps:\n- build: -t $Registry/hello:1 {url}#main -f Dockerfile-app --build-arg REGISTRY_NAME={host}\n- build: -t $Registry/sub:1 {url}#main:sub\n- push: ['$Registry/hello:1', '$Registry/sub:1']\n"
        ),
    );
    let create = ["task", "create", "-n", "hello", "-r", &host];
    let of = ["-c", "/dev/null", "-f", "acb.yaml"];
    world.acrt(&[&create[..], &of].concat()).ok();
    world
        .run("hello")
        .ok()
        .prints(&["acrt: fetched", "#main:sub at "]);
    let text = |image: &str, path: &str| registry.file(image, path);
    assert_eq!(
        text("hello:1", "text").as_deref(),
        Some("of the repository")
    );
    assert_eq!(text("sub:1", "sub/text").as_deref(), Some("of its folder"));
    assert_eq!(text("sub:1", "sub/.git"), None);
    assert!(registry.depends_on("hello:1", "base:1"));
    assert!(!world.state().join("runs/ca1/steps").exists());
    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok().prints(&["hello: rebuilt"]);
    assert!(registry.depends_on("hello:1", "base:1"));

    // A context that cannot be fetched is an error of `task create`, or of the run.
    world.write("acb.yaml", "steps:\n- build: ftp://example.com/x.git\n");
    world
        .acrt(&[&create[..], &of].concat())
        .exits(2)
        .says(&["ftp://"]);
    let gone = format!("steps:\n- build: {url}#gone\n");
    world.write("acb.yaml", &gone);
    let run = ["run", "-r", &host, "-f", "acb.yaml", "/dev/null"];
    world.acrt(&run).exits(4).says(&["gone"]);
}

#[test]
fn context_token_of_a_task_is_sent_to_its_own_host_only() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    world.git();
    let own = GitServer::start(&world.path("repos"), Some("pat"));
    let other = GitServer::start(&world.path("repos"), Some("pat"));
    world.repository(
        "lib",
        &[("Dockerfile", "FROM scratch\nCOPY Dockerfile /lib\n")],
    );
    let build = |name: &str, server: &GitServer| {
        let file = format!(
            "steps:\n- build: -t $Registry/{name}:1 {}\n- push: ['$Registry/{name}:1']\n",
            server.url("lib")
        );
        format!("version: v1.1.0\n{file}")
    };
    let files = [
        ("own.yaml", build("own", &own)),
        ("other.yaml", build("other", &other)),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    world.repository("app", &files);
    let host = registry.host();
    let create = |file: &str, more: &[&str]| {
        let context = format!("{}#main", own.url("app"));
        let words = [
            "task",
            "create",
            "-n",
            "app",
            "-r",
            &host,
            "-c",
            &context,
            "-f",
            file,
            "--git-access-token",
            "pat",
        ];
        world.acrt(&[&words, more].concat())
    };
    create("own.yaml", &["--trust-context"]).ok();
    world.run("app").ok();
    assert_eq!(registry.tags("own"), ["1"]);
    // The same token would work at the other server, but is not sent there.
    create("other.yaml", &["--trust-context"]).ok();
    let failed = world.acrt(&["task", "run", "-n", "app"]);
    assert_ne!(failed.code, 0, "{failed}");
    assert_eq!(registry.digest("other:1"), None);
    // A guest's file cannot fetch anything.
    own.asked();
    create("own.yaml", &[]).ok();
    world
        .acrt(&["task", "run", "-n", "app"])
        .exits(1)
        .says(&["--trust-context"]);
    assert!(!own.asked().iter().any(|line| line.contains("lib")));
}
