//! Combines concurrent requests for the same thing into one.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use crate::registry::problem::LookupError;

/// Requests in progress, by their key.
#[derive(Debug)]
pub struct InFlightRequests<K, T>(Mutex<HashMap<K, InFlightRequest<T>>>);

type InFlightRequest<T> = Arc<OnceCell<Result<T, LookupError>>>;

impl<K, T> Default for InFlightRequests<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, T: Clone> InFlightRequests<K, T> {
    /// Returns the result of `ask`. Concurrent callers with the same key wait for it and share its result, even a failure; later callers
    /// ask anew.
    pub async fn join(
        &self,
        key: K,
        ask: impl AsyncFnOnce() -> Result<T, LookupError>,
    ) -> Result<T, LookupError> {
        let flight = {
            let mut in_flight = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(in_flight.entry(key.clone()).or_default())
        };
        let answer = flight.get_or_init(async || ask().await).await.clone();
        let mut in_flight = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if in_flight
            .get(&key)
            .is_some_and(|known| Arc::ptr_eq(known, &flight))
        {
            in_flight.remove(&key);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::registry::problem::{FailedRequest, LookupFailure};

    #[tokio::test]
    async fn concurrent_callers_share_one_request_and_later_ones_send_their_own() {
        let in_flight = InFlightRequests::<&str, u32>::default();
        let asked = Cell::new(0);
        let ask = |key| {
            in_flight.join(key, async || {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Ok(asked.get())
            })
        };
        let (first, second, other) = tokio::join!(ask("a"), ask("a"), ask("b"));
        assert_eq!((first.unwrap(), second.unwrap()), (2, 2));
        assert_eq!((other.unwrap(), asked.get()), (2, 2));
        assert_eq!(ask("a").await.unwrap(), 3);
    }

    #[tokio::test]
    async fn concurrent_callers_share_a_failure_and_take_over_a_dropped_request() {
        let in_flight = InFlightRequests::<&str, u32>::default();
        let fail = || {
            in_flight.join("a", async || {
                tokio::task::yield_now().await;
                let refused = LookupFailure::Refused { login: None };
                Err(LookupError::unknown(refused, FailedRequest::default()))
            })
        };
        let (first, second) = tokio::join!(fail(), fail());
        assert!(first.is_err() && second.is_err());
        let never = in_flight.join("a", async || std::future::pending().await);
        let given_up = async {
            tokio::select! {
                biased;
                _ = never => {}
                () = tokio::task::yield_now() => {}
            }
        };
        let next = in_flight.join("a", async || Ok(7));
        let ((), next) = tokio::join!(given_up, next);
        assert_eq!(next.unwrap(), 7);
    }
}
