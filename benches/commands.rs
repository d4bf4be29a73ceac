//! How long whole commands take, and what they ask of a registry.
//!
//! `cargo bench --bench commands` prints a table; `-- --check` also fails where a count is not what it must be. Times are
//! never checked: a busy machine would make them lie.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark starts processes, prints figures, and has nobody to hand an error to"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use acrt::{
    image::{Digest, Platform, Reference},
    store::Store,
    task::{Dependency, DependencyKind, ImageDescriptor, RunId, Task},
    watch::Known,
};
use nix::sys::resource::{UsageWho, getrusage};

/// How often each command is run; the median is printed.
const RUNS: usize = 15;

fn main() -> ExitCode {
    let check = std::env::args().any(|arg| arg == "--check");
    let mut table = Table::default();
    start_up(&mut table);
    listing(&mut table, 1_000);
    listing(&mut table, 10_000);
    let exact = watching(&mut table, 10_000, 100);
    println!("{}", table.0);
    if check && !exact {
        eprintln!("the counts are not what they must be");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Version, help and a task, beside a clap program that does nothing.
fn start_up(table: &mut Table) {
    let hello = Path::new(env!("CARGO_BIN_EXE_acrt"))
        .with_file_name("examples")
        .join("hello_clap");
    assert!(
        hello.exists(),
        "the yardstick is missing: cargo build --release --example hello_clap"
    );
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 1, 1, "localhost:1");
    let yardstick = measure(&mut Command::new(hello));
    table.row("clap hello world", &yardstick, "1.0");
    for args in [
        &["--version"][..],
        &["--help"],
        &["task", "show", "--name", "t0"],
        &["task", "list", "-o", "table"],
    ] {
        let timed = measure(&mut acrt(folder.path(), args));
        let ratio = timed.wall.as_secs_f64() / yardstick.wall.as_secs_f64();
        table.row(
            &format!("acrt {}", args.join(" ")),
            &timed,
            &format!("{ratio:.1}"),
        );
    }
}

/// All definitions read, nothing printed.
fn listing(table: &mut Table, tasks: usize) {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), tasks, 100, "localhost:1");
    let mut list = acrt(folder.path(), &["task", "list", "-o", "none"]);
    // The first call after the files have come to rest makes the cache that later calls read.
    thread::sleep(Duration::from_millis(2100));
    run(&mut list);
    let timed = measure(&mut list);
    table.row(
        &format!("acrt task list -o none, {tasks} tasks"),
        &timed,
        "",
    );
}

/// A round in which nothing has moved. Returns whether each tag was asked for exactly once, by HEAD.
fn watching(table: &mut Table, tasks: usize, bases: usize) -> bool {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), tasks, bases, &registry.address);
    let mut once = acrt(folder.path(), &["task", "watch", "--once"]);
    thread::sleep(Duration::from_millis(2100));
    run(&mut once);
    registry.forget();
    let timed = measure(&mut once);
    let (heads, others) = registry.counts();
    table.row(
        &format!("acrt task watch --once, {tasks} tasks on {bases} bases"),
        &timed,
        "",
    );
    table.0.push_str(&format!(
        "\nRequests in one such round: {} HEAD, {} others.\n",
        heads / RUNS,
        others / RUNS
    ));
    heads == bases * RUNS && others == 0
}

fn acrt(state: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acrt"));
    command.args(args).env("ACRT_STATE_DIR", state);
    command
}

/// Writes definitions, and what is known of each, as acrt itself would have.
fn fill(state: &Path, tasks: usize, bases: usize, registry: &str) {
    let store = Store::at(state);
    let platform: Platform = "linux/amd64".parse().unwrap();
    for n in 0..tasks {
        let task: Task = serde_yaml::from_str(&format!(
            "{{schema: 1, name: t{n}, registry: r.io, step: {{type: Docker, contextPath: /src/t{n}, dockerFilePath: Dockerfile, imageNames: ['t{n}:latest', 't{n}:{{{{.Run.ID}}}}']}}, trigger: {{baseImageTrigger: {{}}}}}}"
        ))
        .unwrap();
        let base: Reference = format!("{registry}/base{}:1", n % bases).parse().unwrap();
        let digest = digest_of(base.repository());
        let dependency = Dependency {
            image: ImageDescriptor::new(&base, Some(digest.clone())),
            kind: DependencyKind::Runtime,
            manifests: BTreeMap::from([(platform.clone(), Some(digest))]),
            line: 1,
        };
        let known = Known::succeeded(
            RunId::new(1),
            vec![dependency],
            vec![],
            "2026-01-01T00:00:00Z".parse().unwrap(),
        );
        // Plain writes: ten thousand files that are each synced would take minutes.
        let write = |path: std::path::PathBuf, text: String| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let layout = store.layout();
        write(
            layout.task(&task.key()),
            serde_yaml::to_string(&task).unwrap(),
        );
        write(
            layout.known(&task.key()),
            serde_json::to_string_pretty(&known).unwrap(),
        );
    }
}

fn digest_of(repository: &str) -> Digest {
    Digest::of(repository.as_bytes())
}

/// A figure of one command.
struct Timed {
    wall: Duration,
    cpu: Duration,
    peak_kib: i64,
}

fn run(command: &mut Command) {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{command:?} ended with {status}");
}

fn measure(command: &mut Command) -> Timed {
    run(command);
    let mut walls = Vec::new();
    let before = used();
    for _ in 0..RUNS {
        let start = Instant::now();
        run(command);
        walls.push(start.elapsed());
    }
    let after = used();
    walls.sort_unstable();
    Timed {
        wall: walls[RUNS / 2],
        cpu: (after.0 - before.0) / u32::try_from(RUNS).unwrap(),
        // The largest child so far: rows are in the order of their size.
        peak_kib: after.1,
    }
}

fn used() -> (Duration, i64) {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let micros = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap())
            + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap())
    };
    (
        micros(usage.user_time()) + micros(usage.system_time()),
        usage.max_rss(),
    )
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, name: &str, timed: &Timed, ratio: &str) {
        if self.0.is_empty() {
            self.0.push_str(
                "| command | wall, median | CPU, mean | peak memory so far | to hello world |\n|---|---|---|---|---|\n",
            );
        }
        self.0.push_str(&format!(
            "| {name} | {:.1} ms | {:.1} ms | {:.1} MiB | {ratio} |\n",
            timed.wall.as_secs_f64() * 1e3,
            timed.cpu.as_secs_f64() * 1e3,
            timed.peak_kib as f64 / 1024.0,
        ));
    }
}

/// A registry that knows every repository under one digest each, and counts what it is asked.
struct Registry {
    address: String,
    heads: Arc<AtomicUsize>,
    others: Arc<AtomicUsize>,
}

impl Registry {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(AtomicUsize::new(0));
        let others = Arc::new(AtomicUsize::new(0));
        let counters = (heads.clone(), others.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counters = counters.clone();
                thread::spawn(move || serve(&stream, &counters.0, &counters.1));
            }
        });
        Self {
            address,
            heads,
            others,
        }
    }

    /// Forgets what came before, and the round of warming up that comes first.
    fn forget(&self) {
        self.heads.store(0, Ordering::Relaxed);
        self.others.store(0, Ordering::Relaxed);
    }

    /// Returns the counts of the measured rounds, without the one that warms up.
    fn counts(&self) -> (usize, usize) {
        let measured = |counter: &AtomicUsize| counter.load(Ordering::Relaxed) * RUNS / (RUNS + 1);
        (measured(&self.heads), measured(&self.others))
    }
}

fn serve(stream: &TcpStream, heads: &AtomicUsize, others: &AtomicUsize) {
    let mut answers = stream;
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        while lines.next().is_some_and(|line| !line.is_empty()) {}
        let repository = request
            .strip_prefix("HEAD /v2/")
            .and_then(|rest| rest.split("/manifests/").next());
        let answer = match repository {
            Some(repository) => {
                heads.fetch_add(1, Ordering::Relaxed);
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nDocker-Content-Digest: {}\r\nContent-Length: 2\r\n\r\n",
                    digest_of(repository)
                )
            }
            None => {
                others.fetch_add(1, Ordering::Relaxed);
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
        };
        if answers.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
