//! When a tag is looked at next.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, TimestampArithmetic};
use sha2::{Digest as _, Sha256};

use crate::image::Reference;

/// Public registries: asked seldom, at random moments, and never all at once.
const PUBLIC: &[&str] = &[
    "cgr.dev",
    "docker.elastic.co",
    "docker.io",
    "gcr.io",
    "ghcr.io",
    "lscr.io",
    "mcr.microsoft.com",
    "nvcr.io",
    "public.ecr.aws",
    "quay.io",
    "registry-1.docker.io",
    "registry.access.redhat.com",
    "registry.gitlab.com",
    "registry.hub.docker.com",
    "registry.k8s.io",
    "registry.redhat.io",
    "registry.suse.com",
];

/// Tells whether `registry` is one of the well-known public ones.
pub fn is_public(registry: &str) -> bool {
    PUBLIC.binary_search(&registry).is_ok() || registry.ends_with(".gcr.io")
}

/// The bounds of the pause between two looks at a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    shortest: Duration,
    longest: Duration,
    /// The longest pause while the registry does not answer.
    slowest: Duration,
    /// The second of the minute at which looks with a random moment are gathered; `None` where each keeps its own moment.
    second: Option<i8>,
}

/// The most times that a pause is doubled while a registry does not answer; more than any bound needs.
const MOST_DOUBLINGS: u32 = 16;

impl Pauses {
    /// Returns pauses between two bounds, which grow up to `slowest` while there is no answer.
    pub fn new(shortest: Duration, longest: Duration, slowest: Duration) -> Self {
        Self {
            shortest,
            longest,
            slowest: slowest.max(longest),
            second: None,
        }
    }

    /// Gathers looks whose moment is random into one round: those that would fall into the same minute are made at this second of it. Each
    /// process has its own second, so that not all ask a registry at once.
    #[must_use]
    pub fn together_at(mut self, second: i8) -> Self {
        self.second = Some(second.clamp(0, 59));
        self
    }

    /// Returns the next look at a tag that was looked at `now`. The pause doubles with each of `unanswered` looks in a row without an
    /// answer, up to the slowest.
    pub fn next_look(self, tag: &Reference, unanswered: u32, now: Timestamp) -> Timestamp {
        let shortest = slower(self.shortest, unanswered, self.slowest);
        let longest = slower(self.longest, unanswered, self.slowest);
        let next = next_look(tag, now, shortest, longest);
        let is_choice = shortest >= RARE && longest >= shortest + MINUTE;
        match self.second.filter(|_| is_choice) {
            None => next,
            Some(second) => within_minute(next, second, later(now, shortest)),
        }
    }

    /// Returns the longest pause after so many looks in a row without an answer.
    pub fn longest(self, unanswered: u32) -> SignedDuration {
        let longest = slower(self.longest, unanswered, self.slowest);
        SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX)
    }
}

/// The shortest pause for which a minute more or less does not matter.
const RARE: Duration = Duration::from_secs(600);

const MINUTE: Duration = Duration::from_secs(60);

/// Moves a look back to the given second of a minute; or forward to the next, where it would come before `earliest`.
fn within_minute(next: Timestamp, second: i8, earliest: Timestamp) -> Timestamp {
    let past = (next.as_second() - i64::from(second)).rem_euclid(60);
    let Ok(start) = Timestamp::from_second(next.as_second() - past) else {
        return next;
    };
    if start < earliest {
        later(start, MINUTE)
    } else {
        start
    }
}

/// Returns the time so much later, at most the end of the calendar.
pub(super) fn later(time: Timestamp, by: impl Into<TimestampArithmetic>) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn slower(pause: Duration, unanswered: u32, slowest: Duration) -> Duration {
    let doublings = unanswered.saturating_sub(1).min(MOST_DOUBLINGS);
    pause.saturating_mul(1 << doublings).min(slowest)
}

/// Returns when `tag` is looked at next: between `shortest` and `longest` after `looked`.
///
/// The moment is a hash of the tag and the last look: as good as random, spread over the bounds, and the same after a restart.
fn next_look(
    tag: &Reference,
    looked: Timestamp,
    shortest: Duration,
    longest: Duration,
) -> Timestamp {
    let hash = Sha256::new()
        .chain_update(tag.to_string())
        .chain_update(looked.as_nanosecond().to_be_bytes())
        .finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[..8]);
    let spread = longest.saturating_sub(shortest).as_millis();
    let millis = u128::from(u64::from_be_bytes(bytes)) * spread / u128::from(u64::MAX);
    let pause = shortest + Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
    later(looked, pause)
}

/// The longest sleep of the loop, because definitions may be edited meanwhile.
const MAX_SLEEP: SignedDuration = SignedDuration::from_secs(60);

/// Returns how long the loop sleeps until something is due: at least a second, and never so long that an edit goes unseen.
pub fn time_until_next(next: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    let until = next.map_or(MAX_SLEEP, |next| next.duration_since(now));
    until.clamp(SignedDuration::from_secs(1), MAX_SLEEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_of_public_registries_is_sorted() {
        assert!(PUBLIC.is_sorted());
        assert!(is_public("docker.io") && is_public("eu.gcr.io"));
        assert!(!is_public("localhost:5000") && !is_public("registry.lan"));
    }

    #[test]
    fn lookups_of_public_tags_are_spread_between_the_two_intervals() {
        let looked = Timestamp::from_second(1_000_000).unwrap();
        let pauses: Vec<i64> = (0..200)
            .map(|n| {
                let tag = format!("docker.io/library/x:{n}").parse().unwrap();
                next_look(&tag, looked, 10 * MINUTE, 60 * MINUTE).as_second() - 1_000_000
            })
            .collect();
        assert!(pauses.iter().all(|pause| (600..=3600).contains(pause)));
        let early = pauses.iter().filter(|pause| **pause < 1350).count();
        assert!(
            (30..=70).contains(&early),
            "{early} of 200 in the first quarter"
        );
    }

    #[test]
    fn public_lookups_of_one_minute_are_grouped_within_the_intervals() {
        let pauses = Pauses::new(10 * MINUTE, 60 * MINUTE, 60 * MINUTE).together_at(7);
        let mut times = std::collections::BTreeSet::new();
        for n in 0..10_000 {
            let looked = Timestamp::from_second(1_000_000 + n % 50).unwrap();
            let tag = format!("docker.io/library/x:{n}").parse().unwrap();
            let next = pauses.next_look(&tag, 0, looked);
            let pause = next.duration_since(looked).as_secs();
            assert!((600..=3600).contains(&pause), "{pause}");
            times.insert(next);
        }
        // 10,000 looks within an hour make 51 rounds, not one in each second.
        assert!(times.len() <= 52, "{}", times.len());
        assert!(times.iter().all(|time| time.as_second() % 60 == 7));
    }

    #[test]
    fn lookups_with_a_fixed_interval_keep_it() {
        let looked = Timestamp::from_second(1_000_000).unwrap();
        let tag = "r.io/x:1".parse().unwrap();
        for pause in [MINUTE, 30 * MINUTE] {
            let pauses = Pauses::new(pause, pause, pause).together_at(7);
            let next = pauses.next_look(&tag, 0, looked);
            assert_eq!(
                next.duration_since(looked).as_secs(),
                pause.as_secs() as i64
            );
        }
    }

    #[test]
    fn equal_intervals_give_exactly_that_interval() {
        let looked = Timestamp::from_second(5).unwrap();
        let tag = "r.io/x:1".parse().unwrap();
        assert_eq!(next_look(&tag, looked, MINUTE, MINUTE).as_second(), 65);
    }

    #[test]
    fn loop_sleep_ends_at_the_next_due_time_within_a_second_and_a_minute() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let time_until_next = |next: Option<i64>| time_until_next(next.map(at), at(1000)).as_secs();
        assert_eq!(time_until_next(None), 60);
        assert_eq!(time_until_next(Some(1030)), 30);
        assert_eq!(time_until_next(Some(5000)), 60);
        assert_eq!(
            [time_until_next(Some(1000)), time_until_next(Some(10))],
            [1, 1]
        );
    }
}
