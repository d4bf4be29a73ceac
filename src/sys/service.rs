//! Notifies the service manager that started this program, if one did: systemd, or another that speaks its protocol, `sd_notify(3)`, with
//! datagrams of `NAME=value` to the socket in `NOTIFY_SOCKET`.

use std::{
    io,
    os::unix::net::{SocketAddr, UnixDatagram},
    time::Duration,
};

use super::{clock::Clock, environment, loop_health::LoopHealth};

/// The connection to the service manager. Without one, notifications do nothing.
#[derive(Debug)]
pub struct Service {
    watchdog: Option<tokio::task::JoinHandle<()>>,
}

impl Service {
    /// Reports that the service has started, and from now on, at the watchdog's interval, that it is alive, as long as the event loop runs
    /// and its pulse is healthy.
    pub fn ready(loop_health: LoopHealth, clock: Clock) -> Self {
        notify("READY=1");
        let watchdog = watchdog().map(|period| {
            tokio::spawn(async move {
                // Half of the interval, as sd_watchdog_enabled(3) advises.
                let mut tick = tokio::time::interval((period / 2).max(Duration::from_millis(1)));
                let mut told = None;
                loop {
                    tick.tick().await;
                    let trouble = loop_health.trouble(clock.now());
                    match &trouble {
                        None => notify("WATCHDOG=1"),
                        Some(why) if trouble != told => notify(&format!("STATUS={why}")),
                        Some(_) => {}
                    }
                    told = trouble;
                }
            })
        });
        Self { watchdog }
    }

    /// Reports what the service does, for `systemctl status`.
    pub fn status(&self, text: &str) {
        notify(&format!("STATUS={text}"));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.abort();
        }
        notify("STOPPING=1");
    }
}

/// Returns the watchdog's interval, if the service manager has set one.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| environment::variable(name)?.parse::<u64>().ok();
    let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let period = number("WATCHDOG_USEC").filter(|period| *period > 0 && is_ours);
    period.map(Duration::from_micros)
}

fn notify(state: &str) {
    if let Some(socket) = environment::variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) {
        // A service manager that does not listen is no reason to stop.
        let _ = send(&socket, state);
    }
}

fn send(socket: &str, state: &str) -> io::Result<usize> {
    let line = format!("{state}\n");
    UnixDatagram::unbound()?.send_to_addr(line.as_bytes(), &address(socket)?)
}

/// Returns the address of a socket: a path, or after `@` a name in Linux's abstract namespace.
fn address(socket: &str) -> io::Result<SocketAddr> {
    match socket.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)
        }
        #[cfg(not(target_os = "linux"))]
        Some(_) => Err(io::ErrorKind::Unsupported.into()),
        None => SocketAddr::from_pathname(socket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notify_socket_is_a_path_or_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify").display().to_string();
        let name = format!("@acrt-test-{}", std::process::id());
        for socket in [path, name] {
            let manager = UnixDatagram::bind_addr(&address(&socket).unwrap()).unwrap();
            send(&socket, "READY=1").unwrap();
            let mut heard = [0; 64];
            let length = manager.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"READY=1\n", "{socket}");
        }
    }
}
