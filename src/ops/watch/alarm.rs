//! When a round ends because something else is due.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::watch::schedule;

/// When a round ends because something else is due: at least a second after it was asked for, because what was due then has been asked for,
/// and never so late that an edit goes unseen.
///
/// To find that out, all tags and tasks are gone through: that is done once a second at most, however many answers come in.
#[derive(Debug, Default)]
pub struct Alarm {
    /// When it was found out last, and what came of it.
    set: Option<(Timestamp, Timestamp)>,
    is_outdated: bool,
}

impl Alarm {
    const PAUSE: SignedDuration = SignedDuration::from_secs(1);

    /// Takes in that something has happened after which the next thing may be due sooner.
    pub fn may_be_sooner(&mut self) {
        self.is_outdated = true;
    }

    /// Returns how long to wait before it is asked for again; `None` when it is time.
    pub fn until_due(
        &mut self,
        now: Timestamp,
        next_due: impl FnOnce() -> Option<Timestamp>,
    ) -> Option<Duration> {
        let after = |from: Timestamp, pause| from.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let (found, end) = match self.set {
            // A clock that was set back has come from a later time.
            Some((found, end)) if now >= found => {
                if now >= end {
                    return None;
                }
                if self.is_outdated && now >= after(found, Self::PAUSE) {
                    (now, after(now, schedule::time_until_next(next_due(), now)))
                } else {
                    (found, end)
                }
            }
            _ => (now, after(now, schedule::time_until_next(next_due(), now))),
        };
        self.set = Some((found, end));
        if found == now {
            self.is_outdated = false;
        }
        let end = if self.is_outdated {
            end.min(after(found, Self::PAUSE))
        } else {
            end
        };
        let pause = end.duration_since(now);
        Some(Duration::try_from(pause).unwrap_or(Duration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_due_is_sought_once_a_second_however_many_answers_come() {
        let start = Timestamp::from_second(1_000_000).unwrap();
        let at = |millis: i64| start + SignedDuration::from_millis(millis);
        let sought = Cell::new(0);
        let find = |due: i64| {
            sought.set(sought.get() + 1);
            Some(at(due))
        };
        let mut alarm = Alarm::default();
        let pause = |found: Option<Duration>| found.map(|it| it.as_millis());
        assert_eq!(pause(alarm.until_due(at(0), || find(9000))), Some(9000));
        for n in 1..=1000 {
            alarm.may_be_sooner();
            // The last answer has made something due after three seconds.
            let due = alarm.until_due(at(n), || find(3000));
            assert_eq!(
                pause(due),
                Some(if n < 1000 { 1000 - n as u128 } else { 2000 })
            );
        }
        assert_eq!(sought.get(), 2);
        assert_eq!(pause(alarm.until_due(at(2500), || find(3000))), Some(500));
        assert_eq!(alarm.until_due(at(3000), || find(9000)), None);
        assert_eq!(sought.get(), 2);
    }

    #[test]
    fn what_is_due_now_has_been_asked_for_a_second_ago_at_least() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut alarm = Alarm::default();
        let due = alarm.until_due(at(10), || Some(at(3)));
        assert_eq!(due, Some(Duration::from_secs(1)));
        assert_eq!(alarm.until_due(at(11), || Some(at(3))), None);
        // A clock that was set back begins anew.
        let due = alarm.until_due(at(5), || None);
        assert_eq!(due, Some(Duration::from_secs(60)));
    }
}
