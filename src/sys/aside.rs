//! Work that reads and writes files for long, aside from the event loop, which goes on to hear signals meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::error::{Context as _, Kind, Result};

/// Whether the work is still waited for. It is asked as often as the work can end.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// Work that is not waited for from the beginning.
    #[cfg(test)]
    pub fn given_up() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Tells whether the waiting is over: the work is to end where it is.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Says that the waiting is over, however it ended.
struct Waiting(Wanted);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Does work on a thread of its own, and returns what it came to. When this future is dropped, the work is told by [`Wanted`].
///
/// # Errors
///
/// [`Kind::Failed`] where the work panicked; else what it returns.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce(&Wanted) -> Result<T> + Send + 'static,
) -> Result<T> {
    let wanted = Wanted::default();
    let _waiting = Waiting(wanted.clone());
    tokio::task::spawn_blocking(move || work(&wanted))
        .await
        .context(Kind::Failed, || "the work broke off".to_owned())?
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn work_is_done_and_its_result_returned() {
        let sum = aside(|wanted| Ok((1..=4).sum::<i32>() * i32::from(!wanted.is_over()))).await;
        assert_eq!(sum.unwrap(), 10);
    }

    #[tokio::test]
    async fn dropped_work_is_told_to_stop() {
        let (sender, ended) = mpsc::channel();
        let work = aside(move |wanted| {
            while !wanted.is_over() {
                std::thread::yield_now();
            }
            sender.send(()).unwrap();
            Ok(())
        });
        let given_up = tokio::time::timeout(Duration::from_millis(20), work).await;
        assert!(given_up.is_err());
        ended.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
