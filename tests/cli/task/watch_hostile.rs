//! `acrt task watch` with malicious contexts: each is one failed run, and all other tasks are rebuilt as usual.

use std::{fs, io::Write as _, net::TcpStream, thread, time::Duration};

use crate::{
    contexts::{archive, send, server},
    support::{Registry, World, eventually},
};

/// The timeout of a hostile task, in seconds.
const TIMEOUT: &str = "8";

/// The limit for the loop's own peak memory, in KiB.
const LARGEST: u64 = 24 * 1024;

/// A hostile task: its name, its context, and the error of its run.
type Hostile = (&'static str, String, &'static str);

fn serve(files: &[(&str, &str)], links: &[(&str, &str)]) -> String {
    let bytes = archive(files, links);
    server(move |stream| send(stream, &bytes))
}

/// A task file whose first line is a template.
fn template(text: &str) -> String {
    let file = format!("env: ['A={text}']\nsteps:\n- cmd: x\n");
    serve(&[("acb.yaml", &file)], &[])
}

/// An archive of 300 folders, each with 60 nested folders, and nothing else.
fn nested_folders() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for n in 0..300 {
        let mut path = format!("d{n}");
        for _ in 0..60 {
            path += "/e";
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            archive
                .append_data(&mut header, &path, std::io::empty())
                .unwrap();
        }
    }
    archive.into_inner().unwrap()
}

fn hostile() -> Vec<Hostile> {
    let drip = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::park_timeout(Duration::from_millis(200));
        }
    };
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..200 {
        aliases += &format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1);
    }
    let elses = "{{else if 0}}".repeat(12_000);
    let file = |text: &str| serve(&[("acb.yaml", text)], &[]);
    let link = |target: &str| serve(&[("x", "")], &[("acb.yaml", target)]);
    vec![
        (
            "stack",
            template("{{$l := list}}{{range until 99990}}{{$l = list $l}}{{end}}x"),
            "templates nest",
        ),
        (
            "elses",
            template(&format!("{{{{if 0}}}}{elses}{{{{end}}}}")),
            "more than 200 `else if`",
        ),
        (
            "replace",
            template("{{replace \"a\" (repeat 1048576 \"b\") (repeat 1048576 \"a\")}}"),
            "more than 8 MiB",
        ),
        (
            "double",
            template("{{$b := \"y\"}}{{range until 99}}{{$b = cat $b $b}}{{end}}"),
            "more than 8 MiB",
        ),
        (
            "aliases",
            file(&format!("{aliases}steps:\n- cmd: x\n")),
            "more than 100000 nodes",
        ),
        ("device", link("/dev/zero"), "leads out of the archive"),
        ("drip", server(drip), "took longer than 8 seconds"),
        (
            "mute",
            server(|_| thread::park_timeout(Duration::from_secs(600))),
            "took longer than 8 seconds",
        ),
        (
            "uniq",
            template("{{range until 100}}{{len (uniq (until 100000))}}{{end}}"),
            "more than 8 MiB",
        ),
        (
            "nested",
            file(&"[".repeat(32 * 1024)),
            "nested more than 64 deep",
        ),
        (
            "large",
            file(&format!("steps:\n- cmd: {}\n", "x".repeat(1024 * 1024))),
            "larger than 1 MiB",
        ),
        (
            "folders",
            {
                let bytes = nested_folders();
                server(move |stream| send(stream, &bytes))
            },
            "acb.yaml",
        ),
        (
            "shadow",
            link("../../etc/shadow"),
            "leads out of the archive",
        ),
    ]
}

/// Tells whether bases move often: with `ACRT_LONG_TESTS=1`.
#[allow(clippy::disallowed_methods, reason = "a long run is asked for")]
fn is_long() -> bool {
    std::env::var_os("ACRT_LONG_TESTS").is_some()
}

/// A machine whose builder uses the image of the `FROM` line unchanged, and which looks at registries each second.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.fake(
        "copy",
        "from=$(sed -n 's/^FROM //p' \"$1\")\n\
         exec skopeo copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \"docker://$from\" \"docker://$2\"",
    );
    world.config(
        "watch: {everySeconds: 1}\nbuilders:\n  command:\n    build: [copy, '{dockerfile}', '{image}']\n",
    );
    world.set("ACRT_BUILDER", "command");
    (world, registry)
}

/// Creates hostile tasks, each with a timer that has long been due.
fn create(world: &World, registry: &Registry, tasks: &[Hostile]) {
    let host = registry.host();
    for (name, address, _) in tasks {
        let context = format!("http://{address}/context.tar");
        let mut acrt = world.command(env!("CARGO_BIN_EXE_acrt"));
        acrt.env("ACRT_NOW", "2026-01-31T08:00:00Z");
        // This one takes long on a busy machine, and ends by itself.
        let timeout = if *name == "folders" { "120" } else { TIMEOUT };
        let options = ["-r", &host, "-f", "acb.yaml", "--timeout", timeout];
        acrt.args(["task", "create", "-n", name, "-c", &context]);
        acrt.args(options).args(["--schedule", "0 3 * * *"]);
        let created = world.start(acrt, format!("acrt task create -n {name}"));
        created.wait().ok();
    }
}

/// Checks that each hostile task has had one run, which failed for the expected reason.
fn each_has_failed_once(world: &World, tasks: &[Hostile]) {
    let runs = world.runs();
    for (name, _, why) in tasks {
        let own: Vec<_> = runs.iter().filter(|run| run["task"] == *name).collect();
        assert_eq!(own.len(), 1, "{name}: {own:?}");
        let reason = own[0]["runErrorMessage"].as_str().unwrap_or_default();
        assert!(reason.contains(why), "{name}: {}", own[0]);
    }
}

#[test]
fn each_hostile_context_fails_one_run_beside_a_rebuild_in_the_same_round() {
    let (world, registry) = world();
    let tasks = hostile();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    create(&world, &registry, &tasks);
    registry.push("base:1", &[("version", "two")]);
    let round = ["task", "watch", "--once", "--jobs", "4"];
    world.acrt(&round).exits(1).prints(&["web: rebuilt"]);
    let version = registry.file("web:latest", "version");
    assert_eq!(version.as_deref(), Some("two"));
    each_has_failed_once(&world, &tasks);
    // None is retried at once.
    world.acrt(&round);
    each_has_failed_once(&world, &tasks);
}

#[test]
fn pipes_and_devices_in_local_contexts_block_no_round() {
    let (world, registry) = world();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    let host = registry.host();
    let create = |name: &str, file: &str, options: &[&str]| {
        let context = world.context(name, &dockerfile);
        world.write(&format!("{name}/acb.yaml"), "steps:\n- cmd: x\n");
        world.write(&format!("{name}/values.yaml"), "a: b\n");
        world.write(&format!("{name}/.dockerignore"), "x\n");
        let own = [
            "task", "create", "-n", name, "-r", &host, "-c", &context, "-f", file,
        ];
        let timer = ["--schedule", "* * * * *", "--timeout", TIMEOUT];
        world.acrt(&[own.as_slice(), &timer, options].concat()).ok();
    };
    let targets = ["/dev/ptmx", "/dev/zero", "/proc/kmsg", "/dev/stdin", "pipe"];
    let mut broken = Vec::new();
    for (n, target) in targets.iter().enumerate() {
        let tag = format!("broken{n}:1");
        let kinds: [(&str, &[&str]); 4] = [
            ("Dockerfile", &["-t", &tag]),
            (".dockerignore", &["-t", &tag]),
            ("acb.yaml", &[]),
            ("values.yaml", &["--values", "values.yaml"]),
        ];
        for (k, (replaced, options)) in kinds.into_iter().enumerate() {
            let name = format!("broken{n}-{k}");
            let is_docker = options.first() == Some(&"-t");
            let file = if is_docker { "Dockerfile" } else { "acb.yaml" };
            create(&name, file, options);
            let path = world.path(&name).join(replaced);
            fs::remove_file(&path).unwrap();
            let mode = rustix::fs::Mode::RUSR;
            rustix::fs::mkfifoat(rustix::fs::CWD, path.with_file_name("pipe"), mode).unwrap();
            std::os::unix::fs::symlink(target, &path).unwrap();
            broken.push(name);
        }
    }
    world.tracked_task(&registry, "web", &dockerfile);
    registry.push("base:1", &[("version", "two")]);
    let options = ["--settle", "0", "--jobs", "4", "--listen", "127.0.0.1:0"];
    let watch = world.spawn(&[&["task", "watch"], options.as_slice()].concat());
    let url = watch.stderr_after("listening on ") + "/healthz";
    eventually("the rebuild beside them", || {
        assert_eq!(ureq::get(&url).call().unwrap().status(), 200);
        let version = registry.file("web:latest", "version");
        (version.as_deref() == Some("two")).then_some(())
    });
    watch.ends_within_grace();
    for name in &broken {
        let run = world.acrt(&["task", "run", "-n", name]);
        run.exits(1).says(&["it is not a regular file"]);
    }
}

#[test]
fn watch_with_eight_hostile_tasks_keeps_twelve_current_in_little_memory() {
    let (world, registry) = world();
    let tasks = &hostile()[..8];
    let moves = if is_long() { 30 } else { 2 };
    let bases = ["base-a:1", "base-b:1", "base-c:1"];
    for base in bases {
        registry.push(base, &[("version", "0")]);
    }
    let healthy: Vec<String> = (0..12).map(|n| format!("web{n}")).collect();
    for (name, base) in healthy.iter().zip(bases.iter().cycle()) {
        let dockerfile = format!("FROM {}\n", registry.image(base));
        world.tracked_task(&registry, name, &dockerfile);
    }
    create(&world, &registry, tasks);
    let options = ["--settle", "0", "--jobs", "4", "--listen", "127.0.0.1:0"];
    let watch = world.spawn(&[&["task", "watch"], options.as_slice()].concat());
    let url = watch.stderr_after("listening on ") + "/healthz";
    let is_healthy = || {
        let answer = ureq::get(&url).call().unwrap();
        assert_eq!(answer.status(), 200);
    };
    for version in 1..=moves {
        let version = version.to_string();
        for base in bases {
            registry.push(base, &[("version", &version)]);
        }
        for name in &healthy {
            let image = format!("{name}:latest");
            eventually(format!("version {version} of {name}"), || {
                is_healthy();
                let now = registry.file(&image, "version");
                (now.as_deref() == Some(version.as_str())).then_some(())
            });
        }
    }
    eventually("the end of each hostile run", || {
        is_healthy();
        let ended = |run: &serde_json::Value| run["finishTime"].is_string();
        let runs = world.runs();
        let of = |name: &str| runs.iter().any(|run| run["task"] == *name && ended(run));
        tasks.iter().all(|(name, ..)| of(name)).then_some(())
    });
    let status = fs::read_to_string(format!("/proc/{}/status", watch.pid())).unwrap();
    let size = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let size = line.unwrap().trim().trim_end_matches(" kB");
        size.parse().unwrap()
    };
    // Without the pages of the program file, of which an unoptimised program has many.
    let peak = size("VmHWM:") - size("RssFile:");
    assert!(peak < LARGEST, "{peak} KiB");
    watch.ends_within_grace();
    each_has_failed_once(&world, tasks);
    let states = world.states();
    for name in &healthy {
        assert_eq!(states[name], "current", "{name}");
    }
}
