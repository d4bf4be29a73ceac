//! The service manager that started this program, if one did: systemd, or whatever speaks its protocol (`sd_notify`).

use std::time::Duration;

use sd_notify::NotifyState;

/// What the service manager is told. Without one, nothing is told to nobody.
#[derive(Debug)]
pub struct Service {
    watchdog: Option<tokio::task::JoinHandle<()>>,
}

impl Service {
    /// Says that the service has started, and from now on in time that it still lives, as long as the event loop goes round.
    #[must_use]
    pub fn ready() -> Self {
        tell(&[NotifyState::Ready]);
        let watchdog = sd_notify::watchdog_enabled().map(|period| {
            tokio::spawn(async move {
                // Half of the period, as sd_watchdog_enabled(3) advises.
                let mut pulse = tokio::time::interval((period / 2).max(Duration::from_millis(1)));
                loop {
                    pulse.tick().await;
                    tell(&[NotifyState::Watchdog]);
                }
            })
        });
        Self { watchdog }
    }

    /// Says what the service does, for `systemctl status`.
    pub fn status(&self, text: &str) {
        tell(&[NotifyState::Status(text)]);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.abort();
        }
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // A manager that does not listen is no reason to stop.
    let _ = sd_notify::notify(state);
}
