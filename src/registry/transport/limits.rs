//! Limits of requests to one registry: how many at once, how many a second, and pauses that it asks for.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{
    image::reference::DOCKER_HUB,
    registry::{error_text::clean, header_text, problem::LookupError},
    sys::{clock::Clock, config::RegistrySettings},
};

use super::{connection_warmup::PATIENCE, retry};

/// Concurrent requests where each uses its own connection.
const WIDTH_HTTP1: usize = 64;

/// Concurrent requests where one connection carries all; more than servers allow on one connection.
const WIDTH_HTTP2: usize = 250;

/// The most connections over HTTP/2 to one registry. A server carries over a hundred concurrent requests on each of them, and another
/// connection costs a handshake, so that few are used, and only for very many tags.
pub const MAX_CONNECTIONS: usize = 4;

/// How many looks are concurrent, and over how many connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Connections over HTTP/2; 1 where every request has its own connection.
    pub connections: usize,
    /// Concurrent looks.
    pub width: usize,
    /// How many of the first looks open a connection each.
    pub openers: usize,
}

impl Concurrency {
    /// One look after the other.
    pub const SINGLE: Self = Self {
        connections: 1,
        width: 1,
        openers: 0,
    };
}

/// The number of tags for which each further connection is worth its handshake.
const TAGS_A_LANE: usize = 2500;

/// Concurrent requests on each of several connections: each takes memory, and servers allow about as many.
const WIDTH_LANE: usize = 128;

/// The rate of requests to Docker Hub, which locks out faster clients: that of docker-library's own tools, 300 a minute after a burst of 300.
const DOCKER_HUB_RATE: Rate = Rate {
    burst: 300.0,
    per_second: 5.0,
};

/// The number of answers after which one more concurrent request is allowed again, after a pause had reduced them.
const CALM: u32 = 100;

/// The number of failed look-ups in a row after which requests to a registry pause.
const PATIENT_FAILURES: u32 = 3;

/// The first pause for a failing registry, and below it the longest.
const HOLD: Duration = Duration::from_secs(30);
const LONGEST_HOLD: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    per_second: f64,
}

/// The rate limits that a registry has reported, and its pause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// `ratelimit-limit`, as Docker Hub sends it: `100;w=21600` is 100 in six hours.
    pub limit: Option<String>,
    /// `ratelimit-remaining`, in the same form.
    pub remaining: Option<String>,
    /// `docker-ratelimit-source`: the address or account that the limit counts.
    pub source: Option<String>,
    /// The end of the pause, if there is one.
    pub paused_until: Option<Timestamp>,
}

#[derive(Debug)]
pub struct RequestLimits {
    /// One slot until the first answer tells whether more connections are needed.
    slots: Semaphore,
    configured: Option<usize>,
    rate: Option<Rate>,
    state: Mutex<LimitState>,
}

#[derive(Debug, Default)]
struct LimitState {
    /// The slots that exist, that should exist, and that the protocol allows.
    granted: usize,
    wanted: usize,
    full: usize,
    /// The number of answers since the last pause.
    calm: u32,
    answered: bool,
    answers: u64,
    /// When slots were last added for lack of an answer.
    widened: Option<Instant>,
    http2: bool,
    tokens: f64,
    refilled: Option<Timestamp>,
    pause: Option<Pause>,
    failures: u32,
    holds: u32,
    budget: Budget,
}

#[derive(Clone, Debug)]
struct Pause {
    until: Timestamp,
    /// The error for callers during the pause; if unset, they wait.
    answer: Option<LookupError>,
}

/// The permit for one concurrent request.
pub struct RequestSlot<'a> {
    limits: &'a RequestLimits,
    permit: Option<SemaphorePermit<'a>>,
}

impl RequestLimits {
    /// Returns the limits of `registry` from the config file, with the built-in rate of registries that need one.
    pub fn new(registry: &str, settings: &RegistrySettings) -> Self {
        let configured = settings.requests_per_second.map(|per_second| Rate {
            burst: f64::from(per_second.max(1)),
            per_second: f64::from(per_second.max(1)),
        });
        let rate = configured.or((registry == DOCKER_HUB).then_some(DOCKER_HUB_RATE));
        Self {
            slots: Semaphore::new(1),
            configured: settings
                .concurrency
                .map(|concurrency| concurrency.clamp(1, WIDTH_HTTP2)),
            rate,
            state: Mutex::new(LimitState {
                granted: 1,
                wanted: 1,
                tokens: rate.map_or(0.0, |rate| rate.burst),
                ..LimitState::default()
            }),
        }
    }

    /// Takes over what the registry reported before its settings changed: its remaining budget, and the pause that it asked for.
    pub fn go_on_from(&self, before: &Self) {
        let before = before.state();
        let mut state = self.state();
        state.budget.clone_from(&before.budget);
        let asked_for = |pause: &Pause| {
            let answer = pause.answer.as_ref();
            answer.is_none_or(LookupError::is_limited)
        };
        state.pause = before.pause.clone().filter(asked_for);
    }

    /// Waits for the permit for one more request. The slot is kept during retries: a registry that fails gets fewer requests.
    ///
    /// # Errors
    ///
    /// The error for all callers while the registry pauses.
    pub async fn enter(&self, clock: &Clock) -> Result<RequestSlot<'_>, LookupError> {
        self.wait_out(clock).await?;
        let slot = RequestSlot {
            limits: self,
            permit: self.slot(clock).await,
        };
        // The registry may have asked for a pause during the wait for the slot.
        self.again(clock).await?;
        Ok(slot)
    }

    /// Waits for a slot. If the first request gets no answer, others must find out whether the registry or that request is the cause: more
    /// and more of them, as the wait goes on.
    async fn slot(&self, clock: &Clock) -> Option<SemaphorePermit<'_>> {
        let mut slot = std::pin::pin!(self.slots.acquire());
        loop {
            tokio::select! {
                biased;
                slot = &mut slot => return slot.ok(),
                () = clock.pause(PATIENCE), if !self.state().answered => self.widen(),
            }
        }
    }

    /// Doubles the number of slots, once in a while, as long as there is no answer.
    fn widen(&self) {
        let mut state = self.state();
        let most = self.configured.unwrap_or(WIDTH_HTTP1);
        let is_soon = state.widened.is_some_and(|at| at.elapsed() < PATIENCE);
        if state.answered || is_soon || state.granted >= most {
            return;
        }
        let more = state.granted.min(most - state.granted);
        state.granted += more;
        state.wanted = state.wanted.max(state.granted);
        state.widened = Some(Instant::now());
        self.slots.add_permits(more);
    }

    /// Waits until one more request may be sent for a look-up that has its slot.
    pub async fn again(&self, clock: &Clock) -> Result<(), LookupError> {
        self.wait_out(clock).await?;
        let wait = self.take(clock.now());
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
        Ok(())
    }

    async fn wait_out(&self, clock: &Clock) -> Result<(), LookupError> {
        while let Some(pause) = self.pause(clock.now()) {
            if let Some(answer) = pause.answer {
                return Err(answer);
            }
            let left = pause.until.duration_since(clock.now());
            clock
                .sleep(retry::spread(Duration::try_from(left).unwrap_or_default()))
                .await;
        }
        Ok(())
    }

    fn pause(&self, now: Timestamp) -> Option<Pause> {
        self.state().pause.clone().filter(|pause| now < pause.until)
    }

    /// Takes one request out of the bucket, and returns how long to wait for it.
    fn take(&self, now: Timestamp) -> Duration {
        let Some(rate) = self.rate else {
            return Duration::ZERO;
        };
        let mut state = self.state();
        let idle = state
            .refilled
            .map_or(0.0, |refilled| now.duration_since(refilled).as_secs_f64());
        state.refilled = Some(now);
        state.tokens = (state.tokens + idle.max(0.0) * rate.per_second).min(rate.burst) - 1.0;
        Duration::try_from_secs_f64(-state.tokens / rate.per_second).unwrap_or_default()
    }

    /// Records an answer: the rate limits in its headers, and that more concurrent requests are possible.
    pub fn answered(&self, http2: bool, headers: &HeaderMap) {
        let mut state = self.state();
        let budget = &mut state.budget;
        for (name, place) in [
            ("ratelimit-limit", &mut budget.limit),
            ("ratelimit-remaining", &mut budget.remaining),
            ("docker-ratelimit-source", &mut budget.source),
        ] {
            if let Some(value) = header_text(headers, name) {
                *place = Some(clean(value));
            }
        }
        state.failures = 0;
        state.holds = 0;
        state.answers += 1;
        if !state.answered {
            state.answered = true;
            state.http2 = http2;
            let width = if http2 { WIDTH_HTTP2 } else { WIDTH_HTTP1 };
            state.full = self.configured.unwrap_or(width);
            self.slots
                .add_permits(state.full.saturating_sub(state.granted));
            (state.granted, state.wanted) = (state.full, state.full);
        }
        state.calm += 1;
        if state.calm >= CALM && state.wanted < state.full && state.granted == state.wanted {
            state.calm = 0;
            state.wanted += 1;
            state.granted += 1;
            self.slots.add_permits(1);
        }
    }

    /// Returns how to look at this many tags.
    pub fn concurrency(&self, tags: usize) -> Concurrency {
        let mut state = self.state();
        if !state.answered {
            // Slots are added while there is no answer.
            return Concurrency {
                connections: 1,
                width: self.configured.unwrap_or(WIDTH_HTTP1),
                openers: 0,
            };
        }
        if !state.http2 || self.configured.is_some() {
            let width = state.full.max(1);
            return Concurrency {
                connections: 1,
                width,
                openers: if state.http2 { 0 } else { width },
            };
        }
        let connections = (tags / TAGS_A_LANE).clamp(1, MAX_CONNECTIONS);
        let full = (WIDTH_LANE * connections).max(WIDTH_HTTP2);
        if full > state.full && state.wanted == state.full && state.granted == state.full {
            self.slots.add_permits(full - state.full);
            (state.full, state.granted, state.wanted) = (full, full, full);
        }
        Concurrency {
            connections,
            width: full,
            openers: 0,
        }
    }

    /// Records that the registry asked for a pause: from now on there are fewer concurrent requests.
    ///
    /// With an `answer`, callers before `until` get that error; without one, they wait.
    pub fn hold(&self, until: Timestamp, answer: Option<LookupError>) {
        let mut state = self.state();
        state.wanted = (state.granted / 2).max(1);
        state.calm = 0;
        if state
            .pause
            .as_ref()
            .is_none_or(|pause| pause.until <= until)
        {
            state.pause = Some(Pause { until, answer });
        }
    }

    /// Returns the number of answers so far, for [`Self::failed`].
    pub fn answers(&self) -> u64 {
        self.state().answers
    }

    /// Records a failure that may be the registry's, and returns when to retry. After several in a row, or at once if it cannot be reached,
    /// requests to the registry pause: longer each time. If the registry has sent other answers since there were `answers`, it has not
    /// failed: the cause is in that request.
    pub fn failed(
        &self,
        now: Timestamp,
        answers: u64,
        unreachable: bool,
        answer: impl FnOnce(Timestamp) -> LookupError,
    ) -> LookupError {
        let mut state = self.state();
        let is_of_the_registry = unreachable || state.answers == answers;
        state.failures = state.failures.saturating_add(u32::from(is_of_the_registry));
        let hold = HOLD
            .saturating_mul(1 << state.holds.min(8))
            .min(LONGEST_HOLD);
        let until = now.saturating_add(hold).unwrap_or(now);
        let answer = answer(until);
        if unreachable || (is_of_the_registry && state.failures >= PATIENT_FAILURES) {
            state.failures = 0;
            state.holds = state.holds.saturating_add(1);
            state.pause = Some(Pause {
                until,
                answer: Some(answer.clone()),
            });
        }
        answer
    }

    /// Returns the reported rate limits.
    pub fn budget(&self, now: Timestamp) -> Budget {
        let paused_until = self.pause(now).map(|pause| pause.until);
        Budget {
            paused_until,
            ..self.state().budget.clone()
        }
    }

    fn state(&self) -> MutexGuard<'_, LimitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RequestSlot<'_> {
    fn drop(&mut self) {
        let mut state = self.limits.state();
        if state.granted > state.wanted {
            state.granted -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::problem::{FailedRequest, LookupFailure};

    fn settings(concurrency: Option<usize>, per_second: Option<u32>) -> RegistrySettings {
        RegistrySettings {
            concurrency,
            requests_per_second: per_second,
            ..RegistrySettings::default()
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    fn limited(until: Timestamp) -> LookupError {
        LookupError::unknown(LookupFailure::Limited { until }, FailedRequest::default())
    }

    fn clock() -> Clock {
        Clock::new(Some("1000")).unwrap()
    }

    #[tokio::test]
    async fn first_request_goes_alone_and_then_as_many_as_the_protocol_carries() {
        let limits = RequestLimits::new("r.example", &settings(None, None));
        let first = limits.enter(&clock()).await.unwrap();
        assert_eq!(limits.slots.available_permits(), 0);
        limits.answered(false, &headers(&[]));
        drop(first);
        assert_eq!(limits.slots.available_permits(), 64);
        let http2 = RequestLimits::new("r.example", &settings(None, None));
        http2.answered(true, &headers(&[]));
        assert_eq!(http2.slots.available_permits(), 250);
        let told = RequestLimits::new("r.example", &settings(Some(3), None));
        told.answered(true, &headers(&[]));
        assert_eq!(told.slots.available_permits(), 3);
    }

    fn lanes_and_width(limits: &RequestLimits, tags: usize) -> (usize, usize) {
        let concurrency = limits.concurrency(tags);
        (concurrency.connections, concurrency.width)
    }

    #[test]
    fn very_many_tags_of_an_http2_registry_get_more_connections() {
        let limits = RequestLimits::new("r.example", &settings(None, None));
        assert_eq!(lanes_and_width(&limits, 10_000), (1, 64));
        limits.answered(true, &headers(&[]));
        assert_eq!(
            [500, 2500, 5000, 10_000, 90_000].map(|tags| lanes_and_width(&limits, tags)),
            [(1, 250), (1, 250), (2, 256), (4, 512), (4, 512)]
        );
        assert_eq!(limits.slots.available_permits(), 512);
        let http1 = RequestLimits::new("r.example", &settings(None, None));
        http1.answered(false, &headers(&[]));
        assert_eq!(
            (http1.concurrency(10_000), http1.slots.available_permits()),
            (
                Concurrency {
                    connections: 1,
                    width: 64,
                    openers: 64
                },
                64
            )
        );
        let told = RequestLimits::new("r.example", &settings(Some(8), None));
        told.answered(true, &headers(&[]));
        assert_eq!(
            (
                lanes_and_width(&told, 10_000),
                told.slots.available_permits()
            ),
            ((1, 8), 8)
        );
    }

    #[tokio::test]
    async fn rate_limit_allows_a_burst_and_then_one_request_at_a_time() {
        let clock = clock();
        let limits = RequestLimits::new("r.example", &settings(None, Some(2)));
        limits.answered(false, &headers(&[]));
        let mut times = Vec::new();
        for _ in 0..6 {
            limits.enter(&clock).await.unwrap();
            times.push(clock.now().as_millisecond() - 1_000_000);
        }
        assert_eq!(times, [0, 0, 500, 1000, 1500, 2000]);
    }

    #[tokio::test]
    async fn docker_hub_has_a_default_rate_limit() {
        let clock = clock();
        let limits = RequestLimits::new("docker.io", &settings(None, None));
        limits.answered(true, &headers(&[]));
        for _ in 0..300 {
            limits.enter(&clock).await.unwrap();
        }
        assert_eq!(clock.now().as_second(), 1000);
        limits.enter(&clock).await.unwrap();
        assert_eq!(clock.now().as_millisecond(), 1_000_200);
    }

    #[tokio::test]
    async fn short_pause_is_waited_for_and_a_long_one_returned_to_all_requests() {
        let clock = clock();
        let limits = RequestLimits::new("r.example", &settings(None, None));
        let until = Timestamp::from_second(1003).unwrap();
        limits.hold(until, None);
        drop(limits.enter(&clock).await.unwrap());
        assert!(clock.now() >= until);

        let later = Timestamp::from_second(5000).unwrap();
        limits.hold(later, Some(limited(later)));
        let told = limits.enter(&clock).await.map(drop).unwrap_err();
        assert_eq!(told.retry_at(), Some(later));
        assert_eq!(limits.budget(clock.now()).paused_until, Some(later));
        clock.sleep(Duration::from_secs(5000)).await;
        assert!(limits.enter(&clock).await.is_ok());
    }

    #[tokio::test]
    async fn pause_halves_the_concurrency_until_a_long_time_without_one() {
        let clock = clock();
        let limits = RequestLimits::new("r.example", &settings(Some(8), None));
        limits.answered(false, &headers(&[]));
        let mut slots = Vec::new();
        for _ in 0..8 {
            slots.push(limits.enter(&clock).await.unwrap());
        }
        limits.hold(clock.now(), None);
        drop(slots);
        assert_eq!(limits.slots.available_permits(), 4);
        for _ in 0..1000 {
            limits.answered(false, &headers(&[]));
        }
        assert_eq!(limits.slots.available_permits(), 8);
    }

    #[test]
    fn failures_do_not_pause_a_registry_that_answered_other_requests() {
        let limits = RequestLimits::new("r.example", &settings(None, None));
        let now = clock().now();
        let before = limits.answers();
        limits.answered(false, &headers(&[]));
        for _ in 0..4 {
            limits.failed(now, before, false, limited);
        }
        assert!(limits.pause(now).is_none());
        for _ in 0..3 {
            limits.failed(now, limits.answers(), false, limited);
        }
        assert!(limits.pause(now).is_some());
    }

    #[test]
    fn concurrency_grows_while_the_first_request_is_unanswered() {
        let limits = RequestLimits::new("r.example", &settings(None, None));
        let widened = || {
            limits.state().widened = None;
            limits.widen();
            // All waiting callers lose patience at the same time.
            limits.widen();
            limits.slots.available_permits()
        };
        assert_eq!([widened(), widened(), widened()], [2, 4, 8]);
        limits.answered(false, &headers(&[]));
        assert_eq!([limits.slots.available_permits(), widened()], [64, 64]);

        let told = RequestLimits::new("r.example", &settings(Some(1), None));
        told.widen();
        assert_eq!(told.slots.available_permits(), 1);
    }

    #[test]
    fn failing_registry_is_paused_after_three_failures_with_growing_backoff() {
        let limits = RequestLimits::new("r.example", &settings(None, None));
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut paused = Vec::new();
        for n in 1..=9 {
            limits.failed(at(n), limits.answers(), false, limited);
            paused.push(limits.pause(at(n)).map(|pause| pause.until.as_second() - n));
        }
        let none = None;
        assert_eq!(
            paused,
            [
                none,
                none,
                Some(30),
                Some(29),
                Some(28),
                Some(60),
                Some(59),
                Some(58),
                Some(120)
            ]
        );
        limits.answered(false, &headers(&[]));
        limits.failed(at(1000), limits.answers(), true, limited);
        assert_eq!(limits.pause(at(1000)).unwrap().until, at(1030));
    }

    #[test]
    fn retry_after_pause_outlives_changed_settings_and_a_failure_pause_does_not() {
        let (now, later) = (clock().now(), Timestamp::from_second(5000).unwrap());
        let (old, new) = (
            RequestLimits::new("r.example", &settings(None, None)),
            RequestLimits::new("r.example", &settings(Some(8), None)),
        );
        old.hold(later, Some(limited(later)));
        old.answered(true, &headers(&[("ratelimit-remaining", "1;w=60")]));
        new.go_on_from(&old);
        let budget = new.budget(now);
        assert_eq!(budget.paused_until, Some(later));
        assert_eq!(budget.remaining.as_deref(), Some("1;w=60"));

        let failing = RequestLimits::new("r.example", &settings(None, None));
        failing.failed(now, failing.answers(), true, |until| {
            LookupError::unknown(LookupFailure::Server { until }, FailedRequest::default())
        });
        assert!(failing.budget(now).paused_until.is_some());
        new.go_on_from(&failing);
        assert_eq!(new.budget(now).paused_until, None);
    }

    #[test]
    fn rate_limit_budget_is_that_of_the_latest_headers() {
        let limits = RequestLimits::new("docker.io", &settings(None, None));
        limits.answered(
            true,
            &headers(&[
                ("ratelimit-limit", "100;w=21600"),
                ("ratelimit-remaining", "98;w=21600"),
            ]),
        );
        limits.answered(true, &headers(&[("docker-ratelimit-source", "192.0.2.1")]));
        assert_eq!(
            limits.budget(Timestamp::UNIX_EPOCH),
            Budget {
                limit: Some("100;w=21600".into()),
                remaining: Some("98;w=21600".into()),
                source: Some("192.0.2.1".into()),
                paused_until: None,
            }
        );
    }
}
