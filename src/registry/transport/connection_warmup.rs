//! The first requests over HTTP/1.1, which open the connections that all later requests share.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::sys::clock::Clock;

/// One of this many openers may be slow without delaying the others.
const STRAGGLERS: usize = 8;

/// How long requests wait for the openers. An opener that is never answered must not block the rest; an extra connection costs less.
pub const PATIENCE: Duration = Duration::from_millis(400);

/// Holds back requests until nearly all connections are open.
///
/// A request that finds no idle connection opens one, even if another is about to become idle. If requests were sent as soon as the first
/// responses come, there would be more connections than concurrent requests in the end.
#[derive(Debug)]
pub struct ConnectionWarmup {
    missing: AtomicUsize,
    over: Semaphore,
}

impl ConnectionWarmup {
    /// Waits for this many openers; with none, there is nothing to wait for.
    pub fn new(openers: usize) -> Self {
        let over = Semaphore::new(0);
        if openers == 0 {
            over.close();
        }
        Self {
            missing: AtomicUsize::new(openers - openers / STRAGGLERS),
            over,
        }
    }

    /// Records that an opener has ended, with or without success.
    pub fn answered(&self) {
        let missing = self
            .missing
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |missing| {
                missing.checked_sub(1)
            });
        if missing == Ok(1) {
            self.over.close();
        }
    }

    /// Waits until the warm-up is over, or takes too long.
    pub async fn over(&self, clock: &Clock) {
        tokio::select! {
            // The semaphore has no permits: this waits until it is closed.
            _ = self.over.acquire() => {}
            () = clock.pause(PATIENCE) => self.over.close(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn is_over(connection_warmup: &ConnectionWarmup) -> bool {
        connection_warmup
            .over(&Clock::System)
            .now_or_never()
            .is_some()
    }

    #[tokio::test]
    async fn warmup_wave_ends_when_all_but_the_slowest_are_answered() {
        let connection_warmup = ConnectionWarmup::new(16);
        for _ in 0..13 {
            connection_warmup.answered();
        }
        assert!(!is_over(&connection_warmup));
        connection_warmup.answered();
        assert!(is_over(&connection_warmup));
        connection_warmup.answered();
        assert!(is_over(&connection_warmup));
    }

    #[tokio::test]
    async fn warmup_without_openers_ends_at_once() {
        assert!(is_over(&ConnectionWarmup::new(0)));
    }
}
