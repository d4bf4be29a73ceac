//! A throwaway world for whole-program tests: own folders, own `PATH`, a real registry, real builders.
//!
//! Concurrent tests share nothing here, and nothing outlives the test process, even if it is killed. Every wait is a poll with a
//! deadline.

mod authority;
mod browser;
pub mod builders;
mod buildkit;
#[path = "../../benches/watch/delay.rs"]
#[expect(dead_code, reason = "the benchmark checks how exact it is")]
mod delay;
mod gate;
pub mod gateway;
mod git;
mod image;
pub mod processes;
mod proxy;
mod receiver;
mod registry;
mod running;
mod service;
mod spare;
mod tasks;
mod world;

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::fs::{StatVfsMountFlags, statvfs};

pub use authority::Authority;
pub use browser::Browser;
pub use builders::{Calls, Lot};
pub use gate::Gate;
pub use gateway::Gateway;
pub use git::{GitServer, Repository};
pub use image::{Image, own_platform};
pub use proxy::{Cut, Proxy};
pub use receiver::Receiver;
pub use registry::{PASSWORD, Registry, next_port};
pub use running::{Output, Running};
pub use world::World;

/// The option of `task create` for both platforms that [`Registry::push_both`] pushes.
pub const BOTH_PLATFORMS: [&str; 2] = ["--platform", "linux/amd64,linux/arm64"];

/// The deadline of every wait: long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How much memory must be free for the folders of tests: a few concurrent ones take some hundred megabytes.
const ROOM: u64 = 4 << 30;

/// Builders and registries are Go programs, which collect garbage from four megabytes on: tests end before that pays off.
const NO_COLLECTION: [(&str, &str); 2] = [("GOGC", "off"), ("GOMEMLIMIT", "256MiB")];

/// The program folders of Debian and Ubuntu, which the tests use whatever `PATH` is.
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

/// Polls `probe` until it returns a value.
pub fn eventually<T>(what: impl Display, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "gave up waiting for {what}");
        pause();
    }
}

/// Waits a moment between two polls.
#[expect(clippy::disallowed_methods, reason = "between two polls only")]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// Starts a proxy with this round-trip time in front of a loopback port, and returns the proxy's port.
fn wire(port: u16, round_trip: Duration) -> u16 {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let begin = delay::start(([127, 0, 0, 1], port).into(), round_trip, runtime.handle());
    // It lives as long as the test process.
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    begin.unwrap().port()
}

/// Returns a new folder that is removed when it is dropped. Its name says which test it belongs to, in case it remains.
fn folder() -> tempfile::TempDir {
    let mut folder = tempfile::Builder::new();
    folder.prefix("acrt-test-");
    match in_memory() {
        Some(memory) => folder.tempdir_in(memory),
        None => folder.tempdir(),
    }
    .unwrap()
}

/// Makes a folder anew that has gone away.
fn folder_again(path: &Path) -> tempfile::TempDir {
    let mut folder = tempfile::Builder::new();
    folder.prefix(path.file_name().unwrap()).rand_bytes(0);
    folder.tempdir_in(path.parent().unwrap()).unwrap()
}

/// Returns a folder in memory, if it allows programs and has enough space: builders write many small files and would wait for the disk.
fn in_memory() -> Option<&'static Path> {
    let memory = Path::new("/dev/shm");
    // If a place for temporary files is set, it is used.
    let is_named = std::env::temp_dir() != Path::new("/tmp");
    let room = statvfs(memory).ok().filter(|_| !is_named)?;
    let is_for_programs = !room.f_flag.contains(StatVfsMountFlags::NOEXEC);
    let bytes = room.f_bavail.saturating_mul(room.f_frsize);
    (is_for_programs && bytes >= ROOM).then_some(memory)
}

/// Returns a command to be started.
#[expect(clippy::disallowed_methods, reason = "tests run programs")]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// Returns the path of a program of this machine.
///
/// # Panics
///
/// If it is missing: a test never skips silently, it names the package to install.
pub fn program(name: &str) -> PathBuf {
    let package = match name {
        "busybox" => "busybox-static",
        "chromedriver" => "chromium-driver",
        "docker" | "dockerd" => "docker.io",
        "du" => "coreutils",
        "script" => "bsdutils",
        "setpriv" | "unshare" => "util-linux",
        other => other,
    };
    SYSTEM_PATH
        .split(':')
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!("`{name}` is missing: type `apt-get install {package}`, or `tests/packages.sh test` for all of them")
        })
}
