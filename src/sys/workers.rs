//! Spreads work over all cores; the results come in the order of the work.

use std::{
    collections::BTreeMap,
    num::NonZero,
    panic,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// The size of a part: large enough that handing it over costs little, small enough that its memory does not matter.
const PART: usize = 64;

/// How many results of each worker may wait to be taken.
const AHEAD: usize = 4;

/// Splits things into parts.
pub fn parts<T>(mut things: impl Iterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let part: Vec<T> = things.by_ref().take(PART).collect();
        (!part.is_empty()).then_some(part)
    })
}

/// Calls `work` with each thing, on one thread per core, and returns the results in the order of the things. A panic of `work` is passed on.
///
/// The caller's thread does the work where there is only one thing, or no thread can be started.
pub fn in_order<T, R>(
    mut things: impl Iterator<Item = T> + Send + 'static,
    work: impl Fn(T) -> R + Send + Sync + 'static,
) -> impl Iterator<Item = R>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let first: Vec<T> = things.by_ref().take(2).collect();
    let is_worthwhile = first.len() > 1;
    let things = first.into_iter().chain(things).enumerate();
    let (things, work) = (Arc::new(Mutex::new(things)), Arc::new(work));
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let cores = if is_worthwhile { cores } else { 1 };
    let (done, taken) = sync_channel(cores * AHEAD);
    let begin = |_| {
        let (things, work, done) = (Arc::clone(&things), Arc::clone(&work), done.clone());
        let worker = thread::Builder::new().name("worker".to_owned());
        worker.spawn(move || work_on(&things, &*work, &done)).ok()
    };
    let workers = (0..cores).filter(|_| cores > 1).map_while(begin).collect();
    InOrder {
        workers,
        taken,
        early: BTreeMap::new(),
        next: 0,
        alone: move || next_of(&things).map(|(_, thing)| work(thing)),
    }
}

fn next_of<T>(things: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    let mut things = things.lock().unwrap_or_else(PoisonError::into_inner);
    things.next()
}

fn work_on<T, R>(
    things: &Mutex<impl Iterator<Item = (usize, T)>>,
    work: &impl Fn(T) -> R,
    done: &SyncSender<(usize, R)>,
) {
    while let Some((n, thing)) = next_of(things) {
        if done.send((n, work(thing))).is_err() {
            // The results are not wanted any more.
            return;
        }
    }
}

struct InOrder<R, F> {
    workers: Vec<JoinHandle<()>>,
    taken: Receiver<(usize, R)>,
    /// Results that came before an earlier one.
    early: BTreeMap<usize, R>,
    next: usize,
    /// Does the next work on the caller's thread.
    alone: F,
}

impl<R, F: FnMut() -> Option<R>> Iterator for InOrder<R, F> {
    type Item = R;

    fn next(&mut self) -> Option<R> {
        if self.workers.is_empty() {
            return (self.alone)();
        }
        loop {
            if let Some(result) = self.early.remove(&self.next) {
                self.next += 1;
                return Some(result);
            }
            let Ok((n, result)) = self.taken.recv() else {
                break;
            };
            self.early.insert(n, result);
        }
        for worker in std::mem::take(&mut self.workers) {
            if let Err(panicked) = worker.join() {
                panic::resume_unwind(panicked);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_results_are_in_input_order() {
        for count in [0, 1, 2, 1000] {
            let slow = |n: usize| {
                if n.is_multiple_of(7) {
                    thread::yield_now();
                }
                n * 2
            };
            let results: Vec<usize> = in_order(0..count, slow).collect();
            assert_eq!(results, (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn chunks_hold_all_items_and_none_is_empty() {
        for count in [0, 1, PART, PART + 1] {
            let all: Vec<Vec<usize>> = parts(0..count).collect();
            assert!(all.iter().all(|part| (1..=PART).contains(&part.len())));
            assert_eq!(all.concat(), (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn dropped_parallel_work_ends() {
        let mut results = in_order(0.., |n| n);
        assert_eq!(results.next(), Some(0));
    }

    #[test]
    #[should_panic(expected = "broken")]
    fn panic_of_a_worker_reaches_the_caller() {
        let work = |n| assert!(n != 500, "broken");
        in_order(0..1000, work).for_each(drop);
    }
}
