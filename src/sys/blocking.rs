//! Long work on files on a thread of its own, so that the event loop still handles signals.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::error::{Context as _, Kind, Result};

/// Whether the result of the work is still wanted. The work checks it wherever it can stop.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// The state of work whose result is not wanted from the beginning.
    #[cfg(test)]
    pub fn given_up() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Tells whether the result is not wanted any more, so that the work should stop.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Cancels the work when it is dropped.
struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Does work on a thread of its own, and returns its result. When this future is dropped, [`Cancellation`] tells the work to stop.
///
/// # Errors
///
/// [`Kind::Failed`] where the work panicked; else what it returns.
pub async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce(&Cancellation) -> Result<T> + Send + 'static,
) -> Result<T> {
    let wanted = Cancellation::default();
    let _waiting = CancelOnDrop(wanted.clone());
    tokio::task::spawn_blocking(move || work(&wanted))
        .await
        .context(Kind::Failed, || "the work broke off".to_owned())?
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn background_work_returns_its_result() {
        let sum =
            run_blocking(|wanted| Ok((1..=4).sum::<i32>() * i32::from(!wanted.is_over()))).await;
        assert_eq!(sum.unwrap(), 10);
    }

    #[tokio::test]
    async fn dropped_background_work_is_stopped() {
        let (sender, ended) = mpsc::channel();
        let work = run_blocking(move |wanted| {
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
