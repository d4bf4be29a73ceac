//! Decides when a round ends because something else is due.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::watch::schedule;

/// Decides when a round ends because something else is due: at least a second after the last questions, because what was due then has been
/// asked, and early enough that edits of task files are seen.
///
/// Finding the next due time goes through all tags and tasks: that is done once a second at most, however many answers come in.
#[derive(Debug, Default)]
pub struct RoundDeadline {
    /// When the due time was last determined, and the result.
    set: Option<(Timestamp, Timestamp)>,
    is_outdated: bool,
}

impl RoundDeadline {
    const PAUSE: SignedDuration = SignedDuration::from_secs(1);

    /// Notes that the next thing may be due sooner now.
    pub fn may_be_sooner(&mut self) {
        self.is_outdated = true;
    }

    /// Returns how long to wait before the next check; `None` when something is due.
    pub fn until_due(
        &mut self,
        now: Timestamp,
        next_due: impl FnOnce() -> Option<Timestamp>,
    ) -> Option<Duration> {
        let after = |from: Timestamp, pause| from.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let (found, end) = match self.set {
            // A clock that was set back shows an earlier time than the last result.
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
    fn next_due_time_is_computed_at_most_once_a_second() {
        let start = Timestamp::from_second(1_000_000).unwrap();
        let at = |millis: i64| start + SignedDuration::from_millis(millis);
        let sought = Cell::new(0);
        let find = |due: i64| {
            sought.set(sought.get() + 1);
            Some(at(due))
        };
        let mut deadline = RoundDeadline::default();
        let pause = |found: Option<Duration>| found.map(|it| it.as_millis());
        assert_eq!(pause(deadline.until_due(at(0), || find(9000))), Some(9000));
        for n in 1..=1000 {
            deadline.may_be_sooner();
            // The last answer has made something due in three seconds.
            let due = deadline.until_due(at(n), || find(3000));
            assert_eq!(
                pause(due),
                Some(if n < 1000 { 1000 - n as u128 } else { 2000 })
            );
        }
        assert_eq!(sought.get(), 2);
        assert_eq!(
            pause(deadline.until_due(at(2500), || find(3000))),
            Some(500)
        );
        assert_eq!(deadline.until_due(at(3000), || find(9000)), None);
        assert_eq!(sought.get(), 2);
    }

    #[test]
    fn overdue_lookup_is_repeated_after_a_second_at_least() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut deadline = RoundDeadline::default();
        let due = deadline.until_due(at(10), || Some(at(3)));
        assert_eq!(due, Some(Duration::from_secs(1)));
        assert_eq!(deadline.until_due(at(11), || Some(at(3))), None);
        // A clock that was set back starts again.
        let due = deadline.until_due(at(5), || None);
        assert_eq!(due, Some(Duration::from_secs(60)));
    }
}
