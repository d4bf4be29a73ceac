//! Whether a registry's responses to HEAD are reliable, and when HEAD is tried again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How many looks use only GET before HEAD is tried again, and for how long at most: a proxy that did not support HEAD may support it now,
/// and a GET may count as a pull.
const LOOKS: u32 = 10;
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookMethod {
    Head,
    /// With HEAD, to see whether it is reliable again. If it returned a digest other than that of the body, it is believed only together
    /// with a body that agrees.
    Trial {
        /// Whether it returned a wrong digest.
        lied: bool,
    },
    Body,
}

/// What is known of a registry's responses to HEAD.
#[derive(Debug, Default)]
pub struct HeadTrust(Mutex<Option<Distrust>>);

#[derive(Debug)]
struct Distrust {
    lied: bool,
    looks: u32,
    until: Timestamp,
}

impl HeadTrust {
    /// Returns how to look at a tag at `now`. Of many concurrent looks only one makes the trial.
    pub fn way(&self, now: Timestamp) -> LookMethod {
        let mut distrust = self.lock();
        let Some(known) = distrust.as_mut() else {
            return LookMethod::Head;
        };
        if known.looks < LOOKS && now < known.until {
            known.looks += 1;
            return LookMethod::Body;
        }
        let lied = known.lied;
        *known = Distrust::new(now, lied);
        LookMethod::Trial { lied }
    }

    /// Records that a HEAD response was useless: it was refused, had no digest, or `lied`, because the body had another one.
    pub fn distrust(&self, now: Timestamp, lied: bool) {
        let mut distrust = self.lock();
        match distrust.as_mut() {
            Some(known) => known.lied |= lied,
            None => *distrust = Some(Distrust::new(now, lied)),
        }
    }

    /// Records that a HEAD response was reliable.
    pub fn trust(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Distrust>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Distrust {
    fn new(now: Timestamp, lied: bool) -> Self {
        Self {
            lied,
            looks: 0,
            until: now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn head_is_tried_again_after_ten_lookups_by_one_caller() {
        let heads = HeadTrust::default();
        assert_eq!(heads.way(at(0)), LookMethod::Head);
        heads.distrust(at(0), false);
        for _ in 0..10 {
            assert_eq!(heads.way(at(1)), LookMethod::Body);
        }
        assert_eq!(heads.way(at(1)), LookMethod::Trial { lied: false });
        assert_eq!(heads.way(at(1)), LookMethod::Body);
        heads.trust();
        assert_eq!(heads.way(at(1)), LookMethod::Head);
    }

    #[test]
    fn head_is_tried_again_after_an_hour() {
        let heads = HeadTrust::default();
        heads.distrust(at(0), true);
        assert_eq!(heads.way(at(3599)), LookMethod::Body);
        assert_eq!(heads.way(at(3600)), LookMethod::Trial { lied: true });
        assert_eq!(heads.way(at(3601)), LookMethod::Body);
    }
}
