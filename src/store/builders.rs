//! The state of builders: which do not answer, and how many runs each is carrying out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{error::Result, task::TaskKey};

use super::{
    Store, file,
    layout::lock_of,
    lock::{self, Lock},
};

/// What is known of builders. The file only saves requests: without it, each builder counts as reachable until it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildersFile {
    /// The builders that do not answer, by their names.
    pub away: BTreeMap<String, AwayRecord>,
    /// How many times in a row a builder disappeared during a build of a task, by `registry/name`.
    pub lost: BTreeMap<String, u32>,
}

/// A builder that does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwayRecord {
    pub since: Timestamp,
    /// When it was asked last.
    pub asked: Timestamp,
    pub why: String,
    /// Whether it answers but its disk is full.
    #[serde(default, alias = "is_full")]
    pub is_full: bool,
}

impl BuildersFile {
    fn note_away(&mut self, name: &str, why: String, is_full: bool, now: Timestamp) {
        let since = self.away.get(name).map_or(now, |record| record.since);
        let record = AwayRecord {
            since,
            asked: now,
            why,
            is_full,
        };
        self.away.insert(name.to_owned(), record);
    }

    /// Tells whether the disk of a builder is known to be full.
    pub fn is_full(&self, name: &str) -> bool {
        self.away.get(name).is_some_and(|record| record.is_full)
    }
}

impl Store {
    /// Returns what is known of builders; nothing, where the file is broken.
    pub fn builders(&self) -> BuildersFile {
        file::read_json_or_default(&self.layout.builders())
    }

    /// Records that a builder does not answer, and why; with `None`, that it answers.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where the file cannot be written.
    pub fn note_builder(&self, name: &str, why: Option<String>, now: Timestamp) -> Result<()> {
        if why.is_none() && !self.builders().away.contains_key(name) {
            return Ok(());
        }
        self.change_builders(|all| match why {
            Some(why) => all.note_away(name, why, false, now),
            None => drop(all.away.remove(name)),
        })
    }

    /// Records that the disk of a builder is full, or that the builder is about to be tried once more.
    pub fn note_full_builder(&self, name: &str, now: Timestamp) -> Result<()> {
        let why = "it is out of disk; pruning did not help";
        self.change_builders(|all| all.note_away(name, why.to_owned(), true, now))
    }

    /// Records that a builder disappeared during a build of a task, and returns how many times in a row that has happened; or that a run of
    /// the task has succeeded.
    pub fn note_lost_run(&self, task: &TaskKey, is_lost: bool) -> Result<u32> {
        let key = task.full();
        if !is_lost && !self.builders().lost.contains_key(&key) {
            return Ok(0);
        }
        let mut times = 0;
        self.change_builders(|all| {
            if is_lost {
                let lost = all.lost.entry(key).or_default();
                *lost += 1;
                times = *lost;
            } else {
                all.lost.remove(&key);
            }
        })?;
        Ok(times)
    }

    fn change_builders(&self, change: impl FnOnce(&mut BuildersFile)) -> Result<()> {
        let _lock = match self.lock(&lock_of(&self.layout.builders())) {
            // Who may only read does without: it only saves questions.
            Err(error) if file::is_read_only(&error) => return Ok(()),
            lock => lock?,
        };
        let mut all = self.builders();
        let before = all.clone();
        change(&mut all);
        if all == before {
            Ok(())
        } else {
            self.write_json(&self.layout.builders(), &all)
        }
    }

    /// Takes one of a builder's places for runs; `None` at once where all are taken. The place is free again when the lock is dropped or
    /// its process dies.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where locking itself fails.
    pub fn take_builder_place(&self, name: &str, jobs: usize) -> Result<Option<Lock>> {
        for n in 0..jobs {
            if let Some(lock) = self.try_lock(&self.layout.builder_place(name, n))? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    /// Returns how many of the places of a builder are taken.
    pub fn builder_places_taken(&self, name: &str, jobs: usize) -> usize {
        let places = (0..jobs).map(|n| self.layout.builder_place(name, n));
        places.filter(|path| lock::is_held(path)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builder_slots_are_limited_by_capacity_and_released_on_drop() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let one = store.take_builder_place("a", 2).unwrap().unwrap();
        let _two = store.take_builder_place("a", 2).unwrap().unwrap();
        assert!(store.take_builder_place("a", 2).unwrap().is_none());
        assert!(store.take_builder_place("b", 1).unwrap().is_some());
        assert_eq!(store.builder_places_taken("a", 2), 2);
        drop(one);
        assert_eq!(store.builder_places_taken("a", 2), 1);
        assert!(store.take_builder_place("a", 2).unwrap().is_some());
    }

    #[test]
    fn unreachable_builder_is_recorded_since_the_first_failure_until_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let at = |second| Timestamp::from_second(second).unwrap();
        store.note_builder("a", None, at(1)).unwrap();
        assert!(!store.layout().builders().exists(), "nothing to say");
        store
            .note_builder("a", Some("refused".into()), at(2))
            .unwrap();
        store.note_builder("a", Some("EOF".into()), at(5)).unwrap();
        let record = store.builders().away["a"].clone();
        assert_eq!((record.since, record.asked), (at(2), at(5)));
        store.note_builder("a", None, at(7)).unwrap();
        assert!(store.builders().away.is_empty());
    }
}
