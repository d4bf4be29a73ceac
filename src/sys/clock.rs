//! The clock: the only place in the program that reads the time or sleeps.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::error::{Error, Result};

/// The source of the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until something sleeps, then jumps: a day of watching takes no time. Set with `ACRT_NOW`.
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// Returns the machine's clock, or one that starts at `now`: seconds since 1970, or an RFC 3339 time.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] if `now` is neither.
    pub fn new(now: Option<&str>) -> Result<Self> {
        let Some(text) = now else {
            return Ok(Self::System);
        };
        let time = match text.parse::<i64>() {
            Ok(seconds) => Timestamp::from_second(seconds),
            Err(_) => text.parse::<Timestamp>(),
        };
        match time {
            Ok(time) => Ok(Self::Manual(Arc::new(Mutex::new(time)))),
            Err(problem) => Err(Error::invalid(format!(
                "cannot use the time `{text}` that ACRT_NOW gives"
            ))
            .because(problem)
            .hint("give seconds since 1970, or a time like 2026-01-31T08:00:00Z")),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
            }
            Self::Manual(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Returns the second of each minute at which this process does what may be done at any time. It differs between processes, so that not
    /// all ask registries at once.
    pub fn second(&self) -> i8 {
        static SECOND: OnceLock<i8> = OnceLock::new();
        match self {
            Self::System => *SECOND.get_or_init(|| {
                let random = RandomState::new().build_hasher().finish();
                i8::try_from(random % 60).unwrap_or_default()
            }),
            Self::Manual(_) => 0,
        }
    }

    /// Tells whether it is the machine's clock.
    pub fn is_real(&self) -> bool {
        matches!(self, Self::System)
    }

    /// Sleeps in real time for either clock: another process that is waited for does not become faster by a jump.
    pub async fn pause(&self, period: Duration) {
        tokio::time::sleep(period).await;
    }

    /// Waits for `period`; a manual clock jumps instead.
    pub async fn sleep(&self, period: Duration) {
        match self {
            Self::System => tokio::time::sleep(period).await,
            Self::Manual(time) => {
                let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
                *time = time.saturating_add(period).unwrap_or(Timestamp::MAX);
            }
        }
    }
}

/// Returns in how long `then` is, as text: `now`, if it is over.
pub fn ahead(then: Timestamp, now: Timestamp) -> String {
    match then.duration_since(now).as_secs() {
        ..=0 => "now".to_owned(),
        seconds @ 1..60 => format!("in {seconds} s"),
        seconds @ 60..3600 => format!("in {} min", seconds / 60),
        seconds @ 3600..86_400 => format!("in {} h", seconds / 3600),
        seconds => format!("in {} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_accepts_seconds_or_a_timestamp() {
        let seconds = Clock::new(Some("1000000000")).unwrap().now();
        let written = Clock::new(Some("2001-09-09T01:46:40Z")).unwrap().now();
        assert_eq!(seconds, written);
        assert_eq!(
            Clock::new(Some("soon")).unwrap_err().to_string(),
            "cannot use the time `soon` that ACRT_NOW gives"
        );
    }

    #[tokio::test]
    async fn sleep_advances_a_manual_clock_by_the_whole_period() {
        let clock = Clock::new(Some("0")).unwrap();
        clock.sleep(Duration::from_secs(86_400)).await;
        assert_eq!(clock.now().as_second(), 86_400);
    }
}
