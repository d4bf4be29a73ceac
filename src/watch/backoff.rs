//! How long acrt waits before it runs a failed task again.

use jiff::{SignedDuration, Timestamp};

use super::schedule::later;

/// The longest pause: a day.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// The number of failures in a row after which a task is marked as stalled and a person has to look. It is still tried, at growing
/// intervals.
pub const STALLED_AFTER: u32 = 5;

/// Returns when a task that has failed `failures` times in a row is tried again: after 1, 2, 4 … minutes, at most a day.
pub fn next_try(failures: u32, now: Timestamp) -> Timestamp {
    let doublings = failures.saturating_sub(1).min(16);
    later(now, SignedDuration::from_mins(1 << doublings).min(LONGEST))
}

/// Returns when a registry that has not answered runs since `since` is asked again: after as long as that, at least a minute, and at most four,
/// so that each round of cron asks.
pub fn next_question(since: Timestamp, now: Timestamp) -> Timestamp {
    let (shortest, longest) = (SignedDuration::from_mins(1), SignedDuration::from_mins(4));
    later(now, now.duration_since(since).clamp(shortest, longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_from_a_minute_to_a_day() {
        let minutes = |failures| next_try(failures, Timestamp::UNIX_EPOCH).as_second() / 60;
        assert_eq!([1, 2, 3, 4, 11].map(minutes), [1, 2, 4, 8, 1024]);
        assert_eq!([12, 40, u32::MAX].map(minutes), [1440, 1440, 1440]);
    }
}
