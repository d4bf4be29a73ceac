//! When builds of a task may start.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Cron, InvalidCron};

/// A recurring span of time in which builds may start, as a cron schedule in UTC.
///
/// A window is open in each minute that the schedule matches. If the minute field is a single number, it is open for the hour that
/// begins then: `0 1-5 * * SAT,SUN` and `* 1-5 * * SAT,SUN` are the same window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(Cron);

impl Window {
    pub fn is_open(&self, now: Timestamp) -> bool {
        let minute = self.0.as_str().split_ascii_whitespace().next();
        let is_number = minute.is_some_and(|text| text.bytes().all(|it| it.is_ascii_digit()));
        let length = if is_number {
            SignedDuration::from_hours(1)
        } else {
            SignedDuration::from_mins(1)
        };
        let opened = self.0.last_until(now);
        opened.is_some_and(|opened| now.duration_since(opened) < length)
    }
}

impl FromStr for Window {
    type Err = InvalidCron;

    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        text.parse().map(Self)
    }
}

/// Returns when the first of some windows opens; `None` where one is open, or where there are none, which counts as
/// always open.
pub fn closed_until(windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    if windows.is_empty() || windows.iter().any(|window| window.is_open(now)) {
        return None;
    }
    let opens = windows.iter().filter_map(|window| window.0.next_after(now));
    // No window opens before the end of the calendar.
    Some(opens.min().unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(windows: &[&str], now: &str) -> Option<String> {
        let windows: Vec<Window> = windows.iter().map(|text| text.parse().unwrap()).collect();
        closed_until(&windows, now.parse().unwrap()).map(|it| it.to_string())
    }

    fn open(window: &str, now: &str) -> bool {
        opens(&[window], now).is_none()
    }

    #[test]
    fn window_is_open_in_its_matching_minutes() {
        for window in ["* 1-5 * * SAT,SUN", "0 1-5 * * SAT,SUN"] {
            // The 31st of January 2026 is a Saturday.
            assert!(!open(window, "2026-01-31T00:59:59.999Z"), "{window}");
            assert!(open(window, "2026-01-31T01:00:00Z"), "{window}");
            assert!(open(window, "2026-01-31T03:30:12Z"), "{window}");
            assert!(open(window, "2026-02-01T05:59:59.999Z"), "{window}");
            assert!(!open(window, "2026-02-01T06:00:00Z"), "{window}");
            assert!(!open(window, "2026-02-02T03:00:00Z"), "{window}");
        }
        assert!(open("0-29 8 * * *", "2026-01-31T08:29:59Z"));
        assert!(!open("0-29 8 * * *", "2026-01-31T08:30:00Z"));
        assert!(open("30 23 * * *", "2026-02-01T00:29:59Z"));
        assert!(!open("30 23 * * *", "2026-02-01T00:30:00Z"));
    }

    #[test]
    fn next_opening_is_that_of_the_first_window_to_open() {
        let weekend = "* 1-5 * * SAT,SUN";
        let opens = |windows: &[&str], now| opens(windows, now);
        assert_eq!(
            opens(&[weekend], "2026-01-29T00:30:00Z").as_deref(),
            Some("2026-01-31T01:00:00Z")
        );
        assert_eq!(
            opens(&[weekend, "0 22 * * *"], "2026-01-29T00:30:00Z").as_deref(),
            Some("2026-01-29T22:00:00Z")
        );
        assert_eq!(
            opens(&[weekend, "0 22 * * *"], "2026-01-29T22:10:00Z"),
            None
        );
        assert_eq!(opens(&[], "2026-01-29T22:10:00Z"), None);
        let leap = opens(&["* * 29 2 *"], "2026-01-29T00:00:00Z");
        assert_eq!(leap.as_deref(), Some("2028-02-29T00:00:00Z"));
    }

    #[test]
    fn window_that_never_opens_is_refused() {
        let problem = "* * 31 2 *".parse::<Window>().unwrap_err().to_string();
        assert!(problem.contains("never comes"), "{problem}");
    }
}
