//! Retry rules: which requests are sent again, and after which pause. Pure rules about statuses, headers and network errors.

use std::{
    hash::{BuildHasher as _, Hasher as _},
    io,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// The pauses before the second, third and fourth try, without jitter.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(1500),
    Duration::from_millis(4500),
];

/// The longest pause that a look-up itself waits out. For a longer one, requests to the registry pause and the caller gets an error.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The pause for a registry that limits requests and does not say for how long.
pub const UNNAMED_PAUSE: Duration = Duration::from_secs(60);

/// The bounds of a `Retry-NextStep`: GHCR sends fractions of milliseconds, and a broken clock sends years.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// An integer from here on is a time in seconds since 1970, as Docker Hub sends it, and not a number of seconds.
const EPOCH_FROM: u64 = 1_000_000_000;

/// Whether a response calls for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryVerdict {
    /// No: it is final.
    Final,
    /// Yes, after acrt's own pause: the registry had a temporary error.
    Again,
    /// Yes, after the registry's pause, if it gives one.
    Limited(Option<Duration>),
}

/// Judges a status, with the pause that the response asks for, if any.
///
/// Never retried: 400, 401 and 403, 404, and other statuses that say that the request is wrong.
pub fn verdict(status: u16, retry_after: Option<Duration>) -> RetryVerdict {
    match (status, retry_after) {
        (429, pause) => RetryVerdict::Limited(pause),
        (503, Some(pause)) => RetryVerdict::Limited(Some(pause)),
        (408 | 499 | 500 | 502 | 503 | 504 | 520..=524, _) => RetryVerdict::Again,
        _ => RetryVerdict::Final,
    }
}

/// Whether a network error calls for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFailure {
    /// No connection, and none to be expected soon: a certificate that is not trusted, or a connection timeout.
    Hopeless,
    /// No connection now: refused, or the name does not resolve. Retried once.
    Unreachable,
    /// Connected, but the response timed out.
    Slow,
    /// Connected, but the connection broke.
    Torn,
}

impl NetworkFailure {
    /// Tells whether another try makes sense after `tries` of them.
    pub fn is_worth(self, tries: usize) -> bool {
        match self {
            Self::Hopeless | Self::Slow => false,
            Self::Unreachable => tries < 2,
            Self::Torn => true,
        }
    }

    /// Tells whether every other request to the same host would fail, too.
    pub fn is_of_the_host(self) -> bool {
        match self {
            Self::Hopeless | Self::Unreachable => true,
            Self::Slow | Self::Torn => false,
        }
    }
}

/// Classifies an error of the HTTP client.
pub fn trouble(error: &reqwest::Error) -> NetworkFailure {
    if error.is_connect() {
        if error.is_timeout() || tls_error(error).is_some() {
            NetworkFailure::Hopeless
        } else {
            NetworkFailure::Unreachable
        }
    } else if error.is_timeout() {
        NetworkFailure::Slow
    } else {
        NetworkFailure::Torn
    }
}

/// Returns the TLS error in a chain of causes, if there is one.
pub fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Some(error);
        }
        // The source of an I/O error is not the error that it wraps, but the one below that.
        let wrapped = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    None
}

/// Returns the pause before try number `tries + 1`, or `None` after enough tries.
///
/// A jitter of up to a fifth is added or subtracted, so that requests that failed together are not repeated together.
pub fn pause(tries: usize) -> Option<Duration> {
    let pause = PAUSES.get(tries.checked_sub(1)?)?;
    Some(pause.mul_f64(0.8 + 0.4 * chance()))
}

/// Adds up to a tenth to a pause that the registry asked for.
pub fn spread(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + 0.1 * chance())
}

/// Returns a random number from 0 up to 1, good enough to spread load and for nothing else.
fn chance() -> f64 {
    let random = std::hash::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}

/// Parses a `Retry-NextStep` in any of its four forms: seconds, fractions of a second, a time since 1970, an HTTP date.
///
/// `now` should be the server's own time where it sends that, because times are by its clock. The result is between one second and one
/// hour; `None` for any other text.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let until = |moment: Timestamp| {
        let left = moment.duration_since(now).max(SignedDuration::ZERO);
        Duration::try_from(left).unwrap_or(LONGEST)
    };
    let asked = if let Ok(number) = text.parse::<u64>() {
        if number < EPOCH_FROM {
            Duration::from_secs(number)
        } else {
            until(Timestamp::from_second(i64::try_from(number).ok()?).ok()?)
        }
    } else if let Ok(number) = text.parse::<f64>() {
        Duration::try_from_secs_f64(number).ok()?
    } else {
        until(http_date(text)?)
    };
    Some(asked.clamp(SHORTEST, LONGEST))
}

/// Parses an HTTP date in any of its three forms, RFC 9110, section 5.6.7.
pub fn http_date(text: &str) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    fn now() -> Timestamp {
        Timestamp::from_second(784_111_777).unwrap()
    }

    #[test]
    fn retry_after_is_parsed_in_all_its_forms() {
        for (text, seconds) in [
            ("3", 3),
            (" 120 ", 120),
            ("2.5", 2),
            ("Sun, 06 Nov 1994 08:50:07 GMT", 30),
            ("Sunday, 06-Nov-94 08:50:07 GMT", 30),
            ("Sun Nov  6 08:50:07 1994", 30),
        ] {
            assert_eq!(
                retry_after(text, now()).map(|d| d.as_secs()),
                Some(seconds),
                "{text}"
            );
        }
        let later = Timestamp::from_second(1_746_136_908).unwrap();
        assert_eq!(
            retry_after("1746136938", later),
            Some(Duration::from_secs(30))
        );
    }

    #[test]
    fn retry_after_is_clamped_between_a_second_and_an_hour() {
        for (text, seconds) in [
            ("0", 1),
            ("0.000123", 1),
            ("86400", 3600),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 1),
            ("Sat, 06 Nov 2094 08:00:00 GMT", 3600),
            ("1e9", 3600),
        ] {
            assert_eq!(
                retry_after(text, now()),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn invalid_retry_after_is_ignored() {
        for text in [
            "",
            "soon",
            "-1",
            "NaN",
            "inf",
            "3 seconds",
            "99999999999999999999999",
        ] {
            let read = retry_after(text, now());
            assert!(read.is_none() || read == Some(LONGEST), "{text}: {read:?}");
        }
        assert_eq!(retry_after("soon", now()), None);
        assert_eq!(retry_after("-1", now()), None);
    }

    #[test]
    fn transient_statuses_are_retried_and_definitive_ones_are_not() {
        for status in [408, 500, 502, 503, 504, 521, 522] {
            assert_eq!(verdict(status, None), RetryVerdict::Again, "{status}");
        }
        for status in [200, 304, 400, 401, 403, 404, 405, 410, 501] {
            assert_eq!(verdict(status, None), RetryVerdict::Final, "{status}");
        }
        let three = Some(Duration::from_secs(3));
        assert_eq!(verdict(429, None), RetryVerdict::Limited(None));
        assert_eq!(verdict(429, three), RetryVerdict::Limited(three));
        assert_eq!(verdict(503, three), RetryVerdict::Limited(three));
        assert_eq!(verdict(500, three), RetryVerdict::Again);
    }

    #[test]
    fn retry_backoff_grows_and_ends() {
        let within = |tries: usize, low: u64, high: u64| {
            let millis = pause(tries).unwrap().as_millis();
            assert!(
                (u128::from(low)..=u128::from(high)).contains(&millis),
                "{tries}: {millis}"
            );
        };
        for _ in 0..50 {
            within(1, 400, 600);
            within(2, 1200, 1800);
            within(3, 3600, 5400);
        }
        assert_eq!(pause(4), None);
        assert_eq!(pause(0), None);
    }
}
