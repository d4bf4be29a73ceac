//! A program that runs as long as its test.

use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take until it listens, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program, which stops when this value is dropped.
pub struct Service(Child);

impl Service {
    /// Starts a program with output to `log`, and waits until it listens on `port`.
    pub fn start(mut command: Command, log: &Path, port: u16) -> Self {
        let log = File::create(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut service = Self(child);
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = service.0.try_wait().unwrap();
            assert!(ended.is_none(), "{command:?} ended at once: {ended:?}");
            assert!(
                start.elapsed() < PATIENCE,
                "{command:?} does not listen on {port}"
            );
            pause();
        }
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns a command to be started.
#[expect(clippy::disallowed_methods, reason = "tests start servers")]
pub fn program(path: &str) -> Command {
    Command::new(path)
}

/// Returns a free port.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits a moment for another process.
#[expect(
    clippy::disallowed_methods,
    reason = "another process is not on our clock"
)]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}
