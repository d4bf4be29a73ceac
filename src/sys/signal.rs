//! The signals that stop or reload acrt: SIGINT, SIGTERM and SIGHUP.

use std::fmt;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::error::{Context as _, Error, Kind, Result};

/// A signal that stops this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM, as `kill` and systemd send it.
    Terminate,
    /// SIGHUP, as a terminal sends it when it is closed.
    Hangup,
}

/// The meaning of SIGHUP. It is ignored if it was ignored when this process began, as by `nohup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnHangup {
    /// Stop, because the terminal is gone.
    Stop,
    /// Reload everything, as daemons do.
    Reload,
}

impl Signal {
    /// Returns the kind of error for a stop by this signal. Its exit code is 128 plus the signal's number, as in a shell.
    pub fn kind(self) -> Kind {
        match self {
            Self::Interrupt => Kind::Interrupted,
            Self::Terminate | Self::Hangup => Kind::Terminated,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        })
    }
}

/// The request to stop this program: the first signal, and how many have come.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Receiver<(Option<Signal>, u32)>,
    reloads: watch::Receiver<u32>,
    halted: Option<watch::Receiver<(Option<Signal>, u32)>>,
}

/// Stops a part of the work, while the rest goes on.
#[derive(Debug)]
pub struct StopHandle(watch::Sender<(Option<Signal>, u32)>);

impl StopHandle {
    /// Asks that part of the work to stop.
    pub fn ask(&self) {
        self.0.send_modify(|(first, count)| {
            first.get_or_insert(Signal::Terminate);
            *count += 1;
        });
    }
}

impl Stop {
    /// Handles SIGINT, SIGTERM and SIGHUP from now on, instead of dying from them.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where the machine does not allow it.
    pub fn listen(on_hangup: OnHangup) -> Result<Self> {
        let cannot = || "cannot listen for signals".to_owned();
        let mut interrupt = signal(SignalKind::interrupt()).context(Kind::Failed, cannot)?;
        let mut terminate = signal(SignalKind::terminate()).context(Kind::Failed, cannot)?;
        let mut hangup = if is_hangup_ignored() {
            None
        } else {
            Some(signal(SignalKind::hangup()).context(Kind::Failed, cannot)?)
        };
        let (sender, asked) = watch::channel((None, 0));
        let (reload, reloads) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                    () = next(&mut hangup) => Signal::Hangup,
                };
                if signal == Signal::Hangup && on_hangup == OnHangup::Reload {
                    reload.send_modify(|count| *count += 1);
                    continue;
                }
                sender.send_modify(|(first, count)| {
                    first.get_or_insert(signal);
                    *count += 1;
                });
            }
        });
        Ok(Self {
            asked,
            reloads,
            halted: None,
        })
    }

    /// Returns a `Stop` that never happens.
    pub fn never() -> Self {
        Self {
            asked: watch::channel((None, 0)).1,
            reloads: watch::channel(0).1,
            halted: None,
        }
    }

    /// Returns a `Stop` for a part of the work: it also happens when the returned `Halt` asks for it.
    pub fn or_halt(&self) -> (StopHandle, Self) {
        let (sender, halted) = watch::channel((None, 0));
        let stop = Self {
            asked: self.asked.clone(),
            reloads: self.reloads.clone(),
            halted: Some(halted),
        };
        (StopHandle(sender), stop)
    }

    /// Returns the first signal, if one has come.
    pub fn requested(&self) -> Option<Signal> {
        let halted = self.halted.as_ref().and_then(|halted| halted.borrow().0);
        self.asked.borrow().0.or(halted)
    }

    /// Waits for the first signal.
    pub async fn wait(&self) -> Signal {
        self.nth(1).await
    }

    /// Returns the result of `work`, which the first signal ends.
    ///
    /// # Errors
    ///
    /// Those of `work`; the kind of the signal.
    pub async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = work => result,
            signal = self.wait() => Err(Error::new(signal.kind(), "operation cancelled")),
        }
    }

    /// Waits for the second signal: the user does not want to wait for an orderly shutdown.
    pub async fn wait_again(&self) {
        self.nth(2).await;
    }

    /// Waits until a reload is requested; returns at once, if that has happened since the last time.
    pub async fn reload(&mut self) {
        if self.reloads.changed().await.is_err() {
            // Without a receiver, nothing will ever come.
            std::future::pending().await
        }
    }

    async fn nth(&self, n: u32) -> Signal {
        let halted = async {
            match &self.halted {
                Some(halted) => nth(halted, n).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = nth(&self.asked, n) => signal,
            signal = halted => signal,
        }
    }
}

async fn next(hangup: &mut Option<tokio::signal::unix::Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Tells whether this process was started with SIGHUP ignored. Known on Linux only; elsewhere it counts as not ignored.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hangup(&status)
}

/// Reads the mask of ignored signals; SIGHUP is its first bit.
fn ignores_hangup(status: &str) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

async fn nth(asked: &watch::Receiver<(Option<Signal>, u32)>, n: u32) -> Signal {
    let mut asked = asked.clone();
    match asked.wait_for(|(_, count)| *count >= n).await {
        Ok(state) => state.0.unwrap_or(Signal::Terminate),
        // Without a receiver, nothing will ever come.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn halt_stops_only_its_own_part() {
        let all = Stop::never();
        let (halt, part) = all.or_halt();
        assert_eq!(part.requested(), None);
        halt.ask();
        assert_eq!(part.wait().await, Signal::Terminate);
        assert_eq!(part.requested(), Some(Signal::Terminate));
        assert_eq!(all.requested(), None);
    }

    #[test]
    fn lowest_bit_of_the_ignored_signal_mask_is_sighup() {
        assert!(ignores_hangup("Name:\tacrt\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("Name:\tacrt\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
