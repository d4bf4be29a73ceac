//! The first wave over HTTP/1.1, in which the connections are made that all other requests then share.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::sys::clock::Clock;

/// One in so many openers may be slow without the others being waited with.
const STRAGGLERS: usize = 8;

/// How long those that go first are waited for. One that is never answered must keep nothing else back; a connection too many costs less.
pub const PATIENCE: Duration = Duration::from_millis(400);

/// Keeps requests back until nearly all connections are there.
///
/// A request that finds no idle connection makes one, even if another is about to become idle. Were the next request sent as
/// soon as the first answers come, there would be more connections in the end than requests at once.
#[derive(Debug)]
pub struct ConnectionWarmup {
    missing: AtomicUsize,
    over: Semaphore,
}

impl ConnectionWarmup {
    /// Begins a wave of so many requests; none means that there is nothing to wait for.
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

    /// Takes in that a request has been answered, one way or another.
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

    /// Waits until the wave is over, or takes too long.
    pub async fn over(&self, clock: &Clock) {
        tokio::select! {
            // It has no permits: that it is closed is what is waited for.
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
    async fn a_wave_is_over_when_all_but_its_stragglers_have_been_answered() {
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
    async fn without_openers_there_is_nothing_to_wait_for() {
        assert!(is_over(&ConnectionWarmup::new(0)));
    }
}
